"""Every threat that a core dump or a program can be to whoever opens it, as an input that tries it.

Each test has its counterpart: the input does harm where it is opened without protection, or the
same input without its trap is read as usual. So none of them passes because nothing happened.
"""

import json
import os
import shutil
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.system import hostile
from tests.system.hostile import CANARY, core_command, plain_gdb
from triage.elf.corefile import read_core

Crash = Callable[..., Path]
pytestmark = pytest.mark.slow

SOURCES = Path(__file__).parent / "core_programs"
INNERMOST = "placeholder"
STARTING = 3.0
LONG = INNERMOST + "_" * 1000


@dataclass(frozen=True)
class Programs:
    """Builds of the program that traps; `unnamed` has no debug information."""

    folder: Path
    plain: Path
    scripted: Path
    unnamed: Path


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Programs:
    for tool in ("g++", "gdb"):
        if shutil.which(tool) is None:
            pytest.skip(f"needs {tool}")
    folder = tmp_path_factory.mktemp("hostile")
    source = SOURCES / "hostile.cpp"
    builds = {
        "plain": ["-g", source],
        "scripted": ["-g", source, SOURCES / "gdb_scripts.S"],
        "unnamed": [f"-DINNERMOST={LONG}", source],
    }
    running = [
        subprocess.Popen(["g++", "-O0", "-pthread", "-Wl,--build-id", *words, "-o", folder / name])
        for name, words in builds.items()
    ]
    assert [process.wait() for process in running] == [0] * len(builds)
    return Programs(folder=folder, **{name: folder / name for name in builds})


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    (tmp_path / "secret").mkdir()
    path = tmp_path / "secret" / "c"
    path.write_text(f"{CANARY}\n" * 400)
    return path


def changed(path: Path, data: bytes, *, like: Path | None = None) -> Path:
    path.write_bytes(data)
    if like is not None:
        path.chmod(like.stat().st_mode)
    return path


def unsafe() -> list[str]:
    """Return the flag that leaves the sandbox out, where there is one."""
    flag = "--unsafe-no-sandbox"
    return [flag] if flag in core_command("--help", form="json").output else []


def nowhere(run: hostile.Run, text: str = CANARY) -> bool:
    return text not in run.output and text not in run.errors


class TestScripts:
    """T-01, T-02: nothing that an input carries, or that lies beside it, is run."""

    @pytest.fixture
    def place(self, programs: Programs, tmp_path: Path) -> Path:
        binary = tmp_path / "prog"
        shutil.copy(programs.scripted, binary)
        python = "import gdb\nopen({!r}, 'w')\n"
        for name in ("prog-gdb.py", "named.py", "sitecustomize.py"):
            (tmp_path / name).write_text(python.format(str(tmp_path / f"ran-{name}")))
        for name in ("prog-gdb.gdb", ".gdbinit", ".gdbearlyinit"):
            (tmp_path / name).write_text(f"shell touch {tmp_path / f'ran-{name}'}\n")
        return binary

    @staticmethod
    def ran(folder: Path) -> set[str]:
        return {p.name for p in folder.glob("ran-*")}

    def test_t01_no_script_of_a_program_or_beside_it_runs(
        self, place: Path, crash: Crash, monkeypatch
    ):
        core = crash(place)
        monkeypatch.chdir(place.parent)
        run = core_command(core, "-b", place, HOME=str(place.parent), PYTHONPATH="")
        assert run.functions == [INNERMOST, "main"]
        assert self.ran(place.parent) == set()
        subprocess.run(
            ["gdb", "-batch", "-iex", "set auto-load safe-path /", place, core],
            env={**os.environ, "HOME": str(place.parent)}, check=False, capture_output=True,
        )  # fmt: skip
        fired = {"prog-gdb.py", "prog-gdb.gdb", "named.py", "inline", ".gdbinit", ".gdbearlyinit"}
        assert self.ran(place.parent) == {f"ran-{name}" for name in fired}

    def test_t02_no_script_runs_from_a_folder_that_is_searched_for_symbols(
        self, place: Path, crash: Crash, tmp_path: Path
    ):
        core = crash(place)
        for option in ("--sysroot", "--symbols"):
            run = core_command(core, "-b", place, option, tmp_path)
            assert run.functions == [INNERMOST, "main"]
            assert self.ran(tmp_path) == set()
        # The folder of debug files is trusted, whatever it is set to.
        words = ["-batch", "-nx", "-iex", f"set debug-file-directory {tmp_path}", place, core]
        subprocess.run(["gdb", *words], check=False, capture_output=True)
        assert "ran-prog-gdb.py" in self.ran(tmp_path)


