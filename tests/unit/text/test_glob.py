"""Globs, words and versions."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.text.glob import glob_match, literal_words, split_words
from triage.text.version import Version, in_range, parse_range

_PATTERNS = st.text("ab_*. ", max_size=12)


@given(_PATTERNS, st.text("ab_. ", max_size=16))
def test_property_a_glob_is_its_regular_expression(pattern, text) -> None:
    expected = re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text, re.DOTALL)
    assert glob_match(pattern, text) == bool(expected)


@given(_PATTERNS, st.lists(st.text("ab_. ", max_size=6), min_size=12, max_size=12))
def test_property_every_match_has_the_literal_words(pattern, fillers) -> None:
    parts = pattern.split("*")
    text = parts[0] + "".join(f + p for f, p in zip(fillers, parts[1:], strict=False))
    assert glob_match(pattern, text)
    assert literal_words(pattern) <= set(split_words(text))


def test_case_does_not_matter() -> None:
    assert glob_match("*OUT of memory*", "CUDA Out Of Memory.")


@pytest.mark.parametrize(
    ("lower", "higher"),
    [
        ("0.9.2", "1.0.0-rc1"),
        ("1.0.0-rc1", "1.0.0"),
        ("1.0.0-rc1", "1.0.0-rc2"),
        ("b99", "b3456"),
        ("520.61.05", "535"),
        ("v1.2", "1.10"),
        ("1.0.0-beta", "1.0.0-rc1"),
    ],
)
def test_versions_are_in_order(lower, higher) -> None:
    assert Version(lower) < Version(higher)


def test_ranges() -> None:
    assert in_range("0.9.2", ">=0.9,<1.0")
    assert not in_range("1.0.0-rc1", "<1.0.0-rc1")
    assert Version("1.0") == Version("1.0.0")
    assert not in_range("unknown", ">=0")
    with pytest.raises(ValueError, match="clause"):
        parse_range("about 3")
