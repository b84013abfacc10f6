"""Compiles packs into the tables of a database.

sqlite-utils writes them, and is imported here alone: it takes longer than an analysis.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from triage import __version__
from triage.signatures.anchors import (
    log_literals,
    possible_anchors,
    rule_conditions,
    signature_anchors,
    variables,
)
from triage.signatures.pack import Source, build_pack, read_tables
from triage.signatures.rule import Condition, Pack

SCHEMA = 4
APPLICATION_ID = 0x434C5457
TABLES = ("meta", "signature", "anchor", "family", "engine", "log_literal", "variable")


def digest(sources: Iterable[Source]) -> str:
    """Return the identity of packs as this version of clawtriage compiles them."""
    total = hashlib.sha256(f"{SCHEMA} {__version__}\n".encode())
    for source in sources:
        data = source.text.encode()
        whose = "own" if source.own else "shipped"
        name = f"{whose} {source.role} {source.pack}/{source.stem} {len(data)}\n"
        total.update(name.encode("utf-8", "surrogateescape"))
        total.update(data)
    return total.hexdigest()


def compile_packs(sources: Sequence[Source], identity: str) -> sqlite3.Connection:
    """Return a database in memory with everything in the packs.

    Raises PackError with every problem that they have.
    """
    from sqlite_utils import Database  # see above

    tables = read_tables(sources)
    pack = build_pack(tables)
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    database = Database(connection)
    meta = {"schema": str(SCHEMA), "hash": identity}
    _fill(database, "meta", ("key", "value"), meta.items(), key="key")
    _fill(
        database,
        "signature",
        ("id", "level", "own", "body"),
        (
            (s.id, s.level.value, "own" if s.own else "", _body(tables.signatures[s.id]))
            for s in pack.signatures
        ),
        key="id",
    )
    _fill(database, "anchor", ("word", "signature"), _anchors(pack), key=("word", "signature"))
    for name, bodies in (("family", tables.families), ("engine", tables.engines)):
        rows = ((key, _body(table)) for key, table in sorted(bodies.items()))
        _fill(database, name, ("id", "body"), rows, key="id")
    literals = sorted(log_literals(_conditions(pack)))
    _fill(database, "log_literal", ("text",), ((text,) for text in literals), key="text")
    asked = sorted(variables(_conditions(pack)))
    _fill(database, "variable", ("name",), ((name,) for name in asked), key="name")
    connection.commit()
    mark(connection)
    return connection


def mark(connection: sqlite3.Connection) -> None:
    """Mark a database as clawtriage's, of this schema."""
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA}")


def _fill(
    database: Any, name: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, key: Any
) -> None:
    table = database[name]
    table.create(dict.fromkeys(columns, str), pk=key)
    table.insert_all(dict(zip(columns, row, strict=True)) for row in rows)


def _anchors(pack: Pack) -> Iterable[tuple[str, str]]:
    """Yield the anchors of each signature; an empty word for one that is always tried."""
    shared = Counter(word for s in pack.signatures for word in possible_anchors(s))
    for signature in pack.signatures:
        for word in sorted(signature_anchors(signature, shared)) or [""]:
            yield word, signature.id


def _conditions(pack: Pack) -> tuple[Condition, ...]:
    rules = [rule for family in pack.families for rule in family.rules]
    rules += [rule for engine in pack.engines for rule in engine.rules]
    return (*(c for s in pack.signatures for c in s.conditions), *rule_conditions(rules))


def _body(table: Any) -> str:
    """Return a table as JSON, without the examples: they are for the pack's author."""
    kept = {key: value for key, value in table.items() if key != "example"}
    return json.dumps(kept, ensure_ascii=False, default=str)
