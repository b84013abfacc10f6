"""Ranges of lines around those that a pattern confirms."""

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.text.line import Line
from triage.text.locate import runs

HIT = re.compile("x")


def lines_of(text: str) -> list[Line]:
    """Make a line of each character; `|` stands for lines that were left out."""
    lines, number, cut_off = [], 0, False
    for char in text:
        number += 1 if char != "|" else 1000
        if char != "|":
            lines.append(Line(number, char, cut_off=cut_off))
        cut_off = char == "|"
    return lines


def found(text: str, *, before: int = 0, after: int = 0, reach: int = 0) -> list[tuple[int, int]]:
    return list(runs(lines_of(text), HIT, before=before, after=after, reach=reach))


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        ("", {}, []),
        ("....", {}, []),
        ("..x..", {}, [(2, 3)]),
        ("..xx.x", {}, [(2, 4), (5, 6)]),
        ("..xx.x", {"reach": 1}, [(2, 6)]),
        ("x..x", {"reach": 1}, [(0, 1), (3, 4)]),
        ("x..x", {"reach": 2}, [(0, 4)]),
        ("...x...", {"before": 2, "after": 1}, [(1, 5)]),
        ("x", {"before": 9, "after": 9}, [(0, 1)]),
        ("x|x", {"reach": 9}, [(0, 1), (1, 2)]),
        ("..|x..|.", {"before": 9, "after": 9}, [(2, 5)]),
        ("x.|.x", {"reach": 9, "after": 9}, [(0, 2), (3, 4)]),
    ],
)
def test_ranges(text: str, options: dict[str, int], expected: list[tuple[int, int]]):
    assert found(text, **options) == expected


@given(
    st.text(st.sampled_from("..x|"), max_size=40),
    st.integers(0, 4),
    st.integers(0, 4),
    st.integers(0, 4),
)
def test_every_hit_is_in_a_range_and_no_range_crosses_a_jump(
    text: str, before: int, after: int, more: int
):
    lines = lines_of(text)
    reach = before + after + more  # as every format has it: no line is in two ranges
    ranges = list(runs(lines, HIT, before=before, after=after, reach=reach))
    covered = [n for begin, end in ranges for n in range(begin, end)]
    assert covered == sorted(set(covered))
    assert {n for n, line in enumerate(lines) if line.text == "x"} <= set(covered)
    for begin, end in ranges:
        numbers = [line.number for line in lines[begin:end]]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        hits = [n for n in range(begin, end) if lines[n].text == "x"]
        assert hits[0] - begin <= before
        assert end - 1 - hits[-1] <= after
        assert all(b - a <= reach + 1 for a, b in itertools.pairwise(hits))
