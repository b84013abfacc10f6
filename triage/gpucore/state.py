"""What the GPUs were doing: their grids, and the lanes that share one place in the code."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Final, NamedTuple, TypeVar

from triage.elf.layout import read_at
from triage.gpucore import tables
from triage.gpucore.sections import Kind, Section, Sections
from triage.gpucore.tables import Block, Device, Grid, Lane, Metadata, Sm, Table, Warp

MAX_ROWS: Final = 1 << 21
"""Rows of tables that are read of one core dump; eight full devices have as many lanes."""
MAX_STACKS: Final = 4096
_MAX_CALL_STACK: Final = 16_384

Row = TypeVar("Row", bound=NamedTuple)


class Place(NamedTuple):
    """The coordinates of one lane, in cuda-gdb's order: hardware first."""

    device: int
    sm: int
    warp: int
    lane: int
    grid: int
    block: tuple[int, int, int]
    thread: tuple[int, int, int]


class Where(NamedTuple):
    """Where lanes are: what is the same here is one stack.

    `exception` is that of the lanes that raised one, not of those that had diverged from them;
    `error_pc` is where it was raised, zero where that is not known.
    """

    device: int
    grid: int
    exception: int
    error_pc: int
    pc: int
    returns: tuple[int, ...]
    broken: bool


@dataclass(slots=True)
class Shared:
    """The lanes that share a stack; `first` is the one that a debugger would choose."""

    where: Where
    first: Place
    lanes: int = 0
    warps: int = 0
    blocks: set[int] = field(default_factory=set)
    sms: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class LostException:
    """An exception of a multiprocessor whose warps were gone when the core was written."""

    device: int
    sm: int
    exception: int
    error_pc: int


@dataclass(slots=True)
class State:
    """Everything that the tables say."""

    devices: list[Device] = field(default_factory=list)
    grids: dict[tuple[int, int], Grid] = field(default_factory=dict)
    modules: dict[int, Section] = field(default_factory=dict)
    cubins: list[Section] = field(default_factory=list)
    metadata: Metadata | None = None
    stacks: dict[Where, Shared] = field(default_factory=dict)
    lost: list[LostException] = field(default_factory=list)
    failed: dict[tuple[int, int], Sm] = field(default_factory=dict)
    odd: set[Kind] = field(default_factory=set)
    cut: bool = False
    lanes: int = 0


class _Unit(NamedTuple):
    """Where in the hierarchy the walk is."""

    device: int
    sm: Sm
    block: Block
    number: int


