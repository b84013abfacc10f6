"""The sections of a GPU core dump: everything in it is found by them.

A full device has a section for each lane's registers, local memory and call stack, a million of
them; only those of tables, call stacks and cubins are kept, and no memory is read.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import BinaryIO, Final, NamedTuple

from triage.elf.layout import FileType, Header, parse_header, read_at

MACHINE: Final = 190
MAX_SECTIONS: Final = 1 << 22
MAX_KEPT: Final = 1 << 19
_CHUNK: Final = 65_536
_ENTRY: Final = 64
_USER: Final = 0x8000_0000
_STRINGS: Final = 3
_NOBITS: Final = 8
_MAX_STRING: Final = 4096


class Kind(IntEnum):
    """The sections that are read, by NVIDIA's numbers."""

    RELOCATED_CUBIN = 7
    CALL_STACK = 8
    DEVICES = 9
    CONTEXTS = 10
    SMS = 11
    GRIDS = 12
    BLOCKS = 13
    WARPS = 14
    LANES = 15
    MODULES = 16
    METADATA = 22


_WANTED: Final = frozenset({_STRINGS, *(_USER + kind for kind in Kind)})


class Section(NamedTuple):
    """One section; `link` is its parent's section and `info` the row there that it belongs to."""

    number: int
    offset: int
    size: int
    link: int
    info: int
    element: int


@dataclass(slots=True)
class Sections:
    """The sections of one core dump that are worth reading, by kind and by parent.

    `stated` is how many the file says it has; `end` is where the last byte of any lies, so that a
    file that is shorter is known to be cut off.
    """

    stated: int
    found: int = 0
    end: int = 0
    cut: bool = False
    strings: Section | None = None
    by_kind: dict[int, list[Section]] = field(default_factory=dict)
    _children: dict[tuple[int, int, int], Section] | None = None

    def of(self, kind: Kind) -> list[Section]:
        """Return the sections of a kind, in order."""
        return self.by_kind.get(kind, [])

    def child(self, kind: Kind, parent: Section, row: int) -> Section | None:
        """Return the section of a kind that belongs to a row of a table."""
        if self._children is None:
            self._children = {}
            for each, sections in self.by_kind.items():
                for section in sections:
                    self._children.setdefault((each, section.link, section.info), section)
        return self._children.get((kind, parent.number, row))


def is_gpu_core(header: Header | None) -> bool:
    """Tell whether an ELF header is that of a GPU core dump."""
    return (
        header is not None
        and header.file_type == FileType.CORE
        and header.machine == MACHINE
        and header.bits == 64
        and header.byte_order == "little"
    )


def read_header(stream: BinaryIO) -> Header | None:
    """Return the header of a GPU core dump; None where the stream is none."""
    header = parse_header(read_at(stream, 0, 64))
    return header if is_gpu_core(header) else None


def read_sections(stream: BinaryIO, header: Header) -> Sections:
    """Read the section headers that are there, a chunk at a time."""
    first = read_at(stream, header.sections_at, _ENTRY) if header.sections_at else b""
    stated, names = header.section_count, header.section_names
    if len(first) == _ENTRY:
        # A count that does not fit the header's field stands in the first section.
        stated = stated or int(struct.unpack_from("<Q", first, 32)[0])
        if names == 0xFFFF:
            names = int(struct.unpack_from("<I", first, 40)[0])
    sections = Sections(stated=stated)
    if header.section_size != _ENTRY or not header.sections_at:
        return sections
    count = min(stated, MAX_SECTIONS)
    sections.cut = count < stated
    kept = 0
    for begin in range(0, count, _CHUNK):
        size = min(_CHUNK, count - begin) * _ENTRY
        data = read_at(stream, header.sections_at + begin * _ENTRY, size)
        data = data[: len(data) // _ENTRY * _ENTRY]
        sections.found += len(data) // _ENTRY
        for kind, section in _chunk(sections, data, begin):
            if kept == MAX_KEPT:
                sections.cut = True
                break
            kept += 1
            _keep(sections, kind, section, names)
        if len(data) < size or sections.cut:
            break
    return sections


def _keep(sections: Sections, kind: int, section: Section, names: int) -> None:
    if kind != _STRINGS:
        sections.by_kind.setdefault(kind - _USER, []).append(section)
    elif sections.strings is None or sections.strings.number == names:
        sections.strings = section


def _chunk(sections: Sections, data: bytes, begin: int) -> Iterator[tuple[int, Section]]:
    """Yield what is wanted of some section headers; columns are faster than rows here."""
    halves, words = _words("I", data), _words("Q", data)
    kinds, links, infos = halves[1::16], halves[10::16], halves[11::16]
    offsets, sizes, elements = words[3::8], words[4::8], words[7::8]
    for n, kind in enumerate(kinds):
        if kind == _NOBITS or not sizes[n]:
            continue
        end = offsets[n] + sizes[n]
        sections.end = max(sections.end, end)
        if kind in _WANTED:
            yield (
                kind,
                Section(begin + n, offsets[n], sizes[n], links[n], infos[n], elements[n]),
            )


def _words(code: str, data: bytes) -> array[int]:
    values = array(code, data)
    if sys.byteorder == "big":
        values.byteswap()
    return values


class Strings:
    """The texts of a core dump, by offset."""

    def __init__(self, stream: BinaryIO, section: Section | None) -> None:
        self._stream, self._section = stream, section

    def at(self, offset: int) -> str | None:
        """Return the text at an offset; None where there is none."""
        section = self._section
        if section is None or not 0 < offset < section.size:
            return None
        data = read_at(
            self._stream, section.offset + offset, min(_MAX_STRING, section.size - offset)
        )
        return data.partition(b"\0")[0].decode("utf-8", "replace") or None
