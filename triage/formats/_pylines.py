"""Brings the lines of a traceback back to what the interpreter printed.

Terminals cut them at their edge, viewers draw boxes around them, loggers put columns in front of
each or fold all of them into one, and workers write into one another's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from triage.formats._base import Region
from triage.text.late import late
from triage.text.line import Line
from triage.text.prefix import split_prefix

_BARS = "│┃║"
_FOLDED = late(r"Traceback \(most recent call last\):\\+n")
_NEWLINE = late(r"\\{1,3}n")
_MAX_FOLDED = 400

_FRAME = late(r'File "[^"\n]{1,2000}", line \d')
_HEADING = "Traceback (most recent call last):"
_GROUP = "+ Exception Group "
_SEPARATOR = late(r"( {0,80})\+-(\+-)?-{3,40} (?:\d{1,6}|\.\.\.|-{1,40})")
_DIGIT = late(r"\d")
_MAX_LEAD = 300

_OPEN = late(r"[^\n\"]{0,200}?File \"")
_COMPLETE = late(r"File \"[^\"\n]{1,2000}\", line (?:\d{1,9}|\?\?\?),? in \S")
_CUT_HEAD = late(
    r"File \"[^\"\n]{1,2000}(?:\"(?:,(?: (?:l(?:i(?:n(?:e(?: (?:\d{1,9}(?:,(?: (?:i(?:n ?)?)?)?)?)?"
    r")?)?)?)?)?)?)?)?$"
)
_MAX_CUTS = 3

_RANK = late(r"\[rank ?\d{1,6}\]|\[\d{1,6},\d{1,6}\]<std(?:out|err)>")


@dataclass(frozen=True, slots=True)
class Stream:
    """The lines that one writer printed; `joined` maps a line to those that were put into it."""

    region: Region
    joined: dict[int, tuple[int, ...]]


def streams(region: Region) -> Iterator[Stream]:
    """Yield a region's lines as they were printed, each writer's on their own."""
    joined: dict[int, tuple[int, ...]] = {}
    lines = _unwrapped(_unboxed(_unfolded(region.lines)), joined)
    for own in _by_writer(tuple(lines)):
        yield Stream(replace(region, lines=tuple(_without_leads(own))), joined)


def _by_writer(lines: tuple[Line, ...]) -> Iterable[Iterable[Line]]:
    """Part lines by the process or rank that they name; one alone leaves them as they are."""
    writers: dict[tuple[object, ...], list[Line]] = {}
    for line in lines:
        prefix = line.prefix
        rank = _RANK.match(line.text)
        key = (prefix.host, prefix.process, prefix.pid, prefix.rank, rank and rank[0])
        writers.setdefault(key, []).append(line)
    named = [key for key in writers if any(part is not None for part in key)]
    return writers.values() if len(named) > 1 else [lines]


def _unfolded(lines: Iterable[Line]) -> Iterator[Line]:
    r"""Undo what writes a whole traceback into one line with `\n` in it."""
    for line in lines:
        if "\\n" in line.text and _FOLDED.search(line.text):
            parts = _NEWLINE.split(line.text, _MAX_FOLDED)
            for part in parts:
                yield replace(line, text=part.replace('\\"', '"'))
        else:
            yield line


def _unboxed(lines: Iterable[Line]) -> Iterator[Line]:
    for line in lines:
        text = line.text.rstrip()
        if len(text) > 1 and text[0] in _BARS and text[-1] in _BARS:
            prefix, rest = split_prefix(text[1:-1].removeprefix(" ").rstrip())
            yield Line(line.number, rest, prefix if prefix.time or prefix.pid else line.prefix)
        else:
            yield line


def _unwrapped(lines: Iterable[Line], joined: dict[int, tuple[int, ...]]) -> Iterator[Line]:
    """Join the frame lines that a terminal has cut."""
    waiting: list[Line] = []
    for line in lines:
        if waiting:
            whole = _join(waiting, line)
            if whole is not None:
                waiting.append(line)
                if _COMPLETE.search(whole):
                    first = waiting[0]
                    joined[first.number] = tuple(part.number for part in waiting[1:])
                    yield replace(first, text=whole)
                    waiting = []
                continue
            yield from waiting
            waiting = []
        if _may_be_cut(line.text):
            waiting = [line]
        else:
            yield line
    yield from waiting


def _may_be_cut(text: str) -> bool:
    match = _OPEN.match(text)
    return bool(match and _CUT_HEAD.match(text, match.end() - 6))


def _join(waiting: list[Line], line: Line) -> str | None:
    """Return the frame that lines make together; None where the last is not a part of it."""
    if len(waiting) > _MAX_CUTS or not line.text.strip() or line.text.startswith("  "):
        return None
    if 'File "' in line.text:
        return None
    whole = "".join(part.text for part in waiting) + line.text.rstrip()
    start = whole.find('File "')
    fits = _COMPLETE.match(whole, start) or _CUT_HEAD.match(whole, start)
    return whole if fits else None


def _without_leads(lines: Iterable[Line]) -> Iterator[Line]:
    """Take off what a logger puts in front of each line of a traceback.

    A frame or a heading shows it; the lines that follow lose what has the same form.
    """
    lead = ""
    for line in lines:
        text = line.text
        found = _lead(text)
        if found is not None:
            lead = found
        elif separator := _SEPARATOR.match(text):
            lead = separator[1] + ("  | " if separator[2] else "| ")
            yield line
            continue
        if lead and _shape(text[: len(lead)]) == _shape(lead):
            yield replace(line, text=text[len(lead) :])
        elif lead and text == lead.rstrip():
            yield replace(line, text="")
        else:
            yield line


def _lead(text: str) -> str | None:
    """Return what stands in front of a frame or a heading, None for other lines."""
    start = text.find('  File "', 0, _MAX_LEAD)
    if start >= 0 and _FRAME.match(text, start + 2):
        return text[:start]
    start = text.find(_HEADING, 0, _MAX_LEAD)
    if start < 0:
        return None
    return text[:start].removesuffix(_GROUP)


def _shape(text: str) -> str:
    return _DIGIT.sub("0", text)
