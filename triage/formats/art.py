"""Java on Android: exceptions that nobody caught, as logcat shows them, and the traces of an ANR.

What is odd about it: of a chain of exceptions the last is the first that happened; and in a trace
native frames stand above the Java frames of one thread, each kind with numbers of its own or none.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from triage.formats._android import native_frame, without_logcat
from triage.formats._base import Format, Item, Region, number, reading
from triage.model.crash import ErrorRecord, Fragment, Role
from triage.model.stack import Frame, Thread, ThreadKind, Trust, with_crashed
from triage.text.late import late

_PLACE = late(r"(?P<file>[^:\n]{1,200}):(?P<line>-?\d{1,9})$")
_NO_FILE = frozenset({"Native Method", "Native method", "Unknown Source", "Unknown source"})
_MAX_FRAMES = 20_000


@dataclass(slots=True)
class _State:
    threads: list[Thread] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    errors: list[ErrorRecord] = field(default_factory=list)
    name: str | None = None
    head: Thread | None = None
    thrown: int = 0

    def finish(self) -> None:
        """Close the stack that is being read."""
        if self.head and self.frames:
            self.threads.append(replace(self.head, frames=tuple(self.frames)))
            if self.name is not None:
                self.thrown = len(self.threads)
        self.head, self.frames = None, []

    def add(self, frame: Frame) -> None:
        """Add a frame to the stack that was begun; without one it is of no dialect read here."""
        if self.head and len(self.frames) < _MAX_FRAMES:
            self.frames.append(replace(frame, index=len(self.frames)))


def _read(region: Region) -> Fragment:
    state = _State()
    source = reading(without_logcat(region), "art")
    for item in source.items():
        _HANDLERS[item.kind](state, item)
    state.finish()
    if not state.threads and not state.errors:
        return Fragment(dialect="art")
    crashed = state.thrown - 1 if state.thrown else _main(state.threads)
    return Fragment(
        dialect="art",
        threads=with_crashed(state.threads, crashed),
        errors=tuple(state.errors),
        claimed=frozenset(source.claimed),
    )


def _main(threads: list[Thread]) -> int | None:
    """Return the thread that did not answer: the one that handles a window's events."""
    return next((n for n, t in enumerate(threads) if t.name == "main"), None)


def _fatal(state: _State, item: Item) -> None:
    state.finish()
    state.name = item.fields["thread"].strip()
    state.head = Thread(name=state.name, kind=ThreadKind.JAVA, at=item.at)


def _anr(state: _State, item: Item) -> None:
    state.errors.append(
        ErrorRecord(api="java", name="ANR", message=item.text.strip(), role=Role.CAUSE, at=item.at)
    )


def _process(_: _State, __: Item) -> None:
    """Pass over the line between an exception's heading and the exception."""


def _exception(state: _State, item: Item) -> None:
    if state.name is None:
        return
    state.finish()
    state.errors.append(
        ErrorRecord(
            api="java",
            name=item.fields["exception"],
            message=item.fields.get("message", "").strip() or None,
            role=Role.CAUSE,
            at=item.at,
        )
    )
    state.head = Thread(name=state.name, kind=ThreadKind.JAVA, at=item.at)


def _thread(state: _State, item: Item) -> None:
    state.finish()
    state.name = None
    tid = item.fields.get("tid")
    state.head = Thread(
        id=tid,
        tid=number(item.fields.get("systid")),
        name=item.fields["name"],
        kind=ThreadKind.JAVA,
        at=item.at,
    )


def _frame(state: _State, item: Item) -> None:
    place, file, line = item.fields["place"], None, None
    if match := _PLACE.match(place):
        file, line = match["file"], int(match["line"])
    elif place not in _NO_FILE:
        file = place
    state.add(
        Frame(
            index=0,
            function=item.fields["method"],
            file=file,
            line=line if line is not None and line >= 0 else None,
            trust=Trust.DEBUG_INFO if file else Trust.SYMBOL,
            at=item.at,
        )
    )


def _native(state: _State, item: Item) -> None:
    state.add(native_frame(0, item.fields["pc"], item.fields["rest"], item.at))


_HANDLERS = {
    "fatal": _fatal,
    "anr": _anr,
    "process": _process,
    "exception": _exception,
    "thread": _thread,
    "frame": _frame,
    "native": _native,
}

FORMAT = Format(
    name="art",
    title="Java on Android: uncaught exceptions and the traces of an ANR",
    anchors=("FATAL EXCEPTION", "ANR in ", "prio=", "sysTid="),
    opens=late(
        r"[^\n]{0,160}?FATAL EXCEPTION(?: IN SYSTEM PROCESS)?: \S"
        r'|[^\n]{0,160}?ANR in [\w.]{1,200}|[^\n]{0,160}?"[^"\n]{1,200}" (?:daemon )?'
        r"(?:prio=\d{1,3} tid=\d{1,7} (?:Native|Runnable|Sleeping|Waiting|TimedWaiting|Blocked"
        r"|Suspended|WaitingForGcToComplete|WaitingInMainSignalCatcherLoop|NATIVE|RUNNABLE|WAIT"
        r"|TIMED_WAIT|MONITOR|SUSPENDED|VMWAIT)|sysTid=\d)"
    ),
    read=_read,
    after=120,
    reach=200,
)
