"""The parts of an ELF file that everything else is found by: its header and its segments."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import BinaryIO, Final, Literal

MAGIC: Final = b"\x7fELF"
MAX_SEGMENTS: Final = 262_144
_PN_XNUM: Final = 0xFFFF
_MAX_ENTRY: Final = 256

ByteOrder = Literal["little", "big"]


class FileType(IntEnum):
    """What an ELF file is for."""

    NONE = 0
    RELOCATABLE = 1
    EXECUTABLE = 2
    SHARED = 3
    CORE = 4


class SegmentType(IntEnum):
    """The kinds of segment that are read."""

    LOAD = 1
    NOTE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One entry of the program headers."""

    kind: int
    flags: int
    offset: int
    address: int
    file_size: int
    memory_size: int
    align: int

    @property
    def executable(self) -> bool:
        """Tell whether the segment holds code."""
        return bool(self.flags & 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The ELF header; the tables are given by offset, entry size and count."""

    bits: int
    byte_order: ByteOrder
    file_type: int
    machine: int
    segments_at: int
    segment_size: int
    segment_count: int
    sections_at: int
    section_size: int
    section_count: int
    section_names: int

    @property
    def prefix(self) -> str:
        """The byte-order character of `struct`."""
        return "<" if self.byte_order == "little" else ">"

    @property
    def word(self) -> int:
        """The size of an address in bytes."""
        return self.bits // 8


def read_at(stream: BinaryIO, offset: int, count: int) -> bytes:
    """Return up to `count` bytes at an offset, fewer where the stream ends."""
    if offset < 0 or count <= 0 or offset >= 1 << 63:
        return b""
    try:
        stream.seek(offset)
    except OSError:  # farther than any file on this file system can be long
        return b""
    return stream.read(count)


def parse_header(data: bytes) -> Header | None:
    """Read the header from the first 64 bytes, None where they are not an ELF header."""
    if len(data) < 20 or data[:4] != MAGIC or data[4] not in (1, 2) or data[5] not in (1, 2):
        return None
    bits = 32 if data[4] == 1 else 64
    order: ByteOrder = "little" if data[5] == 1 else "big"
    form = {"little": "<", "big": ">"}[order] + ("HHI" + ("III" if bits == 32 else "QQQ") + "I6H")
    if len(data) < 16 + struct.calcsize(form):
        return None
    fields = struct.unpack_from(form, data, 16)
    return Header(
        bits=bits,
        byte_order=order,
        file_type=fields[0],
        machine=fields[1],
        segments_at=fields[4],
        segment_size=fields[8],
        segment_count=fields[9],
        sections_at=fields[5],
        section_size=fields[10],
        section_count=fields[11],
        section_names=fields[12],
    )


def segment_count(stream: BinaryIO, header: Header) -> int:
    """Return how many segments the file says it has.

    A count that does not fit the header's field stands in the first section's `sh_info`.
    """
    if header.segment_count != _PN_XNUM or not header.sections_at:
        return header.segment_count
    at = 44 if header.bits == 64 else 28
    data = read_at(stream, header.sections_at + at, 4)
    return int(struct.unpack(header.prefix + "I", data)[0]) if len(data) == 4 else 0


def read_segments(stream: BinaryIO, header: Header, count: int) -> list[Segment]:
    """Read the program headers that are there, at most `MAX_SEGMENTS`."""
    if header.segment_size > _MAX_ENTRY:
        return []
    data = read_at(stream, header.segments_at, header.segment_size * min(count, MAX_SEGMENTS))
    return parse_segments(data, header)


def parse_segments(data: bytes, header: Header) -> list[Segment]:
    """Read the program headers from their bytes; one that is cut off is left out."""
    form = struct.Struct(header.prefix + ("IIIIIIII" if header.bits == 32 else "IIQQQQQQ"))
    step = header.segment_size
    if not form.size <= step <= _MAX_ENTRY:
        return []
    return list(_segments(data, form, step, header.bits))


def _segments(data: bytes, form: struct.Struct, step: int, bits: int) -> Iterator[Segment]:
    for at in range(0, len(data) - form.size + 1, step):
        f = form.unpack_from(data, at)
        if bits == 64:
            kind, flags, offset, address, _, file_size, memory_size, align = f
        else:
            kind, offset, address, _, file_size, memory_size, flags, align = f
        yield Segment(
            kind=kind,
            flags=flags,
            offset=offset,
            address=address,
            file_size=file_size,
            memory_size=memory_size,
            align=align,
        )
