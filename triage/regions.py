"""What the formats find in one text, and the lines of it that signatures ask about."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace
from functools import cached_property, lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING, TypeVar

from triage.damage import with_damages
from triage.intake.literals import Literals, all_looked_for, looked_for, rows_of
from triage.model.crash import ErrorRecord, Fragment, LogLine, Signal
from triage.model.position import Origin, Position
from triage.model.stack import Thread
from triage.requests import answered_until, is_refusal, was_survived
from triage.text.document import written_rows
from triage.text.line import NO_PREFIX, Line
from triage.text.locate import runs
from triage.text.quoted import Talk, is_quoted, quotes_first, talk_in
from triage.text.renumber import renumbered
from triage.text.streams import separate

if TYPE_CHECKING:
    from triage.formats import Format

Marked = TypeVar("Marked", ErrorRecord, Signal, Thread)


def read_lines(text: Text, input_id: int, member: str | None = None) -> Iterator[Fragment]:
    """Yield what every format finds in a text; `member` is its name in an archive."""
    from triage.formats import formats  # Lark, which a core dump does not need

    claimed: dict[str, set[int]] = {}
    for form in formats():
        if not text.has(form.anchors):
            continue
        taken: set[int] = set().union(*(claimed.get(name, set()) for name in form.yields_to))
        mine = claimed.setdefault(form.name, set())
        for fragment in _read_format(form, text, taken, (input_id, member)):
            mine.update(fragment.claimed)
            survived = was_survived(fragment, text.answered)
            yield replace(fragment, errors=(), threads=()) if survived else fragment


def _read_format(
    form: Format, text: Text, taken: set[int], source: tuple[int, str | None]
) -> Iterator[Fragment]:
    from triage.formats import Region

    rows = text.talk(form.opens)
    if taken:
        rows |= {row for row, line in enumerate(text.lines) if line.number in taken}
    lines = _emptied(text.lines, rows)
    places = runs(lines, form.opens, before=form.before, after=form.after, reach=form.reach)
    for begin, end in places:
        part = lines[begin:end]
        if text.parted:
            fragment = renumbered(form.read(Region(_counted(part), *source)), part)
        else:
            fragment = form.read(Region(tuple(part), *source))
        span = (min(line.number for line in part), max(line.number for line in part))
        fragment = with_damages(fragment, part, at_end=end == len(lines))
        yield _with_origins(_without_mentions(replace(fragment, span=span), part), part)


def _without_mentions(fragment: Fragment, lines: Sequence[Line]) -> Fragment:
    """Return the fragment without what a sentence only quotes."""
    if not fragment.errors and not fragment.signal:
        return fragment
    texts = {line.number: line.text for line in lines if "`" in line.text or '"' in line.text}
    if not texts:
        return fragment
    errors = tuple(
        e
        for e in fragment.errors
        if not is_quoted(texts.get(e.at.line or 0, "") if e.at else "", e.message or e.name or "")
    )
    signal = fragment.signal
    if signal and signal.at and quotes_first(texts.get(signal.at.line or 0, "")):
        signal = None
    return replace(fragment, errors=errors, signal=signal)


def _without_written(lines: Sequence[Line]) -> Sequence[Line]:
    """Return the lines with those made empty that no program printed."""
    return _emptied(lines, written_rows([line.text for line in lines]))


def _emptied(lines: Sequence[Line], rows: Set[int]) -> Sequence[Line]:
    if not rows:
        return lines
    return [replace(line, text="") if row in rows else line for row, line in enumerate(lines)]


def _counted(lines: Sequence[Line]) -> tuple[Line, ...]:
    """Return one writer's lines with numbers that follow each other, as they do for a format."""
    return tuple(replace(line, number=n) for n, line in enumerate(lines, 1))


