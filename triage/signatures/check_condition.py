"""Checks one condition: its thing, its fields, and what it asks of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from triage.signatures.build import ANY, COMPARISONS, build_tests, is_setting
from triage.signatures.fields import (
    OPERATORS,
    THINGS,
    Field,
    FieldType,
    Op,
    fields_of,
    find_field,
)
from triage.signatures.literal import MIN_LITERAL, value_literal
from triage.signatures.problems import Problems, names
from triage.signatures.regex import regex_problem
from triage.text.version import parse_range

_KEYS = ("why", "within", "thread")
_LISTED = (Op.NOT,)


def check_condition(problems: Problems, key: str, value: Any, *, weighted: bool) -> None:
    """Check a condition's table."""
    if not isinstance(value, Mapping):
        problems.add(key, 'a table such as frame.function = "name" is wanted')
        return
    allowed = (*_KEYS, "weight") if weighted else _KEYS
    if ANY in value:
        _alternatives(problems, key, value, weighted=weighted)
        return
    things = [name for name, item in value.items() if not is_setting(name, item)]
    for name, item in value.items():
        if is_setting(name, item):
            _setting(problems, f"{key}.{name}", name, item, allowed)
    if len(things) != 1:
        problems.add(
            key,
            f"a condition is about one thing, this is about {names(things)}; write a table for each"
            if things
            else f"asks nothing; name a field of {names(THINGS)}",
        )
    for thing in things:
        _thing(problems, f"{key}.{thing}", thing, value[thing])
    _scope(problems, key, value, things)


def _alternatives(
    problems: Problems, key: str, value: Mapping[str, Any], *, weighted: bool
) -> None:
    """Check a condition that is a list of conditions, of which one must hold."""
    for name in value:
        if name not in (ANY, "why", *(("weight",) if weighted else ())):
            problems.add(f"{key}.{name}", f"belongs into one of the conditions in {key}.{ANY}")
    options = value[ANY]
    if not isinstance(options, list) or len(options) < 2:
        problems.add(f"{key}.{ANY}", "a list of two or more conditions is wanted")
        return
    for n, option in enumerate(options, 1):
        where = f"{key}.{ANY}[{n}]"
        if isinstance(option, Mapping) and ANY in option:
            problems.add(where, f"{ANY} inside {ANY} is not possible; write one list")
        else:
            check_condition(problems, where, option, weighted=False)


def _setting(problems: Problems, key: str, name: str, value: Any, allowed: tuple[str, ...]) -> None:
    if name not in allowed:
        problems.add(key, "only [[supports]] and [[against]] have a weight; remove it")
    elif name == "why" and not (isinstance(value, str) and value.strip()):
        problems.add(key, "a text is wanted")
    elif name == "within" and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        problems.add(key, f"{value!r} is not a number of frames, 1 or more")
    elif name == "thread" and value != "any":
        problems.add(key, f'{value!r} is not known; write "any", or leave it out')


def _scope(problems: Problems, key: str, value: Mapping[str, Any], things: list[str]) -> None:
    if "within" in value and "frame" not in things:
        problems.add(f"{key}.within", "only frames are counted; remove it")
    if value.get("thread") == "any" and "frame" not in things:
        problems.add(f"{key}.thread", "only frames and threads are of a thread; remove it")


def _thing(problems: Problems, key: str, thing: str, value: Any) -> None:
    if thing not in THINGS:
        problems.unknown(key, thing, (*THINGS, *_KEYS), "not something that a crash has")
    elif not isinstance(value, Mapping) or not value:
        problems.add(key, f"name a field: {names(f.full_name for f in fields_of(thing))}")
    else:
        for name, item in value.items():
            _field(problems, key, thing, name, item)


def _field(problems: Problems, key: str, thing: str, name: str, value: Any) -> None:
    field = find_field(f"{thing}.{name}")
    where = f"{key}.{name}"
    if field is None:
        known = [f.full_name for f in fields_of(thing)]
        problems.unknown(where, f"{thing}.{name}", known, f"not a field of {_a(thing)}")
    elif field.type is FieldType.SEQUENCE:
        _sequence(problems, where, value)
    elif isinstance(value, Mapping):
        _operators(problems, where, field, name, value)
    else:
        _patterns(problems, where, field, value)
        _log(problems, where, field, name, value)


