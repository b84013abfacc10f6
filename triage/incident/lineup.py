"""Takes what the kernel says of other processes, hosts, GPUs and boots out of an incident."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from triage.incident.process import KERNEL_DIALECTS, Process, crashed_process, day_of, short_host
from triage.model.crash import ErrorRecord, Fragment, LogLine, ReportWarning, Role, Signal
from triage.model.position import Origin, Position
from triage.model.stack import Thread
from triage.text.late import late
from triage.text.pci import pci_address
from triage.xids import XidClass, xid_of

_OF_A_PROCESS = (XidClass.APPLICATION, XidClass.CLEAN_UP)
"""Xids that a process brings about; others are of the whole GPU, whoever runs on it."""

_BURST_SECONDS = 1.0
_SHOWN = 4
_SECONDS = late(r"\d{1,9}\.\d{1,9}")
_XID = late(
    r"Xid \((?P<device>[^)\n]{1,60})\): (?P<code>\d{1,4})"
    r"(?:, pid='?(?P<pid>\d{1,10})'?, name=(?P<name>[^,\n]{1,64}))?"
)
_ENDED = late(
    r"Killed process (?P<pid>\d{1,10}) \((?P<name>[^)\n]{1,64})\)"
    r"|(?<![\w.-])(?P<name_>[\w./-]{1,64})\[(?P<pid_>\d{1,10})\]:? "
    r"(?:segfault|general protection|trap) "
)
Thing = ErrorRecord | Signal | Thread


@dataclass(frozen=True, slots=True, kw_only=True)
class LinedUp:
    """The pieces that belong together, and a word on each that does not."""

    fragments: tuple[Fragment, ...]
    lines: tuple[LogLine, ...]
    warnings: tuple[ReportWarning, ...] = ()


@dataclass(slots=True)
class _LeftOut:
    """What was left out for one reason."""

    count: int = 0
    what: dict[str, None] = field(default_factory=dict)
    at: Position | None = None

    def add(self, thing: Thing) -> None:
        """Count a line; the place of a process that it names is a part of it."""
        if isinstance(thing, Thread):
            return
        self.count += thing.count if isinstance(thing, ErrorRecord) else 1
        self.what[thing.name or "a message"] = None
        self.at = self.at or thing.at


def line_up(fragments: Sequence[Fragment], lines: Iterable[LogLine]) -> LinedUp:
    """Return the pieces without kernel lines that are of another process than the one that crashed.

    What is not known of either side separates nothing. A pid alone does not: in a container it is
    another one than the kernel's.
    """
    kernel = [f for f in fragments if f.dialect in KERNEL_DIALECTS]
    process = crashed_process(fragments)
    if not kernel or process == Process():
        return LinedUp(fragments=tuple(fragments), lines=tuple(lines))
    process = replace(process, is_in_log=any(_names_own(f, process) for f in kernel))
    reasons = _reasons(kernel, process)
    left_out: dict[str, _LeftOut] = {}
    gone: set[Position | None] = set()

    def related(thing: Thing) -> bool:
        reason = reasons.get(thing) if isinstance(thing, ErrorRecord) else None
        reason = reason or stranger(_whose(thing), process) or _of_another_machine(thing, process)
        if reason is not None:
            left_out.setdefault(reason, _LeftOut()).add(thing)
            gone.add(thing.at)
        return reason is None

    kept = tuple(_without(f, related) if f.dialect in KERNEL_DIALECTS else f for f in fragments)
    doubt = _other_pids(kept, process)
    if doubt:
        kept = tuple(_doubted(f) if f.dialect in KERNEL_DIALECTS else f for f in kept)
    return LinedUp(
        fragments=kept,
        lines=tuple(
            line
            for line in lines
            if line.at not in gone and stranger(_of_line(line), process) is None
        ),
        warnings=(*(_warning(*item) for item in left_out.items()), *doubt),
    )


def _doubted(fragment: Fragment) -> Fragment:
    """Return what may be about another run: no verdict rests on it where anything else is known."""
    errors = (
        replace(error, role=Role.CONSEQUENCE) if _is_of_a_process(error) else error
        for error in fragment.errors
    )
    return replace(fragment, errors=tuple(errors))


def stranger(origin: Origin | None, process: Process) -> str | None:
    """Return why a line cannot be about a process; None where it may be."""
    if origin is None or origin.pid in process.pids:
        return None
    if origin.host and process.hosts and short_host(origin.host) not in process.hosts:
        return f"another host ({origin.host})"
    if origin.device and process.devices and origin.device not in process.devices:
        return f"another GPU ({origin.device})"
    day = day_of(origin.time)
    if day and process.dates and all(_days(day, other) > 1 for other in process.dates):
        return f"another day ({day})"
    named = origin.process if origin.pid is not None else None
    if not named or not process.has_name:
        return None
    if not process.is_named(named):
        return f"another process ({named})"
    return f"another run of {named}" if process.is_in_log else None


def _of_another_machine(thing: Thing, process: Process) -> str | None:
    """Return why a fault of a whole card is not of the crash's machine.

    It need not be the process that it names that suffers. But where it names another one, on a
    host that nothing else names, and nothing else tells of a GPU, nothing joins it to the crash.
    """
    origin = thing.origin
    if origin is None or not origin.host or not origin.process or origin.pid is None:
        return None
    if process.hosts or process.failed_on_gpu or not process.has_name:
        return None
    if process.is_named(origin.process):
        return None
    return f"another process ({origin.process}) on a host that nothing else names ({origin.host})"


def _names_own(fragment: Fragment, process: Process) -> bool:
    """Tell whether the kernel's log has a pid of the process, and so does not count differently."""
    things = (*fragment.errors, *fragment.threads, fragment.signal, *fragment.deaths)
    return any(t and t.origin and t.origin.pid in process.pids for t in things)


