"""lldb's text: `bt`, `bt all`, `thread list`, and what it prints when a process stops.

What is odd about it: the stop is followed by the current frame alone, which `bt` then repeats; a
name before `[inlined]` is that of the function around; and arguments stand with their values only
where there is debug information, otherwise what is in the brackets belongs to the name.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from triage.elf.signals import NUMBERS
from triage.formats._base import Format, Item, Region, named_signal, number, reading
from triage.formats._darwin import SIGNAL_RETURNS, described_signal, mach_signal
from triage.formats._stacks import Stacks
from triage.model.crash import ErrorRecord, Fragment, Role, Signal
from triage.model.position import Position
from triage.model.stack import Frame, FrameKind, Trust
from triage.text.late import late

_TID = late(r"\btid = (0x[0-9a-fA-F]{1,16}|\d{1,12})")
_NAME = late(r"\b(?:name|queue) = '([^'\n]{1,200})'")
_REASON = late(r"\bstop reason = (.*)$")
_MACH = late(
    r"(EXC_[A-Z_]{3,30}) \((?:code=(?P<code>\w{1,40}))?"
    r"(?:[^)\n]{0,80}?\baddress=(?P<address>0x[0-9a-fA-F]{1,16}))?"
)
_SIGNAL = late(r"signal (SIG[A-Z0-9]{2,10})(?:: (?P<why>[^(\n]{1,100}))?")
_FAULT = late(r"\(fault address[:=] ?(0x[0-9a-fA-F]{1,16})")
_WINDOWS = late(r"Exception (0x[0-9a-fA-F]{8}) encountered at address 0x[0-9a-fA-F]+: (.*)$")
_SWIFT = late(r"(?:Swift runtime failure|Fatal error|Assertion failed|Precondition failed): ")
_WHY = {
    "invalid address": "SEGV_MAPERR",
    "address not mapped to object": "SEGV_MAPERR",
    "address access protected": "SEGV_ACCERR",
    "invalid permissions for mapped object": "SEGV_ACCERR",
}
_NO_CRASH = frozenset(
    {"SIGSTOP", "SIGINT", "SIGCONT", "SIGTSTP", "SIGCHLD", "SIGUSR1", "SIGUSR2", "SIGWINCH"}
)

_ADDRESS = late(r"(0x[0-9a-fA-F]{1,16})(?: |$)")
_FLAGS = late(r"(?: \[(?:opt|inlined|artificial)\]){1,3}$")
_PLACE = late(r" at (?P<file>\S.*?):(?P<line>\d{1,9})(?::(?P<column>\d{1,6}))?$")
_OFFSET = late(r" \+ \d{1,12}$")
_ARGUMENTS = late(r"\((?:, )?(?:\(null\)|[\w$.#]{1,80}) ?=(?!=)")
_UNNAMED = "___lldb_unnamed_"


@dataclass(slots=True)
class _State:
    stacks: Stacks = field(default_factory=Stacks)
    errors: list[ErrorRecord] = field(default_factory=list)
    signal: Signal | None = None
    current: str | None = None


def _read(region: Region) -> Fragment:
    state = _State()
    source = reading(region, "lldb")
    for item in source.items():
        if item.kind == "thread":
            _thread(state, item)
        elif item.kind == "frame":
            frame = to_frame(int(item.fields["index"]), item.fields["body"], item.at)
            if frame:
                state.stacks.add(frame)
        else:
            _stopped(state, item.fields["stop"], item.fields.get("stop_thread"), item.at)
    state.stacks.finish()
    state.stacks.crashed_id = state.stacks.crashed_id or state.current
    return Fragment(
        dialect="lldb",
        threads=tuple(t for t in state.stacks.threads() if t.frames),
        errors=tuple(state.errors),
        signal=state.signal,
        signal_rank=1,
        claimed=frozenset(source.claimed),
    )


def _thread(state: _State, item: Item) -> None:
    about = item.fields["about"]
    thread_id = item.fields["thread_id"]
    tid, name = _TID.search(about), _NAME.search(about)
    reason = _REASON.search(about)
    state.stacks.begin(
        thread_id=thread_id,
        tid=number(tid[1]) if tid else None,
        name=name[1] if name else None,
        at=item.at,
    )
    if "current" in item.fields:
        state.current = thread_id
    if reason:
        _stopped(state, reason[1].strip(), thread_id, item.at)


def _stopped(state: _State, reason: str, thread_id: str | None, at: Position) -> None:
    signal = stop_signal(reason, at)
    error = _stop_error(reason, at)
    if error and error.message not in {e.message for e in state.errors}:
        state.errors.append(error)
    if signal and (state.signal is None or signal.name != state.signal.name):
        state.signal = signal
    if (signal or error) and thread_id is not None:
        state.stacks.crashed_id = thread_id


def stop_signal(reason: str, at: Position) -> Signal | None:
    """Return the signal that a stop reason names; None where the process has not crashed."""
    if match := _SIGNAL.match(reason):
        if match[1] in _NO_CRASH or match[1] not in NUMBERS:
            return None
        fault = _FAULT.search(reason)
        code = _WHY.get((match["why"] or "").strip())
        return described_signal(match[1], code, at, fault[1] if fault else None)
    if match := _MACH.match(reason):
        return mach_signal(match[1], match["code"], at, address=match["address"])
    return named_signal("SIGABRT", at) if reason == "hit program assert" else None


def _stop_error(reason: str, at: Position) -> ErrorRecord | None:
    if match := _WINDOWS.match(reason):
        return ErrorRecord(
            api="ntstatus", code=int(match[1], 16), message=match[2], role=Role.CAUSE, at=at
        )
    if reason.startswith("EXC_RESOURCE"):
        return ErrorRecord(api="kernel", name="EXC_RESOURCE", message=reason, at=at)
    if _SWIFT.match(reason):
        return ErrorRecord(api="swift", message=reason, role=Role.CAUSE, at=at)
    return None


def to_frame(index: int, body: str, at: Position) -> Frame | None:
    """Return the frame that lldb prints behind a frame's number; None where nothing stands there.

    Reads `[0xADDR] [MODULE`]FUNCTION[ [inlined] FUNCTION][(ARGS)][ + N][ at FILE:LINE:COLUMN]`.
    """
    address = module = file = line = column = None
    text = body.strip()
    flags = _FLAGS.search(text)
    if flags:
        text = text[: flags.start()]
    if match := _ADDRESS.match(text):
        address, text = match[1], text[match.end() :]
    head, tick, rest = text.partition("`")
    if tick:
        module, text = head.strip() or None, rest
    elif address:
        module, text = _OFFSET.sub("", text).strip() or None, ""
    if match := _PLACE.match(text, max(0, text.rfind(" at "))):
        file, line = match["file"], int(match["line"])
        column = int(match["column"]) if match["column"] else None
        text = text[: match.start()]
    function, args, inlined = _named(text)
    if not (address or function):
        return None
    unnamed = function is None or function.startswith(_UNNAMED)
    known = Trust.DEBUG_INFO if file else Trust.SYMBOL
    return Frame(
        index=index,
        function=function,
        args=args,
        file=file,
        line=line,
        column=column,
        module=module,
        address=address,
        inlined=inlined or bool(flags and "inlined" in flags.group()),
        kind=FrameKind.SIGNAL_HANDLER if function in SIGNAL_RETURNS else FrameKind.HOST,
        trust=Trust.ADDRESS_ONLY if unnamed else known,
        at=at,
    )