def _a(thing: str) -> str:
    return f"an {thing}" if thing[0] in "aeo" else f"a {thing}"


def _sequence(problems: Problems, key: str, value: Any) -> None:
    if not isinstance(value, list) or not all(isinstance(v, str) and v for v in value):
        problems.add(key, 'a list of function names is wanted, such as ["abort", "*", "free"]')
    elif len(value) < 2 or "*" in (value[0], value[-1]):
        problems.add(key, "a sequence starts and ends with a function's name, and has two or more")


def _operators(
    problems: Problems, key: str, field: Field, name: str, value: Mapping[str, Any]
) -> None:
    allowed = _operator_names(field)
    if not value:
        problems.add(key, f"asks nothing; use one of {names(allowed)}")
    for operator, item in value.items():
        where = f"{key}.{operator}"
        if operator not in allowed:
            problems.unknown(where, operator, allowed, f"not something to ask of {field.full_name}")
        elif operator in COMPARISONS:
            if isinstance(item, bool) or not isinstance(item, int | float):
                problems.add(where, f"{item!r} is not a number")
        else:
            _CHECKS[Op(operator)](problems, where, field, item)
            if operator == Op.REGEX:
                _log(problems, where, field, name, {operator: item})


def _operator_names(field: Field) -> list[str]:
    allowed = OPERATORS[field.type]
    found = [op.value for op in Op if op in allowed and op not in (Op.FITS, Op.COMPARE)]
    return [*found, *COMPARISONS] if Op.COMPARE in allowed else found


def _patterns(problems: Problems, key: str, field: Field, value: Any) -> None:
    items = value if isinstance(value, list) else [value]
    if not items:
        problems.add(key, "an empty list fits nothing; remove it or fill it")
    for item in items:
        _pattern(problems, key, field, item)


def _pattern(problems: Problems, key: str, field: Field, item: Any) -> None:
    if isinstance(item, bool) or not isinstance(item, str | int | float):
        problems.add(key, f"{item!r} is neither a text nor a number")
    elif isinstance(item, str):
        if field.type is FieldType.NUMBER:
            problems.add(key, f"{item!r} is a text; {field.full_name} is a number, without quotes")
        elif not item.strip("*"):
            problems.add(key, f"{item!r} fits everything; write {{ set = true }} if that is meant")
    elif field.type not in (FieldType.NUMBER, FieldType.VALUE, FieldType.HEX):
        problems.add(key, f'{item!r} is a number; {field.full_name} is a text, write "{item}"')


def _version(problems: Problems, key: str, field: Field, value: Any) -> None:
    del field
    try:
        parse_range(value)
    except (ValueError, AttributeError):
        problems.add(key, f'{value!r} is not a range of versions; write ">=0.9,<1.0"')


def _other(problems: Problems, key: str, field: Field, value: Any) -> None:
    if value == field.full_name:
        problems.add(key, "compares the field with itself; name another one")
    elif not isinstance(value, str) or find_field(value) is None:
        known = [f.full_name for thing in THINGS for f in fields_of(thing)]
        problems.unknown(key, value, known, "not a field of a crash")


def _set(problems: Problems, key: str, field: Field, value: Any) -> None:
    if not isinstance(value, bool):
        problems.add(key, f"{value!r} is neither true nor false")
    elif not value and field.thing != "variable":
        problems.add(key, "only of an environment variable can it be known that it has no value")


def _regex(problems: Problems, key: str, field: Field, value: Any) -> None:
    del field
    problem = regex_problem(value) if isinstance(value, str) else "a text in '…' is wanted"
    if problem:
        problems.add(key, problem)


def _log(problems: Problems, key: str, field: Field, name: str, value: Any) -> None:
    """Check that each pattern for a line has a text by which such lines can be found."""
    if field.thing != "log":
        return
    for test in build_tests("log", name, value):
        for item in test.values:
            if test.op is Op.REGEX and regex_problem(str(item)):
                continue
            if len(value_literal(test.op, str(item))) < MIN_LITERAL:
                problems.add(
                    key,
                    f"{item!r} has no {MIN_LITERAL} characters in a row that are always the same, "
                    "by which lines are found; say more of the line",
                )


_CHECKS = {
    Op.VERSION: _version,
    Op.ABOVE: _other,
    Op.BELOW: _other,
    Op.SET: _set,
    Op.REGEX: _regex,
    Op.NOT: _patterns,
}
