"""Tells what threads wait for, and which of them wait in the same way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from triage.knowledge import WaitList
from triage.model.stack import Frame, Thread, ThreadGroup
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
    return tuple(_group(threads[members[0]], members, waits, blame) for members in ordered)


def _group(
    first: Thread,
    members: Sequence[int],
    waits: WaitList,
    blame: Callable[[Thread], int | None],
) -> ThreadGroup:
    frame = blame(first)
    # A function that waits is passed over, whether or not it is known as plumbing.
    while frame is not None and _words(first.frames[frame], waits) is not None:
        further = blame(replace(first, frames=first.frames[frame + 1 :]))
        frame = None if further is None else frame + 1 + further
    return ThreadGroup(
        threads=tuple(members), waits_for=_waits_for(first, frame, waits), frame=frame
    )


def _stack(thread: Thread) -> tuple[object, ...]:
    return tuple((f.function or f.address, f.file, f.line) for f in thread.frames)


def _waits_for(thread: Thread, frame: int | None, waits: WaitList) -> str | None:
    """Return what the outermost function of the plumbing waits for."""
    plumbing = thread.frames[: len(thread.frames) if frame is None else frame]
    return next((words for f in reversed(plumbing) if (words := _words(f, waits))), None)


def _words(frame: Frame, waits: WaitList) -> str | None:
    """Return in words what a function waits for."""
    name = (frame.function or "").partition("(")[0]
    return next(
        (words for words, globs in waits if any(glob_match(glob, name) for glob in globs)), None
    )
