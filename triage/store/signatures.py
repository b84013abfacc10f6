"""The signatures that an analysis uses, looked up in a compiled database."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from triage.signatures.build import build_engine, build_family, build_signature
from triage.signatures.pack import Source
from triage.signatures.rule import EngineRule, Family, Signature
from triage.store.database import forget, open_cached, open_named, read_identity
from triage.store.packs import read_sources
from triage.store.schema import compile_packs, digest

T = TypeVar("T")
# What reading a damaged database can end in.
_DAMAGE = (sqlite3.Error, ValueError, KeyError, TypeError, LookupError)


def open_store(packs: Sequence[Path] = (), db: Path | None = None) -> SignatureStore:
    """Open the shipped signatures and those of further packs, compiled where they are not yet.

    Raises PackError where a pack is wrong and StoreError where `db` cannot be used.
    """
    sources = read_sources(packs)
    identity = digest(sources)
    if db is None:
        return SignatureStore(open_cached(sources, identity), sources, identity)
    return SignatureStore(open_named(db, sources, identity), sources, identity)


class SignatureStore:
    """Signatures, families and engines of the packs that a store was opened with.

    A database that is damaged, or replaced by a process with other packs, is left for one in
    memory: an analysis that has begun is not stopped by it.
    """

    def __init__(
        self, connection: sqlite3.Connection, sources: Sequence[Source], identity: str
    ) -> None:
        self._connection = connection
        self._sources = sources
        self._identity = identity
        self._built: dict[str, Signature] = {}

    def candidates(self, words: frozenset[str]) -> list[Signature]:
        """Return the signatures that may hold for a crash with these words, in order of id."""
        wanted = json.dumps(sorted(words))
        query = (
            "SELECT id, own, body FROM signature WHERE id IN (SELECT signature FROM anchor "
            "WHERE word = '' OR word IN (SELECT value FROM json_each(?))) ORDER BY id"
        )
        return self._signatures(query, wanted)

    def signatures(self) -> list[Signature]:
        """Return every signature in order of id."""
        return self._signatures("SELECT id, own, body FROM signature ORDER BY id")

    def signature(self, signature_id: str) -> Signature | None:
        """Return a signature by its id, None where there is none."""
        found = self._signatures("SELECT id, own, body FROM signature WHERE id = ?", signature_id)
        return found[0] if found else None

    def families(self) -> Mapping[str, Family]:
        """Return every family by its id."""
        return self._families

    def engines(self) -> tuple[EngineRule, ...]:
        """Return the rules that tell engines."""
        return self._engines

    def variables(self) -> frozenset[str]:
        """Return the environment variables that signatures ask about."""
        rows = self._read(lambda: self._rows("SELECT name FROM variable"))
        return frozenset(name for (name,) in rows)

    def log_literals(self) -> tuple[str, ...]:
        """Return texts, in lower case, of which every line that signatures ask for has one."""
        rows = self._read(lambda: self._rows("SELECT text FROM log_literal ORDER BY text"))
        return tuple(text for (text,) in rows)

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    @cached_property
    def _families(self) -> Mapping[str, Family]:
        rows = self._read(lambda: self._tables("SELECT body FROM family ORDER BY id"))
        return {family.id: family for family in map(build_family, rows)}

    @cached_property
    def _engines(self) -> tuple[EngineRule, ...]:
        rows = self._read(lambda: self._tables("SELECT body FROM engine ORDER BY id"))
        return tuple(map(build_engine, rows))

    def _signatures(self, query: str, *values: str) -> list[Signature]:
        return self._read(lambda: [self._build(*row) for row in self._rows(query, *values)])

    def _build(self, signature_id: str, own: str, body: str) -> Signature:
        if signature_id not in self._built:
            self._built[signature_id] = build_signature(json.loads(body), own=bool(own))
        return self._built[signature_id]

    def _tables(self, query: str) -> list[dict[str, Any]]:
        return [json.loads(body) for (body,) in self._rows(query)]

    def _rows(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        connection = self._connection
        connection.execute("BEGIN")
        try:
            if read_identity(connection) != self._identity:
                raise LookupError("another process has replaced the signatures")
            return connection.execute(query, values).fetchall()
        finally:
            if connection.in_transaction:
                connection.rollback()

    def _read(self, read: Callable[[], T]) -> T:
        try:
            return read()
        except _DAMAGE:
            forget(self._identity)
            self._connection.close()
            self._connection = compile_packs(self._sources, self._identity)
            return read()