class TestDisclosure:
    """T-03: no file of this machine is read because an input names it."""

    @pytest.fixture
    def mapped(self, programs: Programs, crash: Crash, tmp_path_factory) -> tuple[Path, str]:
        """A core dump whose innermost function got a text from a mapped file, and that file."""
        folder = tmp_path_factory.mktemp("m" * 120)
        path = folder / "text"
        path.write_text("what was mapped\n" * 300)
        return crash(programs.plain, "map", str(path)), str(path)

    @pytest.mark.parametrize("form", ["json", "text"])
    def test_t03_mapped_file_is_not_read(
        self, programs: Programs, mapped, canary: Path, tmp_path: Path, form: str
    ):
        core, path = mapped
        data = hostile.rename_mapping(core.read_bytes(), path, str(canary))
        evil = changed(tmp_path / "core", data)
        run = core_command(evil, "-b", programs.plain, form=form)
        assert INNERMOST in run.output
        assert nowhere(run)
        if form == "json":
            assert CANARY in plain_gdb(programs.plain, evil, "-ex", "bt")

    def test_t03_mapped_file_is_not_read_past_a_sysroot(
        self, programs: Programs, mapped, canary: Path, tmp_path: Path
    ):
        core, path = mapped
        data = hostile.rename_mapping(core.read_bytes(), path, f"{'/..' * 12}{canary}")
        root = tmp_path / "a" / "root"
        root.mkdir(parents=True)
        evil = changed(tmp_path / "core", data)
        run = core_command(evil, "-b", programs.plain, "--sysroot", root)
        assert nowhere(run)
        words = ["-iex", f"set sysroot {root}"]
        assert CANARY in plain_gdb(*words, programs.plain, evil, "-ex", "bt")

    def test_t03_source_file_is_not_read(self, crash: Crash, canary: Path, tmp_path: Path):
        source = tmp_path / "a.c"
        source.write_text(f'# 1 "{canary}"\nint main(void) {{ return *(volatile int *)0; }}\n')
        binary = tmp_path / "prog"
        subprocess.run(["gcc", "-g", "-Wl,--build-id", source, "-o", binary], check=True)
        core = crash(binary)
        with hostile.watched([canary]) as opened:
            run = core_command(core, "-b", binary)
            assert run.crashed["frames"][0]["line"] == 1
            assert nowhere(run)
        assert opened == []
        with hostile.watched([canary]) as opened:
            assert CANARY in plain_gdb(binary, core, "-ex", "bt")
        assert opened != []

    def test_t03_file_of_a_debug_link_is_not_read(
        self, programs: Programs, crash: Crash, canary: Path, tmp_path: Path
    ):
        (tmp_path / "p").mkdir()
        binary = tmp_path / "p" / "prog"
        link = "x" * len(f"../secret/{canary.name}")
        (tmp_path / link).touch()
        words = ["objcopy", "--strip-debug", f"--add-gnu-debuglink={link}", programs.plain, binary]
        subprocess.run(words, check=True, cwd=tmp_path)
        data = binary.read_bytes().replace(link.encode(), f"../secret/{canary.name}".encode())
        changed(binary, data)
        core = crash(binary)
        run = core_command(core, "-b", binary)
        assert run.functions[0] == INNERMOST
        assert nowhere(run)
        with hostile.watched([canary]) as opened:
            plain_gdb(binary, core, "-ex", "bt")
        assert opened != []


