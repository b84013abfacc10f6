"""Why a signature holds for a crash or does not: each condition, and what came nearest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import islice

from triage.model.diagnosis import Level
from triage.model.evidence import Evidence
from triage.signatures.facts import Facts, Thing
from triage.signatures.fields import Op
from triage.signatures.match import (
    candidates,
    confidence_of,
    evidence_text,
    fits_engine,
    level_of,
    match_condition,
    test_holds,
)
from triage.signatures.rule import Condition, Signature, Test
from triage.signatures.wording import describe, describe_test

_MAX_COMPARED = 500
_MAX_TEXT = 200


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

    `level` is None where the signature does not match; `reason` then says why. `arithmetic` is how
    the confidence comes about.
    """

    outcomes: tuple[Outcome, ...]
    confidence: float
    arithmetic: str
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
    return Explanation(
        outcomes=outcomes,
        confidence=confidence,
        arithmetic=_arithmetic(signature, held),
        level=level,
        reason=reason,
    )


def _arithmetic(signature: Signature, held: Sequence[tuple[str, Evidence]]) -> str:
    """Return the base and what each support and contradiction makes of it."""
    supports = [e.weight for part, e in held if part == "supports"]
    against = [e for part, e in held if part == "against"]
    parts = [f"base {signature.base:g}"]
    for n, weight in enumerate(supports, 1):
        so_far = confidence_of(signature.base, supports[:n], ())
        parts.append(f"+{weight:g} of the doubt = {so_far:.2f}")
    for n, evidence in enumerate(against, 1):
        so_far = confidence_of(signature.base, supports, against[:n])
        parts.append(f"-{evidence.weight:g} of it = {so_far:.2f}")
    return "; ".join(parts) + f"; at most {signature.level.value}"


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
        return f"it is for {' or '.join(signature.engines)}, the crash is one of {engine.name}"
    if any(o.part == "when" and not o.evidence for o in outcomes):
        return "a condition that has to hold does not"
    if any(o.part == "unless" and o.evidence for o in outcomes):
        return "a condition holds that rules it out"
    return None


def nearest_miss(condition: Condition, facts: Facts) -> str:
    """Return what came nearest to a condition that does not hold."""
    if condition.options:
        return "; ".join(nearest_miss(option, facts) for option in condition.options)
    things = list(islice(candidates(condition, facts), _MAX_COMPARED))
    if not things:
        return f"the crash states no {condition.thing}"
    thing = max(things, key=lambda t: _nearness(condition, t, facts))
    failed = _failed(condition, thing, facts)
    name = _value_name(failed)
    if name not in thing.values:
        return f"the crash does not state {failed.thing}.{name}"
    found = evidence_text(failed, thing, facts) if name == failed.name else thing.values[name]
    return f"{describe_test(failed)} does not hold: nearest is {found}"


def _failed(condition: Condition, thing: Thing, facts: Facts) -> Test:
    return next(test for test in condition.tests if not test_holds(test, thing, facts))


def _value_name(test: Test) -> str:
    return "function" if test.op is Op.SEQUENCE else test.name


def _nearness(condition: Condition, thing: Thing, facts: Facts) -> tuple[int, int, float]:
    """Return how many tests hold, how many could, and how alike the first that fails is."""
    held = sum(test_holds(test, thing, facts) for test in condition.tests)
    known = sum(_value_name(test) in thing.values for test in condition.tests)
    failed = _failed(condition, thing, facts)
    value = str(thing.values.get(_value_name(failed)) or "")[:_MAX_TEXT].casefold()
    values = failed.values[:1] if failed.op is Op.SEQUENCE else failed.values
    patterns = [str(p)[:_MAX_TEXT].casefold() for p in values if isinstance(p, str)]
    alike = max((SequenceMatcher(a=p, b=value).ratio() for p in patterns), default=0.0)
    return held, known, alike
