"""The process's memory as far as a core dump holds it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import BinaryIO

from triage.elf.layout import (
    Segment,
    SegmentType,
    parse_header,
    read_at,
    read_segments,
    segment_count,
)


class Memory:
    """Reads memory by address; what the dump lacks comes back as fewer bytes."""

    def __init__(self, stream: BinaryIO, segments: Iterable[Segment]) -> None:
        loads = (s for s in segments if s.kind == SegmentType.LOAD)
        self._stream = stream
        self._segments = sorted(loads, key=lambda s: s.address)

    def segment_at(self, address: int) -> Segment | None:
        """Return the segment that an address lies in, whether or not its bytes were dumped."""
        at = bisect_right(self._segments, address, key=lambda s: s.address) - 1
        if at < 0:
            return None
        segment = self._segments[at]
        size = max(segment.memory_size, segment.file_size)
        return segment if address < segment.address + size else None

    def read(self, address: int, count: int) -> bytes:
        """Return up to `count` bytes from one segment."""
        segment = self.segment_at(address)
        if segment is None:
            return b""
        into = address - segment.address
        return read_at(self._stream, segment.offset + into, min(count, segment.file_size - into))

    def text(self, address: int, limit: int) -> str | None:
        """Return the zero-terminated string at an address, cut at `limit` bytes.

        None where not a single byte of it was dumped.
        """
        data = self.read(address, limit)
        return data.partition(b"\0")[0].decode("utf-8", "replace") if data else None


def open_memory(stream: BinaryIO) -> Memory:
    """Return the memory that a core dump holds; an empty one where the stream is no core dump."""
    header = parse_header(read_at(stream, 0, 64))
    if header is None:
        return Memory(stream, ())
    return Memory(stream, read_segments(stream, header, segment_count(stream, header)))
