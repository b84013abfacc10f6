"""Drops stacks that two readers have read of one crash.

`coredumpctl gdb` prints systemd's stacks and then gdb's; a journal lies beside a core dump. The
addresses of the frames are the same in both, which two crashes do not share: the system places
libraries and stacks anew for each process.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from triage.model.crash import Fragment
from triage.model.stack import Thread, ThreadKind, Trust
from triage.text.late import late

_ENOUGH = 2
_MAX_FRAMES = 256
"""Frames of a stack that are compared: two that agree so far are one."""


_CANDIDATES = 8
"""Stacks without a thread's number that are compared for one address."""


_ADDRESS = late(r"0x(?=0{0,15}[1-9a-fA-F])[0-9a-fA-F]{1,16}$")


@dataclass(frozen=True, slots=True)
class _Place:
    """A thread, by the position of its fragment and its own in there."""

    fragment: int
    thread: int


@dataclass(slots=True)
class _Known:
    """The threads of the fragments so far, by their numbers and by their addresses."""

    by_tid: dict[int, list[_Place]] = field(default_factory=dict)
    by_address: dict[int, list[_Place]] = field(default_factory=dict)

    def add(self, place: _Place, thread: Thread) -> None:
        if thread.tid is not None:
            self.by_tid.setdefault(thread.tid, []).append(place)
        for address in _addresses(thread):
            places = self.by_address.setdefault(address, [])
            if len(places) < _CANDIDATES:
                places.append(place)

    def like(self, thread: Thread) -> Iterator[_Place]:
        """Yield the threads that may be the same one, each of them perhaps more than once."""
        if thread.tid is not None:
            yield from self.by_tid.get(thread.tid, ())
        for address in islice(_addresses(thread), _CANDIDATES):
            yield from self.by_address.get(address, ())


def without_repeats(fragments: Sequence[Fragment]) -> Sequence[Fragment]:
    """Return the fragments, of two readings of a stack only the one that tells more.

    What stays is marked as crashed where either was.
    """
    if len({f.dialect for f in fragments if f.threads}) < 2:
        return fragments
    known, kept = _Known(), {}
    for f, fragment in enumerate(fragments):
        mine = [
            (_Place(f, t), thread)
            for t, thread in enumerate(fragment.threads)
            if thread.kind is ThreadKind.HOST
        ]
        for place, thread in mine:
            for other in known.like(thread):
                if other not in kept and _repeats(fragments, place, other):
                    kept[other], kept[place] = place, other
                    break
        for place, thread in mine:
            known.add(place, thread)
    dropped = {one: two for one, two in kept.items() if _says_less(fragments, one, two)}
    return _kept(fragments, dropped) if dropped else fragments


def _repeats(fragments: Sequence[Fragment], one: _Place, other: _Place) -> bool:
    if fragments[one.fragment].dialect == fragments[other.fragment].dialect:
        return False
    return _same(_at(fragments, one), _at(fragments, other))


def _same(a: Thread, b: Thread) -> bool:
    """Tell whether two stacks have most of their addresses in common."""
    if a.tid is not None and b.tid is not None and a.tid != b.tid:
        return False
    mine, others = _addresses(a), _addresses(b)
    common = len(mine & others)
    return common >= min(_ENOUGH, len(a.frames), len(b.frames)) and 2 * common > min(
        len(mine), len(others)
    )


def _addresses(thread: Thread) -> set[int]:
    found = (frame.address for frame in thread.frames[:_MAX_FRAMES] if frame.address)
    return {int(address, 16) for address in found if _ADDRESS.match(address)}


def _says_less(fragments: Sequence[Fragment], one: _Place, other: _Place) -> bool:
    """Tell whether a stack says less than the other: of two equal ones the later tells more."""
    return _told(_at(fragments, one)) < _told(_at(fragments, other)) or (
        _told(_at(fragments, one)) == _told(_at(fragments, other)) and one.fragment < other.fragment
    )


def _told(thread: Thread) -> tuple[int, int]:
    """Return how many frames have a place in the source, and how many there are."""
    sure = sum(frame.trust is Trust.DEBUG_INFO for frame in thread.frames)
    return sure, len(thread.frames)


def _at(fragments: Sequence[Fragment], place: _Place) -> Thread:
    return fragments[place.fragment].threads[place.thread]


def _kept(fragments: Sequence[Fragment], dropped: dict[_Place, _Place]) -> Sequence[Fragment]:
    other = {place: gone for gone, place in dropped.items()}
    result = []
    for f, fragment in enumerate(fragments):
        threads = [
            _joined(thread, _at(fragments, other[place])) if place in other else thread
            for t, thread in enumerate(fragment.threads)
            if (place := _Place(f, t)) not in dropped
        ]
        result.append(replace(fragment, threads=tuple(threads)))
    return result


def _joined(thread: Thread, gone: Thread) -> Thread:
    """Return a thread with what only the other reading of it says."""
    tid = thread.tid if thread.tid is not None else gone.tid
    return replace(thread, crashed=thread.crashed or gone.crashed, tid=tid)
