"""The compiled signatures: looked up, cached, shared, replaced, damaged."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from triage.errors import ExitCode, PackError, StoreError
from triage.signatures.build import build_signature
from triage.store.signatures import SignatureStore, open_store


def _ids(store: SignatureStore, *words: str) -> list[str]:
    return [s.id for s in store.candidates(frozenset(words))]


def _databases(cache: Path) -> list[Path]:
    return sorted(cache.glob("signatures-*.db"))


def test_candidates_are_found_by_words(acme: Path) -> None:
    store = open_store([acme])
    assert _ids(store) == ["acme/always"]
    assert _ids(store, "remap_kernel", "x") == ["acme/always", "acme/word"]
    assert _ids(store, "=device-side assert") == ["acme/always", "acme/log"]
    assert _ids(store, "device", "assert", "REMAP_KERNEL") == ["acme/always"]
    assert [s.id for s in store.signatures()] == ["acme/always", "acme/log", "acme/word"]


def test_everything_else_in_a_store(acme: Path) -> None:
    store = open_store([acme])
    assert store.signature("acme/word").title == "T word"
    assert store.signature("acme/none") is None
    assert store.families()["other"].title == "Other"
    assert [e.id for e in store.engines()] == ["openclaw"]
    assert store.variables() == {"CLAW_VRAM_LIMIT"}
    assert store.log_literals() == ("device-side assert",)


def test_what_is_read_back_is_what_was_written(acme: Path) -> None:
    table = tomllib.loads((acme / "log.toml").read_text())
    assert open_store([acme]).signature("acme/log") == build_signature(table, own=True)


def test_the_cache_is_used_and_follows_the_packs(
    acme: Path, cache: Path, write_signature, monkeypatch
) -> None:
    open_store([acme]).close()
    (first,) = _databases(cache)
    assert stat.S_IMODE(first.stat().st_mode) == 0o600

    with monkeypatch.context() as patch:
        patch.setattr("triage.store.database.compile_packs", _never)
        assert len(open_store([acme]).signatures()) == 3
    write_signature(acme, "new", 'frame.function = "fresh"')
    assert _ids(open_store([acme]), "fresh") == ["acme/always", "acme/new"]
    assert len(_databases(cache)) == 2


def _never(*args: object) -> sqlite3.Connection:
    raise AssertionError("compiled again")


def test_old_databases_are_removed(acme: Path, cache: Path, write_signature) -> None:
    for n in range(12):
        write_signature(acme, "word", f'frame.function = "f{n}"')
        open_store([acme]).close()
    assert len(_databases(cache)) == 8


def test_the_warm_path_imports_neither_compiler_nor_toml(acme: Path, shipped: Path) -> None:
    code = f"""
        import sys, time
        from pathlib import Path
        import triage.store.packs as packs
        packs.data_dir = lambda kind: Path({str(shipped)!r})
        from triage.store.signatures import open_store
        open_store([Path({str(acme)!r})]).candidates(frozenset({{"remap_kernel"}}))
        print("sqlite_utils" in sys.modules, "tomllib" in sys.modules)
    """
    assert _python(code) == "True True"
    assert _python(code) == "False False"


def _python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.mark.parametrize("damage", ["cut", "noise", "empty", "pages", "other-hash"])
def test_a_damaged_cache_is_made_again(damage: str, acme: Path, cache: Path) -> None:
    open_store([acme]).close()
    (path,) = _databases(cache)
    data = path.read_bytes()
    if damage == "other-hash":
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE meta SET value = 'x' WHERE key = 'hash'")
    else:
        path.write_bytes(
            {
                "cut": data[: len(data) // 2],
                "noise": b"\x00\xff" * 4000,
                "empty": b"",
                "pages": data[:4096] + b"\xa5" * (len(data) - 4096),
            }[damage]
        )
    assert _ids(open_store([acme]), "remap_kernel") == ["acme/always", "acme/word"]
    assert path.read_bytes() == data


def test_damage_that_shows_only_later(acme: Path, cache: Path) -> None:
    open_store([acme]).close()
    (path,) = _databases(cache)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE signature SET body = '{\"id\": 1}'")
    assert _ids(open_store([acme]), "remap_kernel") == ["acme/always", "acme/word"]
    assert not path.exists()


@pytest.mark.parametrize("kind", ["file", "shared"])
def test_without_a_cache_folder_it_works_in_memory(kind: str, acme: Path, cache: Path) -> None:
    if kind == "file":
        cache.write_text("not a folder")
    else:
        cache.mkdir()
        cache.chmod(0o777)
    assert _ids(open_store([acme]), "remap_kernel") == ["acme/always", "acme/word"]
    assert kind == "file" or not _databases(cache)


def test_a_full_disk_is_no_error(acme: Path, cache: Path, monkeypatch) -> None:
    def no_space(*args: object, **more: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.mkstemp", no_space)
    assert len(open_store([acme]).signatures()) == 3
    assert not _databases(cache)


_MANY = """
    import sys
    from pathlib import Path
    import triage.store.packs as packs
    packs.data_dir = lambda kind: Path(sys.argv[1])
    from triage.store.signatures import open_store
    db = Path(sys.argv[3]) if len(sys.argv) > 3 else None
    store = open_store([Path(sys.argv[2])], db)
    for _ in range(20):
        print(*[s.id for s in store.candidates(frozenset({"remap_kernel"}))])
