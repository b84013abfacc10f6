"""GPU core dumps that are made, not recorded: of any number of devices, warps and lanes."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path

from triage.gpucore.sections import Kind


@dataclass
class Lane:
    """A lane; `returns` are the addresses that its functions return to."""

    number: int
    pc: int
    exception: int = 0
    returns: tuple[int, ...] = ()


@dataclass
class Warp:
    """A warp of a block."""

    number: int
    lanes: list[Lane]
    active: int = 0xFFFF_FFFF
    error_pc: int | None = None
    broken: bool = False


@dataclass
class Block:
    """A block of a grid."""

    index: tuple[int, int, int]
    warps: list[Warp]
    grid: int = 1


@dataclass
class Sm:
    """A multiprocessor."""

    number: int
    blocks: list[Block] = field(default_factory=list)
    exception: int = 0
    error_pc: int | None = None


class Builder:
    """Writes sections one after the other."""

    def __init__(self) -> None:
        self.body = bytearray(64)
        self.headers = [bytes(64)]

    def section(self, kind: int, data: bytes, element: int, link: int = 0, info: int = 0) -> int:
        """Add a section; return its number."""
        row = struct.pack(
            "<IIQQQQIIQQ", 0, kind, 0, 0, len(self.body), len(data), link, info, 0, element
        )
        self.headers.append(row)
        self.body += data
        return len(self.headers) - 1

    def done(self, strings: int) -> bytes:
        """Return the file."""
        at, count = len(self.body), len(self.headers)
        head = b"\x7fELF\x02\x01\x01\x33" + bytes(8) + struct.pack("<HHI", 4, 190, 1)
        small = count if count < 0xFF00 else 0
        head += struct.pack("<QQQIHHHHHH", 0, 0, at, 0, 64, 0, 0, 64, small, 0)
        self.body[:64] = head
        if not small:
            self.headers[0] = struct.pack("<IIQQQQIIQQ", 0, 0, 0, 0, 0, count, strings, 0, 0, 0)
        return bytes(self.body) + b"".join(self.headers)


def build(sms: list[Sm], *, launch: tuple[int, ...] = (4, 1, 1, 64, 1, 1)) -> bytes:
    """Return a core dump of one device that runs one grid."""
    made = Builder()
    strings = made.section(3, b"\0Made Device\0sm_90\0", 0)
    device = struct.pack("<QQQ14I", 1, 1, 13, 0, 0, 6, len(sms), 64, 32, 255, 8, 9, 0, 16, 0, 0, 0)
    devices = made.section(user(Kind.DEVICES), device, len(device))
    grid = struct.pack("<7Q12I", 1, 1, 0, 0x1000, 1, 0, 0, 2, 0, 2, 16, *launch, 0, 4711)
    made.section(user(Kind.GRIDS), grid, len(grid), devices, 0)
    rows = b"".join(
        struct.pack("<IIIIQ", s.number, 0, s.exception, s.error_pc is not None, s.error_pc or 0)
        for s in sms
    )
    table = made.section(user(Kind.SMS), rows, 24, devices, 0)
    for n, sm in enumerate(sms):
        rows = b"".join(struct.pack("<Q4I", b.grid, *b.index, 0) for b in sm.blocks)
        blocks = made.section(user(Kind.BLOCKS), rows, 24, table, n)
        for k, block in enumerate(sm.blocks):
            _warps(made, block, blocks, k)
    return made.done(strings)


def _warps(made: Builder, block: Block, blocks: int, row: int) -> None:
    rows = b"".join(
        struct.pack(
            "<Q6I", w.error_pc or 0, w.number, sum(1 << lane.number for lane in w.lanes), w.active,
            w.broken, w.error_pc is not None, 0,
        )
        for w in block.warps
    )  # fmt: skip
    warps = made.section(user(Kind.WARPS), rows, 32, blocks, row)
    for n, warp in enumerate(block.warps):
        data = b"".join(
            struct.pack(
                "<QQ8I", lane.pc, 0, lane.number, 32 * n + lane.number, 0, 0, lane.exception,
                len(lane.returns), 0, 0,
            )
            for lane in warp.lanes
        )  # fmt: skip
        lanes = made.section(user(Kind.LANES), data, 48, warps, n)
        for k, lane in enumerate(warp.lanes):
            if lane.returns:
                entries = enumerate(lane.returns)
                data = b"".join(struct.pack("<QQII", 0, pc, level, 0) for level, pc in entries)
                made.section(user(Kind.CALL_STACK), data, 24, lanes, k)


def user(kind: Kind) -> int:
    """Return a kind of section as it stands in the file."""
    return 0x8000_0000 + kind


def full(sms: int, warps: int) -> bytes:
    """Return a core dump of a device that is as full as it can be."""
    return build(
        [
            Sm(s, [Block((s, 0, 0), [
                Warp(w, [Lane(n, 0x1000 + 16 * (w % 7)) for n in range(32)]) for w in range(warps)
            ])])
            for s in range(sms)
        ]
    )  # fmt: skip


def write_with_memory(path: Path, data: bytes, size: int) -> Path:
    """Write a core dump that also holds `size` bytes of the device's memory, all a hole."""
    (at,) = struct.unpack_from("<Q", data, 40)
    (count,) = struct.unpack_from("<H", data, 60)
    memory = struct.pack("<IIQQQQIIQQ", 0, 0x8000_0002, 0, 0x7F00_0000_0000, at, size, 0, 0, 0, 0)
    with path.open("wb") as stream:
        stream.write(data[:at])
        stream.seek(at + size)
        stream.write(data[at : at + 64 * count] + memory)
        stream.seek(40)
        stream.write(struct.pack("<Q", at + size))
        stream.seek(60)
        stream.write(struct.pack("<H", count + 1))
    return path
