"""Takes one printed frame apart: function, arguments, place.

Argument lists hold anything (strings with parentheses, templates, lambdas), so they are found by
one walk that balances brackets, in time linear in the length of the line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_ADDRESS = re.compile(r"(0x[0-9a-fA-F]{1,16}) in ")
_AT = re.compile(r"\)? at (?P<file>.+?)(?::(?P<line>\d{1,9}))?(?::(?P<column>\d{1,6}))?$")
_LAUNCH = re.compile(r"<<<\([\d,]{1,40}\),\([\d,]{1,40}\)>>>")
_OPERATOR = re.compile(r"(?<!\w)operator\s*(?:\(\)|\[\]|<<=?|>>=?|<=>|<=?|>=?|->\*?)")
_OPEN = {"(": ")", "[": "]", "{": "}", "<": ">"}
_CLOSE = frozenset(_OPEN.values())


@dataclass(frozen=True, slots=True)
class SplitFrame:
    """The parts of a printed frame; `complete` is False where it ends inside its arguments."""

    address: str | None = None
    function: str | None = None
    args: str | None = None
    launch: str | None = None
    file: str | None = None
    line: int | None = None
    column: int | None = None
    module: str | None = None
    complete: bool = True


def split_frame(text: str) -> SplitFrame:
    """Take apart what a debugger prints after a frame's number.

    Reads `[0xADDR in ]FUNCTION[ (ARGS)][ at FILE:LINE| from MODULE]`.
    """
    text = text.strip()
    address = None
    match = _ADDRESS.match(text)
    if match:
        address, text = match[1], text[match.end() :]
    launch = None
    match = _LAUNCH.search(text)
    if match:
        launch, text = match.group(), text[: match.start()] + text[match.end() :]
    start, end = _argument_list(text)
    if start < 0:
        function, place = _split_place(text)
        return _located(address, function, None, launch, place)
    if end < 0:
        return SplitFrame(
            address=address,
            function=_name(text[:start]),
            args=text[start + 2 :],
            launch=launch,
            complete=False,
        )
    return _located(address, text[:start], text[start + 2 : end], launch, text[end + 1 :])


def _located(
    address: str | None, function: str, args: str | None, launch: str | None, place: str
) -> SplitFrame:
    file = line = column = module = None
    if place.startswith(" from "):
        module = place[6:].strip() or None
    elif place.startswith(" at "):
        match = _AT.match(place)
        if match:
            file = match["file"].strip() or None
            line = int(match["line"]) if match["line"] else None
            column = int(match["column"]) if match["column"] else None
    return SplitFrame(
        address=address,
        function=_name(function),
        args=args,
        launch=launch,
        file=file,
        line=line,
        column=column,
        module=module,
        complete=not place or place.startswith((" from ", " at ")),
    )


def _name(text: str) -> str | None:
    text = text.strip()
    return None if text in ("", "??") else text


def _split_place(text: str) -> tuple[str, str]:
    for word in (" at ", " from "):
        at = text.rfind(word)
        if at > 0:
            return text[:at], text[at:]
    return text, ""


def _argument_list(text: str) -> tuple[int, int]:
    """Return where the ` (` of the argument list and its `)` stand; -1 where they do not.

    A name may itself hold ` (`: only a group with nothing, a place or a module behind it is the
    argument list. The last group counts where several would do.
    """
    unclosed = -1
    for start, end in _groups(text):
        if end < 0:
            unclosed = start
        elif text[end + 1 :].startswith((" at ", " from ")) or end == len(text) - 1:
            return start, end
    return unclosed, -1


def _groups(text: str) -> list[tuple[int, int]]:
    """Return the ` (…)` groups outside all brackets, as (position of the space, of the `)`)."""
    groups: list[tuple[int, int]] = []
    stack: list[str] = []
    start, n, size = -1, 0, len(text)
    while n < size:
        char = text[n]
        if char == "o" and not stack and (match := _OPERATOR.match(text, n)):
            n = match.end()
            continue
        if char in "\"'" and start >= 0:
            n = _skip_quoted(text, n)
        elif char in _OPEN and (char != "<" or start < 0):
            if char == "(" and not stack and n > 0 and text[n - 1] == " ":
                start = n - 1
            stack.append(_OPEN[char])
        elif char in _CLOSE and stack and char in stack[-1:]:
            stack.pop()
            if not stack and start >= 0:
                groups.append((start, n))
                start = -1
        n += 1
    if start >= 0:
        groups.append((start, -1))
    return groups


def _skip_quoted(text: str, n: int) -> int:
    """Return the position of the quote that closes the one at `n`, or `n` if none does."""
    quote = text[n]
    if quote == "'" and text[n - 1] not in " =(,{":
        return n
    at = n + 1
    while at < len(text):
        if text[at] == "\\":
            at += 1
        elif text[at] == quote:
            return at
        at += 1
    return n if quote == "'" else len(text)
