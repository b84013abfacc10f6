"""gdb's and cuda-gdb's text: `bt`, `bt full`, `thread apply all bt`, exceptions and focus lines.

What is odd about it: a frame can be wrapped over lines; `bt` is often followed by
`thread apply all bt`, so that one stack stands there twice; a debugger prints the current frame
alone when it stops; and cuda-gdb names the faulting device function only in the line about the
exception, not in the stack trace that follows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from triage.formats._base import Format, Item, Region, named_signal, number, reading
from triage.formats._stacks import Stacks
from triage.frames.split import SplitFrame, split_frame
from triage.model.crash import (
    Environment,
    ErrorRecord,
    Fragment,
    ReportWarning,
    Role,
    Signal,
)
from triage.model.position import Position
from triage.model.stack import Frame, FrameKind, Trust
from triage.text.decode import MAX_LINE

_EXCEPTION = re.compile(r"CUDA_EXCEPTION_(\d{1,3})$")
_EXCEPTIONS = {
    "Lane Illegal Address": 1, "Lane User Stack Overflow": 2, "Device Hardware Stack Overflow": 3,
    "Warp Illegal Instruction": 4, "Warp Out-of-range Address": 5, "Warp Misaligned Address": 6,
    "Warp Invalid Address Space": 7, "Warp Invalid PC": 8, "Warp Hardware Stack Overflow": 9,
    "Device Illegal Address": 10, "Lane Misaligned Address": 11, "Warp Assert": 12,
    "Lane Syscall Error": 13, "Warp Illegal Address": 14,
}  # fmt: skip
_WRAP_LIMIT = 12
_DEVICE_CLONE = re.compile(r"\s*\[clone (?P<kernel>[^\]]{1,2000})\]$")


@dataclass(slots=True)
class _State:
    stacks: Stacks = field(default_factory=Stacks)
    errors: list[ErrorRecord] = field(default_factory=list)
    warnings: list[ReportWarning] = field(default_factory=list)
    signal: Signal | None = None
    command_line: tuple[str, ...] | None = None
    where: dict[str, Position] = field(default_factory=dict)
    exception: tuple[str, Position] | None = None
    on_device: bool = False


def _read(region: Region) -> Fragment:
    state = _State()
    source = reading(region, "gdb")
    for item in source.items():
        handler = _HANDLERS.get(item.kind)
        if handler:
            handler(state, item)
    state.stacks.finish()
    return Fragment(
        dialect="gdb",
        threads=state.stacks.threads(),
        errors=_merge_exceptions(state.errors),
        signal=state.signal,
        signal_rank=1,
        environment=Environment(command_line=state.command_line, where=state.where),
        warnings=tuple(state.warnings),
        claimed=frozenset(source.claimed),
    )


def _thread(state: _State, item: Item) -> None:
    state.stacks.begin(
        thread_id=item.fields["thread_id"],
        tid=number(item.fields.get("lwp") or item.fields.get("lwp_only")),
        name=item.fields.get("thread_name"),
        at=item.at,
    )


def _frame(state: _State, item: Item) -> None:
    split = split_frame(item.fields["body"])
    body = item.fields["body"]
    for line in _continuation(split, item.rest):
        body = f"{body} {line.strip()}"
        split = split_frame(body)
        if len(body) > MAX_LINE or (split.complete and (split.file or split.module)):
            break
    state.stacks.add(_to_frame(int(item.fields["index"]), split, item.at))


def _continuation(split: SplitFrame, rest: tuple[str, ...]) -> list[str]:
    """Return the lines that may carry on a frame that was wrapped."""
    if split.complete and (split.file or split.module):
        return []
    wrapped = []
    for line in rest[:_WRAP_LIMIT]:
        text = line.lstrip()
        if split.complete and not text.startswith(("at ", "from ")):
            break
        wrapped.append(line)
    return wrapped


def _to_frame(index: int, split: SplitFrame, at: Position) -> Frame:
    trust = Trust.DEBUG_INFO if split.file else Trust.SYMBOL
    if split.function is None:
        trust = Trust.ADDRESS_ONLY
    return Frame(
        index=index,
        function=split.function,
        args=split.args,
        file=split.file,
        line=split.line,
        column=split.column,
        module=split.module,
        address=split.address,
        launch=split.launch,
        kind=FrameKind.GPU if split.launch else FrameKind.HOST,
        trust=trust,
        at=at,
    )


def _handler(state: _State, item: Item) -> None:
    state.stacks.add(
        Frame(
            index=int(item.fields["handler_index"]),
            function="<signal handler called>",
            kind=FrameKind.SIGNAL_HANDLER,
            at=item.at,
        )
    )


def _received(state: _State, item: Item) -> None:
    name, at = item.fields["signal"], item.at
    state.stacks.crashed_id = item.fields.get("signal_thread", state.stacks.crashed_id)
    if match := _EXCEPTION.match(name):
        text = item.text.split(",", 1)[-1].strip().rstrip(".")
        state.errors.append(
            ErrorRecord(
                api="cuda-exception",
                code=int(match[1]),
                name=f"CUDA_EXCEPTION_{match[1]}",
                message=text,
                role=Role.CAUSE,
                at=at,
            )
        )
        state.exception = None
    elif name not in ("SIGINT", "SIGTRAP", "SIGUSR1", "SIGUSR2", "SIG32", "SIG33", "SIG34", "?"):
        state.signal = named_signal(name, at)
    _stopped_in(state, item)


def _stopped_in(state: _State, item: Item) -> None:
    """Read the frame that stands, without a number, below the line about the signal.

    It is the whole stack where nobody asked for more; the stack trace of the same thread that
    follows elsewhere takes its place.
    """
    row = next((n for n, line in enumerate(item.rest[:4]) if not line.startswith("[")), None)
    if row is None:
        return
    text, *more = item.rest[row : row + 2]
    if more and more[0].lstrip().startswith(("at ", "from ")):
        text = f"{text} {more[0].strip()}"
    split = split_frame(text)
    if not split.complete or not (split.file or split.module or split.address):
        return
    at = Position(input=item.at.input, line=(item.at.line or 0) + 1 + row, member=item.at.member)
    state.stacks.begin(
        thread_id=item.fields.get("signal_thread"),
        tid=None,
        name=item.fields.get("signal_name_of_thread"),
        at=at,
    )
    state.stacks.add(_to_frame(0, split, at))
    state.stacks.finish()


def _terminated(state: _State, item: Item) -> None:
    name = item.fields["term_signal"]
    state.signal = named_signal(name, item.at)


def _generated(state: _State, item: Item) -> None:
    state.command_line = tuple(item.fields["command"].split())
    state.where["command_line"] = item.at


def _current(state: _State, item: Item) -> None:
    state.stacks.crashed_id = item.fields["current"]


def _exception(state: _State, item: Item) -> None:
    state.exception = (item.fields["exception_text"].strip(), item.at)


def _focus(state: _State, _: Item) -> None:
    state.on_device = True


def _asserted(state: _State, item: Item) -> None:
    """Read cuda-gdb's words for a failed assertion, which has no line about an exception."""
    if state.on_device:
        state.errors.append(
            ErrorRecord(api="cuda-exception", message="Warp Assert", role=Role.CAUSE, at=item.at)
        )


