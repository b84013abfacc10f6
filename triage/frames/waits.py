"""Tells what threads wait for, and which of them wait in the same way."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from triage.knowledge import WaitList
from triage.model.stack import Thread, ThreadGroup
from triage.text.glob import glob_match


def group_threads(
    threads: Sequence[Thread], waits: WaitList, blame: Callable[[Thread], int | None]
) -> tuple[ThreadGroup, ...]:
    """Return the threads with one and the same stack together, the largest group first.

    `blame` returns the frame of a thread that is not plumbing.
    """
    groups: dict[tuple[object, ...], list[int]] = {}
    for n, thread in enumerate(threads):
        if thread.frames:
            groups.setdefault(_stack(thread), []).append(n)
    ordered = sorted(groups.values(), key=lambda members: (-len(members), members))
    return tuple(
        ThreadGroup(threads=tuple(members), waits_for=_waits_for(first, frame, waits), frame=frame)
        for members in ordered
        for first in [threads[members[0]]]
        for frame in [blame(first)]
    )


def _stack(thread: Thread) -> tuple[object, ...]:
    return tuple((f.function or f.address, f.file, f.line) for f in thread.frames)


def _waits_for(thread: Thread, frame: int | None, waits: WaitList) -> str | None:
    """Return what the outermost function of the plumbing waits for."""
    plumbing = thread.frames[: len(thread.frames) if frame is None else frame]
    for place in reversed(plumbing):
        name = (place.function or "").partition("(")[0]
        for words, globs in waits:
            if any(glob_match(glob, name) for glob in globs):
                return words
    return None
