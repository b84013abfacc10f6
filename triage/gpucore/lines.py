"""Source lines of a cubin's code, with the calls that were inlined there.

What is odd about it: nvcc writes DWARF 2, sets the address of a function that was not loaded to
zero, and adds two opcodes (144: the row of the call that this one is inlined at, counted within
the sequence, and the function's name; 145: that name alone). Four bytes at the end of the header
are then the offset in `.debug_str` that the names are counted from.
A sequence begins by setting its address, so the one that holds an address is found by a search for
those bytes and no other is read.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice, pairwise
from typing import Final, NamedTuple

from triage.gpucore.budget import Budget
from triage.gpucore.cubin import Cubin
from triage.gpucore.leb import Reader
from triage.gpucore.lineheader import LineHeader, Units

_MAX_INLINED: Final = 32
_MAX_TRIED: Final = 16
_MAX_SEQUENCES: Final = 1 << 18
_SET_ADDRESS: Final = re.compile(rb"\x00\x09\x02(.{8})", re.DOTALL)
_END, _ADDRESS, _INLINED, _NAMED = 1, 2, 144, 145


class Place(NamedTuple):
    """A place in the source; `function` is the symbol of a function that was inlined there."""

    file: str | None
    line: int
    function: str | None


class Row(NamedTuple):
    """One row of the table; `caller` is the row, from 1, of the call that it is inlined at."""

    address: int
    file: int
    line: int
    caller: int
    name: int


@dataclass(slots=True)
class _Sequence:
    header: LineHeader
    rows: list[Row] = field(default_factory=list)
    end: int = 0

    def holds(self, pc: int) -> bool:
        return bool(self.rows) and self.rows[0].address <= pc < self.end


class LineTable:
    """The line tables of one cubin."""

    def __init__(self, cubin: Cubin, budget: Budget) -> None:
        self._lines = cubin.debug(b".debug_line")
        self._names = cubin.debug(b".debug_str")
        self._units = Units(self._lines, cubin.debug(b".debug_line_str"), self._names)
        self._budget = budget
        self._starts: list[tuple[int, int]] | None = None
        self._read: dict[int, _Sequence | None] = {}

    def places(self, pc: int) -> tuple[Place, ...]:
        """Return the places in the source of an address, from the innermost inlined call out."""
        sequence = self._sequence(pc)
        if sequence is None:
            return ()
        at = bisect_right(sequence.rows, pc, key=lambda row: row.address)
        found: list[Place] = []
        while 0 < at <= len(sequence.rows) and len(found) < _MAX_INLINED:
            row = sequence.rows[at - 1]
            inlined = self._name(sequence.header, row) if row.caller else None
            found.append(Place(sequence.header.file(row.file), row.line, inlined))
            if not 0 <= row.caller < at:  # a call stands before what is inlined at it
                break
            at = row.caller
        return tuple(found)

    def _sequence(self, pc: int) -> _Sequence | None:
        if self._starts is None:
            self._starts = sorted(
                (address, match.start())
                for match in islice(_SET_ADDRESS.finditer(self._lines), _MAX_SEQUENCES)
                if (address := int.from_bytes(match[1], "little"))
            )
        at = bisect_right(self._starts, (pc, 1 << 65))
        for _, begin in reversed(self._starts[max(0, at - _MAX_TRIED) : at]):
            if begin not in self._read:
                self._read[begin] = self._run(begin)
            sequence = self._read[begin]
            if sequence is not None and sequence.holds(pc):
                return sequence
        return None

    def _run(self, begin: int) -> _Sequence | None:
        header = self._units.header(begin)
        if header is None:
            return None
        sequence = _Sequence(header)
        for row in _rows(Reader(self._lines, begin, header.end), header, self._budget):
            if row.file < 0:
                sequence.end = row.address
                break
            sequence.rows.append(row)
        # Rows count by their place, so those of a table that goes backwards mean nothing.
        ordered = all(a.address <= b.address for a, b in pairwise(sequence.rows))
        return sequence if ordered else None

    def _name(self, header: LineHeader, row: Row) -> str | None:
        at = header.names_at + row.name
        end = self._names.find(b"\0", at, at + 8192)
        if not 0 <= at < end:
            return None
        return self._names[at:end].decode("utf-8", "replace")


@dataclass(slots=True)
class _Machine:
    """The registers of the line table's machine."""

    header: LineHeader
    address: int = 0
    file: int = 1
    line: int = 1
    caller: int = 0
    name: int = 0

    def row(self) -> Row:
        return Row(self.address, self.file, self.line, self.caller, self.name)

    def special(self, operation: int) -> None:
        steps, lines = divmod(operation - self.header.first_special, self.header.line_range)
        self.address += steps * self.header.instruction
        self.line += self.header.line_base + lines

    def standard(self, operation: int, reader: Reader) -> None:
        """Carry out an operation that makes no row; an unknown one is passed over."""
        header = self.header
        if operation == 2:
            self.address += reader.unsigned() * header.instruction
        elif operation == 3:
            self.line += reader.signed()
        elif operation == 4:
            self.file = reader.unsigned()
        elif operation == 8:
            steps = (255 - header.first_special) // header.line_range
            self.address += steps * header.instruction
        elif operation == 9:
            self.address += reader.fixed(2)
        else:
            for _ in range(header.lengths[operation - 1]):
                reader.unsigned()

    def extended(self, operation: int, reader: Reader) -> None:
        if operation == _ADDRESS:
            self.address = reader.fixed(reader.end - reader.at)
        elif operation == _INLINED:
            self.caller, self.name = reader.unsigned(), reader.unsigned()
        elif operation == _NAMED:
            self.name = reader.unsigned()


def _rows(reader: Reader, header: LineHeader, budget: Budget) -> Iterator[Row]:
    """Yield the rows of one sequence; the last has no file. What is cut off just ends."""
    machine = _Machine(header)
    try:
        while budget.operations > 0:
            budget.operations -= 1
            operation = reader.byte()
            if operation >= header.first_special:
                machine.special(operation)
                yield machine.row()
            elif operation == 1:
                yield machine.row()
            elif operation:
                machine.standard(operation, reader)
            else:
                size = reader.unsigned()
                inner = Reader(reader.data, reader.at, min(reader.at + size, reader.end))
                reader.skip(size)
                kind = inner.byte()
                if kind == _END:
                    yield machine.row()._replace(file=-1)
                    return
                machine.extended(kind, inner)
    except IndexError:
        return
