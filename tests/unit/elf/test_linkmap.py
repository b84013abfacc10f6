"""The dynamic linker's list, whole and damaged."""

import io
import struct
from collections.abc import Sequence

import pytest

from triage.elf.layout import Segment, SegmentType
from triage.elf.linkmap import read_link_map
from triage.elf.memory import Memory

BASE, DYNAMIC, DEBUG, LIST, NAMES = 0x10000, 0x20000, 0x30000, 0x40000, 0x50000
AUXILIARY = {3: BASE + 64, 4: 56, 5: 2}


def memory(entries: Sequence[tuple[int, str, int, int]], **changed: bytes) -> Memory:
    """Return memory with a list of (base, name, dynamic, next)."""
    names = b""
    links = b""
    for base, name, dynamic, following in entries:
        links += struct.pack("<6Q", base, NAMES + len(names), dynamic, following, 0, 0)
        names += name.encode() + b"\0"
    headers = struct.pack("<IIQQQQQQ", 6, 4, 64, 64, 0, 112, 112, 8)
    headers += struct.pack("<IIQQQQQQ", 2, 6, 0, DYNAMIC - BASE, 0, 64, 64, 8)
    parts = {
        BASE + 64: changed.get("headers", headers),
        DYNAMIC: changed.get("dynamic", struct.pack("<4Q", 1, 7, 21, DEBUG)),
        DEBUG: changed.get("debug", struct.pack("<2Q", 1, LIST)),
        LIST: links,
        NAMES: names or b"\0",
    }
    segments, data = [], b""
    for address, part in parts.items():
        segments.append(
            Segment(
                kind=SegmentType.LOAD,
                flags=4,
                offset=len(data),
                address=address,
                file_size=len(part),
                memory_size=len(part),
                align=1,
            )
        )
        data += part
    return Memory(io.BytesIO(data), segments)


def place(index: int) -> int:
    return LIST + 48 * index


def test_the_program_has_no_name_and_is_left_out():
    known = memory([(BASE, "", 1, place(1)), (0x7000, "/lib/a.so", 0x7100, 0)])
    (library,) = read_link_map(known, AUXILIARY)
    assert (library.name, library.base, library.dynamic) == ("/lib/a.so", 0x7000, 0x7100)


def test_a_list_without_an_end():
    known = memory([(1, "a", 1, place(1)), (2, "b", 2, place(0))])
    assert [lib.name for lib in read_link_map(known, AUXILIARY)] == ["a", "b"]


def test_what_is_not_there_ends_the_list():
    known = memory([(1, "a", 1, 0xDEAD0000)])
    assert [lib.name for lib in read_link_map(known, AUXILIARY)] == ["a"]


@pytest.mark.parametrize(
    "changed",
    [
        {"headers": b"\xff" * 112},
        {"headers": b""},
        {"dynamic": b"\xff" * 64},
        {"dynamic": struct.pack("<2Q", 21, 0)},
        {"dynamic": struct.pack("<2Q", 21, 1 << 63)},
        {"debug": b"\1"},
        {"debug": struct.pack("<2Q", 1, 0)},
    ],
)
def test_damage(changed: dict[str, bytes]):
    assert read_link_map(memory([(1, "a", 1, 0)], **changed), AUXILIARY) == ()


@pytest.mark.parametrize("auxiliary", [{}, {3: BASE + 64}, {3: BASE + 64, 4: 1, 5: 1 << 60}])
def test_without_the_way_to_it(auxiliary: dict[int, int]):
    assert read_link_map(memory([(1, "a", 1, 0)]), auxiliary) == ()
