"""Takes one printed frame apart: function, arguments, place.

Argument lists hold anything (strings with parentheses, templates, lambdas), so they are found by
one walk that balances brackets, in time linear in the length of the line. Most frames need no
walk: one expression takes those whose brackets and strings are plain, whole or not at all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from triage.text.late import late

_CHARS = r"[^<>()\[\]{}\"'\n]+"
_FLAT = r"\([^<>()\[\]{}\"'\n]*\)"
_SHALLOW = rf"\((?>{_CHARS}|{_FLAT}|<(?!<)(?>{_CHARS}|{_FLAT})*(?<!-)>)*\)"
_LAMBDA = rf"\{{(?>{_CHARS}|{_SHALLOW})*\}}"


def _templates(depth: int) -> str:
    """Return an expression for `<…>` with templates, parameters and lambdas in it."""
    inner = f"|{_templates(depth - 1)}" if depth else ""
    return rf"<(?!<)(?>{_CHARS}|{_SHALLOW}|{_LAMBDA}{inner})*(?<!-)(?<!operator)>"


_TEMPLATE = _templates(3)
_NAME = (
    rf"(?>[^\s<>()\[\]{{}}\"']+|{_TEMPLATE}|\((?>{_CHARS}|{_FLAT}|{_LAMBDA}|{_TEMPLATE})*\)"
    rf"|\[(?:abi:\w{{1,40}}|clone [\w.$]{{1,400}})\]|{_LAMBDA}|\{{\{{closure\}}\}}"
    r"|[ ](?=[A-Za-z_&\[])(?!at |from ))+"
)
_ARGUMENTS = (
    r"(?>[^()<>\[\]{}\"'\n]+|\"(?>[^\"\\\n]+|\\[^\n])*\"|<[^<>()\[\]{}\"'\n]*>"
    r"|\{[^{}()<>\[\]\"'\n]*\})*"
)
WHOLE = (
    rf"(?:(?P<address>0x[0-9a-fA-F]{{1,16}}) in |(?!0x))(?P<function>{_NAME})"
    rf"(?<!operator) \((?P<args>{_ARGUMENTS})\)"
    r"(?: at (?P<file>(?:[A-Za-z]:)?[^\s:]+):(?P<line>\d{1,9})(?::(?P<column>\d{1,6}))?"
    r"| from (?P<module>\S+))?[ \t]*$"
)
"""The text of an expression that takes a whole plain frame, as `split_frame` takes it."""

_WHOLE = late(WHOLE)
_ADDRESS = late(r"(?:(0x[0-9a-fA-F]{1,16})|0x\S{1,32}) in ")
_UNWOUND = late(
    r"(?P<address>0x[0-9a-fA-F]{6,16})(?: {1,3}- 1)?(?: {1,3}(?P<function>(?!in )\S.*?))??"
    r"(?: - (?P<module>/\S+))?$"
)
_AT = late(r"\)? at (?P<file>.+?)(?::(?P<line>\d{1,9}))?(?::(?P<column>\d{1,6}))?$")
_INLINED = late(r" in [^\s()]{1,4096} inlined from [^()\n]{1,1000}$")
_LAUNCH = late(r"<<<\([\d,]{1,40}\),\([\d,]{1,40}\)>>>")
_MARK = late(
    r"[()<>\[\]{}\"']|->"
    r"|(?<!\w)operator\s{0,4}(?:\(\)|\[\]|<<=?|>>=?|<=>|<=?|>=?|->\*?)"
)
"""Brackets and quotes, and where those are something else: an arrow, the name of an operator."""

_STRINGS = {quote: late(rf"{quote}(?>[^\\{quote}]+|\\.)*{quote}") for quote in "\"'"}
_RETURNED = frozenset({"void", "bool", "char", "int", "unsigned int", "long", "float", "double"})
_OPEN = {"(": ")", "[": "]", "{": "}", "<": ">"}


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

    Reads `[0xADDR in ]FUNCTION[ (ARGS)][ at FILE:LINE| from MODULE]`, and what eu-stack prints,
    `0xADDR FUNCTION[ - MODULE]`.
    """
    text = text.strip()
    if match := _WHOLE.match(text):
        return _whole(match)
    return _walked(text)


