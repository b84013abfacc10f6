"""Puts the pieces of an incident in an order that does not depend on how they were given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from triage.incident.process import KERNEL_DIALECTS
from triage.model.crash import Fragment, LogLine
from triage.model.stack import ThreadKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One text, dump or model file, with everything that was found in it."""

    name: str
    fragments: tuple[Fragment, ...]
    lines: tuple[LogLine, ...] = ()


def in_order(pieces: Sequence[Piece]) -> list[Piece]:
    """Return the pieces by what they tell: the engine's own log first, the machine's last.

    Where two tell as much, their names decide: of two accounts of a fact the first one counts, and
    a verdict must not depend on the order of the arguments.
    """
    return sorted(pieces, key=lambda piece: (_standing(piece), piece.name))


def _standing(piece: Piece) -> int:
    told = piece.fragments
    own = [f for f in told if f.dialect not in KERNEL_DIALECTS]
    if any(f.engine or f.environment.options for f in own):
        return 0
    if any(t.kind is ThreadKind.GPU for f in own for t in f.threads):
        return 1
    if any(f.threads for f in own):
        return 2
    if any(f.errors or f.signal for f in own):
        return 3
    return 4 if any(f.errors or f.signal or f.threads for f in told) else 5