def _with_origins(fragment: Fragment, lines: Sequence[Line]) -> Fragment:
    """Return the fragment with the columns that stood in front of what it is made of."""
    columns = {line.number: line.prefix for line in lines if line.prefix is not NO_PREFIX}
    if not columns:
        return fragment

    def marked(thing: Marked) -> Marked:
        prefix = columns.get(thing.at.line or 0) if thing.at else None
        return replace(thing, origin=_joined(thing.origin, prefix.origin())) if prefix else thing

    return replace(
        fragment,
        threads=tuple(map(marked, fragment.threads)),
        errors=tuple(map(marked, fragment.errors)),
        signal=fragment.signal and marked(fragment.signal),
        deaths=tuple(map(marked, fragment.deaths)),
    )


def _joined(own: Origin | None, columns: Origin | None) -> Origin | None:
    """Return the columns, but what the message itself says of its process where it does."""
    if own is None or columns is None:
        return own or columns
    about = own if own.process is not None or own.pid is not None else columns
    joined = replace(columns, process=about.process, pid=about.pid, device=own.device)
    return replace(joined, time=columns.time or own.time)


class Text:
    """The lines of a text, each writer's together, and where the anchors are in them."""

    def __init__(self, lines: Sequence[Line], literals: Literals) -> None:
        parted = separate(lines)
        self.parted = parted is not lines
        self.lines = _without_written(parted)
        # The first line begins behind a line end, too, as some anchors ask for.
        encoded = [line.text.encode() for line in self.lines]
        self._starts = list(accumulate((len(raw) + 1 for raw in encoded), initial=0))[:-1]
        self._places = literals.places(b"\n" + b"\n".join(encoded))

    def has(self, literals: tuple[str, ...]) -> bool:
        """Tell whether any of some literals may be in the text."""
        return not all_looked_for(literals).isdisjoint(self._places)

    def talk(self, opens: re.Pattern[str]) -> set[int]:
        """Return the rows that a pattern confirms for what they quote alone."""
        lines = self.lines
        return {
            row for row, talk in self._talk if opens.match(lines[row].text) and talk.explains(opens)
        }

    def only_mentions(self, row: int, literals: frozenset[str]) -> bool:
        """Tell whether a row has some literals in what it quotes, or in a comment, alone."""
        talk = self._talk_by_row.get(row)
        if talk is None or self.lines[row].text.lstrip().startswith("#"):
            return False  # Java's fatal errors have that mark on every line
        return talk.only_mentions(literals)

    @cached_property
    def answered(self) -> int:
        """The number of the last line in which a server tells of a request that it answered."""
        return answered_until(self.lines)

    @cached_property
    def _talk_by_row(self) -> dict[int, Talk]:
        return dict(self._talk)

    @cached_property
    def _talk(self) -> list[tuple[int, Talk]]:
        return [(n, talk) for n, line in enumerate(self.lines) if (talk := talk_in(line.text))]

    def rows(self, beginnings: Mapping[bytes, Sequence[str]]) -> dict[int, set[str]]:
        """Return the rows in which literals are, in whatever case, and which may be in each.

        `beginnings` has the literals by the part that was looked for.
        """
        found: dict[int, set[str]] = {}
        for beginning, ends in self._places.items():
            for literals in (beginnings[beginning],) if beginning in beginnings else ():
                for row in rows_of([end - 1 for end in ends], self._starts):
                    found.setdefault(row, set()).update(literals)
        return dict(sorted(found.items()))


@lru_cache(maxsize=8)
def _beginnings(literals: tuple[str, ...]) -> Mapping[bytes, Sequence[str]]:
    found: dict[bytes, list[str]] = {}
    for literal in literals:
        found.setdefault(looked_for(literal, any_case=True), []).append(literal)
    return found


def log_lines(
    text: Text, literals: tuple[str, ...], input_id: int, member: str | None = None
) -> Iterator[LogLine]:
    """Yield the lines that hold any of some literals, which are in lower case."""
    for row, possible in text.rows(_beginnings(literals)).items():
        line = text.lines[row]
        lower = line.text.casefold()
        found = frozenset(literal for literal in possible if literal in lower)
        survived = line.number < text.answered and is_refusal(line.text)
        if found and not survived and not text.only_mentions(row, found):
            at = Position(input=input_id, line=line.number, member=member)
            yield LogLine(text=line.text, at=at, literals=found)