class TestDebugger:
    """T-04, T-05, T-16: a debugger that is not what it should be, that hangs, that dies."""

    @staticmethod
    def wrapper(folder: Path, change: str) -> str:
        """Put a program `gdb` first on the search path that changes the words it is called by."""
        script = folder / "gdb"
        script.write_text(
            f'#!/bin/bash\nwords=()\nfor w in "$@"; do {change}; words+=("$w"); done\n'
            f'exec {shutil.which("gdb")} "${{words[@]}}"\n'
        )
        script.chmod(0o755)
        return f"{folder}:{os.environ['PATH']}"

    def test_t04_debugger_that_drops_a_flag_gets_no_input(
        self, programs: Programs, crash: Crash, tmp_path: Path
    ):
        core = crash(programs.plain)
        drop = '[ "$w" = "set auto-load no" ] && w="set width 0"'
        path = self.wrapper(tmp_path, drop)
        run = core_command(core, "-b", programs.plain, *unsafe(), path=path)
        assert run.codes >= {"debugger-failed"}
        assert run.functions == [None]
        path = self.wrapper(tmp_path, ":")
        run = core_command(core, "-b", programs.plain, *unsafe(), path=path)
        assert run.functions == [INNERMOST, "main"]

    def test_t05_pipe_in_place_of_a_mapped_file_does_not_hang(
        self, programs: Programs, crash: Crash, tmp_path: Path, tmp_path_factory
    ):
        path = tmp_path_factory.mktemp("m" * 120) / "text"
        path.write_text("x" * 5000)
        core = crash(programs.plain, "map", str(path))
        pipe = tmp_path / "f"
        os.mkfifo(pipe)
        data = hostile.rename_mapping(core.read_bytes(), str(path), str(pipe))
        evil = changed(tmp_path / "core", data)
        run = core_command(evil, "-b", programs.plain, limit=20)
        assert run.functions == [INNERMOST, "main"]
        with pytest.raises(subprocess.TimeoutExpired):
            gdb_without_end(programs.plain, evil)

    def test_t16_debugger_that_crashes_is_recorded(
        self, programs: Programs, crash: Crash, tmp_path: Path
    ):
        # The names of source files are said to be where the file begins: gdb 13 runs off its end.
        data = hostile.move_section(programs.plain.read_bytes(), ".debug_line_str", 0)
        evil = changed(tmp_path / "prog", data)
        core = crash(programs.plain)
        run = core_command(core, "-b", evil)
        assert run.codes & {"debugger-died", "debugger-reduced"}
        assert run.status == 10
        assert run.report["signal"]["name"] == "SIGSEGV"
        assert run.crashed["frames"][0]["address"]
        words = ["gdb", "-batch", "-nx", "-ex", "bt", evil, core]
        assert subprocess.run(words, capture_output=True, check=False).returncode < 0


class TestEndless:
    """T-06, T-07, T-08: what makes a debugger work, or print, for ever."""

    def test_t06_endless_unwinding_is_stopped(self, core_programs, crash: Crash):
        core, binary = crash(core_programs.endless_unwind), core_programs.endless_unwind
        run = core_command(core, "-b", binary, "--timeout", "3", limit=20)
        assert run.codes & {"debugger-wall-limit", "debugger-cpu-limit"}
        assert run.seconds < 3 + 2 + STARTING
        assert run.crashed["frames"][0]["module"] == binary.name
        with pytest.raises(subprocess.TimeoutExpired):
            gdb_without_end(binary, core, "-ex", "bt")

    def test_t07_endless_list_of_generated_code_is_stopped(self, programs: Programs, crash: Crash):
        core = crash(programs.plain, "jit")
        run = core_command(core, "-b", programs.plain, limit=20)
        assert "debugger-output-limit" in run.codes
        assert run.peak < 400
        assert run.crashed["frames"][0]["address"]
        with pytest.raises(subprocess.TimeoutExpired):
            gdb_without_end(programs.plain, core)

    @pytest.mark.parametrize("levels", [20, 60])
    def test_t08_symbol_that_stands_for_gigabytes(
        self, programs: Programs, crash: Crash, tmp_path: Path, levels: int
    ):
        symbol = hostile.demangler_bomb(levels).encode()
        data = programs.unnamed.read_bytes()
        name = LONG.encode()
        evil = changed(
            tmp_path / "prog", hostile.replace_bytes(data, name, symbol), like=programs.unnamed
        )
        core = crash(evil)
        run = core_command(core, "-b", evil, limit=20)
        assert run.functions == ["f", "main"]
        assert len(run.output) < 20_000
        if levels == 20:
            assert len(plain_gdb(evil, core, "-ex", "bt")) > 1 << 20


