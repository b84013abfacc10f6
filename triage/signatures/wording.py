"""Conditions in words, for people who ask what a signature looks for."""

from __future__ import annotations

from collections.abc import Iterable

from triage.model.diagnosis import Step
from triage.signatures.fields import Op
from triage.signatures.rule import Condition, Signature, Test, Weighted

_SIGNS = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "=", "ne": "is not"}


def describe(condition: Condition) -> str:
    """Return what a condition asks."""
    if condition.options:
        return "any of: " + "; ".join(describe(option) for option in condition.options)
    tests = " and ".join(describe_test(test) for test in condition.tests)
    scope = f" within {condition.within} frames" if condition.within else ""
    return tests + scope + (" on any thread" if condition.any_thread else "")


def describe_test(test: Test) -> str:
    """Return what a test asks."""
    values = " or ".join(str(value) for value in test.values)
    if test.op is Op.SET:
        return f"{test.field} is {'set' if test.wanted else 'not set'}"
    if test.op is Op.COMPARE:
        parts = [f"{test.field} {_SIGNS[op]} {number:g}" for op, number in test.comparisons]
        return " and ".join(parts)
    return {
        Op.FITS: f"{test.field} is {values}",
        Op.NOT: f"{test.field} is not {values}",
        Op.VERSION: f"{test.field} is in {values}",
        Op.ABOVE: f"{test.field} is above {values}",
        Op.BELOW: f"{test.field} is below {values}",
        Op.REGEX: f"{test.field} has /{values}/",
        Op.SEQUENCE: f"{test.field} is {', '.join(str(v) for v in test.values)}",
    }[test.op]


def show(signature: Signature) -> str:
    """Return everything that a signature says, for a person."""
    lines = [f"{signature.id}: {signature.title}", ""]
    facts = (
        ("family", signature.family),
        ("level", f"{signature.level.value} at most, {signature.base:g} to begin with"),
        ("engine", " or ".join(signature.engines)),
        ("action", signature.action.value if signature.action else None),
        ("cause", signature.cause),
        ("notes", signature.notes),
        ("also", ", ".join(signature.also)),
        ("sources", "; ".join(signature.sources)),
    )
    lines += [f"{name:9}{value}" for name, value in facts if value]
    lines += _section("when every one holds", signature.when)
    lines += _section("more sure with", signature.supports)
    lines += _section("less sure with", signature.against)
    lines += _section("not with", signature.unless)
    if signature.remedy:
        lines += ["", "remedy", f"  {signature.remedy.summary}"]
        for n, step in enumerate(signature.remedy.steps, 1):
            lines.append(f"  {n}. {step.title}{_status(step)}")
            lines += [f"     {line}" for text in step.commands for line in text.splitlines()]
        lines += [f"  check: {c.title}: {c.command}" for c in signature.remedy.verify]
    return "\n".join(lines)


def _status(step: Step) -> str:
    words = " in ".join(part for part in (step.status and step.status.value, step.source) if part)
    return f" ({words})" if words else ""


def _section(title: str, items: Iterable[Condition | Weighted]) -> list[str]:
    lines = []
    for item in items:
        condition = item.condition if isinstance(item, Weighted) else item
        weight = f" ({item.weight:g})" if isinstance(item, Weighted) else ""
        why = f"   # {condition.why}" if condition.why else ""
        lines.append(f"  {describe(condition)}{weight}{why}")
    return ["", title, *lines] if lines else []
