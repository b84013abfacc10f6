"""Reads the stacks of all threads from gdb in few, large exchanges."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from triage.debugger import inlining, recursion
from triage.debugger.libraries import LOAD_ALL, Libraries, Library
from triage.debugger.limits import Arguments, GdbLimits
from triage.debugger.mi import MiSession, Reply
from triage.debugger.records import as_list, as_mapping, as_number, as_text
from triage.elf.facts import CoreFacts
from triage.elf.memory import Memory

_TID: Final = re.compile(r"\bLWP (\d+)")
# The kind that prints simple values only prints types too, which takes gdb seconds where there
# is much debug information; objects are kept short by a print setting instead.
_ALL_VALUES: Final = 1
_ROUNDS: Final = 12
_TRIED_DEPTH: Final = 2_000


@dataclass(slots=True, kw_only=True, eq=False)
class RawThread:
    """A thread as gdb gave it; `top` is its innermost frame from the list of threads.

    `arguments` are by level; `too_deep` says that the stack goes on beyond what was unwound.
    """

    id: int
    tid: int | None
    top: Mapping[str, Any]
    frames: list[Mapping[str, Any]] = field(default_factory=list)
    arguments: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    inlined: frozenset[int] = frozenset()
    omitted: int = 0
    too_deep: bool = False

    def take_frames(self, reply: Reply) -> None:
        """Replace the frames by those of an answer, unless it has none."""
        self.frames = self.frames_of(reply) or self.frames

    def shift(self, inner: int, count: int) -> None:
        """Count the frames beyond the innermost ones from where they really are."""
        if not count:
            return
        self.omitted += count
        self.frames[inner:] = [
            {**f, "level": str((as_number(f.get("level")) or 0) + count)}
            for f in self.frames[inner:]
        ]
        self.arguments = {n if n < inner else n + count: a for n, a in self.arguments.items()}
        self.inlined = frozenset(n if n < inner else n + count for n in self.inlined)

    @staticmethod
    def frames_of(reply: Reply) -> list[Mapping[str, Any]]:
        """Return the frames of an answer."""
        return [as_mapping(f) for f in as_list(reply.payload.get("stack"))]


def read_threads(listing: Reply) -> list[RawThread]:
    """Read the answer to `-thread-info`, in the order of gdb's numbers."""
    entries = [as_mapping(e) for e in as_list(listing.payload.get("threads"))]
    threads = [
        RawThread(id=number, tid=_tid(entry), top=as_mapping(entry.get("frame")))
        for entry in entries
        if (number := as_number(entry.get("id"))) is not None
    ]
    return sorted(threads, key=lambda t: t.id)


