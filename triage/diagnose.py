"""From a crash to what is concluded: signatures that match, ranked; family; what to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from triage.calculators import Figure, calculate
from triage.collect import hang_evidence, next_evidence
from triage.incident.roles import states_a_cause
from triage.model.crash import Crash, Engine
from triage.model.diagnosis import Action, Diagnosis, Feedback, Level, Remedy, Verdict
from triage.model.evidence import Evidence
from triage.model.position import Position
from triage.signatures.facts import Facts
from triage.signatures.match import Match, distance_of, match_rule, match_signature
from triage.signatures.placeholders import fill
from triage.signatures.rule import EngineRule, Family, Rule, Signature
from triage.text.quoted import is_written, states_failure

MAX_DIAGNOSES = 10
_FAMILY_FLOOR = 0.5
_OF_FAILURE = frozenset({"error", "frame", "log"})
_SURE_WORDS = 0.7
_LEVELS = tuple(Level)
# Fewer reports than these say nothing; a share of them that says right, or wrong, does.
_ENOUGH_REPORTS = 3
_MOSTLY = 2 / 3
_NO_FEEDBACK: Mapping[str, Feedback] = {}
_ONE_CRASH = (
    "the pieces of one crash: the log, the core dumps and the kernel's lines of the same program, "
    "host, pid and minute; analyze those of another crash on their own"
)


class Knowledge(Protocol):
    """Where signatures come from."""

    def candidates(self, words: frozenset[str]) -> list[Signature]:
        """Return the signatures that may hold for a crash with these words."""
        ...

    def families(self) -> Mapping[str, Family]:
        """Return every family by its id."""
        ...

    def engines(self) -> tuple[EngineRule, ...]:
        """Return the rules that tell engines."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosed:
    """Everything that is concluded from one crash, best diagnosis first."""

    verdict: Verdict
    diagnoses: tuple[Diagnosis, ...] = ()
    family: str | None = None
    family_evidence: tuple[Evidence, ...] = ()
    action: Action | None = None
    next_evidence: tuple[str, ...] = ()


def diagnose(
    crash: Crash, knowledge: Knowledge, feedback: Mapping[str, Feedback] = _NO_FEEDBACK
) -> Diagnosed:
    """Return what is concluded from a crash: nothing where its pieces are of more than one.

    `feedback` is what people said of earlier diagnoses, by signature: it orders those of one
    level, and neither makes a diagnosis nor takes one away.
    """
    if crash.mixed:
        return Diagnosed(
            verdict=Verdict.UNKNOWN, action=Action.COLLECT_MORE, next_evidence=(_ONE_CRASH,)
        )
    facts = Facts(crash, knowledge.engines())
    families = knowledge.families()
    matches = _matches(facts, knowledge, feedback)
    diagnoses = tuple(
        replace(_diagnosis(match, facts, families), feedback=feedback.get(match.signature.id))
        for match in matches
    )
    if diagnoses and diagnoses[0].level is not Level.HINT:
        best = diagnoses[0]
        doubtful = best.level is not Level.CERTAIN
        return Diagnosed(
            verdict=Verdict.KNOWN,
            diagnoses=diagnoses,
            family=best.family,
            action=best.action or Action.COLLECT_MORE,
            next_evidence=next_evidence(crash, families.get(best.family)) if doubtful else (),
        )
    family, evidence = _family(diagnoses, facts, families)
    if not crash.is_crash and not (family and not crash.snapshot and _is_said(evidence)):
        return Diagnosed(verdict=Verdict.NO_CRASH, next_evidence=hang_evidence(crash))
    known = families.get(family) if family else None
    return Diagnosed(
        verdict=Verdict.UNKNOWN,
        diagnoses=diagnoses,
        family=family,
        family_evidence=evidence,
        action=(known.action if known else None) or Action.COLLECT_MORE,
        next_evidence=next_evidence(crash, known),
    )


def detect_engine(crash: Crash, knowledge: Knowledge) -> Engine | None:
    """Return the crash's engine: what a reader named, or the host that it is inside by the rules.

    None where neither says enough. A version is that of what was named, so a host has none of it.
    """
    engines = knowledge.engines()
    found = _best(((rule.id, rule.rules) for rule in engines), Facts(crash))
    if found is None:
        return crash.engine
    name, evidence = found
    engine = Engine(name=name, evidence=evidence)
    inside = Facts(replace(crash, engine=engine), engines).engine_names
    named = crash.engine
    if named and (named.name.casefold() not in inside or named.name.casefold() == name.casefold()):
        return named
    return engine


def _matches(facts: Facts, knowledge: Knowledge, feedback: Mapping[str, Feedback]) -> list[Match]:
    found = [match_signature(s, facts) for s in knowledge.candidates(facts.words())]
    late = facts.noticed
    if states_a_cause(facts.crash):
        late |= facts.consequences
    matches = [_weighed(match, late) for match in found if match]
    if not facts.crash.is_crash:
        matches = [
            match
            for match in matches
            if match.level is not Level.HINT and _tells_of_failure(match.evidence)
        ]
    return sorted(matches, key=lambda match: _rank(match, facts, feedback))[:MAX_DIAGNOSES]