def _triggered(state: _State, item: Item) -> None:
    """Read where the device stopped; this line alone names a device function that was inlined."""
    at = item.at
    if state.exception:
        text, where = state.exception
        state.errors.append(
            ErrorRecord(
                api="cuda-exception",
                message=text,
                role=Role.CAUSE,
                file=item.fields.get("pc_file"),
                line=number(item.fields.get("pc_line")),
                at=where,
            )
        )
    function = item.fields.get("pc_function")
    if function is None:
        return
    kernel = None
    if match := _DEVICE_CLONE.search(function):
        kernel, function = match["kernel"], function[: match.start()]
    state.stacks.device_frame = Frame(
        index=0,
        function=function,
        file=item.fields.get("pc_file"),
        line=number(item.fields.get("pc_line")),
        address=item.fields["pc"],
        kind=FrameKind.GPU,
        trust=Trust.DEBUG_INFO,
        inlined=kernel is not None,
        at=at,
    )


def _mismatch(state: _State, item: Item) -> None:
    state.warnings.append(
        ReportWarning(
            code="binary-mismatch",
            message="the debugger says that core and executable may not belong together",
            at=item.at,
        )
    )


_HANDLERS = {
    "thread": _thread,
    "frame": _frame,
    "handler": _handler,
    "received": _received,
    "terminated": _terminated,
    "generated": _generated,
    "current": _current,
    "exception": _exception,
    "focus": _focus,
    "asserted": _asserted,
    "triggered": _triggered,
    "core_mismatch": _mismatch,
}


def _merge_exceptions(errors: list[ErrorRecord]) -> tuple[ErrorRecord, ...]:
    """Join the exception's text line with the signal line that gives its number."""
    numbered = [e for e in errors if e.code is not None]
    texts = [e for e in errors if e.code is None]
    merged = []
    for error in numbered:
        twin = next((t for t in texts if t.message == error.message), None)
        if twin:
            texts.remove(twin)
            error = replace(error, file=twin.file, line=twin.line)  # noqa: PLW2901
        merged.append(error)
    return (*merged, *map(_numbered, texts))


def _numbered(error: ErrorRecord) -> ErrorRecord:
    """Give an exception that is known by its text alone, as in a GPU core, its number."""
    code = _EXCEPTIONS.get(error.message or "")
    return replace(error, code=code, name=f"CUDA_EXCEPTION_{code}") if code else error


FORMAT = Format(
    name="gdb",
    title="gdb and cuda-gdb",
    anchors=(
        "#0 ",
        "#1 ",
        "\n#2",
        "Thread ",
        "received signal",
        "terminated with signal",
        "CUDA Exception",
        "CUDA kernel",
        "Core was generated",
    ),
    opens=re.compile(
        r"[ \t]{0,8}#\d{1,7}[ \t]{1,6}(?:0x|[^\s\d]|\d\S* in )|Thread \d{1,9}(?:\.\d+)? [(\"]"
        r"|(?:Program|Thread \d[^\n]{0,100}) received signal|Program terminated with signal"
        r"|Core was generated by|CUDA Exception: |\[(?:Switching|Current) focus"
    ),
    read=_read,
    before=4,
    after=4,
    reach=120,
    yields_to=("chromium", "cxx_stack", "pyspy", "sanitizer", "tombstone", "torch"),
)
