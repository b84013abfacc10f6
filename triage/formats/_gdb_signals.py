"""What gdb's words say about signals and about the threads that they name."""

from __future__ import annotations

from typing import Final

from triage.elf.signals import BY_WORDS, SIGNALS, code_name, has_fault_address
from triage.formats._base import named_signal
from triage.model.crash import Signal
from triage.model.position import Position
from triage.model.stack import Thread, ThreadKind
from triage.text.late import late

QUIET: Final = frozenset(
    {
        "SIGINT",
        "SIGTRAP",
        "SIGUSR1",
        "SIGUSR2",
        "SIG32",
        "SIG33",
        "SIG34",
        "SIGSTOP",
        "SIGCHLD",
        "?",
    }
)
"""Signals that stop a program in the debugger and are no crash."""

_WORDS: Final = {**BY_WORDS, "Quit": "SIGQUIT"}

_LWP = late(r"\bLWP (\d{1,10})")
_DECIMAL = late(r"Thread (\d{1,10})(?:\.(0x[0-9a-fA-F]{1,8}|\d{1,10}))?(?=[ ):]|$)")
_NAME = late(r'\) "([^\n]{0,64}?)"(?:\)|$)|^[^("]{1,60} "([^\n"]{0,64})"(?:\)|$)')


def numbered(number: int, words: str, at: Position) -> Signal:
    """Return the signal of an old gdb, which gives its number and describes it.

    The words decide: systems do not agree on the numbers.
    """
    known = next((name for text, name in _WORDS.items() if words.startswith(text)), None)
    name = known or SIGNALS.get(number)
    if name is None:
        return Signal(name=f"SIG{number}", number=number, at=at)
    return Signal(name=name, number=number, at=at)


def from_siginfo(signo: int, code: int | None, address: str | None, at: Position) -> Signal | None:
    """Return the signal that `print $_siginfo` shows; None where it is nothing but a stop."""
    name = SIGNALS.get(signo)
    if name is None or name in QUIET:
        return None
    sure = code is not None and has_fault_address(name, code)
    signal = named_signal(name, at, fault_address=address if sure else None)
    if code is None:
        return signal
    return Signal(
        name=name,
        number=signal.number,
        code=code_name(name, code),
        fault_address=signal.fault_address,
        at=at,
    )


def thread_of(number: str, target: str, at: Position) -> Thread:
    """Return the thread that gdb calls `NUMBER (TARGET)`."""
    tid = None
    if match := _LWP.search(target):
        tid = int(match[1])
    elif match := _DECIMAL.match(target):
        last = match[2] or match[1]
        tid = int(last, 16) if last.startswith("0x") else int(last)
    name = _NAME.search(target)
    gpu = target.startswith("AMDGPU ")
    return Thread(
        id=number,
        tid=tid,
        name=(name[1] or name[2]) if name else None,
        kind=ThreadKind.GPU if gpu else ThreadKind.HOST,
        at=at,
    )
