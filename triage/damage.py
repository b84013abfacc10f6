"""Names what is damaged in a text with stacks: cut off, wrapped, mixed with other output, paged.

Grammars of lines read on behind any damage, so none of it is an error; the reader of a report must
know of it all the same. A damage is a row of a table: how its lines look and where they stand.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from itertools import pairwise

from triage.model.crash import Fragment, ReportWarning
from triage.model.position import Position
from triage.model.stack import Frame
from triage.text.late import late
from triage.text.line import Line


class Place(Enum):
    """Where a damaged line stands."""

    ANYWHERE = auto()
    LAST = auto()
    BETWEEN_FRAMES = auto()


@dataclass(frozen=True, slots=True)
class Damage:
    """How the lines of one damage look; `message` is said with how often it was met."""

    code: str
    message: str
    looks: re.Pattern[str]
    place: Place


_LEVEL = r"(?:DEBUG|INFO|NOTICE|WARN(?:ING)?|ERROR)"
DAMAGES = (
    Damage(
        "pager-prompt",
        "the pager's question stands in this text {count} time(s)",
        late(
            r"-{2,3}(?:Type <(?:RET|return)>|More-{2})|\(END\)$"
            r"|lines \d{1,9}-\d{1,9}(?:/\d{1,9})?(?: \(END\)| \d{1,3}%)?$"
        ),
        Place.ANYWHERE,
    ),
    Damage(
        "frame-truncated",
        "the text ends within a stack frame",
        late(
            r"(?:\[ {0,8}\d{1,9}\.\d{1,9}\])?[ \t>]{0,40}"
            r"(?:(?:frame )?#\d{1,7}:?[ \t]{0,8}(?:0x[0-9a-fA-F]{0,16})?(?: in)?$"
            r'|File "[^"\n]{0,1000}(?:"(?:,(?: l(?:i(?:n(?:e(?: )?)?)?)?)?)?)?$'
            r"|at (?:[\w.$<>/]{0,400}|[\w.$<>/]{1,400}\([^()\n]{0,300})$"
            r"|(?:=={0,1}\d{1,10}=={0,1}[ \t]{1,12})(?:at|by)(?: 0x[0-9a-fA-F]{0,16}:?)?$"
            r"|\[?<?[0-9a-f]{4,15}$|[\w.$]{1,300}\+0x[0-9a-f]{0,8}/?$|@ {1,8}0x[0-9a-f]{0,16}$)"
        ),
        Place.LAST,
    ),
    Damage(
        "text-interleaved",
        "{count} line(s) of other output stand between the frames of a stack",
        late(
            rf"(?:\[?{_LEVEL}\]?[: ]|\[[EWID]\d{{3,4}} |\[?\d{{4}}-\d\d-\d\d[T ]\d\d:\d\d"
            rf"|\[\d\d:\d\d:\d\d\]|\d\d:\d\d:\d\d[.,]\d{{1,6}} {_LEVEL}\b)"
        ),
        Place.BETWEEN_FRAMES,
    ),
)
_OF_ITS_OWN = {"gdb": frozenset(damage.code for damage in DAMAGES) | {"frame-wrapped"}}
_MIN_WIDTH, _MIN_TIMES = 60, 3


def with_damages(fragment: Fragment, lines: Sequence[Line], *, at_end: bool) -> Fragment:
    """Return a fragment with a warning for each damage of the region that it was read from.

    `at_end` tells that the region's last line is the text's.
    """
    if not fragment.threads or not lines:
        return fragment
    done = {warning.code for warning in fragment.warnings}
    done |= _OF_ITS_OWN.get(fragment.dialect, frozenset())
    at = next((t.frames[0].at for t in fragment.threads if t.frames), None) or Position()
    found = [
        ReportWarning(
            code=code,
            message=message.format(count=len(numbers)),
            at=replace(at, line=numbers[0]),
        )
        for code, message, numbers in _found(fragment, lines, at_end)
        if code not in done
    ]
    return replace(fragment, warnings=(*fragment.warnings, *found)) if found else fragment


def _found(
    fragment: Fragment, lines: Sequence[Line], at_end: bool
) -> Iterator[tuple[str, str, list[int]]]:
    frames = [
        [f.at.line for f in thread.frames if f.at and f.at.line] for thread in fragment.threads
    ]
    taken = set(fragment.claimed).union(*frames)
    left = [line for line in lines if line.number not in taken]
    for damage in DAMAGES:
        candidates: Iterable[Line] = left
        if damage.place is Place.LAST:
            last = next((line for line in reversed(lines) if line.text.strip()), None)
            candidates = [last] if at_end and last else []
        elif damage.place is Place.BETWEEN_FRAMES:
            candidates = _between(left, frames)
        numbers = [line.number for line in candidates if damage.looks.match(line.text)]
        if numbers:
            yield damage.code, damage.message, numbers
    if wrapped := _wrapped(lines, {number for thread in frames for number in thread}, taken):
        yield "frame-wrapped", "lines were wrapped at one width {count} times", wrapped
    if missing := [n for thread in fragment.threads for n in _gaps(thread.frames)]:
        yield "frames-missing", "numbered frames are missing in {count} place(s)", missing


def _between(lines: Sequence[Line], frames: Iterable[Sequence[int]]) -> Iterator[Line]:
    """Yield the lines that stand between the first and the last frame of a stack."""
    spans = iter(sorted((min(numbers), max(numbers)) for numbers in frames if numbers))
    begin, end = next(spans, (0, 0))
    for line in sorted(lines, key=lambda line: line.number):
        while end < line.number:
            begin, end = next(spans, (0, 1 << 62))
            if not begin:
                return
        if begin < line.number:
            yield line


def _wrapped(lines: Sequence[Line], frames: set[int], taken: set[int]) -> list[int]:
    """Return the frames at whose width a terminal has wrapped the longer ones."""
    ends = [
        line
        for line, behind in pairwise(lines)
        if line.number in frames
        and len(line.text) >= _MIN_WIDTH
        and behind.number not in taken
        and behind.text[:1].strip()
        and behind.text[:1] not in "#*=-["
    ]
    width, times = next(iter(Counter(len(line.text) for line in ends).most_common(1)), (0, 0))
    longest = max((len(line.text) for line in lines if line.number in frames), default=0)
    if times < _MIN_TIMES or width != longest:
        return []
    return [line.number for line in ends if len(line.text) == width]


def _gaps(frames: Sequence[Frame]) -> Iterator[int]:
    """Yield the lines of frames before which numbers are left out."""
    for a, b in pairwise(frames):
        if b.index - a.index > 1 and b.at and b.at.line:
            yield b.at.line
