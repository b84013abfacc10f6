"""The ways in which a core dump comes to the command that are easy to get wrong."""

import fcntl
import gzip
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from triage.debugger import launch
from triage.errors import ExitCode

ROOT = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-m", "triage.cli.main")
Crash = Callable[..., Path]
STACK = ["read_tensor", "scale_row", "load_model", "main"]
LOG = b"INFO start\nCUDA error 700 at x.cu:12: an illegal memory access was encountered\n"


def run(*words: object, **more: object) -> subprocess.CompletedProcess[bytes]:
    options: dict = {"stdin": subprocess.DEVNULL} if "input" not in more else {}
    done = subprocess.run(
        [*COMMAND, *map(str, words)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        timeout=60,
        check=False,
        **{**options, **more},
    )
    assert b"Traceback" not in done.stderr
    assert b"internal error" not in done.stderr
    return done


def report(*words: object, **more: object) -> dict:
    done = run(*words, "--format", "json", **more)
    assert done.returncode in (ExitCode.KNOWN, ExitCode.UNKNOWN), done.stderr
    return json.loads(done.stdout)


def functions(found: dict) -> list[str]:
    return [f["function"] for f in found["threads"][found["crashed_thread"]]["frames"]]


def warnings(found: dict) -> dict[str, str]:
    return {w["code"]: w["message"] for w in found["warnings"]}


def shell(redirections: str, *words: object) -> subprocess.CompletedProcess[bytes]:
    command = ["sh", "-c", f'exec "$@" {redirections}', "sh", *COMMAND, *map(str, words)]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, env=env, capture_output=True, timeout=60, check=False)


