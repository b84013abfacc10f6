"""Compares the value of a field with what a test asks of it.

A value that is not known holds for nothing, and so does one that cannot be read as what the test
compares (a number, a version).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from triage.frames.names import file_name, name_forms
from triage.frames.paths import tail
from triage.signatures.facts import Value
from triage.signatures.fields import FieldType, Op, find_field
from triage.signatures.regex import MAX_TEXT
from triage.signatures.rule import Test
from triage.text.glob import glob_match
from triage.text.version import Version, in_range

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
}


def holds(test: Test, values: Mapping[str, Value], other: Value = None) -> bool:
    """Tell whether a test holds for a thing's values; `other` is the field ABOVE or BELOW names."""
    value = values.get(test.name)
    if test.op is Op.SET:
        return (value is not None) if test.wanted else (test.name in values and value is None)
    if value is None:
        return False
    if test.op is Op.FITS:
        return any(fits(pattern, value, test.type) for pattern in test.values)
    if test.op is Op.NOT:
        return not any(fits(pattern, value, test.type) for pattern in test.values)
    return _HOLDS[test.op](test, value, other)


def fits(pattern: str | int | float, value: Value, kind: FieldType) -> bool:
    """Tell whether a value fits one pattern, or equals one number."""
    if not isinstance(pattern, str):
        number = as_number(value)
        return number is not None and number == pattern
    if kind in (FieldType.NAME, FieldType.PATH):
        return _fits_place(pattern, str(value), kind)
    return glob_match(pattern, str(value))


@lru_cache(maxsize=16_384)  # thousands of threads have the same few frames
def _fits_place(pattern: str, text: str, kind: FieldType) -> bool:
    if kind is FieldType.NAME:
        return any(glob_match(pattern, form) for form in name_forms(text))
    if "/" not in pattern:
        return glob_match(pattern, file_name(text))
    return glob_match(pattern, text) or glob_match(pattern, tail(text))


def as_number(value: Value) -> float | None:
    """Return a value as a number, hexadecimal or not; None where it is none."""
    if isinstance(value, str):
        try:
            return float(int(value, 16)) if value[:2].lower() == "0x" else float(value)
        except (ValueError, OverflowError):
            return None
    return None if value is None else float(value)


def _compare(test: Test, value: Value, other: Value) -> bool:
    del other
    number = as_number(value)
    return number is not None and all(_COMPARE[op](number, to) for op, to in test.comparisons)


def _version(test: Test, value: Value, other: Value) -> bool:
    del other
    return in_range(str(value), str(test.values[0]))


def _regex(test: Test, value: Value, other: Value) -> bool:
    del other
    return _compiled(str(test.values[0])).search(str(value)[:MAX_TEXT]) is not None


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


def _beyond(test: Test, value: Value, other: Value) -> bool:
    if other is None:
        return False
    named = find_field(str(test.values[0]))
    versions = FieldType.VERSION in (test.type, named.type if named else None)
    read: Callable[[Value], Any] = _as_version if versions else as_number
    a, b = read(value), read(other)
    if a is None or b is None:
        return False
    return bool(a > b if test.op is Op.ABOVE else a < b)


def _as_version(value: Value) -> Version | None:
    try:
        return Version(str(value))
    except ValueError:
        return None


_HOLDS: dict[Op, Callable[[Test, Value, Value], bool]] = {
    Op.COMPARE: _compare,
    Op.VERSION: _version,
    Op.REGEX: _regex,
    Op.ABOVE: _beyond,
    Op.BELOW: _beyond,
}
