"""Finds the lines of an input that a format may understand."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from triage.text.line import Line


def runs(
    lines: Sequence[Line], opens: re.Pattern[str], *, before: int, after: int, reach: int
) -> Iterator[tuple[int, int]]:
    """Yield the half-open ranges of lines around those that a pattern confirms.

    Ranges grow by `before` and `after` lines and are joined over gaps of up to `reach` lines;
    a range never goes over a line that is cut off from the one above.
    """
    start = last = -1
    for n, line in enumerate(lines):
        if not opens.match(line.text):
            continue
        if start >= 0 and (n - last > reach + 1 or _parted(lines, last, n)):
            yield _grow(lines, start, last, before, after)
            start = -1
        if start < 0:
            start = n
        last = n
    if start >= 0:
        yield _grow(lines, start, last, before, after)


def _parted(lines: Sequence[Line], a: int, b: int) -> bool:
    return any(lines[n].cut_off for n in range(a + 1, b + 1))


def _grow(lines: Sequence[Line], start: int, last: int, before: int, after: int) -> tuple[int, int]:
    begin, end = start, last + 1
    while begin > 0 and start - begin < before and not lines[begin].cut_off:
        begin -= 1
    while end < len(lines) and end - last - 1 < after and not lines[end].cut_off:
        end += 1
    return begin, end
