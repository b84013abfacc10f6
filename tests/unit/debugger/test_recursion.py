"""Recursions that are counted in memory: synthetic stacks, whose every word is known."""

import io
import struct
from itertools import pairwise

import pytest

from triage.debugger.recursion import WINDOW, Level, find_jump, jump_command, registers_of
from triage.elf.layout import Segment
from triage.elf.memory import Memory

BASE = 0x7FFF_0000_0000
CODE = 0x40_1000


def stack(calls: list[tuple[int, int]]) -> tuple[list[Level], Memory]:
    """Return the frames and the memory of calls, innermost first: each an address and a size.

    A frame of no size is inlined: it shares the stack pointer of its caller.
    """
    sp = BASE
    levels = []
    for pc, size in calls:
        levels.append(Level(pc, sp, sp + 16))
        sp += size
    data = bytearray(sp - BASE + 64)
    for frame, caller in pairwise(levels):
        if caller.sp > frame.sp:
            struct.pack_into("<Q", data, caller.sp - 8 - BASE, caller.pc)
    segment = Segment(
        kind=1, flags=6, offset=0, address=BASE, file_size=len(data), memory_size=len(data), align=1
    )
    return levels, Memory(io.BytesIO(bytes(data)), [segment])


@pytest.mark.parametrize(
    "circle",
    [
        [(CODE, 48)],
        [(CODE, 48), (CODE + 64, 96)],
        [(CODE, 0), (CODE, 64)],
        [(CODE + 8 * n, 32 + 16 * n) for n in range(7)],
    ],
    ids=["one", "two", "inlined", "seven"],
)
def test_jump_lands_on_a_real_frame_near_the_end(circle: list[tuple[int, int]]):
    levels, memory = stack([*circle * 1000, (CODE + 0x500, 80), (CODE + 0x600, 80)])
    jump = find_jump(levels[:WINDOW], memory, 50)
    assert jump is not None
    assert jump.skipped % len(circle) == 0
    at = next(n for n, level in enumerate(levels) if level.sp == jump.at)
    while levels[at + 1].sp == jump.at:
        at += 1
    assert jump.cfa == levels[at + 1].sp
    assert jump.to == levels[at + 1 + jump.skipped]
    assert 50 <= len(circle) * 1000 - (at + 1 + jump.skipped) <= 50 + 5 * len(circle)


def test_jump_ends_where_another_function_is_in_between():
    once = [(CODE, 48)]
    levels, memory = stack([*once * 500, (CODE + 0x500, 48), *once * 500])
    jump = find_jump(levels[:WINDOW], memory, 50)
    assert jump is not None
    assert jump.skipped < 500


@pytest.mark.parametrize(
    "calls",
    [
        [(CODE + 8 * n, 48) for n in range(1000)],
        [(CODE, 48)] * 40 + [(CODE + 8, 48)],
        [(CODE, 48 + 16 * (n % 29)) for n in range(1000)],
        [(CODE, 0)] * 100,
    ],
    ids=["no circle", "too short", "sizes differ", "no stack"],
)
def test_no_jump(calls: list[tuple[int, int]]):
    levels, memory = stack(calls)
    assert find_jump(levels[:WINDOW], memory, 50) is None


def test_return_addresses_that_are_not_there_are_not_counted():
    levels, _ = stack([(CODE, 48)] * 1000)
    segment = Segment(
        kind=1, flags=6, offset=0, address=BASE, file_size=60_000, memory_size=60_000, align=1
    )
    assert find_jump(levels[:WINDOW], Memory(io.BytesIO(bytes(60_000)), [segment]), 50) is None


def test_command_holds_nothing_but_hexadecimal_digits():
    levels, memory = stack([(CODE, 48)] * 1000)
    jump = find_jump(levels[:WINDOW], memory, 50)
    names = registers_of("x86_64")
    assert jump is not None
    assert names is not None
    code = jump_command(jump, names).partition("fromhex('")[2].partition("'")[0]
    assert "register_unwinder" in bytes.fromhex(code).decode()
    assert registers_of("riscv") is None