class StackReader:
    """Fills in the stacks of threads; the first of them is the one that matters most.

    Reading symbols takes gdb most of its time, and a process maps many libraries that are in no
    stack. So gdb reads none by itself: the libraries of the saved program counters come first, and
    then, round by round, the next one in which a stack could not be unwound further.
    """

    def __init__(
        self,
        session: MiSession,
        limits: GdbLimits,
        libraries: Libraries,
        facts: CoreFacts,
        memory: Memory,
    ) -> None:
        self._session = session
        self._limits = limits
        self._values = limits.arguments is not Arguments.NONE
        self._libraries = libraries
        self._facts = facts
        self._memory = memory
        self.loaded: set[str] = set()
        self.left_out = 0

    def read(self, threads: Sequence[RawThread]) -> None:
        """Read all stacks."""
        detailed = threads[: self._limits.detailed_threads]
        self.left_out = len(threads) - len(detailed)
        kept = {t.id: self._kept(place, len(threads)) for place, t in enumerate(detailed)}
        self._read_frames(detailed, kept)
        self._read_arguments({t: (0, kept[t.id]) for t in detailed})
        self._mark_inlined(detailed)
        deep = [t for t in detailed if len(t.frames) > kept[t.id]]
        if deep:
            self._read_outer(deep, kept)

    def _read_frames(self, threads: Sequence[RawThread], kept: Mapping[int, int]) -> None:
        addresses = [t.pc for t in self._facts.threads if t.pc is not None]
        loads = self._load_commands(map(self._unread, addresses))
        pending = list(threads)
        for rounds_left in reversed(range(_ROUNDS)):
            lists = [f"-stack-list-frames --thread {t.id} 0 {kept[t.id]}" for t in pending]
            replies = self._session.send_all([*loads, *lists])[len(loads) :]
            for thread, reply in zip(pending, replies, strict=True):
                thread.take_frames(reply)
            stops = {t.id: self._stop(t) for t in pending}
            pending = [t for t in pending if stops[t.id] is not None]
            if not pending:
                return
            loads = self._load_commands(stops.values()) if rounds_left > 1 else [LOAD_ALL]

    def _stop(self, thread: RawThread) -> Library | None:
        """Return the library that a stack must be unwound through and that was not read yet."""
        for frame in thread.frames:
            library = self._unread(as_number(frame.get("addr")))
            if library is not None:
                return library if library.matches else None
        return None

    def _unread(self, address: int | None) -> Library | None:
        library = None if address is None else self._libraries.at(address)
        return None if library is None or library.path in self.loaded else library

    def _load_commands(self, wanted: Iterable[Library | None]) -> list[str]:
        found = {lib.path: lib for lib in wanted if lib is not None and lib.matches}
        self.loaded |= set(found)
        return [lib.load_command for lib in found.values()]

    def _kept(self, place: int, count: int) -> int:
        if place == 0 or count <= self._limits.few_threads:
            return self._limits.inner_frames
        return self._limits.many_threads_frames

    def _read_arguments(self, ranges: Mapping[RawThread, tuple[int, int]]) -> None:
        if not self._values:
            return
        commands = [
            f"-stack-list-arguments --thread {thread.id} {_ALL_VALUES} {first} {last}"
            for thread, (first, last) in ranges.items()
        ]
        for thread, reply in zip(ranges, self._session.send_all(commands), strict=True):
            for entry in map(as_mapping, as_list(reply.payload.get("stack-args"))):
                level = as_number(entry.get("level"))
                if level is not None:
                    thread.arguments[level] = entry

    def _mark_inlined(self, threads: Sequence[RawThread]) -> None:
        found = [run for t in threads for run in inlining.find_runs(t.id, t.frames)]
        measured = inlining.to_measure(found)
        replies = iter(
            self._session.send_all(
                [_stack_pointer(run.thread, level) for run in measured for level in run.measured]
            )
        )
        groups = {}
        for run in measured:
            values = [as_text(next(replies).payload.get("value")) for _ in run.measured]
            groups[run.address] = inlining.group_size(values)
        by_thread: dict[int, list[inlining.Run]] = {}
        for run in found:
            by_thread.setdefault(run.thread, []).append(run)
        for thread in threads:
            thread.inlined |= inlining.inlined_levels(by_thread.get(thread.id, ()), groups)

    def _read_outer(self, threads: Sequence[RawThread], kept: Mapping[int, int]) -> None:
        """Read the outermost frames of deep stacks, where their end can be reached."""
        self._session.send(LOAD_ALL)
        for thread in threads:
            del thread.frames[kept[thread.id] :]
        first = threads[0]
        skipped = 0
        # Unwinding a frame costs 10 KiB: a deep recursion is left out before it is unwound.
        if self._outer(kept[first.id]) and self._depths([first], _TRIED_DEPTH)[first.id] is None:
            skipped = self._jump(first, kept[first.id])
        depths = self._depths(threads, self._limits.unwound_frames)
        self._read_ends(threads, kept, depths)
        if not first.too_deep:
            first.shift(kept[first.id], skipped)

    def _depths(self, threads: Sequence[RawThread], limit: int) -> dict[int, int | None]:
        """Return how many frames there are, None for those that reach a limit."""
        commands = [f"-stack-info-depth --thread {t.id} {limit}" for t in threads]
        replies = self._session.send_all(commands)
        depths: dict[int, int | None] = {}
        for thread, reply in zip(threads, replies, strict=True):
            depth = as_number(reply.payload.get("depth")) if reply.message == "done" else None
            depths[thread.id] = None if depth is None or depth >= limit else depth
        return depths

    def _jump(self, thread: RawThread, start: int) -> int:
        """Let gdb leave out most of a recursion; return how many frames those are."""
        names = recursion.registers_of(self._facts.arch)
        if names is None:
            return 0
        reply = self._session.send(
            f"-stack-list-frames --thread {thread.id} {start} {start + recursion.WINDOW - 1}"
        )
        pcs = [as_number(f.get("addr")) for f in thread.frames_of(reply)]
        commands = [
            f"-data-evaluate-expression --thread {thread.id} --frame {start + n} ${name}"
            for n in range(len(pcs))
            for name in names[1:]
        ]
        values = [_register(r.payload.get("value")) for r in self._session.send_all(commands)]
        levels = [
            recursion.Level(pc, sp, fp)
            for pc, sp, fp in zip(pcs, values[::2], values[1::2], strict=True)
            if pc is not None and sp is not None and fp is not None
        ]
        if len(levels) < recursion.WINDOW:
            return 0
        jump = recursion.find_jump(levels, self._memory, self._limits.outer_frames)
        if jump is None:
            return 0
        done = self._session.send(recursion.jump_command(jump, names)).message == "done"
        return jump.skipped if done else 0

    def _read_ends(
        self,
        threads: Sequence[RawThread],
        kept: Mapping[int, int],
        depths: Mapping[int, int | None],
    ) -> None:
        ranges = {}
        for thread in threads:
            inner = kept[thread.id]
            depth = depths[thread.id]
            thread.too_deep = depth is None
            depth = self._limits.unwound_frames if depth is None else depth
            outer = 0 if thread.too_deep else max(min(self._outer(inner), depth - inner), 0)
            thread.omitted = max(depth - inner - outer, 0)
            if outer:
                ranges[thread] = (depth - outer, depth - 1)
        lists = [f"-stack-list-frames --thread {t.id} {a} {b}" for t, (a, b) in ranges.items()]
        for thread, reply in zip(ranges, self._session.send_all(lists), strict=True):
            thread.frames += thread.frames_of(reply)
        self._read_arguments(ranges)
        self._mark_inlined(threads)

    def _outer(self, inner: int) -> int:
        return self._limits.outer_frames if inner >= self._limits.inner_frames else 0


def _stack_pointer(thread: int, level: int) -> str:
    return f"-data-evaluate-expression --thread {thread} --frame {level} $sp"


def _register(value: object) -> int | None:
    """Return a register's value, which gdb may show as `(void *) 0x7ffc8`."""
    return as_number((as_text(value) or "").rpartition(" ")[2])


def _tid(entry: Mapping[str, Any]) -> int | None:
    match = _TID.search(as_text(entry.get("target-id")) or "")
    return int(match[1]) if match else None
