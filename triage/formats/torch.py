"""PyTorch's C++ exceptions, c10d's watchdog, and NCCL's warnings.

What is odd about it: every rank prints the same stack; the watchdog that ends the process has only
seen what another thread did; and NCCL calls a warning what ends the job.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from triage.formats._base import Format, Item, Region, described_error, number, reading
from triage.formats._stacks import Stacks
from triage.model.crash import ErrorRecord, Fragment, Role
from triage.model.stack import Frame, Trust, with_crashed
from triage.text.late import late
from triage.text.line import Line

_CUT = late(r"[^\n#]{0,120}?frame #\d{1,6}: [^\n]{1,7000}\(0x[0-9a-fA-F]{1,16} in [^)\n]{0,1000}$")
_PLACE = late(
    r"(?P<function>.{1,6000}?)(?: \+ (?P<offset>0x[0-9a-fA-F]{1,16}|\d{1,20}))?"
    r" \((?P<address>0x[0-9a-fA-F]{1,16})(?: in (?P<where>[^()]{1,1000}|.{1,1000}))?\)"
    r"(?: at (?P<file>.{1,1000}?):(?P<line>\d{1,9}))?\s*$"
)
_SOURCE = late(r"(?P<file>.{1,1000}):(?P<line>\d{1,9})$")
_UNKNOWN = ("<unknown function>", "<unknown>", "??", "")
_NO_FILES = ("", "??", "<unknown>", "<unknown file>")
_SAID = late(
    r"Watchdog caught collective operation timeout|thread terminated with exception"
    r"|[Hh]eartbeat monitor timed out|collective timeout|NCCL error|failed with error"
    r"|Gloo \w{1,60} failed"
)
_FAILED = late(
    r"[Ff]ail|[Ee]rror|[Tt]imed? ?out|[Cc]onnection (?:closed|reset|refused)|out of memory"
    r"|[Mm]ismatch"
    r"|[Aa]bort|Duplicate GPU|[Ii]nvalid|unhandled|[Cc]orrupt|closed by remote"
)
_HARMLESS = late(r"libibverbs|ibv_|iommu|[Pp]lugin|NVML|nvml|topology|MNNVL|affinity|ulimit")
_FAILURE = late(r"Cuda failure (?:\d{1,5} )?'(?P<text>[^'\n]{1,400})'")


def _read(region: Region) -> Fragment:
    errors: list[ErrorRecord] = []
    stacks = Stacks()
    inner = replace(region, lines=tuple(_joined(region.lines)))
    source = reading(inner, "torch")
    raised: Frame | None = None
    captured = False
    count = 0
    for item in source.items():
        if item.kind == "raised":
            stacks.finish()
            raised, captured, count = _raised(item), False, 0
        elif item.kind == "captured":
            captured = True
        elif item.kind in ("frame", "short_frame", "windows_frame"):
            if item.kind == "short_frame" and not captured:
                source.claimed.discard(item.at.line or 0)
                continue
            stacks.add(_frame(item, count))
            raised, count = None, count + 1
        elif error := _error(item):
            errors.append(error)
    if raised is not None:
        stacks.add(raised)
    stacks.finish()
    threads = stacks.threads()
    return Fragment(
        dialect="torch",
        threads=with_crashed(threads, 0),
        errors=tuple(errors),
        claimed=frozenset(source.claimed),
    )


def _joined(lines: tuple[Line, ...]) -> Iterator[Line]:
    """Yield the lines, those joined that a terminal has cut in a library's path."""
    waiting: Line | None = None
    for line in lines:
        if waiting is not None:
            if line.text.rstrip().endswith(")") and "frame #" not in line.text:
                yield replace(waiting, text=waiting.text + line.text.strip())
                waiting = None
                continue
            yield waiting
            waiting = None
        if "frame #" in line.text and _CUT.match(line.text):
            waiting = line
        else:
            yield line
    if waiting is not None:
        yield waiting


def _raised(item: Item) -> Frame:
    """Return the place that an exception names, for a text that ends before its frames."""
    return Frame(
        index=0,
        function=item.fields["raised"],
        file=item.fields["raised_file"],
        line=number(item.fields["raised_line"]),
        trust=Trust.DEBUG_INFO,
        at=item.at,
    )


