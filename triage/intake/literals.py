"""Finds many literals in a text at once: with hyperscan where it is installed and worth its start.

A long literal is looked for by its beginning alone, which is more than twice as fast; so what is
found may be a little more than what was asked for, and never less.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property, lru_cache
from typing import IO, Any

from triage.parse.cache import load_cached, store_cached

LONG = 20
"""Characters of a literal that are looked for; hyperscan needs another, slower engine above 24."""

_SMALL = 1 << 15  # bytes up to which a search for each literal costs less than hyperscan's start
_FEW = 200  # small texts, as in an archive, that together cost as much

_BEGINNING = 4  # bytes of a literal that it is looked up by

Buffer = bytes | bytearray | memoryview
_Pattern = tuple[bytes, bool]


class Literals:
    """A set of literals to find; those in `any_case` are found in whatever case they stand."""

    def __init__(self, literals: Iterable[str], any_case: Iterable[str] = ()) -> None:
        exact = {(text[:LONG].encode(), False) for text in literals}
        loose = {(text[:LONG].lower().encode(), True) for text in any_case}
        self._patterns = sorted(exact | loose)
        self._small = 0

    def ends(self, data: Buffer) -> list[int]:
        """Return, in order, where literals end in a piece of a big text."""
        return self._finder(data)

    def places(self, data: bytes) -> dict[bytes, list[int]]:
        """Return where each literal that occurs ends, by the part of it that was looked for."""
        self._small += len(data) <= _SMALL
        quick = len(data) <= _SMALL and self._small <= _FEW
        if quick or self._database is None:
            return self._searched(data)
        found: dict[bytes, list[int]] = {}
        for index, end in self._scanned(data):
            found.setdefault(self._patterns[index][0], []).append(end)
        return {text: sorted(ends) for text, ends in found.items()}

    def _searched(self, data: bytes) -> dict[bytes, list[int]]:
        """Look up what may begin at each byte: the cost is that of the data, not of the set."""
        lower = data.lower()
        found: dict[bytes, list[int]] = {}
        beginnings, short = self._beginnings
        for at in range(len(lower) - _BEGINNING + 1):
            for text, any_case in beginnings.get(lower[at : at + _BEGINNING], ()):
                if (lower if any_case else data).startswith(text, at):
                    found.setdefault(text, []).append(at + len(text))
        for text, any_case in short:
            where = lower if any_case else data
            at = where.find(text)
            while at >= 0:
                found.setdefault(text, []).append(at + len(text))
                at = where.find(text, at + 1)
        return found

    @cached_property
    def _beginnings(self) -> tuple[dict[bytes, list[_Pattern]], list[_Pattern]]:
        """Return the literals by how they begin, in lower case, and those that are too short."""
        long: dict[bytes, list[_Pattern]] = {}
        short = [pattern for pattern in self._patterns if len(pattern[0]) < _BEGINNING]
        for pattern in self._patterns:
            if len(pattern[0]) >= _BEGINNING:
                long.setdefault(pattern[0][:_BEGINNING].lower(), []).append(pattern)
        return long, short

    def _scanned(self, data: Buffer) -> list[tuple[int, int]]:
        hits: list[tuple[int, int]] = []

        def note(index: int, _start: int, end: int, _flags: int, _context: object) -> None:
            hits.append((index, end))

        self._database.scan(data, match_event_handler=note)
        return hits

    @cached_property
    def _database(self) -> Any:
        try:
            import hyperscan  # only big texts pay for it
        except ImportError:
            return None
        version = hyperscan.__version__  # type: ignore[attr-defined]
        name = f"literals-{version}-{self._key()}"
        database = load_cached(name, _loaded)
        if database is None:
            database = hyperscan.Database()
            database.compile(
                expressions=[re.escape(text) for text, _ in self._patterns],
                ids=list(range(len(self._patterns))),
                elements=len(self._patterns),
                flags=[hyperscan.HS_FLAG_CASELESS if loose else 0 for _, loose in self._patterns],
            )
            store_cached(name, lambda file: file.write(hyperscan.dumpb(database)))
        return database

    def _key(self) -> str:
        return hashlib.sha256(repr(self._patterns).encode()).hexdigest()[:24]

    @cached_property
    def _finder(self) -> Callable[[Buffer], list[int]]:
        if self._database is not None:
            return lambda data: sorted({end for _, end in self._scanned(data)})
        pattern = re.compile(
            b"|".join(
                b"(?i:%s)" % re.escape(text) if loose else re.escape(text)
                for text, loose in self._patterns
            )
        )
        return lambda data: [match.end() for match in pattern.finditer(data)]


def _loaded(file: IO[bytes]) -> Any:
    """Return a database that was kept; raises where it is damaged or made for another processor."""
    import hyperscan

    database = hyperscan.loadb(file.read(), hyperscan.HS_MODE_BLOCK)
    database.scratch = hyperscan.Scratch(database)
    database.scan(b"", match_event_handler=lambda *_: None)
    return database


def looked_for(literal: str, *, any_case: bool = False) -> bytes:
    """Return the part of a literal by which `Literals.places` names it."""
    return (literal.lower() if any_case else literal)[:LONG].encode()


@lru_cache(maxsize=256)
def all_looked_for(literals: tuple[str, ...], *, any_case: bool = False) -> frozenset[bytes]:
    """Return the parts by which `Literals.places` names some literals; the same are kept."""
    return frozenset(looked_for(text, any_case=any_case) for text in literals)


def rows_of(places: Sequence[int], starts: Sequence[int]) -> list[int]:
    """Return the rows, each once, that offsets into a text lie in; `starts` are those of the rows.

    Both are in order.
    """
    rows: list[int] = []
    row = 0
    last = len(starts) - 1
    for place in places:
        while row < last and starts[row + 1] < place:
            row += 1
        if not rows or rows[-1] != row:
            rows.append(row)
    return rows
