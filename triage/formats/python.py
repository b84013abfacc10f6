"""Python tracebacks and faulthandler dumps.

What is odd about it: a traceback names the innermost frame last and a faulthandler dump names it
first; source lines stand between the frames; and of chained exceptions the first is the cause.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from triage.formats._base import Format, Item, Region, named_signal, number, reading
from triage.model.crash import ErrorRecord, Fragment, Role, Signal
from triage.model.position import Position
from triage.model.stack import Frame, FrameKind, Thread, ThreadKind, Trust

_FATAL_SIGNALS = {
    "Segmentation fault": "SIGSEGV",
    "Aborted": "SIGABRT",
    "Bus error": "SIGBUS",
    "Illegal instruction": "SIGILL",
    "Floating point exception": "SIGFPE",
    "Floating-point exception": "SIGFPE",
}
_MAX_FRAMES = 5_000


@dataclass(slots=True)
class _State:
    frames: list[Frame] = field(default_factory=list)
    threads: list[Thread] = field(default_factory=list)
    errors: list[ErrorRecord] = field(default_factory=list)
    signal: Signal | None = None
    started: Position | None = None
    outermost_first: bool = True
    current: str | None = None
    in_current: bool = False
    chained: bool = False

    def finish(self, *, crashed: bool) -> None:
        """Close the stack that is being read."""
        if self.frames:
            frames = self.frames[::-1] if self.outermost_first else self.frames
            self.threads.append(
                Thread(
                    id=self.current,
                    kind=ThreadKind.PYTHON,
                    crashed=crashed,
                    frames=tuple(replace(frame, index=n) for n, frame in enumerate(frames)),
                    at=self.started,
                )
            )
        self.frames, self.started = [], None


def _read(region: Region) -> Fragment:
    state = _State()
    source = reading(region, "python")
    for item in source.items():
        _HANDLERS[item.kind](state, item)
    state.finish(crashed=state.in_current or not state.threads)
    return Fragment(
        dialect="python",
        threads=tuple(state.threads),
        errors=tuple(state.errors),
        signal=state.signal,
        signal_rank=3,
        claimed=frozenset(source.claimed),
    )


def _traceback(state: _State, item: Item) -> None:
    state.finish(crashed=not state.threads)
    state.outermost_first, state.current, state.started = True, None, item.at


def _frame(state: _State, item: Item) -> None:
    prefix = "" if item.kind == "frame" else "fault_"
    if len(state.frames) >= _MAX_FRAMES:
        return
    state.started = state.started or item.at
    state.frames.append(
        Frame(
            index=len(state.frames),
            function=item.fields[prefix + "function"].strip(),
            file=item.fields[prefix + "file"],
            line=number(item.fields[prefix + "line"]),
            kind=FrameKind.PYTHON,
            trust=Trust.DEBUG_INFO,
            at=item.at,
        )
    )


def _exception(state: _State, item: Item) -> None:
    """Read the line that ends a traceback; elsewhere such a line proves nothing."""
    if not state.frames:
        return
    role = Role.CONSEQUENCE if state.chained else Role.UNCLEAR
    state.errors.append(
        ErrorRecord(
            api="python",
            name=item.fields["exception"],
            message=item.fields.get("message"),
            role=role,
            at=item.at,
        )
    )
    state.finish(crashed=not state.threads)
    state.chained = False


def _chained(state: _State, _: Item) -> None:
    state.finish(crashed=not state.threads)
    state.chained = True


def _repeated(state: _State, item: Item) -> None:
    times = min(number(item.fields["times"]) or 0, _MAX_FRAMES - len(state.frames))
    if state.frames:
        state.frames.extend([state.frames[-1]] * max(0, times))


def _fatal(state: _State, item: Item) -> None:
    text = item.fields["fatal"].strip()
    state.errors.append(
        ErrorRecord(api="python", name="Fatal Python error", message=text, at=item.at)
    )
    if text in _FATAL_SIGNALS:
        state.signal = named_signal(_FATAL_SIGNALS[text], item.at)


def _fault_thread(state: _State, item: Item) -> None:
    state.finish(crashed=state.in_current)
    state.outermost_first, state.started = False, item.at
    state.current = item.fields["fault_thread"]
    state.in_current = item.fields["current"] == "Current thread"


_HANDLERS = {
    "traceback": _traceback,
    "frame": _frame,
    "fault_frame": _frame,
    "exception": _exception,
    "chained": _chained,
    "repeated": _repeated,
    "fatal": _fatal,
    "fault_thread": _fault_thread,
}


FORMAT = Format(
    name="python",
    title="Python tracebacks and faulthandler dumps",
    anchors=("Traceback (most recent", "Fatal Python error", "(most recent call first)", 'File "'),
    opens=re.compile(
        r'[^\n"]{0,200}?(?:Traceback \(most recent call last\)|Fatal Python error: '
        r'|\(most recent call first\):|File "[^"\n]{1,2000}", line \d)'
    ),
    read=_read,
    before=1,
    after=12,
    reach=40,
)
