"""pytest's reports of failed tests.

What is odd about it: the exception's text stands before the place that raised it, in the lines
that begin with `E`; and in the long style a frame's function is in the code above its place.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from triage.formats._base import Format, Item, Region, number, reading
from triage.formats._tracebacks import MAX_MESSAGE_LINES, Tracebacks
from triage.model.crash import Fragment
from triage.model.position import Position
from triage.text.late import late

_NAMED = late(r"(?P<name>(?:[A-Za-z_]\w{0,60}\.){0,8}[A-Z]\w{0,80})(?:: (?P<message>.*))?$")
# Values that an assertion compared: they may be any text, such as the words of a crash.
_COMPARED = late(r"[ \t]{0,40}\+ {1,4}(?:where|and) ")
_PARTS = ("FAILURES", "ERRORS")


@dataclass(slots=True)
class _State:
    stacks: Tracebacks = field(default_factory=Tracebacks)
    inside: bool = False
    function: str | None = None
    text: list[str] = field(default_factory=list)
    text_at: Position | None = None

    def flush(self, name: str | None = None) -> None:
        """End the open stack with the exception that was printed."""
        if self.text_at is not None and self.stacks.frames:
            match = _NAMED.match(self.text[0])
            head = (match["message"] or "") if match else self.text[0]
            message = "\n".join([head, *self.text[1:]]).strip() or None
            self.stacks.fail(
                match["name"] if match else name or "AssertionError", message, self.text_at
            )
        self.text, self.text_at, self.function = [], None, None


def _read(region: Region) -> Fragment:
    state = _State()
    source = reading(region, "pytest")
    for item in source.items():
        if not _take(state, item):
            source.claimed.discard(item.at.line or 0)
    state.flush()
    return state.stacks.fragment("pytest", source.claimed)


def _take(state: _State, item: Item) -> bool:
    fields = item.fields
    if item.kind in ("part", "section", "boundary", "chained"):
        return _divide(state, item)
    if item.kind == "short":
        if state.text_at is not None:
            state.flush()
        state.stacks.add(
            fields["short_function"], fields["short_file"], number(fields["short_line"]), item.at
        )
    elif item.kind == "place" and state.inside:
        state.stacks.add(state.function, fields["file"], number(fields["line"]), item.at)
        if fields.get("exception"):
            state.flush(fields["exception"])
        state.function = None
    elif item.kind == "definition":
        state.function = state.function or fields["function"]
        return False
    elif item.kind == "error":
        state.text_at = state.text_at or item.at
        if _COMPARED.match(fields["error"]):
            return bool(state.inside or state.stacks.frames)
        if len(state.text) < MAX_MESSAGE_LINES:
            state.text.append(fields["error"])
        return bool(state.inside or state.stacks.frames)
    else:
        return False
    return True


def _divide(state: _State, item: Item) -> bool:
    if item.kind == "boundary":
        state.function = None
        return state.inside
    state.flush()
    if item.kind == "part":
        state.inside = item.fields["part"].strip() in _PARTS
        state.stacks.finish()
        return state.inside
    if item.kind == "section":
        state.stacks.finish()
        if state.inside:
            state.stacks.begin(item.at, name=item.fields["section"].strip())
        return state.inside
    had = bool(state.stacks.threads)
    state.stacks.chain()
    return had


FORMAT = Format(
    name="pytest",
    title="pytest's reports of failed tests",
    anchors=("= FAILURES =", "= ERRORS =", ": in "),
    opens=late(
        r"={3,200} (?:FAILURES|ERRORS) ={3,200}"
        r"|[^\s:'\"(][^\n:'\"(]{0,1000}\.pyx?:\d{1,9}: in [\w<]"
    ),
    read=_read,
    before=2,
    after=400,
    reach=600,
)
