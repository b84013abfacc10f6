"""Reads what identifies an executable or a shared library and what symbols it carries."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final

from triage.elf.layout import (
    ByteOrder,
    FileType,
    Header,
    SegmentType,
    parse_header,
    read_at,
    read_segments,
    segment_count,
)
from triage.elf.machine import machine_of
from triage.elf.notes import find_build_id
from triage.errors import InputError

_MAX_SECTIONS: Final = 65_535
_MAX_NAMES: Final = 1 << 20
_MAX_NOTE: Final = 64 << 10
_MAX_LINK: Final = 4096
_SYMTAB, _NOTE, _NOBITS, _DYNSYM = 2, 7, 8, 11
_FUNCTION: Final = 2
# The table of a stripped program still names what it imports.
_TRIVIAL_SYMBOLS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One entry of the section headers."""

    name: str
    kind: int
    offset: int
    size: int
    info: int
    align: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An ELF executable or shared library.

    `has_debug_info` is about this file alone; `debug_only` says that it is the separate debug file
    of a program, without its code; `debug_link` is the name that a program has for such a file.
    `shared_debug` names, with its build id, a file that several debug files have in common.
    """

    arch: str
    bits: int
    byte_order: ByteOrder
    file_type: int
    build_id: str | None
    has_symbols: bool
    has_debug_info: bool
    debug_only: bool
    debug_link: str | None
    shared_debug: tuple[str, str] | None = None


def read_image(stream: BinaryIO) -> Image:
    """Read an executable or shared library; raises InputError where it is neither."""
    header = parse_header(read_at(stream, 0, 64))
    if header is None:
        raise InputError("not an ELF file", hint="give the program that crashed")
    if header.file_type not in (FileType.EXECUTABLE, FileType.SHARED):
        kind = "a core dump" if header.file_type == FileType.CORE else "no program"
        raise InputError(f"an ELF file, but {kind}", hint="give the program that crashed")
    sections = list(_read_sections(stream, header))
    names = {s.name for s in sections if s.kind != _NOBITS}
    return Image(
        arch=machine_of(header.machine, bits=header.bits).name,
        bits=header.bits,
        byte_order=header.byte_order,
        file_type=header.file_type,
        build_id=_build_id(stream, header, sections),
        has_symbols=_has_symbols(stream, header, sections),
        has_debug_info=bool(names & {".debug_info", ".zdebug_info"}),
        debug_only=bool(sections) and ".text" in {s.name for s in sections} - names,
        debug_link=_link(stream, sections, ".gnu_debuglink")[0],
        shared_debug=_shared(*_link(stream, sections, ".gnu_debugaltlink")),
    )


def read_build_id(stream: BinaryIO) -> str | None:
    """Return the build id of any ELF file; raises InputError for another file."""
    header = parse_header(read_at(stream, 0, 64))
    if header is None:
        raise InputError("this is not an ELF file")
    return _build_id(stream, header, ()) or _build_id(
        stream, header, list(_read_sections(stream, header))
    )


def _link(stream: BinaryIO, sections: Sequence[Section], name: str) -> tuple[str | None, bytes]:
    """Return the file name in a section and the bytes behind it."""
    section = next((s for s in sections if s.name == name and s.kind != _NOBITS), None)
    if section is None:
        return None, b""
    file, _, rest = read_at(stream, section.offset, min(section.size, _MAX_LINK)).partition(b"\0")
    return file.decode("utf-8", "replace") or None, rest


def _shared(name: str | None, build_id: bytes) -> tuple[str, str] | None:
    return (name, build_id.hex()) if name and build_id else None


def _read_sections(stream: BinaryIO, header: Header) -> Iterator[Section]:
    form = struct.Struct(header.prefix + ("10I" if header.bits == 32 else "IIQQQQIIQQ"))
    step = header.section_size
    if not form.size <= step <= 256 or not header.sections_at:
        return
    count = min(header.section_count, _MAX_SECTIONS)
    table = read_at(stream, header.sections_at, step * count)
    entries = [form.unpack_from(table, at) for at in range(0, len(table) - form.size + 1, step)]
    names = b""
    if header.section_names < len(entries):
        _, _, _, _, offset, size, *_ = entries[header.section_names]
        names = read_at(stream, offset, min(size, _MAX_NAMES))
    for name, kind, _, _, offset, size, _, info, align, _ in entries:
        yield Section(
            name=names[name : name + 64].partition(b"\0")[0].decode("ascii", "replace"),
            kind=kind,
            offset=offset,
            size=size,
            info=info,
            align=align,
        )


def _has_symbols(stream: BinaryIO, header: Header, sections: list[Section]) -> bool:
    entry = 24 if header.bits == 64 else 16
    if any(s.kind == _SYMTAB and s.size > entry for s in sections):
        return True
    return any(s.kind == _DYNSYM and _defines_many(stream, header, s, entry) for s in sections)


def _defines_many(stream: BinaryIO, header: Header, section: Section, entry: int) -> bool:
    """Tell whether a dynamic symbol table names functions of the file's own."""
    table = read_at(stream, section.offset, min(section.size, _MAX_NAMES))
    info_at, index_at = (4, 6) if header.bits == 64 else (12, 14)
    count = 0
    for at in range(0, len(table) - entry + 1, entry):
        (index,) = struct.unpack_from(header.prefix + "H", table, at + index_at)
        count += index != 0 and table[at + info_at] & 0xF == _FUNCTION
        if count > _TRIVIAL_SYMBOLS:
            return True
    return False


def _build_id(stream: BinaryIO, header: Header, sections: Sequence[Section]) -> str | None:
    segments = read_segments(stream, header, segment_count(stream, header))
    places = [(s.offset, s.file_size, s.align) for s in segments if s.kind == SegmentType.NOTE]
    places += [(s.offset, s.size, s.align) for s in sections if s.kind == _NOTE]
    for offset, size, align in places[:256]:
        data = read_at(stream, offset, min(size, _MAX_NOTE))
        build_id = find_build_id(data, header.prefix, align)
        if build_id is not None:
            return build_id
    return None
