"""The backtraces that the Swift runtime prints when a program crashes (Swift 5.9 and later).

What is odd about it: with colours the address is left out, and the source stands between frames.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from triage.elf.signals import BY_WORDS, SIGNALS
from triage.formats._base import Format, Item, Region, named_signal, reading
from triage.formats._stacks import Stacks
from triage.model.crash import Fragment, Signal
from triage.model.position import Position
from triage.model.stack import Frame, Trust
from triage.text.late import late

_WHY: Final = {**BY_WORDS, "System trap": "SIGTRAP"}
_BAD_POINTER: Final = "Bad pointer dereference"
_ANY_SYSTEM: Final = {7: "SIGBUS", 10: "SIGBUS"}  # Linux's number and Apple's
_IN_MODULE = late(r" in (?P<module>\S[^\n]*?)(?: at (?P<place>\S[^\n]*))?$")
_PLACE = late(r"(?P<file>[^\n]+?):(?P<line>\d{1,9})(?::(?P<column>\d{1,6}))?$")
_BEHIND = late(r" \+ \d{1,12}$")


@dataclass(slots=True)
class _State:
    stacks: Stacks = field(default_factory=Stacks)
    number: tuple[int, Position] | None = None
    signal: Signal | None = None
    in_stack: bool = False


def _read(region: Region) -> Fragment:
    state = _State()
    source = reading(region, "swift")
    for item in source.items():
        _HANDLERS[item.kind](state, item)
    state.stacks.finish()
    if state.signal is None and state.number:
        number, at = state.number
        name = _ANY_SYSTEM.get(number) or SIGNALS.get(number)
        state.signal = named_signal(name, at) if name else None
    return Fragment(
        dialect="swift",
        threads=tuple(t for t in state.stacks.threads() if t.frames),
        signal=state.signal,
        signal_rank=3,
        claimed=frozenset(source.claimed),
    )


def _signal(state: _State, item: Item) -> None:
    state.number = state.number or (int(item.fields["number"]), item.at)


def _crashed(state: _State, item: Item) -> None:
    why, address = item.fields["why"], item.fields.get("address")
    if why == _BAD_POINTER:
        number = state.number[0] if state.number else 11
        name = _ANY_SYSTEM.get(number) or SIGNALS.get(number)
    else:
        name, address = _WHY.get(why), None
    if name and state.signal is None:
        state.signal = named_signal(name, item.at, fault_address=address)


def _thread(state: _State, item: Item) -> None:
    thread_id = item.fields["thread_id"]
    if "thread_crashed" in item.fields:
        state.stacks.crashed_id = thread_id
    state.stacks.begin(
        thread_id=thread_id, tid=None, name=item.fields.get("thread_name") or None, at=item.at
    )
    state.in_stack = True


def _end(state: _State, _: Item) -> None:
    state.stacks.finish()
    state.in_stack = False


def _frame(state: _State, item: Item) -> None:
    if not state.in_stack:
        return
    body = item.fields["body"].rstrip()
    match = _IN_MODULE.match(body, max(0, body.rfind(" in ")))
    if match is None:
        return
    place = _PLACE.match(match["place"] or "")
    function = _BEHIND.sub("", body[: match.start()]).strip()
    known = function not in ("", "<unknown>")
    trust = Trust.DEBUG_INFO if place else Trust.SYMBOL
    state.stacks.add(
        Frame(
            index=int(item.fields["index"]),
            function=function if known else None,
            file=place["file"] if place else None,
            line=int(place["line"]) if place else None,
            column=int(place["column"]) if place and place["column"] else None,
            module=match["module"],
            address=item.fields.get("pc"),
            inlined="[inlined]" in item.fields["flags"],
            trust=trust if known else Trust.ADDRESS_ONLY,
            at=item.at,
        )
    )


_HANDLERS = {
    "signal": _signal,
    "crashed": _crashed,
    "thread": _thread,
    "frame": _frame,
    "end": _end,
}

FORMAT = Format(
    name="swift",
    title="the Swift runtime's backtraces",
    anchors=("Program crashed: ", ": Backtracing"),
    opens=late(
        r"[^\n]{0,40}?Signal \d{1,3}: Backtracing(?: from 0x|\.\.\.)"
        r"|(?:\*\*\*|\S{1,4}) Program crashed: [A-Z][a-z]{2,20}[^\n]{0,60} at 0x"
    ),
    read=_read,
    after=400,
    reach=400,
)
