"""Collects frames that are printed in order, innermost first, and mostly without numbers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from triage.formats._stacks import MAX_FRAMES
from triage.model.stack import Frame, Thread, with_crashed

_GAP = 8
"""Lines between two frames of one stack, which may hold warnings and source text."""


@dataclass(slots=True)
class OrderedStacks:
    """The stacks of one region; frames count from 0 in the order of the text."""

    threads: list[Thread] = field(default_factory=list)
    crashed: int | None = None
    _kind: str | None = None
    _head: Thread | None = None
    _marked: bool = False
    _frames: list[Frame] = field(default_factory=list)
    _omitted: int = 0
    _last: int = 0

    def begin(self, head: Thread | None, *, crashed: bool = False) -> None:
        """Start another stack, with what its heading says."""
        self.finish()
        self._head, self._marked = head, crashed

    def heading(self) -> None:
        """Take the columns' heading, which stands below that of a thread."""
        if self._frames:
            self.finish()

    def add(self, kind: str, frame: Frame, *, first: bool = False) -> None:
        """Add a frame; another kind of frame, a wide gap or a first one starts another stack."""
        line = (frame.at.line or 0) if frame.at else 0
        if self._frames and (first or kind != self._kind or line - self._last > _GAP):
            self.finish()
        self._kind, self._last = kind, line
        if len(self._frames) < MAX_FRAMES:
            self._frames.append(replace(frame, index=len(self._frames)))
        else:
            self._omitted += 1

    def finish(self) -> None:
        """Close the stack that is being read; one that was read before is not kept twice."""
        frames = tuple(self._frames)
        head, marked, omitted = self._head, self._marked, self._omitted
        self._frames, self._head, self._marked, self._omitted = [], None, False, 0
        if not frames:
            return
        if self.threads and head is None and _same(self.threads[0].frames, frames):
            return
        if marked and self.crashed is None:
            self.crashed = len(self.threads)
        thread = head or Thread(at=frames[0].at)
        self.threads.append(replace(thread, frames=frames, frames_omitted=omitted))

    def result(self) -> tuple[Thread, ...]:
        """Return every stack, the failing one marked: the first where nothing else is said."""
        self.finish()
        crashed = self.crashed or 0
        return with_crashed(self.threads, crashed)


def _same(a: tuple[Frame, ...], b: tuple[Frame, ...]) -> bool:
    return [(x.module, x.function, x.offset) for x in a] == [
        (x.module, x.function, x.offset) for x in b
    ]
