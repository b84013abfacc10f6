"""Folds a long line of JSON, so that a crash report of one line is read whole.

White space may stand between any two values, so a line end between two of them changes nothing.
"""

from __future__ import annotations

import re
from typing import Final

LONGEST: Final = 4 << 20
"""Bytes of a line up to which it is folded."""

_REPORT = re.compile(
    rb'[ \t]{0,40}(?:\{|"(?:threads|usedImages|asi|lastExceptionBacktrace|modules'
    rb'|crashing_thread)")'
)
_KEYS = (
    b'"usedImages"', b'"faultingThread"', b'"threadState"', b'"imageOffset"',
    b'"lastExceptionBacktrace"', b'"crashing_thread"', b'"module_offset"', b'"crash_info"',
)  # fmt: skip
_MARK = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?|,')  # a string that never ends is one, too


def folded(raw: bytes, width: int) -> list[bytes]:
    """Return a line that holds a crash report as JSON in lines of up to `width` bytes.

    A line that is none, or is too long to be one, is returned as it is. Every new line but the
    first begins behind a comma; a value that is longer than `width` stays whole.
    """
    if not width < len(raw) <= LONGEST or not _REPORT.match(raw):
        return [raw]
    if not any(key in raw for key in _KEYS):
        return [raw]
    lines: list[bytes] = []
    begin = last = 0
    for match in _MARK.finditer(raw):
        if match[0] != b",":
            continue
        if match.end() - begin > width and last > begin:
            lines.append(raw[begin:last])
            begin = last
        last = match.end()
    if len(raw) - begin > width and last > begin:
        lines.append(raw[begin:last])
        begin = last
    lines.append(raw[begin:])
    return lines
