"""`coredumpctl info`, and the journal entries of systemd-coredump.

What is odd about it: the stacks come from one core dump and nothing says which thread got the
signal. The kernel writes that thread first, so it is the first one behind the entry's heading; of
a text that begins in the middle nobody can tell.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from triage.elf.signals import NUMBERS, SIGNALS
from triage.formats._base import Format, Item, Region, named_signal, number, reading
from triage.formats._stacks import MAX_FRAMES
from triage.frames.names import file_name
from triage.model.crash import Environment, Fragment, Module, Signal
from triage.model.position import Position
from triage.model.stack import Frame, FrameKind, Thread, Trust
from triage.text.late import late

_OFFSET = late(r" \+ (?P<offset>0x[0-9a-fA-F]{1,16})$")
_RAISES = late(r"_*(?:pthread_kill\w{0,40}|GI_raise|g?raise|tgkill|kill)(?:@.{0,40})?$")
_TRAMPOLINES = ("__restore_rt", "__kernel_rt_sigreturn", "__default_rt_sa_restorer")
_MAX_MODULES = 1_000
_UNKNOWN = "n/a"


@dataclass(slots=True)
class _Dump:
    """What was read of one core dump; `headed` where its first stack is known to be the first."""

    headed: bool = False
    pid: str | None = None
    signal: Signal | None = None
    command: str | None = None
    command_at: Position | None = None
    modules: dict[str, Module] = field(default_factory=dict)
    threads: list[Thread] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    omitted: int = 0
    head: Thread | None = None

    @property
    def begun(self) -> bool:
        """Tell whether a stack was printed."""
        return bool(self.threads or self.head or self.frames)

    def begin(self, head: Thread) -> None:
        """Start a thread."""
        self.finish()
        self.head = head

    def add(self, frame: Frame) -> None:
        """Add a frame; one whose number does not rise belongs to another stack."""
        if self.frames and frame.index <= self.frames[-1].index:
            self.finish()
        if len(self.frames) < MAX_FRAMES:
            self.frames.append(frame)
        else:
            self.omitted += 1

    def finish(self) -> None:
        """Close the stack that is being read."""
        if self.frames:
            head = self.head or Thread(at=self.frames[0].at)
            first = self.headed and not self.threads
            frames, omitted = tuple(self.frames), self.omitted
            self.threads.append(replace(head, frames=frames, frames_omitted=omitted, crashed=first))
        self.head, self.frames, self.omitted = None, [], 0


def _read(region: Region) -> Fragment:
    dumps = [_Dump()]
    source = reading(region, "coredumpctl")
    for item in source.items():
        if _begins_another(dumps[-1], item):
            dumps[-1].finish()
            dumps.append(_Dump())
        _take(dumps[-1], item)
    dumps[-1].finish()
    dump = next((d for d in reversed(dumps) if d.threads or d.signal), None)
    if dump is None:
        return Fragment(dialect="coredumpctl")
    guess = _aborted(dump.threads) if dump.signal is None else None
    command = _split(dump.command)
    return Fragment(
        dialect="coredumpctl",
        threads=tuple(dump.threads),
        signal=dump.signal or guess,
        signal_rank=0 if dump.signal else 3,
        modules=tuple(dump.modules.values()),
        environment=Environment(
            command_line=command,
            where={"command_line": dump.command_at} if command and dump.command_at else {},
        ),
        claimed=frozenset(source.claimed),
    )


def _begins_another(dump: _Dump, item: Item) -> bool:
    """Tell whether a line is the first about another core dump."""
    if item.kind == "pid":
        return dump.begun or dump.pid is not None
    if item.kind == "dumped":
        return dump.begun or dump.pid not in (None, item.fields["dumped_pid"])
    return False


def _take(dump: _Dump, item: Item) -> None:
    kind, fields, at = item.kind, item.fields, item.at
    if kind == "pid":
        dump.pid, dump.headed = fields["pid"], True
    elif kind == "dumped":
        dump.pid, dump.headed = fields["dumped_pid"], True
        _signal(dump, fields.get("dumped_signal"), fields.get("dumped_name"), at)
    elif kind == "signal_line":
        _signal(dump, fields["signal_number"], fields.get("signal_name"), at)
    elif kind == "terminated" and dump.signal is None:
        _signal(dump, fields["unit_signal"], fields["unit_name"], at)
    elif kind == "command":
        dump.command, dump.command_at = fields["command_line"].strip(), at
    elif kind == "package":
        _module(dump, fields)
    else:
        _stack(dump, item)


def _stack(dump: _Dump, item: Item) -> None:
    """Take a line of a stack."""
    fields, at = item.fields, item.at
    if item.kind == "thread_head":
        dump.begin(Thread(id=_known(fields["thread"]), tid=number(fields["thread"]), at=at))
    elif item.kind == "frame" and (frame := _frame(fields, at)):
        dump.add(frame)


def _signal(dump: _Dump, value: str | None, name: str | None, at: Position) -> None:
    full = f"SIG{name}" if name else None
    if full not in NUMBERS:
        full = SIGNALS.get(number(value) or 0)
    if full is not None:
        dump.signal = named_signal(full, at)


def _module(dump: _Dump, fields: dict[str, str]) -> None:
    """Keep a module with the package or the build-id that is printed for it."""
    path = fields["module"].strip()
    if len(dump.modules) < _MAX_MODULES or path in dump.modules:
        known = dump.modules.get(path) or Module(
            name=file_name(path), path=path if "/" in path else None
        )
        dump.modules[path] = replace(
            known,
            version=fields.get("package") or known.version,
            build_id=fields.get("build_id") or known.build_id,
        )


def _frame(fields: dict[str, str], at: Position) -> Frame | None:
    """Return the frame `function (module + offset)`; None for a line of another dialect."""
    body = fields["body"].rstrip()
    begin = _last_bracket(body)
    if begin < 1:
        return None
    function, module = body[:begin].strip(), body[begin + 1 : -1]
    offset = None
    if match := _OFFSET.search(module):
        offset, module = match["offset"], module[: match.start()]
    known = _known(function)
    return Frame(
        index=int(fields["index"]),
        function=known,
        module=_known(module),
        offset=offset,
        address=f"0x{fields['address']}",
        kind=FrameKind.SIGNAL_HANDLER if known in _TRAMPOLINES else FrameKind.HOST,
        trust=Trust.SYMBOL if known else Trust.ADDRESS_ONLY,
        at=at,
    )


def _last_bracket(text: str) -> int:
    """Return where the bracket opens that the text's last character closes, or -1."""
    depth = 0
    for place in range(len(text) - 1, -1, -1):
        depth += (text[place] == ")") - (text[place] == "(")
        if depth <= 0:
            return place if text.endswith(")") else -1
    return -1


