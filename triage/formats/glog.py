"""The fatal lines and signal stacks of glog, Abseil, folly and what logs through them.

What is odd about it: the failing instruction stands apart from the stack, which may or may not
hold it again; and Ray prints each stack a second time through its own log.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from triage.formats._base import Format, Item, Region, named_signal, number, reading
from triage.formats._stacks import Stacks
from triage.model.crash import ErrorRecord, Fragment, Role, Signal
from triage.model.position import Position
from triage.model.stack import Frame, Trust, with_crashed
from triage.text.late import late

_SIZE = late(r"(?:\d{1,16}|\(unknown\)) {1,16}(?=\S)")
_ADDRESSED = ("SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE")
_CODES = {
    "address not mapped to object": "SEGV_MAPERR",
    "invalid permissions for mapped object": "SEGV_ACCERR",
}
_MANGLED_PART = late(r"(\d{1,4})")


@dataclass(slots=True)
class _State:
    stacks: Stacks = field(default_factory=Stacks)
    errors: list[ErrorRecord] = field(default_factory=list)
    signal: Signal | None = None
    pc: Frame | None = None
    frames: list[Frame] = field(default_factory=list)

    def place(self, item: Item) -> None:
        """Give the last frame the source line that stands below it."""
        if self.frames and self.frames[-1].file is None:
            self.frames[-1] = replace(
                self.frames[-1],
                file=item.fields["source"],
                line=number(item.fields["source_line"]),
                trust=Trust.DEBUG_INFO,
            )

    def flush(self) -> None:
        """Close the open stack, the failing instruction on top where it is not in it."""
        frames = self.frames
        if self.pc and all(frame.address != self.pc.address for frame in frames):
            frames = [self.pc, *frames]
        self.stacks.finish()
        for n, frame in enumerate(frames):
            self.stacks.add(replace(frame, index=n))
        self.stacks.finish()
        self.pc, self.frames = None, []


def _read(region: Region) -> Fragment:
    state = _State()
    source = reading(region, "glog")
    open_stack = False
    for item in source.items():
        if item.kind in ("frame", "folly_frame"):
            if not open_stack:
                source.claimed.discard(item.at.line or 0)
                continue
            state.frames.append(_frame(item))
        elif item.kind == "folly_source":
            state.place(item)
        elif item.kind == "pc":
            if state.frames:
                state.flush()
            state.pc = _named(item.fields["pc"], item.fields.get("pc_function"), item.at)
            open_stack = True
        elif item.kind != "more":
            if state.frames:
                state.flush()
            open_stack = open_stack or item.kind in _OPENERS
            _other(state, item)
    state.flush()
    threads = state.stacks.threads()
    return Fragment(
        dialect="glog",
        threads=with_crashed(threads, 0),
        errors=tuple(state.errors),
        signal=state.signal,
        signal_rank=3,
        claimed=frozenset(source.claimed),
    )


_OPENERS = ("check_stack", "signal", "folly_signal", "aborted")


def _other(state: _State, item: Item) -> None:
    fields, at = item.fields, item.at
    if item.kind in ("fatal", "old_fatal"):
        prefix = "" if item.kind == "fatal" else "old_"
        text = fields[prefix + "text"].strip()
        state.errors.append(
            ErrorRecord(
                api="engine",
                name="CHECK" if text.startswith("Check failed") else "LOG(FATAL)",
                message=text or None,
                file=fields[prefix + "file"],
                line=number(fields[prefix + "line"]),
                role=Role.CAUSE,
                at=at,
            )
        )
    elif item.kind == "unhandled":
        state.errors.append(
            ErrorRecord(
                api="cxx", name=_plain(fields["mangled"]), message=fields["what"].strip(), at=at
            )
        )
    elif item.kind == "signal" and state.signal is None:
        name, address = fields["signal"], fields.get("address")
        known = address if name in _ADDRESSED and address != "(nil)" else None
        if name in _ADDRESSED and address == "(nil)":
            known = "0x0"
        state.signal = named_signal(name, at, fault_address=known)
    elif item.kind == "folly_signal" and state.signal is None:
        name = fields["folly_signal"]
        address = fields["folly_address"] if name in _ADDRESSED else None
        signal = named_signal(name, at, fault_address=address)
        state.signal = replace(signal, code=_CODES.get(fields.get("folly_code", "")))


def _frame(item: Item) -> Frame:
    fields = item.fields
    if item.kind == "folly_frame":
        return _named(f"0x{fields['folly_frame']}", fields["folly_body"], item.at)
    return _named(fields["frame"], fields.get("body"), item.at)


def _named(address: str, text: str | None, at: Position) -> Frame:
    body = (text or "").strip()
    if size := _SIZE.match(body):
        body = body[size.end() :]
    known = body not in ("", "(unknown)", "(/unknown)")
    return Frame(
        index=0,
        function=body if known else None,
        address=address,
        trust=Trust.SYMBOL if known else Trust.ADDRESS_ONLY,
        at=at,
    )


def _plain(mangled: str) -> str:
    """Return the name behind an Itanium type name such as `N3c105ErrorE`, or the name itself."""
    rest = mangled
    nested = rest.startswith("N") and rest.endswith("E")
    if nested:
        rest = rest[1:-1]
    rest = rest.replace("St", "3std", 1) if rest.startswith("St") else rest
    parts: list[str] = []
    while match := _MANGLED_PART.match(rest):
        size = int(match[1])
        begin = match.end()
        if size == 0 or begin + size > len(rest):
            return mangled
        parts.append(rest[begin : begin + size])
        rest = rest[begin + size :]
    return "::".join(parts) if parts and not rest else mangled


FORMAT = Format(
    name="glog",
    title="glog, Abseil and folly: failed checks and signal stacks",
    anchors=(
        "Check failed: ",
        "*** Check failure stack trace",
        "*** SIG",
        "*** Signal ",
        "*** Aborted at ",
        "PC: @ ",
        "Unhandled exception: ",
        "] Check failed",
        ": F ",
    ),
    opens=late(
        r"[^\n]{0,80}?(?:\*\*\* (?:Check failure stack trace: "
        r"|SIG[A-Z0-9]{2,8} (?:received|\(@|\(code)"
        r"|Signal \d{1,3} \(SIG|Aborted at \d{1,20} \([uU]nix)|PC: @ {1,40}0x"
        r"|Unhandled exception: [\w$(][^\n]{1,1000}\. what\(\): )"
        r"|F\d{4,8} {1,3}[\d:]{8,20}\.\d{1,9} {1,12}\d{1,20} [^\s:\]]{1,400}:\d{1,9}\]"
        r"|(?:[\d-]{8,10} [\d:.]{8,18}: )?F [^\s:\]]{1,400}\.(?:cc|h|cpp|cu|hpp|mm):\d{1,9}\]"
    ),
    read=_read,
    after=80,
    reach=120,
)
