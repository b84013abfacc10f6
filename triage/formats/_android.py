"""What Android's dialects share: logcat's columns and native frames."""

from __future__ import annotations

from dataclasses import replace

from triage.formats._base import Region
from triage.frames.symbolized import last_bracket
from triage.model.position import Position
from triage.model.stack import Frame, Trust
from triage.text.late import late

_TIME = r"(?:\d{4}-)?\d\d-\d\d \d\d:\d\d:\d\d\.\d{3,9}(?: [+-]\d{4})?:?"
_WHEN = rf"(?:{_TIME} {{1,3}})?"
_COLUMNS = (
    # logcat -v threadtime, with a uid or without; the time may be gone
    _WHEN + r"(?:[\w.]{1,20} {1,6})?\d{1,7} {1,6}\d{1,7} [VDIWEFA] [^:\n]{0,60}?: ?",
    # -v time, -v brief
    _WHEN + r"(?:\d{1,7}-\d{1,7}/[\w.:?-]{1,80} )?[VDIWEFA]/[^(:\n]{0,60}(?:\( {0,6}\d{1,7}\))?: ?",
    # Android Studio
    _WHEN + r"\d{1,7}-\d{1,7} {1,4}[^\n]{1,60}? {1,40}[VDIWEFA] {1,2}",
    # -v tag
    r"[VDIWEFA] [\w.-]{1,40} {0,8}: ",
)
_LOGCAT = late("|".join(_COLUMNS))

_BUILD_ID = late(r" ?\((?:BuildId: ?|Build ID: ?)?(?P<id>[0-9a-fA-F]{8,64})\)$")
_MAP_OFFSET = late(r" \(offset (?:0x)?[0-9a-fA-F]{1,16}\)")
_DELETED = late(r" \(deleted\)$")
_BEHIND = late(r"\+(?:0x[0-9a-fA-F]{1,16}|\d{1,12})$")


def without_logcat(region: Region) -> Region:
    """Return a region with logcat's columns taken off its lines."""
    lines = tuple(
        replace(line, text=line.text[match.end() :])
        if (match := _LOGCAT.match(line.text))
        else line
        for line in region.lines
    )
    return replace(region, lines=lines)


def native_frame(index: int, pc: str, rest: str, at: Position) -> Frame:
    """Return the frame that stands behind `#00 pc ADDR`.

    Reads `PATH[ (offset 0x…)][ (FUNCTION[+N])][ (BuildId: …)]`; the pc is relative to the module.
    """
    text = rest.strip()
    if match := _BUILD_ID.search(text):
        text = text[: match.start()]
    text = _MAP_OFFSET.sub("", text)
    function = None
    if text.endswith(")") and not _DELETED.search(text):
        start = last_bracket(text)
        if start > 0:
            function, text = _BEHIND.sub("", text[start + 1 : -1]).strip(), text[:start].rstrip()
    module = _DELETED.sub("", text).strip()
    known = bool(function) and function not in ("???", "unknown", "<unknown>")
    value = int(pc, 16)
    unmapped = module in ("", "<unknown>", "???")
    return Frame(
        index=index,
        function=function if known else None,
        module=None if unmapped else module,
        offset=None if unmapped else hex(value),
        address=hex(value) if unmapped else None,
        trust=Trust.SYMBOL if known else Trust.ADDRESS_ONLY,
        at=at,
    )
