"""Packs that are exported, compared and printed, through the command."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from triage.cli.app import run
from triage.errors import PackError
from triage.signatures.difference import compare
from triage.store.exported import opened, pack_up
from triage.store.packs import load_packs

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "signatures/openclaw"


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def run_it(*arguments: object) -> tuple[int, str, str]:
        code = run(["signature", *map(str, arguments)])
        return code, *capfd.readouterr()

    return run_it


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """Give a copy of some shipped signatures, whose examples lie in files and in the TOML."""
    folder = tmp_path / "openclaw"
    folder.mkdir()
    for name in ("pack", "kv-cache-overflow", "oom-killer"):
        shutil.copy(SHIPPED / f"{name}.toml", folder)
    if (SHIPPED / "examples").is_dir():
        shutil.copytree(SHIPPED / "examples", folder / "examples")
    return folder


def _edit(path: Path, old: str, new: str) -> None:
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def test_an_exported_pack_is_the_same_bytes_and_comes_back(pack: Path, tmp_path, call) -> None:
    files = [tmp_path / "a.tar.gz", tmp_path / "b.tar.gz"]
    for file in files:
        assert call("export", pack, "-o", file)[0] == 0
    assert files[0].read_bytes() == files[1].read_bytes()
    with opened(files[0]) as folder:
        assert folder.name == "openclaw-1.0.0"
        back, was = (load_packs((path,), shipped=False) for path in (folder, pack))
        assert back.signatures == was.signatures
    assert not folder.exists()


def test_a_pack_without_a_version_is_not_exported(pack: Path, tmp_path: Path, call) -> None:
    _edit(pack / "pack.toml", 'version = "1.0.0"\n', "")
    code, _, err = call("export", pack, "-o", tmp_path / "x.tar.gz")
    assert (code, 'add it: version = "1.0.0"' in err) == (4, True)


def test_nothing_is_overwritten(pack: Path, tmp_path: Path, call) -> None:
    (tmp_path / "x.tar.gz").write_text("mine")
    assert call("export", pack, "-o", tmp_path / "x.tar.gz")[0] == 2
    assert (tmp_path / "x.tar.gz").read_text() == "mine"


def test_a_pack_with_a_mistake_is_not_exported(pack: Path, tmp_path: Path, call) -> None:
    _edit(pack / "kv-cache-overflow.toml", "base = ", "bsae = ")
    assert call("export", pack, "-o", tmp_path / "x.tar.gz")[0] == 4
    assert not (tmp_path / "x.tar.gz").exists()


def test_the_difference_of_a_pack_with_its_older_file(pack: Path, tmp_path: Path, call) -> None:
    call("export", pack, "-o", tmp_path / "old.tar.gz")
    _edit(pack / "kv-cache-overflow.toml", "base = 0.45", "base = 0.2")
    _edit(pack / "pack.toml", '"1.0.0"', '"1.1.0"')
    (pack / "oom-killer.toml").unlink()
    code, out, _ = call("diff", tmp_path / "old.tar.gz", pack)
    lines = out.splitlines()
    assert code == 0
    assert lines[0] == "openclaw 1.0.0 -> openclaw 1.1.0"
    assert lines[1].startswith("- openclaw/oom-killer: ")
    assert lines[2:4] == ["~ openclaw/kv-cache-overflow", "    base: 0.45 -> 0.2"]
    assert any(line.startswith("! openclaw/kv-cache-overflow on example") for line in lines)
    assert lines[-1].startswith("0 added, 1 removed, 1 changed, ")


def test_no_difference(pack: Path, call) -> None:
    _, out, _ = call("diff", pack, pack)
    assert out.splitlines()[1:] == ["0 added, 0 removed, 0 changed, 0 examples come out otherwise"]


def test_a_difference_names_the_fields() -> None:
    old = {"a/x": {"base": 0.5, "when": [{"error": {"code": 1}}], "example": [{"name": "e"}]}}
    new = {
        "a/x": {
            "base": 0.5,
            "when": [{"error": {"code": 2}}, {"signal": {"name": "S"}}],
            "notes": "n",
            "example": [{"name": "f"}],
        },
        "a/y": {},
    }
    found = compare(old, new)
    assert (found.added, found.removed) == (("a/y",), ())
    assert found.changed[0].fields == (
        "when[1].error.code: 1 -> 2",
        "when[2]: none -> {'signal': {'name': 'S'}}",
        "example 'e': removed",
        "example 'f': added",
        "notes: none -> 'n'",
    )


def _archive(name: str, data: bytes, kind: bytes = tarfile.REGTYPE) -> bytes:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.size, member.type, member.linkname = len(data), kind, "/etc/passwd"
        archive.addfile(member, io.BytesIO(data))
    return gzip.compress(plain.getvalue())


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"no archive", "damaged"),
        (gzip.compress(b"no tar" * 1000), "damaged"),
        (pack_up("x", {"pack.toml": b""})[:40], "damaged"),
        (_archive("../pack.toml", b""), "leads out"),
        (_archive("/pack.toml", b""), "leads out"),
        (_archive("x/pack.toml", b"", tarfile.SYMTYPE), "no folder with a pack.toml"),
        (_archive("x/pack.toml", b"#" * (5 << 20)), "too large"),
        (_archive("x/other.toml", b""), "no folder with a pack.toml"),
    ],
)
def test_an_archive_from_anybody(data: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "x.tar.gz"
    path.write_bytes(data)
    with pytest.raises(PackError, match=said), opened(path):
        pass
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.tar.gz"]


def test_pages(pack: Path, tmp_path: Path, call) -> None:
    code, out, _ = call("pages", pack, "-o", tmp_path / "pages")
    assert (code, out.startswith("wrote 1 pages")) == (0, True)
    page = (tmp_path / "pages/openclaw.md").read_text()
    assert "| [oom-killer](#oom-killer) |" in page
    assert "\n## oom-killer\n" in page
    assert "**Cause.** " in page
    assert "${" not in page.replace("${HOME", "")


def test_a_teams_signature_takes_the_place_of_ours_with_its_id(pack: Path, tmp_path: Path) -> None:
    path = pack / "oom-killer.toml"
    path.write_text(path.read_text().replace("\ntitle", "\nnotes = 'of the team'\ntitle", 1))
    mine = {s.id: s for s in load_packs((pack,)).signatures}
    assert mine["openclaw/oom-killer"].notes == "of the team"
    assert mine["openclaw/oom-killer"].own
    assert not mine["ggml/cuda-oom"].own


def test_a_draft_from_a_report_makes_a_pack(tmp_path: Path, call, capfd) -> None:
    log = ROOT / "fixtures/recordings/cpu/kv-overflow/engine.log"
    run(["analyze", str(log), "--format", "json"])
    report = tmp_path / "report.json"
    report.write_text(capfd.readouterr().out)
    assert json.loads(report.read_text())["verdict"] == "known"
    draft = tmp_path / "mine/from-report.toml"
    code, _, err = call("new", "mine/from-report", "--from", report, "-o", draft)
    assert (code, "which makes a pack" in err) == (0, True)
    text = draft.read_text()
    assert "TODO the log of this crash" in text
    assert 'engine = "openclaw"' in text
    code, out, _ = call("lint", tmp_path / "mine")
    assert code == 4
    assert "title: says TODO" in out
