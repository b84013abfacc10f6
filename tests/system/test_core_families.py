"""What a core dump says of the class of failure where a runtime library ended the program."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

_SOURCE = Path(__file__).parent / "core_programs" / "ends.cpp"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("g++") is None or shutil.which("gdb") is None:
        pytest.skip("needs g++ and gdb")
    path = tmp_path_factory.mktemp("ends") / "ends"
    words = ["-O0", "-g", "-w", "-pthread", "-fno-builtin", "-fstack-protector-all"]
    subprocess.run(["g++", *words, "-Wl,--build-id", _SOURCE, "-o", path], check=True)
    return path


@pytest.mark.parametrize(
    ("mode", "family", "blamed"),
    [
        ("free-twice", "heap-corruption", "free_twice"),
        ("write-over-the-stack", "heap-corruption", "write_over_the_stack"),
        ("read-beyond", "assertion-bug", "read_beyond"),
        ("allocate-too-much", "host-out-of-memory", "allocate_too_much"),
        ("drop-thread", "threading-race", "drop_thread"),
        # Whatever an engine throws, the stack does not say why.
        ("throw-own", None, "throw_own"),
    ],
)
def test_family(
    program: Path, crash: Callable[..., Path], mode: str, family: str | None, blamed: str
):
    words = ["core", crash(program, mode), "-b", program, "--format", "json"]
    done = subprocess.run(
        [sys.executable, "-m", "triage.cli.main", *words], capture_output=True, check=False
    )
    found = json.loads(done.stdout)
    assert found["signal"]["name"] == "SIGABRT"
    assert found["family"] == family
    place = found["blamed_frame"]
    frame = found["threads"][place["thread"]]["frames"][place["frame"]]
    assert frame["function"].startswith(blamed)
