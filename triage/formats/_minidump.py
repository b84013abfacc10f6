"""What the forms of minidump-stackwalk's reports share, and its JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from triage.formats._base import Region, named_signal
from triage.formats._ntstatus import status_by_name, status_error, status_signal
from triage.formats._stacks import MAX_FRAMES
from triage.model.crash import (
    Environment,
    ErrorRecord,
    Fragment,
    Module,
    ReportWarning,
    Signal,
    Symbols,
)
from triage.model.position import Position
from triage.model.stack import Frame, Thread, trust_of
from triage.parse.json_lines import Object, read_json
from triage.text.late import late

_SIGNAL = late(r"(SIG[A-Z]{2,8})(?: ?/ ?(?P<code>[A-Z][A-Z_]{2,30}))?")
_MACH = {
    "EXC_BAD_INSTRUCTION": "SIGILL",
    "EXC_ARITHMETIC": "SIGFPE",
    "EXC_BREAKPOINT": "SIGTRAP",
}
MAX_MODULES = 2_000


@dataclass(slots=True)
class Report:
    """One report while it is being read; `crashed` is the index of the thread that failed."""

    reason: str | None = None
    reason_at: Position | None = None
    address: str | None = None
    crashed: str | None = None
    threads: dict[str, Thread] = field(default_factory=dict)
    modules: list[Module] = field(default_factory=list)
    os: str | None = None
    arch: str | None = None
    where: dict[str, Position] = field(default_factory=dict)
    warnings: tuple[ReportWarning, ...] = ()

    def fragment(self, claimed: Iterable[int]) -> Fragment:
        """Return what was read, the thread that failed first."""
        threads = sorted(self.threads.values(), key=lambda t: t.id != self.crashed)
        signal, errors = self._failure()
        return Fragment(
            dialect="minidump",
            threads=tuple(
                replace(t, crashed=t.id == self.crashed)
                for t in threads
                if t.frames or t.id == self.crashed
            ),
            errors=errors,
            signal=signal,
            signal_rank=0,
            modules=tuple(self.modules[:MAX_MODULES]),
            environment=Environment(os=self.os, arch=self.arch, where=dict(self.where)),
            warnings=self.warnings,
            claimed=frozenset(claimed),
        )

    def _failure(self) -> tuple[Signal | None, tuple[ErrorRecord, ...]]:
        if not self.reason or self.reason_at is None:
            return None, ()
        word = self.reason.split(" ", 1)[0]
        code = status_by_name(word) if word.startswith(("EXCEPTION_", "STATUS_")) else None
        if code is not None:
            signal = status_signal(code, self.reason_at, fault_address=self.address)
            return signal, (status_error(code, self.reason_at, self.reason),)
        return _unix_signal(self.reason, self.reason_at, self.address), ()


def _unix_signal(reason: str, at: Position, address: str | None) -> Signal | None:
    """Return the signal of a reason in the words of Linux or macOS."""
    if match := _SIGNAL.search(reason):
        return replace(named_signal(match[1], at, fault_address=address), code=match["code"])
    kind, _, detail = reason.partition(" / ")
    if kind == "EXC_BAD_ACCESS":
        name = "SIGSEGV" if detail.startswith(("KERN_INVALID_ADDRESS", "EXC_I386_GP")) else "SIGBUS"
        return named_signal(name, at, fault_address=address)
    if kind in _MACH:
        return named_signal(_MACH[kind], at, fault_address=address)
    return None


def read_json_report(region: Region, begin: int) -> Fragment:
    """Read the JSON that begins in a row of the region."""
    root, damaged = read_json([line.text for line in region.lines[begin:]])
    where = {"": region.at(begin)}

    def at(thing: Any) -> Position:
        return region.at(begin + thing.row) if isinstance(thing, Object) else where[""]

    root = _object(root.get("json_dump")) or root
    report = Report()
    info, system = _object(root.get("crash_info")), _object(root.get("system_info"))
    report.reason, report.address = _text(info.get("type")), _text(info.get("address"))
    report.reason_at = at(info)
    report.os = " ".join(filter(None, (_text(system.get("os")), _text(system.get("os_ver")))))
    report.os, report.arch = report.os or None, _text(system.get("cpu_arch"))
    report.where = {
        name: at(system) for name, value in (("os", report.os), ("arch", report.arch)) if value
    }
    top = root.get("crashing_thread")
    crashed = info.get("crashing_thread", _object(top).get("threads_index"))
    if report.reason:
        report.crashed = str(crashed if isinstance(crashed, int) else 0)
    listed = [t for t in _list(root.get("threads")) if isinstance(t, Object)]
    for n, thread in enumerate(listed):
        report.threads[str(n)] = _thread(str(n), thread, at)
    if isinstance(top, Object) and isinstance(crashed, int):
        known = report.threads.get(str(crashed))
        if known is None or not known.frames:
            report.threads[str(crashed)] = _thread(str(crashed), top, at)
    report.modules = [m for m in map(_module, _list(root.get("modules"))) if m]
    if not report.reason and not any(t.frames for t in report.threads.values()):
        return Fragment(dialect="minidump")
    if damaged:
        message = "the JSON of minidump-stackwalk is damaged or cut; read what is whole of it"
        report.warnings = (
            ReportWarning(code="minidump-damaged", message=message, at=region.at(begin)),
        )
    return report.fragment(line.number for line in region.lines[begin:])


def _thread(name: str, thread: Object, at: Any) -> Thread:
    frames = list(_frames(thread, at))
    tid = thread.get("thread_id")
    return Thread(
        id=name,
        tid=tid if isinstance(tid, int) else None,
        name=_text(thread.get("thread_name")),
        frames=tuple(frames[:MAX_FRAMES]),
        frames_omitted=max(0, len(frames) - MAX_FRAMES),
        at=at(thread),
    )


def _frames(thread: Object, at: Any) -> Iterator[Frame]:
    index = 0
    for frame in _list(thread.get("frames")):
        if not isinstance(frame, Object):
            continue
        module, offset = _text(frame.get("module")), _text(frame.get("module_offset"))
        address = _text(frame.get("offset"))
        unloaded = [u for u in _list(frame.get("unloaded_modules")) if isinstance(u, Object)]
        if module is None and len(unloaded) == 1:
            module = _text(unloaded[0].get("module"))
        inlines = [i for i in _list(frame.get("inlines")) if isinstance(i, Object)]
        for n, place in enumerate((*inlines, frame)):
            function, file = _text(place.get("function")), _text(place.get("file"))
            line = place.get("line")
            yield Frame(
                index=index,
                function=function,
                file=file,
                line=line if isinstance(line, int) and 0 < line < 1 << 32 else None,
                module=module,
                offset=offset,
                address=address,
                inlined=n < len(inlines),
                trust=trust_of(function, file),
                at=at(place),
            )
            index += 1


def _module(entry: Any) -> Module | None:
    name = _text(_object(entry).get("filename"))
    if not name:
        return None
    missing = entry.get("missing_symbols") is True
    return Module(
        name=name,
        build_id=_text(entry.get("code_id")) or None,
        version=_text(entry.get("version")),
        symbols=Symbols.MISSING if missing else None,
    )


def _object(value: Any) -> Object:
    return value if isinstance(value, Object) else Object(0)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
