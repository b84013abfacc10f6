"""The cache folder: what is in it helps, what is wrong with it does no harm."""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

from triage.parse.cache import cache_folder, load_cached, store_cached


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    path = tmp_path / "cache"
    monkeypatch.setenv("CLAWTRIAGE_CACHE_DIR", str(path))
    cache_folder.cache_clear()
    yield path
    cache_folder.cache_clear()


def store(value: object) -> None:
    store_cached("thing", lambda file: pickle.dump(value, file))


def load() -> object:
    return load_cached("thing", pickle.load)


def test_round_trip(folder: Path):
    assert load() is None
    store({"a": 1})
    assert load() == {"a": 1}
    store({"b": 2})
    assert load() == {"b": 2}
    assert len(list(folder.iterdir())) == 1


def test_folder_is_for_its_user_alone(folder: Path):
    assert cache_folder() == folder
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("data", [b"", b"junk", pickle.dumps({"a": 1})[:-3]])
def test_damaged_entry_is_a_miss_and_is_removed(folder: Path, data: bytes):
    store(1)
    (entry,) = folder.iterdir()
    entry.write_bytes(data)
    assert load() is None
    assert not entry.exists()
    store(2)
    assert load() == 2


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_folder_that_others_can_write_is_not_used(folder: Path, mode: int):
    folder.mkdir()
    folder.chmod(mode)
    assert cache_folder() is None
    store(1)
    assert load() is None
    assert list(folder.iterdir()) == []


def test_folder_of_somebody_else_is_not_used(folder: Path, monkeypatch: pytest.MonkeyPatch):
    folder.mkdir(mode=0o700)
    monkeypatch.setattr(os, "getuid", lambda: folder.stat().st_uid + 1)
    assert cache_folder() is None


def test_file_in_its_place_is_no_error(folder: Path):
    folder.touch()
    assert cache_folder() is None
    store(1)
    assert load() is None


def test_writer_that_fails_leaves_nothing(folder: Path):
    def fail(file: object) -> None:
        raise OSError("disk full")

    store_cached("thing", fail)
    assert list(folder.iterdir()) == []
    assert load() is None
