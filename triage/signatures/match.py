"""Whether conditions and signatures hold for a crash, and on what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from triage.model.diagnosis import Level
from triage.model.evidence import Evidence
from triage.signatures.compare import fits, holds
from triage.signatures.facts import Facts, Thing
from triage.signatures.fields import FieldType, Op
from triage.signatures.literal import MIN_LITERAL, value_literal
from triage.signatures.rule import Condition, Rule, Signature, Test, Value

MAX_SEQUENCE_FRAMES = 256
_FLOORS = ((Level.CERTAIN, 0.85), (Level.LIKELY, 0.6), (Level.HINT, 0.3))
_LEVELS = tuple(level for level, _ in _FLOORS)
# What only narrows a thing down tells a reader less than what else was asked about it.
_NARROWING = frozenset({"api", "role", "kind", "index"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A signature that holds for a crash."""

    signature: Signature
    confidence: float
    level: Level
    evidence: tuple[Evidence, ...]
    against: tuple[Evidence, ...] = ()


def match_signature(signature: Signature, facts: Facts) -> Match | None:
    """Return the match of a signature, None where it does not hold or says too little."""
    if not fits_engine(signature, facts):
        return None
    found = match_all(signature.when, facts, signature.base)
    if found is None or any(match_condition(c, facts) for c in signature.unless):
        return None
    supports = [match_condition(w.condition, facts, w.weight) for w in signature.supports]
    against = [match_condition(w.condition, facts, w.weight) for w in signature.against]
    evidence = (*found, *(e for e in supports if e))
    contradictions = tuple(e for e in against if e)
    confidence = confidence_of(signature.base, [e.weight for e in supports if e], contradictions)
    level = level_of(confidence, signature.level)
    if level is None:
        return None
    return Match(
        signature=signature,
        confidence=confidence,
        level=level,
        evidence=evidence,
        against=contradictions,
    )


def confidence_of(base: float, supports: Sequence[float], against: Sequence[Evidence]) -> float:
    """Return the confidence: supports take from the doubt, contradictions from what is left."""
    confidence = base
    for weight in supports:
        confidence += (1 - confidence) * weight
    for evidence in against:
        confidence *= 1 - evidence.weight
    return round(confidence, 4)


def level_of(confidence: float, highest: Level) -> Level | None:
    """Return the level of a confidence, no higher than a signature's own; None below a hint."""
    for level, floor in _FLOORS:
        if confidence >= floor:
            return max(level, highest, key=_LEVELS.index)
    return None


def fits_engine(signature: Signature, facts: Facts) -> bool:
    """Tell whether a signature is for the crash's engine, or for one that is inside that.

    An engine not known fits any.
    """
    if not signature.engines or facts.crash.engine is None:
        return True
    return any(name.casefold() in facts.engine_names for name in signature.engines)


def distance_of(signature: Signature, facts: Facts) -> int:
    """Return 0 for a signature of the crash's engine, 1 of one that is inside it, 2 of any."""
    engine = facts.crash.engine
    names = [name.casefold() for name in signature.engines]
    if engine is not None and engine.name.casefold() in names:
        return 0
    return 1 if engine is not None and names else 2


def match_rule(rule: Rule, facts: Facts) -> tuple[Evidence, ...] | None:
    """Return what a rule holds on, None where it does not hold."""
    return match_all(rule.when, facts, rule.weight)


def match_all(
    conditions: Sequence[Condition], facts: Facts, weight: float
) -> tuple[Evidence, ...] | None:
    """Return the evidence for conditions that must all hold, the weight shared out evenly."""
    share = round(1 - (1 - weight) ** (1 / len(conditions)), 4) if conditions else weight
    found = []
    for condition in conditions:
        evidence = match_condition(condition, facts, share)
        if evidence is None:
            return None
        found.append(evidence)
    return tuple(found)


def match_condition(condition: Condition, facts: Facts, weight: float = 0.0) -> Evidence | None:
    """Return the evidence of the first thing that a condition holds for."""
    for option in condition.options:
        if evidence := match_condition(option, facts, weight):
            return evidence if evidence.why else replace(evidence, why=condition.why)
    if condition.options:
        return None
    log = condition.thing == "log"
    for thing in _lines(condition, facts) if log else candidates(condition, facts):
        if all(test_holds(test, thing, facts) for test in condition.tests):
            return _evidence(condition, thing, facts, weight)
    return None