def _frame(item: Item, count: int) -> Frame:
    fields, at = item.fields, item.at
    if item.kind == "windows_frame":
        file = fields["dll_file"]
        return _located(
            Frame(index=count, function=fields["dll_function"], module=fields["dll"], at=at),
            file,
            number(fields["dll_line"]),
        )
    if item.kind == "short_frame":
        function, _, place = fields["short_body"].rpartition(" from ")
        file, _, line = place.strip().rpartition(":")
        index = int(fields["short_index"])
        return _located(Frame(index=index, function=_name(function), at=at), file, number(line))
    match = _PLACE.match(fields["body"])
    index = int(fields["index"])
    if match is None:
        return Frame(index=index, function=_name(fields["body"]), trust=Trust.SYMBOL, at=at)
    frame = Frame(
        index=index,
        function=_name(match["function"]),
        offset=_hex(match["offset"]),
        address=match["address"],
        at=at,
    )
    where = match["where"] or ""
    if source := _SOURCE.match(where):
        return _located(frame, source["file"], number(source["line"]))
    if match["file"]:
        return _located(frame, match["file"], number(match["line"]))
    return _located(replace(frame, module=where or None), "", None)


def _located(frame: Frame, file: str, line: int | None) -> Frame:
    known = None if file in _NO_FILES else file
    trust = Trust.DEBUG_INFO if known and line else Trust.SYMBOL
    return replace(
        frame,
        file=known,
        line=line or None if known else None,
        trust=trust if frame.function else Trust.ADDRESS_ONLY,
    )


def _name(text: str) -> str | None:
    name = text.strip()
    return None if name in _UNKNOWN else name


def _hex(offset: str | None) -> str | None:
    return offset if offset is None or offset.startswith("0x") else hex(int(offset))


def _error(item: Item) -> ErrorRecord | None:
    fields, at = item.fields, item.at
    if item.kind == "cuda_failure":
        return replace(described_error("cuda", fields["failure"], at), role=Role.UNCLEAR)
    if item.kind == "check":
        return ErrorRecord(
            api="engine",
            name="INTERNAL ASSERT",
            message=item.text.strip(),
            file=fields["check_file"],
            line=number(fields["check_line"]),
            at=at,
        )
    if item.kind == "nccl":
        return _nccl(item)
    if item.kind == "too_new":
        said = fields["too_new"].strip()
        return ErrorRecord(api="cuda", message=said, role=Role.CAUSE, at=at)
    text = fields["c10d_text"].strip()
    if not _SAID.search(text[:2000]):
        return None
    after = "terminated with exception" in text
    return ErrorRecord(
        api="nccl" if "timeout" in text or "NCCL error" in text else "engine",
        name=None if not after else "watchdog",
        message=text,
        file=fields["c10d_file"],
        line=number(fields["c10d_line"]),
        role=Role.CONSEQUENCE if after else Role.UNCLEAR,
        at=at,
    )


def _nccl(item: Item) -> ErrorRecord | None:
    fields = item.fields
    text = fields["nccl_text"].strip()
    if failure := _FAILURE.search(text):
        error = described_error("cuda", failure["text"], item.at)
    elif _FAILED.search(text) and not _HARMLESS.search(text):
        error = ErrorRecord(api="nccl", message=text, at=item.at)
    else:
        return None
    return replace(error, file=fields.get("nccl_file"), line=number(fields.get("nccl_line")))


FORMAT = Format(
    name="torch",
    title="PyTorch's C++ exceptions, c10d and NCCL",
    anchors=(
        "Exception raised from ",
        "frame #",
        "CapturedTraceback:",
        "torch_cpu.dll!",
        "c10.dll!",
        "ProcessGroup",
        "NCCL WARN ",
        "NCCL ERROR ",
        "RCCL WARN ",
        "Cuda failure ",
        " INTERNAL ASSERT FAILED at ",
        "socket.cpp:",
        "TCPStore.cpp:",
        " with CUDA capability sm_",
    ),
    opens=late(
        r"[^\n]{0,200}Exception raised from [^\n]{1,1400}? \(most recent call first\):"
        r"|[^\n]{0,200}frame #\d{1,6}: [^\n]{1,6000}\(0x[0-9a-fA-F]{1,16}[ )]"
        r"|[^\n]{0,120}\[[EF][\d :.]{0,30}(?:ProcessGroup\w{1,20}|socket|TCPStore)\.cpp:\d"
        r"|[^\n]{0,300}CCL (?:WARN|ERROR) |[^\n]{0,200}Cuda failure (?:\d{1,5} )?'"
        r"|[^\n]{0,80}C\+\+ CapturedTraceback:|[0-9A-F]{16,32} (?:c10|torch)\w{0,40}\.dll!"
        r"|[^\n]{0,2000} INTERNAL ASSERT FAILED at \""
        r"|[^\n]{0,300} with CUDA capability sm_\d{2,3}[a-z]? is not compatible with the current"
    ),
    read=_read,
    after=80,
    reach=120,
)
