"""Takes apart one frame as the LLVM symbolizer and its relatives print it.

`0xADDR in FUNCTION FILE:LINE:COLUMN (MODULE+0xOFFSET) (BuildId: …)`, of which every part may be
missing. Nothing but a space stands between function and file, and both may hold spaces, so the
place is looked for where all brackets and quotes of the function are closed.
"""

from __future__ import annotations

from dataclasses import dataclass

from triage.model.position import Position
from triage.model.stack import Frame, trust_of
from triage.text.late import late

_BUILD_ID = late(r"\s*\(BuildId: ?[0-9a-fA-F]{1,64}\)$")
_TRAILING_ADDRESS = late(r"\s*\[(0x[0-9a-fA-F]{1,16})\]$")
_OFFSET = late(r"(?P<module>\S(?:[^\n]{0,2000}\S)?)\+(?P<offset>0x[0-9a-fA-F]{1,16})$")
_MARKUP = late(r"\s*<{1,2}(?P<module>[^<>\n]{1,400}?)>{1,2}\+(?P<offset>0x[0-9a-fA-F]{1,16})$")
_ARCH = late(r":(?:x86_64h?|i386|i686|arm64e?|arm64_32|armv7[a-z]?|ppc|ppc64)$")
_ADDRESS = late(r"(?P<address>0x[0-9a-fA-F]{1,16})(?:[ \t]{1,8}(?P<has_name>in(?:[ \t]|$))?|$)")
_PLACE = late(
    r":(\d{1,9})(?::(\d{1,6}))?(?: \(discriminator \d{1,6}\))?$"
    r"|(?<=\w)\((\d{1,9})(?:,(\d{1,6}))?\)$"
)
_GLIBC = late(
    r"(?:(?P<address>0x[0-9a-fA-F]{1,16})[ \t]{1,4})?(?P<module>[^\s()]{1,1000})"
    r"\((?P<function>[^\s()+]{0,4000})(?:\+(?P<offset>0x[0-9a-fA-F]{1,16}))?\)$"
)
_PATH = late(r"/|\.{1,2}[/\\]|[A-Za-z]:[\\/]|\\\\")
_STEP = late(r"[(){}\[\]`']| (?=/|\.{1,2}[/\\]|[A-Za-z]:[\\/]|<null>|\?\?:|[^ ]{1,8192}$)")
_EXTENSION = late(r"[\w+-]\.[A-Za-z]\w{0,7}$")
_CLOSING = {"(": ")", "{": "}", "[": "]", "`": "'"}
_UNKNOWN = frozenset({"", "<null>", "??", "?? ??:?", "<unknown>"})


@dataclass(frozen=True, slots=True)
class Symbolized:
    """The parts of a printed frame."""

    address: str | None = None
    function: str | None = None
    file: str | None = None
    line: int | None = None
    column: int | None = None
    module: str | None = None
    offset: str | None = None


def to_frame(index: int, parts: Symbolized, at: Position, *, inlined: bool = False) -> Frame:
    """Return the frame that is made of the parts."""
    known = None if parts.file == "??" else parts.file
    return Frame(
        index=index,
        function=parts.function,
        file=parts.file,
        line=parts.line,
        column=parts.column,
        module=parts.module,
        offset=parts.offset,
        address=parts.address,
        inlined=inlined,
        trust=trust_of(parts.function, known),
        at=at,
    )


def split_symbolized(text: str) -> Symbolized:
    """Take apart what a sanitizer prints after a frame's number.

    Reads what glibc prints, `MODULE(FUNCTION+0xOFFSET) [0xADDR]`, as well.
    """
    text = _BUILD_ID.sub("", text.strip())
    address = module = offset = None
    if match := _TRAILING_ADDRESS.search(text):
        address, text = match[1], text[: match.start()]
        if glibc := _GLIBC.match(text):
            function = glibc["function"] or None
            return Symbolized(address, function, module=glibc["module"], offset=glibc["offset"])
        if _PATH.match(text) and " " not in text:
            return Symbolized(address, module=text)
    text, module, offset = _split_module(text)
    named = True
    if match := _ADDRESS.match(text):
        address, text = match["address"], text[match.end() :]
        named = match["has_name"] is not None
    function, file, line, column = split_source(text.strip(), named=named)
    return Symbolized(address, function, file, line, column, module, offset)


def _split_module(text: str) -> tuple[str, str | None, str | None]:
    if text.endswith(")"):
        start = last_bracket(text)
        inner = text[start + 1 : -1]
        before = text[:start].rstrip() if start > 0 else ""
        if start >= 0 and inner == "<unknown module>":
            return before, None, None
        if start >= 0 and (match := _OFFSET.match(inner)):
            return before, _ARCH.sub("", match["module"]), match["offset"]
        if start > 0 and text[start - 1] == " " and _PATH.match(inner) and not _PLACE.search(inner):
            return before, _ARCH.sub("", inner), None
    elif match := _MARKUP.search(text):
        return text[: match.start()], match["module"], match["offset"]
    return text, None, None


def last_bracket(text: str) -> int:
    """Return where the bracket opens that the last character closes; -1 where it does not."""
    depth = 0
    for n in range(len(text) - 1, -1, -1):
        if text[n] == ")":
            depth += 1
        elif text[n] == "(":
            depth -= 1
            if depth == 0:
                return n
    return -1


def split_source(
    text: str, *, named: bool = True
) -> tuple[str | None, str | None, int | None, int | None]:
    """Part `FUNCTION FILE:LINE:COLUMN`.

    `named` is False where the text may begin with the file at once. A file without a line counts
    as one only where it ends like the name of a file: a line that was cut ends anywhere.
    """
    place = _PLACE.search(text)
    if place and place[3] and not _EXTENSION.search(text[: place.start()]):
        place = None
    line = column = None
    head = text
    if place:
        line = int(place[1] or place[3])
        column = int(place[2] or place[4] or 0) or None
        head = text[: place.start()]
    elif not _holds_file(text):
        return (None if text in _UNKNOWN else text), None, None, None
    if place and (_PATH.match(head) or (not named and " " not in head)):
        return None, head, line, column
    split = _first_path(head)
    if split is None and place and " " in head:
        split = head.rindex(" ")  # brackets that never close: the name was cut
    if split is None:
        return (None if text in _UNKNOWN else text), None, None, None
    function = head[:split].rstrip()
    file = head[split + 1 :]
    known = None if file == "<null>" else file
    return (None if function in _UNKNOWN else function), known, line, column


def _holds_file(text: str) -> bool:
    last = text.rpartition(" ")[2]
    if last == "<null>":
        return True
    return ("/" in text or "\\" in text) and bool(_EXTENSION.search(text))


def _first_path(head: str) -> int | None:
    """Return the first space that a path follows and before which every bracket is closed."""
    waiting: list[str] = []
    for match in _STEP.finditer(head):
        mark = match.group()
        if mark == " ":
            if not waiting and match.start():
                return match.start()
        elif mark in _CLOSING:
            waiting.append(_CLOSING[mark])
        elif waiting and mark == waiting[-1]:
            waiting.pop()
    return None
