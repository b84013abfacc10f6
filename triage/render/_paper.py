"""Lays text out on a terminal: width, indents, colours."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from triage.render._templates import Markup
from triage.text.safe import safe_line, safe_text

_STYLES = {
    "bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36",
}  # fmt: skip
_LONGEST = 2_000
_LABEL = 9


def finalize(value: object) -> str:
    """Return a template's value as one safe line, unless the paper made it."""
    return value if isinstance(value, Markup) else safe_line(str(value))


@dataclass(frozen=True, slots=True)
class Paper:
    """What a template writes on; every method takes raw text and returns safe text."""

    width: int
    colour: bool

    def style(self, text: str, names: str) -> Markup:
        """Return one line in the styles named, such as `bold red`."""
        return self._coloured(safe_line(text), names)

    def wrap(self, text: str, *, label: str = "", indent: int = _LABEL, names: str = "") -> Markup:
        """Return text wrapped behind a label that stands in the margin, one line or more."""
        margin = " " * indent
        lines = _lines(text, max(20, self.width - indent))
        head = self._head(label, indent)
        body = [self._coloured(line, names) for line in lines]
        return Markup("\n".join([head + body[0], *(margin + line for line in body[1:])]))

    def pair(
        self, left: str, text: str, *, column: int, label: str = "", whole: bool = False
    ) -> Markup:
        """Return a dim text and, from a column on, another: one line, or the whole of it."""
        room = max(20, self.width - _LABEL - column - 2)
        lines = _lines(text, room) if whole else [clip(text, room)]
        head = self._head(label, _LABEL) + self._coloured(clip(left, column).ljust(column), "dim")
        margin = " " * (_LABEL + column + 2)
        return Markup("\n".join([f"{head}  {lines[0]}", *(margin + line for line in lines[1:])]))

    def block(self, text: str, *, indent: int, label: str = "") -> Markup:
        """Return text to be copied: its own lines, indented and never wrapped."""
        margin = " " * indent
        first, *rest = safe_text(text).split("\n")
        head = self._coloured(label, "dim") + margin[len(label) :]
        return Markup("\n".join([head + first, *((margin + line).rstrip() for line in rest)]))

    def frame(self, name: str, args: str, place: str, *, noise: bool, blamed: bool) -> Markup:
        """Return one frame of a stack on one line; where there is no room, the arguments go."""
        room = max(20, self.width - _LABEL)
        space = room - len(name) - len(place) - 3
        words = (name, clip(args, space) if args and space > 3 else "", f" {place}")
        text = clip(" ".join(word for word in words if word), room)
        line = " " * (_LABEL - 2) + ("> " if blamed else "  ") + text
        return self._coloured(line, "bold" if blamed else "dim" if noise else "")

    def _head(self, label: str, indent: int) -> str:
        return self._coloured(label, "bold") + " " * max(0, indent - len(label))

    def _coloured(self, text: str, names: str) -> Markup:
        """Colour text that is safe already."""
        codes = ";".join(_STYLES[name] for name in names.split())
        return Markup(f"\x1b[{codes}m{text}\x1b[0m" if self.colour and codes and text else text)


def _lines(text: str, room: int) -> list[str]:
    """Wrap text that is not safe yet; there is always a line."""
    safe = safe_line(text[:_LONGEST])
    return textwrap.wrap(safe, room, break_on_hyphens=False) or [""]


def clip(text: str, room: int) -> str:
    """Return text as one safe line of a length at most, with dots where it was cut."""
    line = safe_line(text[:_LONGEST]).strip()
    return line if len(line) <= room else line[: room - 3].rstrip() + "..."
