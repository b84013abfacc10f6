"""Options and output that the analysing commands share."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from triage.cli.config import db_option, pack_option
from triage.cli.paths import NamedPath
from triage.errors import ExitCode, UsageError
from triage.text.safe import safe_line

if TYPE_CHECKING:
    from triage.debugger.prepare import CoreRequest
    from triage.model.report import Report
    from triage.render import RenderOptions

F = TypeVar("F", bound=Callable[..., Any])
TIMEOUT = 180
FORMATS = ("text", "markdown", "json", "jsonl")


_PATH = NamedPath(path_type=Path)


def _with_options(command: F, options: Sequence[Callable[[F], F]]) -> F:
    """Add options in the order in which --help shall name them."""
    for option in reversed(options):
        command = option(command)
    return command


def shared_options(command: F) -> F:
    """Add the options of every command that analyses."""
    options = (
        pack_option,
        db_option("Keep the compiled signatures in this SQLite database."),
        click.option(
            "--tmp", type=click.Path(path_type=Path, file_okay=False, exists=True), metavar="DIR",
            help="Where packed core dumps are unpacked while they are read (default: $TMPDIR).",
        ),
        click.option(
            "--no-redact", is_flag=True,
            help="Leave secrets, home folders and prompts in the report.",
        ),
    )  # fmt: skip
    return _with_options(command, options)


def render_options(command: F) -> F:
    """Add the options of every command that prints one report."""
    options = (
        click.option(
            "-f", "--format", "form", type=click.Choice(FORMATS), default="text", show_default=True,
            help="How to print the report.",
        ),
        click.option("-v", "--verbose", is_flag=True, help="Show stack, environment, all steps."),
        click.option(
            "-o", "--output", type=_PATH, metavar="FILE", help="Write the report to a file."
        ),
        click.option(
            "--color/--no-color", default=None, help="Colour (default: only on a terminal)."
        ),
    )  # fmt: skip
    return _with_options(command, options)


def core_options(command: F) -> F:
    """Add the options of every command that reads core dumps."""
    folder = click.Path(path_type=Path, file_okay=False, exists=True)
    options = (
        click.option(
            "-b", "--binary", "binaries", multiple=True, type=_PATH, metavar="EXE",
            help="The program that crashed, built with -g for files and lines (of several the one "
            "whose build id the core dump states).",
        ),
        click.option(
            "--sysroot", type=folder, metavar="DIR",
            help="Where the libraries of the crashed machine are.",
        ),
        click.option(
            "--symbols", type=folder, metavar="DIR",
            help="Where programs, libraries and debug files are by build id.",
        ),
        click.option(
            "--debugger", type=_PATH, metavar="GDB",
            help="The gdb to use, such as one that knows another processor (default: gdb in PATH).",
        ),
        click.option(
            "--timeout", type=click.FloatRange(min=1), metavar="SECONDS", default=TIMEOUT,
            show_default=True, help="How long gdb may take for a core dump in all.",
        ),
        click.option(
            "--unsafe-no-sandbox", is_flag=True,
            help="Run gdb with your rights, on a core dump and a program that you trust.",
        ),
    )  # fmt: skip
    return _with_options(command, options)


def core_request(
    binaries: tuple[Path, ...],
    sysroot: Path | None,
    symbols: Path | None,
    debugger: Path | None,
    timeout: float,
    unsafe_no_sandbox: bool,
) -> CoreRequest:
    """Return what the options of `core_options` ask for.

    Raises InputError for a program that is named and is none.
    """
    from triage.debugger.limits import limits_within  # not for --help
    from triage.debugger.prepare import CoreRequest

    request = CoreRequest(
        binaries=binaries,
        sysroot=sysroot,
        symbols=symbols,
        debugger=debugger,
        sandbox=not unsafe_no_sandbox,
        limits=limits_within(timeout),
    )
    request.check()
    return request


def emit(
    report: Report, *, form: str, verbose: bool, output: Path | None, color: bool | None
) -> int:
    """Print a report and return the exit status that its verdict means."""
    from triage.render import renderers  # not for --help

    page = renderers()[form].render(report, page_options(output, color, verbose))
    show(page, output, [item.name for item in report.inputs])
    talk(report, form)
    return int(exit_code(report))


def page_options(output: Path | None, color: bool | None, verbose: bool) -> RenderOptions:
    """Return what the terminal, or the file that is written, allows."""
    from triage.render import RenderOptions  # not for --help

    wide = shutil.get_terminal_size((100, 40)).columns
    colour = _wants_colour(color) if output is None else bool(color)
    return RenderOptions(colour=colour, width=max(60, min(wide, 120)), verbose=verbose)


def _same_file(output: Path, name: str) -> bool:
    try:
        return output.samefile(name)
    except OSError:
        return False


def show(text: str, output: Path | None, inputs: Sequence[str] = ()) -> None:
    """Write a page to standard output or to a file; raises UsageError where it cannot be."""
    if output is None:
        _write(text)
        return
    if any(_same_file(output, name) for name in inputs):
        raise UsageError(f"{output} is an input", hint="write the report to another file")
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"{output}: {error.strerror}", hint="name a file in a folder that you may write to"
        ) from error


def preload(form: str) -> None:
    """Load what prints a report in this form, by printing an empty one to nowhere."""
    from triage.model.diagnosis import Verdict  # not for --help
    from triage.model.report import Report
    from triage.render import RenderOptions, renderers

    empty = Report(verdict=Verdict.UNKNOWN, inputs=())
    renderers()[form].render(empty, RenderOptions(colour=False, width=80, verbose=False))


def _write(text: str) -> None:
    """Write to standard output as UTF-8, whatever the locale: the report is a document."""
    sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace"))
    sys.stdout.buffer.flush()


def _wants_colour(color: bool | None) -> bool:
    if color is not None:
        return color
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def talk(report: Report, form: str) -> None:
    """Say on standard error what a person must not miss.

    That is every warning where the report is for a machine; on a page for people the warnings
    stand, and only an input that gave nothing is said again.
    """
    for warning in report.warnings:
        if form == "text" and not warning.code.startswith("input-"):
            continue
        click.echo(f"clawtriage: {safe_line(warning.message)}", err=True)


def exit_code(report: Report) -> ExitCode:
    """Return the exit status that a verdict means."""
    return {
        "known": ExitCode.KNOWN,
        "unknown": ExitCode.UNKNOWN,
        "no-crash": ExitCode.NO_CRASH,
    }[report.verdict.value]
