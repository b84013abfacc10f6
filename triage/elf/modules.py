"""The ELF files that were mapped into a process, told by what a core dump holds of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from triage.elf.facts import CoreModule, FileMapping
from triage.elf.layout import MAGIC, Header, SegmentType, parse_header, parse_segments
from triage.elf.memory import Memory
from triage.elf.notes import find_build_id

_PAGE: Final = 4096
_MAX_TABLE: Final = 64
_MAX_MODULES: Final = 16_384


def read_modules(memory: Memory, mappings: Sequence[FileMapping]) -> tuple[CoreModule, ...]:
    """Return the mapped ELF files in the order of their addresses.

    A file counts when its first page shows that it is ELF, or when code of it was mapped: dumps
    can be written without those pages.
    """
    modules: dict[str, CoreModule] = {}
    bases: dict[str, int] = {}
    for mapping in mappings:
        bases.setdefault(mapping.path, mapping.start - mapping.offset)
        if mapping.path in modules or len(modules) >= _MAX_MODULES:
            continue
        page = memory.read(mapping.start, _PAGE) if mapping.offset == 0 else b""
        if page[:4] == MAGIC or _is_code(memory, mapping):
            modules[mapping.path] = CoreModule(
                path=mapping.path,
                base=bases[mapping.path],
                build_id=_build_id(memory, mapping.start, page),
            )
    return tuple(modules.values())


def _is_code(memory: Memory, mapping: FileMapping) -> bool:
    segment = memory.segment_at(mapping.start)
    return segment is not None and segment.executable


def _build_id(memory: Memory, base: int, page: bytes) -> str | None:
    header = parse_header(page[:64])
    if header is None:
        return None
    for offset, size, align in _note_ranges(page, header):
        data = page[offset : offset + size]
        if len(data) < size:
            data = memory.read(base + offset, min(size, _PAGE))
        build_id = find_build_id(data, header.prefix, align)
        if build_id is not None:
            return build_id
    return None


def _note_ranges(page: bytes, header: Header) -> list[tuple[int, int, int]]:
    start, step = header.segments_at, header.segment_size
    table = page[start : start + step * min(header.segment_count, _MAX_TABLE)]
    return [
        (s.offset, s.file_size, s.align)
        for s in parse_segments(table, header)
        if s.kind == SegmentType.NOTE and 0 < s.file_size <= _PAGE
    ]
