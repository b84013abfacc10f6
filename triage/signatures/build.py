"""From a checked TOML table to a signature, family or engine rule.

Nothing is checked here: the compiled database holds tables that `check` has passed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from triage.model.diagnosis import Action, Check, Level, Remedy, Step, StepStatus
from triage.signatures.fields import FieldType, Op, find_field
from triage.signatures.rule import (
    Advice,
    Condition,
    EngineRule,
    Example,
    Family,
    Rule,
    Signature,
    Test,
    Weighted,
)

Table = Mapping[str, Any]
ANY = "any"
COMPARISONS = ("lt", "le", "gt", "ge", "eq", "ne")
CONDITION_KEYS = ("why", "within", "thread", "weight")
"""Keys of a condition that are not tests; `thread` is a thing too where it holds a table."""


def build_signature(table: Table, *, own: bool = False) -> Signature:
    """Return the signature that a table describes; `own` where it is the team's."""
    remedy = table.get("remedy")
    return Signature(
        id=table["id"],
        title=table["title"],
        family=table["family"],
        level=Level(table["level"]),
        base=float(table["base"]),
        when=build_conditions(table["when"]),
        supports=_weighted(table.get("supports", ())),
        against=_weighted(table.get("against", ())),
        unless=build_conditions(table.get("unless", ())),
        engines=_values(table.get("engine", [])),
        action=_action(table),
        cause=table.get("cause"),
        sources=tuple(table.get("sources", ())),
        notes=table.get("notes"),
        also=tuple(table.get("also", ())),
        remedy=_remedy(remedy) if remedy else None,
        calculate=tuple(remedy.get("calculate", ())) if remedy else (),
        own=own,
        examples=tuple(
            Example(
                name=e["name"],
                matches=e["expect"] == "match",
                log=e.get("log"),
                file=e.get("file"),
            )
            for e in table.get("example", ())
        ),
    )


def build_family(table: Table) -> Family:
    """Return the family that a table describes."""
    return Family(
        id=table["id"],
        title=table["title"],
        explanation=table.get("explanation"),
        action=_action(table),
        next_evidence=tuple(
            Advice(text=a.get("text", ""), command=a.get("command"), piece=a.get("piece"))
            for a in table.get("next_evidence", ())
        ),
        rules=_rules(table),
    )


def build_engine(table: Table) -> EngineRule:
    """Return the engine rule that a table describes."""
    return EngineRule(
        id=table["id"],
        title=table["title"],
        embeds=tuple(table.get("embeds", ())),
        rules=_rules(table),
    )


def build_conditions(tables: Iterable[Table]) -> tuple[Condition, ...]:
    """Return conditions in the order that they were written in."""
    return tuple(_condition(table) for table in tables)


def is_setting(key: str, value: object) -> bool:
    """Tell a condition's setting from a thing with the same name."""
    return key in CONDITION_KEYS and not isinstance(value, Mapping)


def build_tests(thing: str, name: str, value: Any) -> Iterator[Test]:
    """Yield the tests that a value stands for: one, or one for each operator in a table."""
    field = find_field(f"{thing}.{name}")
    kind = field.type if field else FieldType.TEXT
    if kind is FieldType.SEQUENCE:
        yield Test(thing=thing, name=name, type=kind, op=Op.SEQUENCE, values=tuple(value))
        return
    if not isinstance(value, Mapping):
        yield Test(thing=thing, name=name, type=kind, op=Op.FITS, values=_values(value))
        return
    compared = tuple((key, float(value[key])) for key in COMPARISONS if key in value)
    if compared:
        yield Test(thing=thing, name=name, type=kind, op=Op.COMPARE, comparisons=compared)
    for op in (Op.VERSION, Op.ABOVE, Op.BELOW, Op.REGEX, Op.NOT):
        if op in value:
            yield Test(thing=thing, name=name, type=kind, op=op, values=_values(value[op]))
    if Op.SET in value:
        yield Test(thing=thing, name=name, type=kind, op=Op.SET, wanted=value[Op.SET])


def _condition(table: Table) -> Condition:
    if ANY in table:
        options = tuple(_condition(option) for option in table[ANY])
        return Condition(thing=ANY, tests=(), options=options, why=table.get("why"))
    thing = next(key for key, value in table.items() if not is_setting(key, value))
    thread = table.get("thread")
    return Condition(
        thing=thing,
        tests=tuple(
            test for name, value in table[thing].items() for test in build_tests(thing, name, value)
        ),
        why=table.get("why"),
        within=table.get("within"),
        any_thread=thread == "any",
    )


def _weighted(tables: Iterable[Table]) -> tuple[Weighted, ...]:
    return tuple(Weighted(condition=_condition(t), weight=float(t["weight"])) for t in tables)


def _rules(table: Table) -> tuple[Rule, ...]:
    return tuple(
        Rule(weight=float(rule["weight"]), when=build_conditions(rule["when"]))
        for rule in table.get("rule", ())
    )


def _values(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list) else (value,)


def _action(table: Table) -> Action | None:
    return Action(table["action"]) if "action" in table else None


def _remedy(table: Table) -> Remedy:
    return Remedy(
        summary=table["summary"],
        steps=tuple(
            Step(
                title=s["title"],
                why=s.get("why"),
                commands=tuple(s.get("commands", ())),
                before=s.get("before"),
                after=s.get("after"),
                status=StepStatus(s["status"]) if "status" in s else None,
                source=s.get("source"),
            )
            for s in table.get("step", ())
        ),
        verify=tuple(
            Check(title=v["title"], command=v["command"], expect=v.get("expect"))
            for v in table.get("verify", ())
        ),
        references=tuple(table.get("references", ())),
    )
