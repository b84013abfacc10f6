"""What gdb can do to the machine that it runs on, tried for real, with and without the sandbox."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from triage.debugger import launch
from triage.debugger.coredump import read_core_dump
from triage.debugger.launch import GdbOptions, GdbProcess
from triage.debugger.limits import GdbLimits
from triage.debugger.mi import MiSession
from triage.debugger.prepare import CoreRequest, prepare
from triage.debugger.sandbox import CORE, Mounts, Sandbox, make_sandbox
from triage.model.crash import Fragment, Symbols
from triage.model.stack import Thread

Crash = Callable[..., Path]
SOURCES = Path(__file__).parent / "core_programs"
CANARY = "hf_canary_of_the_host"

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ("bwrap", "gdb", "gcc"))), reason="needs bubblewrap, gdb and gcc"
)


def read(core: Path, **request: object) -> Fragment:
    return read_core_dump(core, CoreRequest(**request), input_id=0)


def crashed(fragment: Fragment) -> Thread:
    (thread,) = [t for t in fragment.threads if t.crashed]
    return thread


def functions(fragment: Fragment) -> list[str | None]:
    return [f.function for f in crashed(fragment).frames]


def codes(fragment: Fragment) -> list[str]:
    return [w.code for w in fragment.warnings]


def compiled(folder: Path, source: str, *options: str, name: str = "program") -> Path:
    program = folder / name
    words = ["gcc", "-Wl,--build-id", *options, SOURCES / source, "-o", program]
    subprocess.run(words, check=True)
    return program


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("probe"), "probe.c", "-O1", "-w")


@pytest.fixture(scope="module")
def canary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("canary") / "canary"
    path.write_text(CANARY)
    return path


@pytest.fixture(scope="module")
def inside(probe: Path, canary: Path) -> dict[str, str]:
    sandbox = make_sandbox(shutil.which("gdb") or "", Mounts(files=((str(canary), CORE),)))
    sandbox = sandbox._replace(tools=sandbox.tools._replace(gdb=str(probe)))
    return answers(run_in(sandbox, str(canary)))


@pytest.fixture(scope="module")
def outside(probe: Path, canary: Path) -> dict[str, str]:
    return answers(subprocess.check_output([probe, canary], text=True))


@pytest.fixture(scope="module")
def leaking(crash: Crash, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return a program, and a core dump that names a file of the host in place of its own."""
    folder = tmp_path_factory.mktemp("leaking")
    program = compiled(folder, "mapped.c", "-O1", "-g")
    (folder / "own").write_text("nothing")
    (folder / "not").write_text(f"{CANARY:<4000}")
    own, other = (str(folder / name).encode() + b"\0" for name in ("own", "not"))
    data = crash(program, str(folder / "own")).read_bytes()
    # The list of mapped files comes before the arguments in memory.
    core = folder / "core"
    core.write_bytes(data.replace(own, other, 1))
    return program, core


