"""Android's tombstones, in files and in logcat, and what is made of them.

What is odd about it: the crashed thread comes first and has no mark; the abort message of Chromium
holds a stack of its own; ndk-stack and others name the frames by their sources; and a terminal may
have wrapped every line at one width.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import pairwise

from triage.formats._android import native_frame, without_logcat
from triage.formats._base import Format, Item, Region, named_signal, number, reading
from triage.formats._stacks import Stacks
from triage.frames.symbolized import split_source
from triage.model.crash import Environment, ErrorRecord, Fragment, Role, Signal
from triage.model.position import Position
from triage.model.stack import Frame, Thread, Trust, with_crashed
from triage.text.late import late

_MIN_WIDTH = 60
_FATAL = late(r"\[FATAL:(?P<file>[^()\[\]\n]{1,400})\((?P<line>\d{1,9})\)\] ?(?P<text>.*)$")
_CHECKED = late(r"(?P<file>[\w./+-]{1,400}\.\w{1,4}):(?P<line>\d{1,9}):? (?P<text>\S.*)$")
_UNCAUGHT = late(
    r"terminating (?:due to|with) uncaught exception of type (?P<name>\S[^\n]{0,300}?): "
    r"(?P<text>.*)$"
)
_TRUE_FAULT = frozenset({"SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGTRAP"})


@dataclass(slots=True)
class _State:
    stacks: Stacks = field(default_factory=Stacks)
    errors: list[ErrorRecord] = field(default_factory=list)
    signal: Signal | None = None
    waiting: Thread | None = None
    in_memory: bool = False
    expected: int = 0
    width: int = 0
    os: str | None = None
    arch: str | None = None
    where: dict[str, Position] = field(default_factory=dict)


def _read(region: Region) -> Fragment:
    region = without_logcat(region)
    state = _State(width=_wrapped_at(region))
    source = reading(region, "tombstone")
    for item in source.items():
        _HANDLERS[item.kind](state, item)
    state.stacks.finish()
    threads = tuple(t for t in state.stacks.threads() if t.frames)
    if not threads and state.signal is None and not state.errors:
        return Fragment(dialect="tombstone")
    return Fragment(
        dialect="tombstone",
        threads=_marked(threads),
        errors=tuple(state.errors),
        signal=state.signal,
        signal_rank=2,
        environment=Environment(os=state.os, arch=state.arch, where=state.where),
        claimed=frozenset(source.claimed),
    )


def _wrapped_at(region: Region) -> int:
    """Return the width at which a terminal has wrapped the lines; 0 where it has not."""
    lines = region.lines
    ends = Counter(
        len(line.text)
        for line, behind in pairwise(lines)
        if len(line.text) >= _MIN_WIDTH and behind.text[:1].strip() and "#" not in behind.text[:4]
    )
    longest = max((len(line.text) for line in lines), default=0)
    return longest if ends.get(longest, 0) >= 2 else 0


def _marked(threads: tuple[Thread, ...]) -> tuple[Thread, ...]:
    crashed = next((n for n, t in enumerate(threads) if t.tid is not None), 0)
    return with_crashed(threads, crashed)


def _process(state: _State, item: Item) -> None:
    fields = item.fields
    tid = number(fields.get("tid") or fields.get("fault_tid"))
    name = (fields.get("name") or fields.get("fault_name") or "").strip() or None
    state.waiting = Thread(id=str(tid), tid=tid, name=name, at=item.at)
    state.in_memory = False
    state.stacks.finish()


def _begin(state: _State) -> None:
    """Start the thread whose head was printed, now that its frames come."""
    head, state.waiting = state.waiting, None
    state.expected = 0
    if head:
        state.stacks.begin(thread_id=head.id, tid=head.tid, name=head.name, at=head.at or _NOWHERE)


_NOWHERE = Position(input=0)


def _backtrace(state: _State, _: Item) -> None:
    state.in_memory = False
    state.stacks.finish()
    _begin(state)


def _other(state: _State, _: Item) -> None:
    state.in_memory = False
    state.waiting = None
    state.stacks.finish()


def _memory(state: _State, _: Item) -> None:
    state.stacks.finish()
    state.in_memory = True


def _ignored(_: _State, __: Item) -> None:
    """Pass over a line that is understood and says nothing."""


def _fatal(state: _State, item: Item) -> None:
    fields = item.fields
    if state.signal is None:
        address = fields.get("fatal_address") or fields.get("fatal_at")
        state.signal = _signal_of(fields["fatal"], fields.get("fatal_code_name"), address, item.at)


def _signal(state: _State, item: Item) -> None:
    fields = item.fields
    code = fields.get("code_name") or fields.get("code_word")
    found = _signal_of(fields["signal"], code, fields.get("address"), item.at)
    if state.signal is None or (state.signal.code is None and state.signal.name == found.name):
        state.signal = found


def _reason(state: _State, item: Item) -> None:
    fields = item.fields
    if state.signal is None:
        code, address = fields.get("reason_code"), fields.get("reason_address")
        state.signal = _signal_of(fields["reason"], code, address, item.at)


def _signal_of(name: str, code: str | None, address: str | None, at: Position) -> Signal:
    real = address if name in _TRUE_FAULT and not (code or "").startswith("SI_") else None
    if real and not real.startswith("0x"):
        real = f"0x{real}"
    return replace(
        named_signal(name, at, fault_address=real), code=code if code and "?" not in code else None
    )


def _cause(state: _State, item: Item) -> None:
    text = item.fields["cause"].strip()
    state.errors.append(ErrorRecord(api="kernel", message=text, role=Role.CAUSE, at=item.at))


def _abort(state: _State, item: Item) -> None:
    text = item.fields["abort"].strip().removeprefix("'").removesuffix("'")
    error = ErrorRecord(api="libc", name="abort", message=text, at=item.at)
    if match := _FATAL.match(text) or _CHECKED.match(text):
        error = ErrorRecord(
            api="engine",
            name="FATAL" if text.startswith("[FATAL") else None,
            message=match["text"],
            file=match["file"],
            line=int(match["line"]),
            role=Role.CAUSE,
            at=item.at,
        )
    elif match := _UNCAUGHT.match(text):
        error = ErrorRecord(api="cxx", name=match["name"], message=match["text"], at=item.at)
    state.errors.append(error)


_ARCHES = {"arm64": "aarch64", "arm": "arm", "x86": "i386", "x86_64": "x86_64"}


def _abi(state: _State, item: Item) -> None:
    state.arch = _ARCHES.get(item.fields["abi"])
    if state.arch:
        state.where["arch"] = item.at


def _fingerprint(state: _State, item: Item) -> None:
    state.os, state.where["os"] = f"Android {item.fields['fingerprint'].strip()}", item.at


def _frame(state: _State, item: Item) -> None:
    if state.in_memory:
        return
    _begin(state)
    rest = _whole(state, item, item.fields["rest"])
    if item.rest and item.rest[0][:1] == "(" and item.rest[0].rstrip().endswith(")"):
        rest = f"{rest.rstrip()} {item.rest[0].strip()}"  # a mail has wrapped it
    state.stacks.add(native_frame(int(item.fields["index"]), item.fields["pc"], rest, item.at))


def _symbolized(state: _State, item: Item) -> None:
    index, pc = int(item.fields["symbolized_index"]), item.fields["symbolized_pc"]
    if index not in (0, state.expected):
        return  # what another stack, of which the rest is lost, ends with
    state.expected = index + 1
    text = _whole(state, item, item.fields["symbolized"])
    if not text.startswith("in "):
        if state.waiting:
            _begin(state)
            state.expected = index + 1
        state.stacks.add(_with_source(native_frame(index, pc, text, item.at), item.rest))
        return
    function, file, line, column = split_source(text[3:].strip())
    trust = Trust.DEBUG_INFO if file else Trust.SYMBOL
    state.stacks.add(
        Frame(
            index=index,
            function=function,
            file=file,
            line=line,
            column=column,
            address=pc,
            trust=trust if function else Trust.ADDRESS_ONLY,
            at=item.at,
        )
    )


_NDK_PLACE = late(r"(?P<file>/[^\n]{1,1000}?):(?P<line>\d{1,9})(?::(?P<column>\d{1,6}))?$")


def _with_source(frame: Frame, rest: tuple[str, ...]) -> Frame:
    """Return a frame with the name and the place that ndk-stack prints below it."""
    if len(rest) < 2 or not (match := _NDK_PLACE.match(rest[1].strip())):
        return frame
    return replace(
        frame,
        function=rest[0].strip() or frame.function,
        file=match["file"],
        line=int(match["line"]),
        column=int(match["column"]) if match["column"] else None,
        trust=Trust.DEBUG_INFO,
    )


def _library(state: _State, item: Item) -> None:
    _begin(state)
    index, module = int(item.fields["library_index"]), item.fields["library"]
    state.stacks.add(
        Frame(
            index=index,
            module=module,
            offset=item.fields["library_offset"],
            trust=Trust.ADDRESS_ONLY,
            at=item.at,
        )
    )


def _whole(state: _State, item: Item, text: str) -> str:
    """Return the end of a frame's line with the lines that a terminal has wrapped it into."""
    last = item.text
    for line in item.rest if state.width else ():
        if len(last) != state.width or not line[:1].strip():
            break
        text, last = text + line, line
    return text


