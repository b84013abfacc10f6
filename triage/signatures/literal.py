"""The text that everything which fits a pattern contains."""

from __future__ import annotations

from functools import lru_cache

from triage.signatures.fields import Op
from triage.signatures.regex import regex_literal

MIN_LITERAL = 4
"""Characters that a text must have to be worth looking for."""


@lru_cache(maxsize=65_536)
def value_literal(op: Op, value: str) -> str:
    """Return the longest text, in lower case, that is in everything that fits a value of a test."""
    if op is Op.REGEX:
        return regex_literal(value).strip()
    runs = "".join(c if c.isascii() else "*" for c in value).split("*")
    return max(runs, key=len).strip().lower()
