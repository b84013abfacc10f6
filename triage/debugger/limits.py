"""How much a run of the debugger may take, and how much of a stack is kept."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from triage.debugger.launch import CPU_SECONDS, MEMORY_BYTES, UNWOUND_FRAMES

SECOND_RUN: Final = 0.5
"""How much of the first run's time a second one has."""


class Arguments(StrEnum):
    """Whether the values of functions' arguments are read."""

    NONE = "none"
    SCALARS = "scalars"


class Outcome(StrEnum):
    """How a run of the debugger ended."""

    OK = "ok"
    WALL_LIMIT = "wall-limit"
    CPU_LIMIT = "cpu-limit"
    MEMORY_LIMIT = "memory-limit"
    OUTPUT_LIMIT = "output-limit"
    DIED = "died"


@dataclass(frozen=True, slots=True, kw_only=True)
class GdbLimits:
    """The limits of one core dump: times in seconds, sizes in bytes.

    `messages` bounds what gdb says besides its answers. `inner_frames` and `outer_frames` are kept
    of a deep stack. A process with more than `few_threads` threads keeps `many_threads_frames` of
    every thread but the crashed one, and one with more than `detailed_threads` keeps the stacks of
    that many.
    """

    wall: float = 120.0
    cpu: int = CPU_SECONDS
    memory: int = MEMORY_BYTES
    output: int = 16 << 20
    messages: int = 1 << 20
    inner_frames: int = 200
    outer_frames: int = 50
    unwound_frames: int = UNWOUND_FRAMES
    detailed_threads: int = 2048
    few_threads: int = 64
    many_threads_frames: int = 20
    argument_text: int = 200
    arguments: Arguments = Arguments.SCALARS


def limits_within(seconds: float) -> GdbLimits:
    """Return limits under which gdb ends in that time, a second run for less included."""
    wall = seconds / (1 + SECOND_RUN)
    return GdbLimits(wall=wall, cpu=max(round(wall / 2), 1))