@pytest.mark.slow
class TestClosedStreams:
    @pytest.mark.parametrize("closed", ["<&-", "2>&-", "<&- 2>&-"])
    def test_gdb_is_answered(self, core_programs, crash: Crash, closed: str):
        core, binary = crash(core_programs.plain), core_programs.plain
        begin = time.monotonic()
        done = shell(closed, "core", core, "-b", binary, "--timeout", 30, "-f", "json")
        assert time.monotonic() - begin < 15
        assert functions(json.loads(done.stdout)) == STACK

    def test_all_closed_and_a_file_for_the_report(self, core_programs, crash: Crash, tmp_path):
        out, binary = tmp_path / "report.json", core_programs.plain
        words = ("core", crash(binary), "-b", binary, "-f", "json", "-o", out)
        assert shell("<&- >&- 2>&-", *words).returncode == ExitCode.UNKNOWN
        assert functions(json.loads(out.read_text())) == STACK

    @pytest.mark.parametrize(
        "words", [("core", "CORE"), ("core", "CORE", "CORE"), ("analyze", "CORE"), ("batch", "DIR"),
                  ("--version",), ("--help",), ("signature", "list")],
    )  # fmt: skip
    def test_a_report_without_a_place_is_an_error(self, core_programs, crash: Crash, words):
        core = crash(core_programs.plain)
        places = {"CORE": core, "DIR": core.parent}
        done = shell(">&-", *(places.get(w, w) for w in words))
        assert done.returncode == ExitCode.USAGE
        assert done.stderr.startswith(b"clawtriage: nothing could be printed: standard output is")

    def test_the_filter_takes_no_standard_descriptor(self):
        script = (
            "import os; os.close(0); os.close(1); from triage.debugger import launch\n"
            "at = launch._readable(b'filter'); os.write(2, b'%d' % at)\n"
            "assert os.read(at, 10) == b'filter'"
        )
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=ROOT, stderr=subprocess.PIPE, check=True
        )
        assert int(done.stderr) >= 3

    def test_the_filter_is_not_inherited_by_others(self):
        at = launch._readable(b"x")
        try:
            assert fcntl.fcntl(at, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
        finally:
            os.close(at)


class TestNothingReadable:
    def test_a_header_alone_is_no_healthy_process(self, core_programs, crash: Crash, tmp_path):
        part = tmp_path / "core"
        part.write_bytes(crash(core_programs.plain).read_bytes()[:64])
        for words in (("core", part), ("analyze", part), ("core", part, "-b", core_programs.plain)):
            found = report(*words)
            assert found["verdict"] == "unknown"
            assert {"core-truncated", "core-without-threads"} <= set(warnings(found))

    @pytest.mark.parametrize("size", [5, 16, 17, 30, 63])
    def test_less_than_a_header_cannot_be_read(self, core_programs, crash: Crash, tmp_path, size):
        part = tmp_path / "core"
        part.write_bytes(crash(core_programs.plain).read_bytes()[:size])
        assert run("core", part).returncode == ExitCode.INPUT

    def test_half_an_elf_header_is_named(self, tmp_path: Path):
        (tmp_path / "core").write_bytes(b"\x7fELF\x02\x01\x01")
        assert b"cut off in its header" in run("core", tmp_path / "core").stderr


class TestEmptyNames:
    @pytest.mark.parametrize(
        ("words", "status"),
        [
            (("core", ""), ExitCode.INPUT),
            (("core", "", "x"), ExitCode.INPUT),
            (("analyze", ""), ExitCode.INPUT),
            (("batch", ""), ExitCode.BATCH),
            (("core", "x", "-b", ""), ExitCode.USAGE),
            (("batch", ".", "--db", ""), ExitCode.USAGE),
            (("analyze", "x", "--pack", ""), ExitCode.USAGE),
        ],
    )
    def test_the_current_folder_is_not_meant(self, tmp_path: Path, words, status):
        (tmp_path / "a.log").write_bytes(LOG)
        done = run(*words, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (status, b"")
        assert b"empty" in done.stderr
        assert b"variable of the shell" in done.stderr


class TestArchives:
    @pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "two-blocks.tar"])
    def test_an_empty_one_has_nothing_to_say(self, tmp_path: Path, name: str):
        made = io.BytesIO()
        tarfile.open(fileobj=made, mode="w").close()
        data = bytes(1024) if name.startswith("two") else made.getvalue()
        (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)
        done = run("analyze", tmp_path / name)
        assert (done.returncode, done.stdout) == (ExitCode.INPUT, b"")
        assert b"nothing but zero bytes" in done.stderr

    def test_a_log_that_begins_with_zeros_is_a_log(self, tmp_path: Path):
        (tmp_path / "a.log").write_bytes(bytes(10240) + b"\n" + LOG)
        assert report("analyze", tmp_path / "a.log")["errors"][0]["code"] == 700

    def test_one_that_is_packed_twice(self, core_programs, crash: Crash, tmp_path: Path):
        packed = tmp_path / "core.gz.gz"
        packed.write_bytes(gzip.compress(gzip.compress(crash(core_programs.plain).read_bytes())))
        for command in ("core", "analyze"):
            done = run(command, packed)
            assert done.returncode == ExitCode.INPUT
            first, second = done.stderr.splitlines()
            assert b"is packed twice: it holds a gzip file" in first
            assert b"unpack it once" in second

    @pytest.mark.slow
    def test_ten_thousand_members(self, tmp_path: Path):
        with zipfile.ZipFile(tmp_path / "many.zip", "w", zipfile.ZIP_DEFLATED) as made:
            for n in range(9_000):
                made.writestr(f"logs/{n}.log", b"INFO line %d\n" % n)
            made.writestr("logs/engine.log", LOG)
        found = report("analyze", tmp_path / "many.zip")
        assert found["errors"][0]["at"]["member"] == "logs/engine.log"


