"""Go's panics, fatal errors and signals, with the goroutines that were running.

What is odd about it: a frame takes two lines; what calls C ends in `runtime.cgocall`, above which
nothing is printed; and a goroutine that another thread runs has no frames at all.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from triage.elf.signals import SIGNALS, code_name, has_fault_address
from triage.formats._base import Format, Item, Region, named_signal, number, reading
from triage.formats._stacks import MAX_FRAMES
from triage.model.crash import ErrorRecord, Fragment, Role, Signal
from triage.model.position import Position
from triage.model.stack import Frame, FrameKind, Thread, ThreadKind, Trust, with_crashed
from triage.text.late import late

_RECOVERED = late(r" \[recovered(?:, repanicked)?\]$")
_EXCEPTIONS = {
    0xC0000005: "SIGSEGV",
    0xC0000006: "SIGBUS",
    0xC000001D: "SIGILL",
    0xC000008E: "SIGFPE",
    0xC0000094: "SIGFPE",
    0xC00000FD: "SIGSEGV",
}
_TGKILL_AARCH64 = 131
_ASKED_FOR = ("SIGQUIT", "SIGTERM", "SIGINT", "SIGHUP")


@dataclass(slots=True)
class _Dump:
    """One failure and the stacks printed after it."""

    failed: bool = False
    signal: Signal | None = None
    in_c: bool = False
    machine: str | None = None
    threads: list[Thread] = field(default_factory=list)
    machines: list[str | None] = field(default_factory=list)
    registers: dict[str, int] = field(default_factory=dict)
    registers_at: Position | None = None

    def crashed(self) -> int | None:
        """Return the goroutine that failed.

        The runtime prints it first. Where the signal came in C code outside any goroutine, none
        did: only the thread's own stack, printed as goroutine 0, can be the one.
        """
        if not self.failed or (self.signal and self.signal.name in _ASKED_FOR):
            return None
        stacks = [n for n, t in enumerate(self.threads) if t.frames and t.id is not None]
        if self.machine is None:
            return stacks[0] if stacks else None
        if self.in_c:
            mine = [n for n in stacks if self.machines[n] == self.machine]
            mine = mine or [n for n in stacks if self.machines[n] is None]
            users = [n for n in mine if self.threads[n].id != "0"]
            mine = users or mine
            return mine[0] if mine else None
        first = next((n for n in stacks if self.machines[n] in (self.machine, None)), None)
        return first if first is not None and first == 0 else None

    def raised(self) -> Signal | None:
        """Return the signal that the registers show the thread to have sent to itself.

        On return from the system call that sends it, its number is still the third argument.
        """
        values, at = self.registers, self.registers_at
        if at is None:
            return None
        if values.get("rip") and values.get("rcx") == values["rip"] and values.get("rax") == 0:
            sent = values.get("rdx")
        elif values.get("r8") == _TGKILL_AARCH64 and values.get("pc") and values.get("r0") == 0:
            sent = values.get("r2")
        else:
            return None
        name = SIGNALS.get(sent or 0)
        return named_signal(name, at) if name == "SIGABRT" else None


@dataclass(slots=True)
class _State:
    """The dumps read so far, the last one still open."""

    dumps: list[_Dump] = field(default_factory=lambda: [_Dump()])
    errors: list[ErrorRecord] = field(default_factory=list)
    head: Thread | None = None
    machine: str | None = None
    frames: list[Frame] = field(default_factory=list)
    omitted: int = 0
    function: Item | None = None
    place_at: int = 0
    nested: bool = False

    @property
    def dump(self) -> _Dump:
        """Return the dump that is being read."""
        return self.dumps[-1]

    def fail(self) -> _Dump:
        """Begin a failure: a new dump where the last one has stacks already."""
        self.finish()
        if self.dump.threads or self.dump.registers:
            self.dumps.append(_Dump())
        self.dump.failed = True
        return self.dump

    def begin(self, head: Thread, machine: str | None) -> None:
        """Start a stack whose heading was printed."""
        self.finish()
        self.head, self.machine = head, machine

    def add(self, item: Item) -> None:
        """Add the frame of the function whose name stands on the line before its place."""
        name, self.function = self.function, None
        self.place_at = item.at.line or 0
        if name is None or (item.at.line or 0) - (name.at.line or 0) not in (1, 2):
            return
        if len(self.frames) < MAX_FRAMES:
            self.frames.append(_frame(len(self.frames), name, item))
        else:
            self.omitted += 1

    def cut(self, last: int) -> None:
        """Keep the function of a text that ends between it and its place."""
        name = self.function
        if name and self.frames and name.at.line == self.place_at + 1 == last:
            self.frames.append(_frame(len(self.frames), name, None))

    def finish(self) -> None:
        """Close the stack that is being read."""
        if self.head or self.frames:
            head = self.head or Thread(kind=ThreadKind.GO, at=self.frames[0].at)
            thread = replace(head, frames=tuple(self.frames), frames_omitted=self.omitted)
            self.dump.threads.append(thread)
            self.dump.machines.append(self.machine)
        self.head = self.machine = self.function = None
        self.frames, self.omitted = [], 0


def _read(region: Region) -> Fragment:
    state = _State()
    source = reading(region, "go")
    for item in source.items():
        handler = _HANDLERS.get(item.kind)
        if handler:
            handler(state, item)
    state.cut(max((ln.number for ln in region.lines if ln.text.strip()), default=0))
    state.finish()
    threads: list[Thread] = []
    signals: list[Signal] = []
    for dump in state.dumps:
        crashed = dump.crashed()
        threads += with_crashed(dump.threads, crashed)
        signal = dump.signal or dump.raised()
        if signal and (dump.failed or dump.registers):
            signals.append(signal)
    if not threads and not signals:
        return Fragment(dialect="go", errors=_surely_go(state.errors))
    return Fragment(
        dialect="go",
        threads=tuple(threads),
        errors=tuple(state.errors),
        signal=signals[0] if signals else None,
        signal_rank=3,
        claimed=frozenset(source.claimed),
    )


def _surely_go(errors: list[ErrorRecord]) -> tuple[ErrorRecord, ...]:
    """Return the errors that no other program words this way, where no stack follows."""
    return tuple(
        e
        for e in errors
        if (e.message or "").startswith(("runtime error: ", "all goroutines are asleep"))
    )


def _frame(index: int, name: Item, place: Item | None) -> Frame:
    function, args = name.fields["function"], name.fields["args"]
    fields = place.fields if place else {}
    file = fields.get("file")
    interrupts = function == "runtime.sigpanic" or (
        function == "panic" and (file or "").endswith("runtime/panic.go")
    )
    return Frame(
        index=index,
        function=function,
        args=None if args == "..." else args,
        file=file,
        line=number(fields.get("line")),
        address=fields.get("pc"),
        inlined=args == "...",
        kind=FrameKind.SIGNAL_HANDLER if interrupts else FrameKind.HOST,
        trust=Trust.DEBUG_INFO if file else Trust.SYMBOL,
        at=name.at,
    )


def _panic(state: _State, item: Item) -> None:
    state.fail()
    state.nested = True
    _error(state, "panic", item.fields["panic"], item.at)


def _nested(state: _State, item: Item) -> None:
    """Read a panic raised while another one was being handled; one that repeats it says nothing."""
    if not state.nested or not state.errors:
        return
    message = _RECOVERED.sub("", item.fields["nested"])
    if message != state.errors[-1].message:
        _error(state, "panic", message, item.at, Role.CONSEQUENCE)


def _error(state: _State, name: str, message: str, at: Position, role: Role = Role.UNCLEAR) -> None:
    text = _RECOVERED.sub("", message.rstrip())
    state.errors.append(ErrorRecord(api="go", name=name, message=text, role=role, at=at))


def _fatal(state: _State, item: Item) -> None:
    state.fail()
    _error(state, "fatal error", item.fields["fatal"], item.at)


def _signal(state: _State, item: Item) -> None:
    """Read the signal that a panic turned out to be."""
    fields = item.fields
    name, value = fields["signal"], number(fields["signal"]) or 0
    if name.startswith("0x"):
        name = _EXCEPTIONS.get(value) or SIGNALS.get(value, "")
    if name:
        state.dump.failed = True
        state.dump.signal = _with_code(
            name, fields["signal_code"], fields["signal_address"], item.at, windows=value > 255
        )


def _title(state: _State, item: Item) -> None:
    state.fail().signal = named_signal(item.fields["title"], item.at)


def _counter(state: _State, item: Item) -> None:
    fields, dump = item.fields, state.dump
    if dump.signal and not dump.threads:
        dump.machine = fields["m"]
        if "sigcode" in fields and dump.signal.code is None:
            dump.signal = _with_code(
                dump.signal.name, fields["sigcode"], fields.get("sigaddr"), dump.signal.at
            )


def _exception(state: _State, item: Item) -> None:
    name = _EXCEPTIONS.get(number(item.fields["exception"]) or 0)
    dump = state.fail()
    if name:
        address = item.fields["exception_address"] if name in ("SIGSEGV", "SIGBUS") else None
        dump.signal = named_signal(name, item.at, fault_address=address)


def _in_c(state: _State, _item: Item) -> None:
    state.dump.in_c = True


def _with_code(
    name: str, text: str, address: str | None, at: Position | None, *, windows: bool = False
) -> Signal:
    """Return a signal with its code, which Go prints as a number without a sign."""
    code = number(text) or 0
    code -= 1 << 64 if code >= 1 << 63 else 0
    known = None if windows else code_name(name, code)
    meant = windows or has_fault_address(name, code)
    return Signal(
        name=name,
        number=named_signal(name, at or Position()).number,
        code=known,
        fault_address=address if meant else None,
        at=at,
    )


def _goroutine(state: _State, item: Item) -> None:
    state.nested = False
    head = Thread(id=item.fields["id"], kind=ThreadKind.GO, at=item.at)
    state.begin(head, item.fields.get("goroutine_m"))


def _runtime_stack(state: _State, item: Item) -> None:
    state.nested = False
    state.begin(Thread(name="runtime stack", kind=ThreadKind.GO, at=item.at), None)


def _created(state: _State, _item: Item) -> None:
    """Skip who started a goroutine: that is no frame of its stack."""
    state.function = None


def _function(state: _State, item: Item) -> None:
    state.function = item


def _place(state: _State, item: Item) -> None:
    state.add(item)


def _elided(state: _State, item: Item) -> None:
    state.omitted += number(item.fields["elided"]) or 0 if item.fields["elided"].isdigit() else 0


def _register(state: _State, item: Item) -> None:
    state.finish()
    dump = state.dump
    dump.registers[item.fields["register"]] = number(item.fields["value"]) or 0
    dump.registers_at = dump.registers_at or item.at


_HANDLERS = {
    "panic": _panic,
    "nested": _nested,
    "fatal": _fatal,
    "signal": _signal,
    "title": _title,
    "counter": _counter,
    "exception": _exception,
    "in_c": _in_c,
    "goroutine": _goroutine,
    "runtime_stack": _runtime_stack,
    "created": _created,
    "function": _function,
    "place": _place,
    "elided": _elided,
    "register": _register,
}

FORMAT = Format(
    name="go",
    title="Go's panics and goroutines",
    anchors=(
        "panic: ",
        "goroutine ",
        "runtime stack:",
        "[signal ",
        "sigcode=",
        "SIGABRT: abort",
        "SIGSEGV: seg",
        ".go:",
        "rflags ",
        "fatal error: ",
    ),
    opens=late(
        r"(?:panic: |fatal error: (?!\S{1,40}: \S{1,200}: No such)|runtime stack:"
        r"|goroutine \d{1,19} [^\n]{0,120}?\[|created by \S"
        r"|[^\n]{0,80}?http: panic serving |\[signal (?:SIG|0x)|SIG[A-Z0-9]{2,9}: [a-z]"
        r"|PC=0x[0-9a-f]{1,16} m=|Exception 0xc0|rflags +0x"
        r"|[ \t]{0,16}(?![ \t])[^\n]{1,1000}\.(?:go|s):\d{1,9}(?: \+0x| fp=0x|$))"
    ),
    read=_read,
    before=3,
    after=40,
    reach=60,
)
