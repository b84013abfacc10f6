"""The errors that end a command, each with its exit code and a way out.

TriageError
├─ UsageError (2)      unknown format, signature or option value
├─ InputError (3)      an input cannot be read
├─ PackError (4)       a signature pack is wrong: file, key, problem
├─ GrammarError (4)    a grammar does not build
├─ DebuggerError (5)   gdb is missing, failed or timed out
│  └─ SandboxError     gdb cannot be put into a sandbox
├─ StoreError (6)      the database cannot be opened
└─ BatchError (7)      the batch could not run at all
"""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """What the exit status of a command means."""

    KNOWN = 0
    USAGE = 2
    INPUT = 3
    PACK = 4
    DEBUGGER = 5
    STORE = 6
    BATCH = 7
    UNKNOWN = 10
    NO_CRASH = 11


class TriageError(Exception):
    """Anything that clawtriage itself reports and stops for."""

    exit_code: ClassVar[ExitCode] = ExitCode.USAGE

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(TriageError):
    """The command line asks for something that does not exist."""


class InputError(TriageError):
    """An input cannot be read."""

    exit_code = ExitCode.INPUT


class PackError(TriageError):
    """A signature pack is wrong; carries every problem that was found."""

    exit_code = ExitCode.PACK

    def __init__(self, problems: list[str], *, hint: str | None = None) -> None:
        super().__init__("\n".join(problems), hint=hint)
        self.problems = problems


class GrammarError(TriageError):
    """A grammar cannot be found or does not build."""

    exit_code = ExitCode.PACK


class DebuggerError(TriageError):
    """The debugger is missing, failed or ran past its limits."""

    exit_code = ExitCode.DEBUGGER


class SandboxError(DebuggerError):
    """There is no sandbox for the debugger, so it is not started."""


class StoreError(TriageError):
    """The database cannot be opened, read or written."""

    exit_code = ExitCode.STORE


class BatchError(TriageError):
    """The batch could not run at all."""

    exit_code = ExitCode.BATCH