def candidates(condition: Condition, facts: Facts) -> Sequence[Thing]:
    """Return the things that a condition looks at."""
    things = facts.things(condition.thing, any_thread=condition.any_thread)
    within = condition.within
    if within is None:
        return things
    return [t for t in things if t.rank is not None and t.rank < within]


def _lines(condition: Condition, facts: Facts) -> Sequence[Thing]:
    """Return the lines that the condition's first test can hold for, in their order."""
    test = condition.tests[0]
    if test.op not in (Op.FITS, Op.REGEX):
        return facts.things("log")
    literals = {value_literal(test.op, str(value)) for value in test.values}
    if any(len(literal) < MIN_LITERAL for literal in literals):
        return facts.things("log")
    found = [lines for literal in literals if (lines := facts.lines_with(literal))]
    if len(found) <= 1:
        return found[0] if found else ()
    chosen = {id(line) for lines in found for line in lines}
    return [line for line in facts.things("log") if id(line) in chosen]


def test_holds(test: Test, thing: Thing, facts: Facts) -> bool:
    """Tell whether one test holds for one thing."""
    if test.op is Op.SEQUENCE:
        return sequence_end(test, thing, facts) is not None
    if test.op in (Op.ABOVE, Op.BELOW):
        return holds(test, thing.values, facts.value(str(test.values[0])))
    return holds(test, thing.values)


test_holds.__test__ = False  # type: ignore[attr-defined]  # pytest collects what starts with test


def sequence_end(test: Test, thing: Thing, facts: Facts) -> int | None:
    """Return the frame behind a sequence that starts at a frame, None where it does not fit.

    Frames that are noise may stand between its parts; `*` skips any others too.
    """
    frames = facts.frames(thing.thread)[thing.index : thing.index + MAX_SEQUENCE_FRAMES]
    first, *rest = test.values
    if not _named(first, frames[0]):
        return None
    reached = {1}
    for pattern in rest:
        if pattern == "*":
            reached = set(range(min(reached), len(frames) + 1))
            continue
        reached = _step(pattern, frames, reached)
        if not reached:
            return None
    return thing.index + min(reached)


def _step(pattern: Value, frames: Sequence[Thing], reached: set[int]) -> set[int]:
    behind: set[int] = set()
    alive = False
    for n, frame in enumerate(frames):
        alive = n in reached or (alive and frames[n - 1].rank is None)
        if alive and _named(pattern, frame):
            behind.add(n + 1)
    return behind


def _named(pattern: Value, frame: Thing) -> bool:
    function = frame.values.get("function")
    return function is not None and fits(pattern, function, FieldType.NAME)


def _evidence(condition: Condition, thing: Thing, facts: Facts, weight: float) -> Evidence:
    telling = [t for t in condition.tests if t.name not in _NARROWING]
    test = (telling or list(condition.tests))[0]
    return Evidence(
        field=test.field,
        text=evidence_text(test, thing, facts),
        weight=weight,
        at=thing.place(test.name),
        why=condition.why,
    )


def evidence_text(test: Test, thing: Thing, facts: Facts) -> str:
    """Return what a test held on, as it stands in the crash."""
    if test.op is Op.SEQUENCE:
        return _sequence_text(test, thing, facts)
    value = thing.values.get(test.name)
    if value is None:
        return f"{test.name} is not set"
    if test.op in (Op.ABOVE, Op.BELOW):
        other = str(test.values[0])
        return f"{value} ({test.op.value} {other} {facts.value(other)})"
    return str(value)


def _sequence_text(test: Test, thing: Thing, facts: Facts) -> str:
    end = sequence_end(test, thing, facts) or thing.index + 1
    frames = facts.frames(thing.thread)[thing.index : end]
    names = [str(f.values.get("function")) for f in frames if f.rank is not None]
    return " | ".join(names or [str(thing.values.get("function"))])
