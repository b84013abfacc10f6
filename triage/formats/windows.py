"""Windows' debuggers: Visual Studio, WinDbg, cdb and the kernel debugger.

What is odd about it: there are no signals, but exceptions, which are named as errors and told as
the signal that they would be elsewhere; and frames are numbered in hexadecimal or not at all.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from triage.formats._base import Format, Item, Region, named_signal, reading
from triage.formats._ntstatus import FAIL_FAST, FATAL_APP_EXIT, Exceptions, status_of
from triage.formats._ordered import OrderedStacks
from triage.model.crash import ErrorRecord, Fragment
from triage.model.position import Position
from triage.model.stack import Frame, Thread, trust_of
from triage.text.late import late

_RANK = 1
_CODE = late(r"(0x[0-9A-Fa-f]{8}): (.*)")
_LOCATION = late(r"(?:location|address) (?:0x)?([0-9A-Fa-f]{8,16})")
_CXX = late(r"Microsoft C\+\+ exception: (?P<name>[^\n]{1,300}?) at memory location ")
_CXX_STATUS = 0xE06D7363
_LANGUAGE = late(
    r"(?:\t| {2,20})(?:C\+\+(?:/CLI)?|C|C#|F#|Basic|Rust|Unknown|Python|Script|Assembly|D|Fortran)"
    r"\s*\Z"
)
_VS_LINE = late(r" {1,4}Line (\d{1,9})(?: ?\+ ?0x[0-9a-fA-F]{1,8}(?: bytes)?)?\s*\Z")
_VS_FILE = late(
    r" \((?P<file>Unknown Source|(?:[A-Za-z]:[\\/]|\\\\|/)[^:\n]{1,400}):(?P<line>\d{1,9})\)\s*\Z"
)
_VS_BYTES = late(r" {0,4}\+ ?0x[0-9a-fA-F]{1,8}(?: bytes)?\s*\Z")
_BARE = late(r"(?:0x)?([0-9a-fA-F]{8}`?[0-9a-fA-F]{0,8})(?:\(\))?\Z")
_PLACE = late(r" \[(?P<file>[^\[\]@]{1,400}) @ (?P<line>\d{1,9})(?: \+ 0x[0-9a-f]{1,8})?\]")
_REMARK = late(r"\s{0,8}\((?:FPO|CONV|TrapFrame|Inlined?)[^()]{0,200}\)\s{0,8}\Z")
_COLUMNS = late(r"(?: {2,20}0x[0-9a-fA-F]{1,16}){1,3}\s{0,8}\Z")
_OFFSET = late(r"\+(0x[0-9a-fA-F]{1,16})\Z")
_MODULE = late(r"[A-Za-z_][\w.\-]{0,100}\Z")
_UNREAL_PLACE = late(r" \[(?P<file>[^\[\]]{1,400}):(?P<line>\d{1,9})\]\s*\Z")


@dataclass(slots=True)
class _Reader:
    """One region while it is being read; stop codes may be bare words only in a report of one."""

    stop_report: bool
    found: Exceptions = field(default_factory=Exceptions)
    stacks: OrderedStacks = field(default_factory=OrderedStacks)
    stops: dict[int, int] = field(default_factory=dict)

    def take(self, item: Item) -> None:
        """Take one item."""
        kind = item.kind
        if kind == "vs_frame":
            self.stacks.add("vs", _vs_frame(item))
        elif kind == "unreal_frame":
            self.stacks.add("unreal", _unreal_frame(item))
        elif kind == "llvm_frame":
            self.stacks.add("llvm", _llvm_frame(item))
        elif kind in ("k_frame", "x_frame", "c_frame"):
            self._windbg_frame(item)
        elif kind == "k_head":
            self._heading(item)
        else:
            self._said(item)

    def _said(self, item: Item) -> None:
        kind, fields = item.kind, item.fields
        if kind == "vs_exception":
            self._vs_exception(item)
        elif kind == "procdump":
            code = status_of("0x" + fields["pd_code"])
            self.found.status(code, item.at, _RANK, words=fields["pd_name"])
        elif kind == "vs_short":
            self.found.status(0xC0000005, item.at, _RANK, words=fields["vs_short"])
        elif kind in ("exr", "chance", "code_line"):
            prefix = {"code_line": "line"}.get(kind, kind)
            code = status_of("0x" + fields[f"{prefix}_code"])
            words = fields.get(f"{prefix}_words") or None
            self.found.status(code, item.at, _RANK, words=words)
        elif kind == "attempt":
            self._attempt(fields["attempt"].replace("`", ""))
        elif kind == "subcode" and int(fields["subcode"], 16) == FATAL_APP_EXIT:
            self.found.signalled(named_signal("SIGABRT", item.at), _RANK)
        elif kind in ("bugcheck", "stop"):
            self._stopped(item)

    def _vs_exception(self, item: Item) -> None:
        what, unhandled = item.fields["vs_what"], item.fields["vs_kind"].startswith("Unhandled")
        if match := _CODE.match(what):
            code = status_of(match[1])
            if unhandled or code != _CXX_STATUS:  # what is thrown may be caught
                place = _LOCATION.search(match[2])
                address = f"0x{place[1]}" if place else None
                self.found.status(code, item.at, _RANK, words=match[2], address=address)
        elif unhandled and (match := _CXX.match(what)):
            self.found.errors.append(ErrorRecord(api="cxx", name=match["name"], at=item.at))
        elif what.startswith("Fatal program exit requested"):
            self.found.status(0x40000015, item.at, _RANK, words=what)
        elif what.startswith("Stack cookie instrumentation code detected"):
            self.found.status(FAIL_FAST, item.at, _RANK, words=what)

    def _attempt(self, address: str) -> None:
        signal = self.found.signal
        if signal and signal.fault_address is None:
            self.found.signal = replace(signal, fault_address=f"0x{address}")

    def _stopped(self, item: Item) -> None:
        fields = item.fields
        name = fields.get("bug_name")
        text = next((v for k, v in fields.items() if k != "bug_name"), "0")
        code = int(text.removeprefix("0x"), 16)
        if code == 0 or (name and not self.stop_report):
            return
        errors = self.found.errors
        if code in self.stops:
            place = self.stops[code]
            errors[place] = replace(errors[place], name=errors[place].name or name)
            return
        self.stops[code] = len(errors)
        message = f"the system stopped with the code {code:#x}"
        errors.append(ErrorRecord(api="kernel", code=code, name=name, message=message, at=item.at))

    def _heading(self, item: Item) -> None:
        thread = item.fields.get("k_thread")
        if thread is None:
            self.stacks.heading()
            return
        head = Thread(
            id=thread,
            tid=int(item.fields["k_tid"], 16),
            name=item.fields.get("k_name"),
            at=item.at,
        )
        self.stacks.begin(head, crashed="#" in item.text[:4])

    def _windbg_frame(self, item: Item) -> None:
        kind = item.kind[0]
        index = item.fields.get(f"{kind}_index")
        columns = item.fields.get("k_columns", "")
        inlined = "Inline" in columns or "---" in columns
        frame = windbg_frame(item.fields[f"{kind}_site"], item.at, inlined=inlined)
        if frame:
            first = index is not None and int(index, 16) == 0
            self.stacks.add(kind, frame, first=first)


def _vs_frame(item: Item) -> Frame:
    text = _LANGUAGE.sub("", item.fields["vs_body"]).rstrip()
    file = line = None
    if match := _VS_FILE.search(text):
        text = text[: match.start()]
        if match["file"] != "Unknown Source":
            file, line = match["file"], int(match["line"])
    if match := _VS_LINE.search(text):
        line, text = int(match[1]), text[: match.start()]
    text = _VS_BYTES.sub("", text).strip()
    bare = _BARE.match(text)
    function = None if bare else text or None
    return Frame(
        index=0,
        function=function,
        file=file,
        line=line,
        module=item.fields["vs_module"],
        address=f"0x{bare[1]}" if bare else None,
        inlined="vs_inline" in item.fields,
        trust=trust_of(function, line),
        at=item.at,
    )


def windbg_frame(site: str, at: Position, *, inlined: bool) -> Frame | None:
    """Return the call site of a line of WinDbg's; None where the text is something else."""
    text = _COLUMNS.sub("", _REMARK.sub("", site.rstrip())).rstrip()
    file = line = None
    if match := _PLACE.search(text):
        file, line, text = match["file"], int(match["line"]), text[: match.start()]
    text = _REMARK.sub("", text).rstrip()
    if match := _BARE.match(text):
        address = "0x" + match[1].replace("`", "")
        return Frame(index=0, address=address, trust=trust_of(None, None), at=at)
    offset = None
    if match := _OFFSET.search(text):
        offset, text = match[1], text[: match.start()]
    module, bang, function = text.partition("!")
    if not _MODULE.match(module) or not (bang or offset):
        return None
    return Frame(
        index=0,
        function=function or None,
        file=file,
        line=line,
        module=module,
        offset=offset,
        inlined=inlined,
        trust=trust_of(function, line),
        at=at,
    )