_HANDLERS = {
    "process": _process,
    "fatal": _fatal,
    "signal": _signal,
    "reason": _reason,
    "cause": _cause,
    "abort": _abort,
    "abi": _abi,
    "fingerprint": _fingerprint,
    "backtrace": _backtrace,
    "other": _other,
    "frame": _frame,
    "symbolized": _symbolized,
    "library": _library,
    "stack": _ignored,
    "memory": _memory,
}

FORMAT = Format(
    name="tombstone",
    title="Android's tombstones and HarmonyOS's fault logs",
    anchors=(
        "pid: ",
        " (SIG",
        " pc ",
        "Build fingerprint",
        "Abort message: ",
        "backtrace:",
        "Reason:Signal:",
    ),
    opens=late(
        r"[^\n]{0,160}?(?:pid: {0,4}\d{1,10}, tid: {0,4}\d{1,10}"
        r"|Fatal signal \d{1,3} \(SIG|(?<!Fatal )signal \d{1,3} \(SIG[A-Z]{2,8}\), code "
        r"|#\d{2,5}[ \t]{1,4}pc[ \t]{1,4}(?:0x)?[0-9a-fA-F]{6,16}|Build fingerprint: "
        r"|Reason: ?Signal: ?SIG)"
    ),
    read=_read,
    before=4,
    after=400,
    reach=410,
    yields_to=("art", "sanitizer"),
)
