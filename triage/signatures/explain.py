"""Why a signature holds for a crash or does not: each condition, and what came nearest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from triage.model.diagnosis import Level
from triage.model.evidence import Evidence
from triage.signatures.facts import Facts, Thing
from triage.signatures.match import (
    candidates,
    confidence_of,
    evidence_text,
    fits_engine,
    level_of,
    match_condition,
    test_holds,
)
from triage.signatures.rule import Condition, Signature
from triage.signatures.wording import describe, describe_test


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One condition on one crash; `part` is when, supports, against or unless.

    `evidence` is None where it did not hold; `miss` then says what came nearest.
    """

    part: str
    asks: str
    weight: float | None = None
    why: str | None = None
    evidence: Evidence | None = None
    miss: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Every condition of a signature on one crash, and what comes of it.

    `level` is None where the signature does not match; `reason` then says why.
    """

    outcomes: tuple[Outcome, ...]
    confidence: float
    level: Level | None = None
    reason: str | None = None


def explain(signature: Signature, facts: Facts) -> Explanation:
    """Return how every condition of a signature comes out on a crash."""
    outcomes = tuple(_outcomes(signature, facts))
    held = [(o.part, o.evidence) for o in outcomes if o.evidence]
    confidence = confidence_of(
        signature.base,
        [e.weight for part, e in held if part == "supports"],
        [e for part, e in held if part == "against"],
    )
    reason = _reason(signature, facts, outcomes)
    level = None if reason else level_of(confidence, signature.level)
    if level is None and reason is None:
        reason = f"the confidence of {confidence:.2f} is below that of a hint"
    return Explanation(outcomes=outcomes, confidence=confidence, level=level, reason=reason)


def _outcomes(signature: Signature, facts: Facts) -> Iterator[Outcome]:
    for condition in signature.when:
        yield _outcome("when", condition, facts, None)
    for weighted in signature.supports:
        yield _outcome("supports", weighted.condition, facts, weighted.weight)
    for weighted in signature.against:
        yield _outcome("against", weighted.condition, facts, weighted.weight)
    for condition in signature.unless:
        yield _outcome("unless", condition, facts, None)


def _outcome(part: str, condition: Condition, facts: Facts, weight: float | None) -> Outcome:
    evidence = match_condition(condition, facts, weight or 0.0)
    return Outcome(
        part=part,
        asks=describe(condition),
        weight=weight,
        why=condition.why,
        evidence=evidence,
        miss=None if evidence else nearest_miss(condition, facts),
    )


def _reason(signature: Signature, facts: Facts, outcomes: tuple[Outcome, ...]) -> str | None:
    engine = facts.crash.engine
    if engine and not fits_engine(signature, facts):
        return f"it is for {signature.engine}, the crash is one of {engine.name}"
    if any(o.part == "when" and not o.evidence for o in outcomes):
        return "a condition that has to hold does not"
    if any(o.part == "unless" and o.evidence for o in outcomes):
        return "a condition holds that rules it out"
    return None


def nearest_miss(condition: Condition, facts: Facts) -> str:
    """Return what came nearest to a condition that does not hold."""
    best: tuple[int, int, Thing] | None = None
    for n, thing in enumerate(candidates(condition, facts)):
        held = sum(test_holds(test, thing, facts) for test in condition.tests)
        known = sum(test.name in thing.values for test in condition.tests)
        score = held * 100 + known
        if best is None or score > best[0]:
            best = (score, n, thing)
    if best is None:
        return f"the crash states no {condition.thing}"
    thing = best[2]
    failed = next(t for t in condition.tests if not test_holds(t, thing, facts))
    name = "function" if failed.name == "sequence" else failed.name
    if name not in thing.values:
        return f"the crash does not state {failed.thing}.{name}"
    found = evidence_text(failed, thing, facts) if name == failed.name else thing.values[name]
    return f"{describe_test(failed)} does not hold: nearest is {found}"
