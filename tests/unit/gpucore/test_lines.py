"""Line tables: what an assembler here writes is read back, whatever it is."""

from __future__ import annotations

import struct
import time
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.gpucore.budget import Budget
from triage.gpucore.cubin import Cubin
from triage.gpucore.leb import Reader
from triage.gpucore.lines import LineTable
from triage.gpucore.sections import Section

START = 0x7F00_0000_1000
NAMES = b"\0\0\0\0_Z5innerv\0_Z6middlev\0"


def uleb(value: int) -> bytes:
    out = bytearray()
    while True:
        out.append(value & 127 | (128 if value > 127 else 0))
        value >>= 7
        if not value:
            return bytes(out)


def sleb(value: int) -> bytes:
    out = bytearray()
    while True:
        byte, value = value & 127, value >> 7
        if (value == 0 and not byte & 64) or (value == -1 and byte & 64):
            out.append(byte)
            return bytes(out)
        out.append(byte | 128)


def extended(kind: int, data: bytes = b"") -> bytes:
    return b"\0" + uleb(len(data) + 1) + bytes([kind]) + data


def sequence(start: int, rows: list[tuple[int, int, int, int, int]], end: int) -> bytes:
    """Return operations for rows of (offset, file, line, caller, name)."""
    out = extended(2, struct.pack("<Q", start))
    address = line = 0
    line, caller, file = 1, 0, 1
    for offset, number, at, call, name in rows:
        if number != file:
            out += b"\4" + uleb(number)
        if call != caller:
            out += extended(144, uleb(call) + uleb(name))
        out += b"\3" + sleb(at - line) + b"\2" + uleb(offset - address) + b"\1"
        address, line, caller, file = offset, at, call, number
    return out + b"\2" + uleb(end - address) + extended(1)


def unit(program: bytes, *, version: int = 2, names_at: int | None = 4) -> bytes:
    """Return a unit with the files `/src/a.cu` and `b.cuh`."""
    common = bytes([1, *([1] if version >= 4 else []), 1, 0xFB, 14, 10]) + bytes(
        [0, 1, 1, 1, 1, 0, 0, 0, 1]
    )
    if version < 5:
        files = b"/src\0\0" + b"a.cu\0\1\0\0" + b"b.cuh\0\0\0\0" + b"\0"
    else:
        files = b"\1\1\x08\2/build\0/src\0" + b"\2\1\x08\2\x0b\3"
        files += b"x.cu\0\0" + b"a.cu\0\1" + b"/abs/b.cuh\0\0"
    tail = b"" if names_at is None else struct.pack("<I", names_at)
    inside = common + files + tail
    head = struct.pack("<H", version) + (b"\x08\x00" if version >= 5 else b"")
    body = head + struct.pack("<I", len(inside)) + inside + program
    return struct.pack("<I", len(body)) + body


def cubin(lines: bytes, names: bytes = NAMES, *, size: int = 0x1000) -> Cubin:
    """Return a cubin with one function and a line table."""
    texts = b"\0.text.f\0.debug_line\0.debug_str\0.symtab\0.strtab\0.names\0.rela.debug_line\0"
    symbol = struct.pack("<IBBHQQ", 1, 2, 0, 1, START, size)
    parts = [
        (b".text.f", 1, 6, START, bytes(size), 0),
        (b".rela.debug_line", 4, 0, 0, b"\xff" * 24, 0),
        (b".debug_line", 1, 0, 0, lines, 0),
        (b".debug_str", 1, 0, 0, names, 0),
        (b".strtab", 3, 0, 0, b"\0_Z1fv\0", 0),
        (b".symtab", 2, 0, 0, symbol, 5),
        (b".names", 3, 0, 0, texts, 0),
    ]
    body, headers = bytearray(64), [bytes(64)]
    for name, kind, flags, address, data, link in parts:
        at = texts.index(b"\0" + name + b"\0") + 1
        headers.append(
            struct.pack(
                "<IIQQQQIIQQ", at, kind, flags, address, len(body), len(data), link, 0, 0, 0
            )
        )
        body += data
    head = b"\x7fELF\x02\x01\x01\x41" + bytes(8) + struct.pack("<HHI", 2, 190, 1)
    head += struct.pack("<QQQIHHHHHH", 0, 0, len(body), 0, 64, 0, 0, 64, len(headers), 7)
    body[:64] = head
    data = bytes(body) + b"".join(headers)
    return Cubin(BytesIO(data), Section(1, 0, len(data), 0, 0, 0), Budget())


def table(lines: bytes, **options: int) -> LineTable:
    return LineTable(cubin(lines, **options), Budget())


