"""The frames of the Linux kernel's stack traces, in each of the forms that it has printed them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from triage.formats._base import Item, number
from triage.model.position import Position
from triage.model.stack import Frame, FrameKind, Trust
from triage.text.late import late

_SYMBOL = late(
    r"(?P<function>[\w.$:@]{1,300})\+(?P<offset>0x[0-9a-fA-F]{1,16})"
    r"(?:/(?:0x)?[0-9a-fA-F]{1,16})?(?P<rest>[^\n]*)"
)
_NAME = late(r"(?P<function>[A-Za-z_.$][\w.$]{0,300})(?=$|[ )])(?P<rest>[^\n]*)")
_MODULE = late(r" {0,2}\[(?P<module>[\w-]{1,64})[^\]]{0,80}\]")
_PLACE = late(
    r" (?:\()?(?P<file>[\w./+-]{1,300}\.(?:c|h|S|rs|s)):(?P<line>\d{1,7})(?![^ )])"
    r"(?P<inlined>[^\n]{0,4}\[inline\])?"
)
_ADDRESSES = late(
    r"\[<(?:(?:0x)?(?P<address>[0-9a-fA-F]{4,16})| {1,10}(?P<inline>inline|none) {1,10})>\]"
    r"[ \t]{0,4}(?P<guess>\? {0,4})?\(?"
    r"(?P<body>[^\[<\n]{0,400}(?:\[[\w-]{1,64}[^\[\]<\n]{0,80}\])?)"
)
_BRACED = late(
    r"<(?P<address>[0-9a-f]{8,16})>\]?\{(?::(?P<module>[\w-]{1,64}):)?"
    r"(?P<function>[^}\n+]{1,300})\+(?P<offset>\d{1,9})[^}\n]{0,40}\}"
)
_KSYMOOPS = late(
    r"(?P<address>[0-9a-f]{8,16}) <(?:\[(?P<module>[\w-]{1,64})\])?"
    r"(?P<function>[^+>\n]{1,300})\+(?P<offset>[0-9a-f]{1,16})"
)
_HEX = late(r"(?:\[?<?)?(?:0x)?(?P<address>[0-9a-fA-F]{1,16})(?![\w+.])")
_IN_ANGLES = late(r"\[?<(?:0x)?([0-9a-fA-F]{4,16})>\]?[ \t]{0,4}")
_BARE_ADDRESS = late(r"\[([0-9a-fA-F]{8,16})\] |([0-9a-fA-F]{8,16}) {1,8}(?=[\w.$]{1,300}\+0x)")
_NULL = late(r"0x0{1,16}(?!\w)")


def frames_of(item: Item) -> Iterator[Frame]:
    """Yield the frames of a line, innermost first; where the caller is printed too, it is last."""
    return _FORMS[item.kind](item.fields, item.at)


def addressed(text: str, at: Position) -> Iterator[Frame]:
    """Yield the frames that a text gives with their addresses.

    These are `[<address>] body`, before 2.6.18 `<address>{function+offset}`, and of ksymoops
    `address <function+offset>`.
    """
    yield from _matched(_BRACED, text, at)
    if not text.startswith(("[", "(", "<", " ")):
        yield from _matched(_KSYMOOPS, text, at)
    for match in _ADDRESSES.finditer(text):
        body = match["body"].strip() if "(" in match["body"] else match["body"].rstrip(") \t")
        frame = _frame(body, at, address=match["address"], guess=bool(match["guess"]))
        yield replace(frame, inlined=True) if match["inline"] == "inline" else frame


def _matched(pattern: re.Pattern[str], text: str, at: Position) -> Iterator[Frame]:
    base = 10 if pattern is _BRACED else 16
    for match in pattern.finditer(text):
        yield Frame(
            index=0,
            function=match["function"],
            module=match["module"],
            offset=hex(int(match["offset"], base)),
            address=f"0x{match['address']}",
            kind=FrameKind.KERNEL,
            trust=Trust.SYMBOL,
            at=at,
        )


def counter_frame(body: str, at: Position) -> Frame | None:
    """Return the frame that a program counter names; None where it names none."""
    if braced := next(_matched(_BRACED, body, at), None):
        return braced
    address = None
    text = body.strip().lstrip("(")
    while match := _IN_ANGLES.match(text):
        address, text = match[1], text[match.end() :]
    if match := _BARE_ADDRESS.match(text):
        address, text = match[1] or match[2], text[match.end() :]
    text = text.lstrip("<(").rstrip(") \t>")
    named = _NAME.match(text)
    if _SYMBOL.match(text) or (named and _PLACE.match(named["rest"])):
        return _frame(text, at, address=address)
    if "null)" in text or _NULL.match(text):
        return _frame("", at, address=address or "0")
    return None


def _source(fields: dict[str, str], at: Position) -> Frame:
    """Return a frame that names a place in the source and no offset."""
    return Frame(
        index=0,
        function=fields["source_function"],
        file=fields.get("source_file") or fields.get("inline_file"),
        line=number(fields.get("source_line") or fields.get("inline_line")),
        module=fields.get("source_module"),
        inlined="inline" in fields,
        kind=FrameKind.KERNEL,
        trust=Trust.TEXT if "source_guess" in fields else Trust.DEBUG_INFO,
        at=at,
    )


def _frame(text: str, at: Position, *, address: str | None = None, guess: bool = False) -> Frame:
    """Return the frame of `function+offset/size [module] (file:line)`, or of a bare address."""
    function = offset = module = file = line = None
    inlined = False
    match = _SYMBOL.match(text) or _NAME.match(text)
    if match:
        function, rest = match["function"], match["rest"]
        offset = match.groupdict().get("offset")
        if function.startswith(":") and function.count(":") == 2:
            _, module, function = function.split(":")
        if named := _MODULE.match(rest):
            module, rest = named["module"], rest[named.end() :]
        guess = guess or "(unreliable)" in rest
        if place := _PLACE.search(rest):
            file, line, inlined = place["file"], int(place["line"]), bool(place["inlined"])
    elif address is None and (bare := _HEX.match(text)):
        address = bare["address"]
    trust = Trust.TEXT if guess else Trust.DEBUG_INFO if file else Trust.SYMBOL
    return Frame(
        index=0,
        function=function,
        file=file,
        line=line,
        module=module,
        offset=offset,
        address=f"0x{address.lower()}" if address else None,
        inlined=inlined,
        kind=FrameKind.KERNEL,
        trust=trust if function else Trust.ADDRESS_ONLY,
        at=at,
    )


def _arm(fields: dict[str, str], at: Position) -> Iterator[Frame]:
    yield _frame(fields["arm_body"], at, address=fields["arm_address"])
    yield _frame(fields["arm_caller"], at, address=fields.get("arm_caller_address"))


def _arm_from(fields: dict[str, str], at: Position) -> Iterator[Frame]:
    yield _frame(fields["from_body"], at)
    yield _frame(fields["from_caller"], at)


def _interrupt(fields: dict[str, str], at: Position) -> Iterator[Frame]:
    if not fields["interrupt_body"].startswith("0x"):
        yield _frame(fields["interrupt_body"], at)


def _crash_tool(fields: dict[str, str], at: Position) -> Iterator[Frame]:
    yield Frame(
        index=0,
        function=fields["crash_function"],
        address=f"0x{fields['crash_address']}",
        module=fields.get("crash_module"),
        kind=FrameKind.KERNEL,
        trust=Trust.SYMBOL,
        at=at,
    )


_FORMS: dict[str, Callable[[dict[str, str], Position], Iterator[Frame]]] = {
    "trace": lambda fields, at: addressed(fields.get("trace_rest", ""), at),
    "frame": lambda fields, at: addressed(fields["frames"], at),
    "arm": _arm,
    "arm_from": _arm_from,
    "ppc": lambda fields, at: iter([_frame(fields["ppc_body"], at, address=fields["ppc_address"])]),
    "ppc_interrupt": _interrupt,
    "sparc": lambda fields, at: iter(
        [_frame(fields["sparc_body"], at, address=fields["sparc_address"])]
    ),
    "crash_frame": _crash_tool,
    "old": lambda fields, at: addressed(fields.get("old") or fields["ksymoops"], at),
    "bare": lambda fields, at: iter(
        [_frame(fields["bare_body"], at, guess="bare_guess" in fields)]
    ),
    "hex_only": lambda fields, at: iter([_frame(fields["hex"], at, guess="hex_guess" in fields)]),
    "source": lambda fields, at: iter([_source(fields, at)]),
}