def _llvm_frame(item: Item) -> Frame:
    """Return a frame of the form `PC, MODULE(BASE) + OFFSET byte(s), NAME() + …, FILE, line N`."""
    fields = item.fields
    function, line = fields.get("ll_function"), fields.get("ll_line")
    return Frame(
        index=0,
        function=function,
        file=fields.get("ll_file"),
        line=int(line) if line else None,
        module=fields["ll_module"],
        offset=fields["ll_offset"],
        address=fields["ll_pc"],
        trust=trust_of(function, int(line) if line else None),
        at=item.at,
    )


def _unreal_frame(item: Item) -> Frame:
    text, file, line = item.fields["un_body"], None, None
    if match := _UNREAL_PLACE.search(text):
        file, line, text = match["file"], int(match["line"]), text[: match.start()]
    text = text.removesuffix(" []").strip()
    function = None if text in ("", "UnknownFunction") else text
    return Frame(
        index=0,
        function=function,
        file=file,
        line=line,
        module=item.fields["un_module"],
        address=item.fields["un_address"],
        trust=trust_of(function, line),
        at=item.at,
    )


def _read(region: Region) -> Fragment:
    source = reading(region, "windows")
    text = region.text
    reader = _Reader(stop_report="Arg1: " in text or "BUGCHECK_" in text)
    for item in source.items():
        reader.take(item)
    threads, found = reader.stacks.result(), reader.found
    if not (threads or found.errors):
        return Fragment(dialect="windows")
    return Fragment(
        dialect="windows",
        threads=threads,
        errors=tuple(found.errors),
        signal=found.signal,
        signal_rank=found.rank,
        claimed=frozenset(source.claimed),
    )