@pytest.mark.parametrize("version", [2, 3, 4])
def test_inlined_calls_are_followed(version):
    rows = [(0, 1, 10, 0, 0), (16, 1, 20, 0, 0), (16, 1, 30, 2, 10), (32, 2, 40, 3, 0)]
    lines = table(unit(sequence(START, rows, 64), version=version))
    assert lines.places(START) == (("/src/a.cu", 10, None),)
    assert lines.places(START + 31) == (
        ("/src/a.cu", 30, "_Z6middlev"),
        ("/src/a.cu", 20, None),
    )
    assert lines.places(START + 63) == (
        ("b.cuh", 40, "_Z5innerv"),
        ("/src/a.cu", 30, "_Z6middlev"),
        ("/src/a.cu", 20, None),
    )


def test_dwarf_5():
    lines = table(unit(sequence(START, [(0, 1, 10, 0, 0), (16, 2, 20, 0, 0)], 32), version=5))
    assert lines.places(START) == (("/src/a.cu", 10, None),)
    assert lines.places(START + 16) == (("/abs/b.cuh", 20, None),)


def test_only_what_was_loaded_is_read():
    """Functions that were not loaded have the address zero."""
    program = b"".join(sequence(0, [(0, 1, n, 0, 0)], 64) for n in range(1, 200))
    budget = Budget()
    before = budget.operations
    lines = LineTable(cubin(unit(program + sequence(START, [(0, 1, 7, 0, 0)], 64))), budget)
    assert lines.places(START + 8) == (("/src/a.cu", 7, None),)
    assert before - budget.operations < 10


def test_two_units():
    lines = table(
        unit(sequence(START, [(0, 1, 1, 0, 0)], 16))
        + unit(sequence(START + 16, [(0, 2, 2, 0, 0)], 32), version=5)
    )
    assert lines.places(START)[0].file == "/src/a.cu"
    assert lines.places(START + 16)[0].file == "/abs/b.cuh"
    assert lines.places(START + 48) == ()
    assert lines.places(START - 1) == ()


def test_function_names_start_where_the_header_says():
    rows = [(0, 1, 1, 0, 0), (0, 1, 2, 1, 0)]
    found = table(unit(sequence(START, rows, 16), names_at=14)).places(START)
    assert found[0].function == "_Z6middlev"
    found = table(unit(sequence(START, rows, 16), names_at=None)).places(START)
    assert found[0].function in ("", None)


@pytest.mark.parametrize("caller", [1, 2, 3, 99, 1 << 40])
def test_calls_in_a_circle_end(caller):
    """A call stands before what is inlined at it; any other row means nothing."""
    rows = [(0, 1, 1, caller, 0), (16, 1, 2, caller, 0)]
    assert len(table(unit(sequence(START, rows, 32))).places(START + 16)) <= 2


def test_a_table_that_goes_backwards_means_nothing():
    program = extended(2, struct.pack("<Q", START)) + b"\1" + b"\2" + uleb(64) + b"\1"
    program += extended(2, struct.pack("<Q", START + 8)) + b"\1\2" + uleb(99) + extended(1)
    assert table(unit(program)).places(START) == ()


def test_a_table_without_end_is_left():
    """Operations are counted over the whole core dump, and a sequence that is cut off is no use."""
    program = extended(2, struct.pack("<Q", START)) + b"\1" * (8 << 20)
    begin = time.process_time()
    assert table(unit(program)).places(START) == ()
    assert time.process_time() - begin < 4


ROWS = st.lists(
    st.tuples(st.integers(0, 200), st.integers(1, 2), st.integers(1, 1 << 20)),
    min_size=1,
    max_size=30,
)


@settings(max_examples=100, deadline=None)
@given(rows=ROWS, calls=st.lists(st.integers(0, 30), min_size=30, max_size=30))
def test_property_rows_are_read_back(rows, calls):
    rows = sorted(rows, key=lambda row: row[0])
    full = [
        (16 * at, file, line, calls[n] if calls[n] <= n else 0, 0)
        for n, (at, file, line) in enumerate(rows)
    ]
    end = full[-1][0] + 16
    lines = table(unit(sequence(START, full, end)), size=0x2000)
    for pc in range(full[0][0], end, 16):
        n = max(k for k, row in enumerate(full) if row[0] <= pc)
        wanted = []
        while True:
            wanted.append(full[n][2])
            if full[n][3] == 0:
                break
            n = full[n][3] - 1
        assert [p.line for p in lines.places(START + pc)] == wanted[:32]


@given(st.integers(-(1 << 62), 1 << 62))
def test_property_numbers(value):
    data = sleb(value)
    assert Reader(data, 0, len(data)).signed() == value
    data = uleb(abs(value))
    assert Reader(data, 0, len(data)).unsigned() == abs(value)


@settings(max_examples=150, deadline=None)
@given(data=st.binary(max_size=300), version=st.integers(2, 5))
def test_property_any_program(data, version):
    program = extended(2, struct.pack("<Q", START)) + data
    table(unit(program, version=version)).places(START)
    table(data).places(START)
