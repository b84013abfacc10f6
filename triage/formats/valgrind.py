"""Valgrind's memcheck, helgrind and drd.

What is odd about it: frames have no numbers, `at` begins a stack and `by` goes on with it; a
finding has further stacks (where the block came from, what the other thread did) that follow a
line about them; and a process that dies prints the stack of the last finding a second time.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from triage.formats._base import Format, Item, Region, named_signal, number, reading
from triage.formats._stacks import MAX_FRAMES, Stacks, first_of
from triage.frames.symbolized import last_bracket
from triage.model.crash import ErrorRecord, Fragment, Role, Signal
from triage.model.position import Position
from triage.model.stack import Frame, Trust, with_crashed
from triage.text.late import late

_PLACE = late(r"(?P<file>[^\n]{1,4096}):(?P<line>\d{1,9})$")
_BY_THREAD = late(r"\bthread #?(\d{1,9})\b")
_NAME_LENGTH = 120
_CODES = {
    "Access not within mapped region": "SEGV_MAPERR",
    "Bad permissions for mapped region": "SEGV_ACCERR",
    "Illegal opcode": "ILL_ILLOPC",
    "Integer divide by zero": "FPE_INTDIV",
}
_FATAL, _FOUND, _LEAKED = 0, 1, 2


@dataclass(slots=True)
class _State:
    """What was read so far.

    `index` is that of the next frame, None where no stack is open; `about` the line that says what
    the next stack is; `ranks` how bad the things are that stacks follow, and where they are.
    """

    stacks: Stacks = field(default_factory=Stacks)
    errors: list[ErrorRecord] = field(default_factory=list)
    ranks: list[tuple[int, int]] = field(default_factory=list)
    signal: Signal | None = None
    tool: str = "Valgrind"
    thread: tuple[str, str | None] | None = None
    about: tuple[str | None, str | None, Position] | None = None
    index: int | None = None


def _read(region: Region) -> Fragment:
    state = _State()
    source = reading(region, "valgrind")
    for item in source.items():
        if item.kind != "frame":
            state.stacks.finish()
            state.index = None
        _HANDLERS[item.kind](state, item)
    state.stacks.finish()
    threads = state.stacks.threads()
    # The stack of the signal, else that of the first finding, else of the first leak.
    crashed = first_of(threads, (line for _, line in sorted(state.ranks)))
    return Fragment(
        dialect="valgrind",
        threads=with_crashed(threads, crashed),
        errors=tuple(state.errors),
        signal=state.signal,
        signal_rank=1,
        claimed=frozenset(source.claimed),
    )


def _frame(state: _State, item: Item) -> None:
    fields = item.fields
    if fields["word"] == "at":
        state.stacks.finish()
        state.index = 0
        thread_id, name, at = state.about or (None, None, item.at)
        if thread_id is None and state.thread and name is None:
            thread_id, name = state.thread
        if thread_id is not None or name is not None:
            state.stacks.begin(thread_id=thread_id, tid=None, name=name, at=at)
        state.about = None
    elif state.index is None:
        return
    index = state.index or 0
    if index <= MAX_FRAMES:
        state.index = index + 1
    state.stacks.add(_to_frame(index, fields["address"], fields["body"], item.at))


def _to_frame(index: int, address: str, body: str, at: Position) -> Frame:
    function: str | None = body.rstrip()
    file = module = line = None
    start = last_bracket(body.rstrip())
    if start > 0 and body[start - 1] == " ":
        inner = body.rstrip()[start + 1 : -1]
        match = _PLACE.match(inner)
        if inner.startswith(("in ", "within ")):
            module, function = inner.partition(" ")[2], body[: start - 1]
        elif match:
            file, line, function = match["file"], int(match["line"]), body[: start - 1]
    if function == "???":
        function = None
    trust = Trust.DEBUG_INFO if file else Trust.SYMBOL
    return Frame(
        index=index,
        function=function,
        file=file,
        line=line,
        module=module,
        address=address,
        trust=trust if function else Trust.ADDRESS_ONLY,
        at=at,
    )


def _tool(state: _State, item: Item) -> None:
    name = item.fields["tool"]
    state.tool = "DRD" if name == "drd" else name


def _found(state: _State, text: str, at: Position, rank: int) -> None:
    state.errors.append(
        ErrorRecord(api="sanitizer", name=state.tool, message=text, role=Role.CAUSE, at=at)
    )
    state.ranks.append((rank, at.line or 0))
    state.about = None


def _finding(state: _State, item: Item) -> None:
    _found(state, item.fields["finding"], item.at, _FOUND)


def _raced(state: _State, item: Item) -> None:
    _found(state, item.fields["race"], item.at, _FOUND)
    state.about = (item.fields["race_thread"], None, item.at)


def _leak(state: _State, item: Item) -> None:
    state.thread = None
    _found(state, item.fields["leak"], item.at, _LEAKED)


def _broken(state: _State, item: Item) -> None:
    """Read that Valgrind itself gave up, mostly since the program wrote over its records."""
    fields = item.fields
    _found(state, fields["broken"], item.at, _FATAL)
    state.errors[-1] = replace(
        state.errors[-1],
        name="Valgrind",
        file=fields["broken_file"],
        line=number(fields["broken_line"]),
    )


def _thread(state: _State, item: Item) -> None:
    state.thread = (item.fields["thread"], item.fields.get("thread_name"))


def _announced(state: _State, item: Item) -> None:
    created = item.fields["created"]
    state.about = (created, f"Thread #{created} was created", item.at)


def _terminated(state: _State, item: Item) -> None:
    state.ranks.append((_FATAL, item.at.line or 0))
    state.about = None
    state.signal = state.signal or named_signal(item.fields["signal"], item.at)


def _fault(state: _State, item: Item) -> None:
    if state.signal:
        state.signal = replace(
            state.signal,
            code=_CODES.get(item.fields["fault"]),
            fault_address=item.fields.get("fault_address"),
        )


def _about(state: _State, item: Item) -> None:
    """Keep a line that says what the next stack is; one that carries on another says nothing."""
    text = item.fields["about"].strip()
    if not state.errors or text.startswith(("Locks held", "If you believe")):
        return
    match = _BY_THREAD.search(text)
    state.about = (match[1] if match else None, text.rstrip(":")[:_NAME_LENGTH], item.at)


def _blank(state: _State, _: Item) -> None:
    state.about = None


_HANDLERS = {
    "tool": _tool,
    "frame": _frame,
    "thread": _thread,
    "announced": _announced,
    "terminated": _terminated,
    "fault": _fault,
    "finding": _finding,
    "raced": _raced,
    "leak": _leak,
    "broken": _broken,
    "about": _about,
    "blank": _blank,
}

FORMAT = Format(
    name="valgrind",
    title="Valgrind",
    anchors=("==    at 0x", "==    by 0x", "== Process terminating with default action of signal"),
    opens=late(
        r"[^\n=]{0,60}==(?:[\d:.]{1,20} )?\d{1,10}== "
        r"(?:   (?:at|by) 0x[0-9a-fA-F]{1,16}: \S"
        r"|Process terminating with default action of signal \d)"
    ),
    read=_read,
    before=40,
    after=10,
    reach=600,
)
