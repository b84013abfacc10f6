"""Exceptions that nothing in a .NET program caught, and the fatal errors of its runtime.

What is odd about it: an exception's trace is printed below those of the exceptions that caused
it; and the word for `at` in front of a frame is in the user's language.
"""

from __future__ import annotations

from triage.formats._base import Format, Item, Region, reading
from triage.formats._ntstatus import Exceptions, status_of, status_signal
from triage.formats._ordered import OrderedStacks
from triage.model.crash import ErrorRecord, Fragment
from triage.model.stack import Frame, trust_of
from triage.text.late import late

_RANK = 3
_STATUS = {"AccessViolationException": 0xC0000005, "StackOverflowException": 0xC00000FD}
_OVERFLOW = "System.StackOverflowException"


def _read(region: Region) -> Fragment:
    found, stacks = Exceptions(), OrderedStacks()
    source = reading(region, "dotnet")
    for item in source.items():
        if item.kind in ("net", "net_fatal", "net_info"):
            stacks.begin(None)
            _exception(item, found)
        elif found.errors and item.kind == "net_inner":
            _exception(item, found)
        elif found.errors and item.kind == "net_frame":
            stacks.add("net", _frame(item))
        elif found.errors and "inner" in item.text:
            stacks.begin(None)
    if not found.errors:
        return Fragment(dialect="dotnet")
    return Fragment(
        dialect="dotnet",
        threads=stacks.result(),
        errors=tuple(found.errors),
        signal=found.signal,
        signal_rank=found.rank,
        claimed=frozenset(source.claimed),
    )


def _exception(item: Item, found: Exceptions) -> None:
    fields = item.fields
    if info := fields.get("info_code"):
        found.status(status_of(f"0x{info}"), item.at, _RANK)
        return
    overflow = fields.get("net_overflow")
    name = fields.get("net_name") or fields.get("net_fatal")
    name = name or fields.get("info_name") or fields.get("inner_name")
    said = (fields.get(key, "").strip() for key in ("net_words", "net_fatal_words", "inner_words"))
    words = next(filter(None, said), None) or fields.get("net_terminated") or overflow
    name = name or (_OVERFLOW if overflow else None)
    found.errors.append(ErrorRecord(api="dotnet", name=name, message=words, at=item.at))
    status = _STATUS.get((name or "").rpartition(".")[2])
    if status:
        found.signalled(status_signal(status, item.at), _RANK)


def _frame(item: Item) -> Frame:
    fields = item.fields
    line = int(fields["net_line"]) if "net_line" in fields else None
    return Frame(
        index=0,
        function=fields["net_function"],
        file=fields.get("net_file"),
        line=line,
        trust=trust_of(fields["net_function"], line),
        at=item.at,
    )


FORMAT = Format(
    name="dotnet",
    title=".NET's unhandled exceptions and fatal errors",
    anchors=(
        "nhandled exception. ",
        "nhandled exception: ",
        "nhandled Exception: ",
        "nhandled Exception. ",
        "Fatal error. ",
        "Process terminated. ",
        "Stack overflow.",
        "Exception Info: ",
    ),
    opens=late(
        r"\A(?:"
        r"[^\n]{0,60}?Unhandled [Ee]xception[.:] [A-Z]\w{0,60}\.[\w.]{1,400}"
        r"(?: \(0x[0-9a-fA-F]{8}\))?(?::|\s*$)"
        r"|Fatal error\. (?:System\.|Internal CLR error)|Process terminated\. |Stack overflow\.$"
        r"|[^\n]{0,60}?Exception Info: (?:exception code|[A-Z]\w{0,60}\.\w)"
        r")"
    ),
    read=_read,
    after=200,
    reach=200,
)
