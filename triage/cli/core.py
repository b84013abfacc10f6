"""`clawtriage core`."""

from __future__ import annotations

import contextlib
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
    "--log", "logs", multiple=True, metavar="FILE",
    help="A log of the same crash (repeatable; `-` is standard input).",
)  # fmt: skip
@render_options
@shared_options
def command(
    core: Path,
    binary: Path | None,
    sysroot: Path | None,
    logs: tuple[str, ...],
    form: str,
    verbose: bool,
    output: Path | None,
    color: bool | None,
    packs: tuple[Path, ...],
    db: Path | None,
    tmp: Path | None,
    no_redact: bool,
) -> int:
    """Diagnose a crash from its CORE dump.

    gdb reads the stacks; the core itself tells the signal, the command line and the variables. No
    file is opened but those that you name, and the system libraries where you give --binary.
    """
    from triage.debugger.launch import launch  # not for --help

    # gdb takes longest: it starts first, reads the core while the rest is imported, and what
    # prints the report is imported while it still reads.
    wanted = binary is not None or sysroot is not None
    with contextlib.ExitStack() as stack:
        gdb = launch(sysroot) if wanted else None
        if gdb is not None:
            stack.enter_context(gdb)
        from triage.intake.core import load_core
        from triage.intake.spool import Spool

        opened = load_core(core, stack.enter_context(Spool(tmp)))
        from triage.debugger.early import EarlyRead

        path = opened.path or core
        early = EarlyRead(path, name=str(core), binary=binary, sysroot=sysroot, gdb=gdb)
        stack.enter_context(early)
        from triage.pipeline import Analyzer, Options

        options = Options(
            packs=packs, db=db, binary=binary, sysroot=sysroot, opened=opened, early=early,
            tmp=tmp, redact=not no_redact,
        )  # fmt: skip
        analyzer = Analyzer(options)
        preload(form)
        report = analyzer.analyze([str(core), *logs])
    return emit(report, form=form, verbose=verbose, output=output, color=color)
