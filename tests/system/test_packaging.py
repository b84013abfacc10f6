"""What is built from the repository works where the repository is not."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
LOG = ROOT / "fixtures/recordings/cpu/quant-q5_k_m-cuda/engine.log"
PYTHON = sys.executable
SHIPPED = ("grammars", "signatures")

pytestmark = pytest.mark.slow


def run(*command: str | Path, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command that has to succeed, away from the repository and the tests' environment."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "CLAWTRIAGE"))}
    result = subprocess.run(
        [str(word) for word in command],
        cwd=folder, env={**inherited, **variables}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"
    return result


def names_of(archive: Path) -> set[str]:
    """Return the names of the files in an sdist (without its top folder) or a wheel."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            return set(wheel.namelist())
    with tarfile.open(archive) as sdist:
        return {m.name.partition("/")[2] for m in sdist.getmembers() if m.isfile()}


def shipped_files() -> set[str]:
    """Return every file that has to be in a distribution, by its path in the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", *SHIPPED],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    return {name for name in listed.split("\0") if name and (ROOT / name).is_file()}


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> tuple[Path, Path]:
    """Return an sdist, and the wheel that was built from it and not from the repository.

    Every test process of a run takes what the first of them built.
    """
    base = tmp_path_factory.getbasetemp()
    out = (base if worker_id == "master" else base.parent) / "dist"
    with out.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (out / "done").exists():
            run(PYTHON, "-m", "build", "--no-isolation", "--outdir", out, ROOT, folder=base)
            (out / "done").touch()
    (sdist,), (wheel,) = out.glob("*.tar.gz"), out.glob("*.whl")
    return sdist, wheel


def environment(folder: Path, *install: str | Path, builds: bool = False) -> Path:
    """Return the program of a new virtual environment that holds one distribution of ours.

    Beside it there is only what the project declares to need, and what it needs to be built where
    it is built there. These come from the tests' environment, so that no network is needed.
    """
    run(PYTHON, "-m", "venv", "--without-pip", "venv", folder=folder)
    python = folder / "venv/bin/python"
    show = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = Path(run(python, "-c", show, folder=folder).stdout.strip())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    needed = project["project"]["dependencies"]
    needed += [*project["build-system"]["requires"], "editables"] if builds else []
    offer(needed, folder / "needed")
    (site / "needed.pth").write_text(f"{folder / 'needed'}\n")
    run(PYTHON, "-m", "pip", "--python", python, "--disable-pip-version-check", "install",
        "--quiet", "--no-deps", "--no-build-isolation", *install, folder=folder)  # fmt: skip
    return python.parent / "clawtriage"


def offer(requirements: Sequence[str], folder: Path) -> None:
    """Fill a folder with links to the distributions that these requirements lead to."""
    waiting, found = [Requirement(text) for text in requirements], set[str]()
    folder.mkdir()
    while waiting:
        wanted = waiting.pop()
        if wanted.name in found or (wanted.marker and not wanted.marker.evaluate({"extra": ""})):
            continue
        found.add(wanted.name)
        distribution = metadata.distribution(wanted.name)
        waiting += [Requirement(text) for text in distribution.requires or ()]
        for top in {Path(file.parts[0]) for file in distribution.files or ()}:
            source, link = Path(str(distribution.locate_file(top))), folder / top
            if ".." not in top.parts and source.exists() and not link.exists():
                link.symlink_to(source)


def diagnosed(program: Path, folder: Path) -> None:
    """Check that a program finds grammars and signatures from a folder of its own."""
    away = folder / "away"
    away.mkdir()
    cache = str(folder / "cache")
    done = run(program, "analyze", LOG, folder=away, XDG_CACHE_HOME=cache)
    assert "openclaw/" in done.stdout
    tested = run(program, "signature", "test", folder=away, XDG_CACHE_HOME=cache)
    assert " 0 failed" in tested.stdout


def where(program: Path, folder: Path) -> Path:
    """Return the folder of the package that a program runs."""
    code = "import triage; print(triage.__path__[0])"
    return Path(run(program.parent / "python", "-c", code, folder=folder).stdout.strip())


def test_a_wheel_made_from_the_sdist_works_elsewhere(
    built: tuple[Path, Path], tmp_path: Path
) -> None:
    program = environment(tmp_path, built[1])
    assert tmp_path in where(program, tmp_path).parents
    diagnosed(program, tmp_path)


def test_the_sdist_installs(built: tuple[Path, Path], tmp_path: Path) -> None:
    program = environment(tmp_path, built[0], builds=True)
    assert tmp_path in where(program, tmp_path).parents
    diagnosed(program, tmp_path)


def test_an_editable_install_reads_the_checkout(tmp_path: Path) -> None:
    program = environment(tmp_path, "--editable", ROOT, builds=True)
    assert where(program, tmp_path) == ROOT / "triage"
    diagnosed(program, tmp_path)


def test_both_hold_all_grammars_and_signatures(built: tuple[Path, Path]) -> None:
    sdist, wheel = map(names_of, built)
    assert shipped_files() - sdist == set()
    assert {f"triage/_data/{name}" for name in shipped_files()} - wheel == set()
    assert {"LICENSE", "README.md", "pyproject.toml"} <= sdist
    assert "triage/py.typed" in wheel


def test_the_wheel_holds_nothing_else(built: tuple[Path, Path]) -> None:
    tops = {name.split("/")[0] for name in names_of(built[1])}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"triage"}
    inside = {name.split("/")[1] for name in names_of(built[1]) if name.startswith("triage/")}
    assert inside.isdisjoint({"tests", "fixtures", "docs", "benchmarks"})


def test_neither_holds_litter(built: tuple[Path, Path]) -> None:
    for archive in built:
        litter = [n for n in names_of(archive) if "__pycache__" in n or n.endswith((".o", "~"))]
        assert litter == []
