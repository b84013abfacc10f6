"""Mach exceptions and the signals that Apple's kernel turns them into."""

from __future__ import annotations

from typing import Final

from triage.elf.signals import BY_WORDS, NUMBERS
from triage.formats._base import named_signal
from triage.model.crash import Signal
from triage.model.position import Position
from triage.text.late import late

SIGNAL_RETURNS: Final = frozenset({"_sigtramp"})
"""Functions of the system that call a signal handler; what stands above them is the handler's."""

_SIGNALS: Final = {
    "EXC_BAD_INSTRUCTION": "SIGILL",
    "EXC_ARITHMETIC": "SIGFPE",
    "EXC_BREAKPOINT": "SIGTRAP",
}
_ADDRESSED: Final = "EXC_BAD_ACCESS"
_BAD_ACCESS_SEGV: Final = frozenset({"1", "KERN_INVALID_ADDRESS", "EXC_I386_GPFLT", "13"})
_CODES: Final = {"1": "KERN_INVALID_ADDRESS", "2": "KERN_PROTECTION_FAILURE"}
_NAMED = late(r"\bSIG[A-Z0-9]{2,10}\b")
# Where Apple's numbers are not those of Linux.
_NUMBERS: Final = {
    7: "SIGEMT",
    10: "SIGBUS",
    12: "SIGSYS",
    16: "SIGURG",
    30: "SIGUSR1",
    31: "SIGUSR2",
}


def mach_signal(
    exception: str, code: str | None, at: Position, *, address: str | None = None
) -> Signal | None:
    """Return the signal that a Mach exception becomes; None where that is not settled.

    `code` is the exception's first code, as a number or by name.
    """
    if exception == _ADDRESSED:
        if code is None:
            return None
        name = "SIGSEGV" if code in _BAD_ACCESS_SEGV else "SIGBUS"
    else:
        name = _SIGNALS.get(exception, "")
        address = None
    return described_signal(name, code, at, address) if name else None


def described_signal(name: str, code: str | None, at: Position, address: str | None) -> Signal:
    """Return a signal of a known name with what is said about it."""
    plain = named_signal(name, at, fault_address=address)
    word = _CODES.get(code or "") if name in ("SIGSEGV", "SIGBUS") else None
    if code and not code.isdigit() and "_" in code:
        word = code
    return Signal(name=name, number=plain.number, code=word, fault_address=address, at=at)


def signal_in(text: str) -> str | None:
    """Return the last signal that a text names: of `SIGSEGV (SIGKILL)` the one that was sent."""
    found = [name for name in _NAMED.findall(text) if name in NUMBERS or name == "SIGEMT"]
    return found[-1] if found else None


def signal_by_number(number: int) -> str | None:
    """Return the name of a signal that Apple's systems give a number."""
    if number in _NUMBERS:
        return _NUMBERS[number]
    return next((name for name, value in NUMBERS.items() if value == number), None)


def signal_by_words(text: str) -> str | None:
    """Return the signal that a text describes as the shell does, such as `Abort trap: 6`."""
    return next((name for words, name in BY_WORDS.items() if words in text), None)
