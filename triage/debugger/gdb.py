"""Reads threads and modules of a core dump with gdb."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from triage.debugger.files import open_regular
from triage.debugger.frames import FrameReader, read_arguments
from triage.debugger.launch import GdbProcess
from triage.debugger.libraries import (
    DEBUG_FOLDERS,
    LIST,
    Libraries,
    describe_modules,
    read_libraries,
)
from triage.debugger.limits import SECOND_RUN, Arguments, GdbLimits, Outcome
from triage.debugger.linkernames import PATIENCE, SourceNames
from triage.debugger.mi import MiSession
from triage.debugger.pool import GdbPool
from triage.debugger.precheck import bare_frames, bare_modules, bare_threads, thread_name
from triage.debugger.prepare import GdbSetup, Prepared, debugger_failed, sandbox_unavailable
from triage.debugger.records import as_number, as_text
from triage.debugger.stacks import RawThread, StackReader, read_threads
from triage.elf.facts import CoreFacts
from triage.elf.memory import open_memory
from triage.errors import DebuggerError, SandboxError
from triage.model.crash import Fragment, ReportWarning, Signal
from triage.model.position import Position
from triage.model.stack import Frame, Thread, Trust

DIALECT: Final = "elf-core"
SIGNAL_RANK: Final = 0
_RETRY_FRAMES: Final = 2000
_ARGUMENTS_LOOKED_AT: Final = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """One core dump to read with gdb."""

    prepared: Prepared
    setup: GdbSetup
    input_id: int

    @property
    def facts(self) -> CoreFacts:
        """What the core dump says of itself."""
        return self.prepared.facts

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
    names: SourceNames = field(default_factory=SourceNames)
    symbols_of: frozenset[str] = frozenset()
    error: str | None = None
    unparsed: int = 0
    left_out: int = 0

    @property
    def stacks(self) -> int:
        """How many threads have a stack."""
        return sum(1 for t in self.threads if t.frames)


def read_with_gdb(prepared: Prepared, input_id: int, pool: GdbPool | None = None) -> Fragment:
    """Read all threads and modules of a core dump.

    `pool` has gdbs that may have read other core dumps; what one of those says is used only where
    nothing about it is unusual. Where gdb is not used or fails, the fragment has what the core dump
    tells by itself.
    """
    facts, setup = prepared.facts, prepared.setup
    if setup is None or (prepared.started is None and pool is None):
        return bare_fragment(facts, input_id)
    job = _Job(prepared=prepared, setup=setup, input_id=input_id)
    try:
        reading, warnings = _read_somehow(job, pool)
    except SandboxError as error:
        return bare_fragment(facts, input_id, sandbox_unavailable(error))
    except DebuggerError as error:
        return bare_fragment(facts, input_id, debugger_failed(error))
    warnings += _file_warnings(setup)
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
        snapshot=facts.snapshot,
        dumped=not facts.snapshot,
        modules=bare_modules(facts),
        warnings=warnings,
    )


def _read_somehow(job: _Job, pool: GdbPool | None) -> tuple[_Reading, list[ReportWarning]]:
    reading = _pooled(job, pool) if pool is not None and job.prepared.poolable else None
    if reading is not None:
        return reading, []
    started = job.prepared.started or job.setup.start(job.prepared.limits)
    return _attempts(job, started)


def _pooled(job: _Job, pool: GdbPool) -> _Reading | None:
    """Read with a gdb of the pool, None where that is no way for this core dump.

    Nothing of a core dump may reach the next one: whatever is out of the ordinary ends the gdb,
    and the core dump is read again with one of its own.
    """
    limits = job.prepared.limits
    with pool.lease(job.prepared.path, job.setup, limits) as lease:
        if lease is None:
            return None
        pooled = dataclasses.replace(
            job, setup=dataclasses.replace(lease.setup, verified=job.setup.verified)
        )
        reading = _read(lease.session, pooled, limits, new_program=lease.fresh)
        if not _is_clean(job, reading):
            return None
        lease.keep(reading.symbols_of)
        return reading


def _is_clean(job: _Job, reading: _Reading) -> bool:
    """Tell whether gdb read exactly what the core dump holds, and had nothing to remark."""
    return (
        reading.outcome is Outcome.OK
        and not _reading_warnings(reading)
        and {t.tid for t in reading.threads} == {t.tid for t in job.facts.threads}
        and all(t.frames for t in reading.threads)
    )


def _attempts(job: _Job, started: GdbProcess) -> tuple[_Reading, list[ReportWarning]]:
    """Run gdb, and once more for less where a limit ended it."""
    limits = job.prepared.limits
    first = _run(started, job, limits)
    if first.outcome is Outcome.OK:
        return first, _reading_warnings(first)
    if not first.threads and first.outcome is Outcome.OUTPUT_LIMIT:
        # It was flooded before it came to the stacks, and would be again.
        message = "gdb was stopped: it printed without end while it opened the core dump"
        return first, [_warn("debugger-output-limit", message), *_reading_warnings(first)]
    less = dataclasses.replace(
        limits,
        wall=limits.wall * SECOND_RUN,
        cpu=max(limits.cpu // 2, 1),
        unwound_frames=min(limits.unwound_frames, _RETRY_FRAMES),
        arguments=Arguments.NONE,
    )
    second = _run(job.setup.start(less), job, less)
    if second.outcome is Outcome.OK:
        message = f"gdb's first run ended early ({first.outcome}); the second left out arguments"
        return second, [_warn("debugger-reduced", message), *_reading_warnings(second)]
    best = max(first, second, key=lambda r: r.stacks)
    message = (
        f"gdb was stopped twice ({first.outcome}, {second.outcome}); "
        f"{best.stacks} of {len(job.facts.threads)} stacks were read"
    )
    if second.outcome is Outcome.DIED:
        # It seldom says so, but it cannot do without.
        message += f"; gdb dies where {limits.memory >> 20} MiB of memory are not enough for it"
    return best, [_warn(f"debugger-{second.outcome}", message), *_reading_warnings(best)]


def _run(process: GdbProcess, job: _Job, limits: GdbLimits) -> _Reading:
    with MiSession(process, limits) as session:
        return _read(session, job, limits, new_program=True)


def _read(session: MiSession, job: _Job, limits: GdbLimits, *, new_program: bool) -> _Reading:
    reading = _load(session, job, new_program=new_program)
    ordered = sorted(reading.threads, key=lambda t: t.tid != job.crashed_tid)
    with open_regular(job.prepared.path) as core:
        memory = open_memory(core)
        stacks = StackReader(session, limits, reading.libraries, job.facts, memory)
        stacks.read(ordered)
    reading.symbols_of = frozenset(stacks.loaded)
    reading.left_out = stacks.left_out
    reading.outcome = session.outcome
    reading.names.ask(session, _texts(reading.threads))
    reading.unparsed = len(session.unparsed)
    return reading


def _texts(threads: list[RawThread]) -> Iterator[str]:
    """Yield everything from a thread's stack that can hold a symbol."""
    for thread in threads:
        for frame in thread.frames or [thread.top]:
            yield as_text(frame.get("func")) or ""
        for entry in thread.arguments.values():
            yield read_arguments(entry, _ARGUMENTS_LOOKED_AT) or ""


