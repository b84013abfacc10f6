"""Makes text safe to stand in Markdown, on a page that links names, numbers and addresses.

GitHub turns `@name`, `#1`, commit ids and bare addresses into links after the backslashes are
gone, so such words stand in code spans, where it leaves them alone.
"""

from __future__ import annotations

import re

from triage.render._templates import Markup
from triage.text.safe import safe_line, safe_text

_LONGEST = 4_000
_MAGIC = re.compile(
    r"@|#\d|://|(?i:www\.|mailto:|xmpp:|gh-\d)|(?<![0-9A-Za-z])[0-9a-f]{7,40}(?![0-9A-Za-z])"
)
_SPECIAL = re.compile(r"[\\`*\[\]~|$<>&]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_ENTITIES = {"<": "&lt;", ">": "&gt;", "&": "&amp;"}
_ORDERED = re.compile(r"\d{1,9}(?=[.)])")


def prose(value: object) -> str:
    """Return a template's value as one line of harmless Markdown, unless it is made already."""
    if isinstance(value, Markup):
        return value
    words = safe_line(str(value))[:_LONGEST].split()
    return _start(" ".join(_code(w) if _MAGIC.search(w) else _escape(w) for w in words))


def code(text: str) -> Markup:
    """Return text as a code span."""
    return Markup(_code(" ".join(safe_line(text)[:_LONGEST].split(" ")).strip()))


def cell(text: str) -> Markup:
    """Return text as a table's cell: in prose the bar is an entity, in code it is another bar."""
    return Markup(prose(text.replace("|", "\u00a6")))


def fence(text: str, language: str = "") -> Markup:
    """Return text as a fenced block, with a fence that the text cannot close."""
    ticks = "`" * max(3, _longest_run(text) + 1)
    return Markup(f"{ticks}{language}\n{safe_text(text)}\n{ticks}")


def _code(text: str) -> str:
    if not text:
        return ""
    ticks = "`" * (_longest_run(text) + 1)
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{ticks}{space}{text}{space}{ticks}"


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)


def _escape(word: str) -> str:
    """Escape what Markdown reads anywhere in a line."""
    return _SPECIAL.sub(lambda m: _ENTITIES.get(m[0], f"\\{m[0]}"), word)


def _start(line: str) -> str:
    """Escape what Markdown reads at the start of a line only."""
    if line[:1] in ("#", "+", "-", "="):
        return f"\\{line}"
    number = _ORDERED.match(line)
    return f"{number[0]}\\{line[number.end() :]}" if number else line
