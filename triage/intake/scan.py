"""Picks the lines worth reading out of a text of any size, in bounded memory.

Small texts are kept whole. Of a big one the head, the tail, and the lines around every anchor are
kept, with their line numbers. Anchors are literals.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from triage.intake.literals import LONG, Literals, rows_of
from triage.intake.longline import shortened

CHUNK = 1 << 17
WHOLE = 8 << 20
WHOLE_LINES = 100_000
"""Bytes and lines up to which a text is kept whole."""

HEAD_LINES = 500
TAIL_LINES = 1_000
BEFORE = 40
AFTER = 150
MAX_KEPT = 48 << 20
"""Bytes of lines around anchors that are kept; the tail is kept in any case."""

_LINE_COST = 500  # what a line takes beside its bytes, once it is read
_SAMPLE, _ORDINARY = 4096, 32  # bytes looked at, and bytes of a line that is not short


@dataclass(slots=True)
class Scan:
    """The lines that were kept, as (number, bytes) in order, and what was seen of the rest.

    `line_end` is what parts the lines: a carriage return, or a NUL, in a text without any other
    line end.
    """

    lines: list[tuple[int, bytes]] = field(default_factory=list)
    total_lines: int = 0
    total_bytes: int = 0
    left_out: int = 0
    cut: bool = False
    full: bool = False
    line_end: bytes = b"\n"


def scan(stream: BinaryIO, anchors: Callable[[], Literals], *, limit: int) -> Scan:
    """Read a text to its end, or to `limit` bytes, and keep what may matter.

    `anchors` is called for a big text alone.
    """
    first = _read(stream, min(WHOLE, limit) + 1)
    if len(first) <= WHOLE and len(first) <= limit and first.count(b"\n") <= WHOLE_LINES:
        line_end = _line_end(first)
        lines = first.split(line_end)
        if lines and not lines[-1]:
            lines.pop()
        return Scan(list(enumerate(lines, 1)), len(lines), len(first), line_end=line_end)
    return _scan_big(first, stream, anchors(), limit)


def _line_end(text: bytes) -> bytes:
    """Return what parts the lines of a text; a run of NULs is where a file has no content."""
    if b"\n" in text:
        return b"\n"
    if b"\r" in text:
        return b"\r"
    inner = text.strip(b"\0")
    return b"\0" if b"\0" in inner and b"\0\0" not in inner else b"\n"


def _scan_big(first: bytes, stream: BinaryIO, anchors: Literals, limit: int) -> Scan:
    result = Scan()
    window = _Window(result)
    for chunk in _chunks(first, stream, limit, result, anchors):
        window.take(chunk, anchors.ends(chunk))
    window.finish()
    result.left_out = result.total_lines - len(result.lines)
    return result


class _Window:
    """Keeps the lines around anchors while chunks of whole lines go by."""

    def __init__(self, result: Scan) -> None:
        self._result = result
        self._kept_bytes = 0
        self._owed = 0
        self._recent: deque[tuple[int, bytes]] = deque(maxlen=8)  # chunks, as (first line, bytes)

    def take(self, chunk: bytes, hits: Sequence[int]) -> None:
        """Take the next chunk, in which anchors end at the offsets `hits`."""
        result = self._result
        first = result.total_lines + 1
        result.total_lines += _count_lines(chunk)
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
        rows = rows_of(hits, starts)
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
            after = first + _count_lines(chunk)
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


def _chunks(
    first: bytes, stream: BinaryIO, limit: int, result: Scan, anchors: Literals
) -> Iterator[bytes]:
    """Yield the text in pieces that end at line ends; of a line longer than a piece, the beginning
    and what surrounds its anchors."""
    result.total_bytes = len(first)
    rest = yield from _whole_lines(first, result, anchors)
    left = limit - len(first)
    while left > 0 and (data := stream.read(min(CHUNK, left))):
        left -= len(data)
        result.total_bytes += len(data)
        rest = yield from _whole_lines(rest + data, result, anchors)
    result.full = result.full or left <= 0
    if rest:
        yield rest if rest.endswith(b"\n") else rest + b"\n"


def _whole_lines(data: bytes, result: Scan, anchors: Literals) -> Generator[bytes, None, bytes]:
    """Yield the whole lines of some text in pieces; return what follows the last line end."""
    start, size = 0, len(data)
    while size - start > CHUNK:
        cut = data.rfind(b"\n", start, start + CHUNK) + 1
        if cut:
            yield data[start:cut]
            start = cut
            continue
        result.cut = True
        end = data.find(b"\n", start + CHUNK)
        line = data[start : end if end >= 0 else size]
        short = shortened(line, anchors.ends(line), CHUNK // 2)
        if end < 0:
            # What is read next may end the anchor that begins here, and is shortened again.
            return short + line[max(CHUNK // 2, len(line) - LONG) :]
        yield short + b"\n"
        start = end + 1
    cut = data.rfind(b"\n", start) + 1
    if cut:
        yield data[start:cut]
        start = cut
    return data[start:]


def _count_lines(chunk: bytes) -> int:
    """Count the line ends; in lines of an ordinary length this is twice as fast as `count`."""
    if chunk.count(b"\n", 0, _SAMPLE) > _SAMPLE // _ORDINARY:
        return chunk.count(b"\n")
    return len(chunk) - len(chunk.replace(b"\n", b""))


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
