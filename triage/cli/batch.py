"""`clawtriage batch`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from triage.cli.output import core_options, core_request, shared_options
from triage.errors import BatchError, ExitCode
from triage.text.safe import safe_line

_EPILOG = """\b
Examples:
  clawtriage batch uploads/ --format jsonl > night.jsonl
  clawtriage batch uploads/ --format jsonl --fail-on unknown
"""


@click.command("batch", epilog=_EPILOG)
@click.argument("uploads", metavar="UPLOADS", type=click.Path())
@click.option(
    "-f", "--format", "form", type=click.Choice(["jsonl"]), default="jsonl", show_default=True,
    expose_value=False, help="One JSON line for each upload.",
)  # fmt: skip
@click.option(
    "--fail-on", multiple=True, type=click.Choice(["unknown", "error"]),
    help="Leave with status 10 where an upload ends like this (repeatable).",
)  # fmt: skip
@core_options
@shared_options
def command(
    uploads: str,
    fail_on: tuple[str, ...],
    binaries: tuple[Path, ...],
    sysroot: Path | None,
    symbols: Path | None,
    debugger: Path | None,
    timeout: float,
    unsafe_no_sandbox: bool,
    packs: tuple[Path, ...],
    db: Path | None,
    tmp: Path | None,
    no_redact: bool,
) -> int:
    """Diagnose every upload in the folder UPLOADS.

    An upload is a file in it, or a sub-folder whose files are all evidence of one incident. An
    upload that cannot be read is a line with an error; the others are not held up.
    """
    if not uploads:
        raise BatchError(
            "the name of the folder is empty", hint="is a variable of the shell not set?"
        )
    from triage.batch.run import run_batch  # not for --help
    from triage.pipeline import Options
    from triage.render.json_ import dump

    request = core_request(binaries, sysroot, symbols, debugger, timeout, unsafe_no_sandbox)
    options = Options(packs=packs, db=db, tmp=tmp, redact=not no_redact, core=request)
    seen: set[str] = set()
    for row in run_batch(Path(uploads), options):
        # Bytes, so that no locale can make a name in a crash fail the night.
        sys.stdout.buffer.write(dump(row, indent=None).encode("utf-8", "backslashreplace") + b"\n")
        sys.stdout.buffer.flush()
        seen.add("error" if "error" in row else str(row["report"]["verdict"]))
    if not seen:
        click.echo(f"clawtriage: no uploads in {safe_line(uploads)}", err=True)
    return int(ExitCode.UNKNOWN) if seen & set(fail_on) else 0
