"""Frames and threads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from triage.model.position import Origin, Position

HISTORY = "history"
"""The noise of a frame in a stack that explains a failure and did not fail."""


class FrameKind(StrEnum):
    """What kind of code a frame runs."""

    HOST = "host"
    GPU = "gpu"
    SIGNAL_HANDLER = "signal-handler"
    PYTHON = "python"
    KERNEL = "kernel"


class Trust(StrEnum):
    """How a frame's function was found, best first."""

    DEBUG_INFO = "debug-info"
    SYMBOL = "symbol"
    ADDRESS_ONLY = "address-only"
    TEXT = "text"


class ThreadKind(StrEnum):
    """What kind of thread a stack trace belongs to."""

    HOST = "host"
    GPU = "gpu"
    PYTHON = "python"
    GO = "go"
    JAVA = "java"


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One frame of a stack trace; index 0 is the innermost.

    `launch` is a kernel's launch geometry as printed, `noise` names the noise list that the frame
    is on and is None for a frame that can be blamed.
    """

    index: int
    function: str | None = None
    args: str | None = None
    file: str | None = None
    line: int | None = None
    column: int | None = None
    module: str | None = None
    offset: str | None = None
    address: str | None = None
    inlined: bool = False
    kind: FrameKind = FrameKind.HOST
    trust: Trust = Trust.TEXT
    noise: str | None = None
    launch: str | None = None
    at: Position | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lanes:
    """The lanes of a GPU that have one stack trace, and the coordinates of the first of them.

    `count`, `warps`, `blocks` and `sms` say how many share it, None where the input does not tell.
    `block` and `thread` are indexes as cuda-gdb prints them, `(2,0,0)`; `launched_by` is the host
    thread that launched the grid.
    """

    count: int | None = None
    warps: int | None = None
    blocks: int | None = None
    sms: int | None = None
    device: int | None = None
    sm: int | None = None
    warp: int | None = None
    lane: int | None = None
    grid: int | None = None
    block: str | None = None
    thread: str | None = None
    launched_by: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """One thread and its stack trace, innermost frame first.

    `id` is the debugger's number, `tid` the system's; `frames_omitted` counts frames that a limit
    left out. `lanes` tells which lanes of a GPU it stands for.
    """

    id: str | None = None
    tid: int | None = None
    name: str | None = None
    kind: ThreadKind = ThreadKind.HOST
    crashed: bool = False
    frames: tuple[Frame, ...] = ()
    frames_omitted: int = 0
    lanes: Lanes | None = None
    at: Position | None = None
    origin: Origin | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadGroup:
    """Threads whose stack traces are the same, by position in the report.

    `waits_for` says what they wait for where that is known; `frame` is the position of the first
    frame in them that is not plumbing.
    """

    threads: tuple[int, ...]
    waits_for: str | None = None
    frame: int | None = None


def with_crashed(threads: Iterable[Thread], crashed: int | None) -> tuple[Thread, ...]:
    """Return the threads, the one at a place marked as crashed and no other."""
    return tuple(replace(thread, crashed=n == crashed) for n, thread in enumerate(threads))


def trust_of(function: str | None, place: str | int | None = None) -> Trust:
    """Return how a frame's function must have been found; `place` is its file or its line."""
    if not function:
        return Trust.ADDRESS_ONLY
    return Trust.SYMBOL if place is None else Trust.DEBUG_INFO
