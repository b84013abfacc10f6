"""Programs that really crash, built once for a test run, and the core dumps they leave."""

import os
import resource
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

_SOURCES = Path(__file__).parent / "core_programs"
_STACK = 64 << 20


@dataclass(frozen=True)
class CorePrograms:
    """The builds of the crashing program."""

    plain: Path
    stripped: Path
    other: Path
    endless_unwind: Path


@pytest.fixture(scope="session")
def core_programs(tmp_path_factory: pytest.TempPathFactory) -> CorePrograms:
    if shutil.which("g++") is None or shutil.which("gdb") is None:
        pytest.skip("needs g++ and gdb")
    folder = tmp_path_factory.mktemp("programs")
    builds = {
        "crash": ["-O2", "-g", str(_SOURCES / "crash.cpp")],
        "other": ["-O2", "-g", "-DINNER=read_vector", str(_SOURCES / "crash.cpp")],
        "endless": ["-O0", "-g", str(_SOURCES / "endless_unwind.cpp")],
    }
    running = [
        subprocess.Popen(["g++", "-pthread", "-Wl,--build-id", *words, "-o", folder / name])
        for name, words in builds.items()
    ]
    assert [process.wait() for process in running] == [0, 0, 0]
    subprocess.run(
        ["strip", "--strip-all", folder / "crash", "-o", folder / "stripped"], check=True
    )
    return CorePrograms(
        plain=folder / "crash",
        stripped=folder / "stripped",
        other=folder / "other",
        endless_unwind=folder / "endless",
    )


@pytest.fixture(scope="session")
def crash(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Run a program until it crashes and return the core dump that the kernel wrote."""
    pattern = Path("/proc/sys/kernel/core_pattern").read_text().strip()
    if "/" in pattern or pattern.startswith("|"):
        pytest.skip("core dumps do not go to the working directory")
    known: dict[tuple[object, ...], Path] = {}

    def run(program: Path, *arguments: str, **variables: str) -> Path:
        key = (program, arguments, *sorted(variables.items()))
        if key not in known:
            folder = tmp_path_factory.mktemp("core")
            subprocess.run(
                [program, *arguments],
                cwd=folder,
                env={"PATH": os.environ["PATH"], **variables},
                preexec_fn=_allow_dumps,
                check=False,
                timeout=20,
            )
            known[key] = next(folder.glob("core*"))
        return known[key]

    return run


def _allow_dumps() -> None:
    for limit, value in ((resource.RLIMIT_CORE, -1), (resource.RLIMIT_STACK, _STACK)):
        _, hard = resource.getrlimit(limit)
        resource.setrlimit(limit, (hard if hard != -1 else value, hard))
