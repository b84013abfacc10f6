"""The exceptions of a CUDA device, by the numbers that cuda-gdb and the driver give them."""

from __future__ import annotations

from typing import Final

NAMES: Final = {
    1: "Lane Illegal Address",
    2: "Lane User Stack Overflow",
    3: "Device Hardware Stack Overflow",
    4: "Warp Illegal Instruction",
    5: "Warp Out-of-range Address",
    6: "Warp Misaligned Address",
    7: "Warp Invalid Address Space",
    8: "Warp Invalid PC",
    9: "Warp Hardware Stack Overflow",
    10: "Device Illegal Address",
    11: "Lane Misaligned Address",
    12: "Warp Assert",
    13: "Lane Syscall Error",
    14: "Warp Illegal Address",
    15: "Lane Nonmigratable Atomsys",
    16: "Lane Invalid Atomsys",
    17: "Cluster Out-of-range Address",
    18: "Cluster Block Not Present",
    19: "Warp Stack Canary",
    20: "Tmem Access Check",
    21: "Tmem Leak",
    22: "Call Requires Newer Driver",
}

NUMBERS: Final = {name: number for number, name in NAMES.items()}


def exception_name(number: int) -> str:
    """Return an exception's name; one without a name keeps its number."""
    return NAMES.get(number, f"Unknown Exception {number}")
