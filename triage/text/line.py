"""A line of an input, with what its writer put in front of it taken apart."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Prefix:
    """What a log collector or a program put in front of the message."""

    time: str | None = None
    host: str | None = None
    process: str | None = None
    pid: int | None = None
    rank: int | None = None


NO_PREFIX = Prefix()


@dataclass(frozen=True, slots=True)
class Line:
    """One line without its prefix; `number` counts from 1 in the input as it was given."""

    number: int
    text: str
    prefix: Prefix = NO_PREFIX
