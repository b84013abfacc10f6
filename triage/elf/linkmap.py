"""The dynamic linker's own list of the libraries that it loaded, read from the process's memory."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import Final

from triage.elf.facts import LinkedLibrary
from triage.elf.memory import Memory
from triage.elf.process import AT_PHDR, AT_PHENT, AT_PHNUM

_PT_DYNAMIC, _PT_PHDR = 2, 6
_DT_DEBUG: Final = 21
_ENTRY: Final = 56
_MAX_SEGMENTS: Final = 64
_MAX_DYNAMIC: Final = 4096
_MAX_LIBRARIES: Final = 4096
_MAX_NAME: Final = 4096


def read_link_map(memory: Memory, auxiliary: Mapping[int, int]) -> tuple[LinkedLibrary, ...]:
    """Return the libraries by the names under which a debugger looks for them.

    Empty for a program without a dynamic linker, and where the list was not dumped.
    """
    dynamic = _dynamic_section(memory, auxiliary)
    debug = next((v for tag, v in _pairs(dynamic) if tag == _DT_DEBUG), 0)
    _, first = _words(memory, debug, 2) or (0, 0)
    return tuple(_walk(memory, first))


def _dynamic_section(memory: Memory, auxiliary: Mapping[int, int]) -> bytes:
    """Return the section of the program from which the linker takes its orders."""
    at, step = auxiliary.get(AT_PHDR, 0), auxiliary.get(AT_PHENT, 0)
    if not at or step != _ENTRY:
        return b""
    count = min(auxiliary.get(AT_PHNUM, 0), _MAX_SEGMENTS)
    table = memory.read(at, count * step)
    moved, place, size = 0, 0, 0
    for start in range(0, len(table) - step + 1, step):
        kind, _, _, address, _, _, length, _ = struct.unpack_from("<IIQQQQQQ", table, start)
        if kind == _PT_PHDR:
            moved = at - address
        elif kind == _PT_DYNAMIC:
            place, size = address, length
    return memory.read(moved + place, min(size, _MAX_DYNAMIC * 16)) if place else b""


def _pairs(data: bytes) -> Iterator[tuple[int, int]]:
    yield from struct.iter_unpack("<QQ", data[: len(data) // 16 * 16])


def _walk(memory: Memory, entry: int) -> Iterator[LinkedLibrary]:
    seen: set[int] = set()
    while entry and entry not in seen and len(seen) < _MAX_LIBRARIES:
        seen.add(entry)
        words = _words(memory, entry, 4)
        if words is None:
            return
        base, name_at, dynamic, entry = words
        name = memory.text(name_at, _MAX_NAME) if name_at else None
        # The program itself comes first, without a name.
        if name:
            yield LinkedLibrary(name=name, base=base, dynamic=dynamic)


def _words(memory: Memory, address: int, count: int) -> tuple[int, ...] | None:
    data = memory.read(address, count * 8) if address else b""
    return struct.unpack(f"<{count}Q", data) if len(data) == count * 8 else None
