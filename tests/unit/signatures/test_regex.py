"""Patterns that a hostile text could keep busy are refused; what is let through is fast."""

from __future__ import annotations

import re
import time

import pytest

from triage.signatures.regex import MAX_TEXT, regex_literal, regex_problem


@pytest.mark.parametrize(
    "pattern",
    [
        r"(a+)+$", r"(a*)*", r"(?:a|aa)+$", r"(?:\w{1,9}){2,}", r"(a?){40,90}b", r".*a.*b",
        r"\d+x\d+x\d+", r"(.)\1", r"(?:a+){3}b", r"((ab)*c)*", r"(?=(a+)+)b", "a" * 201, "(", "[",
        r"(?:(?:a{1,50}){1,50}){1,50}", r"(?P<x>a)(?P=x)", r"x{1,2000}y{1,2000}",
    ],
)  # fmt: skip
def test_refused(pattern: str) -> None:
    assert regex_problem(pattern)


ALLOWED = [
    r"CUDA error \d{1,4}: \w{1,40}",
    r"needs \d+ MiB",
    r"(?:out of memory|cannot allocate)",
    r"^GGML_ASSERT\([^)]{1,90}\) failed$",
    r"(?i)version [0-9.]{1,20}, built with [0-9.]{1,20}",
    r".*a",
    r"[^\n]*b{1,5}$",
    r"a?b?c?",
    r"(?:ab){3}",
    r"\bsm_\d{2}\b",
]


@pytest.mark.parametrize("pattern", ALLOWED)
def test_allowed(pattern: str) -> None:
    assert regex_problem(pattern) is None


@pytest.mark.parametrize("pattern", ALLOWED)
@pytest.mark.parametrize("unit", ["a", "ab", "1 ", "b\\", "version 1"])
def test_what_is_allowed_is_fast(pattern: str, unit: str) -> None:
    text = (unit * MAX_TEXT)[:MAX_TEXT]
    start = time.process_time()
    re.search(pattern, text)
    assert time.process_time() - start < 0.5


@pytest.mark.parametrize(
    ("pattern", "literal"),
    [
        (r"Version \d{1,4} too old!", " too old!"),
        (r"a|b", ""),
        (r"(?:prefix)? and rest", " and rest"),
        (r"x\.y", "x.y"),
    ],
)
def test_literal(pattern: str, literal: str) -> None:
    assert regex_literal(pattern) == literal