def _known(text: str) -> str | None:
    return None if text in ("", _UNKNOWN) else text


def _aborted(threads: Sequence[Thread]) -> Signal | None:
    """Return SIGABRT where the crashed thread is in abort: that raises nothing else."""
    if not threads or not threads[0].crashed:
        return None
    for frame in threads[0].frames:
        if frame.function and frame.function.split("@")[0] in ("abort", "__GI_abort"):
            return named_signal("SIGABRT", frame.at or Position())
        if not (frame.function and _RAISES.match(frame.function)):
            return None
    return None


def _split(command: str | None) -> tuple[str, ...] | None:
    if not command:
        return None
    try:
        return tuple(shlex.split(command))
    except ValueError:
        return tuple(command.split())


FORMAT = Format(
    name="coredumpctl",
    title="systemd's core dumps: coredumpctl info and the journal",
    anchors=(
        "Stack trace of thread ",
        "dumped core",
        "terminated abnormally with",
        "code=dumped",
        "Signal: ",
        " + 0x",
    ),
    opens=late(
        r"[^\n]{0,240}?(?:Stack trace of thread (?:\d|n/a)"
        r"|Process \d{1,10} \([^)\n]{1,64}\) of user \d{1,10} (?:dumped core|terminated abnormally)"
        r"|process exited, code=dumped, status=\d)"
        r"|(?:> ?){0,3}\s{0,60}(?:Signal: \d{1,3} \([A-Z]"
        r"|(?:#012){0,3}#\d{1,4} {1,4}0x[0-9a-f]{8,16} [^\n]{1,2000}"
        r" \+ 0x[0-9a-f]{1,16}\)\s{0,20}(?:$|\n))"
    ),
    read=_read,
    before=30,
    after=70,
    reach=700,
)
