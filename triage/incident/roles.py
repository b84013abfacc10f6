"""What came first: which errors of a crash are consequences of another one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache

from triage.knowledge import ConsequenceRule, consequence_rules
from triage.model.crash import Crash, ErrorRecord, LogLine, Role, Signal, Timing
from triage.model.position import Position
from triage.model.stack import Thread, ThreadKind
from triage.text.glob import glob_match, longest_literal
from triage.xids import XidClass, xid_of

_ON_GPU = frozenset({"cuda", "cuda-driver", "cuda-exception", "hip", "hsa"})
_FAULTS = (XidClass.HARDWARE, XidClass.LINK)
_ORDER = ("-", "hardware", "sticky", "gpu", "earlier", "other")
_ABORTS = frozenset({"SIGSEGV", "SIGILL", "SIGTRAP"})


def first_cause(crash: Crash) -> Crash:
    """Return the crash, with what is a consequence of what told by the errors and the signal."""
    errors = with_roles(crash.errors)
    return replace(crash, errors=errors, signal=signal_role(crash.signal, errors, crash.threads))


def with_roles(errors: Sequence[ErrorRecord]) -> tuple[ErrorRecord, ...]:
    """Return the errors, each that another one brought about as a consequence.

    The only one that is left is the cause, unless it is of a kind that reports another one; where
    several are left, nothing tells them apart.
    """
    roles = [error.role for error in errors]
    for beside in _ORDER:
        _demote(errors, roles, [r for r in consequence_rules() if r.beside == beside])
    left = [n for n, role in enumerate(roles) if role is not Role.CONSEQUENCE]
    reports = [rule for rule in consequence_rules() if rule.beside in ("other", "earlier")]
    if len(left) == 1 and _rule_for(errors[left[0]], reports) is None:
        roles[left[0]] = Role.CAUSE
    return tuple(
        error if error.role is role else replace(error, role=role)
        for error, role in zip(errors, roles, strict=True)
    )


def _demote(
    errors: Sequence[ErrorRecord], roles: list[Role], rules: Sequence[ConsequenceRule]
) -> None:
    """Mark what rules of one kind hold for; what they hold for is no cause of anything else."""
    standing = [n for n, role in enumerate(roles) if role is not Role.CONSEQUENCE]
    meant = {n: rule for n in standing if (rule := _rule_for(errors[n], rules)) is not None}
    for n, rule in meant.items():
        repeats = rule.beside == "sticky"
        others = [errors[m] for m in standing if m != n and (repeats or m not in meant)]
        if _holds(rule.beside, errors[n], others):
            roles[n] = Role.CONSEQUENCE


def _rule_for(error: ErrorRecord, rules: Sequence[ConsequenceRule]) -> ConsequenceRule | None:
    return next(
        (
            rule
            for rule in rules
            if glob_match(rule.api, error.api)
            and glob_match(rule.name, error.name or "")
            and glob_match(rule.message, error.message or "")
        ),
        None,
    )


def _holds(beside: str, error: ErrorRecord, others: Sequence[ErrorRecord]) -> bool:
    return beside == "-" or any(_BESIDE[beside](error, other) for other in others)


def _follows(error: ErrorRecord, other: ErrorRecord) -> bool:
    """Tell whether an error stands behind another one in the same text."""
    at, before = error.at, other.at
    if at is None or before is None or (at.input, at.member) != (before.input, before.member):
        return False
    return at.line is not None and before.line is not None and before.line < at.line


def _is_on_gpu(_: ErrorRecord, other: ErrorRecord) -> bool:
    return other.api in _ON_GPU


def _is_hardware(error: ErrorRecord, other: ErrorRecord) -> bool:
    known = xid_of(other)
    hardware = known is not None and known.blame in _FAULTS and known.alone is Role.CAUSE
    return hardware and error.timing is not Timing.SYNCHRONOUS


def _is_sticky(error: ErrorRecord, other: ErrorRecord) -> bool:
    return bool(other.sticky) and _follows(error, other) and _of_one_process(error, other)


def _of_one_process(error: ErrorRecord, other: ErrorRecord) -> bool:
    mine, its = error.origin, other.origin
    return mine is None or its is None or (mine.pid, mine.rank) == (its.pid, its.rank)


def _is_any(_: ErrorRecord, __: ErrorRecord) -> bool:
    return True


_BESIDE: dict[str, Callable[[ErrorRecord, ErrorRecord], bool]] = {
    "other": _is_any,
    "earlier": _follows,
    "sticky": _is_sticky,
    "gpu": _is_on_gpu,
    "hardware": _is_hardware,
}


def signal_role(
    signal: Signal | None, errors: Sequence[ErrorRecord], threads: Sequence[Thread]
) -> Signal | None:
    """Return the signal, as a consequence where Go's runtime got it from an abort below it."""
    if signal is None or signal.name not in _ABORTS or signal.at is None:
        return signal
    if not any(thread.kind is ThreadKind.GO for thread in threads):
        return signal
    cause = any(e.role is not Role.CONSEQUENCE and _stands_before(e, signal.at) for e in errors)
    return replace(signal, role=Role.CONSEQUENCE) if cause else signal


def _stands_before(error: ErrorRecord, at: Position) -> bool:
    if error.api in ("go", "engine") or error.at is None or error.at.line is None:
        return False
    same = (error.at.input, error.at.member) == (at.input, at.member)
    return same and at.line is not None and error.at.line <= at.line


def consequence_places(crash: Crash) -> frozenset[Position]:
    """Return the lines that tell of consequences and of nothing that may be the cause."""
    late = {e.at for e in crash.errors if e.role is Role.CONSEQUENCE and e.at}
    if crash.signal and crash.signal.role is Role.CONSEQUENCE and crash.signal.at:
        late.add(crash.signal.at)
    late.update(line.at for line in crash.lines if _says_so(line))
    return frozenset(late - {e.at for e in crash.errors if e.role is not Role.CONSEQUENCE})


def _says_so(line: LogLine) -> bool:
    """Tell whether a line says by itself that another failure came first."""
    text = line.text.casefold()
    return any(
        literal in text and glob_match(glob, line.text) for literal, glob in _words_of_lines()
    )


@cache
def _words_of_lines() -> tuple[tuple[str, str], ...]:
    """Return a literal and a glob for each message that is a consequence wherever it stands."""
    globs = [
        f"*{rule.message.strip('*')}*"
        for rule in consequence_rules()
        if (rule.api, rule.name, rule.beside) == ("*", "*", "-") and rule.message != "*"
    ]
    return tuple((longest_literal(glob), glob) for glob in globs)


def noticing_places(crash: Crash) -> frozenset[Position]:
    """Return the lines of host frames that only noticed what failed on the GPU before."""
    if crash.blamed_frame is None or not crash.blamed_frame.provisional:
        return frozenset()
    threads = [thread for thread in crash.threads if thread.kind is not ThreadKind.GPU]
    return frozenset(frame.at for thread in threads for frame in thread.frames if frame.at)


def states_a_cause(crash: Crash) -> bool:
    """Tell whether any error of a crash may be the one that came first."""
    return any(error.role is not Role.CONSEQUENCE for error in crash.errors)
