"""Pystack's stacks of a process or a core dump.

What is odd about it: the innermost frame comes last, native frames stand between Python's, and a
frame of which nothing is known is one of file `???`, line 0.
"""

from __future__ import annotations

from triage.formats._base import Format, Item, Region, named_signal, number, reading
from triage.formats._tracebacks import Tracebacks
from triage.model.crash import Fragment, Signal
from triage.model.stack import Frame, FrameKind, Trust
from triage.text.late import late

_LIBRARY = late(r"(?P<function>.{1,3000}?)(?P<inlined> \(inlined\))? \((?P<library>[^()]*)\)$")
_FAULTS = {
    "segmentation fault": "SIGSEGV",
    "bus error": "SIGBUS",
    "illegal instruction": "SIGILL",
    "floating point exception": "SIGFPE",
    "invalid memory access": "SIGSEGV",
}


def _read(region: Region) -> Fragment:
    stacks = Tracebacks()
    signal: Signal | None = None
    tid: int | None = None
    name: str | None = None
    source = reading(region, "pystack")
    for item in source.items():
        fields = item.fields
        if item.kind == "thread":
            tid, name = number(fields["tid"]), fields.get("name")
            stacks.begin(item.at, thread_id=fields["tid"], tid=tid, name=name, blamable=False)
        elif item.kind == "interpreter" and stacks.frames:
            stacks.begin(item.at, thread_id=str(tid), tid=tid, name=name, blamable=False)
        elif item.kind == "frame":
            stacks.add_frame(_frame(item))
        elif item.kind == "died":
            signal = signal or named_signal(fields["signal"], item.at)
        elif item.kind == "faulted":
            signal = named_signal(
                _FAULTS[fields["fault"]], item.at, fault_address=fields.get("address")
            )
    stacks.finish()
    if len(stacks.threads) == 1:
        stacks.crashed = 0
    return Fragment(
        dialect="pystack",
        threads=stacks.marked(),
        signal=signal,
        signal_rank=1,
        claimed=frozenset(source.claimed),
    )


def _frame(item: Item) -> Frame:
    fields = item.fields
    native = fields["kind"] == "C"
    function, library, inlined = fields["body"].rstrip(), None, False
    if native and (match := _LIBRARY.match(function)):
        function, library = match["function"], match["library"] or None
        inlined = match["inlined"] is not None
    file = None if fields["file"] == "???" else fields["file"]
    line = number(fields["line"]) or None
    unknown = function.strip("?") == ""
    trust = Trust.DEBUG_INFO if line else Trust.SYMBOL
    return Frame(
        index=0,
        function=None if unknown else function,
        file=file,
        line=line,
        module=library,
        inlined=inlined,
        kind=FrameKind.HOST if native else FrameKind.PYTHON,
        trust=Trust.ADDRESS_ONLY if unknown else trust,
        at=item.at,
    )


FORMAT = Format(
    name="pystack",
    title="pystack",
    anchors=("Traceback for thread ", '(Python) File "', '(C) File "', "The process died due "),
    opens=late(
        r"[^\n(]{0,80}?(?:Traceback for thread \d{1,10} [^\n]{0,420}?\(most recent call last\):"
        r'|\((?:Python|C)\) File "[^"\n]{1,2000}", line \d{1,9}, in )'
        r"|The process died due (?:to |receiving |an? )"
    ),
    read=_read,
    after=4,
    reach=200,
)