def _load(session: MiSession, job: _Job, *, new_program: bool) -> _Reading:
    setup = job.setup
    commands = [f"-target-select core {setup.core}", "-thread-info", LIST, DEBUG_FOLDERS]
    if setup.binary is not None and new_program:
        commands.insert(0, f"-file-exec-and-symbols {_quoted(setup.binary)}")
    *loads, threads, listing, folders = session.send_all(commands)
    errors = [reply.error for reply in loads if reply.error]
    return _Reading(
        threads=read_threads(threads),
        current=as_number(threads.payload.get("current-thread-id")),
        libraries=read_libraries(listing, folders, job.facts, setup.verified),
        error="; ".join(errors) or None,
    )


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _file_warnings(setup: GdbSetup) -> list[ReportWarning]:
    """Say which libraries were not shown to gdb."""
    if setup.verified is None:
        return []
    warnings = []
    if setup.verified.left_out:
        message = f"{setup.verified.left_out} libraries were left out: there are too many"
        warnings.append(_warn("libraries-too-many", message))
    if setup.verified.different:
        warnings.append(_mismatch(setup.verified.different))
    if setup.verified.unverified:
        names = setup.verified.unverified
        message = (
            f"the core dump lacks the build ids of {len(names)} libraries "
            f"({', '.join(names[:5])}); without one no file of this machine is taken for them: "
            "give the crashed machine's files with --sysroot DIR"
        )
        warnings.append(_warn("library-unverified", message))
    return warnings


def _mismatch(names: Sequence[str]) -> ReportWarning:
    message = (
        f"{len(names)} libraries here are not the ones that the process ran "
        f"({', '.join(names[:5])}); their symbols were not used "
        "and stacks end at their frames: give the other machine's files with --sysroot DIR"
    )
    return _warn("library-mismatch", message)


def _reading_warnings(reading: _Reading) -> list[ReportWarning]:
    warnings = []
    if reading.error is not None:
        warnings.append(_warn("debugger-error", f"gdb: {reading.error}"))
    if reading.unparsed:
        message = f"{reading.unparsed} answers of gdb could not be read"
        warnings.append(_warn("debugger-answer-unreadable", message))
    wrong = [lib.name for lib in reading.libraries if not lib.matches]
    if wrong:
        warnings.append(_mismatch(wrong))
    if not reading.names.complete:
        message = (
            f"gdb's demangler did not finish in {PATIENCE:.0f} s: "
            "names of functions lack their template arguments and parameters"
        )
        warnings.append(_warn("names-shortened", message))
    if reading.left_out:
        message = f"of {len(reading.threads)} threads {reading.left_out} have their top frame alone"
        warnings.append(_warn("threads-too-many", message))
    if any(t.too_deep for t in reading.threads):
        message = "a stack goes on beyond the frames that were read; their number is a minimum"
        warnings.append(_warn("stack-too-deep", message))
    return warnings


def _fragment(job: _Job, reading: _Reading, warnings: list[ReportWarning]) -> Fragment:
    reader = FrameReader(
        job.facts,
        reading.libraries,
        reading.names,
        program_known=job.setup.binary is not None,
        input_id=job.input_id,
    )
    threads = tuple(_thread(job, reading, raw, reader) for raw in reading.threads)
    return Fragment(
        dialect=DIALECT,
        threads=threads,
        signal=_signal(job.facts, job.input_id),
        signal_rank=SIGNAL_RANK,
        snapshot=job.facts.snapshot,
        dumped=not job.facts.snapshot,
        modules=describe_modules(
            job.facts, reading.libraries, job.prepared.program, _with_lines(threads)
        ),
        warnings=tuple(warnings),
    )


def _thread(job: _Job, reading: _Reading, raw: RawThread, reader: FrameReader) -> Thread:
    frames = [
        reader.read(
            frame,
            args=read_arguments(
                raw.arguments.get(level, {}), job.prepared.limits.argument_text, reading.names
            ),
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
        crashed=crashed and not job.facts.snapshot,
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
