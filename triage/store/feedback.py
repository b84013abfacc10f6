"""What people said of reports: kept in a database, read before crashes are diagnosed.

A report counts once for a signature: what is said later stands in the place of what was said.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from triage.errors import StoreError
from triage.model.diagnosis import Feedback
from triage.store.schema import APPLICATION_ID

_HISTORY_ID = 0x434C5448
_TABLE = (
    "CREATE TABLE IF NOT EXISTS feedback (report TEXT, signature TEXT, right INTEGER NOT NULL, "
    "PRIMARY KEY (report, signature))"
)
_WAIT_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What was said of one signature in one report, which is named by what its inputs hold."""

    report: str
    signature: str
    right: bool


def default_path() -> Path:
    """Return the file in the user's data folder; CLAWTRIAGE_DATA_DIR names another folder."""
    folder = os.environ.get("CLAWTRIAGE_DATA_DIR")
    if folder:
        return Path(folder) / "feedback.db"
    from platformdirs import user_data_path  # only where nothing is set

    return Path(user_data_path("clawtriage")) / "feedback.db"


def read_feedback(db: Path | None) -> Mapping[str, Feedback]:
    """Return what was said by signature, from `db` where it has any, else from the default file.

    Raises StoreError where a file that is there cannot be read.
    """
    for path in (db, default_path()):
        if path is None or not path.is_file():
            continue
        with _explained(path), contextlib.closing(_read_only(path)) as connection:
            if not _has_table(connection):
                continue
            rows = connection.execute(
                "SELECT signature, sum(right), count(*) FROM feedback GROUP BY signature"
            )
            return {str(s): Feedback(right=right, wrong=n - right) for s, right, n in rows}
    return {}


def keep(path: Path, opinions: Iterable[Opinion]) -> None:
    """Put opinions into a database, which is made where there is none.

    Raises StoreError where the file is a database of another program or cannot be written.
    """
    with _explained(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None)
        with contextlib.closing(connection):
            connection.execute("BEGIN IMMEDIATE")
            try:
                _require_ours(path, connection)
                connection.execute(_TABLE)
                connection.executemany(
                    "INSERT OR REPLACE INTO feedback VALUES (?, ?, ?)",
                    [(o.report, o.signature, int(o.right)) for o in opinions],
                )
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise


def _require_ours(path: Path, connection: sqlite3.Connection) -> None:
    mark = connection.execute("PRAGMA application_id").fetchone()[0]
    used = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if used and mark not in (APPLICATION_ID, _HISTORY_ID):
        raise StoreError(
            f"{path} is a database of another program",
            hint="name a file that does not exist yet, or leave --db out",
        )
    if not used:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def _has_table(connection: sqlite3.Connection) -> bool:
    query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'feedback'"
    return connection.execute(query).fetchone() is not None


def _read_only(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=_WAIT_S)


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what SQLite and the system say into an error with a way out."""
    try:
        yield
    except sqlite3.Error as error:
        hint = f"remove it if it holds nothing but feedback: rm {path}"
        raise StoreError(f"{path}: {error}", hint=hint) from error
    except OSError as error:
        hint = "check the folder and who may write it, or name another file with --db"
        raise StoreError(f"{path}: {error.strerror or error}", hint=hint) from error
