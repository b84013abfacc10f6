"""Rich's tracebacks, which stand in boxes.

What is odd about it: a place that is too long for the box goes on in the next line, the code
around each frame may hold a box of its own, and the exception stands below.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from triage.formats._base import Format, Item, Region, number, reading
from triage.formats._tracebacks import Tracebacks
from triage.model.crash import Fragment
from triage.text.late import late
from triage.text.line import Line

_HEADING = late(
    r"[╭┌+][─━-]{1,500} (?:Traceback \(most recent call last\)|Exception Group) [─━-]{1,500}[╮┐+]"
)
_BOTTOM = late(r"[╰└+][─━-]{2,1000}[╯┘+]")
_BARS = "│┃|"
_WHOLE = late(r"[^\n│]{1,2000}:\d{1,9} in \S|in [^\s:]{1,300}:\d{1,9}$|[^\n│]{1,2000}:\d{1,9}$")
_MAX_PARTS = 12


def _read(region: Region) -> Fragment:
    stacks = Tracebacks()
    open_box = done = False
    inner = replace(region, lines=tuple(_contents(region.lines)))
    source = reading(inner, "rich")
    for item in source.items():
        mine = True
        if item.kind == "heading":
            stacks.begin(item.at)
            open_box, done = True, False
        elif item.kind in ("place", "nameless") and open_box:
            _add(stacks, item)
        elif item.kind == "bottom":
            open_box = False
        elif item.kind == "chained":
            stacks.chain()
        elif item.kind == "exception" and not open_box and not done and stacks.frames:
            stacks.fail(item.fields["exception"], item.fields.get("message"), item.at)
            done = True
        else:
            mine = open_box or stacks.continue_message(item.text, item.at, prefixed=False)
        if not mine:
            source.claimed.discard(item.at.line or 0)
    return stacks.fragment("rich", source.claimed)


def _add(stacks: Tracebacks, item: Item) -> None:
    fields = item.fields
    if item.kind == "nameless":
        stacks.add(fields["nameless"], None, number(fields["nameless_line"]), item.at)
    else:
        stacks.add(fields.get("function"), fields["file"], number(fields["line"]), item.at)


def _contents(lines: tuple[Line, ...]) -> Iterator[Line]:
    """Yield the lines without the sides of the box; what names a place begins with a mark.

    The mark is a character that no decoded text holds.
    """
    parts: list[Line] = []
    width = 0
    inside = False
    for line in lines:
        text = line.text.strip()
        if _HEADING.match(text) or _BOTTOM.match(text):
            inside = bool(_HEADING.match(text))
        content = _content(text) if inside else None
        if content is None:
            yield from _place(parts)
            parts = []
            yield replace(line, text=text)
            continue
        width = max(width, len(content))
        starts = content[:1] not in ("", " ", "❱", "│", "╭", "╰", "|") and len(parts) < _MAX_PARTS
        if starts:
            full = len(content.rstrip()) == width
            parts.append(replace(line, text=content.rstrip() + ("" if full else " ")))
            continue
        yield from _place(parts)
        parts = []
        # What stands in a box of its own is no heading and no end of this one.
        yield replace(line, text=content if content[:1] in ("", " ") else f" {content}")
    yield from _place(parts)


def _content(text: str) -> str | None:
    if len(text) < 4 or text[0] not in _BARS:
        return None
    inner = text[1:-1] if text[-1] in _BARS else text[1:]
    return inner[1:].removesuffix(" ") if inner[:1] == " " else inner


def _place(parts: list[Line]) -> Iterator[Line]:
    """Yield the lines of a place as one where they make one."""
    while parts:
        count, text = _longest(parts)
        yield replace(parts[0], text=f"\x01{text}") if text else parts[0]
        parts = parts[count:]


def _longest(parts: list[Line]) -> tuple[int, str | None]:
    """Return how many lines make the first place, and its text.

    A line that fills the box may have been cut at a space or in a word.
    """
    for count in range(1, len(parts) + 1):
        texts = [part.text for part in parts[:count]]
        for text in ("".join(texts).rstrip(), " ".join(t.rstrip() for t in texts)):
            if _WHOLE.match(text) and (" in " in text or count == len(parts)):
                return count, text
    return 1, None


FORMAT = Format(
    name="rich",
    title="Rich's tracebacks",
    anchors=("Traceback (most recent call last) ─", "Traceback (most recent call last) -"),
    opens=late(r"\s{0,40}[╭┌+][─━-]{1,500} Traceback \(most recent call last\) [─━-]{1,500}[╮┐+]"),
    read=_read,
    after=400,
    reach=600,
)
