"""Picks the lines worth reading out of a text of any size, in bounded memory.

Small texts are kept whole. Of a big one the head, the tail, and the lines around every anchor are
kept, with their line numbers. Anchors are literals; hyperscan finds them where it is installed,
one alternation of `re` where it is not.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

CHUNK = 1 << 19
WHOLE = 8 << 20
WHOLE_LINES = 400_000
"""Bytes and lines up to which a text is kept whole."""

HEAD_LINES = 500
TAIL_LINES = 1_000
BEFORE = 60
AFTER = 300
MAX_KEPT = 48 << 20
"""Bytes of lines around anchors that are kept; the tail is kept in any case."""

_LINE_COST = 64  # what a line takes beside its bytes

Finder = Callable[[bytes], Sequence[int]]


@dataclass(slots=True)
class Scan:
    """The lines that were kept, as (number, bytes) in order, and what was seen of the rest."""

    lines: list[tuple[int, bytes]] = field(default_factory=list)
    total_lines: int = 0
    total_bytes: int = 0
    left_out: int = 0
    cut: bool = False
    full: bool = False


def scan(stream: BinaryIO, anchors: Callable[[], Sequence[str]], *, limit: int) -> Scan:
    """Read a text to its end, or to `limit` bytes, and keep what may matter.

    `anchors` is called for a big text alone.
    """
    first = _read(stream, min(WHOLE, limit) + 1)
    if len(first) <= WHOLE and len(first) <= limit and first.count(b"\n") <= WHOLE_LINES:
        lines = first.split(b"\n")
        if lines and not lines[-1]:
            lines.pop()
        return Scan(list(enumerate(lines, 1)), len(lines), len(first))
    return _scan_big(first, stream, finder(anchors()), limit)


def _scan_big(first: bytes, stream: BinaryIO, find: Finder, limit: int) -> Scan:
    result = Scan()
    window = _Window(result)
    for chunk in _chunks(first, stream, limit, result):
        window.take(chunk, find(chunk))
    window.finish()
    result.left_out = result.total_lines - len(result.lines)
    return result


class _Window:
    """Keeps the lines around anchors while chunks of whole lines go by."""

    def __init__(self, result: Scan) -> None:
        self._result = result
        self._kept_bytes = 0
        self._owed = 0
        self._recent: deque[tuple[int, bytes]] = deque(maxlen=2)  # chunks, as (first line, bytes)

    def take(self, chunk: bytes, hits: Sequence[int]) -> None:
        """Take the next chunk, in which anchors end at the offsets `hits`."""
        result = self._result
        first = result.total_lines + 1
        result.total_lines += chunk.count(b"\n")
        if hits or self._owed or first <= HEAD_LINES:
            self._keep(chunk, first, hits)
        self._recent.append((first, chunk))

    def _keep(self, chunk: bytes, first: int, hits: Sequence[int]) -> None:
        lines = chunk.split(b"\n")
        if lines and not lines[-1]:
            lines.pop()
        starts, at = [], 0
        for line in lines:
            starts.append(at)
            at += len(line) + 1
        rows = sorted({max(0, bisect_right(starts, hit - 1) - 1) for hit in hits})
        wanted = _around(rows, len(lines), self._owed, max(0, HEAD_LINES - first + 1))
        if rows and rows[0] < BEFORE:
            self._keep_recent(BEFORE - rows[0])
        for row in wanted:
            self._append(first + row, lines[row])
        after = rows[-1] + 1 + AFTER if rows else 0
        self._owed = max(0, self._owed - len(lines), after - len(lines))

    def _keep_recent(self, count: int) -> None:
        for number, line in self._last_lines(count):
            self._append(number, line)

    def _last_lines(self, count: int) -> list[tuple[int, bytes]]:
        """Return the last lines of the chunks that went by, as far as they are at hand."""
        found: list[tuple[int, bytes]] = []
        for first, chunk in self._recent:
            lines = chunk.rsplit(b"\n", count + 1)[:-1][-count:]
            after = first + chunk.count(b"\n")
            found += zip(range(after - len(lines), after), lines, strict=True)
        return found[-count:]

    def _append(self, number: int, line: bytes) -> None:
        lines = self._result.lines
        if lines and lines[-1][0] >= number:
            return
        if self._kept_bytes > MAX_KEPT:
            self._result.full = True
            return
        self._kept_bytes += len(line) + _LINE_COST
        lines.append((number, line))

    def finish(self) -> None:
        """Keep the tail, between what is kept of it already."""
        tail = self._last_lines(TAIL_LINES)
        lines = self._result.lines
        place = bisect_left(lines, tail[0]) if tail else len(lines)
        lines[place:] = tail


def _around(rows: Sequence[int], count: int, owed: int, head: int) -> Iterator[int]:
    """Yield the rows within reach of a hit, of an earlier chunk's hit, or of the head."""
    done = min(count, max(owed, head))
    yield from range(done)
    for row in rows:
        begin, end = max(done, row - BEFORE), min(count, row + AFTER + 1)
        yield from range(begin, end)
        done = max(done, end)


def _chunks(first: bytes, stream: BinaryIO, limit: int, result: Scan) -> Iterator[bytes]:
    """Yield the text in pieces that end at line ends; a line longer than a piece is cut."""
    left = limit - len(first)
    result.total_bytes = len(first)
    pending = first
    while True:
        while len(pending) > CHUNK:
            cut = pending.rfind(b"\n", 0, CHUNK) + 1
            if cut:
                yield pending[:cut]
                pending = pending[cut:]
                continue
            end = pending.find(b"\n", CHUNK)
            if end < 0:
                pending = pending[:CHUNK]
                result.cut = True
                break
            result.cut = result.cut or end > CHUNK
            yield pending[:CHUNK] + b"\n"
            pending = pending[end + 1 :]
        data = _read(stream, min(CHUNK * 8, left)) if left > 0 else b""
        if not data:
            break
        left -= len(data)
        result.total_bytes += len(data)
        pending += data
    if left <= 0:
        result.full = True
    if pending:
        yield pending if pending.endswith(b"\n") else pending + b"\n"


def _read(stream: BinaryIO, count: int) -> bytes:
    """Read up to `count` bytes, over short reads."""
    parts = []
    while count > 0:
        data = stream.read(count)
        if not data:
            break
        parts.append(data)
        count -= len(data)
    return b"".join(parts) if len(parts) != 1 else parts[0]


def finder(anchors: Sequence[str]) -> Finder:
    """Return a function that tells where anchors end in a piece of text."""
    literals = sorted({a.encode() for a in anchors})
    try:
        import hyperscan  # only big inputs pay for it
    except ImportError:
        pattern = re.compile(b"|".join(map(re.escape, literals)))
        return lambda data: [m.end() for m in pattern.finditer(data)]
    database = hyperscan.Database()
    database.compile(
        expressions=[re.escape(a) for a in literals],
        ids=list(range(len(literals))),
        elements=len(literals),
        flags=[0] * len(literals),
    )

    def find(data: bytes) -> list[int]:
        ends: list[int] = []
        database.scan(data, match_event_handler=lambda _i, _s, end, _f, _c: ends.append(end))
        return sorted(ends)

    return find
