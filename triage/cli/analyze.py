"""`clawtriage analyze`."""

from __future__ import annotations

from pathlib import Path

import click

from triage.cli.output import (
    TIMEOUT,
    core_options,
    core_request,
    emit,
    page_options,
    render_options,
    shared_options,
    show,
)
from triage.errors import UsageError

_EPILOG = """\b
Examples:
  clawtriage analyze crash.log
  clawtriage analyze engine.log backtrace.txt dmesg.txt      one incident, three witnesses
  clawtriage analyze engine.log gpu.nvcudmp model.gguf       pieces of any kind, in any order
  clawtriage analyze crash-bundle/                           every file in a folder
  clawtriage analyze crash-bundle.tar.gz                     every file in an archive
  kubectl logs claw-0 --previous | clawtriage analyze -
  clawtriage analyze crash.log --format markdown > issue.md
  clawtriage analyze --explain-parse strange.log             what was read from which line
"""


_DUMPS = ("elf-core", "archive")


@click.command("analyze", epilog=_EPILOG)
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@core_options
@click.option(
    "--explain-parse", is_flag=True,
    help="Show what was read from each line in place of a diagnosis.",
)  # fmt: skip
@render_options
@shared_options
def command(
    inputs: tuple[str, ...],
    binaries: tuple[Path, ...],
    sysroot: Path | None,
    symbols: Path | None,
    debugger: Path | None,
    timeout: float,
    unsafe_no_sandbox: bool,
    explain_parse: bool,
    form: str,
    verbose: bool,
    output: Path | None,
    color: bool | None,
    packs: tuple[Path, ...],
    db: Path | None,
    tmp: Path | None,
    no_redact: bool,
) -> int:
    """Diagnose one crash from its logs, backtraces and dumps.

    Every INPUT is evidence of the same incident: a text (log, gdb or cuda-gdb session, kernel
    messages), a core dump, an archive or a folder of them, or `-` for standard input. Files may be
    packed (gzip, bzip2, xz, zstd, lz4).
    """
    from triage.pipeline import Analyzer, Options  # not for --help

    request = None
    if (
        binaries or sysroot or symbols or debugger or unsafe_no_sandbox or timeout != TIMEOUT
    ):  # logs do not need what this imports
        request = core_request(binaries, sysroot, symbols, debugger, timeout, unsafe_no_sandbox)
    analyzer = Analyzer(Options(packs=packs, db=db, tmp=tmp, core=request, redact=not no_redact))
    if explain_parse:
        if form != "text":
            raise UsageError("--explain-parse prints text alone", hint="leave --format out")
        page = analyzer.explain_parse(inputs, page_options(output, color, verbose))
        show(page, output, inputs)
        return 0
    report = analyzer.analyze(inputs)
    if binaries and not any(item.kind in _DUMPS for item in report.inputs):
        click.echo("clawtriage: no input is a core dump: --binary was not used", err=True)
    return emit(report, form=form, verbose=verbose, output=output, color=color)
