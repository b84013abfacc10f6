"""`clawtriage core`."""

from __future__ import annotations

from pathlib import Path

import click

from triage.cli.output import emit, preload, render_options, shared_options

_EPILOG = """\b
Examples:
  clawtriage core ./core --binary ./claw_inference
  clawtriage core core.1234 --binary ./claw_inference --log engine.log
  clawtriage core core.1234                    no program at hand: what the core alone tells
"""


@click.command("core", epilog=_EPILOG)
@click.argument("core", metavar="CORE", type=click.Path(path_type=Path))
@click.option(
    "-b", "--binary", type=click.Path(path_type=Path), metavar="EXE",
    help="The program that crashed, built with -g for files and lines.",
)  # fmt: skip
@click.option(
    "--sysroot", type=click.Path(path_type=Path, file_okay=False, exists=True), metavar="DIR",
    help="Where the libraries of the crashed machine are.",
)  # fmt: skip
@click.option(
    "--symbols", type=click.Path(path_type=Path, file_okay=False, exists=True), metavar="DIR",
    help="Where programs, libraries and debug files are by build id.",
)  # fmt: skip
@click.option(
    "--timeout", type=click.FloatRange(min=1), metavar="SECONDS", default=180, show_default=True,
    help="How long gdb may take in all.",
)  # fmt: skip
@click.option(
    "--unsafe-no-sandbox", is_flag=True,
    help="Run gdb with your rights, on a core dump and a program that you trust.",
)  # fmt: skip
@click.option(
    "--log", "logs", multiple=True, metavar="FILE",
    help="A log of the same crash (repeatable; `-` is standard input).",
)  # fmt: skip
@render_options
@shared_options
def command(
    core: Path,
    binary: Path | None,
    sysroot: Path | None,
    symbols: Path | None,
    timeout: float,
    unsafe_no_sandbox: bool,
    logs: tuple[str, ...],
    form: str,
    verbose: bool,
    output: Path | None,
    color: bool | None,
    packs: tuple[Path, ...],
    db: Path | None,
    no_redact: bool,
) -> int:
    """Diagnose a crash from its CORE dump.

    gdb reads the stacks in a sandbox; the core itself tells the signal, the command line and the
    variables. No file is opened but those that you name, and this machine's libraries that have the
    build ids of the core's where you give --binary.
    """
    from triage.debugger.early import EarlyRead  # not for --help
    from triage.debugger.limits import limits_within
    from triage.debugger.prepare import CoreRequest
    from triage.intake.core import require_core

    require_core(core)
    request = CoreRequest(
        binary=binary, sysroot=sysroot, symbols=symbols, sandbox=not unsafe_no_sandbox,
        limits=limits_within(timeout),
    )  # fmt: skip
    # gdb takes longest: it reads the core while the rest is imported, and what prints the report
    # is imported while it still reads.
    with EarlyRead(core, request) as early:
        from triage.pipeline import Analyzer, Options

        options = Options(packs=packs, db=db, core=request, early=early, redact=not no_redact)
        analyzer = Analyzer(options)
        preload(form)
        report = analyzer.analyze([str(core), *logs])
    return emit(report, form=form, verbose=verbose, output=output, color=color)
