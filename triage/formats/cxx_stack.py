"""Stacks that C++ libraries print: backward-cpp, Boost.Stacktrace, std::stacktrace, cpptrace.

What is odd about it: backward-cpp prints the outermost frame first, gives a function and those
that were inlined into it one number, and puts lines of source between them.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace

from triage.elf.signals import BY_WORDS
from triage.formats._base import Format, Item, Region, named_signal, number, reading
from triage.formats._stacks import MAX_FRAMES
from triage.model.crash import Fragment, Signal
from triage.model.stack import Frame, Thread, Trust, trust_of, with_crashed
from triage.text.late import late

_CODES = {
    "Address not mapped to object": "SEGV_MAPERR",
    "Invalid permissions for mapped object": "SEGV_ACCERR",
    "Signal sent by tkill()": "SI_TKILL",
    "Signal sent by the kernel": "SI_KERNEL",
    "Signal sent by kill()": "SI_USER",
    "Illegal operand": "ILL_ILLOPN",
    "Illegal opcode": "ILL_ILLOPC",
    "Nonexisting physical address": "BUS_ADRERR",
    "Invalid address alignment": "BUS_ADRALN",
}
_SNIPPET = 16  # lines of source that may stand between two frames
_ADDRESS = late(r" ?\[(0x[0-9a-fA-F]{1,16})\]$")
_PLACE = late(r":(\d{1,9})$")
_TRACE_PLACE = late(r":(\d{1,9})(?::(\d{1,6}))?[ \t]*$")


@dataclass(slots=True)
class _State:
    """The stack that is being read, in the order in which it is printed."""

    threads: list[Thread] = field(default_factory=list)
    frames: list[tuple[int, Frame]] = field(default_factory=list)
    omitted: int = 0
    head: Thread | None = None
    last: int = 0
    outermost_first: bool = False
    cpptrace: int = -100
    signal: Signal | None = None

    def add(self, printed: int | None, frame: Frame, item: Item, *, gap: int) -> None:
        """Add a frame; one that stands apart, or whose number turns back, begins a new stack."""
        row = item.at.line or 0
        mine = self.frames[-1][0] if self.frames else None
        if mine is not None and (row - self.last > gap + 1 or self._turns(mine, printed)):
            self.finish()
            mine = None
        self.last = row
        value = printed if printed is not None else (mine or 0)
        if len(self.frames) < MAX_FRAMES:
            self.frames.append((value, frame))
        else:
            self.omitted += 1

    def _turns(self, last: int, printed: int | None) -> bool:
        if printed is None or printed == last or len(self.frames) < 1:
            return False
        rising = printed > last
        return rising == self.outermost_first

    def finish(self) -> None:
        """Close the stack that is being read, innermost frame first."""
        if self.frames:
            entries = self.frames[::-1] if self.outermost_first else self.frames
            numbers = [n for n, _ in entries]
            if any(a >= b for a, b in itertools.pairwise(numbers)):
                numbers = list(range(len(numbers)))
            frames = [replace(f, index=n) for n, (_, f) in zip(numbers, entries, strict=True)]
            head = self.head or Thread(at=frames[-1 if self.outermost_first else 0].at)
            self.threads.append(replace(head, frames=tuple(frames), frames_omitted=self.omitted))
        self.frames, self.omitted, self.head, self.outermost_first = [], 0, None, False


def _read(region: Region) -> Fragment:
    state = _State()
    source = reading(region, "cxx_stack")
    for item in source.items():
        _HANDLERS[item.kind](state, item)
    state.finish()
    if not state.threads:
        return Fragment(dialect="cxx_stack")
    return Fragment(
        dialect="cxx_stack",
        threads=with_crashed(state.threads, 0),
        signal=state.signal,
        signal_rank=3,
        claimed=frozenset(source.claimed),
    )


def _backward_heading(state: _State, item: Item) -> None:
    state.finish()
    tid = number(item.fields.get("thread"))
    state.head = Thread(tid=tid, at=item.at)
    state.outermost_first = True


def _backward(state: _State, item: Item, printed: str | None, frame: Frame) -> None:
    if not state.frames:
        state.outermost_first = state.outermost_first or printed != "0"
    state.add(number(printed), frame, item, gap=_SNIPPET)


def _object(state: _State, item: Item) -> None:
    fields = item.fields
    address = fields["o_address"]
    function = _name(fields["o_function"])
    frame = Frame(
        index=0,
        function=function,
        module=fields["object"] or None,
        address=address if address.startswith("0x") else None,
        trust=trust_of(function),
        at=item.at,
    )
    _backward(state, item, fields["o_index"], frame)


def _source(state: _State, item: Item) -> None:
    """Read a function by its place in the source, or one that was inlined into it."""
    fields, inlined = item.fields, item.kind == "inliner"
    printed = fields.get("i_index" if inlined else "s_index")
    if printed is None and not state.frames:
        return
    frame = Frame(
        index=0,
        function=_name(fields["i_function" if inlined else "s_function"]),
        file=fields["inliner" if inlined else "source"],
        line=number(fields["i_line" if inlined else "s_line"]) or None,
        address=fields.get("s_address"),
        inlined=inlined,
        trust=Trust.DEBUG_INFO,
        at=item.at,
    )
    _backward(state, item, printed, frame)


def _boost(state: _State, item: Item) -> None:
    frame = _numbered(item.fields["body"].strip(), item)
    state.add(int(item.fields["index"]), frame, item, gap=2)


def _numbered(text: str, item: Item) -> Frame:
    """Return the frame `FUNCTION at FILE:LINE`, `FUNCTION in MODULE` or `ADDRESS in MODULE`."""
    address = file = module = line = None
    if match := _ADDRESS.search(text):
        address, text = match[1], text[: match.start()]
    place = _PLACE.search(text)
    if text.startswith("at ") and place:
        return Frame(index=0, address=address, trust=Trust.ADDRESS_ONLY, at=item.at)
    head, word, tail = text.rpartition(" at ")
    if word and place and head:
        file, line, text = tail[: -len(place[0])], int(place[1]) or None, head
    else:
        head, word, tail = text.rpartition(" in ")
        if word:
            module, text = tail.strip(), head
    name = _name(text)
    if name and name.startswith("0x"):
        name, address = None, name
    trust = Trust.DEBUG_INFO if file else Trust.SYMBOL
    return Frame(
        index=0,
        function=name,
        file=file or None,
        line=line,
        module=module,
        address=address,
        trust=trust if name else Trust.ADDRESS_ONLY,
        at=item.at,
    )


def _msvc(state: _State, item: Item) -> None:
    fields = item.fields
    frame = Frame(
        index=0,
        function=fields["m_function"],
        file=fields["m_file"],
        line=number(fields["m_line"]),
        module=fields["m_module"],
        offset=fields.get("m_offset"),
        trust=Trust.DEBUG_INFO,
        at=item.at,
    )
    state.add(int(fields["m_index"]), frame, item, gap=1)


def _trace_heading(state: _State, item: Item) -> None:
    state.finish()
    state.cpptrace = item.at.line or 0
    state.head = Thread(at=item.at)


def _trace(state: _State, item: Item) -> None:
    fields, row = item.fields, item.at.line or 0
    if not state.frames and row - state.cpptrace != 1:
        return
    text = fields.get("t_function", "")
    function, _, place = text.rpartition(" at ") if " at " in text else (text, "", "")
    known = _TRACE_PLACE.search(place)
    frame = Frame(
        index=0,
        function=_name(function),
        file=place[: known.start()] if known else None,
        line=number(known[1]) if known else None,
        column=number(known[2]) if known else None,
        module=fields.get("t_module") or (place if place and not known else None),
        address=fields.get("t_address"),
        inlined="t_inlined" in fields,
        trust=Trust.DEBUG_INFO if known else Trust.SYMBOL,
        at=item.at,
    )
    state.add(int(fields["t_index"]), frame, item, gap=_SNIPPET)


def _cause(state: _State, item: Item) -> None:
    """Read what backward-cpp says of the signal, below the stack."""
    fields = item.fields
    if state.signal is None and (state.frames or state.threads):
        at = fields.get("cause_at")
        signal = named_signal(
            BY_WORDS[fields["cause"]], item.at, fault_address="0x0" if at == "(nil)" else at
        )
        state.signal = replace(signal, code=_CODES.get(fields["how"]))


def _name(text: str) -> str | None:
    text = text.strip()
    return None if text in ("", "??", "???") else text


_HANDLERS = {
    "backward_heading": _backward_heading,
    "object": _object,
    "source": _source,
    "inliner": _source,
    "boost": _boost,
    "msvc": _msvc,
    "cause": _cause,
    "trace_heading": _trace_heading,
    "trace": _trace,
}

FORMAT = Format(
    name="cxx_stack",
    title="stacks of C++ libraries: backward-cpp, Boost.Stacktrace, std::stacktrace, cpptrace",
    anchors=(
        ' Object "',
        ' Source "',
        "Stack trace (most recent call",
        *(" 0# ", "\n0# ", " 1# ", "\n0> "),
    ),
    opens=late(
        r"[ \t]{0,8}#\d{1,6}[ \t]{1,8}(?:Object|\| Source|Source) \""
        r"|[^\n]{0,60}?Stack trace \(most recent call (?:last|first)\)"
        r"|[ \t]{0,8}\d{1,4}# (?:0x[0-9a-fA-F]{1,16} in |[^\n]{1,6000} (?:in |at )\S| {1,8}at :)"
        r"|\d{1,4}> [^\n(]{1,600}\(\d{1,9}\): [\w.-]{1,200}!"
    ),
    read=_read,
    before=1,
    after=18,
    reach=24,
    yields_to=("sanitizer",),
)
