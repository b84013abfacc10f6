"""Builds the page's view of a report, cut to the room that there is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from triage.frames.names import plain_name
from triage.hoststack import CODE as LATE_STACK
from triage.model.diagnosis import Calculation, Check, Diagnosis, Level, Remedy, Step, Term, Verdict
from triage.model.evidence import Evidence
from triage.model.report import Report
from triage.model.stack import Thread, ThreadGroup
from triage.render._environment import environment_facts
from triage.render._stack import shown_stack
from triage.render._view import (
    CalculationView,
    CheckView,
    ErrorView,
    FactView,
    NextView,
    OtherView,
    Part,
    ReportView,
    StackView,
    StepView,
)
from triage.render._words import (
    Places,
    error_name,
    error_rank,
    error_remark,
    field_words,
    frame_place,
    function_name,
    signal_words,
)

T = TypeVar("T")
_TONES = {Level.CERTAIN: "green", Level.LIKELY: "yellow", Level.HINT: "red"}
_WORTH_SHOWING = 4
_NAMED_THREADS = 8
_HEADS = {
    Verdict.KNOWN: "KNOWN CRASH",
    Verdict.UNKNOWN: "UNKNOWN CRASH",
    Verdict.NO_CRASH: "NO CRASH",
}
# Warnings that a part of what was given was not read.
_NOT_ALL_READ = frozenset((
    "gpu-core-cut", "gpu-core-damaged", "input-binary", "input-cut", "input-damaged", "input-empty",
    "input-unreadable", "line-cut", "members-skipped", "minidump-damaged", "model-header-cut",
))  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many of each there is room for; `block` counts the lines of a text before or after."""

    errors: int = 50
    evidence: int = 50
    steps: int = 50
    block: int = 60
    checks: int = 50
    others: int = 20
    warnings: int = 50
    collect: int = 20
    frames: int = 30
    whys: bool = True


def build_view(report: Report, limits: Limits) -> ReportView:
    """Return what a template needs to print a report."""
    places = Places(report.inputs)
    best, others = _split(report)
    remedy = (best.remedy if best else None) or Remedy(summary="")
    blamed, why = _blamed(report)
    view = ReportView(
        verdict=_HEADS[report.verdict],
        tone=_tone(report, best),
        title=_title(report, best, blamed),
        odds=_odds(best) if best else "",
        signature=best.signature if best else "",
        family=(best.family if best else report.family) or "",
        action=_action(report, best),
        engine=_engine(report),
        cause=(best.cause or "") if best else "",
        said=_said(best) if best else "",
        signal=signal_words(report.signal),
        blamed=blamed,
        blamed_label="Noticed" if _is_provisional(report) else "Blamed",
        blamed_why=why,
        host_stack=next((w.message for w in report.warnings if w.code == LATE_STACK), ""),
        errors=_part(_errors(report, places), limits.errors),
        evidence=_part(_evidence(report, best, places), limits.evidence),
        summary=remedy.summary,
        steps=_part(_steps(remedy.steps, limits), limits.steps),
        calculations=_calculations(remedy.calculations, places, limits),
        checks=_part(_checks(remedy.verify), limits.checks),
        references=remedy.references,
        others=_part(_others(others), limits.others),
        warnings=_part(_warnings(report, places), limits.warnings),
        next_evidence=_part(_next(report), limits.collect),
        stack=_stack(report, best, limits),
        groups=_part(_groups(report), limits.others),
        environment=environment_facts(report, places),
        inputs=tuple(_input(i.name, i.kind.value, i.dialects) for i in report.inputs),
        fingerprint=_fingerprint(report),
        redacted=", ".join(f"{n} {kind}" for kind, n in report.redactions.items()),
        left_out="",
    )
    return replace(view, left_out=_left_out(view))


def _split(report: Report) -> tuple[Diagnosis | None, tuple[Diagnosis, ...]]:
    """Return the diagnosis that the verdict rests on, and the rest."""
    if report.verdict is Verdict.KNOWN and report.diagnoses:
        return report.diagnoses[0], report.diagnoses[1:]
    return None, report.diagnoses


def _tone(report: Report, best: Diagnosis | None) -> str:
    if best:
        return _TONES[best.level]
    return "green" if report.verdict is Verdict.NO_CRASH else "red"


