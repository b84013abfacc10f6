"""Many core dumps read by one gdb: as if each were read alone, whatever the others hold."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest

from triage.debugger import gdb as gdb_module
from triage.debugger import pool as pool_module
from triage.debugger import prepare
from triage.debugger.coredump import read_core_dump
from triage.debugger.launch import GdbProcess
from triage.debugger.limits import GdbLimits
from triage.debugger.mi import MiSession
from triage.debugger.pool import GdbPool
from triage.debugger.prepare import CoreRequest
from triage.model.crash import Fragment

Crash = Callable[..., Path]
MODES = ("null", "threads", "divide", "abort-in-thread", "handler", "bounce", "callback")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[GdbProcess]:
    """Every gdb that was started, in order."""
    processes: list[GdbProcess] = []

    def start(*arguments: object) -> GdbProcess:
        processes.append(GdbProcess(*arguments))
        return processes[-1]

    monkeypatch.setattr(prepare, "GdbProcess", start)
    return processes


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every command that gdb was sent."""
    commands: list[str] = []
    plain = MiSession.send_all

    def send_all(self: MiSession, words: list[str], within: float | None = None) -> object:
        commands.extend(words)
        return plain(self, words, within)

    monkeypatch.setattr(MiSession, "send_all", send_all)
    return commands


def read(core: Path, binary: Path, pool: GdbPool | None = None, **more: object) -> Fragment:
    request = CoreRequest(binaries=(binary,), **more)
    return read_core_dump(core, request, input_id=0, pool=pool)


@pytest.fixture
def new_pool(tmp_path: Path) -> Callable[[], GdbPool]:
    """Make a pool whose core dumps appear in a folder that is empty again afterwards."""
    folder = tmp_path / "pool"
    folder.mkdir()
    yield lambda: GdbPool(lambda: folder)
    assert list(folder.iterdir()) == []


def codes(fragment: Fragment) -> list[str]:
    return [w.code for w in fragment.warnings]


def alive(process: GdbProcess) -> bool:
    return process.popen.poll() is None


@pytest.mark.parametrize("sandbox", [True, False])
def test_each_reads_as_if_it_were_alone(
    core_programs, crash: Crash, new_pool, started, sandbox: bool
):
    cores = [crash(core_programs.plain, mode) for mode in MODES * 3]
    alone = [read(core, core_programs.plain, sandbox=sandbox) for core in cores[: len(MODES)]] * 3
    started.clear()
    with new_pool() as pool:
        together = [read(core, core_programs.plain, pool, sandbox=sandbox) for core in cores]
    assert together == alone
    # One gdb shows what is needed, others are started with it: a few, and not one for each.
    assert len(started) <= 3
    assert not any(map(alive, started))


def test_libraries_are_pinned_before_any_core_is_opened(
    core_programs, crash: Crash, new_pool, sent
):
    core = crash(core_programs.plain, "abort-in-thread")
    with new_pool() as pool:
        read(core, core_programs.plain, pool)
        sent.clear()
        read(core, core_programs.plain, pool)
    pinned = [n for n, c in enumerate(sent) if "add-inferior" in c]
    opened = [n for n, c in enumerate(sent) if "-target-select" in c]
    assert len(pinned) == 1
    assert "libc.so.6" in sent[pinned[0]]
    assert pinned[0] < opened[0]


def test_programs_do_not_share_a_gdb(core_programs, crash: Crash, new_pool, started):
    pairs = [(core_programs.plain, "read_tensor"), (core_programs.other, "read_vector")] * 4
    with new_pool() as pool:
        for program, name in pairs:
            fragment = read(crash(program), program, pool)
            assert fragment.threads[0].frames[0].function == name
    assert len(started) == 2


def test_a_program_that_was_built_again_gets_a_gdb_of_its_own(
    core_programs, crash: Crash, new_pool, started, tmp_path: Path
):
    binary = tmp_path / "crash"
    shutil.copy(core_programs.plain, binary)
    with new_pool() as pool:
        read(crash(core_programs.plain), binary, pool)
        binary.unlink()
        shutil.copy(core_programs.stripped, binary)
        fragment = read(crash(core_programs.plain), binary, pool)
    assert fragment.threads[0].frames[0].function is None
    assert len(started) == 2


