"""What a reader made of each line of a text, for a person who wants to know why."""

from __future__ import annotations

from dataclasses import dataclass

from triage.model.report import Input


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedLine:
    """A line, and what was read from it; `understood` holds where the format knew its form."""

    number: int
    text: str
    read: tuple[str, ...] = ()
    understood: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedRegion:
    """Consecutive lines that one format was given."""

    dialect: str
    first: int
    last: int
    lines: tuple[ParsedLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedInput:
    """One text with its regions; `unread` counts the kept lines that are in none."""

    input: Input
    kept: int = 0
    unread: int = 0
    regions: tuple[ParsedRegion, ...] = ()
