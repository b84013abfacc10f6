"""Refuses regular expressions that a hostile text could keep busy for long."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable
from typing import Any

MAX_PATTERN = 200
MAX_TEXT = 2_000
"""Characters of a value that a pattern is tried on."""

_MAX_STEPS = 20_000_000
_REPEATS = frozenset({"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"})


def regex_problem(pattern: str) -> str | None:
    """Return what is wrong with a pattern and what to do, None where it can be used.

    A pattern's cost is the product of how often each of its repetitions may try again, for every
    character that it may start at.
    """
    if len(pattern) > MAX_PATTERN:
        return f"the pattern has {len(pattern)} characters; at most {MAX_PATTERN} are allowed"
    try:
        re.compile(pattern)
        tree = _parser().parse(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        return f"not a regular expression: {error}"
    cost = MAX_TEXT
    for name, most, inner in _repeats(tree):
        if name == "GROUPREF":
            return "a back reference can be slow; match the text itself"
        if any(True for _ in _repeats(inner)) or _has_branch(inner):
            return (
                "a repetition inside a repetition, or a choice inside one, can be slow; write the "
                "inner part out or use two conditions"
            )
        cost *= most
    if cost > _MAX_STEPS:
        return "too many open repetitions, which can be slow; write {1,20} in place of + and *"
    return None


def regex_literal(pattern: str) -> str:
    """Return the longest run of characters that every text with the pattern contains."""
    runs: list[str] = [""]
    for op, argument in _parser().parse(pattern):
        if str(op) == "LITERAL" and argument < 0x80:
            runs[-1] += chr(argument)
        else:
            runs.append("")
    return max(runs, key=len).lower()


def _parser() -> Any:
    return importlib.import_module("re._parser")


def _repeats(tree: Iterable[Any]) -> Iterable[tuple[str, int, Any]]:
    for op, argument in tree:
        name = str(op)
        if name in _REPEATS:
            low, high, inner = argument
            yield from _repeat(int(low), min(int(high), MAX_TEXT), inner)
        elif name == "GROUPREF":
            yield name, 1, []
        else:
            for part in _parts(argument):
                yield from _repeats(part)


def _repeat(low: int, high: int, inner: Any) -> Iterable[tuple[str, int, Any]]:
    """Yield a repetition; what is written out a fixed number of times is that many of its own."""
    if high == 1:
        if low == 0:
            yield "OPTIONAL", 2, []
        yield from _repeats(inner)
    elif high == low:
        for name, most, deeper in _repeats(inner):
            yield name, most ** min(high, 8), deeper
    else:
        yield "REPEAT", high, inner


def _has_branch(tree: Any) -> bool:
    return any(
        str(op) == "BRANCH" or any(_has_branch(part) for part in _parts(argument))
        for op, argument in tree
    )


def _parts(argument: Any) -> list[Any]:
    """Return the patterns inside a node's argument, which has another form for each node."""
    if hasattr(argument, "data"):
        return [argument]
    if isinstance(argument, tuple | list):
        return [part for item in argument for part in _parts(item)]
    return []
