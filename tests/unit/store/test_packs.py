"""Which files belong to a pack, and what is said where they cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from triage.errors import PackError
from triage.signatures.pack import Role
from triage.signatures.rule import Example
from triage.store.packs import example_text, load_packs, read_sources
from triage.store.schema import digest


def _names(*paths: Path, shipped: bool = False) -> list[str]:
    return [f"{s.pack}/{s.stem}" for s in read_sources(paths, shipped=shipped)]


def test_a_pack_a_folder_of_packs_and_one_file(acme: Path, tmp_path: Path) -> None:
    everything = ["acme/pack", "acme/always", "acme/log", "acme/word"]
    assert _names(acme) == everything
    (tmp_path / "root").mkdir()
    acme.rename(tmp_path / "root" / "acme")
    assert _names(tmp_path / "root") == everything
    assert _names(tmp_path / "root" / "acme" / "log.toml") == ["acme/pack", "acme/log"]


def test_the_shipped_folder(shipped: Path, acme: Path) -> None:
    (shipped / ".hidden").mkdir()
    (shipped / "README.md").write_text("x")
    assert _names(acme, shipped=True)[:2] == ["/openclaw", "/other"]
    roles = [s.role for s in read_sources([], shipped=True)]
    assert roles == [Role.ENGINE, Role.FAMILY]


def test_a_file_counts_once(acme: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(acme)
    assert len(_names(acme, Path(), acme / "log.toml", acme / "." / "log.toml")) == 4
    assert _names(Path())[1] == "acme/always"


def test_two_files_with_one_id(acme: Path, tmp_path: Path, write_signature) -> None:
    write_signature(tmp_path / "copy" / "acme", "word")
    with pytest.raises(PackError, match=r"'acme/word' is also in .*/acme/word.toml; rename"):
        load_packs([acme, tmp_path / "copy" / "acme"], shipped=False)


def test_a_pack_may_have_another_name_than_its_folder(acme: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone-of-acme"
    acme.rename(clone)
    for path in (clone, clone / "word.toml"):
        assert "acme/word" in [s.id for s in load_packs([path], shipped=False).signatures]
    (clone / "pack.toml").write_text('title = "A"')
    with pytest.raises(PackError, match="write 'clone-of-acme/word' or move"):
        load_packs([clone / "word.toml"], shipped=False)


def test_a_signature_outside_a_pack(acme: Path, tmp_path: Path) -> None:
    draft = tmp_path / "draft.toml"
    draft.write_text((acme / "word.toml").read_text())
    assert [s.id for s in load_packs([draft], shipped=False).signatures] == ["acme/word"]


def test_every_path_that_is_no_pack_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    latin = tmp_path / "latin.toml"
    latin.write_bytes(b'title = "caf\xe9"')
    with pytest.raises(PackError) as error:
        read_sources([tmp_path / "missing", tmp_path / "empty", latin])
    assert len(error.value.problems) == 3
    text = str(error.value)
    assert "missing: No such file" in text
    assert "no pack.toml" in text
    assert "not UTF-8" in text


def test_the_digest_follows_the_text_not_the_place(acme: Path, tmp_path: Path) -> None:
    before = digest(read_sources([acme]))
    moved = tmp_path / "elsewhere" / "acme"
    moved.parent.mkdir()
    acme.rename(moved)
    assert digest(read_sources([moved])) == before
    path = moved / "word.toml"
    path.write_text(path.read_text() + "# changed")
    assert digest(read_sources([moved])) != before


def test_example_text(acme: Path) -> None:
    where = str(acme / "word.toml")
    (acme / "examples").mkdir()
    (acme / "examples" / "a.log").write_bytes(b"\x1b[31mred\xff")
    inline = Example(name="n", matches=True, log="text")
    assert example_text(inline, where) == "text"
    beside = Example(name="n", matches=True, file="examples/a.log")
    assert example_text(beside, where) == "\x1b[31mred\ufffd"
    with pytest.raises(PackError, match=r"'gone'.*No such file"):
        example_text(Example(name="gone", matches=True, file="examples/b.log"), where)
