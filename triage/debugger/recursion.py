"""Finds the outer end of a stack that is too deep to be unwound: a function that calls itself.

Unwinding costs gdb 10 KiB a frame. But such a stack repeats itself: the same return addresses stand
in it at the same distances, which is a quick thing to check in the core dump. Close to the last
repetition gdb is told to go on: one frame is given the caller that it has so many calls later.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from triage.elf.memory import Memory

WINDOW: Final = 32
"""How many frames must be known: two rounds of the longest circle of calls."""

_WORD: Final = 8
_CHUNK: Final = 4 << 20
_MAX_STRIDE: Final = 1 << 20
_MAX_ROUNDS: Final = 1 << 26


@dataclass(frozen=True, slots=True)
class Level:
    """One frame: where it continues, its stack pointer and its frame pointer."""

    pc: int
    sp: int
    fp: int


@dataclass(frozen=True, slots=True)
class Jump:
    """What the frame with stack pointer `at` gets for a caller, and how many frames that skips.

    `cfa` is where its own frame ends.
    """

    at: int
    cfa: int
    to: Level
    skipped: int


def find_jump(levels: Sequence[Level], memory: Memory, left: int) -> Jump | None:
    """Return the jump that leaves about `left` frames of a recursion; None where it is none."""
    period = _period(levels)
    if period is None:
        return None
    stride = levels[period].sp - levels[0].sp
    rounds = _repetitions(levels[: period + 1], stride, memory)
    skipped = rounds - -(-left // period) - 2
    # Inlined frames share the stack pointer of the frame that they are in.
    calls = [n for n in range(period) if levels[n].sp != levels[n + 1].sp]
    if skipped <= 0 or not calls:
        return None
    at = calls[0]
    caller = levels[at + 1]
    moved = levels[at + 1 + period].fp - caller.fp == stride
    return Jump(
        at=levels[at].sp,
        cfa=caller.sp,
        to=Level(
            pc=caller.pc,
            sp=caller.sp + skipped * stride,
            fp=caller.fp + skipped * stride if moved else caller.fp,
        ),
        skipped=skipped * period,
    )


def _period(levels: Sequence[Level]) -> int | None:
    """Return after how many frames the calls repeat themselves."""
    for period in range(1, len(levels) // 2):
        stride = levels[period].sp - levels[0].sp
        pairs = list(zip(levels, levels[period:], strict=False))
        if (
            0 < stride <= _MAX_STRIDE
            and stride % _WORD == 0
            and all(a.pc == b.pc and b.sp - a.sp == stride for a, b in pairs)
        ):
            return period
    return None


def _repetitions(levels: Sequence[Level], stride: int, memory: Memory) -> int:
    """Return how often all return addresses of one circle stand in the stack again."""
    count = _MAX_ROUNDS
    for frame, caller in pairwise(levels):
        if frame.sp == caller.sp:
            continue
        slot = _slot(frame.sp, caller, memory)
        if slot is None:
            return 0
        count = min(count, _count(slot, caller.pc, stride, count, memory))
    return count


def _slot(begin: int, caller: Level, memory: Memory) -> int | None:
    """Return where between two stack pointers a return address is kept."""
    wanted = caller.pc.to_bytes(_WORD, "little")
    data = memory.read(begin, caller.sp - begin)
    places = range(len(data) // _WORD * _WORD - _WORD, -1, -_WORD)
    found = next((at for at in places if data[at : at + _WORD] == wanted), None)
    return None if found is None else begin + found


def _count(slot: int, address: int, stride: int, limit: int, memory: Memory) -> int:
    count = 0
    for value in _every(slot, stride, memory):
        if value != address or count == limit:
            break
        count += 1
    return count


def _every(start: int, stride: int, memory: Memory) -> Iterator[int]:
    """Yield the words that follow each other at one distance, up to the end of the dump."""
    at = start + stride
    size = max(_CHUNK // stride, 1) * stride
    while data := memory.read(at, size):
        words = memoryview(data[: len(data) // _WORD * _WORD]).cast("Q")
        yield from words[:: stride // _WORD]
        if len(data) < size:
            return
        at += size


_UNWINDER: Final = """
from gdb import Value, lookup_type
from gdb.unwinder import Unwinder, register_unwinder

def word(value):
    return Value(value).cast(lookup_type("unsigned long"))

class Id:
    def __init__(self):
        self.sp, self.pc = word({cfa}), word({start})

class Jump(Unwinder):
    def __init__(self):
        super().__init__("jump")
    def __call__(self, frame):
        if int(frame.read_register("{sp}")) & {mask} != {at}:
            return None
        info = frame.create_unwind_info(Id())
        for name, value in {registers}:
            info.add_saved_register(name, word(value))
        return info

register_unwinder(None, Jump(), True)
"""
_REGISTERS: Final = {"x86_64": ("rip", "rsp", "rbp"), "aarch64": ("pc", "sp", "x29")}


def registers_of(arch: str) -> tuple[str, str, str] | None:
    """Return what program counter, stack pointer and frame pointer are called."""
    return _REGISTERS.get(arch)


def jump_command(jump: Jump, names: tuple[str, str, str]) -> str:
    """Return the command that makes gdb jump; there is nothing in it but numbers."""
    pc, sp, fp = names
    values = [(pc, jump.to.pc), (sp, jump.to.sp), (fp, jump.to.fp)]
    code = _UNWINDER.format(
        cfa=jump.cfa, start=jump.to.pc, sp=sp, mask=(1 << 64) - 1, at=jump.at, registers=values
    )
    text = code.encode().hex()
    return f"-interpreter-exec console \"python exec(bytes.fromhex('{text}').decode())\""
