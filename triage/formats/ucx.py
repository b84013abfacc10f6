"""The stack that UCX prints from its own signal handler.

What is odd about it: where no source is known, a library's path stands in its place, with line 0.
"""

from __future__ import annotations

from dataclasses import replace

from triage.elf.signals import signal_name
from triage.formats._base import Format, Item, Region, named_signal, number, reading
from triage.formats._stacks import Stacks
from triage.model.crash import Fragment, Signal
from triage.model.stack import Frame, Trust, trust_of, with_crashed
from triage.text.late import late

_LIBRARY = late(r".*(?:\.so(?:\.[\d.]{1,40})?|\.dylib)$")
_NOWHERE = ("???", "", "??")
_CODES = {
    "address not mapped to object": "SEGV_MAPERR",
    "invalid permissions for mapped object": "SEGV_ACCERR",
}


def _read(region: Region) -> Fragment:
    signal: Signal | None = None
    stacks = Stacks()
    source = reading(region, "ucx")
    for item in source.items():
        if item.kind == "caught":
            signal = signal or _signal(item)
        elif item.kind == "heading":
            tid = number(item.fields.get("heading_tid"))
            stacks.begin(thread_id=item.fields.get("heading_tid"), tid=tid, name=None, at=item.at)
        elif item.kind in ("frame", "module_frame"):
            stacks.add(_frame(item))
        else:
            stacks.finish()
    stacks.finish()
    threads = [thread for thread in stacks.threads() if thread.frames]
    return Fragment(
        dialect="ucx",
        threads=with_crashed(threads, 0),
        signal=signal,
        signal_rank=3,
        claimed=frozenset(source.claimed),
    )


def _signal(item: Item) -> Signal:
    fields = item.fields
    address = fields.get("address")
    signal = named_signal(
        signal_name(int(fields["number"])),
        item.at,
        fault_address="0x0" if address == "(nil)" else address,
    )
    return replace(signal, code=_CODES.get(fields["cause"].rpartition(": ")[2]))


def _frame(item: Item) -> Frame:
    fields = item.fields
    if item.kind == "module_frame":
        symbol = fields["symbol"] or None
        return Frame(
            index=int(fields["m_index"]),
            function=symbol,
            module=fields["module"],
            offset=fields["m_offset"],
            address=fields["m_address"],
            trust=trust_of(symbol),
            at=item.at,
        )
    function = None if fields["function"] in _NOWHERE else fields["function"]
    place, line = fields["place"], number(fields["line"]) or None
    library = place if _LIBRARY.match(place) else None
    file = None if library or place in _NOWHERE else place
    trust = Trust.DEBUG_INFO if file and line else Trust.SYMBOL
    return Frame(
        index=int(fields["index"]),
        function=function,
        file=file,
        line=line if file else None,
        module=library,
        address=fields["address_of"],
        trust=trust if function else Trust.ADDRESS_ONLY,
        at=item.at,
    )


FORMAT = Format(
    name="ucx",
    title="UCX's error handler",
    anchors=("Caught signal ", "= backtrace ", "()  /", "()  ???:", "()  :"),
    opens=late(
        r"[^\n]{0,300}\] Caught signal \d{1,3} \("
        r"|[^\n=]{0,80}={2,10} backtrace (?:\(tid: {0,10}\d{1,10}\) )?=="
        r"|(?:> ?|\([^()\n]{1,80}\))? {0,4}\d{1,4} {1,4}0x[0-9a-fA-F]{16} "
        r"[^\n]{1,4000}?\(\)  [^\n]{0,2000}:\d{1,9}$"
    ),
    read=_read,
    after=100,
    reach=140,
)
