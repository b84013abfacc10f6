"""Stacks of the C library's `backtrace_symbols`, and the signal handlers that print them.

What is odd about it: a frame says its module first, and only exported functions by name; nothing
counts the frames unless a handler such as Open MPI's does; and processes of one job write over
each other.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from triage.elf.signals import BY_WORDS, SIGNALS, code_name, has_fault_address
from triage.formats._base import Format, Item, Region, named_signal, reading
from triage.formats._stacks import MAX_FRAMES
from triage.model.crash import Fragment, Signal
from triage.model.stack import Frame, Thread, Trust, trust_of, with_crashed
from triage.text.late import late

_GAP = 4  # lines of other writers between two frames
_NEAR = 12  # lines between a handler's words and its stack


@dataclass(slots=True)
class _Run:
    """Frames that follow each other; `sure` where one of them can be nothing else."""

    frames: list[Frame] = field(default_factory=list)
    omitted: int = 0
    sure: bool = False
    last: int = 0
    host: str | None = None


@dataclass(slots=True)
class _State:
    """What was read so far; a run of frames for each process that counts its own."""

    threads: list[Thread] = field(default_factory=list)
    runs: dict[str | None, _Run] = field(default_factory=dict)
    announced: int = -100
    signals: list[Signal] = field(default_factory=list)
    maybe: tuple[int, Signal] | None = None
    receiving: bool = False

    def finish(self, host: str | None) -> None:
        """Close the run of a process."""
        run = self.runs.pop(host, None)
        if run and run.frames and run.sure:
            self.threads.append(
                Thread(frames=tuple(run.frames), frames_omitted=run.omitted, at=run.frames[0].at)
            )

    def add(
        self, item: Item, frame: Frame, *, host: str | None, printed: str | None, sure: bool
    ) -> None:
        """Add a frame to the run of its process, or begin a new run."""
        row = item.at.line or 0
        run = self.runs.get(host)
        index = int(printed) if printed else None
        if run and (
            row - run.last > (_GAP if sure or index is not None else 1)
            or (index is not None and index <= run.frames[-1].index)
        ):
            self.finish(host)
            run = None
        if run is None:
            run = self.runs[host] = _Run(host=host, sure=row - self.announced <= _GAP)
            if self.maybe and row - self.maybe[0] <= _NEAR:
                self.signals.append(self.maybe[1])
                self.maybe = None
        run.last = row
        run.sure = run.sure or sure or host is not None
        number = run.frames[-1].index + 1 if run.frames else 0
        if len(run.frames) < MAX_FRAMES:
            run.frames.append(replace(frame, index=max(number, index or 0)))
        else:
            run.omitted += 1


def _read(region: Region) -> Fragment:
    state = _State()
    source = reading(region, "backtrace_symbols")
    for item in source.items():
        handler = _HANDLERS.get(item.kind)
        if handler:
            handler(state, item)
    for host in list(state.runs):
        state.finish(host)
    if not state.threads and not state.signals:
        return Fragment(dialect="backtrace_symbols")
    threads = sorted(state.threads, key=lambda t: (t.at.line or 0) if t.at else 0)
    return Fragment(
        dialect="backtrace_symbols",
        threads=with_crashed(threads, 0),
        signal=state.signals[0] if state.signals else None,
        signal_rank=3,
        claimed=frozenset(source.claimed),
    )


def _frame(state: _State, item: Item) -> None:
    fields = item.fields
    name = fields["symbol"]
    function = None if name in ("", "()", "??") else name
    frame = Frame(
        index=0,
        function=function,
        module=fields.get("module"),
        offset=fields["offset"] if fields["sign"] == "+" else f"-{fields['offset']}",
        address=fields["address"],
        trust=trust_of(function),
        at=item.at,
    )
    printed = fields.get("bt") or fields.get("mpi") or fields.get("listed")
    state.add(item, frame, host=fields.get("f_host"), printed=printed, sure=True)


def _bare(state: _State, item: Item) -> None:
    """Read a frame of which only the module or the address is known."""
    fields = item.fields
    function = fields.get("b_symbol") or None
    frame = Frame(
        index=0,
        function=function,
        module=(fields.get("b_module") or "").strip() or None,
        address=fields["b_address"],
        trust=trust_of(function),
        at=item.at,
    )
    printed = fields.get("b_bt") or fields.get("b_mpi") or fields.get("b_listed")
    state.add(item, frame, host=fields.get("b_host"), printed=printed, sure=False)


def _bsd(state: _State, item: Item) -> None:
    fields = item.fields
    frame = Frame(
        index=0,
        function=fields["bsd_symbol"],
        module=fields["bsd_module"].strip(),
        offset=fields["bsd_offset"],
        address=fields["bsd_address"],
        trust=Trust.SYMBOL,
        at=item.at,
    )
    state.add(item, frame, host=None, printed=None, sure=True)


def _mac(state: _State, item: Item) -> None:
    fields = item.fields
    frame = Frame(
        index=0,
        function=None if fields["m_symbol"].startswith("0x") else fields["m_symbol"],
        module=fields["m_module"],
        offset=fields["m_offset"],
        address=fields["m_address"],
        trust=Trust.SYMBOL,
        at=item.at,
    )
    state.add(item, frame, host=fields["m_host"], printed=fields["m_index"], sure=True)


def _heading(state: _State, item: Item) -> None:
    state.finish(None)
    state.announced = item.at.line or 0


def _end(state: _State, _item: Item) -> None:
    state.finish(None)


def _received(state: _State, _item: Item) -> None:
    state.receiving = True


def _mpi_signal(state: _State, item: Item) -> None:
    name = SIGNALS.get(int(item.fields["mpi_number"]))
    if state.receiving and name:
        state.signals.append(named_signal(name, item.at))


def _mpi_code(state: _State, item: Item) -> None:
    if state.receiving and state.signals and state.signals[-1].code is None:
        signal = state.signals[-1]
        code = code_name(signal.name, int(item.fields["mpi_code"]))
        state.signals[-1] = replace(signal, code=code)


def _mpi_address(state: _State, item: Item) -> None:
    if state.receiving and state.signals and state.signals[-1].fault_address is None:
        text = item.fields["mpi_at"]
        address = "0x0" if text == "(nil)" else text
        state.signals[-1] = replace(state.signals[-1], fault_address=address)
    state.receiving = False


def _handler(state: _State, item: Item) -> None:
    name = item.fields["handler"]
    address = item.fields["handler_at"] if has_fault_address(name, 1) else None
    state.signals.append(named_signal(name, item.at, fault_address=address))
    state.announced = item.at.line or 0


def _dump(state: _State, item: Item) -> None:
    words = item.fields["dump"]
    name = BY_WORDS.get(words) or SIGNALS.get(int(words.rpartition(" ")[2]), "")
    if name and any("Register dump" in line for line in item.rest):
        state.signals.append(named_signal(name, item.at))


def _trap(state: _State, item: Item) -> None:
    """Read the address of a page fault, the trap that has one."""
    if state.signals and state.signals[-1].name in ("SIGSEGV", "SIGBUS"):
        address = f"0x{int(item.fields['cr2'], 16):x}"
        state.signals[-1] = replace(state.signals[-1], fault_address=address)


def _caught(state: _State, item: Item) -> None:
    """Note what a home-made handler says; it counts where a stack follows."""
    fields = item.fields
    name = fields.get("caught_name") or BY_WORDS.get(fields.get("caught_words", ""))
    name = name or SIGNALS.get(int(fields.get("caught") or 0))
    if name:
        state.maybe = (item.at.line or 0, named_signal(name, item.at))


def _exit_string(state: _State, item: Item) -> None:
    name = SIGNALS.get(int(item.fields["exit_string"]))
    if name:
        state.signals.append(named_signal(name, item.at))


_HANDLERS = {
    "frame": _frame,
    "bare": _bare,
    "bsd": _bsd,
    "mac": _mac,
    "heading": _heading,
    "end": _end,
    "received": _received,
    "mpi_signal": _mpi_signal,
    "mpi_code": _mpi_code,
    "mpi_address": _mpi_address,
    "handler": _handler,
    "dump": _dump,
    "trap": _trap,
    "caught": _caught,
    "exit_string": _exit_string,
}

FORMAT = Format(
    name="backtrace_symbols",
    title="stacks of the C library's backtrace_symbols, Open MPI's and other handlers'",
    anchors=(
        ")[0x",
        ") [0x",
        "] [ 0] ",
        "Process received signal",
        " for address: 0x",
        "Register dump:",
        "TERMINATED WITH THE EXIT STRING",
        "> at /",
        "> at ./",
    ),
    opens=late(
        r"(?:\[[\w.-]{1,200}:\d{1,10}\] )?[ \t]{0,8}(?:\[bt\] \(\d{1,4}\) |\[ {0,3}\d{1,4}\] "
        r"|#?\d{1,4}[:.)][ \t]{1,4})?(?:(?!\d{1,4}[:.)]?[ \t]|0x|#)[^\s()\[\]][^\n()\[\]]{0,1000})?"
        r"\([^\n]{0,4000}?[+-]0x[0-9a-fA-F]{1,16}\) {0,4}\[0x[0-9a-fA-F]{1,16}\]"
        r"|\[[\w.-]{1,200}:\d{1,10}\] \[ {0,3}\d{1,4}\] |[^\n]{0,80}?\*\*\* Process received signal"
        r"|[^\n]{0,80}?PID \d{1,10} received SIG[A-Z]|Register dump:"
        r"|[^\n]{0,40}?YOUR APPLICATION TERMINATED"
        r"|[ \t]{0,8}0x[0-9a-fA-F]{1,16} <[^\n>]{1,2000}\+(?:0x)?[0-9a-fA-F]{1,16}> at [./\w]"
    ),
    read=_read,
    before=20,
    after=20,
    reach=40,
    yields_to=("chromium", "trtllm", "ucx"),
)
