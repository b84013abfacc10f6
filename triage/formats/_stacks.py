"""Collects printed frames into threads, whatever order and repetition they come in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from triage.frames.names import plain_name
from triage.model.position import Position
from triage.model.stack import Frame, FrameKind, Thread, ThreadKind, with_crashed

MAX_FRAMES = 20_000
"""Frames of one stack that are kept; more are counted."""

_COMPARED = 64
"""Stacks with one first frame that another is compared with; so time grows with the text alone."""

_ANY = object()


@dataclass(slots=True)
class Stacks:
    """The threads of one region while it is being read.

    `crashed_id` is the thread that the debugger says got the signal; `selected` heads a stack that
    comes without a heading; `device_frame` is a device function that was printed apart from its
    stack and goes on top of the next GPU stack.
    """

    crashed_id: str | None = None
    selected: Thread | None = None
    device_frame: Frame | None = None
    _done: list[Thread] = field(default_factory=list)
    _head: Thread | None = None
    _frames: list[Frame] = field(default_factory=list)
    _omitted: int = 0

    def begin(
        self, *, thread_id: str | None, tid: int | None, name: str | None, at: Position
    ) -> None:
        """Start a thread whose heading was printed."""
        self.head(Thread(id=thread_id, tid=tid, name=name, at=at))

    def head(self, head: Thread) -> None:
        """Start a thread of which more is known than its heading says."""
        self.finish()
        self._head = head

    def add(self, frame: Frame) -> None:
        """Add a frame; an index that does not rise starts a new stack."""
        if self._frames and frame.index <= self._frames[-1].index:
            self.finish()
        if len(self._frames) < MAX_FRAMES:
            self._frames.append(frame)
        else:
            self._omitted += 1

    def current(self) -> Sequence[Frame]:
        """Return the frames of the stack that is being read."""
        return self._frames

    def finish(self) -> None:
        """Close the stack that is being read."""
        if self._frames or self._head:
            head = self._head or self.selected or Thread(at=self._frames[0].at)
            # Of a GPU stack only the kernel's frame, the outermost, shows that it is one.
            gpu = bool(self._frames) and FrameKind.GPU in (
                self._frames[0].kind,
                self._frames[-1].kind,
            )
            if gpu or head.kind is ThreadKind.GPU:
                self._frames = [replace(f, kind=FrameKind.GPU) for f in self._frames]
                gpu = bool(self._frames)
            if gpu and head is self.selected and head.kind is not ThreadKind.GPU:
                head = Thread(at=self._frames[0].at)
            frames = self._with_device_frame() if gpu else tuple(self._frames)
            self._done.append(
                replace(
                    head,
                    frames=frames,
                    frames_omitted=self._omitted,
                    kind=ThreadKind.GPU if gpu else ThreadKind.HOST,
                )
            )
        self._head, self._frames, self._omitted = None, [], 0

    def has_gpu(self) -> bool:
        """Tell whether a stack of the GPU was read."""
        return any(thread.kind is ThreadKind.GPU for thread in self._done)

    def _with_device_frame(self) -> tuple[Frame, ...]:
        top, first = self.device_frame, self._frames[0]
        if top is None:
            return tuple(self._frames)
        self.device_frame = None
        if not top.inlined and _same_function(top, first):
            # The lane ran on in the function that raised the exception.
            file = first.file if first.line == top.line else top.file
            top = replace(top, file=file, launch=first.launch, args=first.args)
            return (top, *self._frames[1:])
        rest = [replace(frame, index=frame.index + 1) for frame in self._frames]
        return (top, *rest)

    def threads(self) -> tuple[Thread, ...]:
        """Return every thread once, the crashed one marked."""
        kept = _Kept()
        current = None
        for thread in self._without_excerpts():
            if thread.frames or thread.id is not None:
                place = kept.add(thread)
                if thread.id is None:
                    current = place
        crashed = self._crashed(kept.threads, current)
        return with_crashed(kept.threads, crashed)

    def _without_excerpts(self) -> Iterable[Thread]:
        """Yield the stacks, less those frames that were looked at again one by one."""
        if not any(map(_is_excerpt, self._done)):
            return self._done
        whole = {_key(frame) for t in self._done if not _is_excerpt(t) for frame in t.frames}
        return [
            t
            for t in self._done
            if not (_is_excerpt(t) and all(_key(frame) in whole for frame in t.frames))
        ]

    def _crashed(self, threads: list[Thread], current: int | None) -> int | None:
        """Return the thread that failed; `current` is the last one that was shown unasked."""
        gpu = [n for n, t in enumerate(threads) if t.kind is ThreadKind.GPU]
        if gpu:
            return next((n for n in gpu if threads[n].id == self.crashed_id), gpu[0])
        named = [n for n, t in enumerate(threads) if t.id == self.crashed_id is not None]
        if named:
            # The last one: a text can hold sessions of two crashes, and the id is the last one's.
            return next((n for n in reversed(named) if threads[n].frames), named[-1])
        if current is not None:
            return current
        return 0 if len(threads) == 1 else None


def first_of(threads: Sequence[Thread], places: Iterable[int]) -> int | None:
    """Return the first stack at or below a line, of the first of some lines that has one.

    The first stack of all where none has, None where there is no stack.
    """
    for line in places:
        for n, thread in enumerate(threads):
            if thread.frames and thread.at and (thread.at.line or 0) >= line:
                return n
    return 0 if threads else None


def _same_function(a: Frame, b: Frame) -> bool:
    return bool(a.function and b.function) and plain_name(a.function) == plain_name(b.function)


def _is_excerpt(thread: Thread) -> bool:
    return bool(thread.frames) and thread.frames[0].index > 0 and thread.id is None


def _key(frame: Frame) -> tuple[object, ...]:
    return frame.index, frame.function, frame.line, frame.address


class _Kept:
    """Threads in order, each once: of two readings of one stack the longer one stays."""

    def __init__(self) -> None:
        self.threads: list[Thread] = []
        self._places: dict[tuple[object, ...], list[int]] = defaultdict(list)

    def add(self, thread: Thread) -> int:
        """Add a thread unless it repeats one; return its place."""
        for n in self._candidates(thread):
            other = self.threads[n]
            if thread.id is not None and other.id is not None and thread.id != other.id:
                continue
            if _same_stack(other.frames, thread.frames):
                longer = thread if len(thread.frames) >= len(other.frames) else other
                named = thread if thread.id is not None else other
                self.threads[n] = replace(
                    longer,
                    id=named.id,
                    tid=named.tid or other.tid,
                    name=named.name or other.name,
                )
                self._remember(self.threads[n], n)
                return n
        self._remember(thread, len(self.threads))
        self.threads.append(thread)
        return len(self.threads) - 1

    def _candidates(self, thread: Thread) -> list[int]:
        """Return the places of threads that begin with the same frame, as far as they are kept."""
        key = _first_key(thread.frames)
        if key is None:
            return []
        wanted = (_ANY,) if thread.id is None else (thread.id, None)
        return sorted({n for who in wanted for n in self._places.get((who, *key), ())})

    def _remember(self, thread: Thread, place: int) -> None:
        key = _first_key(thread.frames)
        for who in (_ANY, thread.id) if key else ():
            places = self._places[who, *(key or ())]
            if len(places) < _COMPARED and place not in places:
                places.append(place)


def _first_key(frames: tuple[Frame, ...]) -> tuple[object, ...] | None:
    """Return what two readings of one stack have in common: the frame they are compared from."""
    if not frames:
        return None
    gpu = frames[0].kind is FrameKind.GPU
    frame = frames[-1] if gpu else frames[0]
    return gpu, *_place(frame)


def _place(frame: Frame) -> tuple[object, ...]:
    """Return what makes a frame another one."""
    return frame.function, frame.line, frame.address, frame.offset


def _same_stack(a: tuple[Frame, ...], b: tuple[Frame, ...]) -> bool:
    """Tell whether one stack is the other or its beginning.

    A device function that was put on top of a GPU stack does not make it another one.
    """
    if not a or not b:
        return False
    if a[0].kind is b[0].kind is FrameKind.GPU:
        size = min(len(a), len(b))
        a, b = a[-size:], b[-size:]
    return all(_place(x) == _place(y) for x, y in zip(a, b, strict=False))
