"""gdb's and cuda-gdb's text: `bt`, `bt full`, `thread apply all bt`, exceptions and focus lines.

What is odd about it: a frame can be wrapped over lines; `bt` is often followed by
`thread apply all bt`, so that one stack stands there twice; a debugger prints the current frame
alone when it stops; and all of it may stand behind prompts, quotes and a pager's questions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from lark import Token, Tree

from triage.formats._base import Format, Reading, Region, named_signal, reading
from triage.formats._cuda_gdb import Device
from triage.formats._gdb_frames import FrameBlocks, cut_in_place, to_frame
from triage.formats._gdb_lines import tidy
from triage.formats._gdb_signals import QUIET, from_siginfo, numbered, thread_of
from triage.formats._stacks import Stacks
from triage.frames.split import SplitFrame, split_frame
from triage.model.crash import Environment, Fragment, ReportWarning, Signal
from triage.model.position import Position
from triage.model.stack import FrameKind
from triage.text.decode import MAX_LINE
from triage.text.late import late

_STOPPED = late(r"(?:0x[0-9a-fA-F]{1,16} in )?[^\s\[#0-9][^\n]*")
_PLACE = late(r"[ \t]{0,40}(?:at|from) ")
_CODE = late(r"si_code = (-?\d{1,9})")
_FAULT = late(r"si_addr = (0x[0-9a-fA-F]{1,16})")


@dataclass(slots=True)
class _State:
    region: Region
    stacks: Stacks
    blocks: FrameBlocks
    device: Device
    listed: list[_Found] = field(default_factory=list)
    signal: Signal | None = None
    command_line: tuple[str, ...] | None = None
    where: dict[str, Position] = field(default_factory=dict)
    warnings: list[ReportWarning] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Found:
    """A line, or a block of frames: its kind, its text, its first row and its fields."""

    kind: str
    text: str
    row: int
    at: Position
    fields: dict[str, str]


def _read(region: Region) -> Fragment:
    region, pager = tidy(region, region.text)
    source = reading(region, "gdb")
    stacks = Stacks()
    state = _State(
        region=region,
        stacks=stacks,
        blocks=FrameBlocks(region, stacks, source.claimed),
        device=Device(stacks),
    )
    for found in _items(source):
        _HANDLERS[found.kind](state, found)
    _finish(state)
    gpus = list(state.device.gpus.values())
    if gpus:
        state.where["gpus"] = gpus[0][1]
    if pager:
        at = Position(input=region.input, line=pager[0], member=region.member)
        message = f"the pager's question stands in this text {len(pager)} time(s)"
        state.warnings.append(ReportWarning(code="pager-prompt", message=message, at=at))
    return Fragment(
        dialect="gdb",
        threads=state.device.threads(),
        errors=state.device.merged(),
        signal=state.signal,
        signal_rank=1,
        environment=Environment(
            command_line=state.command_line,
            gpus=tuple(gpu for gpu, _ in gpus),
            where=state.where,
        ),
        warnings=(*state.warnings, *state.blocks.warnings()),
        claimed=frozenset(source.claimed),
    )


def _items(source: Reading) -> Iterator[_Found]:
    """Yield what the grammar found; of a block of frames, what is read of it is claimed later."""
    region, grammar = source.region, source.grammar
    for item in grammar.parse(region.text).children:
        if not isinstance(item, Tree) or not isinstance(item.children[0], Token):
            continue
        head = item.children[0]
        kind = str(item.data)
        frames = kind == "frames"
        if not frames:
            source.claim(head)
        yield _Found(
            kind,
            str(head),
            (head.line or 1) - 1,
            region.position(head),
            {} if frames else grammar.fields(head),
        )


def _frames(state: _State, found: _Found) -> None:
    state.blocks.read(found.row, found.text)


def _thread(state: _State, found: _Found) -> None:
    state.stacks.head(thread_of(found.fields["thread_id"], found.fields["target"], found.at))


def _unwound(state: _State, found: _Found) -> None:
    tid = found.fields["unwound_tid"]
    state.stacks.head(replace(thread_of(tid, "", found.at), tid=int(tid)))


def _selected(state: _State, found: _Found) -> None:
    state.stacks.finish()
    state.stacks.selected = thread_of(
        found.fields["selected_id"], found.fields["selected_target"], found.at
    )
    state.blocks.read(found.row, found.fields["selected_frame"])


def _received(state: _State, found: _Found) -> None:
    name, at = found.fields["signal"], found.at
    thread = found.fields.get("signal_thread")
    if thread is not None:
        state.stacks.crashed_id = thread
    if not state.device.signal(name, found.text, at) and name not in QUIET:
        state.signal = named_signal(name, at)
    _stopped_in(state, found.row, thread, found.fields.get("signal_name_of_thread"))


def _translated(state: _State, found: _Found) -> None:
    thread = found.fields.get("local_thread")
    if thread is not None:
        state.stacks.crashed_id = thread
    name = found.fields["local_signal"]
    if name not in QUIET:
        state.signal = named_signal(name, found.at)
    _stopped_in(state, found.row, thread, found.fields.get("local_name"))


def _stopped(state: _State, found: _Found) -> None:
    name = found.fields["stopped_signal"]
    if name not in QUIET:
        state.signal = state.signal or named_signal(name, found.at)


def _stopped_in(state: _State, row: int, thread: str | None, name: str | None) -> None:
    """Read the frame that stands, without a number, below the line about the signal.

    It is the whole stack where nobody asked for more; the stack trace of the same thread that
    follows elsewhere takes its place.
    """
    lines = state.region.lines
    begin = range(row + 1, min(row + 7, len(lines)))
    n = next((n for n in begin if not lines[n].text.startswith("[") and lines[n].text.strip()), -1)
    split = _stop_at(state.region, n) if n > 0 else None
    if split is None:
        return
    frame = to_frame(0, split, state.region.at(n))
    if frame.kind is FrameKind.GPU or any("AMDGPU" in lines[k].text for k in range(row + 1, n)):
        state.device.stopped = replace(frame, kind=FrameKind.GPU)
        return
    state.stacks.finish()
    if thread:
        state.stacks.head(replace(thread_of(thread, "", state.region.at(n)), name=name))
    state.stacks.add(frame)
    state.stacks.finish()


def _stop_at(region: Region, n: int) -> SplitFrame | None:
    """Return the frame that a line shows without a number, if that is sure."""
    text = region.lines[n].text
    if not _STOPPED.match(text):
        return None
    split = split_frame(text)
    for line in region.lines[n + 1 : n + 3]:
        if split.complete and not _PLACE.match(line.text):
            break
        text = f"{text} {line.text.strip()}"
        if len(text) > MAX_LINE:
            return None
        split = split_frame(text)
    known = split.file or split.module or split.address
    return split if split.complete and known and not cut_in_place(split) else None


def _terminated(state: _State, found: _Found) -> None:
    name = found.fields["term_signal"]
    if name.isdigit():
        state.signal = numbered(int(name), found.fields.get("term_text", ""), found.at)
    else:
        state.signal = named_signal(name, found.at)


def _siginfo(state: _State, found: _Found) -> None:
    """Read what `print $_siginfo` says of the signal, on one line or on several."""
    rows = state.region.lines[found.row : found.row + 30]
    text = "\n".join(line.text for line in rows)
    code, address = _CODE.search(text), _FAULT.search(text)
    signal = from_siginfo(
        int(found.fields["si_signo"]),
        int(code[1]) if code else None,
        address[1] if address else None,
        found.at,
    )
    if signal and state.signal and state.signal.name == signal.name:
        state.signal = replace(signal, at=state.signal.at)
    else:
        state.signal = state.signal or signal


def _reported(state: _State, found: _Found) -> None:
    """Read the signal of a report by Apport or ABRT, of which the stack trace is a part."""
    if name := found.fields.get("abrt_signal"):
        signal = named_signal(name, found.at)
    else:
        rows = state.region.lines[found.row : found.row + 6]
        if not any(line.text.startswith(("SourcePackage:", "Stacktrace:")) for line in rows):
            return
        signal = numbered(int(found.fields["apport_signal"]), "", found.at)
    state.signal = state.signal or signal


def _listed(state: _State, found: _Found) -> None:
    """Keep a line of `info threads`: a thread and the frame that it is in."""
    state.listed.append(found)
    if found.text.startswith("*") and state.signal and state.stacks.crashed_id is None:
        state.stacks.crashed_id = found.fields["listed_id"]


def _finish(state: _State) -> None:
    """Add the threads that a table lists; those whose stack was printed are not named twice."""
    stacks = state.stacks
    stacks.finish()
    state.device.finish()
    for found in state.listed:
        fields = found.fields
        stacks.head(thread_of(fields["listed_id"], fields["listed_target"], found.at))
        text = fields["listed_frame"].strip()
        split = split_frame(text)
        after = state.region.lines[found.row + 1 : found.row + 2]
        if split.complete and not split.file and after and _PLACE.match(after[0].text):
            split = split_frame(f"{text} {after[0].text.strip()}")
        if split.complete and (split.file or split.module or split.address):
            stacks.add(to_frame(0, split, found.at))
        stacks.finish()


def _generated(state: _State, found: _Found) -> None:
    state.command_line = tuple(found.fields["command"].split())
    state.where["command_line"] = found.at
    if state.stacks.crashed_id is None:
        state.stacks.crashed_id = "1"  # of a core, gdb numbers the thread that failed first


def _current(state: _State, found: _Found) -> None:
    state.stacks.crashed_id = found.fields["current"]


def _mismatch(state: _State, found: _Found) -> None:
    state.warnings.append(
        ReportWarning(
            code="binary-mismatch",
            message="the debugger says that core and executable may not belong together",
            at=found.at,
        )
    )


def _unwound_no_more(state: _State, found: _Found) -> None:
    code = "backtrace-stopped"
    if not any(warning.code == code for warning in state.warnings):
        message = f"gdb could not follow a stack to its end: {found.fields['unwound_why'].strip()}"
        state.warnings.append(ReportWarning(code=code, message=message, at=found.at))


_HANDLERS: dict[str, Callable[[_State, _Found], None]] = {
    "frames": _frames,
    "thread": _thread,
    "unwound": _unwound,
    "unwound_no_more": _unwound_no_more,
    "selected": _selected,
    "received": _received,
    "translated": _translated,
    "stopped": _stopped,
    "terminated": _terminated,
    "siginfo": _siginfo,
    "generated": _generated,
    "reported": _reported,
    "listed": _listed,
    "current": _current,
    "focus": lambda state, found: state.device.focused(found.text),
    "mismatch": _mismatch,
    "exception": lambda state, found: state.device.exception(found.fields, found.at),
    "asserted": lambda state, found: state.device.asserted(found.at),
    "triggered": lambda state, found: state.device.triggered(found.fields, found.at),
    "kernel": lambda state, found: state.device.kernel(found.fields, found.text, found.at),
    "gpu": lambda state, found: state.device.gpu(found.fields, found.at),
    "lane": lambda state, found: state.device.lane(found.fields, found.at),
    "dump_exception": lambda state, found: state.device.dumped(found.fields, found.at),
    "dump_frame": lambda state, found: state.device.dumped_frame(found.fields, found.at),
}

_LED = r"(?>[^#]{0,64})"
_SIGNAL_AHEAD = (
    r"(?=(?>[^S]{0,80}(?:S(?!IG)[^S]{0,80}){0,6})SIG(?:SEGV|ABRT|BUS|FPE|ILL|SYS|KILL)\b)"
)

FORMAT = Format(
    name="gdb",
    title="gdb and cuda-gdb",
    anchors=(
        *(f"\n#{n}" for n in range(1, 10)),
        "\n#0 ",
        *(f"#{n}  " for n in range(3)),
        *(f" #{n} " for n in range(3)),
        "Thread ",
        "received signal",
        "terminated with signal",
        *("SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL"),
        "CUDA Exception",
        "CUDA kernel",
        "Core was generated",
        "coredump: Detected",
        "TID ",
        "killed by SIG",
        "LWP ",
    ),
    opens=late(
        r"(?:\(\S{0,8}gdb\) |~\"){0,2}(?:[ \t]{0,8}#\d{1,7}[ \t]{1,6}(?:0x|[^\s\d][^\n]*? \(|<)"
        r"|[ \t]{0,8}Thread \d{1,9}(?:\.\d+)? (?:\"[^\"\n]{0,64}\" )?"
        r"(?:\((?:Thread|LWP|process|AMDGPU) |received signal )"
        r"|(?:Program|Inferior \d) (?:received|terminated with) signal |Core was generated by"
        r"|CUDA Exception: |\[(?:Switching|Current) focus|\[Current thread is \d"
        r"|[* ] {1,3}\d{1,6}(?:\.\d{1,6})? {1,6}(?:Thread 0x|LWP |AMDGPU Wave ))"
        rf"|{_LED}#\d{{1,7}}[ \t]{{1,4}}0x[0-9a-fA-F]{{4,16}} in "
        r"|(?:\[[\d:.]{8,20}\] )?coredump: Detected an exception"
        r"|~\"\d{1,9}[^\n]{1,120} received signal |\*stopped,reason=\"signal-received\""
        r"|TID \d{1,10}:$|reason:[^\n]{1,200} killed by SIG"
        rf"|{_SIGNAL_AHEAD}[^\n]{{0,120}}?"
        r"(?:empfing|Signal SIG|le signal|señal|sinal|segnale|сигнал|信号|信號|シグナル|시그널|신호"
        r"|signál|sygnał|sinyal|tín hiệu|signaali)"
    ),
    read=_read,
    before=4,
    after=16,
    reach=120,
    yields_to=("chromium", "cxx_stack", "koops", "pyspy", "sanitizer", "tombstone", "torch"),
)
