"""What differs between processors: their names and where a core dump keeps their registers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One processor architecture by its ELF number.

    The offsets of the program counter and the stack pointer count from the start of the data of a
    thread's status note, and are None where that note is not read.
    """

    name: str
    pc_at: int | None = None
    sp_at: int | None = None

    @property
    def readable(self) -> bool:
        """Tell whether the threads of this architecture can be read."""
        return self.pc_at is not None


# On a 64-bit Linux the registers start at byte 112 of the status note.
_REGISTERS_AT: Final = 112

MACHINES: Final = {
    3: Machine(name="i386"),
    8: Machine(name="mips"),
    20: Machine(name="ppc"),
    21: Machine(name="ppc64"),
    22: Machine(name="s390x"),
    40: Machine(name="arm"),
    62: Machine(name="x86_64", pc_at=_REGISTERS_AT + 16 * 8, sp_at=_REGISTERS_AT + 19 * 8),
    183: Machine(name="aarch64", pc_at=_REGISTERS_AT + 32 * 8, sp_at=_REGISTERS_AT + 31 * 8),
    190: Machine(name="cuda"),
    224: Machine(name="amdgpu"),
    243: Machine(name="riscv"),
    258: Machine(name="loongarch"),
}


def machine_of(number: int, *, bits: int) -> Machine:
    """Return the architecture with an ELF number; an unknown one is named by its number."""
    machine = MACHINES.get(number, Machine(name=f"machine-{number}"))
    return machine if bits == 64 else Machine(name=machine.name)
