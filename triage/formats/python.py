"""Python tracebacks and faulthandler dumps.

What is odd about it: a traceback names the innermost frame last and a faulthandler dump names it
first; source lines stand between the frames; an exception's text may have many lines; and of
chained exceptions the first is the cause.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from triage.formats._base import Format, Item, Region, named_signal, number, reading
from triage.formats._pylines import Stream, streams
from triage.formats._tracebacks import Tracebacks, fatal_signal
from triage.model.crash import ErrorRecord, Fragment, Signal
from triage.model.position import Position
from triage.model.stack import Frame, Trust, trust_of
from triage.text.late import late

_USUAL_NAME = late(
    r"(?:.{0,500}\.)?_?[A-Z]\w{0,80}(?:Error|Exception|Warning|Interrupt|Exit|Timeout|Failure"
    r"|Iteration|Group|Traceback)(?:\(|$)"
)
_ANY_NAME = late(r"(?:.{0,500}\.)?[A-Z]\w{0,80}[a-z]\w{0,80}(?:\(|$)")
_NOT_NAMES = frozenset({"Aborted", "Killed", "Terminated", "Info", "Warning", "Error", "Note"})
_INNER = late(r"\x1b?(?:\[\d{1,2}m)?ray::|.{0,1000}\(\d{1,6} sub-exceptions?\)")
_WINDOWS = {
    "access violation": (0xC0000005, "STATUS_ACCESS_VIOLATION"),
    "stack overflow": (0xC00000FD, "STATUS_STACK_OVERFLOW"),
    "int divide by zero": (0xC0000094, "STATUS_INTEGER_DIVIDE_BY_ZERO"),
    "in page error": (0xC0000006, "STATUS_IN_PAGE_ERROR"),
}
_NATIVE_FILE = late(r".{1,1900}\.(?:c|cc|cpp|cxx|cu|cuh|h|hpp|inl)$")
_NAME_REACH = 3
"""Lines between the name of a thread and its traceback."""


@dataclass(slots=True)
class _State:
    stacks: Tracebacks = field(default_factory=Tracebacks)
    errors: list[ErrorRecord] = field(default_factory=list)
    signal: Signal | None = None
    name: str | None = None
    name_line: int = -99
    ignored: bool = False
    expects: bool = False
    failed: bool = True
    broken: bool = False
    prefixed: bool = False
    current: str | None = None
    frame_indent: int = 2


def _read(region: Region) -> Fragment:
    states: list[_State] = []
    claimed: set[int] = set()
    for stream in streams(region):
        state, own = _read_stream(stream)
        states.append(state)
        claimed |= own
    threads = [thread for state in states for thread in state.stacks.marked()]
    errors = [e for state in states for e in (*state.errors, *state.stacks.errors)]
    signals = [s for state in states for s in (state.signal, state.stacks.signal) if s]
    fatal = any(state.signal for state in states)
    return Fragment(
        dialect="python",
        threads=tuple(threads),
        errors=tuple(errors),
        signal=signals[0] if signals else None,
        signal_rank=3 if fatal else 4,
        claimed=frozenset(claimed),
    )


def _read_stream(stream: Stream) -> tuple[_State, set[int]]:
    state = _State()
    source = reading(stream.region, "python")
    lines = stream.region.lines
    prefixed = {line.number for line in lines if line.prefix.time or line.prefix.process}
    for item in source.items():
        state.prefixed = item.at.line in prefixed
        if not _HANDLERS[item.kind](state, item):
            source.claimed.discard(item.at.line or 0)
    stacks = state.stacks
    stacks.finish()
    if stacks.crashed is None and len(stacks.threads) == 1 and stacks.threads[0].id is not None:
        stacks.crashed = 0
    for line in tuple(source.claimed):
        source.claimed.update(stream.joined.get(line, ()))
    return state, source.claimed


def _traceback(state: _State, item: Item) -> bool:
    line = item.at.line or 0
    near = line - state.name_line <= _NAME_REACH
    state.stacks.begin(
        item.at, name=state.name if near else None, blamable=not (near and state.ignored)
    )
    state.name, state.ignored, state.expects, state.broken = None, False, False, False
    state.failed = True
    return True


def _frame(state: _State, item: Item) -> bool:
    prefix = {"frame": "", "fault_frame": "fault_", "bare_frame": "bare_"}[item.kind]
    function = item.fields.get(prefix + "function")
    if item.kind == "bare_frame" and not state.stacks.frames and item.text[:1] != " ":
        return False
    file, line = item.fields[prefix + "file"], number(item.fields[prefix + "line"])
    if _NATIVE_FILE.match(file) or (file == "<unknown>" and line == 0):
        state.stacks.add_frame(_native(function, file, line, item.at))
    else:
        state.stacks.add(function.strip() if function else None, file, line, item.at)
    state.frame_indent = len(item.text) - len(item.text.lstrip())
    state.broken = False
    return True


def _native(function: str | None, file: str, line: int | None, at: Position) -> Frame:
    """Return a frame of the C++ stack that PyTorch weaves into a traceback."""
    known = file not in ("<unknown>", "??") and bool(line)
    return Frame(
        index=0,
        function=function.strip() if function else None,
        file=file if known else None,
        line=line if known else None,
        trust=Trust.DEBUG_INFO if known else Trust.SYMBOL,
        at=at,
    )


def _exception(state: _State, item: Item) -> bool:
    """Read the line that ends a traceback; elsewhere such a line proves nothing."""
    fields = item.fields
    name, message, indent = fields["exception"], fields.get("message"), len(fields["indent"])
    inside = state.failed and state.stacks.outermost_first and state.stacks.frames
    if not inside and not state.expects:
        return _text(state, item)
    if name.endswith("RemoteTraceback"):
        return True
    usual = _USUAL_NAME.match(name) and indent <= max(state.frame_indent, 4)
    other = (
        _ANY_NAME.match(name)
        and not state.broken
        and indent < max(state.frame_indent, 1)
        and name not in _NOT_NAMES
        and (message is not None or "." in name)
    )
    return _fail(state, name, message, item) if usual or other else _text(state, item)


def _known(state: _State, item: Item) -> bool:
    """Read an exception whose full name no prose would use, with its traceback or alone."""
    name, message = item.fields["known"], item.fields["known_message"]
    inside = state.stacks.frames or state.expects
    if name.endswith("RemoteTraceback"):
        return True
    if inside or _USUAL_NAME.match(name) or name.endswith("OutOfResources"):
        return _fail(state, name, message, item)
    return _text(state, item)


def _fail(state: _State, name: str, message: str | None, item: Item) -> bool:
    inner = bool(message and _INNER.match(message))
    state.stacks.fail(name, message, item.at, inner=inner, bare=False)
    state.expects = False
    return True


def _text(state: _State, item: Item) -> bool:
    if state.stacks.continue_message(item.text, item.at, prefixed=state.prefixed):
        return True
    state.broken = state.broken or not item.text.startswith(" ")
    return False


def _chained(state: _State, _: Item) -> bool:
    state.stacks.chain()
    return True


def _separator(state: _State, _: Item) -> bool:
    state.stacks.finish()
    state.expects = True
    return True


def _repeated(state: _State, item: Item) -> bool:
    state.stacks.repeat(number(item.fields["times"]) or 0)
    return True


def _fatal(state: _State, item: Item) -> bool:
    text = item.fields["fatal"].strip()
    _other_error(state, ErrorRecord(api="python", name="Fatal Python error", message=text), item.at)
    name = fatal_signal(text)
    if name:
        state.signal = named_signal(name, item.at)
    return True


def _windows_fatal(state: _State, item: Item) -> bool:
    text = item.fields["windows_fatal"].strip()
    code, name = _WINDOWS.get(text, (number(text.removeprefix("code ")), None))
    _other_error(state, ErrorRecord(api="ntstatus", code=code, name=name, message=text), item.at)
    return True


def _other_error(state: _State, error: ErrorRecord, at: Position) -> None:
    state.stacks.finish()
    state.errors.append(replace(error, at=at))


def _fault_thread(state: _State, item: Item) -> bool:
    fields = item.fields
    current = fields.get("current") != "Thread"
    state.stacks.begin(
        item.at,
        thread_id=fields.get("fault_thread"),
        name=fields.get("fault_name"),
        outermost_first=False,
        blamable=current,
    )
    if current:
        state.current = fields.get("fault_thread")
    return True


def _c_stack(state: _State, item: Item) -> bool:
    state.stacks.begin(item.at, thread_id=state.current, outermost_first=False)
    return True


def _c_frame(state: _State, item: Item) -> bool:
    fields = item.fields
    function = fields["c_function"].strip() or None
    state.stacks.add_frame(
        Frame(
            index=len(state.stacks.frames),
            function=function,
            module=fields["c_module"],
            offset=fields.get("c_offset"),
            address=fields.get("c_address"),
            trust=trust_of(function),
            at=item.at,
        )
    )
    return True


def _names(state: _State, item: Item) -> bool:
    fields = item.fields
    state.name = (fields.get("thread_name") or fields.get("process_name") or "").rstrip(":")
    state.name_line = item.at.line or 0
    return True


def _ignored(state: _State, item: Item) -> bool:
    state.ignored, state.name_line = True, item.at.line or 0
    return True


def _stack_head(state: _State, item: Item) -> bool:
    """Open the stack of a log call, which nothing failed in."""
    state.stacks.begin(item.at, blamable=False)
    state.failed = False
    return True


def _uncaught(state: _State, _: Item) -> bool:
    state.expects = True
    return True


def _heading(state: _State, _: Item) -> bool:
    state.stacks.finish()
    return True


_HANDLERS: dict[str, Callable[[_State, Item], bool]] = {
    "traceback": _traceback,
    "frame": _frame,
    "bare_frame": _frame,
    "fault_frame": _frame,
    "repeated": _repeated,
    "chained": _chained,
    "separator": _separator,
    "fatal": _fatal,
    "windows_fatal": _windows_fatal,
    "fault_thread": _fault_thread,
    "timeout": _heading,
    "c_stack": _c_stack,
    "c_frame": _c_frame,
    "names": _names,
    "ignored": _ignored,
    "stack_head": _stack_head,
    "uncaught": _uncaught,
    "known_exception": _known,
    "exception": _exception,
    "text": _text,
}

_ALONE = (
    "torch.cuda.OutOfMemoryError: ",
    "torch.OutOfMemoryError: ",
    "torch.AcceleratorError: ",
    "torch.distributed.Dist",
    "jaxlib.xla_extension.XlaRuntimeError: ",
    "jax.errors.JaxRuntimeError: ",
    "tensorflow.python.framework.errors_impl.",
    "triton.runtime.errors.",
    "triton.compiler.errors.",
    "ray.exceptions.",
)

FORMAT = Format(
    name="python",
    title="Python tracebacks and faulthandler dumps",
    anchors=(
        "Traceback (most recent",
        "Fatal Python error",
        "Windows fatal exception: ",
        "(most recent call first)",
        'File "',
        "=== Uncaught Python",
        *_ALONE,
    ),
    opens=late(
        r"[^\n]{0,300}Traceback \(most recent call last\)|[^\n]{0,200}Fatal Python error: "
        r"|[^\n]{0,200}Windows fatal exception: |[^\n]{0,200}\(most recent call first\):"
        r'|[^\n"]{0,200}File "[^"\n]{1,2000}", line \d'
        r"| ?=== Uncaught Python exception: ===|" + "|".join(map(re.escape, _ALONE))
    ),
    read=_read,
    before=3,
    after=40,
    reach=60,
    yields_to=("ipython", "pystack", "pytest", "rich"),
)
