"""`clawtriage core`."""

from __future__ import annotations

from pathlib import Path

import click

from triage.cli.output import core_options, core_request, render_options, shared_options
from triage.errors import UsageError

_EPILOG = """\b
Examples:
  clawtriage core ./core --binary ./claw_inference
  clawtriage core core.1234.zst --binary ./claw_inference --log engine.log
  clawtriage core core.1234                    no program at hand: what the core alone tells
  clawtriage core gpu.nvcudmp                  a GPU core dump: no GPU or CUDA is needed
  clawtriage core --last claw_inference        the last crash that systemd keeps of a program
  clawtriage core cores/ --binary ./claw_inference --format jsonl
"""


@click.command("core", epilog=_EPILOG)
@click.argument("cores", metavar="CORE...", nargs=-1)
@core_options
@click.option(
    "--log", "logs", multiple=True, metavar="FILE",
    help="A log of the same crash (repeatable; `-` is standard input).",
)  # fmt: skip
@click.option(
    "--last", is_flag=True,
    help="Take the last crash that systemd keeps; CORE is then a program's name or path, or a "
    "process id.",
)  # fmt: skip
@click.option("--list", "listing", is_flag=True, help="List the crashes that systemd keeps.")
@render_options
@shared_options
def command(
    cores: tuple[str, ...],
    binaries: tuple[Path, ...],
    sysroot: Path | None,
    symbols: Path | None,
    debugger: Path | None,
    timeout: float,
    unsafe_no_sandbox: bool,
    logs: tuple[str, ...],
    last: bool,
    listing: bool,
    form: str,
    verbose: bool,
    output: Path | None,
    color: bool | None,
    packs: tuple[Path, ...],
    db: Path | None,
    tmp: Path | None,
    no_redact: bool,
) -> int:
    """Diagnose a crash from its CORE dump, or each crash of several.

    gdb reads the stacks in a sandbox; the core itself tells the signal, the command line and the
    variables. No file is opened but those that you name, and this machine's libraries that have the
    build ids of the core's where you give --binary. A CORE may be packed (gzip, bzip2, xz, zstd,
    lz4); a folder stands for the core dumps in it, and `-` for standard input. A GPU core dump
    (CUDA_COREDUMP_FILE) holds its own code, symbols and lines: it is read without gdb, and without
    --binary.
    """
    from triage.cli.core_runs import CoreRun, Page  # not for --help

    run = CoreRun(
        request=core_request(binaries, sysroot, symbols, debugger, timeout, unsafe_no_sandbox),
        logs=logs, packs=packs, db=db, tmp=tmp, redact=not no_redact,
    )  # fmt: skip
    page = Page(form=form, verbose=verbose, output=output, color=color)
    if listing or last:
        if listing and last:
            raise UsageError(
                "--list shows crashes and --last reads one: give one of the two",
                hint="clawtriage core --list; clawtriage core --last PROGRAM",
            )
        if len(cores) > 1:
            raise UsageError("name one program at most", hint="clawtriage core --last PROGRAM")
        match = cores[0] if cores else None
        return run.list_kept(match, page) if listing else run.read_last(match, page)
    if not cores:
        raise UsageError("no core dump is named", hint="clawtriage core CORE, or --last")
    return run.read(cores, page)
