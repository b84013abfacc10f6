"""Prints how a text was read: the regions, their dialects, and what came from each line."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from triage.model.crash import Fragment
from triage.model.parsing import ParsedInput, ParsedLine, ParsedRegion
from triage.model.position import Position
from triage.model.report import Input
from triage.model.stack import Frame
from triage.render._base import RenderOptions
from triage.render._paper import Paper, clip
from triage.render._words import (
    error_name,
    frame_place,
    function_name,
    signal_words,
    thread_title,
)
from triage.text.line import Line

_NUMBER = 8
_READ = 46  # at most, and half of the page


def explain_parsing(
    item: Input, lines: Sequence[Line], fragments: Iterable[Fragment]
) -> ParsedInput:
    """Return what each region's format read from which line."""
    by_number: dict[int, list[str]] = defaultdict(list)
    for line in lines:
        by_number[line.number].append(line.text)
    regions = [_region(f, by_number) for f in fragments if f.span]
    known = {line.number for region in regions for line in region.lines}
    return ParsedInput(
        input=item,
        kept=len(by_number),
        unread=len(by_number.keys() - known),
        regions=tuple(sorted(regions, key=lambda r: (r.first, r.last, r.dialect))),
    )


def _region(fragment: Fragment, texts: dict[int, list[str]]) -> ParsedRegion:
    first, last = fragment.span or (0, 0)
    read: dict[int, list[str]] = defaultdict(list)
    for at, words in _facts(fragment):
        if at is not None and at.line is not None:
            read[at.line].append(words)
    return ParsedRegion(
        dialect=fragment.dialect,
        first=first,
        last=last,
        lines=tuple(
            ParsedLine(
                number=number,
                text=" ".join(texts[number]),
                read=tuple(read.get(number, ())),
                understood=number in fragment.claimed,
            )
            for number in range(first, last + 1)
            if number in texts
        ),
    )


def _facts(fragment: Fragment) -> Iterator[tuple[Position | None, str]]:
    if fragment.engine:
        version = f" {fragment.engine.version}" if fragment.engine.version else ""
        for evidence in fragment.engine.evidence:
            yield evidence.at, f"engine {fragment.engine.name}{version}"
    if fragment.signal:
        yield fragment.signal.at, f"signal {signal_words(fragment.signal)}"
    for error in fragment.errors:
        yield error.at, f"error {error_name(error)}"
    for thread in fragment.threads:
        if not thread.frames or thread.at != thread.frames[0].at:
            yield thread.at, thread_title(thread) + (", crashed" if thread.crashed else "")
        for frame in thread.frames:
            yield frame.at, _frame(frame)
    for name, at in fragment.environment.where.items():
        yield at, f"fact {name.removeprefix('fact.')}"
    for warning in fragment.warnings:
        yield warning.at, f"warning {warning.code}"


def _frame(frame: Frame) -> str:
    place = frame_place(frame, short=True)
    words = f"frame #{frame.index} {function_name(frame)}"
    return f"{words}  {place}" if place else words


def render_parsing(parsed: Sequence[ParsedInput], options: RenderOptions) -> str:
    """Return the page on how texts were read."""
    paper = Paper(options.width, options.colour)
    return "\n".join(line for item in parsed for line in _input(item, paper)) + "\n"


def _input(item: ParsedInput, paper: Paper) -> Iterator[str]:
    regions = len(item.regions)
    yield paper.style(
        f"{item.input.name}: {_count(item.kept, 'line')} looked at, {_count(regions, 'region')}, "
        f"{_count(item.unread, 'line')} in none",
        "bold",
    )
    for region in item.regions:
        yield ""
        yield paper.style(f"{region.dialect}, lines {region.first}-{region.last}", "cyan")
        yield from _lines(region.lines, paper)


def _lines(lines: Sequence[ParsedLine], paper: Paper) -> Iterator[str]:
    for plain, group in groupby(lines, key=lambda line: not (line.read or line.understood)):
        run = list(group)
        if plain and len(run) > 2:
            yield paper.style(
                f"{'':{_NUMBER}}  lines {run[0].number}-{run[-1].number}: nothing read", "dim"
            )
            continue
        for line in run:
            yield from _line(line, paper)


def _line(line: ParsedLine, paper: Paper) -> Iterator[str]:
    reads = line.read or (("understood",) if line.understood else ("-",))
    wide = min(_READ, paper.width // 2 - _NUMBER)
    room = max(20, paper.width - _NUMBER - wide - 4)
    for n, words in enumerate(reads):
        number = f"{line.number:>{_NUMBER}}" if n == 0 else " " * _NUMBER
        left = f"{number}  {clip(words, wide):<{wide}}"
        text = paper.style(f"  {clip(line.text, room)}", "dim") if n == 0 and line.text else ""
        yield (left + text).rstrip()


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
