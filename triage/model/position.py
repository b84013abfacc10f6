"""Where something stands in the inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, TypeVar, cast

T = TypeVar("T")


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

    `time` is as it stands there; `service` is a container or pod, `process` a program or worker;
    `device` is the PCI address of the GPU that the line is about.
    """

    time: str | None = None
    host: str | None = None
    service: str | None = None
    process: str | None = None
    pid: int | None = None
    rank: int | None = None
    device: str | None = None


def in_member(value: T, member: str) -> T:
    """Return a value of the model with every position in it moved into an archive's member."""
    return cast("T", _moved(value, member))


def _moved(value: Any, member: str) -> Any:
    if isinstance(value, Position):
        return replace(value, member=member)
    if isinstance(value, tuple):
        return tuple(_moved(item, member) for item in value)
    if isinstance(value, Mapping):
        return {key: _moved(item, member) for key, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        old = {f.name: getattr(value, f.name) for f in fields(value)}
        new = {name: _moved(item, member) for name, item in old.items()}
        changed = {name: item for name, item in new.items() if item != old[name]}
        return replace(value, **changed) if changed else value
    return value
