"""Why a conclusion was drawn."""

from __future__ import annotations

from dataclasses import dataclass

from triage.model.position import Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One fact that speaks for or against a conclusion.

    `weight` is the share of the remaining doubt that the fact removes (for) or adds (against);
    `why` says what it shows, in the words of whoever wrote the rule.
    """

    field: str
    text: str
    weight: float
    at: Position | None = None
    why: str | None = None