def _walked(text: str) -> SplitFrame:
    address = None
    match = _ADDRESS.match(text)
    if match:
        address, text = match[1], text[match.end() :]
    launch = None
    match = _LAUNCH.search(text)
    if match:
        launch, text = match.group(), text[: match.start()] + text[match.end() :]
    start, end, cut = _argument_list(text)
    if start < 0:
        if address is None and (match := _UNWOUND.match(text)):
            return SplitFrame(
                address=match["address"], function=match["function"], module=match["module"]
            )
        function, place = _split_place(text)
        if not place and cut >= 0:
            certain = _certain(function, cut)
            return SplitFrame(address=address, function=certain, launch=launch, complete=False)
        return _located(address, function, None, launch, place)
    if end < 0:
        name = _name(text[:start])
        return SplitFrame(
            address=address,
            function=None if name in _RETURNED else name,
            args=text[start + 2 :],
            launch=launch,
            complete=False,
        )
    return _located(address, text[:start], text[start + 2 : end], launch, text[end + 1 :])


def _whole(match: re.Match[str]) -> SplitFrame:
    address, function, args, file, line, column, module = match.groups()
    return SplitFrame(
        address=address,
        function=None if function == "??" else function,
        args=args,
        file=file,
        line=int(line) if line else None,
        column=int(column) if column else None,
        module=module,
    )


def _located(
    address: str | None, function: str, args: str | None, launch: str | None, place: str
) -> SplitFrame:
    file = line = column = module = None
    if place.startswith(" from "):
        module = place[6:].strip() or None
    elif place.startswith(" at "):
        # cuda-gdb names the call that the place was inlined at: it is not the frame's own place.
        match = _AT.match(_INLINED.sub("", place))
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


def _argument_list(text: str) -> tuple[int, int, int]:
    """Return where the ` (` of the argument list, its `)` and an unclosed bracket stand.

    -1 is said of what is not there. A name may itself hold ` (`: only a group with nothing, a place
    or a module behind it is the argument list. The last group counts where several would do.
    """
    unclosed = -1
    groups, cut = _groups(text)
    for start, end in groups:
        if end < 0:
            unclosed = start
        elif text[end + 1 :].startswith((" at ", " from ")) or end == len(text) - 1:
            return start, end, cut
    return unclosed, -1, cut


def _certain(name: str, cut: int) -> str | None:
    """Return what is sure of a name that was cut off in a bracket: all, if that is its parameters.

    What is cut off in a template's arguments may have been a member of that template.
    """
    known = name[:cut]
    if name[cut] != "(" or known != known.strip() or not re.search(r"\w(?:\]|>|\))?$", known):
        return None
    return None if known.endswith("operator") else known


def _groups(text: str) -> tuple[list[tuple[int, int]], int]:
    """Return the ` (…)` groups outside all brackets, as (position of the space, of the `)`).

    The second value is where the outermost bracket stands that is not closed, -1 if all are.
    """
    groups: list[tuple[int, int]] = []
    stack: list[tuple[str, int]] = []
    start, beyond = -1, 0
    for mark in _MARK.finditer(text):
        at = mark.start()
        if at < beyond:
            continue
        char = mark.group()
        if char in _OPEN:
            if char == "(" and start < 0 and not stack and text[at - 1 : at] == " ":
                start = at - 1
            if char != "<" or start < 0:
                stack.append((_OPEN[char], at))
        elif stack and char == stack[-1][0]:
            stack.pop()
            if not stack and start >= 0:
                groups.append((start, at))
                start = -1
        elif char in "\"'" and start >= 0:
            beyond = _skip_quoted(text, at) + 1
    if start >= 0:
        groups.append((start, -1))
    return groups, stack[0][1] if stack else -1


def _skip_quoted(text: str, n: int) -> int:
    """Return the position of the quote that closes the one at `n`, or `n` if none does."""
    quote = text[n]
    if quote == "'" and text[n - 1] not in " =(,{":
        return n
    end = _STRINGS[quote].match(text, n)
    if end:
        return end.end() - 1
    return n if quote == "'" else len(text)
