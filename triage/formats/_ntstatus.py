"""Windows status codes as errors, and the signals that they would be elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, field

from triage.formats._base import named_signal
from triage.knowledge import known_errors
from triage.model.crash import ErrorRecord, Signal
from triage.model.position import Position
from triage.text.late import late

STATUS_LIMIT = 0x80000000
_SYSTEM = frozenset({0xC000, 0xC001})

FAIL_FAST = 0xC0000409
FATAL_APP_EXIT = 7
"""The subcode of a fail-fast with which the C runtime's abort() ends the process."""

# As gdb and Cygwin translate them. A fail-fast is not in the table: abort() ends so, but so do
# failed security checks and heap checks, and the code alone does not tell them apart.
_SIGNALS = {
    0x80000001: "SIGSEGV",
    0x80000002: "SIGBUS",
    0x80000003: "SIGTRAP",
    0x80000004: "SIGTRAP",
    0xC0000005: "SIGSEGV",
    0xC0000006: "SIGBUS",
    0xC000001D: "SIGILL",
    0xC0000096: "SIGILL",
    0xC00000FD: "SIGSEGV",
    0xC000013A: "SIGINT",
    0x40000015: "SIGABRT",
    **dict.fromkeys(range(0xC000008D, 0xC0000096), "SIGFPE"),
    0xC00002B4: "SIGFPE",
    0xC00002B5: "SIGFPE",
}
_WINDOWS_NAMES = {
    "INT_DIVIDE_BY_ZERO": "INTEGER_DIVIDE_BY_ZERO",
    "INT_OVERFLOW": "INTEGER_OVERFLOW",
    "PRIV_INSTRUCTION": "PRIVILEGED_INSTRUCTION",
    "GUARD_PAGE": "GUARD_PAGE_VIOLATION",
}
_ACCESS = late(r"_(?:READ|WRITE|EXEC)\Z")


def status_of(text: str) -> int | None:
    """Return an exit code as the unsigned number that Windows gives it; None for another number.

    Reads hexadecimal, and decimal with or without the sign, of 32 or 64 bits. What is in no table
    is a status only where its upper half is that of the system's own errors.
    """
    try:
        code = int(text, 16) if text[:2].lower() == "0x" else int(text)
    except ValueError:
        return None
    if code >= 1 << 63:
        code -= 1 << 64
    if -STATUS_LIMIT <= code < 0:
        code += 1 << 32
    known = ("ntstatus", code) in known_errors().by_code
    return code if known or code >> 16 in _SYSTEM else None


def status_by_name(name: str) -> int | None:
    """Return the code of a name such as `EXCEPTION_ACCESS_VIOLATION_READ`."""
    bare = _ACCESS.sub("", name.removeprefix("EXCEPTION_").removeprefix("STATUS_"))
    if bare.startswith("FLT_"):
        bare = "FLOAT_" + bare[4:]
    known = known_errors().by_name.get("STATUS_" + _WINDOWS_NAMES.get(bare, bare))
    return known.code if known and known.api == "ntstatus" else None


def status_error(code: int, at: Position, message: str | None = None) -> ErrorRecord:
    """Return the error that a status code means."""
    known = known_errors().by_code.get(("ntstatus", code))
    return ErrorRecord(
        api="ntstatus", code=code, name=known.name if known else None, message=message, at=at
    )


def status_signal(code: int, at: Position, *, fault_address: str | None = None) -> Signal | None:
    """Return the signal that a status code would be; None where it says too little."""
    name = _SIGNALS.get(code)
    return named_signal(name, at, fault_address=fault_address) if name else None


@dataclass(slots=True)
class Exceptions:
    """The errors of one region, and the signal that was observed most directly."""

    errors: list[ErrorRecord] = field(default_factory=list)
    signal: Signal | None = None
    rank: int = 9
    _codes: set[int] = field(default_factory=set)

    def status(
        self,
        code: int | None,
        at: Position,
        rank: int,
        *,
        words: str | None = None,
        address: str | None = None,
    ) -> None:
        """Record a status code once, and the signal that it would be."""
        if code is None:
            return
        if code not in self._codes:
            self._codes.add(code)
            self.errors.append(status_error(code, at, words))
        self.signalled(status_signal(code, at, fault_address=address), rank)

    def signalled(self, signal: Signal | None, rank: int) -> None:
        """Keep a signal unless one was seen as directly before."""
        if signal and rank < self.rank:
            self.signal, self.rank = signal, rank