"""


def _together(arguments: list[list[str]]) -> list[str]:
    code = textwrap.dedent(_MANY)
    running = [
        subprocess.Popen(
            [sys.executable, "-c", code, *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for more in arguments
    ]
    results = [process.communicate() for process in running]
    assert [err for _, err in results if err] == []
    return [out.decode() for out, _ in results]


@pytest.mark.parametrize("named", [False, True])
def test_many_processes_at_once(named: bool, acme: Path, shipped: Path, tmp_path: Path) -> None:
    more = [str(tmp_path / "own.db")] if named else []
    found = _together([[str(shipped), str(acme), *more]] * 6)
    assert found == ["acme/always acme/word\n" * 20] * 6


def test_processes_with_other_packs_share_a_database(
    acme: Path, shipped: Path, tmp_path: Path, write_signature
) -> None:
    other = tmp_path / "other"
    write_signature(other, "mine", 'frame.function = "remap_kernel"')
    db = str(tmp_path / "own.db")
    found = _together([[str(shipped), str(p), db] for p in (acme, other) * 3])
    assert found == ["acme/always acme/word\n" * 20, "other/mine\n" * 20] * 3


def test_a_named_database(acme: Path, cache: Path, tmp_path: Path, write_signature) -> None:
    db = tmp_path / "with ? and #.db"
    assert len(open_store([acme], db).signatures()) == 3
    assert not _databases(cache)
    write_signature(acme, "new", 'frame.function = "fresh"')
    with closing(sqlite3.connect(db)) as connection, connection:
        connection.execute("CREATE TABLE mine (x)")
    assert len(open_store([acme], db).signatures()) == 4
    with closing(sqlite3.connect(db)) as connection:
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
        assert connection.execute("SELECT count(*) FROM family").fetchone() == (1,)
    assert "mine" in tables


def test_a_named_database_that_is_current_need_not_be_written(acme: Path, tmp_path: Path) -> None:
    db = tmp_path / "own.db"
    open_store([acme], db).close()
    db.chmod(0o400)
    tmp_path.chmod(0o500)
    try:
        assert len(open_store([acme], db).signatures()) == 3
    finally:
        tmp_path.chmod(0o700)


def test_a_database_that_is_in_use_cannot_be_written(acme: Path, tmp_path: Path) -> None:
    open_store([acme]).close()  # the cache is filled
    for db in (None, tmp_path / "own.db"):
        store = open_store([acme], db)
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            store._connection.execute("DELETE FROM signature")


def test_a_replaced_database_does_not_change_a_run(
    acme: Path, tmp_path: Path, write_signature
) -> None:
    other = tmp_path / "other"
    write_signature(other, "mine", 'frame.function = "remap_kernel"')
    db = tmp_path / "own.db"
    store = open_store([acme], db)
    assert _ids(open_store([other], db), "remap_kernel") == ["other/mine"]
    assert _ids(store, "remap_kernel") == ["acme/always", "acme/word"]


def test_a_failed_replacement_leaves_the_old_tables(
    acme: Path, tmp_path: Path, write_signature, monkeypatch
) -> None:
    db = tmp_path / "own.db"
    open_store([acme], db).close()
    before = db.read_bytes()
    write_signature(acme, "new", 'frame.function = "fresh"')

    def fails(connection: sqlite3.Connection) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr("triage.store.database.mark", fails)
    with pytest.raises(StoreError, match="disk I/O error"):
        open_store([acme], db)
    assert db.read_bytes() == before


def _newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")


def _foreign(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE meta (key, value)")
        connection.execute("INSERT INTO meta VALUES ('theirs', 'dear to them')")


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("spoil", "message", "hint"),
    [
        (lambda p: p.write_text("a log, not a database " * 100), "not a database", "remove it"),
        (_newer, "newer clawtriage", "update"),
        (_foreign, "another program", "does not exist yet"),
        (_folder, "is not a file", "name a file"),
    ],
)
def test_a_named_file_that_cannot_be_used(
    spoil: Callable[[Path], object], message: str, hint: str, acme: Path, tmp_path: Path
) -> None:
    db = tmp_path / "own.db"
    open_store([], db).close()
    spoil(db)
    before = db.read_bytes() if db.is_file() else b""
    with pytest.raises(StoreError, match=message) as error:
        open_store([acme], db)
    assert error.value.exit_code is ExitCode.STORE
    assert hint in (error.value.hint or "")
    assert (db.read_bytes() if db.is_file() else b"") == before


@pytest.mark.skipif(os.getuid() == 0, reason="root may read and write everything")
@pytest.mark.parametrize(("mode", "hint"), [(0o000, "read"), (0o400, "cannot be written")])
def test_a_named_file_without_permission(mode: int, hint: str, acme: Path, tmp_path: Path) -> None:
    db = tmp_path / "own.db"
    open_store([], db).close()
    db.chmod(mode)
    with pytest.raises(StoreError) as error:
        open_store([acme], db)
    assert hint in (error.value.hint or "")


def test_a_named_file_that_cannot_be_written(acme: Path, tmp_path: Path, monkeypatch) -> None:
    db = tmp_path / "own.db"
    open_store([], db).close()
    connect = sqlite3.connect

    def read_only(path: object, **more: object) -> sqlite3.Connection:
        if path == db:
            return connect(f"file:{path}?mode=ro", **{**more, "uri": True})
        return connect(path, **more)

    monkeypatch.setattr("triage.store.database.sqlite3.connect", read_only)
    with pytest.raises(StoreError, match="readonly") as error:
        open_store([acme], db)
    assert "cannot be written" in (error.value.hint or "")


def test_a_named_file_that_is_being_written(acme: Path, tmp_path: Path, monkeypatch) -> None:
    db = tmp_path / "own.db"
    open_store([], db).close()
    monkeypatch.setattr("triage.store.database._WAIT_S", 0.05)
    with closing(sqlite3.connect(db, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked") as error:
            open_store([acme], db)
    assert "try again" in (error.value.hint or "")


def test_a_named_file_in_a_folder_that_is_missing(acme: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="unable to open") as error:
        open_store([acme], tmp_path / "missing" / "own.db")
    assert "check the folder" in (error.value.hint or "")


def test_a_broken_pack_is_an_error_and_leaves_nothing(
    acme: Path, cache: Path, tmp_path: Path
) -> None:
    (acme / "word.toml").write_text("level = 3")
    for db in (None, tmp_path / "own.db"):
        with pytest.raises(PackError, match=r"word\.toml: level"):
            open_store([acme], db)
    assert not _databases(cache)
    assert not (tmp_path / "own.db").exists()
