"""Builds ELF files byte by byte."""

import struct
from collections.abc import Callable, Sequence

import pytest

NOTE, LOAD = 4, 1


class ElfBuilder:
    """A 64-bit little-endian ELF file: header, program headers, then the segments' bytes."""

    def __init__(self, *, file_type: int = 4, machine: int = 62) -> None:
        self.file_type = file_type
        self.machine = machine
        self.segments: list[tuple[int, int, int, bytes, int]] = []

    def load(self, address: int, data: bytes, *, flags: int = 4) -> "ElfBuilder":
        self.segments.append((LOAD, flags, address, data, len(data)))
        return self

    def notes(self, *notes: bytes) -> "ElfBuilder":
        self.segments.append((NOTE, 0, 0, b"".join(notes), 0))
        return self

    def build(self) -> bytes:
        count = len(self.segments)
        offset = 64 + 56 * count
        headers, bodies = [], []
        for kind, flags, address, data, memory in self.segments:
            headers.append(
                struct.pack("<IIQQQQQQ", kind, flags, offset, address, 0, len(data), memory, 4)
            )
            bodies.append(data)
            offset += len(data)
        return self.header(count) + b"".join(headers) + b"".join(bodies)

    def header(self, count: int, *, segments_at: int = 64) -> bytes:
        ident = b"\x7fELF\x02\x01\x01" + bytes(9)
        return ident + struct.pack(
            "<HHIQQQIHHHHHH",
            self.file_type, self.machine, 1, 0, segments_at, 0, 0, 64, 56, count, 0, 0, 0,
        )  # fmt: skip


def _note(kind: int, data: bytes, owner: bytes = b"CORE") -> bytes:
    name = owner + b"\0"
    padded = name + bytes(-len(name) % 4) + data + bytes(-len(data) % 4)
    return struct.pack("<III", len(name), len(data), kind) + padded


def _status(tid: int, *, pc: int = 0, sp: int = 0, signal: int = 0, machine: int = 62) -> bytes:
    data = bytearray(336 if machine == 62 else 392)
    struct.pack_into("<h", data, 12, signal)
    struct.pack_into("<i", data, 32, tid)
    pc_at, sp_at = (16, 19) if machine == 62 else (32, 31)
    struct.pack_into("<Q", data, 112 + 8 * pc_at, pc)
    struct.pack_into("<Q", data, 112 + 8 * sp_at, sp)
    return _note(1, bytes(data))


def _siginfo(signal: int, code: int, address: int = 0) -> bytes:
    return _note(0x53494749, struct.pack("<iii4xQ", signal, 0, code, address).ljust(128, b"\0"))


def _process(pid: int, name: str, arguments: str) -> bytes:
    data = struct.pack("<24xi12x16s80s", pid, name.encode(), arguments.encode())
    return _note(3, data)


def _files(*files: tuple[int, int, int, str]) -> bytes:
    head = struct.pack("<QQ", len(files), 4096)
    table = b"".join(struct.pack("<QQQ", s, e, o // 4096) for s, e, o, _ in files)
    names = b"".join(name.encode() + b"\0" for *_, name in files)
    return _note(0x46494C45, head + table + names)


def _auxiliary(pairs: dict[int, int]) -> bytes:
    words = [w for pair in pairs.items() for w in pair]
    return struct.pack(f"<{len(words)}Q", *words) + bytes(16)


def _stack(
    base: int, arguments: Sequence[str], variables: Sequence[str], auxiliary: bytes
) -> bytes:
    """Lay out the top of a stack that starts at `base`."""
    count = len(arguments) + len(variables)
    strings_at = base + 8 * (count + 3) + len(auxiliary)
    addresses, strings = [], b""
    for text in (*arguments, *variables):
        addresses.append(strings_at + len(strings))
        strings += text.encode() + b"\0"
    split = len(arguments)
    words = [split, *addresses[:split], 0, *addresses[split:], 0]
    return struct.pack(f"<{len(words)}Q", *words) + auxiliary + strings


class Elf:
    """What the tests need to build a core dump."""

    builder = ElfBuilder
    note: Callable[..., bytes] = staticmethod(_note)
    status: Callable[..., bytes] = staticmethod(_status)
    siginfo: Callable[..., bytes] = staticmethod(_siginfo)
    process: Callable[..., bytes] = staticmethod(_process)
    files: Callable[..., bytes] = staticmethod(_files)
    auxiliary: Callable[..., bytes] = staticmethod(_auxiliary)
    stack: Callable[..., bytes] = staticmethod(_stack)


@pytest.fixture(scope="session")
def elf() -> type[Elf]:
    return Elf