def _days(one: str, other: str) -> int:
    try:
        return abs((date.fromisoformat(one) - date.fromisoformat(other)).days)
    except ValueError:
        return 0


def _whose(thing: Thing) -> Origin | None:
    """Return whose a line is; what befalls a GPU is not the matter of the process that it names."""
    origin = thing.origin
    if isinstance(thing, ErrorRecord) and thing.api == "xid" and not _is_of_a_process(thing):
        return replace(origin, pid=None, process=None) if origin else None
    return origin


def _is_of_a_process(error: ErrorRecord) -> bool:
    known = xid_of(error)
    return known is not None and known.blame in _OF_A_PROCESS


def _reasons(kernel: Sequence[Fragment], process: Process) -> dict[ErrorRecord, str]:
    """Return why errors are strangers that do not say so themselves.

    A burst of errors is of the processes that its other lines name, and once a boot of the machine
    is known to be the one in which the process ran, the other boots are not.
    """
    reasons: dict[ErrorRecord, str] = {}
    for errors in _by_text(kernel):
        boots = [
            (boot, any(_pid(error) in process.pids for error in boot))
            for boot in _parts(errors, range_from=0.0, range_to=float("inf"))
        ]
        if any(own for _, own in boots):
            strange = (error for boot, own in boots if not own for error in boot)
            reasons.update((error, "another boot") for error in strange)
        for burst in _parts(errors, range_from=0.0, range_to=_BURST_SECONDS):
            why = [stranger(e.origin, process) for e in burst if _pid(e) is not None]
            if why and all(why):
                nameless = (e for e in burst if _pid(e) is None and _is_of_a_process(e))
                reasons.update((error, str(why[0])) for error in nameless)
    return reasons


def _pid(error: ErrorRecord) -> int | None:
    return error.origin.pid if error.origin else None


def _by_text(kernel: Iterable[Fragment]) -> list[list[ErrorRecord]]:
    """Return the errors of each text in the order of its lines."""
    texts: dict[tuple[int, str | None], list[tuple[int, ErrorRecord]]] = {}
    for error in (error for f in kernel for error in f.errors):
        if error.at:
            text = texts.setdefault((error.at.input, error.at.member), [])
            text.append((error.at.line or 0, error))
    return [[error for _, error in sorted(text, key=lambda e: e[0])] for text in texts.values()]


def _parts(
    errors: Sequence[ErrorRecord], *, range_from: float, range_to: float
) -> Iterator[list[ErrorRecord]]:
    """Yield runs of errors whose seconds since the boot go on by no less and no more than this."""
    run: list[ErrorRecord] = []
    last: float | None = None
    for error in errors:
        stamp = _stamp(error)
        if stamp is not None:
            if run and last is not None and not range_from <= stamp - last <= range_to:
                yield run
                run = []
            last = stamp
        run.append(error)
    if run:
        yield run


def _stamp(error: ErrorRecord) -> float | None:
    time = error.origin.time if error.origin else None
    return float(time) if time and _SECONDS.fullmatch(time) else None


def _without(fragment: Fragment, related: Callable[[Thing], bool]) -> Fragment:
    signals = [s for s in (fragment.signal, *fragment.deaths) if s and related(s)]
    return replace(
        fragment,
        errors=tuple(e for e in fragment.errors if related(e)),
        threads=tuple(t for t in fragment.threads if related(t)),
        signal=signals[0] if signals else None,
        deaths=tuple(signals[1:]),
    )


def _of_line(line: LogLine) -> Origin | None:
    """Return whose error a line of the kernel's log is about."""
    match = _XID.search(line.text)
    if match is None:
        ended = _ENDED.search(line.text)
        if ended is None:
            return None
        pid, name = ended["pid"] or ended["pid_"], ended["name"] or ended["name_"]
        return Origin(pid=int(pid), process=name)
    of_a_process = _is_of_a_process(ErrorRecord(api="xid", code=int(match["code"])))
    return Origin(
        pid=int(match["pid"]) if match["pid"] and of_a_process else None,
        process=match["name"] if of_a_process else None,
        device=pci_address(match["device"]),
    )


def _warning(reason: str, left_out: _LeftOut) -> ReportWarning:
    count, shown = left_out.count, ", ".join(list(left_out.what)[:_SHOWN])
    more = ", ..." if len(left_out.what) > _SHOWN else ""
    lines = f"{count:,} kernel line{'s are' if count > 1 else ' is'}"
    return ReportWarning(
        code="kernel-lines-unrelated",
        message=f"{lines} about {reason} and left out: {shown}{more}",
        at=left_out.at,
    )


def _other_pids(kept: Iterable[Fragment], process: Process) -> tuple[ReportWarning, ...]:
    """Say where the kernel names the program, and not one of its pids."""
    if not process.pids:
        return ()
    errors = [e for f in kept if f.dialect in KERNEL_DIALECTS for e in f.errors]
    pids = sorted({pid for error in errors if (pid := _pid(error)) is not None})
    if not pids or process.pids.intersection(pids):
        return ()
    shown = ", ".join(map(str, pids[:_SHOWN])) + (", ..." if len(pids) > _SHOWN else "")
    return (
        ReportWarning(
            code="kernel-pids-differ",
            message=f"the kernel's lines name pid {shown}, none of which is the crash's: other "
            "runs of the program, or the same one seen from outside its container",
            at=next(e.at for e in errors if _pid(e) is not None),
        ),
    )
