"""Rust's panics and fatal errors, with the backtraces of std, anyhow, eyre and their relatives.

What is odd about it: an error's causes and a span trace are numbered like frames; before Rust 1.73
the place stood behind the message, which may have several lines; and functions that were inlined
into a frame may share its number, so that only the first of them has one.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from triage.formats._base import Format, Item, Region, number, reading
from triage.formats._stacks import MAX_FRAMES
from triage.model.crash import ErrorRecord, Fragment
from triage.model.position import Position
from triage.model.stack import Frame, Thread, Trust, trust_of, with_crashed
from triage.text.late import late

_OLD_PLACE = late(r"', ([^\s'][^\n']{0,600}?):(\d{1,9})(?::\d{1,6})?$")
_SIBLING = late(r"[ \t]{6,80}(?!at )([^\s\d][^\n]*)")
_NAMELESS = ("<unknown>", "<no info>", "???")
_MARKS = "* \t"
_GAP = 4  # lines of other writers between two frames


@dataclass(slots=True)
class _State:
    """What was read so far; `sure` says that what is being read can only be a backtrace."""

    errors: list[ErrorRecord] = field(default_factory=list)
    threads: list[Thread] = field(default_factory=list)
    thread: Thread = field(default_factory=Thread)
    frames: list[Frame] = field(default_factory=list)
    omitted: int = 0
    sure: bool = False
    closed: bool = False
    said: tuple[str, Position] | None = None
    last: Item | None = None
    stated: int | None = None

    def finish(self) -> None:
        """Close the stack that is being read, and drop it where it may be anything."""
        if self.frames and self.sure:
            self.threads.append(
                replace(
                    self.thread,
                    frames=tuple(self.frames),
                    frames_omitted=self.omitted,
                    at=self.thread.at or self.frames[0].at,
                )
            )
            self.thread = Thread()
        self.frames, self.omitted, self.sure, self.last, self.stated = [], 0, False, None, None

    def follows(self, item: Item) -> bool:
        """Tell whether an item stands close enough to the last frame to belong to its stack."""
        if self.last is None:
            return True
        return (item.at.line or 0) - (self.last.at.line or 0) - len(self.last.rest) <= _GAP


def _read(region: Region) -> Fragment:
    state = _State()
    source = reading(region, "rust")
    for item in source.items():
        handler = _HANDLERS.get(item.kind)
        if handler:
            handler(state, item)
    state.finish()
    if not state.threads and not state.errors:
        return Fragment(dialect="rust")
    named = [n for n, t in enumerate(state.threads) if any(f.function for f in t.frames)]
    crashed = named[0] if named else 0
    return Fragment(
        dialect="rust",
        threads=with_crashed(state.threads, crashed),
        errors=tuple(state.errors),
        claimed=frozenset(source.claimed),
    )


def _begin(state: _State, name: str | None, tid: str | None, at: Position) -> None:
    state.finish()
    state.closed = False
    state.said = None
    state.thread = Thread(
        name=None if name in (None, "<unnamed>", "<unknown>") else name, tid=number(tid), at=at
    )


def _panic(state: _State, item: Item) -> None:
    fields = item.fields
    _begin(state, fields["thread"], fields.get("tid"), item.at)
    message = item.rest[0].strip(_MARKS) if item.rest else None
    _error(state, "panic", message, item.at, fields["file"], fields["line"])


def _old_panic(state: _State, item: Item) -> None:
    fields = item.fields
    _begin(state, fields["old_thread"], fields.get("old_tid"), item.at)
    text = fields["old_message"].rstrip(_MARKS)
    place = _OLD_PLACE.search(text)
    message = text[: place.start()] if place else text
    file, line = (place[1], place[2]) if place else (None, None)
    _error(state, "panic", message, item.at, file, line)


def _old_end(state: _State, item: Item) -> None:
    """Read the last line of a message that has several."""
    if state.errors and state.errors[-1].name == "panic" and state.errors[-1].file is None:
        place = item.fields["end_file"], number(item.fields["end_line"])
        state.errors[-1] = replace(state.errors[-1], file=place[0], line=place[1])


def _app_panic(state: _State, item: Item) -> None:
    _begin(state, None, None, item.at)
    _error(state, "panic", None, item.at)


def _message(state: _State, item: Item) -> None:
    if state.errors and state.errors[-1].message is None:
        state.errors[-1] = replace(state.errors[-1], message=item.fields["app_message"].strip())


def _location(state: _State, item: Item) -> None:
    if state.errors and state.errors[-1].file is None:
        place = item.fields["app_file"], number(item.fields["app_line"])
        state.errors[-1] = replace(state.errors[-1], file=place[0], line=place[1])


def _overflowed(state: _State, item: Item) -> None:
    _begin(state, item.fields["overflowed"], item.fields.get("overflowed_tid"), item.at)
    _error(state, "stack overflow", item.text.strip(), item.at)


def _fatal(state: _State, item: Item) -> None:
    text = item.fields["fatal"].strip()
    if not (state.errors and state.errors[-1].name == "stack overflow"):
        _error(state, "fatal runtime error", text, item.at)


def _no_memory(state: _State, item: Item) -> None:
    _error(state, "alloc", item.fields["no_memory"], item.at)


def _error(
    state: _State,
    name: str,
    message: str | None,
    at: Position,
    file: str | None = None,
    line: str | None = None,
) -> None:
    state.errors.append(
        ErrorRecord(api="rust", name=name, message=message, file=file, line=number(line), at=at)
    )


def _heading(state: _State, _item: Item) -> None:
    state.finish()
    state.closed, state.sure = False, True
    if state.said and state.said[0]:
        _error(state, "Error", state.said[0], state.said[1])
    state.said = None


def _other_heading(state: _State, item: Item) -> None:
    state.finish()
    state.closed = True
    text = item.text.strip()
    if text.startswith("Error:"):
        state.said = (text[6:].strip() or (item.rest[0].strip() if item.rest else ""), item.at)


def _frame(state: _State, item: Item) -> None:
    fields = item.fields
    if state.closed:
        return
    index = int(fields["index"])
    if state.frames and not (state.stated is not None and index > state.stated):
        state.finish()
    if state.frames and not state.follows(item):
        state.finish()
    state.sure = state.sure or "address" in fields
    name = fields["function"].rstrip(_MARKS)
    state.last, state.stated = item, index
    _add(state, max(index, _next(state)), name, fields.get("address"), item.at)


def _next(state: _State) -> int:
    return state.frames[-1].index + 1 if state.frames else 0


def _add(state: _State, index: int, name: str, address: str | None, at: Position) -> None:
    if len(state.frames) >= MAX_FRAMES:
        state.omitted += 1
        return
    function = None if name in _NAMELESS else name
    state.frames.append(
        Frame(
            index=index,
            function=function,
            address=None if address and not int(address, 16) else address,
            trust=trust_of(function),
            at=at,
        )
    )


def _place(state: _State, item: Item) -> None:
    """Read where the frame above is, or the function between that was inlined into it."""
    last = state.last
    if last is None or not state.frames:
        return
    between = (item.at.line or 0) - (last.at.line or 0) - 1
    sibling = _SIBLING.fullmatch(last.rest[-1]) if last.rest else None
    if sibling and between == len(last.rest):
        state.frames[-1] = replace(state.frames[-1], inlined=True)
        at = replace(item.at, line=(item.at.line or 1) - 1)
        _add(state, _next(state), sibling[1].strip(), state.frames[-1].address, at)
    elif between > 1:
        return
    file = item.fields["place_file"]
    state.last = item
    state.sure = state.sure or file.endswith(".rs")
    frame = state.frames[-1]
    if frame.file is None:
        state.frames[-1] = replace(
            frame,
            file=file,
            line=number(item.fields["place_line"]),
            column=number(item.fields.get("place_column")),
            trust=Trust.DEBUG_INFO if frame.function else frame.trust,
        )


def _hidden(state: _State, item: Item) -> None:
    fields = item.fields
    if not state.closed:
        state.last = item
        count = fields.get("omitted") or fields.get("folded") or fields["post"]
        state.omitted += int(count)


def _note(state: _State, _item: Item) -> None:
    state.finish()


_HANDLERS = {
    "panic": _panic,
    "old_panic": _old_panic,
    "old_end": _old_end,
    "app_panic": _app_panic,
    "message": _message,
    "location": _location,
    "overflowed": _overflowed,
    "fatal": _fatal,
    "no_memory": _no_memory,
    "heading": _heading,
    "other_heading": _other_heading,
    "frame": _frame,
    "place": _place,
    "hidden": _hidden,
    "note": _note,
}

FORMAT = Format(
    name="rust",
    title="Rust's panics and backtraces",
    anchors=(
        "panicked at ",
        "tack backtrace:",
        " BACKTRACE ",
        "has overflowed its stack",
        "fatal runtime error: ",
        "memory allocation of ",
        "application panicked",
        ".rs:",
        " - <unknown>",
        " - std",
        " - core",
    ),
    opens=late(
        r"[^\n]{0,200}?(?:thread '[^'\n]{0,200}'(?: \(\d{1,10}\))? (?:panicked at |has overflowed)"
        r"|fatal runtime error: |memory allocation of \d{1,20} bytes failed"
        r"|The application panicked \(crashed\))"
        r"|[^\n]{0,80}?(?:(?<!\w)[Ss]tack backtrace:[ \t*]{0,8}$|[━-] BACKTRACE [━-])"
        r"|[ \t]{0,8}\d{1,5}:[ \t]{1,24}0x[0-9a-fA-F]{1,16} - \S"
        r"|[ \t]{1,60}at [^\n]{1,1000}?\.rs:\d"
    ),
    read=_read,
    before=12,
    after=30,
    reach=60,
)