class TestForgery:
    """T-09: nothing in an input can pass for another frame or reach the terminal."""

    EVIL = "evil\n#1  0xdeadbeef in forged_frame () at /f.c:1\n\x1b[31m\x9b32m"

    @pytest.mark.parametrize("form", ["json", "text"])
    def test_t09_symbol_with_line_ends_and_escapes_is_one_frame(
        self, programs: Programs, crash: Crash, tmp_path: Path, form: str
    ):
        evil = changed(
            tmp_path / "prog",
            hostile.replace_bytes(
                programs.unnamed.read_bytes(), LONG.encode(), self.EVIL.encode("latin-1")
            ),
            like=programs.unnamed,
        )
        core = crash(evil)
        run = core_command(core, "-b", evil, form=form)
        assert "forged_frame" in run.output
        assert not any((ord(c) < 32 and c != "\n") or 0x7F <= ord(c) < 0xA0 for c in run.output)
        if form == "json":
            assert [f["index"] for f in run.crashed["frames"]] == [0, 1]
            assert run.functions[1] == "main"
            assert json.dumps(run.functions[0]).startswith('"evil')
        else:
            assert not any(line.lstrip(" >").startswith("#1  0xdead") for line in lines(run))
            assert "\n#1  0xdeadbeef in forged_frame" in plain_gdb(evil, core, "-ex", "bt")

    @pytest.mark.parametrize("form", ["text", "markdown"])
    def test_t09_names_of_process_and_files_are_made_harmless(
        self, programs: Programs, crash: Crash, tmp_path: Path, form: str
    ):
        data = crash(programs.plain, "map", "/etc/os-release", "-" * 60).read_bytes()
        name = programs.plain.name.encode()
        process = name.ljust(16, b"\0")
        assert process in data
        data = data.replace(process, b"\x1b]0;pwn\x07\n#9 x".ljust(16, b"\0"))
        data = data.replace(
            b"-" * 59, b"\x1b[2J\n\r\x9b31m#8  0x1 in forged_frame ()".ljust(59, b"-")
        )
        data = hostile.rename_mapping(data, "/usr/lib/os-release", "/\x1b[31m\n#7 in")
        run = core_command(changed(tmp_path / "core", data), "-v", form=form)
        assert not any((ord(c) < 32 and c != "\n") or 0x7F <= ord(c) < 0xA0 for c in run.output)
        assert not any(line.lstrip().startswith(("#7", "#8", "#9")) for line in lines(run))


