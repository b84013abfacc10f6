"""Turns lines of gdb's machine interface into values, in time linear in their length.

pygdbmi reads short lines. On long ones its time grows with the square of their length, and it
never ends on one that is cut off; so a reader of our own takes the stacks, which gives the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from pygdbmi import gdbmiparser

_RESULT: Final = re.compile(r"\d*\^([a-z-]+)(?:,|$)")
_TOKEN: Final = re.compile(
    r'(?:(?P<key>[A-Za-z_][\w-]*)=)?(?:"(?P<text>[^"\\]*(?:\\(?:[0-7]{3}|[abefnrtv"\'\\])[^"\\]*)*)"'
    r"|(?P<open>[\[{]))|(?P<close>[\]}])"
)
_ESCAPE: Final = re.compile(rb"\\(?:([0-7]{3})|(.))")
_CONTROLS: Final = dict(zip(b"abefnrtv", b"\a\b\x1b\f\n\r\t\v", strict=True))
_PAIRS: Final[dict[str, type]] = {"]": list, "}": dict}
_MAX_DEPTH: Final = 64
_STREAMS: Final = ("~", "@", "&")

_SHORT: Final = 1024
_PLAIN: Final = re.compile(
    r'\d*\^[a-z-]+(?:,[A-Za-z_][\w-]*="[ !#-\[\]-~]*")*\Z'
)  # results of named texts without escapes: what pygdbmi reads in linear time

_Container = dict[str, Any] | list[Any]


def parse_record(line: str) -> dict[str, Any] | None:
    """Return message and payload of a result or of a line of text, None for anything else.

    A list of named values comes back as a list of the values. A line that is cut off is nothing.
    """
    if len(line) <= _SHORT and _PLAIN.match(line):
        known = gdbmiparser.parse_response(line)
        return {"message": known["message"], "payload": known["payload"] or {}}
    return own_record(line)


def own_record(line: str) -> dict[str, Any] | None:
    """Return what `parse_record` does, for a line of any length and form."""
    if line.startswith(_STREAMS):
        match = _TOKEN.fullmatch(line, 1)
        text = match and match["text"]
        return None if text is None else {"message": None, "payload": _unescaped(text)}
    head = _RESULT.match(line)
    if head is None:
        return None
    payload = _parse_values(line, head.end())
    return None if payload is None else {"message": head[1], "payload": payload}


def _parse_values(line: str, at: int) -> dict[str, Any] | None:
    """Read named values up to the end of the line; None where they do not end there."""
    top: dict[str, Any] = {}
    stack: list[_Container] = [top]
    expect_more = False
    while at < len(line):
        match = _TOKEN.match(line, at)
        if match is None:
            return None
        at = match.end()
        key, text, opened, closed = match.groups()
        if closed:
            inner = stack.pop()
            if expect_more or not stack or not isinstance(inner, _PAIRS[closed]):
                return None
        elif not _put(stack, key, text, opened):
            return None
        expect_more = line.startswith(",", at)
        at += expect_more
        if not expect_more and not opened and at < len(line) and line[at] not in "]}":
            return None
    return top if len(stack) == 1 and not expect_more else None


def _put(stack: list[_Container], key: str | None, text: str | None, opened: str | None) -> bool:
    """Add a value to the innermost container; false where it has no place there."""
    value: Any = ({} if opened == "{" else []) if opened else _unescaped(text or "")
    inner = stack[-1]
    if isinstance(inner, list):
        inner.append(value)
    elif key is None:
        return False
    else:
        inner[key] = value
    if opened:
        stack.append(value)
    return len(stack) <= _MAX_DEPTH


def _unescaped(text: str) -> str:
    if text.isascii() and "\\" not in text:
        return text
    # Of a character's bytes some can be escaped and some not.
    raw = _ESCAPE.sub(_byte, text.encode("utf-8", "surrogateescape"))
    return raw.decode("utf-8", "replace")


def _byte(match: re.Match[bytes]) -> bytes:
    octal, letter = match.groups()
    if octal:
        return bytes([int(octal, 8) & 0xFF])
    return bytes([_CONTROLS.get(letter[0], letter[0])])


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
