"""Linux kernel lines: segfaults, traps, the OOM killer, NVIDIA's Xid.

What is odd about it: they name a process that need not be the one that the other inputs are about,
and one failing kernel prints an Xid line for every SM it ran on.
"""

from __future__ import annotations

import re
from dataclasses import replace

from triage.formats._base import Format, Region, named_signal, number, reading
from triage.model.crash import ErrorRecord, Fragment, Signal
from triage.model.position import Position

_TRAPS = {"invalid opcode": "SIGILL", "divide error": "SIGFPE", "int3": "SIGTRAP"}


def _read(region: Region) -> Fragment:
    errors: dict[tuple[object, ...], ErrorRecord] = {}
    signal: Signal | None = None
    source = reading(region, "kernel")
    for item in source.items():
        kind, at, fields = item.kind, item.at, item.fields
        if kind == "segfault":
            address = f"0x{fields['segv_address']}"
            signal = signal or named_signal("SIGSEGV", at, fault_address=address)
        elif kind == "trap":
            signal = signal or named_signal(_TRAPS.get(fields["trap"], "SIGSEGV"), at)
        else:
            _add(errors, _error(kind, fields, at))
    return Fragment(
        dialect="kernel",
        errors=tuple(errors.values()),
        signal=signal,
        signal_rank=2,
        claimed=frozenset(source.claimed),
    )


def _error(kind: str, fields: dict[str, str], at: Position) -> ErrorRecord:
    if kind == "xid":
        return ErrorRecord(
            api="xid",
            code=number(fields["xid"]),
            name=f"Xid {fields['xid']}",
            message=fields["xid_text"].strip() or None,
            at=at,
        )
    process = fields.get("oom_process") or fields.get("oom_invoker")
    where = fields.get("oom_where", "oom-killer invoked")
    return ErrorRecord(api="oom-killer", name=where, message=f"{where}: {process}", at=at)


def _add(errors: dict[tuple[object, ...], ErrorRecord], error: ErrorRecord) -> None:
    """Add an error, or count it where the same one was seen."""
    key = (error.api, error.code, None if error.api == "xid" else error.message)
    other = errors.get(key)
    errors[key] = error if other is None else replace(other, count=other.count + 1)


FORMAT = Format(
    name="kernel",
    title="Linux kernel messages",
    anchors=("segfault at ", "NVRM: Xid", "ut of memory: Kill", "invoked oom-killer", " trap "),
    opens=re.compile(
        r"[^\n]{0,200}?(?:: segfault at |NVRM: Xid|ut of memory: Kill|invoked oom-killer"
        r"|traps?: \S{1,80} trap )"
    ),
    read=_read,
    reach=50,
)
