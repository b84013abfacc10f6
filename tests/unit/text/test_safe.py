from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.text.safe import safe_line, safe_text


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("plain text, Ünïcödé 漢字 🙂", "plain text, Ünïcödé 漢字 🙂"),
        ("\x1b]0;pwn\a \x1b[2J", r"\x1b]0;pwn\x07 \x1b[2J"),
        ("\x9b31m", r"\x9b31m"),
        ("over\rwrite", r"over\x0dwrite"),
        ("\u202eevil\u2066", r"\u202eevil\u2066"),
        ("zero\u200bwidth\ufeff", r"zero\u200bwidth\ufeff"),
        ("\ud800", r"\ud800"),
        ("\U000e0041", r"\U000e0041"),
        ("a\nb\tc", "a\nb\tc"),
    ],
)
def test_what_a_terminal_obeys_becomes_visible(text: str, safe: str) -> None:
    assert safe_text(text) == safe


def test_a_line_is_one_line() -> None:
    assert safe_line("a\nb\tc\x85d\u2028e") == r"a\nb\tc\x85d\u2028e"


@given(st.text())
def test_no_control_or_format_character_is_left(text: str) -> None:
    for char in safe_line(text):
        assert unicodedata.category(char) not in ("Cc", "Cs", "Zl", "Zp")
        assert unicodedata.bidirectional(char) not in (
            "LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"
        )  # fmt: skip


@given(st.text())
def test_safe_text_stays_as_it_is(text: str) -> None:
    once = safe_text(text)
    assert safe_text(once) == once
    assert len(safe_line(text).splitlines()) <= 1
