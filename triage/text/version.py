"""Version numbers, compared as people mean them."""

from __future__ import annotations

import re
from functools import total_ordering

_FORM = re.compile(r"[vVbB]?(\d{1,9}(?:\.\d{1,9}){0,5})(?:[-.+_]?([A-Za-z]{1,12})[-.]?(\d{0,9}))?")
_BEFORE_RELEASE = ("dev", "a", "alpha", "b", "beta", "pre", "preview", "rc")
_AFTER_RELEASE = ("post", "p", "patch", "r", "rev")
_CLAUSE = re.compile(r"(>=|<=|==|!=|>|<)\s*(\S{1,40})")


@total_ordering
class Version:
    """A version such as `1.0.0-rc1`, `v0.9.2`, `535.129.03` or `b3456`."""

    __slots__ = ("_key",)

    def __init__(self, text: str) -> None:
        """Read a version; raises ValueError where the text does not start with one."""
        match = _FORM.match(text.strip())
        if not match:
            raise ValueError(f"{text!r} is not a version")
        numbers = [int(n) for n in match[1].split(".")]
        while len(numbers) > 1 and numbers[-1] == 0:
            numbers.pop()
        word = (match[2] or "").lower()
        stage = 0
        if word in _BEFORE_RELEASE:
            stage = _BEFORE_RELEASE.index(word) - 100
        elif word in _AFTER_RELEASE:
            stage = 1
        self._key = (tuple(numbers), stage, int(match[3] or 0) if stage else 0)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self._key == other._key

    def __lt__(self, other: Version) -> bool:
        return self._key < other._key

    def __hash__(self) -> int:
        return hash(self._key)


def parse_range(text: str) -> tuple[tuple[str, Version], ...]:
    """Read a range such as `>=0.9,<1.0`; raises ValueError where it is not one."""
    clauses = []
    for part in text.split(","):
        match = _CLAUSE.fullmatch(part.strip())
        if not match:
            raise ValueError(f"{part.strip()!r} is not a version clause such as '>=0.9'")
        clauses.append((match[1], Version(match[2])))
    return tuple(clauses)


def in_range(version: str, text: str) -> bool:
    """Tell whether a version satisfies every clause of a range; False where it cannot be read."""
    try:
        have = Version(version)
    except ValueError:
        return False
    return all(compare(have, op, want) for op, want in parse_range(text))


def compare(left: Version, op: str, right: Version) -> bool:
    """Apply one of `>= <= == != > <` to two versions."""
    return {
        ">=": left >= right,
        "<=": left <= right,
        "==": left == right,
        "!=": left != right,
        ">": left > right,
        "<": left < right,
    }[op]