class TestOptions:
    @pytest.mark.parametrize("command", ["batch", "core"])
    def test_a_wrong_program_stops_the_run(self, core_programs, crash: Crash, tmp_path, command):
        for name in ("a.core", "b.core"):
            shutil.copy(crash(core_programs.plain), tmp_path / name)
        for wrong, word in ((tmp_path / "gone", b"No such file"), (__file__, b"not an ELF file")):
            done = run(command, tmp_path, "-b", core_programs.plain, "-b", wrong)
            assert (done.returncode, done.stdout) == (ExitCode.INPUT, b"")
            first, second = done.stderr.splitlines()
            assert str(wrong).encode() in first
            assert word in first
            assert second.startswith("  → ".encode())

    def test_list_and_last(self):
        done = run("core", "--list", "--last")
        assert done.returncode == ExitCode.USAGE
        assert b"--list shows crashes and --last reads one" in done.stderr

    def test_a_core_that_others_own(self, core_programs, crash: Crash, tmp_path: Path):
        if os.getuid() == 0:
            pytest.skip("root may read everything")
        core = tmp_path / "core"
        shutil.copy(crash(core_programs.plain), core)
        core.chmod(0)
        done = run("core", core)
        assert done.returncode == ExitCode.INPUT
        assert b"coredumpctl dump" in done.stderr
        assert b"sudo" in done.stderr

    def test_another_gdb(self, core_programs, crash: Crash, tmp_path: Path):
        mine = tmp_path / "my-gdb"
        shutil.copy(shutil.which("gdb") or "gdb", mine)
        env = {"PATH": str(tmp_path), "HOME": str(tmp_path)}
        for tool in ("bwrap", "prlimit"):
            (tmp_path / tool).symlink_to(shutil.which(tool) or tool)
        words = ["core", crash(core_programs.plain), "-b", core_programs.plain, "-f", "json"]
        done = subprocess.run(
            [*COMMAND, *words, "--debugger", mine], env={**env, "PYTHONPATH": str(ROOT)},
            capture_output=True, check=False,
        )  # fmt: skip
        assert functions(json.loads(done.stdout)) == STACK

    def test_a_debugger_that_is_no_gdb(self, core_programs, crash: Crash, tmp_path: Path):
        words = ("core", crash(core_programs.plain), "-b", core_programs.plain, "--debugger")
        assert "did not answer" in warnings(report(*words, "/bin/sh"))["debugger-failed"]
        (tmp_path / "gdb.sh").write_text("#!/bin/sh\n")
        (tmp_path / "gdb.sh").chmod(0o755)
        found = warnings(report(*words, tmp_path / "gdb.sh"))
        assert "--debugger PATH" in found["sandbox-unavailable"]
        assert run(*words, tmp_path / "gone").returncode == ExitCode.INPUT


class TestStandardInput:
    def test_core(self, core_programs, crash: Crash):
        data = crash(core_programs.plain).read_bytes()
        for packed in (data, gzip.compress(data)):
            assert functions(report("core", "-", "-b", core_programs.plain, input=packed)) == STACK

    @pytest.mark.parametrize("command", ["core", "analyze"])
    def test_what_is_suggested(self, core_programs, crash: Crash, command: str):
        found = report(command, "-", input=crash(core_programs.plain).read_bytes())
        words = f"clawtriage core - --binary {core_programs.plain}"
        assert words in warnings(found)["binary-missing"]

    def test_once(self):
        assert run("core", "-", "--log", "-", input=b"").returncode == ExitCode.USAGE

    def test_a_pipe_without_a_writer(self, tmp_path: Path):
        os.mkfifo(tmp_path / "pipe")
        with subprocess.Popen(
            [*COMMAND, "analyze", tmp_path / "pipe"], cwd=ROOT, stderr=subprocess.PIPE
        ) as process:
            assert process.stderr is not None
            assert b"waiting for a program that writes to the pipe" in process.stderr.readline()
            process.kill()


def bundle(folder: Path, form: str, files: dict[str, Path]) -> Path:
    if form == "folder":
        (folder / "crash").mkdir()
        for name, path in files.items():
            shutil.copy(path, folder / "crash" / name)
        return folder / "crash"
    made = folder / f"crash.{form}"
    if form == "zip":
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, path in files.items():
                archive.write(path, f"crash/{name}")
        return made
    with tarfile.open(made, "w:gz") as tar:
        for name, path in files.items():
            tar.add(path, f"crash/{name}")
    return made


