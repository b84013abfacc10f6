"""AddressSanitizer and its relatives, libFuzzer, GWP-ASan; stacks that they print by themselves.

What is odd about it: one report holds several stacks (the access, the free, the allocation), of
which the first is the failure; a frame names a source place, a module with an offset, or both; and
a program may go on after one report to die in another.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from triage.formats._base import Format, Item, Region, named_signal, number, reading
from triage.formats._stacks import Stacks, first_of
from triage.frames.symbolized import Symbolized, split_symbolized, to_frame
from triage.model.crash import ErrorRecord, Fragment, Role, Signal
from triage.model.position import Position
from triage.model.stack import with_crashed
from triage.text.late import late

_SIGNALS = {
    "SEGV": "SIGSEGV",
    "BUS": "SIGBUS",
    "FPE": "SIGFPE",
    "ILL": "SIGILL",
    "ABRT": "SIGABRT",
    "TRAP": "SIGTRAP",
    "stack-overflow": "SIGSEGV",
}
_FAULT = late(
    r"(?P<kind>[\w-]{2,60})"
    r"(?:[^\n]{0,40}? on (?:unknown )?address (?P<address>0x[0-9a-fA-F]{1,16}))?"
)
_THREAD = late(
    r"\b[Tt]hread (?P<id>T?\d{1,9})\b"
    r"(?: \((?P<name>[^()\n:=]{1,64})\)| '(?P<quoted>[^'\n]{1,64})')?"
    r"|\b(?P<main>main) thread\b|\(pc [^()\n]{0,200} (?P<in_head>T\d{1,9})\)"
)
_DEBUGGER = late(r"[^\n]*\) (?:at|from) \S")
_PADDED = late(r"[^\n#]{0,100}#\d  \S[^\n]* \(")  # gdb pads a number and parts arguments
_RACE = late(r"((?:Atomic )?(?:[Rr]ead|[Ww]rite) of size \d{1,20})")
_HEAD_END = late(r"(?: here| at)?:?$")
_HEAD_LENGTH = 120
_LEAK = "detected memory leaks"


_TOMBSTONE = late(r"pid: {0,4}\d{1,10}, tid: {0,4}\d{1,10}|Build fingerprint: ")


@dataclass(slots=True)
class _State:
    """What was read so far.

    `head` is the thread, the name and the place of the stack that comes next; `last` the number of
    the last frame, `inlined` whether it was one of `1.1, 1.2, 1`, `shift` how many of those there
    were in this stack; `open` whether a heading asks for a stack.
    """

    stacks: Stacks = field(default_factory=Stacks)
    errors: list[ErrorRecord] = field(default_factory=list)
    ranks: list[tuple[int, int]] = field(default_factory=list)
    signal: Signal | None = None
    summary: Item | None = None
    head: tuple[str | None, str | None, Position] | None = None
    last: int | None = None
    inlined: bool = False
    shift: int = 0
    open: bool = False
    debugger: bool = False


def _read(region: Region) -> Fragment:
    state = _State()
    source = reading(region, "sanitizer")
    for item in source.items():
        if item.kind == "frame":
            if not _frame(state, item):
                source.claimed.discard(item.at.line or 0)
        else:
            _HANDLERS[item.kind](state, item)
    state.stacks.finish()
    if not state.errors and state.summary:
        _summarized(state, state.summary)
    if not state.errors and any(_TOMBSTONE.search(line.text) for line in region.lines):
        return Fragment(dialect="sanitizer")  # a stack without a heading that has one after all
    threads = state.stacks.threads()
    # That of the report that ended the program: a runtime error and a warning let it go on, and
    # leaks are counted when it is over.
    crashed = first_of(threads, (line for _, line in sorted(state.ranks)))
    return Fragment(
        dialect="sanitizer",
        threads=with_crashed(threads, crashed),
        errors=tuple(state.errors),
        signal=state.signal,
        signal_rank=3,
        claimed=frozenset(source.claimed),
    )


def _begin(state: _State, error: ErrorRecord, at: Position, rank: int) -> None:
    state.stacks.finish()
    state.errors.append(error)
    state.ranks.append((rank, at.line or 0))
    state.head, state.last, state.inlined, state.open = None, None, False, True


def _report(state: _State, item: Item) -> None:
    tool, text = item.fields["tool"], item.fields["report"].rstrip(" :")
    error = ErrorRecord(api="sanitizer", name=tool, message=text, role=Role.CAUSE, at=item.at)
    rank = 1 if item.fields["level"] == "WARNING" or tool == "libFuzzer" else 0
    _begin(state, error, item.at, 2 if text.startswith(_LEAK) else rank)
    state.signal = state.signal or _signal(text, item.at)
    if match := _THREAD.search(text):
        state.head = (match["in_head"] or match["id"], None, item.at)


def _failed_check(state: _State, item: Item) -> None:
    text = (item.fields["check"] + item.fields["check_text"]).rstrip()
    error = ErrorRecord(
        api="sanitizer", name=item.fields["check_tool"], message=text, role=Role.CAUSE, at=item.at
    )
    _begin(state, error, item.at, 0)


def _runtime_error(state: _State, item: Item) -> None:
    fields = item.fields
    error = ErrorRecord(
        api="sanitizer",
        name="UndefinedBehaviorSanitizer",
        message=fields["re_text"].rstrip(),
        file=fields["re_file"],
        line=number(fields.get("re_line") or fields.get("vs_line")),
        role=Role.CAUSE,
        at=item.at,
    )
    _begin(state, error, item.at, 1)


def _minimal(state: _State, item: Item) -> None:
    error = ErrorRecord(
        api="sanitizer",
        name="UndefinedBehaviorSanitizer",
        message=item.fields["minimal"],
        role=Role.CAUSE,
        at=item.at,
    )
    _begin(state, error, item.at, 1)


def _guarded(state: _State, item: Item) -> None:
    error = ErrorRecord(api="sanitizer", name="GWP-ASan", role=Role.CAUSE, at=item.at)
    _begin(state, error, item.at, 0)


def _stack_head(state: _State, item: Item) -> None:
    state.stacks.finish()
    state.last, state.inlined = None, False
    if not state.errors:
        return
    state.open = True
    text = item.text.strip()
    match = _THREAD.search(text)
    thread_id = (match["id"] or match["main"] or match["in_head"]) if match else None
    name = (match["name"] or match["quoted"]) if match else None
    error = state.errors[-1]
    if size := item.fields.get("size"):
        state.errors[-1] = replace(error, message=f"{error.message}; {size}")
    elif error.name == "GWP-ASan" and error.message is None:
        state.errors[-1] = replace(error, message=text.rstrip(":").removesuffix(" here"))
    elif match := _RACE.match(text):
        state.errors[-1] = replace(error, message=f"{error.message}; {match[1]}")
    else:
        name = _HEAD_END.sub("", text)[:_HEAD_LENGTH]
    state.head = (thread_id, name, item.at)


def _access(state: _State, item: Item) -> None:
    if state.errors:
        error = state.errors[-1]
        state.errors[-1] = replace(error, message=f"{error.message}; {item.fields['access']}")


def _summary(state: _State, item: Item) -> None:
    state.stacks.finish()
    state.last, state.open = None, False
    state.summary = state.summary or item


def _summarized(state: _State, item: Item) -> None:
    """Take the error from the summary, where the report's beginning is not in the text."""
    text = item.fields["summary"].rstrip()
    state.errors.append(
        ErrorRecord(
            api="sanitizer",
            name=item.fields["summary_tool"],
            message=text,
            role=Role.CAUSE,
            at=item.at,
        )
    )
    state.signal = state.signal or _signal(text, item.at)


