"""Checks the tables of a pack, so that `build` can take them as they are.

Every problem is collected as `path: key: what, and what to do`; none ends the check.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from triage.calculators import calculator_names
from triage.knowledge import pieces
from triage.model.diagnosis import Action, Level, StepStatus
from triage.signatures.check_condition import check_condition
from triage.signatures.placeholders import PLACEHOLDER, is_known
from triage.signatures.problems import Problems

ID = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
Check = Callable[[Problems, str, Any], None]


def check_signature(table: Mapping[str, Any], problems: Problems, *, pack: str, stem: str) -> None:
    """Check a signature's table; `pack` is "" where the file is in none."""
    _table(problems, "", table, _SIGNATURE, required=_SIGNATURE_REQUIRED)
    own = table.get("id")
    expected = f"{pack}/{stem}"
    if isinstance(own, str) and own:
        if pack and own != expected:
            problems.add(
                "id", f"{own!r} does not fit the file; write {expected!r} or move the file"
            )
        elif not all(ID.fullmatch(part) for part in own.split("/")) or own.count("/") != 1:
            problems.add("id", f"{own!r} is not PACK/NAME in lower case letters, digits and dashes")


def check_family(table: Mapping[str, Any], problems: Problems, *, stem: str) -> None:
    """Check a family's table."""
    _table(problems, "", table, _FAMILY, required=("id", "title", "action"))
    _same_stem(table, problems, stem)


def check_engine(table: Mapping[str, Any], problems: Problems, *, stem: str) -> None:
    """Check an engine's table."""
    _table(problems, "", table, _ENGINE, required=("id", "title"))
    _same_stem(table, problems, stem)


def check_pack(table: Mapping[str, Any], problems: Problems) -> None:
    """Check the table of a `pack.toml`."""
    _table(problems, "", table, _PACK, required=())


def _same_stem(table: Mapping[str, Any], problems: Problems, stem: str) -> None:
    if isinstance(table.get("id"), str) and table["id"] != stem:
        problems.add("id", f"{table['id']!r} does not fit the file; write {stem!r}")


def _table(
    problems: Problems, key: str, table: Any, known: Mapping[str, Check], required: Iterable[str]
) -> None:
    if not isinstance(table, Mapping):
        problems.add(key, "a table is wanted here")
        return
    for name, value in table.items():
        where = f"{key}.{name}" if key else name
        if name in known:
            known[name](problems, where, value)
        else:
            problems.unknown(where, name, known, "not a key of this table")
    for name in required:
        if name not in table:
            problems.add(f"{key}.{name}" if key else name, "missing; add it")


def _text(problems: Problems, key: str, value: Any) -> None:
    if not isinstance(value, str) or not value.strip():
        problems.add(key, "a text that is not empty is wanted")


def _text_or_texts(problems: Problems, key: str, value: Any) -> None:
    (_list_of(_text, least=0) if isinstance(value, list) else _text)(problems, key, value)


def _schema(problems: Problems, key: str, value: Any) -> None:
    if value != 1 or isinstance(value, bool):
        problems.add(key, f"{value!r} is not known to this clawtriage; write 1 or update it")


