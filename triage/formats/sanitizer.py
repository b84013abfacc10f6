"""AddressSanitizer, MSan, TSan, LSan, UBSan and libFuzzer reports.

What is odd about it: one report holds several stacks (the access, the free, the allocation), of
which the first is the failure; and a frame names either a source place or a module with an offset.
"""

from __future__ import annotations

import re
from dataclasses import replace

from triage.formats._base import Format, Item, Region, named_signal, number, reading
from triage.formats._stacks import Stacks
from triage.model.crash import ErrorRecord, Fragment, Role, Signal
from triage.model.stack import Frame, Trust

_MODULE = re.compile(
    r"\s*\((?P<module>[^()]{1,1000}?)\+(?P<offset>0x[0-9a-fA-F]{1,16})\)"
    r"(?:\s*\(BuildId: [0-9a-f]{1,64}\))?\s*$"
)
_ADDRESS = re.compile(r"(0x[0-9a-fA-F]{1,16})(?: in (?=\S)| {1,2}|$)")
_PLACE = re.compile(r":(\d{1,9})(?::(\d{1,6}))?$")
_PATH_START = re.compile(r" (?=/|\.{1,2}/|[A-Za-z]:[\\/]|<null>|\S+$)")
_SIGNALS = {
    "SEGV": "SIGSEGV",
    "BUS": "SIGBUS",
    "FPE": "SIGFPE",
    "ILL": "SIGILL",
    "ABRT": "SIGABRT",
    "TRAP": "SIGTRAP",
}
_FAULT = re.compile(
    r"(?P<kind>[\w-]{2,60})"
    r"(?:[^\n]{0,40}? on (?:unknown )?address (?P<address>0x[0-9a-fA-F]{1,16}))?"
)


def _read(region: Region) -> Fragment:
    errors: list[ErrorRecord] = []
    signal: Signal | None = None
    stacks = Stacks()
    source = reading(region, "sanitizer")
    for item in source.items():
        if item.kind in ("report", "runtime_error"):
            stacks.finish()
            errors.append(_error(item))
            signal = signal or _signal(item)
        elif item.kind == "frame" and errors:
            stacks.add(to_frame(int(item.fields["index"]), item.fields["body"], item))
        elif item.kind == "stack_head":
            stacks.finish()
    stacks.finish()
    if not errors:
        return Fragment(dialect="sanitizer")
    threads = stacks.threads()
    return Fragment(
        dialect="sanitizer",
        threads=tuple(replace(t, crashed=n == 0) for n, t in enumerate(threads)),
        errors=tuple(errors),
        signal=signal,
        signal_rank=3,
        claimed=frozenset(source.claimed),
    )


def _error(item: Item) -> ErrorRecord:
    fields = item.fields
    if item.kind == "runtime_error":
        return ErrorRecord(
            api="sanitizer",
            name="UndefinedBehaviorSanitizer",
            message=fields["re_text"],
            file=fields["re_file"],
            line=number(fields["re_line"]),
            role=Role.CAUSE,
            at=item.at,
        )
    return ErrorRecord(
        api="sanitizer",
        name=fields["tool"],
        message=fields["report"],
        role=Role.CAUSE,
        at=item.at,
    )


def _signal(item: Item) -> Signal | None:
    match = _FAULT.match(item.fields.get("report", ""))
    if not match or match["kind"] not in _SIGNALS:
        return None
    return named_signal(_SIGNALS[match["kind"]], item.at, fault_address=match["address"])


def to_frame(index: int, body: str, item: Item) -> Frame:
    """Return the frame that stands behind a number in a sanitizer's stack."""
    text, address, module, offset = body.strip(), None, None, None
    if match := _MODULE.search(text):
        module, offset, text = match["module"], match["offset"], text[: match.start()]
    if match := _ADDRESS.match(text):
        address, text = match[1], text[match.end() :]
    function, file, line, column = split_source(text.strip())
    trust = Trust.DEBUG_INFO if file else Trust.SYMBOL
    return Frame(
        index=index,
        function=function,
        file=file,
        line=line,
        column=column,
        module=module,
        offset=offset,
        address=address,
        trust=trust if function else Trust.ADDRESS_ONLY,
        at=item.at,
    )


def split_source(text: str) -> tuple[str | None, str | None, int | None, int | None]:
    """Part `FUNCTION FILE:LINE:COLUMN`, in which the function may hold spaces."""
    place = _PLACE.search(text)
    line = column = None
    head = text
    if place:
        line, column = int(place[1]), int(place[2]) if place[2] else None
        head = text[: place.start()]
    elif "/" not in text and "\\" not in text:
        return (text or None), None, None, None
    for match in _PATH_START.finditer(head):
        function, file = head[: match.start()], head[match.end() :]
        if function.count("(") == function.count(")"):
            return function or None, None if file == "<null>" else file, line, column
    return (text or None), None, None, None


FORMAT = Format(
    name="sanitizer",
    title="AddressSanitizer and its relatives, libFuzzer",
    anchors=("Sanitizer: ", "libFuzzer: ", ": runtime error: "),
    opens=re.compile(
        r"[^\n]{0,80}?(?:ERROR|WARNING): ?(?:\w{2,40}Sanitizer|libFuzzer): "
        r"|\S[^:\n]{0,1000}:\d{1,9}(?::\d{1,6})?: runtime error: |SUMMARY: \w{2,40}Sanitizer: "
    ),
    read=_read,
    after=400,
    reach=600,
)
