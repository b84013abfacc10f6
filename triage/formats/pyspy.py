"""py-spy's dump of a running process.

What is odd about it: nothing has failed yet; a frame's place is a file and line, or a library.
"""

from __future__ import annotations

from triage.formats._base import Format, Item, Region, number, reading
from triage.formats._tracebacks import Tracebacks
from triage.model.crash import Fragment
from triage.model.stack import Frame, FrameKind, Trust
from triage.text.late import late

_SOURCE = late(r"(?P<file>.{1,900}):(?P<line>\d{1,9})$")
_NATIVE = late(r".*(?:\.so(?:\.[\d.]{1,20})?|\.dylib|\.dll|\.exe|\.(?:c|cc|cpp|cu|h|hpp|rs|S))$")
_ADDRESS = late(r"0x[0-9a-fA-F]{1,16}$")


def _read(region: Region) -> Fragment:
    stacks = Tracebacks()
    in_thread = False
    source = reading(region, "pyspy")
    for item in source.items():
        fields = item.fields
        if item.kind == "thread":
            in_thread = True
            stacks.begin(
                item.at,
                thread_id=fields["thread"],
                name=fields.get("name"),
                outermost_first=False,
                blamable=False,
            )
        elif item.kind == "frame" and in_thread:
            stacks.add_frame(_frame(item))
        elif item.kind == "process":
            in_thread = False
    threads = stacks.marked()
    return Fragment(
        dialect="pyspy",
        threads=threads,
        snapshot=bool(threads),
        claimed=frozenset(source.claimed),
    )


def _frame(item: Item) -> Frame:
    function: str | None = item.fields["function"]
    place = item.fields["place"]
    address = function if function and _ADDRESS.match(function) else None
    source = _SOURCE.match(place)
    native = address is not None or bool(_NATIVE.match(source["file"] if source else place))
    trust = Trust.SYMBOL if source is None else Trust.DEBUG_INFO
    return Frame(
        index=0,
        function=None if address else function,
        file=source["file"] if source else None if native else place,
        line=number(source["line"]) if source else None,
        module=place if native and not source else None,
        address=address,
        kind=FrameKind.HOST if native else FrameKind.PYTHON,
        trust=Trust.ADDRESS_ONLY if address else trust,
        at=item.at,
    )


FORMAT = Format(
    name="pyspy",
    title="py-spy",
    anchors=("(active", "(idle"),
    opens=late(
        r"Thread (?:0x[0-9a-fA-F]{1,16}|\d{1,20}) \((?:active|idle)(?:\+gil)?\)(?:: \"|\s*$)"
    ),
    read=_read,
    before=4,
    after=250,
    reach=300,
)
