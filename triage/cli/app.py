"""The command group, with commands that are imported when they are called."""

from __future__ import annotations

import errno
import importlib
import os
import sys
import traceback
from collections.abc import Sequence

import click

from triage import __version__
from triage.errors import ExitCode, PackError, TriageError
from triage.text.safe import safe_line, safe_text

_READER_GONE = 141  # as a shell reports a program that SIGPIPE ended
_COMMANDS = {
    "analyze": "Diagnose a crash from its logs, backtraces and dumps.",
    "batch": "Diagnose every upload in a folder.",
    "core": "Diagnose a crash from a core dump.",
    "feedback": "Say whether a diagnosis was right.",
    "signature": "List, show, test, check, write, explain, export and compare signatures.",
}

_EPILOG = """\b
Examples:
  clawtriage analyze crash.log
  journalctl -u claw | clawtriage analyze -
  clawtriage core ./core --binary ./claw_inference
  clawtriage batch uploads/ --format jsonl
  clawtriage feedback report.json --right

\b
Exit status:
  0  the crash is known    10  it is not    11  there is no crash in the input
  2  wrong usage           3  unreadable input       4  broken signature pack or grammar
  5  the debugger failed   6  database problem       7  the batch could not run
"""


class _Lazy(click.Group):
    """A group whose commands are modules of this package."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"triage.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(sorted(_COMMANDS.items()))


@click.group(
    cls=_Lazy,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(
    __version__, "-V", "--version", prog_name="clawtriage", message="%(prog)s %(version)s"
)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def cli(debug: bool) -> None:
    """Turn what a crashed inference server left behind into a diagnosis and a fix."""


def run(arguments: Sequence[str]) -> int:
    """Run a command line and return the exit status."""
    try:
        result = cli.main(args=list(arguments), prog_name="clawtriage", standalone_mode=False)
        _flush()
    except SystemExit as error:
        # click leaves like this where the reader of standard output went away.
        return _READER_GONE if error.code == 1 else int(ExitCode.USAGE)
    except Exception as error:
        if "--debug" in arguments:
            traceback.print_exc()
        return _report(error)
    return int(result) if isinstance(result, int) else 0


def _report(error: Exception) -> int:
    """Say what went wrong and return the exit status for it."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return error.exit_code
    if isinstance(error, click.UsageError):
        command = error.ctx.command_path if error.ctx else "clawtriage"
        _complain(error.format_message(), f"see: {command} --help")
        return error.exit_code
    if isinstance(error, TriageError):
        _complain(str(error), error.hint, lines=isinstance(error, PackError))
        return int(error.exit_code)
    if isinstance(error, BrokenPipeError):
        _drop_output()
        return _READER_GONE
    if isinstance(error, OSError) and error.errno == errno.EBADF:
        _complain("nothing could be printed: standard output is closed", "give it a file: > FILE")
        _drop_output()
        return int(ExitCode.USAGE)
    if isinstance(error, OSError):
        what = f"{error.filename}: " if error.filename else ""
        _complain(f"{what}{error.strerror or error}", "check free space and permissions")
        _drop_output()
        return int(ExitCode.INPUT)
    _complain(
        f"internal error: {type(error).__name__}: {error}",
        "this is a bug in clawtriage: run `clawtriage --debug ...` and report what it prints",
    )
    return 1


def _drop_output() -> None:
    """Keep the interpreter from writing what is left when it ends: that failed already."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _flush() -> None:
    sys.stdout.flush()


def _complain(message: str, hint: str | None, *, lines: bool = False) -> None:
    """Say what is wrong on one line, or on one for each problem, and the way out on another."""
    click.echo(f"clawtriage: {safe_text(message) if lines else safe_line(message)}", err=True)
    if hint:
        click.echo(f"  → {safe_line(hint)}", err=True)
