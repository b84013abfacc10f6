"""What is worth keeping of a line that is too long to keep whole.

Its beginning, and what stands around the anchors behind that, up to a number of places: a log
that lost its line ends has its crash somewhere in the middle of its only line.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

BEFORE, AFTER = 200, 3_000
PLACES = 8
"""Bytes that are kept in front of and behind an anchor, and places of a line."""

GAP = b" [...] "


def pieces(line: bytes, ends: Sequence[int], head: int) -> Iterator[bytes]:
    """Yield the beginning of a line and what surrounds the anchors that end at `ends`."""
    yield line[:head]
    done, count = head, 0
    for end in ends:
        if end <= done:
            continue
        if count == PLACES:
            return
        begin, stop = max(done, end - BEFORE), end + AFTER
        yield line[begin:stop]
        done, count = stop, count + 1


def shortened(line: bytes, ends: Sequence[int], head: int) -> bytes:
    """Return the pieces of a line as one line, to which the rest of it can be added."""
    return GAP.join(pieces(line, ends, head))
