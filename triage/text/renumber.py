"""Gives what was read of one writer's lines the numbers that these lines have in the input."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from triage.model.crash import Fragment
from triage.model.position import Position
from triage.text.line import Line


def renumbered(fragment: Fragment, lines: Sequence[Line]) -> Fragment:
    """Return the fragment with the n-th line of `lines`, from 1, named by its own number."""
    moved: Fragment = _moved(fragment, lines)
    return dataclasses.replace(
        moved, claimed=frozenset(lines[number - 1].number for number in fragment.claimed)
    )


def _moved(value: Any, lines: Sequence[Line]) -> Any:
    if isinstance(value, Position):
        if value.line is None:
            return value
        return dataclasses.replace(value, line=lines[value.line - 1].number)
    if isinstance(value, tuple):
        return tuple([_moved(item, lines) for item in value])
    if isinstance(value, Mapping):
        return {key: _moved(item, lines) for key, item in value.items()}
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return value
    changed = {}
    for field in dataclasses.fields(value):
        old = getattr(value, field.name)
        if old is None or isinstance(old, str | int | float):
            continue
        new = _moved(old, lines)
        if new is not old:
            changed[field.name] = new
    return dataclasses.replace(value, **changed) if changed else value
