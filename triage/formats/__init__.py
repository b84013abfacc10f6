"""Every dialect of crash text: one module, one grammar and one fixture folder each."""

from __future__ import annotations

import sys
from functools import cache

from triage.formats._base import Format, Region
from triage.registry import collect

__all__ = ["Format", "Region", "formats"]


@cache
def formats() -> tuple[Format, ...]:
    """Return every format, those that others yield to first."""
    table = collect(sys.modules[__name__], "FORMAT", Format)
    ordered: list[Format] = []

    def place(name: str, waiting: tuple[str, ...]) -> None:
        if name in waiting:
            raise TypeError(f"formats yield to each other in a circle: {waiting}")
        if any(f.name == name for f in ordered):
            return
        for other in table[name].yields_to:
            place(other, (*waiting, name))
        ordered.append(table[name])

    for name in sorted(table):
        place(name, ())
    return tuple(ordered)
