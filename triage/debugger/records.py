"""Turns lines of gdb's machine interface into values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, cast

from pygdbmi import gdbmiparser

_STRING: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"')
_NO_VALUE: Final = re.compile(r"=(?![\0{[])")
_BRACKETS: Final = re.compile(r"[][{}]")
_PAIRS: Final = {"]": "[", "}": "{"}
_MAX_DEPTH: Final = 64


def parse_record(line: str) -> dict[str, Any] | None:
    """Return type, message, token and payload of a line, None where it cannot be parsed."""
    if not _is_whole(line):
        return None
    try:
        return cast("dict[str, Any]", gdbmiparser.parse_response(line))
    except (ValueError, IndexError, TypeError, AssertionError):
        return None


def as_mapping(value: object) -> Mapping[str, Any]:
    """Return a tuple of the interface, an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[Any]:
    """Return a list of the interface; a single value is a list of one."""
    if isinstance(value, list):
        return value
    return [] if value is None or value == "" else [value]


def as_text(value: object) -> str | None:
    """Return a non-empty string of the interface."""
    return value if isinstance(value, str) and value else None


def as_number(value: object) -> int | None:
    """Return a decimal or hexadecimal number of the interface."""
    try:
        return int(str(value), 0)
    except ValueError:
        return None


def _is_whole(line: str) -> bool:
    """Tell whether brackets and quotes match: the parser never ends on a line that is cut off."""
    if line.startswith(("~", "@", "&", "(")):
        return True
    rest = _STRING.sub("\0", line.partition(",")[2])
    if '"' in rest or _NO_VALUE.search(rest):
        return False
    stack: list[str] = []
    for bracket in _BRACKETS.findall(rest):
        if bracket in "[{":
            stack.append(bracket)
        elif not stack or stack.pop() != _PAIRS[bracket]:
            return False
        if len(stack) > _MAX_DEPTH:
            return False
    return not stack
