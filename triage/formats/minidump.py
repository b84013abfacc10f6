"""minidump-stackwalk's reports: for people, with pipes for programs, and as JSON.

What is odd about it: the thread that failed is printed first and out of order; and of a report for
people a frame's name and its inlined callers share one numbering, which the JSON does not have.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from triage.formats._base import Format, Item, Region, reading
from triage.formats._minidump import Report, read_json_report
from triage.formats._stacks import MAX_FRAMES
from triage.model.crash import Fragment, Module, Symbols
from triage.model.position import Position
from triage.model.stack import Frame, Thread, trust_of
from triage.text.late import late

_HEADING = late(
    r"(?P<name>.*?) ?(?:\((?P<state>crashed|requested dump, did not crash)[^()]{0,40}\))?"
    r"(?: ?- tid: (?P<tid>\d{1,10}))?\s*\Z"
)
_PLACE = late(r" \[(?P<file>[^\[\]]{1,1000}) : (?P<line>\d{1,9})(?: \+ 0x[0-9a-f]{1,16})?\]\Z")
_OFFSET = late(r" \+ (0x[0-9a-fA-F]{1,16})\Z")
_ADDRESS = late(r"(0x[0-9a-fA-F]{1,16})(?P<unloaded> \(unloaded .*\))?\Z")
_UNLOADED = late(r"\(unloaded ([^@()]{1,300})@(0x[0-9a-fA-F]{1,16})([^()]*)\)")
_JSON = late(
    r'\s{0,40}[\w"{\[: ,]{0,80}"'
    r'(?:crash_info|crashing_thread|threads_index|system_info|json_dump)":'
)


@dataclass(slots=True)
class _Text:
    """The reading of one report of text."""

    report: Report = field(default_factory=Report)
    frames: dict[str, list[Frame]] = field(default_factory=dict)
    thread: str | None = None
    modules_loaded: bool = True

    def take(self, item: Item) -> None:
        """Take one item of the report."""
        fields = item.fields
        if item.kind == "thread":
            self._begin(item)
        elif item.kind == "frame":
            self._add(self.thread, _frame(int(fields["index"]), fields["body"], item.at))
        elif item.kind == "found" and fields["found"] == "inlining":
            self._inlined()
        elif item.kind == "pipe_frame":
            thread = fields["pipe_thread"]
            self.report.threads.setdefault(thread, Thread(id=thread, at=item.at))
            self._add(thread, _pipe_frame(fields, item.at))
        elif item.kind in ("reason", "pipe_crash"):
            self._crash(item)
        elif item.kind == "address":
            self.report.address = fields["address"]
        elif item.kind == "unloaded":
            self.modules_loaded = False
        elif item.kind in ("module", "pipe_module") and self.modules_loaded:
            self.report.modules.append(_module(fields))
        elif item.kind in ("system", "processor", "pipe_system", "pipe_processor"):
            self._environment(item)

    def _begin(self, item: Item) -> None:
        match = _HEADING.match(item.fields.get("heading", ""))
        name, state, tid = match.group("name", "state", "tid") if match else (None, None, None)
        self.thread = item.fields["thread"]
        self.report.threads.setdefault(
            self.thread,
            Thread(id=self.thread, tid=int(tid) if tid else None, name=name or None, at=item.at),
        )
        if state == "crashed":
            self.report.crashed = self.thread

    def _add(self, thread: str | None, frame: Frame) -> None:
        if thread is None:
            return
        frames = self.frames.setdefault(thread, [])
        if len(frames) < MAX_FRAMES and (not frames or frame.index > frames[-1].index):
            frames.append(frame)

    def _inlined(self) -> None:
        frames = self.frames.get(self.thread or "")
        if frames:
            frames[-1] = replace(frames[-1], inlined=True)

    def _crash(self, item: Item) -> None:
        pipe = item.kind == "pipe_crash"
        reason = item.fields["pipe_reason" if pipe else "reason"].strip()
        if not reason or reason.lower() == "no crash" or self.report.reason:
            return
        self.report.reason, self.report.reason_at = reason, item.at
        if pipe:
            self.report.address = item.fields["pipe_address"] or None
            self.report.crashed = item.fields["pipe_crashed"] or None

    def _environment(self, item: Item) -> None:
        report, fields = self.report, item.fields
        if item.kind in ("system", "pipe_system"):
            name = fields.get("system") or fields["pipe_system"]
            release = fields.get("pipe_release") or (item.rest[0].strip() if item.rest else "")
            report.os = report.os or " ".join(filter(None, (name, release)))
            report.where.setdefault("os", item.at)
        else:
            report.arch = report.arch or fields.get("processor") or fields["pipe_processor"]
            report.where.setdefault("arch", item.at)

    def threads(self) -> dict[str, Thread]:
        """Return every thread with its frames."""
        return {
            name: replace(thread, frames=tuple(self.frames.get(name, ())))
            for name, thread in self.report.threads.items()
        }


def _read(region: Region) -> Fragment:
    for row, line in enumerate(region.lines):
        if _JSON.match(line.text):
            report = read_json_report(region, _first_brace(region, row))
            if report.claimed:
                return report
            break
    source = reading(region, "minidump")
    text = _Text()
    for item in source.items():
        text.take(item)
    text.report.threads = text.threads()
    if not text.frames and not text.report.reason:
        return Fragment(dialect="minidump")
    return text.report.fragment(source.claimed)


def _first_brace(region: Region, row: int) -> int:
    """Return the row that opens the object: the line itself or a bare bracket above it."""
    begin = row
    while begin > 0 and not region.lines[begin].text.startswith("{"):
        begin -= 1
    return begin if region.lines[begin].text.startswith("{") else row


def _frame(index: int, body: str, at: Position) -> Frame:
    module, bang, rest = body.partition("!")
    if not bang:
        return _bare_frame(index, body.strip(), at)
    place, offset = _PLACE.search(rest), _OFFSET.search(rest)
    end = place or offset
    function = rest[: end.start()] if end else rest
    return Frame(
        index=index,
        function=function.strip() or None,
        file=place["file"] if place else None,
        line=int(place["line"]) if place else None,
        module=module or None,
        offset=offset[1] if offset else None,
        trust=trust_of(function, place["file"] if place else None),
        at=at,
    )


def _bare_frame(index: int, body: str, at: Position) -> Frame:
    frame = Frame(index=index, trust=trust_of(None, None), at=at)
    if match := _ADDRESS.match(body):
        unloaded = _UNLOADED.findall(match["unloaded"] or "")
        if len(unloaded) == 1:
            name, offset, others = unloaded[0]
            frame = replace(frame, module=name, offset=None if others else offset)
        return replace(frame, address=match[1])
    offset = _OFFSET.search(body)
    return replace(
        frame, module=body[: offset.start()] if offset else body, offset=offset and offset[1]
    )


def _pipe_frame(fields: dict[str, str], at: Position) -> Frame:
    function, module = fields["pipe_function"] or None, fields["pipe_module"] or None
    file, line = fields["pipe_file"] or None, fields["pipe_line"]
    known = function or module
    return Frame(
        index=int(fields["pipe_index"]),
        function=function,
        file=file,
        line=int(line) if line else None,
        module=module,
        offset=fields["pipe_offset"] if known else None,
        address=None if known else fields["pipe_offset"],
        trust=trust_of(function, file),
        at=at,
    )


def _module(fields: dict[str, str]) -> Module:
    name = fields.get("module") or fields["pipe_name"]
    version = fields.get("version") or fields.get("pipe_version")
    missing = "No symbols" in fields.get("remark", "")
    return Module(
        name=name,
        version=None if not version or version == "???" else version,
        symbols=Symbols.MISSING if missing else None,
    )


FORMAT = Format(
    name="minidump",
    title="minidump-stackwalk of Breakpad and of rust-minidump",
    anchors=(
        "Found by: ",
        "Crash reason: ",
        "(crashed)",
        "did not crash)",
        " - 0x",
        "Crash|",
        "OS|L",
        "OS|W",
        "OS|M",
        "OS|A",
        "OS|i",
        "OS|S",
        "CPU|",
        "crash_info",
        "crashing_thread",
        "threads_index",
        "system_info",
        "json_dump",
        '"trust": "',
        '"base_addr": "',
        '"debug_id": "',
    ),
    opens=late(
        r" {1,8}Found by: (?:given as|inlining|call frame info|previous frame|stack scanning"
        r"|recovered by|simulating|unknown)"
        r"|Crash reason: {1,4}(?:SIG|EXC|0x|[A-Z_]{8})|Thread \d{1,7} [^\n]{0,300}\((?:crashed"
        r"|requested dump, did not crash)\)"
        r"|0x[0-9a-f]{8,16} - 0x[0-9a-f]{8,16}  \S"
        r"|(?:Crash\|[^|\n]{1,200}\|(?:0x|\|)|OS\|[^|\n]{1,60}\||CPU\|[^|\n]{1,60}\|"
        r"|\d{1,7}\|\d{1,6}\|[^|\n]{0,400}\|[^|\n]{0,6000}\|[^|\n]{0,1000}\|\d{0,9}\|0x)"
        rf"|{_JSON.pattern}"
        r'|\s{2,40}"(?:trust|base_addr|debug_id)": "'
    ),
    read=_read,
    before=60,
    after=40,
    reach=400,
)
