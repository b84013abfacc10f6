"""Makes text from a crash harmless before it reaches a terminal, a page or a file name."""

from __future__ import annotations

import re

_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u202a-\u202e\u2028\u2029\u2060-\u2069\ufeff"
    "\ud800-\udfff\ufff9-\ufffb]|[\U000e0000-\U000e007f]"
)


def safe_text(text: str) -> str:
    r"""Return the text with controls, bidi marks and invisible characters as `\x…` or `\u…`."""
    return _UNSAFE.sub(lambda m: _escape(m.group()), text)


def safe_line(text: str) -> str:
    """Return the text as one safe line: as `safe_text`, with line ends and tabs escaped too."""
    return safe_text(text).replace("\n", "\\n").replace("\t", "\\t")


def _escape(char: str) -> str:
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
