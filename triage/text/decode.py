"""From bytes to text: encodings, terminal codes, line ends, hostile characters."""

from __future__ import annotations

import re

MAX_LINE = 8192
"""Characters of a line that are kept; the rest is cut and flagged."""

_CSI = r"\x1b\[[0-?]{0,64}[ -/]{0,16}[@-~]"
_OSC = r"\x1b\][^\x07\x1b\n]{0,4096}(?:\x07|\x1b\\)?"
_OTHER = r"\x1b[ -/]{0,16}[0-~]"
_TERMINAL_CODES = re.compile(f"{_OSC}|{_CSI}|{_OTHER}")
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_BOMS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)


def detect_encoding(head: bytes) -> tuple[str, int]:
    """Return the encoding of a text and the length of its byte order mark.

    Without a mark, UTF-16 is told from the zero bytes in every other place.
    """
    for mark, encoding in _BOMS:
        if head.startswith(mark):
            return encoding, len(mark)
    sample = head[:4096]
    if len(sample) >= 8:
        even, odd = sample[0::2].count(0), sample[1::2].count(0)
        if odd > len(sample) * 0.35 and even < len(sample) * 0.05:
            return "utf-16-le", 0
        if even > len(sample) * 0.35 and odd < len(sample) * 0.05:
            return "utf-16-be", 0
    return "utf-8", 0


def looks_binary(head: bytes) -> bool:
    """Tell whether bytes are no text in any encoding that logs come in."""
    if not head or detect_encoding(head)[0] != "utf-8":
        return False
    # A log on a disk that lost power can hold a long run of NULs; it is text all the same.
    sample = head[:65536].replace(b"\0" * 16, b"")
    odd = sum(sample.count(byte) for byte in _NOT_TEXT)
    return odd > len(sample) * 0.03


_NOT_TEXT = tuple(bytes([n]) for n in range(32) if n not in (8, 9, 10, 12, 13, 27))


def to_text(data: bytes, encoding: str) -> str:
    """Decode bytes; what is not in the encoding stays visible as an escape."""
    return data.decode(encoding, errors="backslashreplace")


def clean(text: str) -> str:
    r"""Remove terminal codes, NULs and other controls; resolve `\r` as a terminal would."""
    text = text.replace("\r\n", "\n")
    if "\x1b" in text:
        text = _TERMINAL_CODES.sub("", text)
    if "\r" in text:
        text = "\n".join(map(_after_return, text.split("\n")))
    return _CONTROLS.sub("", text)


def _after_return(line: str) -> str:
    """Keep what a progress bar left standing: the last part that has any text."""
    parts = [part for part in line.split("\r") if part.strip()]
    return parts[-1] if parts else ""
