"""The signal of a stack that is too deep to have ended in any other way.

A text can hold no more than the end of a stack trace. Where that end says that tens of thousands of
calls were open, the stack was full, which Linux and macOS answer with SIGSEGV.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from triage.elf.signals import NUMBERS
from triage.frames.names import plain_name
from triage.model.crash import ErrorRecord, ReportWarning, Signal
from triage.model.stack import Frame, Thread, ThreadKind
from triage.text.late import late

DEEP: Final = 20_000
"""Frames from which on no program is still at work: 8 MiB hold about 400 bytes for each."""

_WINDOWS = late(r"[A-Za-z]:[\\/]|[^\n]{1,400}\.(?:exe|dll)$")
_APIS = frozenset({"windows", "python", "go", "java", "rust", "dotnet"})
"""Those who say themselves how a deep stack ends, which is not always by a signal."""


def overflow_signal(
    threads: Sequence[Thread],
    crashed: int | None,
    errors: Iterable[ErrorRecord],
    ends: frozenset[str],
) -> tuple[Signal, ReportWarning] | None:
    """Return the signal that a stack's depth tells, and the warning that says so.

    `ends` are the functions that end a process on purpose; below one of them a deep stack is only
    the way there.
    """
    if crashed is None or threads[crashed].kind is not ThreadKind.HOST:
        return None
    frames = threads[crashed].frames
    if not frames or any(error.api in _APIS for error in errors):
        return None
    deepest = max(frames[-1].index, frames[-1].index + threads[crashed].frames_omitted)
    if deepest < DEEP or any(_other_end(frame, ends) for frame in frames):
        return None
    at = frames[-1].at
    depth = f"{deepest + 1:,}"
    message = f"no signal is stated; a stack of {depth} frames is full, so SIGSEGV is taken for it"
    signal = Signal(name="SIGSEGV", number=NUMBERS["SIGSEGV"], at=at)
    return signal, ReportWarning(code="signal-derived", message=message, at=at)


def _other_end(frame: Frame, ends: frozenset[str]) -> bool:
    """Tell whether a frame speaks for another end: a call that ends the process, or Windows."""
    if frame.function and plain_name(frame.function) in ends:
        return True
    return any(place and _WINDOWS.match(place) for place in (frame.file, frame.module))