def _fraction(problems: Problems, key: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
        problems.add(key, f"{value!r} is not a number above 0 and up to 1")


def _one_of(options: Iterable[str]) -> Check:
    known = tuple(options)

    def check(problems: Problems, key: str, value: Any) -> None:
        if value not in known:
            problems.unknown(key, value, known, "not known here")

    return check


def _list_of(check_item: Check, *, least: int = 1) -> Check:
    def check(problems: Problems, key: str, value: Any) -> None:
        if not isinstance(value, list) or len(value) < least:
            problems.add(key, "a list that is not empty is wanted")
            return
        for n, item in enumerate(value, 1):
            check_item(problems, f"{key}[{n}]", item)

    return check


def _table_of(known: Mapping[str, Check], *required: str) -> Check:
    def check(problems: Problems, key: str, value: Any) -> None:
        _table(problems, key, value, known, required)

    return check


def _plain(problems: Problems, key: str, value: Any) -> None:
    check_condition(problems, key, value, weighted=False)


def _weighted(problems: Problems, key: str, value: Any) -> None:
    check_condition(problems, key, value, weighted=True)
    if isinstance(value, Mapping):
        if "weight" in value:
            _fraction(problems, f"{key}.weight", value["weight"])
        else:
            problems.add(f"{key}.weight", "missing; say how much this moves the confidence, 0 to 1")


def _command(problems: Problems, key: str, value: Any) -> None:
    _text(problems, key, value)
    for match in PLACEHOLDER.finditer(value) if isinstance(value, str) else ():
        name = match["name"]
        if "." in name and not is_known(name):
            problems.add(key, f"${{{name}:-…}} names no field and no calculator")


def _example(problems: Problems, key: str, value: Any) -> None:
    known = {
        "name": _text,
        "expect": _one_of(("match", "no-match")),
        "log": _text,
        "file": _inside,
    }
    _table(problems, key, value, known, ("name", "expect"))
    if isinstance(value, Mapping) and ("log" in value) == ("file" in value):
        problems.add(key, "an example has either `log` or `file`")


def _inside(problems: Problems, key: str, value: Any) -> None:
    _text(problems, key, value)
    if isinstance(value, str) and (value.startswith("/") or ".." in value.split("/")):
        problems.add(key, "an example lies beside its signature: write examples/NAME.log")


_STEP: dict[str, Check] = {
    "title": _text,
    "why": _text,
    "commands": _list_of(_command),
    "before": _command,
    "after": _command,
    "status": _one_of(status.value for status in StepStatus),
    "source": _text,
}
_REMEDY: dict[str, Check] = {
    "summary": _text,
    "calculate": _list_of(_one_of(calculator_names())),
    "references": _list_of(_text),
    "step": _list_of(_table_of(_STEP, "title")),
    "verify": _list_of(
        _table_of({"title": _text, "command": _command, "expect": _text}, "title", "command")
    ),
}
_RULE: dict[str, Check] = {"weight": _fraction, "when": _list_of(_plain)}
_RULES = _list_of(_table_of(_RULE, "weight", "when"))
_ACTION = _one_of(action.value for action in Action)
_SIGNATURE: dict[str, Check] = {
    "schema": _schema,
    "id": _text,
    "title": _text,
    "family": _text,
    "level": _one_of(level.value for level in Level),
    "action": _ACTION,
    "base": _fraction,
    "engine": _text_or_texts,
    "cause": _text,
    "sources": _list_of(_text, least=0),
    "notes": _text,
    "also": _list_of(_text, least=0),
    "when": _list_of(_plain),
    "supports": _list_of(_weighted),
    "against": _list_of(_weighted),
    "unless": _list_of(_plain),
    "remedy": _table_of(_REMEDY, "summary"),
    "example": _list_of(_example),
}
_SIGNATURE_REQUIRED = (
    *("schema", "id", "title", "family", "level", "base", "cause", "when", "remedy"),
)


def _advice(problems: Problems, key: str, value: Any) -> None:
    """Check something to collect: words, the name of a piece that has them, or both."""
    _table_of({"text": _text, "command": _text, "piece": _text})(problems, key, value)
    if isinstance(value, dict):
        piece = value.get("piece")
        if piece is None and "text" not in value:
            problems.add(key, "text or piece is missing")
        elif isinstance(piece, str) and "text" not in value and piece not in pieces():
            problems.add(f"{key}.piece", f"no piece is called {piece!r}: {', '.join(pieces())}")


_FAMILY: dict[str, Check] = {
    "schema": _schema,
    "id": _text,
    "title": _text,
    "explanation": _text,
    "action": _ACTION,
    "next_evidence": _list_of(_advice, least=0),
    "rule": _RULES,
}
_ENGINE: dict[str, Check] = {
    "schema": _schema,
    "id": _text,
    "title": _text,
    "embeds": _list_of(_text, least=0),
    "rule": _RULES,
}
_PACK: dict[str, Check] = {
    "schema": _schema,
    **dict.fromkeys(
        ("name", "title", "version", "owner", "license", "licence", "description", "notes"), _text
    ),
    "engine": _text_or_texts,
    "sources": _list_of(_text, least=0),
}
