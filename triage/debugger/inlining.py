"""Tells inlined frames, which gdb's machine interface does not mark.

An inlined frame has no call of its own, so it stops at the very address of the frame that it was
inlined into: in a run of frames with one address, all but the outermost are inlined. A function
that calls itself also gives such a run, because all its calls return to one address. Where a run
names a function twice, the stack pointer decides: an inlined frame shares it with its caller, a
real call does not. An address always expands to the same frames, so one run of each is measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

_MEASURED: Final = 16
_MAX_RUNS: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Successive frames with one address; `group` is the number of frames per real call.

    None for a group that only the stack pointers can tell. `cut` says that the run may have begun
    among frames that were left out: its end is then where a call is complete.
    """

    thread: int
    address: str
    levels: tuple[int, ...]
    group: int | None
    cut: bool = False

    @property
    def measured(self) -> tuple[int, ...]:
        """The frames whose stack pointers tell the group."""
        return (self.levels[::-1] if self.cut else self.levels)[:_MEASURED]


def find_runs(thread: int, frames: Sequence[Mapping[str, Any]]) -> list[Run]:
    """Return the runs of two or more successive frames of a thread with one address."""
    runs = []
    numbered = [(int(str(f.get("level"))), place, f) for place, f in enumerate(frames)]
    # Where frames were left out in between, level and place part.
    for (address, _), members in groupby(numbered, key=lambda n: (n[2].get("addr"), n[0] - n[1])):
        run = list(members)
        if len(run) > 1 and address is not None:
            functions = {frame.get("func") for _, _, frame in run}
            levels = tuple(level for level, _, _ in run)
            group = len(run) if len(functions) == len(run) else None
            place = run[0][1]
            cut = place > 0 and numbered[place - 1][0] != levels[0] - 1
            runs.append(Run(thread=thread, address=address, levels=levels, group=group, cut=cut))
    return runs


def to_measure(runs: Sequence[Run]) -> list[Run]:
    """Return one run of each address whose stack pointers are needed."""
    wanted: dict[str, Run] = {}
    for run in runs:
        if run.group is None and len(wanted) < _MAX_RUNS:
            wanted.setdefault(run.address, run)
    return list(wanted.values())


def group_size(stack_pointers: Sequence[str | None]) -> int:
    """Return how many frames from the first share its stack pointer; 1 where it is not known."""
    if not stack_pointers or stack_pointers[0] is None:
        return 1
    for place, value in enumerate(stack_pointers):
        if value != stack_pointers[0]:
            return place
    return len(stack_pointers)


def inlined_levels(runs: Sequence[Run], groups: Mapping[str, int]) -> frozenset[int]:
    """Return the levels of the inlined frames; `groups` holds the measured sizes by address."""
    return frozenset(level for run in runs for level in _inlined(run, groups))


def _inlined(run: Run, groups: Mapping[str, int]) -> Iterator[int]:
    group = run.group or groups.get(run.address, 1)
    first = -len(run.levels) if run.cut else 0
    for place, level in enumerate(run.levels, first):
        if place % group != group - 1:
            yield level
