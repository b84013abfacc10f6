"""Apple's crash reports (`.crash`), and the stacks and last words of its runtimes in a log.

What is odd about it: an exception that nobody caught is thrown in one stack, the last exception's,
and ends the process in another, which shows the runtime alone; modules have names with spaces; and
what is not symbolized is a module's base with an offset.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from triage.formats._base import (
    Format,
    Item,
    Region,
    failed_assertion,
    named_signal,
    number,
    reading,
)
from triage.formats._darwin import (
    SIGNAL_RETURNS,
    described_signal,
    mach_signal,
    signal_by_words,
    signal_in,
)
from triage.formats._stacks import Stacks
from triage.frames.names import file_name
from triage.model.crash import Environment, ErrorRecord, Fragment, Module, Role, Signal
from triage.model.position import Position
from triage.model.stack import Frame, FrameKind, Thread, Trust, with_crashed
from triage.text.late import late

_MAX_MODULES = 2_000
_LAST_EXCEPTION = "Last Exception Backtrace"
_THROWN = "*** First throw call stack"
_ABOUT = ("about", "queue", "numbered_name", "crashed_name")
_QUEUE = late(r"(?P<name>.*?)\s*Dispatch queue: (?P<queue>.*)$")
_FAULT = late(
    r"(?P<code>KERN_[A-Z_]{3,40}|EXC_I386_[A-Z]{3,20}|(?:SEGV|BUS|ILL|FPE)_[A-Z]{3,12})"
    r"(?:[^\n]{0,20}? at (?P<address>0x[0-9a-fA-F]{1,16}))?"
)
_NAMESPACE = late(r"(?:Namespace )?(?P<space>[A-Z]{3,20})[, ]")
_VERSION = late(r"\((?P<version>[^()]{1,100})\)$")
_ARCH = {"ARM-64": "arm64", "X86-64": "x86_64", "X86": "i386", "ARM": "arm"}

_OFFSET = late(r"(?:0x[0-9a-fA-F]{1,16}|0) \+ (0x[0-9a-fA-F]{1,16}|\d{1,19})(?= |$)")
_PLACE = late(r"\s?\((?P<file>[^()\n]{1,500}?):(?P<line>\d{1,9})(?::(?P<column>\d{1,6}))?\)$")
_BEHIND = late(r" \+ \d{1,12}$")
_IN_MODULE = late(r" \(in [^()\n]{1,200}\)$")
_FLAGS = late(r"(?: \[(?:inlined|opt)\]){1,3}$")
_UNKNOWN = frozenset({"", "???", "0x0", "0", "<redacted>", "<unknown>", "(null)"})


@dataclass(slots=True)
class _State:
    region: Region
    stacks: Stacks = field(default_factory=Stacks)
    errors: list[ErrorRecord] = field(default_factory=list)
    modules: list[Module] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    headers: dict[str, tuple[str, Position]] = field(default_factory=dict)
    last: tuple[object, ...] | None = None
    in_stack: bool = True
    headed: bool = False


def _read(region: Region) -> Fragment:
    state = _State(region)
    source = reading(region, "macos")
    for item in source.items():
        _HANDLERS[item.kind](state, item)
    state.stacks.finish()
    signal = _signal(state)
    _terminated(state)
    return Fragment(
        dialect="macos",
        threads=_threads(state),
        errors=tuple(state.errors),
        signal=signal,
        signal_rank=2,
        modules=tuple(state.modules),
        environment=_environment(state),
        claimed=frozenset(source.claimed),
    )


def _threads(state: _State) -> tuple[Thread, ...]:
    threads = [t for t in state.stacks.threads() if t.frames]
    thrown = next((n for n, t in enumerate(threads) if t.name == _LAST_EXCEPTION), None)
    if thrown is None and threads and not any(t.id for t in threads):
        thrown = 0  # of stacks in a log the first is of the first failure
    if thrown is None:
        return tuple(threads)
    return with_crashed(threads, thrown)


def _header(state: _State, item: Item) -> None:
    key = item.fields["key"]
    if key == "Exception Codes" and not _FAULT.search(item.fields["value"]):
        return
    if key in ("Crashed Thread", "Triggered by Thread"):
        found = re.match(r"\d{1,6}", item.fields["value"])
        state.stacks.crashed_id = found[0] if found else state.stacks.crashed_id
    state.headers.setdefault(key, (item.fields["value"].strip(), item.at))


def _thread(state: _State, item: Item) -> None:
    fields = item.fields
    thread_id = fields.get("thread_id") or fields.get("numbered") or "0"
    if fields.keys() & {"crashed", "numbered_crashed", "crashed_name"}:
        state.stacks.crashed_id = thread_id
    said = next((fields[key] for key in _ABOUT if key in fields), "").strip()
    name = _thread_name(said or state.names.get(thread_id))
    state.stacks.begin(thread_id=thread_id, tid=None, name=name, at=item.at)
    state.last, state.in_stack, state.headed = None, True, True


def _thread_name(about: str | None) -> str | None:
    if about and (match := _QUEUE.match(about)):
        return match["name"] or match["queue"].strip()
    return about or None


def _named(state: _State, item: Item) -> None:
    state.names[item.fields["named_thread"]] = item.fields["name"].strip()


def _stack(state: _State, item: Item) -> None:
    name = item.fields["stack"]
    state.stacks.begin(
        thread_id=None,
        tid=None,
        name=_LAST_EXCEPTION if name == _LAST_EXCEPTION else None,
        at=item.at,
    )
    state.last, state.in_stack, state.headed = None, True, True


def _frame(state: _State, item: Item) -> None:
    index, address = int(item.fields["index"]), item.fields["address"]
    key = (index, address, item.fields["symbol"])
    if key == state.last or not state.in_stack:
        return  # threads that fail together print their lines in turn
    state.last = key
    state.stacks.add(
        symbol_frame(index, item.fields["module"], address, item.fields["symbol"], item.at)
    )


def _bare(state: _State, item: Item) -> None:
    """Read a frame that was written down without its address; such a line says too little alone."""
    if state.headed:
        index, symbol = int(item.fields["bare_index"]), item.fields["bare_symbol"]
        state.stacks.add(symbol_frame(index, item.fields["bare_module"], None, symbol, item.at))


def _addresses(state: _State, item: Item) -> None:
    for n, address in enumerate(item.fields["addresses"].split(" ")):
        state.stacks.add(Frame(index=n, address=address, trust=Trust.ADDRESS_ONLY, at=item.at))
    state.stacks.finish()


def _end(state: _State, _: Item) -> None:
    state.stacks.finish()
    state.in_stack = state.headed = False


def _image(state: _State, item: Item) -> None:
    if len(state.modules) >= _MAX_MODULES:
        return
    path = item.fields["path"].strip()
    version = _VERSION.search(item.fields["image"].strip())
    state.modules.append(
        Module(
            name=file_name(path) or item.fields["image"],
            path=path,
            build_id=item.fields["uuid"],
            version=version["version"] if version and version["version"] != "*" else None,
        )
    )


def symbol_frame(index: int, module: str, address: str | None, symbol: str, at: Position) -> Frame:
    """Return a frame of the columns that a report and backtrace_symbols print.

    The symbol is `FUNCTION + N`, `FUNCTION + N (FILE:LINE)`, or `BASE + N` where it is not known.
    """
    text = symbol.strip()
    flags = _FLAGS.search(text)
    if flags:
        text = text[: flags.start()]
    file = line = column = offset = None
    if match := _PLACE.search(text):
        file, line = match["file"], int(match["line"])
        column = int(match["column"]) if match["column"] else None
        text = text[: match.start()]
    if match := _OFFSET.match(text):
        offset, text = hex(int(match[1], 0)), text[match.end() :].strip()
    function = _IN_MODULE.sub("", _BEHIND.sub("", text)).strip()
    known = function not in _UNKNOWN
    trust = Trust.DEBUG_INFO if file else Trust.SYMBOL
    return Frame(
        index=index,
        function=function if known else None,
        file=file,
        line=line,
        column=column,
        module=None if module == "???" else module,
        offset=offset,
        address=address,
        inlined=bool(flags and "inlined" in flags.group()),
        kind=FrameKind.SIGNAL_HANDLER if function in SIGNAL_RETURNS else FrameKind.HOST,
        trust=trust if known else Trust.ADDRESS_ONLY,
        at=at,
    )


def _signal(state: _State) -> Signal | None:
    value, at = state.headers.get("Exception Type", ("", None))
    said = " ".join(
        state.headers[key][0] for key in ("Exception Codes", "Exception Subtype")
        if key in state.headers
    )  # fmt: skip
    fault = _FAULT.search(said)
    code, address = (fault["code"], fault["address"]) if fault else (None, None)
    if at is not None:
        name = signal_in(value)
        if name:
            return described_signal(name, code, at, address)
        if signal := mach_signal(value.split(" ")[0], code, at, address=address):
            return signal
    for key in ("Termination Signal", "Termination Reason"):
        value, at = state.headers.get(key, ("", None))
        name = signal_by_words(value) if "SIGNAL" in value or key.endswith("Signal") else None
        if name and at is not None:
            return named_signal(name, at)
    return None


_REASONS = {"DYLD": "loader", "JETSAM": "oom-killer"}


def _terminated(state: _State) -> None:
    """Read what ended the process where that was not one of its own signals."""
    for key in ("Termination Reason", "Exception Message"):
        value, at = state.headers.get(key, ("", None))
        match = _NAMESPACE.match(value)
        if at is None or (
            key == "Termination Reason" and (not match or match["space"] == "SIGNAL")
        ):
            continue
        space = match["space"] if match and key == "Termination Reason" else None
        state.errors.append(
            ErrorRecord(api=_REASONS.get(space or "", "kernel"), name=space, message=value, at=at)
        )
    value, at = state.headers.get("Exception Type", ("", None))
    if at is not None and value.startswith(("EXC_RESOURCE", "EXC_GUARD")):
        state.errors.append(
            ErrorRecord(api="kernel", name=value.split(" ")[0], message=value, at=at)
        )


def _environment(state: _State) -> Environment:
    where: dict[str, Position] = {}
    os, at = state.headers.get("OS Version", (None, None))
    if os and at:
        where["os"] = at
    code, at = state.headers.get("Code Type", ("", None))
    arch = _ARCH.get(code.split(" ")[0])
    if arch and at:
        where["arch"] = at
    return Environment(os=os, arch=arch, where=where)


def _objc(state: _State, item: Item) -> None:
    reason = item.fields.get("objc_reason", "").rstrip().removesuffix("'") or None
    name = item.fields["objc_name"]
    state.errors.append(
        ErrorRecord(api="objc", name=name, message=reason, role=Role.CAUSE, at=item.at)
    )


def _cxx(state: _State, item: Item) -> None:
    name, kind = item.fields.get("cxx_type"), item.fields["cxx_kind"]
    if name == "NSException":
        return
    message = item.fields.get("cxx_what") or f"terminating {kind}"
    state.errors.append(ErrorRecord(api="cxx", name=name, message=message, at=item.at))


def _asserted(state: _State, item: Item) -> None:
    fields = item.fields
    state.errors.append(
        failed_assertion(fields["asserted"], fields["assert_file"], fields["assert_line"], item.at)
    )


def _swift(state: _State, item: Item) -> None:
    fields = item.fields
    kind = fields.get("swift_kind") or fields["swift_words"]
    text = fields.get("swift_text") or fields.get("swift_message")
    state.errors.append(
        ErrorRecord(
            api="swift",
            name=kind,
            message=f"{kind}: {text}" if text else kind,
            file=fields.get("swift_file") or fields.get("swift_path"),
            line=number(fields.get("swift_line") or fields.get("swift_row")),
            role=Role.CAUSE,
            at=item.at,
        )
    )


def _aborted(state: _State, item: Item) -> None:
    state.errors.append(ErrorRecord(api="libc", name="abort", message="abort() called", at=item.at))


def _loader(state: _State, item: Item) -> None:
    state.errors.append(ErrorRecord(api="loader", message=item.fields["loader"], at=item.at))


_HANDLERS = {
    "header": _header,
    "thread": _thread,
    "thread_name": _named,
    "stack": _stack,
    "frame": _frame,
    "bare": _bare,
    "addresses": _addresses,
    "image": _image,
    "end": _end,
    "objc": _objc,
    "cxx": _cxx,
    "asserted": _asserted,
    "swift": _swift,
    "aborted": _aborted,
    "loader": _loader,
}

FORMAT = Format(
    name="macos",
    title="Apple's crash reports and the last words of its runtimes",
    anchors=(
        "Exception Type:",
        "Crashed Thread:",
        "Termination Reason:",
        " Crashed:",
        ". Crashed: ",
        "Exception Backtrace",
        "call stack",
        "uncaught exception",
        "libc++abi",
        "), function ",
        "Fatal error",
        "Precondition failed",
        "Assertion failed",
        " 0x0000",
        "\t0x0",
        "\t0x1",
        "\t0x7",
        "\t0xf",
        "libsystem_",
        "abort() called",
        "Library not loaded",
        "Symbol not found",
    ),
    opens=late(
        r"[ \t>]{0,8}(?:Exception Type|Crashed Thread|Triggered by Thread|Termination Reason"
        r"|Termination Signal):[ \t]{1,40}\S"
        r"|[ \t>]{0,8}Thread \d{1,6}"
        r"(?: Crashed:|:(?:: |[ \t]{0,8}$|[ \t]{1,8}Dispatch queue)| name: )"
        r"|[ \t>]{0,8}#\d{1,4}\. Crashed: "
        r"|[ \t>]{0,12}(?:\[[\w .:-]{1,40}\] ?)?\d{1,4}[ \t]{1,8}(?:\+ )?(?!0x|\[)"
        r"\S(?:[^\t\n]{0,80}?\S)?"
        r"[ \t]{1,60}0x[0-9a-fA-F]{8,16} [^\n]{1,4000} \+ \d"
        r"|[ \t>]{0,24}0x[0-9a-fA-F]{1,16}[ \t]{1,8}-[ \t]{1,24}0x[0-9a-fA-F]{1,16} [^\n<]{1,300}<"
        r"[0-9A-Fa-f-]{32,36}>"
        r"|[^\n]{0,120}?(?:Last Exception Backtrace:|\*\*\* First throw call stack"
        r"|\*\*\* Terminating app due to uncaught|libc\+\+abi(?:\.dylib)?: terminating )"
        r"|[^\n]{0,200}?Assertion failed: \([^\n]{1,2000}\), function "
        r"|[^\n]{0,1000}\.swift(?::\d{1,9}: (?:Fatal error|Precondition failed|Assertion failed)"
        r"|, line \d{1,9}$)"
        r"|[ \t]{0,8}dyld(?:\[\d{1,9}\])?: (?:Library not loaded|Symbol not found): "
    ),
    read=_read,
    before=30,
    after=8,
    reach=120,
    yields_to=("ips",),
)
