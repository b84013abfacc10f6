"""Fatal errors of Chromium, V8, Node.js and WebKit, with the stacks that they print themselves.

What is odd about it: each of the four has its own form of a stack, and the same stack is often
followed by a sanitizer's report of the same failure, which knows more and is therefore read first.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from triage.elf.signals import SIGNALS
from triage.formats._base import Format, Item, Region, named_signal, number, reading
from triage.formats._stacks import Stacks
from triage.frames.symbolized import Symbolized, split_symbolized, to_frame
from triage.model.crash import ErrorRecord, Fragment, Role, Signal
from triage.model.position import Position
from triage.model.stack import with_crashed
from triage.text.late import late

_MODULE = late(r"\s*\[(?P<module>[^\[\]\n]{1,1000})\]$")
_DARWIN = {"SEGV_": "SIGSEGV", "BUS_": "SIGBUS", "ILL_": "SIGILL", "FPE_": "SIGFPE"}
"""What a signal's code tells of its name: its number is another one on other systems."""


@dataclass(slots=True)
class _State:
    """What was read so far.

    `kind` is the form of the stack that is being read and `last` the number of its last frame;
    `waiting` is a signal that counts once a stack follows; `open` whether something failed.
    """

    stacks: Stacks = field(default_factory=Stacks)
    errors: list[ErrorRecord] = field(default_factory=list)
    signal: Signal | None = None
    waiting: Signal | None = None
    kind: str | None = None
    last: int = -1
    open: bool = False


def _read(region: Region) -> Fragment:
    state = _State()
    source = reading(region, "chromium")
    for item in source.items():
        read = _FRAMES.get(item.kind)
        if read is None:
            state.stacks.finish()
            state.kind = None
            known = _HANDLERS[item.kind](state, item)
        else:
            known = _frame(state, item, *read(state, item))
        if not known:
            source.claimed.discard(item.at.line or 0)
    state.stacks.finish()
    threads = state.stacks.threads()
    if not (threads or state.errors or state.signal):
        return Fragment(dialect="chromium")
    return Fragment(
        dialect="chromium",
        threads=with_crashed(threads, 0),
        errors=tuple(state.errors),
        signal=state.signal,
        signal_rank=3,
        claimed=frozenset(source.claimed),
    )


def _failed(state: _State, error: ErrorRecord) -> bool:
    state.errors.append(error)
    state.open = True
    return True


def _error(text: str | None, at: Position, name: str = "FATAL") -> ErrorRecord:
    return ErrorRecord(api="engine", name=name, message=text or None, role=Role.CAUSE, at=at)


def _fatal(state: _State, item: Item) -> bool:
    fields = item.fields
    error = _error(fields["fatal"].strip(), item.at)
    line = number(fields.get("line") or fields.get("line_new"))
    return _failed(state, replace(error, file=fields["file"], line=line))


def _v8_fatal(state: _State, item: Item) -> bool:
    line = number(item.fields.get("v8_line")) or None
    file = item.fields.get("v8_file") or None
    return _failed(state, replace(_error(None, item.at), file=file, line=line))


def _v8_check(state: _State, item: Item) -> bool:
    """Read what V8 says below its heading; any other line with a `#` is a comment."""
    last = state.errors[-1] if state.errors else None
    if last is None or last.message is not None or last.at is None:
        return False
    if (item.at.line or 0) - (last.at.line or 0) > 2:
        return False
    state.errors[-1] = replace(last, message=item.fields["v8_check"].strip())
    return True


def _node_fatal(state: _State, item: Item) -> bool:
    return _failed(state, _error(item.fields["node_fatal"].strip(), item.at, "FATAL ERROR"))


def _received(state: _State, item: Item) -> bool:
    code, address = item.fields.get("code", ""), item.fields.get("signal_address")
    by_code = (name for start, name in _DARWIN.items() if code.startswith(start))
    name = next(by_code, SIGNALS.get(int(item.fields["signal"])))
    if name is None:
        return False
    signal = named_signal(name, item.at, fault_address=f"0x{address}" if address else None)
    signal = replace(signal, code=code if code.isidentifier() else None)
    if signal.code:
        state.signal = state.signal or signal
    else:
        state.waiting = signal
    state.open = True
    return True


def _assertion(state: _State, item: Item) -> bool:
    text = item.fields["assertion"]
    return _failed(state, _error(text.removeprefix("ASSERTION FAILED: "), item.at, "ASSERT"))