FORMAT = Format(
    name="windows",
    title="WinDbg, Visual Studio and what prints as they do",
    anchors=(
        "nhandled exception",
        "Exception thrown",
        "First-chance exception",
        "[Callstack] 0x",
        " byte(s)",
        "xception: C0",
        "xception: c0",
        "xception: 8000",
        ".dll!",
        ".exe!",
        ".DLL!",
        ".EXE!",
        ".pyd!",
        "ExceptionCode: ",
        "EXCEPTION_CODE",
        "ERROR_CODE: ",
        " - code ",
        "STACK_TEXT:",
        "Child-SP",
        "ChildEBP",
        "# Call Site",
        "BugCheck ",
        "BUGCHECK_CODE",
        "ugcheck was: ",
        "*** STOP: 0x",
        " Suspend: ",
        "[0x0] ",
    ),
    opens=late(
        r"\A(?:"
        r"[^\n]{0,80}?(?:Unhandled exception|Exception thrown|First-chance exception)"
        r"(?: \([^()\n]{1,80}\))? at 0x[0-9A-Fa-f]{1,16}(?: \([^()\n]{1,200}\))?(?: in |: )"
        r"|[ \t]{0,4}0x[0-9A-Fa-f]{8,16}(?: \([^()\n]{0,120}\))?, [^\n,]{1,400}"
        r"\(0x[0-9A-Fa-f]{8,16}\) \+ "
        r"|[^\n]{0,60}?[Ee]xception: [0-9A-Fa-f]{8}\.[A-Z_]{4}"
        r"|(?:Exception thrown|Unhandled exception thrown): (?:read|write|execute) access violation"
        r"|[ \t>]{0,10}(?:\[Inline Frame\] ?)?[^\s!>\[#(:][^\s!:]{0,120}"
        r"\.(?i:exe|dll|pyd|sys|ocx|node)!\S"
        r"|[^\n]{0,80}?\[Callstack\] 0x[0-9a-fA-F]{8,16} [^!\s]{1,200}!"
        r"|[ \t]{0,8}ExceptionCode: [0-9a-fA-F]{8}"
        r"|[^\n]{0,20}?\([0-9a-f]{1,8}\.[0-9a-f]{1,8}\): [^\n]{2,160}? - code [0-9a-f]{8}"
        r"|(?:EXCEPTION_CODE|ERROR_CODE|EXCEPTION_CODE_STR): {1,4}(?:\(NTSTATUS\) )?"
        r"(?:0x)?[0-9a-fA-F]{8}"
        r"|STACK_TEXT:|[ \t]{0,4}# +(?:Child-?SP|Call Site|ChildEBP)|[ \t]{0,4}Child-?SP +RetAddr"
        r"|[ \t]{0,4}ChildEBP +RetAddr"
        r"|[ .#]{0,3}\d{1,5}  ?Id: [0-9a-f]{1,8}\.[0-9a-f]{1,8} Suspend: "
        r"|BugCheck [0-9A-F]{1,8}, \{|BUGCHECK_CODE: "
        r"|[^\n]{0,200}?(?:\*\*\* STOP: 0x|[Bb]ugcheck was: 0x)"
        r"|[ \t]{0,4}\[0x0\] {1,6}[A-Za-z_][^\s!+]{0,100}(?:!|\+0x)"
        r"|[ \t]{0,4}(?:[0-9a-f]{2,3} )?[0-9a-f]{8}`[0-9a-f]{8} [0-9a-f]{8}`[0-9a-f]{8} "
        r"[ 0-9a-f`:]{0,120}[A-Za-z_][\w.\-]{0,100}(?:!|\+0x)"
        r")"
    ),
    read=_read,
    before=20,
    after=200,
    reach=220,
)