class StateReader:
    """Walks the tables from devices down to lanes."""

    def __init__(self, stream: BinaryIO, sections: Sections) -> None:
        self._stream, self._sections = stream, sections
        self._state = State()
        self._left = MAX_ROWS
        self._has_calls = bool(sections.of(Kind.CALL_STACK))
        self._call_stacks: dict[tuple[int, bytes], tuple[int, ...]] = {}

    def read(self) -> State:
        """Return what the tables say."""
        state = self._state
        state.cubins = self._sections.of(Kind.RELOCATED_CUBIN)
        state.metadata = next(iter(self._all(tables.METADATA)), None)
        for section in self._sections.of(Kind.MODULES):
            self._modules(section)
        for section in self._sections.of(Kind.DEVICES)[:1]:
            for n, device in enumerate(self._rows(tables.DEVICES, section)):
                state.devices.append(device)
                self._device(n, section)
        return state

    def _all(self, table: Table[Row]) -> Iterator[Row]:
        for section in self._sections.of(table.kind):
            yield from self._rows(table, section)

    def _rows(self, table: Table[Row], section: Section | None) -> list[Row]:
        """Return the rows of a table, as long as there is room for any."""
        if section is None:
            return []
        if not table.readable(section):
            self._state.odd.add(table.kind)
            return []
        if self._left <= 0:
            self._state.cut = True
            return []
        rows = table.rows(self._stream, section)
        self._left -= 1 + len(rows)
        return rows

    def _modules(self, section: Section) -> None:
        for n, module in enumerate(self._rows(tables.MODULES, section)):
            cubin = self._sections.child(Kind.RELOCATED_CUBIN, section, n)
            if cubin is not None:
                self._state.modules.setdefault(module.handle, cubin)

    def _device(self, n: int, devices: Section) -> None:
        for grid in self._rows(tables.GRIDS, self._sections.child(Kind.GRIDS, devices, n)):
            self._state.grids.setdefault((n, grid.id), grid)
        section = self._sections.child(Kind.SMS, devices, n)
        if section is None:
            return
        for row, sm in enumerate(self._rows(tables.SMS, section)):
            blocks = self._sections.child(Kind.BLOCKS, section, row)
            raised = self._blocks(n, sm, blocks) if blocks is not None else False
            if sm.exception:
                self._state.failed[n, sm.id] = sm
            if sm.exception and not raised:
                pc = sm.error_pc if sm.error_pc_valid else 0
                self._state.lost.append(LostException(n, sm.id, sm.exception, pc))

    def _blocks(self, device: int, sm: Sm, section: Section) -> bool:
        """Read the blocks of a multiprocessor; tell whether a lane of theirs has an exception."""
        raised = False
        for row, block in enumerate(self._rows(tables.BLOCKS, section)):
            unit = _Unit(device, sm, block, section.number << 16 | row)
            warps = self._sections.child(Kind.WARPS, section, row)
            for n, warp in enumerate(self._rows(tables.WARPS, warps)):
                lanes = self._sections.child(Kind.LANES, warps, n) if warps else None
                raised |= lanes is not None and self._warp(unit, warp, lanes)
        return raised

    def _warp(self, unit: _Unit, warp: Warp, section: Section) -> bool:
        lanes = self._rows(tables.LANES, section)
        raised = any(lane.exception for lane in lanes)
        # The driver gives a warp's exception to all of its lanes, and only active ones raised it.
        active = any(lane.exception and warp.active >> (lane.id & 31) & 1 for lane in lanes)
        found: dict[tuple[int, int, tuple[int, ...]], list[Lane]] = {}
        for row, lane in enumerate(lanes):
            exception = lane.exception
            if exception and active and not warp.active >> (lane.id & 31) & 1:
                exception = 0
            returns = self._returns(section, row) if self._has_calls else ()
            found.setdefault((exception, lane.pc, returns), []).append(lane)
        for (exception, pc, returns), sharing in found.items():
            error_pc = warp.error_pc if exception and warp.error_pc_valid else 0
            where = Where(
                unit.device, unit.block.grid, exception, error_pc, pc, returns, bool(warp.broken)
            )
            self._share(where, unit, warp, sharing)
        self._state.lanes += len(lanes)
        return raised

    def _share(self, where: Where, unit: _Unit, warp: Warp, lanes: list[Lane]) -> None:
        """Count lanes of one warp that are at one place."""
        shared = self._shared(where, _place(unit, warp, min(lanes, key=lambda lane: lane.id)))
        if shared is not None:
            shared.lanes += len(lanes)
            shared.warps += 1
            shared.blocks.add(unit.number)
            shared.sms.add(unit.sm.id)

    def _shared(self, where: Where, place: Place) -> Shared | None:
        stacks = self._state.stacks
        shared = stacks.get(where)
        if shared is None:
            if len(stacks) >= MAX_STACKS:
                self._state.cut = True
                return None
            shared = stacks[where] = Shared(where, place)
        elif place < shared.first:
            shared.first = place
        return shared

    def _returns(self, lanes: Section, row: int) -> tuple[int, ...]:
        """Return where the functions of a lane return to, from the innermost out.

        Lanes by the thousand have the same call stack: each is taken apart once.
        """
        section = self._sections.child(Kind.CALL_STACK, lanes, row)
        if section is None:
            return ()
        self._left -= 1
        data = read_at(self._stream, section.offset, min(section.size, _MAX_CALL_STACK))
        key = section.element, data
        if key not in self._call_stacks:
            if len(self._call_stacks) >= MAX_STACKS:
                self._state.cut = True
                return ()
            rows = self._rows(tables.CALL_STACKS, section)
            levels = sorted(rows, key=lambda r: r.level)
            self._call_stacks[key] = tuple(r.address for r in levels)
        return self._call_stacks[key]


def _place(unit: _Unit, warp: Warp, lane: Lane) -> Place:
    block = unit.block
    return Place(
        unit.device,
        unit.sm.id,
        warp.id,
        lane.id,
        block.grid,
        (block.x, block.y, block.z),
        (lane.x, lane.y, lane.z),
    )


def read_state(stream: BinaryIO, sections: Sections) -> State:
    """Return what the tables of a core dump say."""
    return StateReader(stream, sections).read()