def _title(report: Report, best: Diagnosis | None, blamed: str) -> str:
    if best:
        return best.title
    if report.thread_groups:
        waiting = sum(len(g.threads) for g in report.thread_groups if g.waits_for)
        known = f"; {waiting} of {len(report.threads)} threads wait" if waiting else ""
        return f"no thread crashed{known}"
    if report.verdict is Verdict.NO_CRASH:
        return f"nothing in {_what_was_read(report)} says that a program failed"
    first = sorted(report.errors, key=error_rank)
    what = error_name(first[0]) if first else report.signal.name if report.signal else ""
    name = plain_name(blamed.split(" at ", 1)[0]) if blamed else ""
    return " in ".join(part for part in (what, name) if part) or "no signature matches"


def _what_was_read(report: Report) -> str:
    """Return what a verdict that nothing failed is about: it need not be all of the input."""
    codes = {warning.code for warning in report.warnings}
    if "input-empty" in codes and len(report.inputs) == 1:
        return "an empty input"
    return "what could be read" if codes & _NOT_ALL_READ else "the input"


def _odds(diagnosis: Diagnosis) -> str:
    return f"{diagnosis.level.value}, {diagnosis.confidence:.0%}"


def _said(diagnosis: Diagnosis) -> str:
    """Return what people said of the signature, as `of 14 reports 12 said right`."""
    return diagnosis.feedback.words if diagnosis.feedback else ""


def _action(report: Report, best: Diagnosis | None) -> str:
    action = (best.action if best else None) or report.action
    return action.value.replace("-", " ") if action else ""


def _engine(report: Report) -> str:
    engine = report.engine
    return f"{engine.name} {engine.version or ''}".strip() if engine else ""


def _is_provisional(report: Report) -> bool:
    return report.blamed_frame is not None and report.blamed_frame.provisional


def _blamed(report: Report) -> tuple[str, str]:
    pointer = report.blamed_frame
    if pointer is None or not 0 <= pointer.thread < len(report.threads):
        return "", ""
    frames = report.threads[pointer.thread].frames
    if not 0 <= pointer.frame < len(frames):
        return "", ""
    frame = frames[pointer.frame]
    place = frame_place(frame, short=True)
    name = function_name(frame)
    return (f"{name} at {place}" if place else name), pointer.why


def _errors(report: Report, places: Places) -> list[ErrorView]:
    return [
        ErrorView(
            name=error_name(e),
            message=e.message or "",
            remark=error_remark(e),
            place=places.name(e.at),
        )
        for e in sorted(report.errors, key=error_rank)
    ]


def _evidence(report: Report, best: Diagnosis | None, places: Places) -> list[FactView]:
    if best is None:
        return [_fact(e, places) for e in _strongest(report.family_evidence)]
    found = [_fact(e, places) for e in _strongest(best.evidence)]
    return found + [_fact(e, places, against=True) for e in _strongest(best.against)]


def _strongest(evidence: Iterable[Evidence]) -> list[Evidence]:
    return sorted(evidence, key=lambda e: -e.weight)


def _fact(evidence: Evidence, places: Places, *, against: bool = False) -> FactView:
    return FactView(
        place=places.name(evidence.at),
        about=field_words(evidence.field),
        text=evidence.text,
        weight=f"{evidence.weight:.0%}",
        why=evidence.why or "",
        against=against,
    )


def _steps(steps: Sequence[Step], limits: Limits) -> list[StepView]:
    return [
        StepView(
            number=n,
            title=step.title,
            why=(step.why or "") if limits.whys else "",
            status=_status(step),
            commands=step.commands,
            before=_cut(step.before, limits.block),
            after=_cut(step.after, limits.block),
        )
        for n, step in enumerate(steps, 1)
    ]


def _status(step: Step) -> str:
    """Return how much is known of a step, as `confirmed in llama.cpp#4680`."""
    if step.status is None:
        return f"see {step.source}" if step.source else ""
    return f"{step.status.value} in {step.source}" if step.source else step.status.value


def _cut(text: str | None, room: int) -> str:
    """Return the first lines of a text with a line that tells how many are missing."""
    lines = (text or "").strip("\n").split("\n")
    if len(lines) <= room + 1:
        return "\n".join(lines)
    return "\n".join([*lines[:room], f"... {len(lines) - room} more lines"])


