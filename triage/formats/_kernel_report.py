"""A report of the Linux kernel while it is read: its headlines and its stacks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from triage.formats._base import number
from triage.formats._stacks import MAX_FRAMES
from triage.model.crash import ErrorRecord
from triage.model.position import Position
from triage.model.stack import HISTORY, Frame, Thread
from triage.text.late import late

_IN_SOURCE = late(r" (?:at|in) (?P<file>[\w./+-]{1,300}):(?P<line>\d{1,7})(?!\w)")
_WARNED = late(r"WARNING: (?P<file>[\w./+-]{1,300}):(?P<line>\d{1,7}) at ")
TASK = late(r"(?:INFO: task (?P<name>[^\n]{1,80}):(?P<pid>\d{1,10}) blocked|by task (?P<by>\d+))")
_DIES = late(r"[^\n]{0,160}?(?:: [0-9a-f]{4} |Oops|error: )[^\n]{0,120}\[#\d{1,6}\]")
_USER = late(r"RIP: (?:0033|e033|002b|0023):")
_NAMES: tuple[tuple[re.Pattern[str], str, int], ...] = tuple(
    (late(pattern), name, weight)
    for pattern, name, weight in (
        (r"[^\n]{0,40}BUG: (?P<tool>K[A-Z]{2,6}AN|KFENCE)\b", "", 3),
        (r"[^\n]{0,40}ernel panic", "panic", 1),
        (r"[^\n]{0,40}soft lockup", "soft lockup", 2),
        (r"[^\n]{0,40}hard LOCKUP|Watchdog CPU", "hard lockup", 2),
        (r"[^\n]{0,60}(?:detected (?:expedited )?stall|rcu_\w+ kthread)", "RCU stall", 2),
        (r"[^\n]{0,10}INFO: task ", "hung task", 2),
        (r"[^\n]{0,10}UBSAN", "UBSAN", 2),
        (r"[^\n]{0,10}WARNING: (?:CPU|at |[^\s:]{1,300}:\d)", "WARNING", 1),
        (r"[^\n]{0,80}page allocation", "page allocation failure", 1),
        (r"unreferenced object", "kmemleak", 1),
        (r"(?:\[ |rcu: )?(?:WARNING|INFO): ", "lockdep", 1),
        (r"refcount_t|usercopy|list_", "WARNING", 1),
        (r"[^\n]{0,40}irq \d", "WARNING", 1),
        (r"[^\n]{0,40}BUG\b", "BUG", 3),
        (r"", "Oops", 3),
    )
)
_NEAR = 40
"""Lines behind a headline that a stack may stand for it to be the headline's."""


@dataclass(slots=True)
class Stack:
    """One stack while it is read; `weight` tells how bad the report is that it belongs to."""

    at: Position
    weight: int = 0
    aside: bool = False
    lost: bool = False
    pid: int | None = None
    name: str | None = None
    pc: Frame | None = None
    pc_repeats: bool = False
    caller: Frame | None = None
    frames: list[Frame] = field(default_factory=list)
    omitted: int = 0
    ended: bool = False


