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


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Who wrote a line, by the columns that log collectors and programs put in front of it.

    `time` is as it stands there; `service` is a container or pod, `process` a program or worker.
    """

    time: str | None = None
    host: str | None = None
    service: str | None = None
    process: str | None = None
    pid: int | None = None
    rank: int | None = None
