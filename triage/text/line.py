"""A line of an input, with what its writer put in front of it taken apart."""

from __future__ import annotations

from dataclasses import dataclass

from triage.model.position import Origin


@dataclass(frozen=True, slots=True)
class Prefix:
    """What log collectors and a program put in front of the message.

    `service` is the container or pod that a collector names, `process` the program or the worker;
    `collected` tells that a collector wrote the prefix, which it then does on every line.
    """

    time: str | None = None
    host: str | None = None
    service: str | None = None
    process: str | None = None
    pid: int | None = None
    rank: int | None = None
    collected: bool = False

    @property
    def stream(self) -> tuple[str | int | None, ...]:
        """Return what tells one writer's lines from another's."""
        return (self.host, self.service, self.process, self.pid, self.rank)

    def origin(self) -> Origin | None:
        """Return the columns for a report; None where there are none."""
        if self == NO_PREFIX:
            return None
        return Origin(
            time=self.time,
            host=self.host,
            service=self.service,
            process=self.process,
            pid=self.pid,
            rank=self.rank,
        )


NO_PREFIX = Prefix()


@dataclass(frozen=True, slots=True)
class Line:
    """One line without its prefix; `number` counts from 1 in the input as it was given.

    `cut_off` tells that the line above does not belong before it: lines were left out there, or
    another writer's lines end.
    """

    number: int
    text: str
    prefix: Prefix = NO_PREFIX
    cut_off: bool = False