def _rank(
    match: Match, facts: Facts, feedback: Mapping[str, Feedback]
) -> tuple[int, bool, int, int, float, int, str]:
    """Return the place of a match: by level, the team's own before ours, by what people said.

    Then the more that it is for this very engine.
    """
    signature = match.signature
    return (
        _LEVELS.index(match.level),
        not signature.own,
        _standing(feedback.get(signature.id)),
        distance_of(signature, facts),
        -match.confidence,
        -len(match.evidence),
        signature.id,
    )


def _standing(said: Feedback | None) -> int:
    """Return -1 where most reports said right, 1 where most said wrong, 0 otherwise."""
    count = said.right + said.wrong if said else 0
    if said is None or count < _ENOUGH_REPORTS:
        return 0
    if said.right >= count * _MOSTLY:
        return -1
    return 1 if said.wrong >= count * _MOSTLY else 0


def _weighed(match: Match, late: frozenset[Position]) -> Match:
    """Return a match, as a hint where it rests on what came after the failure."""
    if match.level is Level.HINT or not rests_on_consequences(match.evidence, late):
        return match
    return replace(match, level=Level.HINT)


def rests_on_consequences(evidence: Iterable[Evidence], late: frozenset[Position]) -> bool:
    """Tell whether all that evidence says of a failure is said of what came after it.

    A signal that may have any cause speaks for none.
    """
    about = [(e.field.partition(".")[0], e.at in late) for e in evidence]
    telling = [after for thing, after in about if thing in _OF_FAILURE or after]
    return bool(telling) and all(telling)


def _tells_of_failure(evidence: Iterable[Evidence]) -> bool:
    """Tell whether a line is a failure's words, where no format knows the failure.

    Settings alone, however bad, are no crash.
    """
    return any(e.field == "log.line" and not is_written(e.text) for e in evidence)


def _is_said(evidence: Sequence[Evidence]) -> bool:
    """Tell whether a failure that no format knows is stated, by words that leave little doubt."""
    return all(
        e.field == "log.line" and e.weight >= _SURE_WORDS and states_failure(e.text)
        for e in evidence
    )


def _diagnosis(match: Match, facts: Facts, families: Mapping[str, Family]) -> Diagnosis:
    signature = match.signature
    family = families.get(signature.family)
    return Diagnosis(
        signature=signature.id,
        family=signature.family,
        title=signature.title,
        confidence=match.confidence,
        level=match.level,
        action=signature.action or (family.action if family else None),
        cause=signature.cause,
        evidence=match.evidence,
        against=match.against,
        remedy=fill_remedy(signature, facts),
        own=signature.own,
    )


def fill_remedy(signature: Signature, facts: Facts) -> Remedy | None:
    """Return a signature's remedy with the crash's own values in its commands."""
    remedy = signature.remedy
    if remedy is None:
        return None
    figures: dict[str, Figure] = {}

    def figure(name: str) -> Figure:
        if name not in figures:
            figures[name] = calculate(name, facts)
        return figures[name]

    def lookup(name: str) -> str | None:
        if "." not in name:
            return figure(name).value
        value = facts.value(name)
        return None if value is None else str(value)

    def filled(text: str | None) -> str | None:
        return None if text is None else fill(text, lookup)

    steps = tuple(
        replace(
            step,
            commands=tuple(fill(c, lookup) for c in step.commands),
            before=filled(step.before),
            after=filled(step.after),
        )
        for step in remedy.steps
    )
    verify = tuple(replace(check, command=fill(check.command, lookup)) for check in remedy.verify)
    shown = tuple(figure(name).calculation for name in signature.calculate)
    return replace(remedy, steps=steps, verify=verify, calculations=shown)


def _family(
    diagnoses: Sequence[Diagnosis], facts: Facts, families: Mapping[str, Family]
) -> tuple[str | None, tuple[Evidence, ...]]:
    """Return the family by its rules, or that of a hint that says as much."""
    found = _best(((family.id, family.rules) for family in families.values()), facts)
    surest = max(diagnoses, key=lambda d: d.confidence, default=None)
    if found is not None or surest is None or surest.confidence < _FAMILY_FLOOR:
        return found or (None, ())
    if rests_on_consequences(surest.evidence, facts.noticed):
        return None, ()
    return surest.family, surest.evidence


def _best(
    rules: Iterable[tuple[str, tuple[Rule, ...]]], facts: Facts
) -> tuple[str, tuple[Evidence, ...]] | None:
    """Return the id whose rule holds and says most; of equals the one with more conditions.

    A rule that rests on consequences counts where no other one holds.
    """
    late = facts.consequences | facts.noticed
    held = [
        (rests_on_consequences(evidence, late), -rule.weight, -len(evidence), name, evidence)
        for name, group in rules
        for rule in group
        if rule.weight >= _FAMILY_FLOOR and (evidence := match_rule(rule, facts)) is not None
    ]
    if not held:
        return None
    *_, name, evidence = min(held, key=lambda h: h[:4])
    return name, evidence
