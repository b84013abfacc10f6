"""GPU core dumps through the whole program, in whatever they are packed."""

from __future__ import annotations

import json
import lzma
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RECORDINGS = ROOT / "fixtures" / "recordings"
CORE = RECORDINGS / "gpu_cores" / "scatter.rel.nvcudmp.xz"


def run(*arguments: object, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "triage.cli.main", *map(str, arguments)],
        cwd=ROOT, env={**os.environ, "COLUMNS": "100"},
        capture_output=True, input=stdin, check=False,
    )  # fmt: skip


def report(*arguments: object, stdin: bytes | None = None) -> dict:
    return json.loads(run(*arguments, "--format", "json", stdin=stdin).stdout)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("core") / "gpu.nvcudmp"
    path.write_bytes(lzma.decompress(CORE.read_bytes()))
    return path


def check(found: dict) -> None:
    frame = found["threads"][found["crashed_thread"]]["frames"][found["blamed_frame"]["frame"]]
    assert (frame["function"], frame["line"]) == ("faults::store_row", 23)
    assert found["errors"][0]["code"] == 14
    assert found["inputs"][0]["dialects"] == ["gpu-core"]
    assert not found["warnings"]


def test_by_itself(plain: Path):
    check(report("core", plain))
    check(report("analyze", plain))


def test_packed():
    check(report("core", CORE))
    check(report("analyze", "-", stdin=CORE.read_bytes()))


def test_a_program_is_not_asked_for(plain: Path):
    check(report("core", plain, "--binary", sys.executable))


def test_in_a_bundle(plain: Path, tmp_path: Path):
    """In an archive the core is a member, and every position says which."""
    bundle = tmp_path / "bundle.tar.gz"
    with tarfile.open(bundle, "w:gz") as archive:
        archive.add(plain, "crash/gpu.nvcudmp")
        archive.add(RECORDINGS / "gpu" / "quant.rel.log", "crash/engine.log")
    found = report("analyze", bundle)
    thread = found["threads"][found["crashed_thread"]]
    assert thread["kind"] == "gpu"
    assert thread["at"]["member"] == "crash/gpu.nvcudmp"
    assert {e["api"] for e in found["errors"]} >= {"cuda", "cuda-exception"}


def test_several_and_a_folder(plain: Path, tmp_path: Path):
    folder = tmp_path / "cores"
    folder.mkdir()
    (folder / "a.nvcudmp").write_bytes(plain.read_bytes())
    (folder / "b.nvcudmp.xz").write_bytes(CORE.read_bytes())
    lines = run("core", folder, "--format", "jsonl").stdout.splitlines()
    assert len(lines) == 2
    for line in lines:
        check(json.loads(line))
    assert len(run("batch", folder).stdout.splitlines()) == 2


def test_cut_off(plain: Path, tmp_path: Path):
    path = tmp_path / "cut.nvcudmp"
    path.write_bytes(plain.read_bytes()[:500_000])
    found = report("core", path)
    assert [w["code"] for w in found["warnings"]] == ["core-truncated"]
    assert found["inputs"][0]["truncated"]


def test_of_another_form_beside_a_log(plain: Path, tmp_path: Path):
    """A GPU core of 32 bits, which no driver writes, does not hold up the rest."""
    path = tmp_path / "gpu.nvcudmp"
    data = bytearray(plain.read_bytes())
    data[4] = 1
    path.write_bytes(data)
    found = report("analyze", path, RECORDINGS / "gpu" / "quant.rel.log")
    assert [w["code"] for w in found["warnings"]] == ["input-unreadable"]
    assert found["verdict"] == "known"


def test_what_the_page_shows():
    page = (ROOT / "docs/how-to/read-a-gpu-core.md").read_text()
    sample = page.partition("```text\n")[2].partition("```")[0]
    assert sample.startswith("Failed")
    assert sample in run("core", CORE).stdout.decode()
