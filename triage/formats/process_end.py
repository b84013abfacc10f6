"""The last words of a process: the shell's, glibc's, and those of the C and C++ runtimes.

What is odd about it: an exit status above 128 is a signal only by the shell's convention, and
`Aborted` is what every failed check ends with, so that both say less than any other evidence.
"""

from __future__ import annotations

import re
from dataclasses import replace

from triage.elf.signals import NUMBERS
from triage.formats._base import Format, Region, named_signal, number, reading
from triage.model.crash import ErrorRecord, Fragment, Signal

_WORDS = {
    "Aborted": "SIGABRT",
    "Segmentation fault": "SIGSEGV",
    "Bus error": "SIGBUS",
    "Illegal instruction": "SIGILL",
    "Floating point exception": "SIGFPE",
    "Killed": "SIGKILL",
    "Trace/breakpoint trap": "SIGTRAP",
    "Bad system call": "SIGSYS",
}
_BY_NUMBER = {NUMBERS[name]: name for name in _WORDS.values()}


def _read(region: Region) -> Fragment:
    errors: list[ErrorRecord] = []
    signal: Signal | None = None
    source = reading(region, "process_end")
    for item in source.items():
        kind, at, fields = item.kind, item.at, item.fields
        if kind == "shell_signal":
            signal = named_signal(_WORDS[fields["words"]], at)
        elif kind == "exit_status":
            status = number(fields["status"]) or 0
            if signal is None and status - 128 in _BY_NUMBER:
                signal = named_signal(_BY_NUMBER[status - 128], at)
        elif kind == "what":
            if errors and errors[-1].api == "cxx" and errors[-1].message is None:
                errors[-1] = replace(errors[-1], message=fields["what"])
        else:
            errors.append(replace(_error(kind, fields), at=at))
    return Fragment(
        dialect="process_end",
        errors=tuple(errors),
        signal=signal,
        signal_rank=4,
        claimed=frozenset(source.claimed),
    )


def _error(kind: str, fields: dict[str, str]) -> ErrorRecord:
    if kind == "terminate":
        name = fields.get("exception")
        return ErrorRecord(api="cxx", name=name, message=fields.get("terminate_kind"))
    if kind == "glibc":
        return ErrorRecord(api="libc", message=fields["glibc"])
    return ErrorRecord(
        api="libc",
        name="assert",
        message=f"Assertion `{fields['assertion']}' failed",
        file=fields["assert_file"],
        line=number(fields["assert_line"]),
    )


FORMAT = Format(
    name="process_end",
    title="the shell's, glibc's and the C++ runtime's last words",
    anchors=(
        "core dumped",
        "Segmentation fault",
        "terminate called",
        "what():  ",
        "double free or",
        "free(): ",
        "malloc(): ",
        "munmap_chunk(): ",
        "corrupted ",
        "smashing detected",
        "overflow detected",
        "Assertion `",
        "Assertion '",
        "Bus error",
        "Illegal instruction",
        "Floating point exception",
        "Aborted",
        "Killed",
        "exit status ",
        "exited with ",
        "xit code",
        "xit Code",
    ),
    opens=re.compile(
        r"[^\n]{0,240}?(?:Aborted|Segmentation fault|Bus error|Illegal instruction|Killed"
        r"|Floating point exception|terminate called|double free or|corrupted |smashing detected"
        r"|overflow detected|free\(\): |(?:munmap_chunk|realloc|malloc(?:_consolidate)?)\(\): "
        r"|Assertion [`']|exit status +\d|exited with (?:code|status) +\d|[Ee]xit [Cc]ode:? +\d)"
        r"|  what\(\):  "
    ),
    read=_read,
    after=2,
    reach=4,
    yields_to=("gdb", "openclaw"),
)