class TestPoison:
    """A core dump that is out of the ordinary between two good ones."""

    def good(self, core_programs, crash: Crash, pool: GdbPool, started) -> GdbProcess:
        """Read until one gdb stays."""
        for _ in range(3):
            read(crash(core_programs.plain, "abort-in-thread"), core_programs.plain, pool)
        assert alive(started[-1])
        return started[-1]

    def test_one_that_hangs(self, core_programs, crash: Crash, started, monkeypatch, new_pool):
        good = crash(core_programs.plain, "abort-in-thread")
        alone = read(good, core_programs.plain)
        endless = crash(core_programs.endless_unwind)
        with new_pool() as pool:
            before = self.good(core_programs, crash, pool, started)
            fragment = read(endless, core_programs.endless_unwind, pool, limits=GdbLimits(wall=0.5))
            assert "debugger-wall-limit" in codes(fragment)
            assert read(good, core_programs.plain, pool) == alone
            assert alive(before)
        assert not any(map(alive, started))

    def test_one_of_the_same_program_that_floods(
        self, core_programs, crash: Crash, new_pool, started
    ):
        # The deep stack is more than the gdb may print, the other one is not.
        good = crash(core_programs.plain, "null")
        limits = GdbLimits(output=75_000)
        alone = read(good, core_programs.plain, limits=limits)
        with new_pool() as pool:
            first = [read(good, core_programs.plain, pool, limits=limits) for _ in range(2)]
            reused = started[-1]
            assert alive(reused)
            deep = crash(core_programs.plain, "recursion", "1000")
            flooded = codes(read(deep, core_programs.plain, pool, limits=limits))
            assert any(code.startswith("debugger-") for code in flooded)
            assert not alive(reused)
            assert [*first, read(good, core_programs.plain, pool, limits=limits)] == [alone] * 3

    def test_one_that_is_truncated_is_not_read_with_others(
        self, core_programs, crash: Crash, new_pool, started, tmp_path: Path
    ):
        half = tmp_path / "half"
        data = crash(core_programs.plain).read_bytes()
        half.write_bytes(data[: len(data) // 2])
        with new_pool() as pool:
            before = self.good(core_programs, crash, pool, started)
            assert "core-truncated" in codes(read(half, core_programs.plain, pool))
            assert started[-1] is not before
            assert not alive(started[-1])
            assert alive(before)

    def test_a_gdb_that_dies_between_is_replaced(
        self, core_programs, crash: Crash, new_pool, started
    ):
        core = crash(core_programs.plain, "abort-in-thread")
        alone = read(core, core_programs.plain)
        with new_pool() as pool:
            self.good(core_programs, crash, pool, started).popen.kill()
            assert read(core, core_programs.plain, pool) == alone
            assert read(core, core_programs.plain, pool) == alone

    def test_one_whose_threads_gdb_does_not_see_is_read_again(
        self, core_programs, crash: Crash, started, monkeypatch, new_pool
    ):
        core = crash(core_programs.plain, "threads")
        plain = gdb_module.read_threads
        monkeypatch.setattr(gdb_module, "read_threads", lambda reply: plain(reply)[:-1])
        with new_pool() as pool:
            read(core, core_programs.plain, pool)
        assert len(started) == 2  # the pool's, and one of its own
        assert not any(map(alive, started))

    def test_libraries_that_are_not_the_ones_that_ran_are_not_shared(
        self, core_programs, crash: Crash, new_pool, started, tmp_path: Path
    ):
        core = crash(core_programs.plain, "handler")
        changed = tmp_path / "core"
        libc = next(m for m in read(core, core_programs.plain).modules if "libc" in m.name)
        build_id = bytes.fromhex(libc.build_id or "")
        changed.write_bytes(core.read_bytes().replace(build_id, bytes(len(build_id))))
        with new_pool() as pool:
            before = self.good(core_programs, crash, pool, started)
            assert "library-mismatch" in codes(read(changed, core_programs.plain, pool))
            assert started[-1] is not before
            assert read(core, core_programs.plain, pool) == read(core, core_programs.plain)

    def test_without_a_new_gdb_the_next_one_would_suffer(
        self, core_programs, crash: Crash, started, monkeypatch, new_pool
    ):
        # The control: a gdb that is kept whatever happened is a dead one for the next core dump.
        monkeypatch.setattr(gdb_module, "_is_clean", lambda *_: True)
        core = crash(core_programs.plain, "null")
        with new_pool() as pool:
            read(core, core_programs.plain, pool)
            deep = crash(core_programs.plain, "recursion", "1000")
            fragment = read(deep, core_programs.plain, pool, limits=GdbLimits(output=20_000))
        assert not any(code.startswith("debugger-") for code in codes(fragment))


class TestLimits:
    def test_a_gdb_is_replaced_after_half_of_its_processor_time(
        self, core_programs, crash: Crash, started, monkeypatch, new_pool
    ):
        core = crash(core_programs.plain, "null")
        clock = count(0, 20)  # each look at the clock is 20 seconds later
        monkeypatch.setattr(pool_module, "time", SimpleNamespace(monotonic=lambda: next(clock)))
        with new_pool() as pool:
            for _ in range(4):
                read(core, core_programs.plain, pool)
        assert len(started) == 2

    def test_a_gdb_reads_a_bounded_number(
        self, core_programs, crash: Crash, started, monkeypatch, new_pool
    ):
        monkeypatch.setattr(pool_module, "_MAX_READ", 2)
        core = crash(core_programs.plain, "null")
        with new_pool() as pool:
            for _ in range(6):
                read(core, core_programs.plain, pool)
        assert len(started) == 3

    def test_few_gdbs_wait(self, core_programs, crash: Crash, started, monkeypatch, new_pool):
        monkeypatch.setattr(pool_module, "_MAX_WAITING", 1)
        with new_pool() as pool:
            for program in (core_programs.plain, core_programs.other):
                read(crash(program), program, pool)
            assert [alive(p) for p in started] == [False, True]

    def test_the_core_is_not_held_open(self, core_programs, crash: Crash, new_pool, tmp_path: Path):
        core = tmp_path / "core"
        shutil.copy(crash(core_programs.plain, "null"), core)
        with new_pool() as pool:
            read(core, core_programs.plain, pool)
            assert not is_open(core)
            with core.open("rb"):
                assert is_open(core)  # the test would see it

    def test_a_large_core_on_another_disk_gets_its_own_gdb(
        self, core_programs, crash: Crash, started, monkeypatch, new_pool
    ):
        def elsewhere(*_: object) -> None:
            raise OSError(18, "Invalid cross-device link")

        core = crash(core_programs.plain, "threads")
        alone = read(core, core_programs.plain)
        monkeypatch.setattr(pool_module.os, "link", elsewhere)
        with new_pool() as pool:
            assert read(core, core_programs.plain, pool) == alone  # a copy
            started.clear()
            monkeypatch.setattr(pool_module, "_MAX_COPIED", 0)
            assert read(core, core_programs.plain, pool) == alone
        assert len(started) == 1


def is_open(path: Path) -> bool:
    """Tell whether any process has a file open."""
    facts = path.stat()
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        with contextlib.suppress(OSError):
            if os.path.samestat(facts, link.stat()):
                return True
    return False


class TestCommands:
    def run(self, *words: object) -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-m", "triage.cli.main", *map(str, words)]
        return subprocess.run(command, capture_output=True, check=False, timeout=60)

    @pytest.fixture
    def folder(self, core_programs, crash: Crash, tmp_path: Path) -> Path:
        folder = tmp_path / "cores"
        folder.mkdir()
        for n, mode in enumerate(("null", "divide", "threads")):
            os.link(crash(core_programs.plain, mode), folder / f"core.{n}")
        (folder / "notes.txt").write_text("no core dump\n")
        return folder

    def test_a_folder_and_files(self, folder: Path, core_programs):
        done = self.run("core", folder, folder / "core.1", "-b", core_programs.plain, "-f", "jsonl")
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        names = [Path(row["inputs"][0]["name"]).name for row in rows]
        assert names == ["core.0", "core.1", "core.2", "core.1"]
        assert [row["signal"]["name"] for row in rows] == ["SIGSEGV", "SIGFPE", "SIGSEGV", "SIGFPE"]
        assert done.returncode == 10

    def test_pages(self, folder: Path, core_programs, tmp_path: Path):
        done = self.run("core", folder, "-b", core_programs.plain)
        assert done.stdout.decode().count("=== ") == 3
        page = tmp_path / "page"
        self.run("core", folder, "-b", core_programs.plain, "-o", page)
        assert page.read_text() == done.stdout.decode()

    def test_one_that_is_no_core_does_not_hold_up_the_others(self, folder: Path, core_programs):
        names = [folder / "core.0", folder / "notes.txt", folder / "missing", folder / "core.1"]
        done = self.run("core", *names, "-b", core_programs.plain, "-f", "jsonl")
        assert len(done.stdout.splitlines()) == 2
        assert b"notes.txt is text" in done.stderr
        assert b"missing" in done.stderr
        assert self.run("core", folder / "missing", folder / "notes.txt").returncode == 3

    @pytest.mark.parametrize("words", [("--format", "json"), ("--log", "x.log")])
    def test_what_several_cannot_have(self, folder: Path, words: tuple[str, ...]):
        assert self.run("core", folder, *words).returncode == 2

    def test_a_folder_without_cores(self, tmp_path: Path):
        done = self.run("core", tmp_path)
        assert done.returncode == 3
        assert b"no core dumps in this folder" in done.stderr
