"""Where the compiled signatures lie: in the cache folder, in a file that the user names, in memory.

A cached database is a whole file under the name of what it was made from. It is written beside its
place and renamed into it, so that processes which start at once all find a whole one. In a named
file the tables are replaced in one transaction.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tempfile
from collections.abc import Sequence
from pathlib import Path

from triage.errors import StoreError
from triage.parse.cache import cache_folder
from triage.signatures.pack import Source
from triage.store.schema import APPLICATION_ID, SCHEMA, TABLES, compile_packs, mark

_KEPT = 8
_WAIT_S = 20.0


def open_cached(sources: Sequence[Source], identity: str) -> sqlite3.Connection:
    """Return the compiled signatures from the cache, which is filled where it has none."""
    folder = cache_folder()
    path = folder / f"signatures-{identity[:32]}.db" if folder else None
    if path is not None:
        found = _open_sound(path, identity)
        if found is not None:
            return found
    built = compile_packs(sources, identity)
    if path is not None:
        _write_beside(path, built.serialize())
        _forget_old(path.parent)
    return built


def open_named(path: Path, sources: Sequence[Source], identity: str) -> sqlite3.Connection:
    """Return the compiled signatures from a file, which is brought up to date first.

    Raises StoreError where the file is not a database of clawtriage, is of a newer version, or
    cannot be read or, where it must be, written.
    """
    if path.exists() and not path.is_file():
        raise StoreError(f"{path} is not a file", hint="name a file; it is made if need be")
    try:
        if path.exists() and _identity(path) == identity:
            return _read_only(path)
        _replace(path, compile_packs(sources, identity), identity)
        return _read_only(path)
    except sqlite3.Error as error:
        raise StoreError(f"{path}: {error}", hint=_hint(path, error)) from error
    except OSError as error:
        hint = "check the folder and who may write it, or leave --db out"
        raise StoreError(f"{path}: {error.strerror or error}", hint=hint) from error


def read_identity(connection: sqlite3.Connection) -> str | None:
    """Return what the signatures in a database were made from; None where there are none."""
    try:
        row = connection.execute("SELECT value FROM meta WHERE key = 'hash'").fetchone()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            return None
        raise
    return str(row[0]) if row else None


def forget(identity: str) -> None:
    """Remove a cached database that turned out to be damaged."""
    folder = cache_folder()
    if folder:
        with contextlib.suppress(OSError):
            (folder / f"signatures-{identity[:32]}.db").unlink()


def _open_sound(path: Path, identity: str) -> sqlite3.Connection | None:
    """Open a cached database; one that is damaged is removed and counts as missing."""
    if not path.is_file():
        return None
    connection = None
    try:
        connection = _read_only(path)
        sound = connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",)
        if sound and read_identity(connection) == identity:
            return connection
    except sqlite3.Error:
        pass
    if connection is not None:
        connection.close()
    forget(identity)
    return None


def _read_only(path: Path) -> sqlite3.Connection:
    # `?` and `#` in a name would end the path of the URI.
    uri = f"{path.resolve().as_uri()}?mode=ro"
    return sqlite3.connect(uri, uri=True, timeout=_WAIT_S, check_same_thread=False)


def _identity(path: Path) -> str | None:
    with contextlib.closing(_read_only(path)) as connection:
        _require_ours(path, connection)
        return read_identity(connection)


def _require_ours(path: Path, connection: sqlite3.Connection) -> None:
    mark_found = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    used = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if used and mark_found != APPLICATION_ID:
        raise StoreError(
            f"{path} is a database of another program",
            hint="name a file that does not exist yet: it is made, with the signatures in it",
        )
    if used and version > SCHEMA:
        raise StoreError(
            f"{path} was written by a newer clawtriage (schema {version}, this one knows {SCHEMA})",
            hint="update clawtriage, or give this one a --db of its own",
        )


def _replace(path: Path, built: sqlite3.Connection, identity: str) -> None:
    """Put the tables into a named file, all at once or not at all."""
    connection = sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None)
    with contextlib.closing(connection):
        connection.execute("BEGIN IMMEDIATE")
        try:
            _require_ours(path, connection)
            # Another process may have done it while this one waited.
            if read_identity(connection) != identity:
                _copy(built, connection)
                mark(connection)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def _copy(built: sqlite3.Connection, into: sqlite3.Connection) -> None:
    for name in TABLES:
        into.execute(f"DROP TABLE IF EXISTS {name}")
        query = "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?"
        into.execute(built.execute(query, (name,)).fetchone()[0])
        rows = built.execute(f"SELECT * FROM {name}").fetchall()  # noqa: S608 - names of our own
        if rows:
            marks = ", ".join("?" * len(rows[0]))
            into.executemany(f"INSERT INTO {name} VALUES ({marks})", rows)  # noqa: S608


def _hint(path: Path, error: sqlite3.Error) -> str:
    text = str(error)
    if "not a database" in text or "malformed" in text:
        return f"it is damaged or something else; remove it if it was a --db: rm {path}"
    if "locked" in text:
        return "another process is writing it; try again, or give each its own --db"
    if "readonly" in text:
        return "its signatures are not those of this run, and it cannot be written; check its mode"
    return "check the folder and who may read and write it, or leave --db out"


def _write_beside(path: Path, data: bytes) -> None:
    """Write a file in one step; a full disk is no error, the next run tries again."""
    try:
        descriptor, new = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    except OSError:
        return
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        Path(new).replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            Path(new).unlink()


def _forget_old(folder: Path) -> None:
    """Remove all but the newest databases: every edit of a pack makes another."""
    with contextlib.suppress(OSError):
        files = sorted(folder.glob("signatures-*.db"), key=lambda p: p.stat().st_mtime_ns)
        for path in files[:-_KEPT]:
            with contextlib.suppress(OSError):
                path.unlink()
