"""Reads the stacks of all threads from gdb in few, large exchanges."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from triage.debugger import inlining
from triage.debugger.libraries import LOAD_ALL, Libraries, Library
from triage.debugger.limits import Arguments, GdbLimits
from triage.debugger.mi import MiSession, Reply
from triage.debugger.records import as_list, as_mapping, as_number, as_text
from triage.elf.facts import CoreFacts

_TID: Final = re.compile(r"\bLWP (\d+)")
# The kind that prints simple values only prints types too, which takes gdb seconds where there
# is much debug information; objects are kept short by a print setting instead.
_ALL_VALUES: Final = 1
_ROUNDS: Final = 12


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
        self, session: MiSession, limits: GdbLimits, libraries: Libraries, facts: CoreFacts
    ) -> None:
        self._session = session
        self._limits = limits
        self._values = limits.arguments is not Arguments.NONE
        self._libraries = libraries
        self._facts = facts
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
        limit = self._limits.unwound_frames
        depths = self._session.send_all(
            [LOAD_ALL, *(f"-stack-info-depth --thread {t.id} {limit}" for t in threads)]
        )[1:]
        ranges = {}
        for thread, reply in zip(threads, depths, strict=True):
            inner = kept[thread.id]
            depth = as_number(reply.payload.get("depth")) or len(thread.frames)
            del thread.frames[inner:]
            thread.too_deep = reply.message != "done" or depth >= limit
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


def _tid(entry: Mapping[str, Any]) -> int | None:
    match = _TID.search(as_text(entry.get("target-id")) or "")
    return int(match[1]) if match else None
