"""HotSpot's fatal errors: the head that the Java virtual machine prints, and its hs_err file.

What is odd about it: the thread's stack is printed twice, as native and as Java frames; the head
names the frame that failed even where no stack was written.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from triage.formats._base import Format, Item, Region, named_signal, number, reading
from triage.formats._stacks import MAX_FRAMES
from triage.model.crash import ErrorRecord, Fragment, Signal
from triage.model.stack import Frame, Thread, ThreadKind, Trust
from triage.text.late import late

_WINDOWS = {
    0xC0000005: "SIGSEGV",
    0xC0000006: "SIGBUS",
    0xC000001D: "SIGILL",
    0xC000008E: "SIGFPE",
    0xC0000094: "SIGFPE",
    0xC00000FD: "SIGSEGV",
}
_NATIVE = late(
    r"\[(?P<module>[^\]\n]{1,600}?)\+(?P<offset>0x[0-9a-f]{1,16})\]"
    r"(?: {1,4}(?P<function>\S[^\n]*?))?(?: {1,4}\((?P<file>[^():\n]{1,300}):(?P<line>\d{1,9})\))?$"
)
_OFFSET = late(r"\+0x[0-9a-f]{1,16}$")
_COMPILED = late(
    r"(?:\d{1,9}%? {1,4})?(?:(?:[cC][12]|jvmci|aot) )?(?P<method>[^\s(]{1,2000}\(\S{0,2000})"
)
_INTERPRETED = late(r"(?P<method>[^\s(]{1,2000}\(\S{0,2000}?)(?:\+\d{1,9})?(?: \S{1,200})?$")


@dataclass(slots=True)
class _State:
    """The stacks of the failed thread, and which of them is being read."""

    thread: Thread = field(default_factory=Thread)
    signal: Signal | None = None
    errors: list[ErrorRecord] = field(default_factory=list)
    native: list[Frame] = field(default_factory=list)
    java: list[Frame] = field(default_factory=list)
    problem: list[Frame] = field(default_factory=list)
    open: list[Frame] | None = None
    last: int = 0


def _read(region: Region) -> Fragment:
    state = _State()
    source = reading(region, "hotspot")
    for item in source.items():
        _HANDLERS[item.kind](state, item)
    threads: list[Thread] = []
    stack = state.native or state.problem
    for frames, kind in ((stack, ThreadKind.HOST), (state.java, ThreadKind.JAVA)):
        if frames:
            head = replace(state.thread, kind=kind, crashed=not threads)
            threads.append(replace(head, frames=tuple(frames), at=head.at or frames[0].at))
    if not threads and not state.errors and not state.signal:
        return Fragment(dialect="hotspot")
    return Fragment(
        dialect="hotspot",
        threads=tuple(threads),
        errors=tuple(state.errors),
        signal=state.signal,
        signal_rank=3,
        claimed=frozenset(source.claimed),
    )


def _signal(state: _State, item: Item) -> None:
    state.signal = state.signal or named_signal(item.fields["signal"], item.at)
    _thread_id(state, item.fields["tid"])


def _thread_id(state: _State, text: str) -> None:
    if state.thread.tid is None and not text.startswith("0x"):
        state.thread = replace(state.thread, tid=number(text))


def _exception(state: _State, item: Item) -> None:
    fields = item.fields
    code = number(fields["status"]) or 0
    if code in _WINDOWS and state.signal is None:
        state.signal = named_signal(_WINDOWS[code], item.at)
    if not state.errors:
        state.errors.append(
            ErrorRecord(
                api="ntstatus",
                code=code,
                name=fields["exception"],
                message=item.text.lstrip("# "),
                at=item.at,
            )
        )
    _thread_id(state, fields["e_tid"])


def _internal(state: _State, item: Item) -> None:
    fields = item.fields
    said = next((line.strip("# \t") for line in item.rest if line.strip("# \t")), None)
    error = ErrorRecord(
        api="java",
        name=fields["internal"],
        message=said,
        file=fields["file"],
        line=number(fields["line"]),
        at=item.at,
    )
    if not any(e.file == error.file and e.line == error.line for e in state.errors):
        state.errors.append(error)
    _thread_id(state, fields["i_tid"])


def _no_memory(state: _State, item: Item) -> None:
    said = next((line.strip("# \t") for line in item.rest if line.strip("# \t")), None)
    message = said or item.fields["no_memory"]
    if not any(e.message == message for e in state.errors):
        state.errors.append(
            ErrorRecord(api="java", name="insufficient memory", message=message, at=item.at)
        )


def _problem(state: _State, item: Item) -> None:
    if not state.problem:
        _begin(state, state.problem, item)


def _begin(state: _State, stack: list[Frame], item: Item) -> None:
    stack.clear()
    state.open, state.last = stack, item.at.line or 0


def _thread(state: _State, item: Item) -> None:
    tid = number(item.fields.get("id")) or state.thread.tid
    state.thread = Thread(name=item.fields.get("name"), tid=tid, at=item.at)


def _native(state: _State, item: Item) -> None:
    _begin(state, state.native, item)


def _java(state: _State, item: Item) -> None:
    _begin(state, state.java, item)


def _siginfo(state: _State, item: Item) -> None:
    fields = item.fields
    signal = state.signal or named_signal(fields["si_signal"], item.at)
    if signal.name == fields["si_signal"] and signal.code is None:
        code = fields["si_code"]
        meant = code.startswith(("SEGV_", "BUS_", "ILL_", "FPE_"))
        state.signal = replace(
            signal, code=code, fault_address=fields.get("si_addr") if meant else None
        )


def _windows_siginfo(state: _State, item: Item) -> None:
    if state.signal and state.signal.fault_address is None:
        state.signal = replace(state.signal, fault_address=item.fields["windows_addr"])


def _head_frame(state: _State, item: Item) -> None:
    if state.open is state.problem:
        _add(state, item, item.fields["head_kind"], item.fields["head_body"])
        state.open = None


def _frame(state: _State, item: Item) -> None:
    if state.open is not state.problem:
        _add(state, item, item.fields["kind"], item.fields["body"])


def _add(state: _State, item: Item, kind: str, body: str) -> None:
    """Add a frame to the stack that is open; a blank line ends it."""
    row = item.at.line or 0
    if state.open is None or row != state.last + 1 or len(state.open) >= MAX_FRAMES:
        state.open = None
        return
    state.last = row
    frame = _java_frame(kind, body.strip()) if kind in "JjvA" else _native_frame(body.strip())
    state.open.append(replace(frame, index=len(state.open), at=item.at))


def _native_frame(body: str) -> Frame:
    match = _NATIVE.match(body)
    if match is None:
        address = body.split(maxsplit=1)[0]
        return Frame(
            index=0,
            address=address if address.startswith("0x") else None,
            trust=Trust.ADDRESS_ONLY,
        )
    function = _OFFSET.sub("", match["function"] or "") or None
    trust = Trust.DEBUG_INFO if match["file"] else Trust.SYMBOL
    return Frame(
        index=0,
        function=function,
        file=match["file"],
        line=number(match["line"]),
        module=match["module"],
        offset=match["offset"],
        trust=trust if function else Trust.ADDRESS_ONLY,
    )


def _java_frame(kind: str, body: str) -> Frame:
    pattern = _COMPILED if kind in "JA" else _INTERPRETED
    match = pattern.match(body)
    function = match["method"] if match else body.split(" ", maxsplit=1)[0]
    return Frame(index=0, function=function or None, trust=Trust.SYMBOL)


_HANDLERS = {
    "signal": _signal,
    "exception": _exception,
    "internal": _internal,
    "no_memory": _no_memory,
    "problem": _problem,
    "thread": _thread,
    "native": _native,
    "java": _java,
    "siginfo": _siginfo,
    "windows_siginfo": _windows_siginfo,
    "head_frame": _head_frame,
    "frame": _frame,
}

FORMAT = Format(
    name="hotspot",
    title="the Java virtual machine's fatal errors",
    anchors=(
        "Problematic frame:",
        "by the Java Runtime",
        "the Java Runtime",
        "Native frames: (",
        "Java frames: (",
        "siginfo: ",
        "siginfo:si_",
    ),
    opens=late(
        r"# (?:Problematic frame:|A fatal error has been detected by the Java Runtime"
        r"|There is insufficient memory for the Java Runtime"
        r"| {0,3}(?:SIG[A-Z]{2,8}|EXCEPTION_[A-Z_]{2,40}) \(0x[0-9a-f]{1,8}\) at pc=)"
        r"|(?:Native|Java) frames: \(|siginfo: {0,4}si_signo|siginfo: EXCEPTION_"
    ),
    read=_read,
    before=4,
    after=60,
    reach=100,
)