@dataclass(slots=True)
class Oops:
    """What was read of one region so far."""

    errors: list[ErrorRecord] = field(default_factory=list)
    stacks: list[Stack] = field(default_factory=list)
    doubtful: ErrorRecord | None = None
    weight: int = 0
    fresh: bool = False
    over: bool = False
    pc: Frame | None = None
    pc_repeats: bool = False
    pid: int | None = None
    name: str | None = None
    open: Stack | None = None
    seen: set[tuple[object, ...]] = field(default_factory=set)

    def report(self, text: str, at: Position) -> None:
        """Take a headline; the second line of the same death says nothing new."""
        error, weight = headline_error(text, at)
        second = self.fresh and self.errors and _DIES.match(text)
        self.settle(at)
        self.finish()
        self.over = False
        if second:
            return
        self.errors.append(error)
        self.weight, self.fresh, self.pc = weight, True, None
        self.pid, self.name = None, None
        if match := TASK.search(text):
            self.pid, self.name = number(match["pid"] or match["by"]), match["name"]

    def settle(self, at: Position) -> None:
        """Believe a doubtful headline, now that the kernel has gone on about it."""
        if self.doubtful is not None:
            near = (at.line or 0) - (self.doubtful.at.line or 0 if self.doubtful.at else 0) <= _NEAR
            if near:
                self.errors.append(self.doubtful)
                self.weight = headline_error(self.doubtful.message or "", at)[1]
            self.doubtful = None

    def begin(self, at: Position, *, aside: bool = False, lost: bool = False) -> None:
        """Start a stack."""
        self.finish()
        self.open = Stack(at, self.weight, aside, lost)
        if not (aside or lost):
            self.open.pc, self.open.pc_repeats = self.pc, self.pc_repeats
            self.open.pid, self.open.name = self.pid, self.name
            self.pc = None

    def add(self, frame: Frame) -> None:
        """Add a frame, to a stack of its own where none was announced."""
        if frame.at is None:
            return
        self.settle(frame.at)
        self.fresh = False
        if self.open is None:
            self.begin(frame.at)
        stack = self.open
        if stack is None:
            return
        if len(stack.frames) < MAX_FRAMES:
            stack.frames.append(frame)
        else:
            stack.omitted += 1

    def add_caller(self, frame: Frame, caller: Frame) -> None:
        """Add a frame of the dialect that prints each frame twice, as callee and as caller."""
        known = self.open.caller if self.open else None
        if known is not None and self.open is not None:
            if known.function != frame.function:
                self.open.caller = None
                self.add(known)
            else:
                frame = replace(
                    frame,
                    offset=known.offset or frame.offset,
                    module=frame.module or known.module,
                    address=frame.address or known.address,
                )
        self.add(frame)
        if self.open is not None:
            self.open.caller = caller

    def counter(self, frame: Frame, word: str) -> None:
        """Take the function that the program counter was in."""
        if self.over or _USER.match(word):
            return
        repeats = not word.startswith(("RIP", "EIP", "IP"))
        stack = self.open
        if stack is None or not stack.frames:
            if stack is not None and not (stack.aside or stack.lost):
                stack.pc, stack.pc_repeats = stack.pc or frame, repeats
            elif self.pc is None:
                self.pc, self.pc_repeats = frame, repeats
        elif (
            word.startswith("RIP: ")
            and not (stack.aside or stack.lost)
            and frame.function
            and not (stack.pc and _same(stack.pc, frame))
        ):
            self.add(frame)

    def finish(self) -> None:
        """Close the stack that is being read."""
        stack, self.open = self.open, None
        if stack is None:
            return
        if stack.caller is not None:
            stack.frames.append(stack.caller)
        first = stack.frames[0] if stack.frames else None
        if stack.pc is not None and not (first and _repeats(stack.pc, first, stack.pc_repeats)):
            stack.frames.insert(0, stack.pc)
        key = (stack.aside, stack.pid, *((f.function, f.offset, f.address) for f in stack.frames))
        if stack.frames and not stack.lost and key not in self.seen:
            self.seen.add(key)
            self.stacks.append(stack)

    def threads(self) -> tuple[Thread, ...]:
        """Return every stack as a thread, the one that failed marked."""
        self.finish()
        if self.pc is not None and not any(s.weight >= self.weight for s in self.stacks):
            self.begin(self.pc.at or Position())
            self.finish()
        failed = max(
            (s for s in self.stacks if not s.aside),
            key=lambda s: s.weight,
            default=self.stacks[0] if self.stacks else None,
        )
        return tuple(_thread(report, failed) for report in _reports(self.stacks))


def _reports(stacks: Sequence[Stack]) -> list[list[Stack]]:
    """Return the stacks of each report of one task together, in the order in which they stand.

    What led to a failure and stands above it (the lock's history, who allocated, who freed) is a
    part of the report's stack; what stands below it is a stack of its own.
    """
    reports: list[list[Stack]] = []
    below = False
    for stack in stacks:
        if reports and reports[-1][-1].ended:
            below = False
        elif reports and not (below and stack.aside):
            last = reports[-1]
            tasks = {s.pid for s in (*last, stack) if not s.aside} - {None}
            if len(tasks) < 2 and (not below or not last[0].aside or len(last) > 1):
                last.append(stack)
                below = below or not stack.aside
                continue
        reports.append([stack])
        below = below or not stack.aside
    return reports


def _thread(report: Sequence[Stack], failed: Stack | None) -> Thread:
    """Return a report as a thread, the frames marked that led to the failure and did not fail."""
    main = next((s for s in report if s is failed), report[-1])
    frames = [
        frame if stack is main else replace(frame, noise=HISTORY)
        for stack in report
        for frame in stack.frames
    ]
    return Thread(
        tid=main.pid,
        name=main.name,
        crashed=main is failed,
        frames=tuple(replace(f, index=n) for n, f in enumerate(frames[:MAX_FRAMES])),
        frames_omitted=sum(s.omitted for s in report) + max(0, len(frames) - MAX_FRAMES),
        at=report[0].at,
    )


def _same(a: Frame, b: Frame) -> bool:
    return (a.function, a.offset) == (b.function, b.offset)


def _repeats(counter: Frame, first: Frame, by_name: bool) -> bool:
    """Tell whether a trace begins with the function that the program counter is in."""
    if counter.function is None:
        return counter.address == first.address
    return counter.function == first.function and (by_name or counter.offset == first.offset)


def headline_error(text: str, at: Position) -> tuple[ErrorRecord, int]:
    """Return the error that a headline reports, and how bad it is."""
    text = text.strip().removeprefix("[ ").removesuffix(" ]")
    match, name, weight = next(
        (match, name, weight) for p, name, weight in _NAMES if (match := p.match(text))
    )
    place = _WARNED.search(text) or _IN_SOURCE.search(text)
    if text.startswith("kernel BUG at "):
        place = re.match(r"kernel BUG at (?P<file>[^\s:]{1,300}):(?P<line>\d{1,7})", text)
    error = ErrorRecord(
        api="kernel",
        name=name or match["tool"],
        message=text,
        file=place["file"] if place else None,
        line=number(place["line"]) if place else None,
        at=at,
    )
    return error, weight
