"""The names of signals and of their codes, as Linux numbers them on x86-64 and AArch64."""

from __future__ import annotations

from typing import Final

SIGNALS: Final = {
    1: "SIGHUP",
    2: "SIGINT",
    3: "SIGQUIT",
    4: "SIGILL",
    5: "SIGTRAP",
    6: "SIGABRT",
    7: "SIGBUS",
    8: "SIGFPE",
    9: "SIGKILL",
    10: "SIGUSR1",
    11: "SIGSEGV",
    12: "SIGUSR2",
    13: "SIGPIPE",
    14: "SIGALRM",
    15: "SIGTERM",
    16: "SIGSTKFLT",
    24: "SIGXCPU",
    25: "SIGXFSZ",
    31: "SIGSYS",
}

BY_WORDS: Final = {
    "Abort trap": "SIGABRT",
    "Aborted": "SIGABRT",
    "Arithmetic exception": "SIGFPE",
    "Bad system call": "SIGSYS",
    "Bus error": "SIGBUS",
    "Floating point exception": "SIGFPE",
    "Floating-point exception": "SIGFPE",
    "Illegal instruction": "SIGILL",
    "Killed": "SIGKILL",
    "Segmentation fault": "SIGSEGV",
    "Terminated": "SIGTERM",
    "Trace/BPT trap": "SIGTRAP",
    "Trace/breakpoint trap": "SIGTRAP",
}
"""Signals by the words that C libraries have for them, as shells and debuggers print them."""

STOPPING: Final = frozenset({2, 18, 19, 20, 21, 22})
"""Signals with which debuggers stop a process, and for which the kernel writes no core dump."""

_ANY_CODE: Final = {
    0x80: "SI_KERNEL",
    0: "SI_USER",
    -1: "SI_QUEUE",
    -2: "SI_TIMER",
    -3: "SI_MESGQ",
    -4: "SI_ASYNCIO",
    -5: "SI_SIGIO",
    -6: "SI_TKILL",
}

_CODES: Final = {
    "SIGILL": (
        "ILL_ILLOPC",
        "ILL_ILLOPN",
        "ILL_ILLADR",
        "ILL_ILLTRP",
        "ILL_PRVOPC",
        "ILL_PRVREG",
        "ILL_COPROC",
        "ILL_BADSTK",
    ),
    "SIGFPE": (
        "FPE_INTDIV",
        "FPE_INTOVF",
        "FPE_FLTDIV",
        "FPE_FLTOVF",
        "FPE_FLTUND",
        "FPE_FLTRES",
        "FPE_FLTINV",
        "FPE_FLTSUB",
    ),
    "SIGSEGV": (
        "SEGV_MAPERR",
        "SEGV_ACCERR",
        "SEGV_BNDERR",
        "SEGV_PKUERR",
        "SEGV_ACCADI",
        "SEGV_ADIDERR",
        "SEGV_ADIPERR",
        "SEGV_MTEAERR",
        "SEGV_MTESERR",
        "SEGV_CPERR",
    ),
    "SIGBUS": ("BUS_ADRALN", "BUS_ADRERR", "BUS_OBJERR", "BUS_MCEERR_AR", "BUS_MCEERR_AO"),
    "SIGTRAP": ("TRAP_BRKPT", "TRAP_TRACE", "TRAP_BRANCH", "TRAP_HWBKPT"),
    "SIGSYS": ("SYS_SECCOMP",),
}

_FAULTS: Final = frozenset({"SIGILL", "SIGFPE", "SIGSEGV", "SIGBUS"})


NUMBERS: Final = {name: number for number, name in SIGNALS.items()}


def signal_name(number: int) -> str:
    """Return a signal's name; one without a name keeps its number."""
    return SIGNALS.get(number, f"SIG{number}")


def code_name(signal: str, code: int) -> str | None:
    """Return the name of a signal's `si_code`, None where it has none."""
    if code in _ANY_CODE:
        return _ANY_CODE[code]
    names = _CODES.get(signal, ())
    return names[code - 1] if 0 < code <= len(names) else None


def has_fault_address(signal: str, code: int) -> bool:
    """Tell whether the kernel filled in an address: only where the processor raised the signal."""
    return signal in _FAULTS and 0 < code < 0x80
