"""Where something stands in the inputs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """One line of one input.

    `line` counts from 1 and is None where the input has no lines (a core dump).
    """

    input: int = 0
    line: int | None = None
    member: str | None = None