def _place(state: _State, item: Item) -> bool:
    last = state.errors[-1] if state.errors else None
    if last is None or last.name != "ASSERT" or last.file is not None:
        return False
    fields = item.fields
    state.errors[-1] = replace(last, file=fields["place_file"], line=number(fields["place_line"]))
    return True


def _native(state: _State, _: Item) -> bool:
    state.open = True
    return True


def _end(state: _State, _: Item) -> bool:
    _confirm(state)
    state.open = False
    return True


def _confirm(state: _State) -> None:
    """Believe in a signal that was named without its code, as others name one that they ignore."""
    state.signal, state.waiting = state.signal or state.waiting, None


def _frame(state: _State, item: Item, printed: int, parts: Symbolized) -> bool:
    """Add a frame; False where nothing failed before, or where it does not follow the last one."""
    goes_on = state.kind == item.kind and printed > state.last
    if not goes_on and not (state.open and printed == 0):
        return False
    if not goes_on:
        state.stacks.finish()
        _confirm(state)
    state.kind, state.last = item.kind, printed
    state.stacks.add(to_frame(printed, parts, item.at))
    return True


def _hash(_: _State, item: Item) -> tuple[int, Symbolized]:
    return int(item.fields["index"]), split_symbolized(item.fields["body"])


def _numbered(_: _State, item: Item) -> tuple[int, Symbolized]:
    """Read a frame of Node.js: `1: 0xADDR FUNCTION [MODULE]`, on Windows `1: ADDR FUNCTION+1`."""
    fields = item.fields
    bare = fields.get("node_bare")
    address = fields.get("node_address") or (f"0x{bare}" if bare else None)
    text, module = fields["node_body"].strip(), None
    if match := _MODULE.search(text):
        module, text = match["module"], text[: match.start()]
    return int(fields["number"]) - 1, Symbolized(
        address=address, function=text or None, module=module
    )


def _listed(_: _State, item: Item) -> tuple[int, Symbolized]:
    """Read a frame of WebKit, which is what glibc says of it where there is no demangler."""
    return int(item.fields["listed"]) - 1, split_symbolized(item.fields["listed_body"])


def _windows(state: _State, item: Item) -> tuple[int, Symbolized]:
    """Read a frame of Chromium on Windows, which has no number."""
    fields = item.fields
    function = fields["win_function"].strip()
    return state.last + 1 if state.kind == "windows" else 0, Symbolized(
        address=fields["win_address"],
        function=None if function == "(No symbol)" else function,
        file=fields.get("win_file"),
        line=number(fields.get("win_line")),
        offset=hex(int(fields["win_offset"])),
    )


_FRAMES = {"frame": _hash, "numbered": _numbered, "listed": _listed, "windows": _windows}
_HANDLERS = {
    "fatal": _fatal,
    "v8_fatal": _v8_fatal,
    "v8_check": _v8_check,
    "node_fatal": _node_fatal,
    "received": _received,
    "assertion": _assertion,
    "place": _place,
    "native": _native,
    "end": _end,
}

FORMAT = Format(
    name="chromium",
    title="Chromium, V8, Node.js and WebKit",
    anchors=(
        ":FATAL:",
        "[FATAL:",
        "# Fatal error",
        "Received signal ",
        "ASSERTION FAILED: ",
        "SHOULD NEVER BE REACHED",
        "FATAL ERROR: ",
        "Native stack trace",
    ),
    opens=late(
        r"[^\n\[]{0,100}\[(?:[\d:/. ]{1,60}:)?FATAL:[\w./\\+-]{1,400}(?:\(\d{1,9}\)|:\d{1,9})\]"
        r"|[^\n#]{0,40}# Fatal error(?: in |[ ]{0,4}$)"
        r"|[^\n]{0,60}?(?:Received signal \d{1,2}(?: (?:[A-Z]{2,5}_[A-Z]{3,12}|<unknown>))?"
        r"(?: [0-9a-f]{6,16})?[ ]{0,4}$|(?:ASSERTION FAILED: |SHOULD NEVER BE REACHED$)"
        r"|-{3} Native stack trace -{3}"
        r"|FATAL ERROR: [^\n]{0,200}(?:JavaScript heap|v8::|MaybeLocal|HandleScope|heap limit))"
    ),
    read=_read,
    after=200,
    reach=250,
    yields_to=("sanitizer", "tombstone"),
)
