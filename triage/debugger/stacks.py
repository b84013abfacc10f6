"""Reads the stacks of all threads from gdb in few, large exchanges."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from triage.debugger import inlining, libraries
from triage.debugger.limits import Arguments, GdbLimits
from triage.debugger.mi import MiSession, Reply
from triage.debugger.records import as_list, as_mapping, as_number, as_text

_TID: Final = re.compile(r"\bLWP (\d+)")
# The kind that prints simple values only prints types too, which takes gdb seconds where there
# is much debug information; objects are kept short by a print setting instead.
_ALL_VALUES: Final = 1


@dataclass(slots=True, kw_only=True)
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
    error: str | None = None


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
    """Fills in the stacks of threads; the first of them is the one that matters most."""

    def __init__(self, session: MiSession, limits: GdbLimits) -> None:
        self._session = session
        self._limits = limits
        self._values = limits.arguments is not Arguments.NONE

    def read(self, threads: Sequence[RawThread]) -> tuple[Reply, Reply]:
        """Read all stacks; returns the answers about the shared libraries."""
        detailed = threads[: self._limits.detailed_threads]
        kept = {t.id: self._kept(place, len(threads)) for place, t in enumerate(detailed)}
        commands = [libraries.LIST, libraries.DEBUG_FOLDERS]
        for thread in detailed:
            commands += self._stack_commands(thread.id, 0, kept[thread.id])
        listing, folders, *replies = self._session.send_all(commands)
        answers = iter(replies)
        for thread in detailed:
            self._take(thread, [next(answers) for _ in range(1 + self._values)])
        self._mark_inlined(detailed)
        self._read_outer([t for t in detailed if len(t.frames) > kept[t.id]], kept)
        return listing, folders

    def _kept(self, place: int, count: int) -> int:
        if place == 0 or count <= self._limits.few_threads:
            return self._limits.inner_frames
        return self._limits.many_threads_frames

    def _stack_commands(self, thread: int, first: int, last: int) -> list[str]:
        commands = [f"-stack-list-frames --thread {thread} {first} {last}"]
        if self._values:
            commands.append(f"-stack-list-arguments --thread {thread} {_ALL_VALUES} {first} {last}")
        return commands

    def _take(self, thread: RawThread, replies: Sequence[Reply]) -> None:
        frames, *arguments = replies
        thread.error = thread.error or frames.error
        thread.frames += [as_mapping(f) for f in as_list(frames.payload.get("stack"))]
        for reply in arguments:
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
        for thread in threads:
            runs = [run for run in found if run.thread == thread.id]
            thread.inlined |= inlining.inlined_levels(runs, groups)

    def _read_outer(self, threads: Sequence[RawThread], kept: Mapping[int, int]) -> None:
        """Read the outermost frames of deep stacks, where their end can be reached."""
        limit = self._limits.unwound_frames
        depths = self._session.send_all(
            [f"-stack-info-depth --thread {t.id} {limit}" for t in threads]
        )
        for thread, reply in zip(threads, depths, strict=True):
            inner = kept[thread.id]
            depth = as_number(reply.payload.get("depth")) or len(thread.frames)
            del thread.frames[inner:]
            thread.too_deep = reply.message != "done" or depth >= limit
            outer = 0 if thread.too_deep else min(self._outer(inner), depth - inner)
            thread.omitted = depth - inner - outer
            if outer:
                commands = self._stack_commands(thread.id, depth - outer, depth - 1)
                self._take(thread, self._session.send_all(commands))
        self._mark_inlined(threads)

    def _outer(self, inner: int) -> int:
        return self._limits.outer_frames if inner >= self._limits.inner_frames else 0


def _stack_pointer(thread: int, level: int) -> str:
    return f"-data-evaluate-expression --thread {thread} --frame {level} $sp"


def _tid(entry: Mapping[str, Any]) -> int | None:
    match = _TID.search(as_text(entry.get("target-id")) or "")
    return int(match[1]) if match else None
