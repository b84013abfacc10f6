"""Reads threads and modules of a core dump with gdb."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from triage.debugger.commandline import GdbOptions, find_gdb
from triage.debugger.frames import FrameReader, read_arguments
from triage.debugger.libraries import Libraries, describe_modules, read_libraries
from triage.debugger.limits import Arguments, GdbLimits, Outcome
from triage.debugger.mi import MiSession
from triage.debugger.precheck import bare_frames, bare_modules, bare_threads, thread_name
from triage.debugger.stacks import RawThread, StackReader, read_threads
from triage.elf.facts import CoreFacts
from triage.errors import DebuggerError, InputError
from triage.model.crash import Fragment, Module, ReportWarning, Symbols
from triage.model.position import Position
from triage.model.stack import Frame, Thread, Trust

DIALECT: Final = "elf-core"
SIGNAL_RANK: Final = 0
_RETRY_FRAMES: Final = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Symbolication:
    """Which files gdb may take symbols from besides the program itself.

    `program` says what the symbols of the program's own file are worth, None without that file.
    """

    sysroot: Path | None = None
    debug_directory: Path | None = None
    program: Symbols | None = None


@dataclass(slots=True, kw_only=True)
class _Reading:
    """What one run of gdb gave."""

    outcome: Outcome = Outcome.OK
    threads: list[RawThread] = field(default_factory=list)
    libraries: Libraries = field(default_factory=lambda: Libraries(()))
    error: str | None = None
    unparsed: int = 0

    @property
    def stacks(self) -> int:
        return sum(1 for t in self.threads if t.frames)


def read_with_gdb(
    core: Path,
    binary: Path | None,
    *,
    facts: CoreFacts,
    input_id: int,
    limits: GdbLimits,
    symbolication: Symbolication | None = None,
) -> Fragment:
    """Read all threads and modules of a core dump.

    Where gdb is missing or fails, the fragment has what the facts tell and a warning.
    """
    symbolication = symbolication or Symbolication()
    gdb = find_gdb()
    if gdb is None:
        message = "gdb is not installed, so there are no function names: apt-get install gdb"
        return bare_fragment(facts, input_id, _warn("debugger-missing", message))
    try:
        reading, warnings = _attempts(gdb, core, binary, facts, limits, symbolication)
    except DebuggerError as error:
        hint = f" ({error.hint})" if error.hint else ""
        return bare_fragment(facts, input_id, _warn("debugger-failed", f"{error}{hint}"))
    if not reading.threads:
        return bare_fragment(facts, input_id, *warnings)
    return _fragment(reading, facts, input_id, limits, binary is not None, symbolication, warnings)


def bare_fragment(facts: CoreFacts, input_id: int, *warnings: ReportWarning) -> Fragment:
    """Return what the core dump tells without a debugger."""
    return Fragment(
        dialect=DIALECT,
        threads=bare_threads(facts, input_id),
        signal=_signal(facts, input_id),
        signal_rank=SIGNAL_RANK,
        modules=bare_modules(facts),
        warnings=warnings,
    )