def _end(state: _State, _: Item) -> None:
    state.stacks.finish()
    state.last, state.open = None, False


def _signal(text: str, at: Position) -> Signal | None:
    match = _FAULT.match(text)
    if not match or match["kind"] not in _SIGNALS:
        return None
    name = _SIGNALS[match["kind"]]
    # Who sent an abort is told where other signals have their address.
    address = None if name == "SIGABRT" else match["address"]
    return named_signal(name, at, fault_address=address)


def _frame(state: _State, item: Item) -> bool:
    """Add a frame; False where the line is none of a sanitizer's."""
    body, printed = item.fields["body"], int(item.fields["index"])
    if _DEBUGGER.match(body) or _PADDED.match(item.text):
        state.debugger = True
        return False
    if state.debugger and printed > 0:
        return False
    state.debugger = False
    parts = split_symbolized(body)
    if not _belongs(state, printed, parts):
        return False
    if state.last is None or (printed == 0 and not state.inlined):
        state.shift = 0
        if state.head:
            thread_id, name, at = state.head
            state.stacks.begin(thread_id=thread_id, tid=None, name=name, at=at)
            state.head = None
    inlined = "inlined" in item.fields
    state.stacks.add(to_frame(printed + state.shift, parts, item.at, inlined=inlined))
    state.shift += inlined
    state.last, state.inlined = printed, inlined
    return True


