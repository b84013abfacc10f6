"""How single facts of a report read: places, signals, errors, frames."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from triage.frames.demangle import demangle
from triage.model.crash import ErrorRecord, Role, Signal, Timing
from triage.model.position import Origin, Position
from triage.model.report import Input
from triage.model.stack import Frame, FrameKind, Lanes, Thread, ThreadKind

_NO_NAME = "??"


class Places:
    """Names positions by the last part of the input's name, or by all of it where two are alike."""

    def __init__(self, inputs: Sequence[Input]) -> None:
        """Choose a name for every input."""
        short = {i.id: base_name(i.name) for i in inputs}
        count = Counter(short.values())
        self._names = {i.id: short[i.id] if count[short[i.id]] == 1 else i.name for i in inputs}

    def name(self, at: Position | None) -> str:
        """Return `file:line`; empty for no position."""
        if at is None:
            return ""
        name = at.member or self._names.get(at.input, f"input {at.input}")
        return name if at.line is None else f"{name}:{at.line}"


def base_name(path: str) -> str:
    """Return the last part of a path of any system."""
    return path.replace("\\", "/").rstrip("/").rpartition("/")[2] or path


def signal_words(signal: Signal | None) -> str:
    """Return a signal as `SIGSEGV (11, SEGV_MAPERR) at address 0x0`."""
    if signal is None:
        return ""
    details = [str(part) for part in (signal.number, signal.code) if part is not None]
    words = f"{signal.name} ({', '.join(details)})" if details else signal.name
    return f"{words} at address {signal.fault_address}" if signal.fault_address else words


def error_name(error: ErrorRecord) -> str:
    """Return an error as `cuda 700 cudaErrorIllegalAddress`."""
    code = "" if error.code is None else str(error.code)
    return " ".join(part for part in (error.api, code, error.name or "") if part)


def error_remark(error: ErrorRecord) -> str:
    """Return what an error's number, origin, timing and count mean to its reader."""
    parts = [origin_words(error.origin)] if origin_words(error.origin) else []
    if error.api == "xid" and error.meaning:
        parts.insert(0, error.meaning)
    if error.role is Role.CONSEQUENCE:
        parts.append("a consequence")
    if error.timing is Timing.ASYNCHRONOUS:
        parts.append("reported late: an earlier operation failed")
    if error.sticky:
        parts.append("all later calls fail too")
    if error.count > 1:
        parts.append(f"{error.count} times")
    return "; ".join(parts)


def origin_words(origin: Origin | None) -> str:
    """Return the writer as `claw-0, Worker pid 7, rank 2`, as far as it is named."""
    if origin is None:
        return ""
    process = origin.process or ("process" if origin.pid is not None else "")
    parts = [
        origin.service or "",
        f"{process} pid {origin.pid}" if origin.pid is not None else process,
        "" if origin.rank is None else f"rank {origin.rank}",
    ]
    return ", ".join(part for part in parts if part)


def error_rank(error: ErrorRecord) -> tuple[int, bool]:
    """Return the place of an error in a list: causes first, and the engine's own words last."""
    return (Role.CAUSE, Role.UNCLEAR, Role.CONSEQUENCE).index(error.role), error.api == "engine"


def field_words(field: str) -> str:
    """Return a field such as `model.file_size` in words; a setting's name stays as it is."""
    thing, _, name = field.partition(".")
    if thing not in ("variable", "option"):
        name = name.replace("_", " ")
    return f"{thing} {name}".strip()


def function_name(frame: Frame) -> str:
    """Return a frame's function, demangled, or its address where it has none."""
    name = frame.function or frame.address or _NO_NAME
    return demangle(name) or name


def frame_place(frame: Frame, *, short: bool) -> str:
    """Return `file:line`, or the module, or how far into a GPU's function, as far as known."""
    if frame.file:
        file = base_name(frame.file) if short else frame.file
        return file if frame.line is None else f"{file}:{frame.line}"
    if frame.module:
        module = base_name(frame.module) if short else frame.module
        return f"{module}+{frame.offset}" if frame.offset else module
    return f"+{frame.offset}" if frame.offset and frame.kind is FrameKind.GPU else ""


def thread_title(thread: Thread) -> str:
    """Return a thread as `GPU thread 2 "claw_infer"`, and which lanes of a GPU it stands for."""
    kind = {
        ThreadKind.GPU: "GPU ",
        ThreadKind.PYTHON: "Python ",
        ThreadKind.GO: "Go ",
        ThreadKind.JAVA: "Java ",
    }.get(thread.kind, "")
    parts = [f"{kind}thread"]
    if thread.id is not None:
        parts.append(thread.id)
    if thread.name is not None:
        parts.append(f'"{thread.name}"')
    words = lane_words(thread.lanes) if thread.lanes else ""
    return " ".join(parts) + (f": {words}" if words else "")


def lane_words(lanes: Lanes) -> str:
    """Return lanes as `block (2,0,0) thread (0,0,0), device 0 sm 124 warp 0 lane 0; 32 lanes …`."""
    coordinates = (
        ("device", lanes.device),
        ("sm", lanes.sm),
        ("warp", lanes.warp),
        ("lane", lanes.lane),
    )
    groups = (("block", lanes.block), ("thread", lanes.thread)), coordinates
    where = ", ".join(
        words
        for group in groups
        if (words := " ".join(f"{name} {value}" for name, value in group if value is not None))
    )
    counts = [
        f"{count:,} {noun}{'s' * (count != 1)}"
        for count, noun in (
            (lanes.count, "lane"),
            (lanes.warps, "warp"),
            (lanes.blocks, "block"),
            (lanes.sms, "SM"),
        )
        if count is not None
    ]
    return "; ".join(part for part in (where, ", ".join(counts)) if part)
