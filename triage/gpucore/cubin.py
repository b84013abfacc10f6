"""A cubin in a core dump: the functions of one module and where they were loaded."""

from __future__ import annotations

import struct
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from typing import BinaryIO, Final, NamedTuple

from triage.elf.layout import Header, parse_header, read_at
from triage.gpucore.budget import Budget
from triage.gpucore.sections import MACHINE, Section

_ENTRY: Final = 64
_SYMBOL: Final = struct.Struct("<IBBHQQ")
_EXECUTABLE: Final = 4
_NOBITS: Final = 8
_FUNCTION: Final = 2
_MAX_NAME: Final = 8192
_DEBUG: Final = (b".debug_line", b".debug_str", b".debug_line_str")


class Function(NamedTuple):
    """A function that was loaded, by its symbol."""

    address: int
    size: int
    symbol: str


@dataclass(frozen=True, slots=True)
class _Part:
    """One section of the cubin, its place counted from the cubin's first byte."""

    name: int
    kind: int
    flags: int
    address: int
    offset: int
    size: int
    link: int


class Cubin:
    """One cubin; nothing is read before it is asked for."""

    def __init__(self, stream: BinaryIO, section: Section, budget: Budget) -> None:
        self._stream, self._section, self._budget = stream, section, budget

    def read(self, offset: int, count: int) -> bytes:
        """Return up to `count` bytes from an offset in the cubin."""
        room = self._section.size - offset
        if offset < 0 or room <= 0:
            return b""
        return read_at(self._stream, self._section.offset + offset, min(count, room))

    @cached_property
    def _header(self) -> Header | None:
        header = parse_header(self.read(0, 64))
        if header is None or header.machine != MACHINE or header.bits != 64:
            return None
        return header if header.byte_order == "little" and header.section_size == _ENTRY else None

    @cached_property
    def _parts(self) -> list[_Part]:
        header = self._header
        if header is None:
            return []
        count = header.section_count or 0
        first = self.read(header.sections_at, _ENTRY)
        if not count and len(first) == _ENTRY:
            count = int(struct.unpack_from("<Q", first, 32)[0])
        count = self._budget.take_entries(min(count, self._section.size // _ENTRY))
        table = self.read(header.sections_at, _ENTRY * count)
        whole = table[: len(table) // _ENTRY * _ENTRY]
        return [
            _Part(name, kind, flags, address, offset, size, link)
            for name, kind, flags, address, offset, size, link, _, _, _ in struct.iter_unpack(
                "<IIQQQQIIQQ", whole
            )
        ]

    @cached_property
    def code(self) -> list[tuple[int, int]]:
        """The address ranges of the code that was loaded, in order."""
        return sorted(
            (p.address, p.address + p.size)
            for p in self._parts
            if p.flags & _EXECUTABLE and p.address and p.size
        )

    def holds(self, pc: int) -> bool:
        """Tell whether an address is in the cubin's code."""
        return self.code_at(pc) is not None

    def code_at(self, pc: int) -> tuple[int, int] | None:
        """Return the range of code that an address is in."""
        at = bisect_right(self.code, (pc, 1 << 65)) - 1
        return self.code[at] if at >= 0 and pc < self.code[at][1] else None

    @cached_property
    def _functions(self) -> tuple[list[tuple[int, int, int]], int]:
        """The loaded functions by address, with the offsets of their names, and those' section."""
        table = next((p for p in self._parts if p.kind == 2), None)
        if table is None:
            return [], 0
        count = self._budget.take_entries(min(table.size, self._section.size) // _SYMBOL.size)
        data = self.read(table.offset, count * _SYMBOL.size)
        whole = data[: len(data) // _SYMBOL.size * _SYMBOL.size]
        found = [
            (value, size, name)
            for name, info, _, _, value, size in _SYMBOL.iter_unpack(whole)
            if info & 15 == _FUNCTION and value
        ]
        return sorted(found), table.link

    def function_at(self, pc: int) -> Function | None:
        """Return the function that an address is in; the innermost where they overlap."""
        functions, link = self._functions
        at = bisect_right(functions, (pc, 1 << 65)) - 1
        for value, size, name in functions[max(0, at - 8) : at + 1][::-1]:
            if pc < value + size:
                return Function(value, size, self._text(link, name))
        return None

    def _text(self, link: int, name: int) -> str:
        part = self._parts[link] if link < len(self._parts) else None
        if part is None or name >= part.size:
            return ""
        data = self.read(part.offset + name, min(_MAX_NAME, part.size - name))
        return data.partition(b"\0")[0].decode("utf-8", "replace")

    @cached_property
    def _debug(self) -> dict[bytes, _Part]:
        header = self._header
        if header is None or header.section_names >= len(self._parts):
            return {}
        part = self._parts[header.section_names]
        names = self._take(part)
        found: dict[bytes, _Part] = {}
        for name in _DEBUG:
            # Only whole names count: `.rela.debug_line` ends in the same letters.
            at = names.find(b"\0" + name + b"\0") + 1
            each = next((p for p in self._parts if at and p.name == at and p.kind != _NOBITS), None)
            if each is not None:
                found[name] = each
        return found

    def debug(self, name: bytes) -> bytes:
        """Return a section of debug information as far as the budget goes; empty without one."""
        part = self._debug.get(name)
        return b"" if part is None else self._take(part)

    def _take(self, part: _Part) -> bytes:
        size = min(part.size, self._section.size)
        return self.read(part.offset, self._budget.take_bytes(size))
