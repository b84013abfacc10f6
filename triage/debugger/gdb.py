"""Reads threads and modules of a core dump with gdb."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from triage.debugger.frames import FrameReader, read_arguments
from triage.debugger.launch import GdbOptions, GdbProcess, find_gdb, path_text
from triage.debugger.libraries import (
    DEBUG_FOLDERS,
    LIST,
    Libraries,
    describe_modules,
    read_libraries,
)
from triage.debugger.limits import Arguments, GdbLimits, Outcome
from triage.debugger.mi import MiSession
from triage.debugger.pool import GdbPool, ProgramKey
from triage.debugger.precheck import bare_frames, bare_modules, bare_threads, thread_name
from triage.debugger.records import as_number
from triage.debugger.stacks import RawThread, StackReader, read_threads
from triage.elf.facts import CoreFacts
from triage.errors import DebuggerError
from triage.model.crash import Fragment, ReportWarning, Signal, Symbols
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """One core dump to read."""

    core: Path
    binary: Path | None
    facts: CoreFacts
    input_id: int
    limits: GdbLimits
    symbolication: Symbolication

    @property
    def crashed_tid(self) -> int | None:
        """The thread that took the signal."""
        return self.facts.threads[0].tid if self.facts.threads else None


@dataclass(slots=True, kw_only=True)
class _Reading:
    """What one run of gdb gave."""

    outcome: Outcome = Outcome.OK
    threads: list[RawThread] = field(default_factory=list)
    current: int | None = None
    libraries: Libraries = field(default_factory=lambda: Libraries(()))
    symbols_of: frozenset[str] = frozenset()
    error: str | None = None
    unparsed: int = 0

    @property
    def stacks(self) -> int:
        """How many threads have a stack."""
        return sum(1 for t in self.threads if t.frames)


def read_with_gdb(
    core: Path,
    binary: Path | None,
    *,
    facts: CoreFacts,
    input_id: int,
    limits: GdbLimits,
    symbolication: Symbolication | None = None,
    started: GdbProcess | GdbPool | None = None,
) -> Fragment:
    """Read all threads and modules of a core dump.

    `started` is a gdb that waits for its first command; it is used if its options fit, and ended.
    Or it is a pool of gdbs that may have read other core dumps; what one of those says is used only
    where nothing about it is unusual.
    Where gdb is missing or fails, the fragment has what the facts tell and a warning.
    """
    job = _Job(
        core=core,
        binary=binary,
        facts=facts,
        input_id=input_id,
        limits=limits,
        symbolication=symbolication or Symbolication(),
    )
    gdb = find_gdb()
    if gdb is None:
        message = "gdb is not installed, so functions have no names: apt-get install gdb"
        return bare_fragment(facts, input_id, _warn("debugger-missing", message))
    try:
        reading, warnings = _gdb_reading(gdb, job, started)
    except DebuggerError as error:
        hint = f" ({error.hint})" if error.hint else ""
        return bare_fragment(facts, input_id, _warn("debugger-failed", f"{error}{hint}"))
    if not reading.threads:
        return bare_fragment(facts, input_id, *warnings)
    return _fragment(job, reading, warnings)


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


def _gdb_reading(
    gdb: str, job: _Job, started: GdbProcess | GdbPool | None
) -> tuple[_Reading, list[ReportWarning]]:
    if not isinstance(started, GdbPool):
        return _attempts(gdb, job, started)
    reading = _pooled(gdb, job, started)
    return _attempts(gdb, job, None) if reading is None else (reading, [])


def _pooled(gdb: str, job: _Job, pool: GdbPool) -> _Reading | None:
    """Read with a gdb of the pool, None where that is no way for this core dump.

    Nothing of a core dump may reach the next one: whatever is out of the ordinary ends the gdb,
    and the core dump is read again with one of its own.
    """
    build_id = job.facts.executable_build_id
    if job.binary is None or build_id is None:
        return None
    options = _options(job, job.limits, demangle=True)
    key = ProgramKey.of(options, job.binary, build_id)
    lease = pool.take(key, lambda: GdbProcess(gdb, options), job.limits)
    try:
        reading = _read(lease.session, job, job.limits, new_program=lease.fresh)
        clean = _is_clean(job, reading)
        if clean:
            lease.keep(reading.symbols_of)
    finally:
        pool.give_back(key, lease)
    return reading if clean else None


def _is_clean(job: _Job, reading: _Reading) -> bool:
    """Tell whether gdb read exactly what the core dump holds, and had nothing to remark."""
    return (
        reading.outcome is Outcome.OK
        and not _reading_warnings(reading)
        and {t.tid for t in reading.threads} == {t.tid for t in job.facts.threads}
        and all(t.frames for t in reading.threads)
    )


def _attempts(
    gdb: str, job: _Job, started: GdbProcess | None
) -> tuple[_Reading, list[ReportWarning]]:
    """Run gdb, and once more for less where a limit ended it."""
    limits = job.limits
    options = _options(job, limits, demangle=True)
    if started is None or started.options != options:
        started = GdbProcess(gdb, options)
    first = _run(started, job, limits)
    if first.outcome is Outcome.OK:
        return first, _reading_warnings(first)
    less = dataclasses.replace(
        limits,
        wall=limits.wall / 2,
        cpu=max(limits.cpu // 2, 1),
        unwound_frames=min(limits.unwound_frames, _RETRY_FRAMES),
        arguments=Arguments.NONE,
    )
    second = _run(GdbProcess(gdb, _options(job, less, demangle=False)), job, less)
    if second.outcome is Outcome.OK:
        message = (
            f"gdb's first run ended early ({first.outcome}); "
            "the second left out arguments and left names as the linker has them"
        )
        return second, [_warn("debugger-reduced", message), *_reading_warnings(second)]
    best = max(first, second, key=lambda r: r.stacks)
    message = (
        f"gdb was stopped twice ({first.outcome}, {second.outcome}); "
        f"{best.stacks} of {len(job.facts.threads)} stacks were read"
    )
    return best, [_warn(f"debugger-{second.outcome}", message), *_reading_warnings(best)]


def _options(job: _Job, limits: GdbLimits, *, demangle: bool) -> GdbOptions:
    return GdbOptions(
        sysroot=path_text(job.symbolication.sysroot),
        debug_directory=path_text(job.symbolication.debug_directory),
        demangle=demangle,
        unwound_frames=limits.unwound_frames,
        cpu=limits.cpu,
        memory=limits.memory,
    )


def _run(process: GdbProcess, job: _Job, limits: GdbLimits) -> _Reading:
    with MiSession(process, limits) as session:
        return _read(session, job, limits, new_program=True)


def _read(session: MiSession, job: _Job, limits: GdbLimits, *, new_program: bool) -> _Reading:
    reading = _load(session, job, new_program=new_program)
    ordered = sorted(reading.threads, key=lambda t: t.tid != job.crashed_tid)
    reader = StackReader(session, limits, reading.libraries, job.facts)
    reader.read(ordered)
    reading.symbols_of = frozenset(reader.loaded)
    reading.outcome = session.outcome
    reading.unparsed = len(session.unparsed)
    return reading


def _load(session: MiSession, job: _Job, *, new_program: bool) -> _Reading:
    commands = [f"-target-select core {path_text(job.core)}", "-thread-info", LIST, DEBUG_FOLDERS]
    if job.binary is not None and new_program:
        commands.insert(0, f"-file-exec-and-symbols {_quoted(job.binary)}")
    *loads, threads, listing, folders = session.send_all(commands)
    errors = [reply.error for reply in loads if reply.error]
    return _Reading(
        threads=read_threads(threads),
        current=as_number(threads.payload.get("current-thread-id")),
        libraries=read_libraries(listing, folders, job.facts),
        error="; ".join(errors) or None,
    )


def _quoted(path: Path) -> str:
    text = path_text(path) or ""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _reading_warnings(reading: _Reading) -> list[ReportWarning]:
    warnings = []
    if reading.error is not None:
        warnings.append(_warn("debugger-error", f"gdb: {reading.error}"))
    if reading.unparsed:
        message = f"{reading.unparsed} answers of gdb could not be read"
        warnings.append(_warn("debugger-answer-unreadable", message))
    wrong = [lib.name for lib in reading.libraries if not lib.matches]
    if wrong:
        message = (
            f"{len(wrong)} libraries here are not the ones that the process ran "
            f"({', '.join(wrong[:5])}); their symbols were not used "
            "and stacks end at their frames: give the other machine's files with --sysroot DIR"
        )
        warnings.append(_warn("library-mismatch", message))
    if any(t.too_deep for t in reading.threads):
        message = "a stack goes on beyond the frames that were read; their number is a minimum"
        warnings.append(_warn("stack-too-deep", message))
    return warnings


def _fragment(job: _Job, reading: _Reading, warnings: list[ReportWarning]) -> Fragment:
    reader = FrameReader(
        job.facts,
        reading.libraries,
        program_known=job.binary is not None,
        input_id=job.input_id,
    )
    threads = tuple(_thread(job, reading, raw, reader) for raw in reading.threads)
    return Fragment(
        dialect=DIALECT,
        threads=threads,
        signal=_signal(job.facts, job.input_id),
        signal_rank=SIGNAL_RANK,
        modules=describe_modules(
            job.facts, reading.libraries, job.symbolication.program, _with_lines(threads)
        ),
        warnings=tuple(warnings),
    )


def _thread(job: _Job, reading: _Reading, raw: RawThread, reader: FrameReader) -> Thread:
    frames = [
        reader.read(
            frame,
            args=read_arguments(raw.arguments.get(level, {}), job.limits.argument_text),
            inlined=level in raw.inlined,
        )
        for frame in raw.frames or ([raw.top] if raw.top else [])
        if (level := as_number(frame.get("level"))) is not None
    ]
    sound = reader.reliable(frames)
    crashed = raw.id == reading.current if job.crashed_tid is None else raw.tid == job.crashed_tid
    return Thread(
        id=str(raw.id),
        tid=raw.tid,
        name=thread_name(job.facts, raw.tid),
        crashed=crashed,
        frames=tuple(frames[:sound]) or _saved_frame(job, raw.tid),
        frames_omitted=raw.omitted if sound == len(frames) else 0,
        at=Position(input=job.input_id),
    )


def _saved_frame(job: _Job, tid: int | None) -> tuple[Frame, ...]:
    thread = next((t for t in job.facts.threads if t.tid == tid), None)
    return bare_frames(job.facts, thread, job.input_id) if thread else ()


def _with_lines(threads: tuple[Thread, ...]) -> frozenset[str | None]:
    frames = (f for t in threads for f in t.frames)
    return frozenset(f.module for f in frames if f.trust is Trust.DEBUG_INFO)


def _signal(facts: CoreFacts, input_id: int) -> Signal | None:
    if facts.signal is None:
        return None
    return dataclasses.replace(facts.signal, at=Position(input=input_id))


def _warn(code: str, message: str) -> ReportWarning:
    return ReportWarning(code=code, message=message)