def _named(text: str) -> tuple[str | None, str | None, bool]:
    """Part a function from its values; of `OUTER [inlined] INNER` the inner one is meant."""
    text, mark, inner = _OFFSET.sub("", text).rpartition(" [inlined] ")
    args = None
    if match := _ARGUMENTS.search(inner):
        end = inner.rfind(")")
        args = inner[match.start() + 1 : end if end > match.start() else None]
        inner = inner[: match.start()]
    return inner.strip() or None, args, bool(mark)


FORMAT = Format(
    name="lldb",
    title="lldb and Xcode's stops",
    anchors=("frame #", "thread #", "EXC_", "signal SIG"),
    opens=late(
        r"[ \t>,]{0,16}(?:\*[ \t]{1,4})?frame #\d{1,6}: {0,2}(?:0x[0-9a-fA-F]{4,16}|[^\s`]{1,200}`)"
        r"|[ \t>,]{0,16}\*[ \t]{1,4}thread #\d{1,9}[,:] "
        r"|[ \t>,]{0,16}thread #\d{1,9}[,:] (?:tid|name|queue|stop reason) = "
        r"|[ \t]{0,16}(?:Thread \d{1,9}: )?EXC_(?:BAD_ACCESS|BAD_INSTRUCTION|BREAKPOINT|ARITHMETIC"
        r"|RESOURCE) \((?:code=|RESOURCE_)"
        r"|[ \t]{0,16}Thread \d{1,9}: signal SIG[A-Z]{2,8}$"
    ),
    read=_read,
    before=2,
    after=4,
    reach=120,
)
