"""What a snapshot of a living process says: nobody crashed, and what the threads wait for."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from triage.frames.noise import mark_noise
from triage.frames.waits import group_threads
from triage.knowledge import noise_lists, wait_list
from triage.model.stack import Frame, Thread

# What is told by its library rather than by its name, or waits without being plumbing.
_OTHERS = ("the GPU", "other ranks")
_SOURCE = Path(__file__).parent / "core_programs" / "hang.cpp"


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A program that hangs, and the core dump that gcore makes of it while it does."""
    if shutil.which("g++") is None or shutil.which("gcore") is None:
        pytest.skip("needs g++ and gcore")
    folder = tmp_path_factory.mktemp("hang")
    program = folder / "hang"
    words = ["g++", "-O1", "-g", "-pthread", "-Wl,--build-id", _SOURCE, "-o", program]
    subprocess.run(words, check=True)
    with subprocess.Popen([program], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"started\n"
        tasks = Path(f"/proc/{process.pid}/task")
        deadline = time.monotonic() + 10
        while any((task / "wchan").read_text() == "0" for task in tasks.iterdir()):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        made = subprocess.run(
            ["gcore", "-o", folder / "core", str(process.pid)], capture_output=True, check=False
        )
        process.kill()
    core = folder / f"core.{process.pid}"
    if not core.exists():
        pytest.skip(f"gcore may not attach here: {made.stderr.decode()}")
    return program, core


def run(*words: object) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "triage.cli.main", "core", *map(str, words)]
    return subprocess.run(command, capture_output=True, check=False, timeout=60)


def test_nobody_crashed(snapshot: tuple[Path, Path]):
    program, core = snapshot
    done = run(core, "--binary", program, "--format", "json")
    assert done.returncode == 11
    found = json.loads(done.stdout)
    assert found["verdict"] == "no-crash"
    assert found["signal"] is None
    assert found["crashed_thread"] is None
    assert found["blamed_frame"] is None
    assert not any(t["crashed"] for t in found["threads"])
    assert [w["code"] for w in found["warnings"]] == ["live-snapshot"]
    assert "gcore -o later PID" in found["next_evidence"][0]


def test_threads_are_grouped_by_what_they_wait_for(snapshot: tuple[Path, Path]):
    program, core = snapshot
    found = json.loads(run(core, "--binary", program, "--format", "json").stdout)
    told = {}
    for group in found["thread_groups"]:
        first = found["threads"][group["threads"][0]]
        names = [f["function"] for f in first["frames"]]
        told[group["waits_for"]] = (len(group["threads"]), names)
    assert told["a mutex"][0] == 3
    assert "look_up" in told["a mutex"][1]
    assert told["a condition variable"][0] == 2
    assert "next_batch" in told["a condition variable"][1]
    assert told["the end of another thread"][0] == 1


def test_page(snapshot: tuple[Path, Path]):
    program, core = snapshot
    text = run(core, "--binary", program).stdout.decode()
    assert text.startswith("NO CRASH: no thread crashed; 6 of 6 threads wait\n")
    assert "3 threads wait for a mutex: " in text
    assert "next_batch at hang.cpp:18" in text


def test_without_the_program(snapshot: tuple[Path, Path]):
    done = run(snapshot[1])
    assert done.returncode == 11
    text = done.stdout.decode()
    assert text.startswith("NO CRASH: no thread crashed\n")
    assert "3 threads are in: " in text


def test_a_core_dump_of_a_crash_is_no_snapshot(core_programs, crash):
    found = json.loads(run(crash(core_programs.plain, "threads"), "--format", "json").stdout)
    assert found["thread_groups"] == []
    assert found["signal"]["name"] == "SIGSEGV"


class TestGroups:
    def test_a_function_that_waits_is_not_what_a_thread_does(self):
        # Nothing says that these are plumbing but the list of waits.
        names = ["__libc_pause", "MPI_Barrier", "exchange", "main"]
        thread = Thread(frames=tuple(Frame(index=n, function=f) for n, f in enumerate(names)))
        (group,) = group_threads([thread], wait_list(), lambda t: 0 if t.frames else None)
        assert (group.waits_for, group.frame) == ("other ranks", 2)

    @pytest.mark.parametrize("words", [w for w, _ in wait_list() if w not in _OTHERS])
    def test_what_libc_waits_in_is_plumbing_in_a_crash_too(self, words: str):
        globs = dict(wait_list())[words]
        names = [g.strip("*").replace("*", "_") for g in globs]
        frames = tuple(Frame(index=n, function=f) for n, f in enumerate(names))
        marked = mark_noise(Thread(frames=frames), noise_lists())
        assert [f.function for f in marked.frames if f.noise is None] == []

    @pytest.mark.parametrize(
        ("names", "words"),
        [
            (["__poll", "cudaStreamSynchronize", "decode"], "the GPU"),
            (["futex_wait", "take_gil", "PyEval_RestoreThread"], "Python's interpreter lock"),
            (["__GI___clock_nanosleep", "usleep", "main"], "the clock"),
            (["epoll_wait", "serve"], "data or a connection"),
            (["ncclCommDestroy", "main"], "other ranks"),
            (["__libc_pause", "main"], "a signal"),
            (["scale_row", "main"], None),
            (["scale_row", "cudaStreamSynchronize"], None),
            ([], None),
        ],
    )
    def test_what_is_waited_for(self, names: list[str], words: str | None):
        thread = Thread(frames=tuple(Frame(index=n, function=f) for n, f in enumerate(names)))
        mine = {"decode", "main", "serve", "scale_row"}
        groups = group_threads(
            [thread],
            wait_list(),
            lambda t: next((n for n, f in enumerate(t.frames) if f.function in mine), None),
        )
        assert [g.waits_for for g in groups] == ([words] if names else [])
