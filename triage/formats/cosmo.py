"""The crash dumps of Cosmopolitan programs, of which llamafile is one.

What is odd about it: one file runs on every system, which the dump names; the stack is printed as
addresses for `cosmoaddr2line`, and again with names where the program holds its symbols.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from triage.formats._base import (
    Format,
    Item,
    Region,
    failed_assertion,
    named_signal,
    number,
    reading,
)
from triage.model.crash import Environment, ErrorRecord, Fragment, Signal
from triage.model.position import Position
from triage.model.stack import Frame, Thread, Trust
from triage.text.late import late

_FAULTS = frozenset({"SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGTRAP"})
_PLACE = late(r" at (?P<file>\S[^\n]*?):(?P<line>\d{1,9})$")
_BEHIND = late(r"[+-]\d{1,9}$")
_MAX_FRAMES = 20_000


@dataclass(slots=True)
class _State:
    errors: list[ErrorRecord] = field(default_factory=list)
    signal: Signal | None = None
    tid: int | None = None
    at: Position | None = None
    os: str | None = None
    arch: str | None = None
    where: dict[str, Position] = field(default_factory=dict)
    addresses: list[Frame] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    ended: bool = False


def _read(region: Region) -> Fragment:
    state = _State()
    source = reading(region, "cosmo")
    for item in source.items():
        _HANDLERS[item.kind](state, item)
    named = any(frame.function for frame in state.frames)
    frames = state.frames if named or not state.addresses else state.addresses
    thread = Thread(tid=state.tid, crashed=True, frames=tuple(frames), at=state.at)
    return Fragment(
        dialect="cosmo",
        threads=(thread,) if frames and state.signal else (),
        errors=tuple(state.errors),
        signal=state.signal,
        signal_rank=3,
        environment=Environment(os=state.os, arch=state.arch, where=state.where),
        claimed=frozenset(source.claimed),
    )


def _uncaught(state: _State, item: Item) -> None:
    if state.signal is not None:
        state.ended = True
        return
    name, code = item.fields["signal"], item.fields["code"]
    address = item.fields.get("address")
    real = name in _FAULTS and not code.startswith("SI_")
    state.signal = replace(
        named_signal(name, item.at, fault_address=_hex(address) if address and real else None),
        code=code,
    )
    state.tid, state.at = number(item.fields["tid"]), item.at


def _hex(text: str) -> str:
    return text if text.startswith("0x") else f"0x{text}"


def _system(state: _State, item: Item) -> None:
    if "os" in item.fields:
        state.os, state.where["os"] = item.fields["os"], item.at
    state.arch, state.where["arch"] = item.fields["arch"], item.at


def _addresses(state: _State, item: Item) -> None:
    if state.addresses or state.signal is None:
        return
    for n, address in enumerate(item.fields["addresses"].split()):
        state.addresses.append(
            Frame(index=n, address=f"0x{address}", trust=Trust.ADDRESS_ONLY, at=item.at)
        )


def _fault(state: _State, item: Item) -> None:
    if state.signal and state.signal.name in _FAULTS and state.signal.fault_address is None:
        state.signal = replace(state.signal, fault_address=f"0x{item.fields['fault']}")


def _add(state: _State, item: Item, address: str, text: str) -> None:
    if state.signal is None or state.ended or len(state.frames) >= _MAX_FRAMES:
        return
    file = line = None
    if match := _PLACE.match(text, max(0, text.rfind(" at "))):
        file, line, text = match["file"], int(match["line"]), text[: match.start()]
    function = _BEHIND.sub("", text.strip())
    known = function not in ("", "??", "NULL", "?? ??:0")
    trust = Trust.DEBUG_INFO if file else Trust.SYMBOL
    state.frames.append(
        Frame(
            index=len(state.frames),
            function=function if known else None,
            file=file if file != "??" else None,
            line=line if file != "??" else None,
            address=_hex(address),
            trust=trust if known else Trust.ADDRESS_ONLY,
            at=item.at,
        )
    )


def _named(state: _State, item: Item) -> None:
    _add(state, item, item.fields["named_address"], item.fields["named_symbol"])


def _stack(state: _State, item: Item) -> None:
    _add(state, item, item.fields["stack_address"], item.fields["stack_symbol"])


def _resolved(state: _State, item: Item) -> None:
    _add(state, item, item.fields["resolved_address"], item.fields["resolved"])


def _asserted(state: _State, item: Item) -> None:
    fields = item.fields
    state.errors.append(
        failed_assertion(fields["asserted"], fields["assert_file"], fields["assert_line"], item.at)
    )


_HANDLERS = {
    "uncaught": _uncaught,
    "system": _system,
    "addresses": _addresses,
    "fault": _fault,
    "named": _named,
    "stack": _stack,
    "resolved": _resolved,
    "asserted": _asserted,
}

FORMAT = Format(
    name="cosmo",
    title="Cosmopolitan's crash dumps, such as llamafile's",
    anchors=("error: Uncaught SIG", "cosmoaddr2line "),
    opens=late(
        r"[^\n]{0,120}?error: Uncaught SIG[A-Z0-9]{2,10} \([A-Z0-9_]{2,24}\)"
        r"|[^\n]{0,1000}: assert\([^\n]{1,2000}\) failed \(cosmoaddr2line "
    ),
    read=_read,
    before=2,
    after=120,
    reach=130,
)