FORMS = ["folder", "tar.gz", "zip"]


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
class TestBundledProgram:
    def test_the_one_that_crashed_is_used(self, core_programs, crash: Crash, tmp_path, form: str):
        core = crash(core_programs.plain)
        files = {"core": core, "claw": core_programs.plain, "other": core_programs.other}
        found = report("analyze", bundle(tmp_path, form, files))
        assert functions(found) == STACK
        assert warnings(found) == {}

    def test_stripped_with_its_debug_file(self, core_programs, crash: Crash, tmp_path, form: str):
        debug = tmp_path / "claw.debug"
        words = ["objcopy", "--only-keep-debug", core_programs.plain, debug]
        subprocess.run(words, check=True)
        core = crash(core_programs.plain)
        files = {"a.debug": debug, "core": core, "claw": core_programs.stripped}
        found = report("analyze", bundle(tmp_path, form, files))
        assert functions(found) == STACK
        assert found["threads"][0]["frames"][0]["line"]

    def test_nothing_beside_it_is_run(self, core_programs, crash: Crash, tmp_path, form: str):
        canary = tmp_path / "canary"
        files = {"core": crash(core_programs.plain), "crash": core_programs.plain}
        for name in ("crash-gdb.py", "crash-gdb.gdb", ".gdbinit"):
            files[name] = tmp_path / name
            python = f"open({str(canary)!r}, 'w')\n"
            files[name].write_text(python if name.endswith("py") else f"shell touch {canary}\n")
        assert functions(report("analyze", bundle(tmp_path, form, files))) == STACK
        assert not canary.exists()

    def test_another_build_gives_no_names(self, core_programs, crash: Crash, tmp_path, form: str):
        core = crash(core_programs.plain)
        made = bundle(tmp_path, form, {"core": core, "claw": core_programs.other})
        found = report("analyze", made)
        assert functions(found) == [None]
        message = warnings(found)["binary-missing"]
        assert "which is not that of" in message
        assert "claw" in message

    def test_not_without_the_sandbox(self, core_programs, crash: Crash, tmp_path, form: str):
        core = crash(core_programs.plain)
        made = bundle(tmp_path, form, {"core": core, "claw": core_programs.plain})
        found = report("analyze", made, "--unsafe-no-sandbox")
        assert functions(found) == [None]
        assert "in a sandbox only, unless you name it" in warnings(found)["binary-missing"]

    def test_a_log_and_a_program_without_a_core(self, core_programs, tmp_path, form: str):
        (tmp_path / "log").write_bytes(LOG)
        made = bundle(tmp_path, form, {"log": tmp_path / "log", "claw": core_programs.plain})
        found = report("analyze", made)
        assert found["errors"][0]["code"] == 700
        assert "were not read" in warnings(found)["program-unused"]

    def test_a_program_alone(self, core_programs, tmp_path: Path, form: str):
        made = bundle(tmp_path, form, {"claw": core_programs.plain})
        done = run("analyze", made)
        assert done.returncode == ExitCode.INPUT
        assert b"a program or library, not a core dump" in done.stderr

    def test_what_is_suggested_can_be_typed(self, core_programs, crash: Crash, tmp_path, form):
        made = bundle(tmp_path, form, {"core": crash(core_programs.plain)})
        message = warnings(report("analyze", made))["binary-missing"]
        command = message.partition(": clawtriage ")[2].split()
        assert functions(report(*command)) == STACK


def test_cores_of_a_folder_with_their_program(core_programs, crash: Crash, tmp_path: Path):
    core = crash(core_programs.plain)
    made = bundle(tmp_path, "folder", {"a": core, "b": core, "claw": core_programs.plain})
    done = run("core", made, "--format", "jsonl")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [functions(row) for row in rows] == [STACK, STACK]


def test_a_report_names_one_path_of_the_program(core_programs, crash: Crash, tmp_path: Path):
    moved = tmp_path / "claw"
    shutil.copy(core_programs.plain, moved)
    with (tmp_path / "run").open("w") as script:
        script.write(f"cd {tmp_path}; ulimit -c unlimited; ./claw\n")
    subprocess.run(["bash", tmp_path / "run"], check=False, capture_output=True)
    (core,) = tmp_path.glob("core*")
    found = report("core", core)
    assert found["environment"]["command_line"] == ["./claw"]
    assert found["environment"]["executable"] == str(moved)
    text = " ".join([*found["next_evidence"], *warnings(found).values()])
    assert f"--binary {moved}" in text
    assert "--binary ./claw" not in text


def handles(pid: int, number: int) -> bool:
    """Tell whether a process has a handler for a signal of its own."""
    fields = dict(
        line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    return bool(int(fields.get("SigCgt", "0"), 16) >> (number - 1) & 1)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM])
def test_a_signal_at_any_time_leaves_nothing(core_programs, crash: Crash, tmp_path, number):
    packed, spool = tmp_path / "core.gz", tmp_path / "spool"
    packed.write_bytes(gzip.compress(crash(core_programs.plain).read_bytes()))
    spool.mkdir()
    moments = random.Random(number)
    for _ in range(8):
        with subprocess.Popen(
            [*COMMAND, "core", packed, "-b", core_programs.plain],
            env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(spool)},
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # noqa: PLW1509
        ) as process:  # fmt: skip
            while process.poll() is None and not handles(process.pid, signal.SIGTERM):
                time.sleep(0.002)
            time.sleep(moments.uniform(0, 0.4))
            process.send_signal(number)
            said = process.communicate(timeout=20)[1]
        assert process.returncode in (-number, ExitCode.UNKNOWN)
        assert b"Traceback" not in said
        assert list(spool.iterdir()) == []
