"""The rows of a GPU core's tables.

Drivers add fields at the end of a row and each table states the size of its rows, so a row is read
as far as it goes; a field that it lacks is zero, and a row too short for the first fields is not
read at all.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import BinaryIO, Final, Generic, NamedTuple, TypeVar

from triage.elf.layout import read_at
from triage.gpucore.sections import Kind, Section

MAX_ELEMENT: Final = 4096


class Device(NamedTuple):
    """A GPU; the names are offsets into the strings."""

    name: int
    type: int
    sm_type: int
    id: int
    pci_bus: int
    pci_device: int
    sms: int
    warps: int
    lanes: int
    registers: int
    predicates: int
    major: int
    minor: int


class Context(NamedTuple):
    """A CUDA context; `thread` is the host thread that owns it."""

    id: int
    shared_base: int
    local_base: int
    global_base: int
    device: int
    thread: int


class Grid(NamedTuple):
    """A kernel that runs; `thread` is the host thread that launched it."""

    id: int
    context: int
    function: int
    entry: int
    module: int
    parent: int
    parameters: int
    type: int
    origin: int
    status: int
    registers: int
    grid_x: int
    grid_y: int
    grid_z: int
    block_x: int
    block_y: int
    block_z: int
    blocking: int
    thread: int

    @property
    def launch(self) -> str:
        """The launch geometry as cuda-gdb prints it."""
        return (
            f"<<<({self.grid_x},{self.grid_y},{self.grid_z}),"
            f"({self.block_x},{self.block_y},{self.block_z})>>>"
        )


class Sm(NamedTuple):
    """A multiprocessor and the exception that any of its warps raised, even one that is gone.

    Of an exception of clusters `target` is the block that was asked; `text` is an offset into the
    strings, where the driver has more to say.
    """

    id: int
    padding: int
    exception: int
    error_pc_valid: int
    error_pc: int
    target_valid: int = 0
    target_x: int = 0
    target_y: int = 0
    target_z: int = 0
    text: int = 0


class Block(NamedTuple):
    """A block of a grid that runs."""

    grid: int
    x: int
    y: int
    z: int


class Warp(NamedTuple):
    """A warp; `broken` says that it stopped at a trap or breakpoint."""

    error_pc: int
    id: int
    valid: int
    active: int
    broken: int
    error_pc_valid: int


class Lane(NamedTuple):
    """A thread of a warp; `pc` is its address and `offset` that address within the function."""

    pc: int
    offset: int
    id: int
    x: int
    y: int
    z: int
    exception: int
    depth: int
    syscall_depth: int


class Return(NamedTuple):
    """One entry of a call stack: where the function at a level returns to."""

    offset: int
    address: int
    level: int


class Module(NamedTuple):
    """A module that was loaded into a context."""

    handle: int


class Metadata(NamedTuple):
    """Who wrote the core dump; `generator` is an offset into the strings."""

    generator: int
    driver_major: int
    driver_minor: int
    cuda_major: int
    cuda_minor: int
    flags: int
    timestamp: int


Row = TypeVar("Row", bound=NamedTuple)


class Table(Generic[Row]):
    """How the rows of one kind of table are laid out.

    `needed` fields are in every driver's; no device has more than `most` rows in one table.
    """

    def __init__(self, kind: Kind, row: type[Row], form: str, needed: int, most: int) -> None:
        self.kind, self.row, self.form, self.needed, self.most = kind, row, form, needed, most

    def readable(self, section: Section) -> bool:
        """Tell whether the rows have a size that can be understood."""
        step = _step(section)
        return step <= MAX_ELEMENT and _fields(self.form, step) >= self.needed

    def rows(self, stream: BinaryIO, section: Section) -> list[Row]:
        """Return the rows that are there; none where they cannot be understood."""
        if not self.readable(section):
            return []
        step = _step(section)
        fields = _fields(self.form, step)
        shape = _shape(self.form, fields)
        zeros = (0,) * (len(self.form) - fields)
        data = read_at(stream, section.offset, min(section.size, self.most * step))
        make = self.row._make
        return [
            make(shape.unpack_from(data, at) + zeros) for at in range(0, len(data) - step + 1, step)
        ]


def _step(section: Section) -> int:
    # The metadata are one row without a stated size.
    return section.element or section.size


@lru_cache(maxsize=128)
def _shape(form: str, fields: int) -> struct.Struct:
    return struct.Struct("<" + form[:fields])


@lru_cache(maxsize=128)
def _fields(form: str, size: int) -> int:
    """Return how many whole fields a row of a size has."""
    return next(n for n in range(len(form), -1, -1) if _shape(form, n).size <= size)


DEVICES: Final = Table(Kind.DEVICES, Device, "QQQ" + "I" * 10, 13, most=64)
CONTEXTS: Final = Table(Kind.CONTEXTS, Context, "QQQQII", 6, most=1024)
GRIDS: Final = Table(Kind.GRIDS, Grid, "Q" * 7 + "I" * 12, 17, most=65536)
SMS: Final = Table(Kind.SMS, Sm, "IIIIQIIIIQ", 1, most=4096)
BLOCKS: Final = Table(Kind.BLOCKS, Block, "QIII", 4, most=1024)
WARPS: Final = Table(Kind.WARPS, Warp, "QIIIII", 6, most=1024)
LANES: Final = Table(Kind.LANES, Lane, "QQ" + "I" * 7, 7, most=64)
CALL_STACKS: Final = Table(Kind.CALL_STACK, Return, "QQI", 3, most=512)
MODULES: Final = Table(Kind.MODULES, Module, "Q", 1, most=65536)
METADATA: Final = Table(Kind.METADATA, Metadata, "QIIIIII", 5, most=1)
