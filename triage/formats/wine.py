"""Wine's last words and the backtraces of winedbg."""

from __future__ import annotations

from triage.formats._base import Format, Item, Region, reading
from triage.formats._ntstatus import Exceptions, status_of
from triage.formats._ordered import OrderedStacks
from triage.model.crash import Fragment
from triage.model.stack import Frame, trust_of
from triage.text.late import late

_RANK = 3
_WORDS = {
    "page fault": 0xC0000005,
    "illegal": 0xC000001D,
    "privileged": 0xC0000096,
    "divi": 0xC0000094,
    "stack overflow": 0xC00000FD,
    "breakpoint": 0x80000003,
    "assertion": 0xC0000420,
}
_IN = late(r"(?:^| )in (?P<module>\S{1,200})(?: \(\+?(?P<offset>0x[0-9a-f]{1,16})\))?\s*\Z")
_END = late(r" ?\((?:0x)?[0-9a-fA-F]{8,16}\)\s*\Z")
_PLACE = late(r" \[(?P<file>[^\[\]]{1,400}):(?P<line>\d{1,9})\]\s*\Z")
_NAME = late(r"(?P<name>[^+(\n]{1,2000})(?:\+(?P<offset>0x[0-9a-f]{1,16}))?(?:\((?P<args>.*)\))?\Z")


def _read(region: Region) -> Fragment:
    found, stacks, marked = Exceptions(), OrderedStacks(), False
    source = reading(region, "wine")
    for item in source.items():
        if item.kind == "wine":
            _said(item, found)
            continue
        marked = marked or item.text.startswith("=>")
        if marked:
            stacks.add("wine", _frame(item), first=item.fields["wine_index"] == "0")
    threads = stacks.result()
    if not (threads or found.errors):
        return Fragment(dialect="wine")
    return Fragment(
        dialect="wine",
        threads=threads,
        errors=tuple(found.errors),
        signal=found.signal,
        signal_rank=found.rank,
        claimed=frozenset(source.claimed),
    )


def _said(item: Item, found: Exceptions) -> None:
    fields = item.fields
    what = fields["wine_what"]
    if code := fields.get("wine_code"):
        found.status(status_of(code), item.at, _RANK, words=what)
        return
    address = fields.get("wine_address")
    if address and not address.startswith("0x"):
        address = f"0x{address}"
    status = next((code for words, code in _WORDS.items() if what.startswith(words)), None)
    found.status(status, item.at, _RANK, words=what, address=address)


def _frame(item: Item) -> Frame:
    """Return a frame of the form `PC FUNCTION+OFFSET(ARGS) [FILE:LINE] in MODULE (FRAME)`."""
    text = _END.sub("", item.fields["wine_body"])
    module = offset = file = line = None
    if match := _IN.search(text):
        module, offset, text = match["module"], match["offset"], text[: match.start()]
    if match := _PLACE.search(text):
        file, line, text = match["file"], int(match["line"]), text[: match.start()]
    name = _NAME.match(text.strip())
    function = name["name"].strip() if name else None
    return Frame(
        index=0,
        function=function,
        args=name["args"] if name else None,
        file=file,
        line=line,
        module=module,
        offset=offset or (name["offset"] if name else None),
        address=item.fields["wine_pc"],
        trust=trust_of(function, line),
        at=item.at,
    )


FORMAT = Format(
    name="wine",
    title="Wine and winedbg",
    anchors=("wine: Unhandled", "Unhandled exception: ", "=>0 0x", "=>1 0x", "=>2 0x"),
    opens=late(
        r"[^\n]{0,60}?(?:wine: Unhandled |Unhandled exception: (?:page fault on|illegal instruction"
        r"|privileged instruction|divide by zero|stack overflow|unimplemented function)[^\n]* in )"
        r"|=>\d{1,3} 0x[0-9a-f]{8,16} "
    ),
    read=_read,
    after=60,
    reach=60,
)
