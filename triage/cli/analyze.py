"""`clawtriage analyze`."""

from __future__ import annotations

from pathlib import Path

import click

from triage.cli.output import emit, render_options, shared_options

_EPILOG = """\b
Examples:
  clawtriage analyze crash.log
  clawtriage analyze engine.log backtrace.txt dmesg.txt      one incident, three witnesses
  clawtriage analyze crash-bundle/                           every file in a folder
  kubectl logs claw-0 --previous | clawtriage analyze -
  clawtriage analyze crash.log --format markdown > issue.md
"""


@click.command("analyze", epilog=_EPILOG)
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option(
    "--binary", type=click.Path(path_type=Path), metavar="EXE",
    help="The program that crashed, where an INPUT is its core dump.",
)  # fmt: skip
@render_options
@shared_options
def command(
    inputs: tuple[str, ...],
    binary: Path | None,
    form: str,
    verbose: bool,
    output: Path | None,
    color: bool | None,
    packs: tuple[Path, ...],
    db: Path | None,
    no_redact: bool,
) -> int:
    """Diagnose one crash from its logs, backtraces and dumps.

    Every INPUT is evidence of the same incident: a text (log, gdb or cuda-gdb session, kernel
    messages), a core dump, a folder of them, or `-` for standard input.
    """
    from triage.pipeline import Analyzer, Options  # not for --help

    analyzer = Analyzer(Options(packs=packs, db=db, binary=binary, redact=not no_redact))
    report = analyzer.analyze(inputs)
    return emit(report, form=form, verbose=verbose, output=output, color=color)
