"""What is built from the repository works where the repository is not."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOG = ROOT / "fixtures/recordings/cpu/quant-q5_k_m-cuda/engine.log"
SHIPPED = ("grammars", "signatures")

# One worker builds, and all tests of this file use what it built.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("packaging")]


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


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return an sdist, and the wheel that was built from it and not from the repository."""
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--outdir", out, ROOT, folder=out)
    (sdist,), (wheel,) = out.glob("*.tar.gz"), out.glob("*.whl")
    return sdist, wheel


def environment(folder: Path, *install: str | Path) -> Path:
    """Return the program of a new virtual environment that holds one distribution of ours.

    The dependencies are those of the environment that runs the tests, found by a `.pth` file: what
    is tested here is our own package. Ours is never taken from there.
    """
    run(sys.executable, "-m", "venv", "--without-pip", folder / "venv", folder=folder)
    python = folder / "venv/bin/python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps",
        "--disable-pip-version-check", *install, folder=folder)  # fmt: skip
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))",
                    folder=folder).stdout.strip())  # fmt: skip
    (site / "dependencies.pth").write_text(f"{_dependencies(folder)}\n")
    return python.parent / "clawtriage"


def _dependencies(folder: Path) -> Path:
    """Return a folder that shows what the tests' environment has installed, without ours."""
    import click  # noqa: PLC0415

    view = folder / "dependencies"
    view.mkdir()
    for entry in Path(click.__file__).parents[1].iterdir():
        if "clawtriage" not in entry.name and entry.suffix != ".pth" and entry.name != "triage":
            (view / entry.name).symlink_to(entry)
    return view


def diagnosed(program: Path, folder: Path) -> None:
    """Check that a program finds grammars and signatures from a folder of its own."""
    away = folder / "away"
    away.mkdir()
    cache = str(folder / "cache")
    done = run(program, "analyze", LOG, folder=away, CLAWTRIAGE_CACHE_DIR=cache)
    assert "openclaw/" in done.stdout
    tested = run(program, "signature", "test", folder=away, CLAWTRIAGE_CACHE_DIR=cache)
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
    program = environment(tmp_path, built[0])
    assert tmp_path in where(program, tmp_path).parents
    diagnosed(program, tmp_path)


def test_an_editable_install_reads_the_checkout(tmp_path: Path) -> None:
    program = environment(tmp_path, "--editable", ROOT)
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