class TestSize:
    """T-10, T-11, T-12: what is too large, or says that it is."""

    def test_t10_a_million_frames(self, core_programs, crash: Crash):
        core = crash(core_programs.plain, "recursion", "1000000")
        run = core_command(core, "-b", core_programs.plain)
        assert run.work < 10
        assert run.peak < 512
        assert run.functions[:200] == ["descend"] * 200
        assert run.functions[-2:] == ["descend", "main"]
        assert run.crashed["frames_omitted"] == 1_000_002 - len(run.functions)
        assert run.crashed["frames"][-1]["index"] == 1_000_001

    def test_t11_two_thousand_threads(self, programs: Programs, crash: Crash):
        core = crash(programs.plain, "threads", "2000")
        run = core_command(core, "-b", programs.plain)
        assert run.work < 5
        threads = run.report["threads"]
        assert len(threads) == 2001
        assert run.functions == [INNERMOST, "main"]
        others = [t for t in threads if not t["crashed"]]
        assert all("wait_long" in [f["function"] for f in t["frames"]] for t in others)

    def test_t12_notes_without_end_do_not_reach_the_debugger(
        self, programs: Programs, tmp_path: Path
    ):
        bomb = hostile.note_bomb(tmp_path / "core", 8 << 30)
        run, opened = self.with_witness(bomb, programs.plain, tmp_path)
        assert "core-notes-too-large" in run.codes
        assert not opened
        assert run.peak < 300

    def test_t12_millions_of_segments_do_not_reach_the_debugger(
        self, programs: Programs, tmp_path: Path
    ):
        bomb = hostile.segment_bomb(tmp_path / "core", 2_000_000)
        run, opened = self.with_witness(bomb, programs.plain, tmp_path)
        assert "core-segments-too-many" in run.codes
        assert not opened
        assert run.peak < 400

    def test_t12_real_threads_beside_a_bomb_are_still_read(
        self, programs: Programs, crash: Crash, tmp_path: Path
    ):
        data = bytearray(crash(programs.plain).read_bytes())
        size = -(-len(data) // 4096) * 4096
        table, count = hostile.segment_table(data)
        last = table + (count - 1) * hostile.SEGMENT.size
        data[last : last + hostile.SEGMENT.size] = hostile.segment(hostile.NOTES, size, 8 << 30)
        bomb = hostile.write_sparse(tmp_path / "core", bytes(data), size + (8 << 30))
        run, opened = self.with_witness(bomb, programs.plain, tmp_path)
        assert "core-notes-too-large" in run.codes
        assert not opened
        assert run.report["signal"]["name"] == "SIGSEGV"
        assert run.crashed["frames"][0]["address"]

    def test_t12_control_a_core_dump_of_usual_size_does_reach_it(
        self, programs: Programs, crash: Crash, tmp_path: Path
    ):
        run, opened = self.with_witness(crash(programs.plain), programs.plain, tmp_path)
        assert opened
        assert run.functions == [INNERMOST, "main"]

    @staticmethod
    def with_witness(core: Path, binary: Path, folder: Path) -> tuple[hostile.Run, bool]:
        """Run the command with a gdb that writes down what it is told."""
        seen = folder / "seen"
        script = folder / "gdb"
        script.write_text(f'#!/bin/bash\ntee -a {seen} | {shutil.which("gdb")} "$@"\n')
        script.chmod(0o755)
        path = f"{folder}:{os.environ['PATH']}"
        run = core_command(core, "-b", binary, *unsafe(), path=path)
        return run, seen.exists() and "target-select" in seen.read_text()


class TestUnsuitable:
    """T-13, T-14, T-15: core dumps that are not whole, not of this program, not of this machine."""

    @pytest.mark.parametrize("share", ["half", "all but a byte", 1000, 64])
    def test_t13_truncated_core_dump_is_called_so(
        self, programs: Programs, crash: Crash, tmp_path: Path, share: str | int
    ):
        data = crash(programs.plain, "map", "/etc/os-release").read_bytes()
        size = {"half": len(data) // 2, "all but a byte": len(data) - 1}.get(share, share)
        run = core_command(changed(tmp_path / "core", data[:size]), "-b", programs.plain)
        assert run.report["inputs"][0]["truncated"] is True
        assert "core-truncated" in run.codes
        assert f"{len(data) - size} bytes are missing" in run.output or size < 4096

    def test_t13_control_a_whole_one_is_not(self, programs: Programs, crash: Crash):
        run = core_command(crash(programs.plain), "-b", programs.plain)
        assert run.report["inputs"][0]["truncated"] is False
        assert "core-truncated" not in run.codes

    @pytest.mark.parametrize("content", [b"", b"\x7fELF\x02\x01\x01\0\0\0", b"#0  main ()\n"])
    def test_t13_what_is_no_core_dump_is_refused(self, tmp_path: Path, content: bytes):
        run = core_command(changed(tmp_path / "core", content))
        assert (run.status, run.output) == (3, "")
        assert "core" in run.errors

    def test_t13_random_bytes_are_refused(self, tmp_path: Path):
        run = core_command(changed(tmp_path / "core", os.urandom(5000)))
        assert (run.status, run.output) == (3, "")

    def test_t14_names_of_another_build_are_not_told_as_facts(
        self, programs: Programs, crash: Crash, tmp_path: Path
    ):
        other = tmp_path / "other"
        words = ["g++", "-g", "-O0", "-pthread", "-Wl,--build-id", "-DINNERMOST=levelTwo"]
        subprocess.run([*words, SOURCES / "hostile.cpp", "-o", other], check=True)
        os.utime(other, (1_000_000_000, 1_000_000_000))
        core = crash(programs.plain)
        run = core_command(core, "-b", other)
        assert "binary-mismatch" in run.codes
        assert nowhere(run, "levelTwo")
        assert run.report["blamed_frame"] is None
        assert "levelTwo" in plain_gdb(other, core, "-ex", "bt")

    @pytest.mark.parametrize(
        ("machine", "name"),
        [(hostile.AARCH64, "aarch64"), (hostile.RISCV, "riscv"), (hostile.PPC64, "ppc64")],
    )
    def test_t15_program_of_another_machine_gives_no_names(
        self, programs: Programs, crash: Crash, tmp_path: Path, machine: int, name: str
    ):
        data = bytearray(crash(programs.plain).read_bytes())
        struct.pack_into("<H", data, 18, machine)
        run = core_command(changed(tmp_path / "core", bytes(data)), "-b", programs.plain)
        assert run.report["environment"]["arch"] == name
        assert run.codes & {"unsupported-arch", "binary-mismatch"}
        assert run.report["diagnoses"] == []
        assert nowhere(run, INNERMOST)

    def test_t15_core_dump_of_a_machine_with_the_other_byte_order(self, tmp_path: Path):
        header = hostile.HEADER.pack(b"", 4, 0, 1, 0, 64, 0, 0, 64, 56, 0, 0, 0, 0)
        big = struct.Struct(hostile.HEADER.format.replace("<", ">"))
        fields = list(hostile.HEADER.unpack(header))
        fields[0], fields[2] = b"\x7fELF\x02\x02\x01", hostile.PPC64
        run = core_command(changed(tmp_path / "core", big.pack(*fields)))
        assert "unsupported-arch" in run.codes


class TestPrivacy:
    """T-17, T-18: nothing is fetched, and no secret of the process is told."""

    SECRET = "hf_" + "Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8Qr9St0UvWx"

    @pytest.fixture
    def server(self) -> Iterator[tuple[str, list[bytes]]]:
        """A listener on this machine, and what was asked of it."""
        asked: list[bytes] = []
        listener = socket.create_server(("127.0.0.1", 0))

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    asked.append(connection.recv(4096))
                    connection.sendall(b"HTTP/1.0 404 no\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", asked
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()

    def test_t17_no_server_is_asked_for_symbols(
        self, programs: Programs, crash: Crash, server, tmp_path: Path
    ):
        address, asked = server
        core = crash(programs.unnamed)
        run = core_command(core, "-b", programs.unnamed, DEBUGINFOD_URLS=address)
        assert run.functions == [LONG, "main"]
        assert asked == []
        variables = {**os.environ, "DEBUGINFOD_URLS": address, "HOME": str(tmp_path)}
        variables["DEBUGINFOD_CACHE_PATH"] = str(tmp_path / "cache")
        words = ["-batch", "-nx", "-iex", "set debuginfod enabled on", programs.unnamed, core]
        subprocess.run(["gdb", *words], env=variables, capture_output=True, check=False)
        assert asked != []

    @pytest.mark.parametrize("form", ["json", "text"])
    def test_t18_secret_in_argument_and_environment_is_not_told(
        self, programs: Programs, crash: Crash, form: str
    ):
        core = crash(programs.plain, "say", self.SECRET, HF_TOKEN=self.SECRET, CLAW_KEY=self.SECRET)
        run = core_command(core, "-b", programs.plain, "-v", form=form)
        assert nowhere(run, self.SECRET[:12])
        assert INNERMOST in run.output
        if form == "json":
            assert self.SECRET in plain_gdb(programs.plain, core, "-ex", "bt")
            assert run.report["redactions"]


class TestSpeed:
    def test_own_reading_of_a_large_sparse_core_dump(
        self, programs: Programs, crash: Crash, tmp_path: Path
    ):
        core = crash(programs.plain)
        large = hostile.large_sparse_core(core, tmp_path / "core", 1 << 30)
        best = min(seconds_to_read(large) for _ in range(5))
        assert best < 0.05


def seconds_to_read(core: Path) -> float:
    start = time.perf_counter()
    with core.open("rb") as stream:
        facts = read_core(stream, core.stat().st_size)
    assert facts.threads
    assert facts.missing_bytes == 0
    return time.perf_counter() - start


def gdb_without_end(*words: str | Path) -> None:
    """Show that a plain gdb does not come to an end; it is killed then."""
    command = ["gdb", "-batch", "-nx", "-iex", "set auto-load no", *map(str, words)]
    quiet = subprocess.DEVNULL
    subprocess.run(command, stdout=quiet, stderr=quiet, timeout=6, check=False)


def lines(run: hostile.Run) -> list[str]:
    return run.output.splitlines()
