"""Interleaved writers are taken apart; what does not interleave stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.text.line import Line
from triage.text.prefix import to_line
from triage.text.streams import separate


def read(*texts: str) -> list[Line]:
    return [to_line(n, text) for n, text in enumerate(texts, 1)]


def shown(lines) -> list[tuple[int, str, bool]]:
    return [(line.number, line.text, line.cut_off) for line in lines]


def test_workers_are_parted_and_keep_their_numbers():
    lines = read(
        "(Worker_TP0 pid=11) Traceback (most recent call last):",
        "(Worker_TP1 pid=12) Traceback (most recent call last):",
        '(Worker_TP1 pid=12)   File "a.py", line 1, in f',
        '(Worker_TP0 pid=11)   File "b.py", line 2, in g',
        "INFO: the server's own line",
        "(Worker_TP1 pid=12) KeyError: 1",
    )
    assert shown(separate(lines)) == [
        (1, "Traceback (most recent call last):", True),
        (4, '  File "b.py", line 2, in g', False),
        (2, "Traceback (most recent call last):", True),
        (3, '  File "a.py", line 1, in f', False),
        (6, "KeyError: 1", False),
        (5, "INFO: the server's own line", True),
    ]


def test_a_line_below_a_collectors_is_the_rest_of_it():
    lines = read("a-1  | #0 f (x=1,", "    y=2) at f.c:3", "b-1  | other", "a-1  | #1 main ()")
    assert [line.number for line in separate(lines)] == [1, 2, 4, 3]


@pytest.mark.parametrize(
    "texts",
    [
        (),
        ("no", "prefix", "at all"),
        ("a-1  | one", "a-1  | two"),
        ("a-1  | one", "a-1  | two", "b-1  | three"),
        ("2026-01-02T03:04:05Z one", "two", "2026-01-02T03:04:06Z three"),
    ],
)
def test_what_does_not_interleave_is_returned_as_it_is(texts: tuple[str, ...]):
    lines = read(*texts)
    assert separate(lines) is lines


def test_a_gap_between_a_writers_lines_stays_a_gap():
    lines = read("a-1  | one", "b-1  | two", "a-1  | three", "a-1  | four")
    lines[1] = Line(2, "two", lines[1].prefix, cut_off=True)
    assert shown(separate(lines)) == [
        (1, "one", True), (3, "three", True), (4, "four", False), (2, "two", True),
    ]  # fmt: skip


@given(st.lists(st.sampled_from(["a-1  | x", "b-1  | x", "(Worker pid=7) x", "x"]), max_size=30))
def test_no_line_is_lost_and_each_writers_stay_in_order(texts: list[str]):
    lines = read(*texts)
    parted = separate(lines)
    assert sorted(line.number for line in parted) == [line.number for line in lines]
    for prefix in {line.prefix for line in lines if line.prefix.pid or line.prefix.service}:
        numbers = [line.number for line in parted if line.prefix == prefix]
        assert numbers == sorted(numbers)