def _belongs(state: _State, printed: int, parts: Symbolized) -> bool:
    """Tell whether a numbered line is a frame of a sanitizer's stack.

    An address is enough below a heading; of a stack that nothing announces each frame has to be
    complete.
    """
    if state.last is not None and printed in (state.last, state.last + 1):
        return printed == state.last + 1 or state.inlined or printed == 0
    if parts.address and (state.errors or (state.last is not None and printed > state.last)):
        return True
    if parts.address and state.last is None and (parts.line or parts.offset):
        return True
    return printed == 0 and state.open


def _progress(_: _State, __: Item) -> None:
    """Leave alone what libFuzzer prints of its progress, which begins like a frame."""


_HANDLERS = {
    "progress": _progress,
    "report": _report,
    "failed_check": _failed_check,
    "runtime_error": _runtime_error,
    "minimal": _minimal,
    "guarded": _guarded,
    "stack_head": _stack_head,
    "access": _access,
    "summary": _summary,
    "end": _end,
}


FORMAT = Format(
    name="sanitizer",
    title="AddressSanitizer and its relatives, libFuzzer, GWP-ASan",
    anchors=(
        "Sanitizer: ",
        "libFuzzer: ",
        ": runtime error: ",
        "Sanitizer CHECK failed",
        "Sanitizer failed to ",
        "ubsan: ",
        "GWP-ASan detected",
        *(f"#{n} 0x" for n in range(10)),
        "INITED",
        "corp: ",
        "exec/s",
    ),
    opens=late(
        r"(?=[^\n]{0,170}Sanitizer)[^\n]{0,120}?"
        r"(?:(?:ERROR|WARNING|FATAL): ?\w{2,40}Sanitizer(?:: | (?=failed to |CHECK ))"
        r"|Sanitizer:? (?:CHECK failed: |nested bug in |(?:hard|soft) rss limit exh)"
        r"|SUMMARY: \w{2,40}Sanitizer: )"
        r"|[^\n]{0,140}(?<=ERROR: |MMARY: )libFuzzer: "
        r"|[^\n]{0,120}GWP-ASan detected a memory error \*\*\*"
        r"|(?=[^\n]{0,1100}runtime error: )[^\s:](?:[^:\n]|:(?=[\\/])){0,1000}"
        r"(?::\d{1,9}(?::\d{1,6})?|\(\d{1,9}(?:,\d{1,6})?\)): runtime error: "
        r"|#\d{1,12}[ \t]{1,4}(?:INITED|READ|NEW(?:_FUNC)?|REDUCE|RELOAD|pulse|DONE|BINGO"
        r"|MIN\d{0,2})[ \t]{1,8}(?:cov|ft|units|corp|exec/s|rss|lim)[: ]"
        r"|ubsan: [a-z][a-z-]{2,60}(?: by 0x[0-9a-fA-F]{1,16})?$"
        r"|[^\n#]{0,100}#\d 0x[0-9a-fA-F]{1,16} in (?![^\n]*\) (?:at|from) \S)"
        r"[^\n]*(?::\d{1,9}(?::\d{1,6})?|\+0x[0-9a-fA-F]{1,16}\)(?: \(BuildId: [0-9a-f]{1,64}\))?)$"
    ),
    read=_read,
    before=12,
    after=400,
    reach=600,
)
