"""From the texts of a pack's files to checked tables and their types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from triage.errors import PackError
from triage.signatures.build import build_engine, build_family, build_signature
from triage.signatures.problems import Problems
from triage.signatures.rule import Pack


class Role(StrEnum):
    """What a file of a pack describes."""

    SIGNATURE = "signature"
    FAMILY = "family"
    ENGINE = "engine"
    PACK = "pack"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One file of a pack; `pack` is "" for a signature that is in none.

    `own` says that it is the team's, not one that ships with clawtriage.
    """

    path: str
    role: Role
    stem: str
    text: str
    pack: str = ""
    own: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """The checked tables of every file by id, and where each came from.

    `own` has the ids of the team's signatures, `packs` what each `pack.toml` says, by pack.
    """

    signatures: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    families: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    engines: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    where: dict[str, str] = field(default_factory=dict)
    own: set[str] = field(default_factory=set)
    packs: dict[str, Mapping[str, Any]] = field(default_factory=dict)


def read_tables(sources: Iterable[Source]) -> Tables:
    """Return the tables of all files; raises PackError with every problem of every file."""
    tables, found = collect(sources)
    if found:
        raise PackError(found, hint="check a pack with: clawtriage signature lint PATH")
    return tables


def collect(sources: Iterable[Source]) -> tuple[Tables, list[str]]:
    """Return the tables that are right, and every problem of the others.

    A `pack.toml` that names its pack, or the engines of it, comes before the signatures in it.
    """
    tables = Tables()
    found: list[str] = []
    named: dict[str, str] = {}
    engines: dict[str, Any] = {}
    for given in sources:
        folder = given.path.rpartition("/")[0]
        source = replace(given, pack=named.get(folder, given.pack))
        problems = Problems(source.path)
        table = _parse(source, problems)
        if table and source.role is Role.PACK and isinstance(table.get("name"), str):
            named[folder] = table["name"]
            source = replace(source, pack=table["name"])
        if table and source.role is Role.PACK and "engine" in table:
            engines[folder] = table["engine"]
        if table and source.role is Role.SIGNATURE and folder in engines:
            table.setdefault("engine", engines[folder])
        if table is not None:
            _check(source, table, problems)
        if table is not None and not problems.found:
            _keep(source, table, tables, problems)
        found += problems.found
    return tables, found


def build_pack(tables: Tables) -> Pack:
    """Return the types that checked tables stand for, in order of id."""
    return Pack(
        signatures=tuple(
            build_signature(table, own=name in tables.own)
            for name, table in sorted(tables.signatures.items())
        ),
        families=tuple(build_family(t) for _, t in sorted(tables.families.items())),
        engines=tuple(build_engine(t) for _, t in sorted(tables.engines.items())),
        where=dict(tables.where),
        packs=dict(tables.packs),
    )


def _parse(source: Source, problems: Problems) -> dict[str, Any] | None:
    import tomllib  # a compiled pack is not parsed again

    try:
        return tomllib.loads(source.text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        problems.add("", f"not TOML: {error}; {_way_out(str(error))}")
        return None


def _way_out(message: str) -> str:
    if "Illegal character" in message:
        return "a log with control characters goes into examples/NAME.log, named by `file`"
    return "mind the quotes: a pasted log stands between ''' and '''"


def _check(source: Source, table: Mapping[str, Any], problems: Problems) -> None:
    from triage.signatures.check import (  # a compiled pack is not checked again
        check_engine,
        check_family,
        check_pack,
        check_signature,
    )

    if source.role is Role.SIGNATURE:
        check_signature(table, problems, pack=source.pack, stem=source.stem)
    elif source.role is Role.FAMILY:
        check_family(table, problems, stem=source.stem)
    elif source.role is Role.ENGINE:
        check_engine(table, problems, stem=source.stem)
    else:
        check_pack(table, problems)


def _keep(source: Source, table: Mapping[str, Any], tables: Tables, problems: Problems) -> None:
    kept = {
        Role.SIGNATURE: tables.signatures,
        Role.FAMILY: tables.families,
        Role.ENGINE: tables.engines,
    }.get(source.role)
    if kept is None:
        tables.packs[source.pack] = table
        return
    key = f"{source.role.value} {table['id']}"
    replaces = source.own and table["id"] not in tables.own and source.role is Role.SIGNATURE
    if table["id"] in kept and not replaces:
        problems.add("id", f"{table['id']!r} is also in {tables.where[key]}; rename one of them")
        return
    kept[table["id"]] = table
    tables.where[key] = source.path
    if source.own and source.role is Role.SIGNATURE:
        tables.own.add(table["id"])
