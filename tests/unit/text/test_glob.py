"""Globs against the same written as regular expressions, and the words that they promise."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from triage.text.glob import glob_match, literal_words, longest_literal, split_words

CHARS = "ab_A *:İßſ.1"
patterns = st.text(st.sampled_from(CHARS), max_size=12)
texts = st.text(st.sampled_from(CHARS.replace("*", "-")), max_size=20)


def reference(pattern: str, text: str) -> bool:
    parts = map(re.escape, pattern.casefold().split("*"))
    return re.fullmatch(".*".join(parts), text.casefold(), re.DOTALL) is not None


@given(patterns, texts)
@example("a*a", "a")
@example("*", "")
@example("", "")
@example("ab*b", "ab")
@example("*a*a*", "a")
@example("*ab*ba*", "aba")
@example("a*b*a", "aba")
def test_like_the_regular_expression(pattern: str, text: str):
    assert glob_match(pattern, text) == reference(pattern, text)


@given(st.lists(texts, min_size=1, max_size=4), st.lists(texts, min_size=3, max_size=3))
def test_every_text_made_from_a_pattern_matches(literals: list[str], fill: list[str]):
    text = literals[0] + "".join(a + b for a, b in zip(fill, literals[1:], strict=False))
    assert glob_match("*".join(literals), text)


@given(st.lists(texts, min_size=1, max_size=4), st.lists(texts, min_size=3, max_size=3))
def test_every_matching_text_has_the_words(literals: list[str], fill: list[str]):
    text = literals[0] + "".join(a + b for a, b in zip(fill, literals[1:], strict=False))
    assert literal_words("*".join(literals)) <= set(split_words(text))


@given(patterns, texts)
def test_every_matching_text_has_the_literal(pattern: str, text: str):
    if glob_match(pattern, text):
        assert longest_literal(pattern) in text.casefold()


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("out of memory", {"out", "of", "memory"}),
        ("*illegal memory*", set()),
        ("* illegal memory *", {"illegal", "memory"}),
        ("cuda*", set()),
        ("cuda *", {"cuda"}),
        ("llm::engine::*", {"llm", "engine"}),
        ("*Error", set()),
        ("CUDA_ERROR_700", {"cuda_error_700"}),
        ("*", set()),
        ("a*b c*d", set()),
        ("a*b, c ,d*e", {"c"}),
    ],
)
def test_words_of(pattern: str, words: set[str]):
    assert literal_words(pattern) == words


def test_longest_literal():
    assert longest_literal("*error: Illegal ADDRESS*x") == "error: illegal address"
    assert longest_literal("**") == ""


def test_words_of_a_text():
    assert split_words("llm::Engine<int>::load_model2 (a=0x1f)") == [
        "llm", "engine", "int", "load_model2", "a", "0x1f",
    ]  # fmt: skip


def test_many_stars_take_no_longer():
    # Backtracking matchers need years for this.
    assert not glob_match("*a" * 50 + "b", "a" * 8000)
    assert glob_match("*a" * 50, "a" * 8000)