_FORMULA_OF = {True: "; it is ", False: " = "}


def _calculations(
    calculations: Sequence[Calculation], places: Places, limits: Limits
) -> tuple[CalculationView, ...]:
    return tuple(
        CalculationView(
            line=f"{c.name}: {c.result}{_FORMULA_OF[c.result.startswith('not known')]}{c.formula}",
            terms=tuple(f"{t.name} {t.value} ({_origin(t, places, limits)})" for t in c.terms),
        )
        for c in calculations
    )


def _origin(term: Term, places: Places, limits: Limits) -> str:
    """Return where a number stands, or why it was assumed, which is longer."""
    return places.name(term.at) or (term.source if limits.whys else term.source.split(":")[0])


def _checks(checks: Sequence[Check]) -> list[CheckView]:
    return [CheckView(title=c.title, command=c.command, expect=c.expect or "") for c in checks]


def _others(diagnoses: Sequence[Diagnosis]) -> list[OtherView]:
    return [
        OtherView(odds=_odds(d), signature=d.signature, title=d.title, said=_said(d))
        for d in diagnoses
    ]


def _warnings(report: Report, places: Places) -> list[FactView]:
    return [
        FactView(place=places.name(w.at), about=w.code, text=w.message)
        for w in report.warnings
        if w.code != LATE_STACK  # it stands beside the frame
    ]


def _next(report: Report) -> list[NextView]:
    """Take each item apart: a line of text, and a command on each line after it."""
    views = []
    for item in report.next_evidence:
        text, *commands = item.strip("\n").split("\n")
        views.append(NextView(text=text, commands=tuple(c.strip() for c in commands if c.strip())))
    return views


def _input(name: str, kind: str, dialects: Sequence[str]) -> str:
    return f"{name} ({', '.join((kind, *dialects))})"


def _stack(report: Report, best: Diagnosis | None, limits: Limits) -> StackView | None:
    """Return the stack; where room is short, a known crash does without."""
    if best and limits.frames < _WORTH_SHOWING:
        return None
    return shown_stack(report, limits.frames)


def _groups(report: Report) -> list[str]:
    """Say of each group of threads what they wait for and where."""
    return [_group(g, shown, len(g.threads)) for g, shown in _known_groups(report)]


def _known_groups(report: Report) -> Iterator[tuple[ThreadGroup, list[Thread]]]:
    """Yield the groups with their threads, as far as the report has them."""
    for group in report.thread_groups:
        threads = [report.threads[n] for n in group.threads if 0 <= n < len(report.threads)]
        if threads and threads[0].frames:
            yield group, threads


def _group(group: ThreadGroup, threads: Sequence[Thread], count: int) -> str:
    frames = threads[0].frames
    place_of = group.frame or 0
    frame = frames[place_of if 0 <= place_of < len(frames) else 0]
    one = count == 1
    if group.waits_for is not None:
        doing = f"{'waits' if one else 'wait'} for {group.waits_for}"
    elif frame.function is not None:
        doing = "runs" if one else "run"
    else:
        doing = "is in" if one else "are in"
    place = frame_place(frame, short=True)
    where = f"{function_name(frame)} at {place}" if place else function_name(frame)
    ids = [t.id or "?" for t in threads[:_NAMED_THREADS]]
    more = ", ..." if count > len(ids) else ""
    return f"{count} thread{'' if one else 's'} {doing}: {where} ({', '.join(ids)}{more})"


def _fingerprint(report: Report) -> str:
    mark = report.fingerprint
    return f"{mark.value} ({mark.title})" if mark else ""


def _left_out(view: ReportView) -> str:
    """Return what the page has no room for, as `2 errors, 1 step`."""
    counts = {
        "error": view.errors.more,
        "fact": view.evidence.more,
        "step": view.steps.more,
        "check": view.checks.more,
        "request": view.next_evidence.more,
        "candidate": view.others.more,
        "warning": view.warnings.more,
    }
    return ", ".join(f"{n} {noun}{'s' * (n > 1)}" for noun, n in counts.items() if n)


def _part(items: Sequence[T], room: int) -> Part[T]:
    return Part(tuple(items[:room]), max(0, len(items) - room))