@pytest.fixture(scope="module")
def split(core_programs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("split")
    program = core_programs.plain
    words = ["objcopy", "--only-keep-debug", program, folder / "debug"]
    subprocess.run(words, check=True)
    words = ["objcopy", "--strip-all", program, folder / "program"]
    subprocess.run(words, check=True)
    return folder


class TestProbe:
    """A program that tries what a hostile core dump could make gdb do, put in gdb's place."""

    def test_all_that_it_can_is_read_the_core(self, inside):
        assert [name for name, could in inside.items() if could == "yes"] == ["open-core"]

    def test_it_can_where_there_is_no_sandbox(self, inside, outside):
        can = {name for name, could in outside.items() if could == "yes"}
        # Only root is root, and /in/core is not there.
        assert set(inside) - can <= {"root-user", "open-core", "change-core", "write-root"}


def answers(text: str) -> dict[str, str]:
    return dict(line.split() for line in text.splitlines())


def run_in(sandbox: Sandbox, *arguments: str) -> str:
    read_end, write_end = os.pipe()
    os.write(write_end, sandbox.program)
    os.close(write_end)
    command = sandbox.command(arguments, cpu=10, memory=1 << 30, filter_at=read_end)
    done = subprocess.run(command, check=False, pass_fds=[read_end], capture_output=True, text=True)
    os.close(read_end)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


class TestHostFiles:
    def test_a_file_that_the_core_dump_names(self, leaking):
        program, core = leaking
        fragment = read(core, binaries=(program,))
        frame = crashed(fragment).frames[0]
        assert frame.function == "show"
        assert frame.args is not None
        assert CANARY not in str(fragment)

    def test_its_text_is_shown_without_the_sandbox(self, leaking):
        program, core = leaking
        assert CANARY in (
            crashed(read(core, binaries=(program,), sandbox=False)).frames[0].args or ""
        )

    def test_a_fifo_that_the_core_dump_names(self, leaking, tmp_path: Path):
        program, core = leaking
        pipe = tmp_path / "core"
        place = str(core.parent / "not").encode() + b"\0"
        fifo = core.parent / "fif"
        os.mkfifo(fifo)
        pipe.write_bytes(core.read_bytes().replace(place, str(fifo).encode() + b"\0", 1))
        begin = time.monotonic()
        assert functions(read(pipe, binaries=(program,)))[0] == "show"
        assert time.monotonic() - begin < 5

    def test_libraries_of_the_host_are_not_seen(self, core_programs, crash: Crash):
        core = crash(core_programs.plain, "threads")
        with started(core, core_programs.plain) as session:
            session.send_all(['-file-exec-and-symbols "/in/exe"', f"-target-select core {CORE}"])
            listing = session.send("-file-list-shared-libraries")
            seen = [lib["host-name"] for lib in listing.payload["shared-libraries"]]
            assert seen
            assert all(name.startswith("/sysroot/") for name in seen)
            # A library that is on this machine and in no core dump.
            reply = session.send('-file-symbol-file "/usr/lib/os-release"')
            assert "No such file" in (reply.error or "")


def started(core: Path, binary: Path, **request: object) -> MiSession:
    prepared = prepare(core, CoreRequest(binaries=(binary,), **request))
    assert prepared.started is not None
    return MiSession(prepared.started, GdbLimits(wall=20))


class TestNetwork:
    @pytest.fixture
    def listener(self) -> Iterator[tuple[str, list[bytes]]]:
        """Return the address of a server that keeps what it is asked."""
        asked: list[bytes] = []
        with socket.create_server(("127.0.0.1", 0)) as server:

            def serve() -> None:
                while True:
                    try:
                        connection, _ = server.accept()
                    except OSError:
                        return
                    with connection:
                        asked.append(connection.recv(4096))

            thread = threading.Thread(target=serve)
            thread.start()
            yield f"http://127.0.0.1:{server.getsockname()[1]}", asked
            server.shutdown(socket.SHUT_RDWR)
            thread.join()

    def test_nothing_is_asked_for(
        self, core_programs, crash: Crash, listener, monkeypatch, tmp_path
    ):
        address, asked = listener
        # What was not found lately is not asked for again.
        monkeypatch.setenv("DEBUGINFOD_CACHE_PATH", str(tmp_path))
        core = crash(core_programs.plain)
        monkeypatch.setenv("DEBUGINFOD_URLS", address)
        monkeypatch.setitem(launch._ENVIRONMENT, "DEBUGINFOD_URLS", address)
        read(core, binaries=(core_programs.stripped,))
        assert asked == []
        # Another gdb does ask, so that the test would see it.
        words = ["gdb", "-batch", "-nx", "-iex", "set debuginfod enabled on"]
        subprocess.run([*words, core_programs.stripped], check=True, capture_output=True)
        assert b"/buildid/" in asked[0]


class TestSettings:
    def test_one_that_is_not_kept_to_means_that_nothing_is_opened(
        self, core_programs, crash: Crash, monkeypatch
    ):
        real = launch._settings
        monkeypatch.setattr(
            launch, "_settings", lambda o: [s for s in real(o) if s != "set auto-load no"]
        )
        sent: list[str] = []
        send_all = MiSession.send_all
        monkeypatch.setattr(
            MiSession, "send_all", lambda s, c, *a: sent.extend(c) or send_all(s, c, *a)
        )
        fragment = read(crash(core_programs.plain), binaries=(core_programs.plain,))
        assert codes(fragment) == ["debugger-failed"]
        assert "auto-load gdb-scripts off" in fragment.warnings[0].message
        assert all(command.startswith("-gdb-show") for command in sent)


class TestEnd:
    def test_nothing_is_left_of_a_sandbox_that_was_killed(self, core_programs, crash: Crash):
        core = crash(core_programs.endless_unwind)
        session = started(core, core_programs.endless_unwind)
        family = descendants(session.pid)
        assert len(family) >= 2
        gdb = next(pid for pid in family if "gdb" in Path(f"/proc/{pid}/comm").read_text())
        session.send_all(['-file-exec-and-symbols "/in/exe"', f"-target-select core {CORE}"])
        os.kill(gdb, signal.SIGTERM)
        session.close()
        deadline = time.monotonic() + 2
        while any(map(runs, (session.pid, *family))):
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def test_nothing_is_written_to_disk(self, core_programs, crash: Crash, monkeypatch, tmp_path):
        monkeypatch.setenv("TMPDIR", str(tmp_path))
        core = crash(core_programs.endless_unwind)
        before = sorted(core.parent.iterdir())
        fragment = read(core, binaries=(core_programs.endless_unwind,), limits=GdbLimits(wall=1.5))
        assert "debugger-wall-limit" in codes(fragment)
        assert list(tmp_path.iterdir()) == []
        assert sorted(core.parent.iterdir()) == before

    def test_the_memory_limit_is_named(self, core_programs, crash: Crash):
        core = crash(core_programs.plain, "recursion", "100000")
        limits = GdbLimits(memory=120 << 20, unwound_frames=10_000_000)
        fragment = read(core, binaries=(core_programs.plain,), limits=limits)
        assert {"debugger-memory-limit", "debugger-died"} & set(codes(fragment))
        assert any("memory" in warning.message for warning in fragment.warnings)
        assert fragment.signal is not None


def runs(pid: int) -> bool:
    """Tell whether a process is there, and not only its exit status."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def descendants(pid: int) -> list[int]:
    found = []
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        found += [int(child), *descendants(int(child))]
    return found


class TestFailsClosed:
    def test_without_bubblewrap(self, core_programs, crash: Crash, monkeypatch, tmp_path: Path):
        (tmp_path / "gdb").symlink_to(shutil.which("gdb") or "")
        monkeypatch.setenv("PATH", str(tmp_path))
        fragment = read(crash(core_programs.plain, "threads"), binaries=(core_programs.plain,))
        assert codes(fragment) == ["sandbox-unavailable"]
        assert "apt-get install bubblewrap" in fragment.warnings[0].message
        assert "--unsafe-no-sandbox" in fragment.warnings[0].message
        assert [len(t.frames) for t in fragment.threads] == [1] * 5
        assert fragment.signal is not None

    def test_where_user_namespaces_are_forbidden(self, core_programs, crash: Crash, tmp_path: Path):
        core = crash(core_programs.plain)
        report = tmp_path / "report"
        words = ["bwrap", "--bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]
        words += ["--unshare-user", "--uid", "1000", "--disable-userns", sys.executable, "-m"]
        words += ["triage.cli.main", "core", core, "-b", core_programs.plain, "-f", "json"]
        root = Path(__file__).parents[2]
        with report.open("w") as stream:
            done = subprocess.run(words, check=False, stdout=stream, cwd=root)
        result = json.loads(report.read_text())
        # The core dump itself was read: the status is that of its verdict.
        assert done.returncode == 10
        assert result["signal"]["name"] == "SIGSEGV"
        (warning,) = result["warnings"]
        assert warning["code"] == "sandbox-unavailable"
        assert "namespace" in warning["message"]
        assert "sysctl" in warning["message"]

    def test_where_gdb_is_a_script(self, core_programs, crash: Crash, monkeypatch, tmp_path: Path):
        (tmp_path / "gdb").write_text('#!/bin/sh\nexec /usr/bin/gdb "$@"\n')
        (tmp_path / "gdb").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        fragment = read(crash(core_programs.plain), binaries=(core_programs.plain,))
        if Path("/usr/libexec/gdb").exists():
            assert codes(fragment) == []
        else:
            assert codes(fragment) == ["sandbox-unavailable"]
            assert "script" in fragment.warnings[0].message

    def test_only_who_asks_for_it_goes_without(self, core_programs, crash: Crash):
        core = crash(core_programs.plain)
        fragment = read(core, binaries=(core_programs.plain,), sandbox=False)
        assert codes(fragment) == ["sandbox-off"]
        assert functions(fragment) == functions(read(core, binaries=(core_programs.plain,)))


class TestOrdinaryUser:
    @pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
    def test_the_same_is_read(self, core_programs, crash: Crash):
        core = crash(core_programs.plain, "handler")
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            folder.chmod(0o755)
            for source, copy in ((core, "core"), (core_programs.plain, "program")):
                shutil.copy(source, folder / copy)
                (folder / copy).chmod(0o755)
            told = as_nobody(
                lambda: repr(
                    functions(fragment := read(folder / "core", binaries=(folder / "program",)))
                    + codes(fragment)
                )
            )
        assert told == repr(functions(read(core, binaries=(core_programs.plain,))))
        assert "on_signal" in told


def as_nobody(action: Callable[[], str]) -> str:
    """Return what an action says that is done by a user who owns nothing."""
    read_end, write_end = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            os.write(write_end, action().encode())
        except BaseException as error:
            os.write(write_end, repr(error).encode())
        finally:
            os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end) as stream:
        text = stream.read()
    os.waitpid(child, 0)
    return text


class TestSymbols:
    """Separate files, which are shown to gdb where their build ids are right."""

    @pytest.mark.parametrize(
        "layout", [".build-id/{0}/{1}.debug", "{0}/{1}/debuginfo", "{0}{1}/debuginfo"]
    )
    def test_by_build_id(self, core_programs, crash: Crash, split: Path, tmp_path, layout: str):
        core = crash(core_programs.plain)
        place = tmp_path / layout.format(*build_id(core_programs.plain))
        place.parent.mkdir(parents=True)
        shutil.copy(split / "debug", place)
        fragment = read(core, binaries=(split / "program",), symbols=tmp_path)
        assert functions(fragment)[:2] == ["read_tensor", "scale_row"]
        assert crashed(fragment).frames[0].line
        assert functions(read(core, binaries=(split / "program",)))[0] is None

    def test_of_another_build(self, core_programs, crash: Crash, split: Path, tmp_path: Path):
        core = crash(core_programs.plain)
        first, rest = build_id(core_programs.plain)
        place = tmp_path / ".build-id" / first / f"{rest}.debug"
        place.parent.mkdir(parents=True)
        shutil.copy(core_programs.other, place)
        fragment = read(core, binaries=(split / "program",), symbols=tmp_path)
        assert functions(fragment)[0] is None
        request = CoreRequest(binaries=(split / "program",), symbols=tmp_path)
        with prepare(core, request) as prepared:
            assert prepared.setup is not None
            assert str(place) not in str(prepared.setup.sandbox)

    def test_the_program_itself(self, core_programs, crash: Crash, tmp_path: Path):
        place = tmp_path.joinpath(*build_id(core_programs.plain), "executable")
        place.parent.mkdir(parents=True)
        shutil.copy(core_programs.plain, place)
        fragment = read(crash(core_programs.plain), symbols=tmp_path)
        assert functions(fragment)[0] == "read_tensor"
        assert codes(fragment) == []

    def test_beside_the_program(self, core_programs, crash: Crash, split: Path, tmp_path: Path):
        for name in ("program", "debug"):
            shutil.copy(split / name, tmp_path)
        words = ["objcopy", "--add-gnu-debuglink=debug", "program"]
        subprocess.run(words, cwd=tmp_path, check=True)
        fragment = read(crash(core_programs.plain), binaries=(tmp_path / "program",))
        assert functions(fragment)[0] == "read_tensor"

    def test_sysroot_with_the_libraries(self, core_programs, crash: Crash, tmp_path: Path):
        core = crash(core_programs.plain, "handler")
        libc = next(m for m in read(core).modules if m.name == "libc.so.6")
        assert libc.path is not None
        place = tmp_path / libc.path.lstrip("/")
        place.parent.mkdir(parents=True)
        shutil.copy(libc.path, place)
        fragment = read(core, binaries=(core_programs.plain,), sysroot=tmp_path)
        symbols = {m.name: m.symbols for m in fragment.modules}
        assert symbols["libc.so.6"] is not Symbols.MISSING
        assert (
            symbols["libstdc++.so.6.0.30"] is Symbols.MISSING
            if ("libstdc++.so.6.0.30" in symbols)
            else True
        )
        assert functions(fragment)[-1] == "main"


def build_id(program: Path) -> tuple[str, str]:
    notes = subprocess.check_output(["readelf", "-n", program], text=True)
    text = notes.partition("Build ID: ")[2].split()[0]
    return text[:2], text[2:]


class TestNames:
    def test_a_symbol_that_stands_for_gigabytes(self, crash: Crash, tmp_path: Path):
        digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
        seats = [*digits[1:], *(f"1{d}" for d in digits)][:60]
        symbol = "_Z1f1AIiiE1BIS0_S0_E" + "".join(f"S1_IS{n}_S{n}_E" for n in seats)
        program = compiled(tmp_path, "mapped.c", "-O1", f"-Dshow={symbol}")
        core = crash(program, "/dev/null")
        begin = time.monotonic()
        fragment = read(core, binaries=(program,))
        assert time.monotonic() - begin < 5
        assert functions(fragment)[:2] == ["f", "main"]
        assert "names-shortened" in codes(fragment)

    def test_names_are_those_of_the_source(self, core_programs, crash: Crash):
        fragment = read(crash(core_programs.plain, "bounce"), binaries=(core_programs.plain,))
        assert "Fold<0>::run" in functions(fragment)
        assert codes(fragment) == []


def test_a_gdb_in_a_sandbox_can_be_used_without_a_core_dump():
    sandbox = make_sandbox(shutil.which("gdb") or "", Mounts())
    with MiSession(GdbProcess("", GdbOptions(), sandbox), GdbLimits(wall=20)) as session:
        assert session.send("-gdb-show demangle-style").payload["value"] == "none"
