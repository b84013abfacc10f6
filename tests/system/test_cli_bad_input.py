"""The command, given what it cannot use: a status, a line that says why, and nothing worse."""

import os
import sqlite3
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from triage.errors import ExitCode

ROOT = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-m", "triage.cli.main")
LOG = ROOT / "fixtures" / "recordings" / "gpu" / "quant.rel.log"
RISCV = 243
BROKEN_PIPE = 128 + 13
SIGNATURE = """\
schema = 1
id = "mine/one"
title = "A failure of mine"
family = "other"
level = "hint"
base = 0.3
cause = "It is made up."
sources = ["a test"]
[[when]]
log.line = "*a line that is in no log*"
[remedy]
summary = "Nothing helps."
[[remedy.step]]
title = "Wait"
commands = ["sleep 1"]
[[remedy.verify]]
title = "It is over"
command = "true"
"""


@dataclass(frozen=True)
class Done:
    """What a run of the command left."""

    status: int
    out: str
    err: str


def run(
    *arguments: str | bytes | Path,
    stdin: bytes | None = None,
    wrapper: tuple[str, ...] = (),
    **variables: str,
) -> Done:
    """Run the command; whatever it was given, no traceback and no escape character comes out."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("CLAWTRIAGE")}
    done = subprocess.run(
        [*wrapper, *COMMAND, *arguments],
        env={**env, "PYTHONPATH": str(ROOT), **variables},
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        timeout=60,
        check=False,
    )
    return checked(done.returncode, done.stdout, done.stderr)


def checked(status: int, out: bytes, err: bytes) -> Done:
    assert b"Traceback" not in out + err
    assert b"internal error" not in err
    assert b"\x1b" not in out + err
    return Done(status, out.decode(), err.decode())


def complaint(done: Done, status: ExitCode) -> str:
    """Check that the run ended with the status and one complaint, and return what it says."""
    assert (done.status, done.out) == (status, ""), done.err
    lines = done.err.splitlines()
    assert lines, "nothing was said"
    assert lines[0].startswith("clawtriage: ")
    assert len(lines) == 1 or (len(lines) == 2 and lines[1].lstrip().startswith("→ ")), done.err
    return done.err


def report(done: Done, *statuses: ExitCode) -> str:
    """Check that a report came out, with at most one warning beside it, and return the report."""
    assert done.status in statuses, done.err
    assert done.out
    lines = done.err.splitlines()
    assert not lines or lines[0].startswith("clawtriage: ")
    assert len(lines) <= 1 or (len(lines) == 2 and lines[1].lstrip().startswith("→ ")), done.err
    return done.out


class TestFiles:
    def test_missing(self, tmp_path: Path):
        assert "missing.log" in complaint(run("analyze", tmp_path / "missing.log"), ExitCode.INPUT)

    def test_folder_without_files(self, tmp_path: Path):
        (tmp_path / "inner").mkdir()
        assert "no files" in complaint(run("analyze", tmp_path), ExitCode.INPUT)

    def test_empty(self, tmp_path: Path):
        (tmp_path / "empty.log").touch()
        done = run("analyze", tmp_path / "empty.log")
        assert "empty" in report(done, ExitCode.NO_CRASH)

    def test_binary_data(self, tmp_path: Path):
        (tmp_path / "junk").write_bytes(bytes(range(256)) * 400)
        assert "binary data" in complaint(run("analyze", tmp_path / "junk"), ExitCode.INPUT)

    @pytest.mark.parametrize("name", ["analyze", "core"])
    def test_device(self, name: str):
        complaint(run(name, "/dev/null"), ExitCode.INPUT)

    def test_pipe_with_a_writer(self, tmp_path: Path):
        os.mkfifo(tmp_path / "pipe")
        writer = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(LOG.read_bytes()))
        writer.start()
        done = run("analyze", tmp_path / "pipe")
        writer.join(timeout=10)
        assert "openclaw/unsupported-quant" in report(done, ExitCode.KNOWN)

    def test_standard_input(self):
        done = run("analyze", "-", stdin=LOG.read_bytes())
        assert "openclaw/unsupported-quant" in report(done, ExitCode.KNOWN)

    def test_empty_standard_input(self):
        assert "empty" in report(run("analyze", "-", stdin=b""), ExitCode.NO_CRASH)

    def test_line_of_30_mb(self, tmp_path: Path):
        (tmp_path / "long.log").write_bytes(b"x" * 30_000_000)
        assert "cut" in report(run("analyze", tmp_path / "long.log"), ExitCode.NO_CRASH)

    @pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
    def test_encodings(self, tmp_path: Path, encoding: str):
        mark = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}.get(encoding, b"")
        (tmp_path / "log").write_bytes(mark + LOG.read_text().encode(encoding))
        done = run("analyze", tmp_path / "log")
        assert "openclaw/unsupported-quant" in report(done, ExitCode.KNOWN)

    def test_escape_characters_in_a_log(self, tmp_path: Path):
        red = LOG.read_bytes().replace(b"clw-llm-crash", b"\x1b[31mclw-llm-crash\x1b[0m")
        (tmp_path / "log").write_bytes(b"\x1b]0;title\x07" + red)
        for form in ("text", "markdown", "json", "jsonl"):
            report(run("analyze", tmp_path / "log", "-f", form, "-v"), ExitCode.KNOWN)


@pytest.mark.parametrize("form", ["text", "markdown", "json", "jsonl"])
@pytest.mark.parametrize(
    "name", [b"a\nb\x1b[31m.log", b"caf\xe9.log", "käse \U0001f9c0.log".encode(), b"--.log"]
)
class TestFileNames:
    def test_read(self, tmp_path: Path, name: bytes, form: str):
        path = os.fsencode(tmp_path) + b"/" + name
        Path(os.fsdecode(path)).write_bytes(LOG.read_bytes())
        done = run("analyze", path, "--format", form)
        assert "openclaw/unsupported-quant" in report(done, ExitCode.KNOWN)


@pytest.mark.parametrize("name", [b"a\nb\x1b[31m.log", b"caf\xe9.log"])
@pytest.mark.parametrize("command", ["analyze", "core", "batch"])
def test_strange_name_of_a_missing_file(tmp_path: Path, name: bytes, command: str):
    path = os.fsencode(tmp_path) + b"/" + name
    complaint(run(command, path), ExitCode.BATCH if command == "batch" else ExitCode.INPUT)


def header(machine: int) -> bytes:
    """Return a core dump that has an ELF header and one program header, without any notes."""
    ident = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)
    rest = struct.pack("<HHIQQQIHHHHHH", 4, machine, 1, 0, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    return ident + rest + struct.pack("<IIQQQQQQ", 4, 0, 120, 0, 0, 0, 0, 4)


class TestCores:
    def test_empty(self, tmp_path: Path):
        (tmp_path / "core").touch()
        assert "ulimit" in complaint(run("core", tmp_path / "core"), ExitCode.INPUT)

    def test_text(self, tmp_path: Path):
        (tmp_path / "core").write_text("#0  main () at main.c:3\n")
        assert "clawtriage analyze" in complaint(run("core", tmp_path / "core"), ExitCode.INPUT)

    def test_folder(self, tmp_path: Path):
        complaint(run("core", tmp_path), ExitCode.INPUT)

    def test_missing(self, tmp_path: Path):
        complaint(run("core", tmp_path / "core"), ExitCode.INPUT)

    def test_program(self):
        complaint(run("core", sys.executable), ExitCode.INPUT)

    @pytest.mark.parametrize("more", [(), ("--binary", sys.executable)], ids=["alone", "binary"])
    def test_other_architecture(self, tmp_path: Path, more: tuple[str, ...]):
        (tmp_path / "core").write_bytes(header(RISCV))
        done = run("core", tmp_path / "core", *more)
        assert "riscv" in report(done, ExitCode.UNKNOWN, ExitCode.NO_CRASH)

    def test_without_binary(self, core_programs, crash: Callable[..., Path]):
        done = run("core", crash(core_programs.plain), "-f", "json")
        report(done, ExitCode.KNOWN, ExitCode.UNKNOWN)
        assert "--binary" in done.err

    def test_wrong_binary(self, core_programs, crash: Callable[..., Path]):
        done = run(
            "core", crash(core_programs.plain), "--binary", core_programs.other, "-f", "json"
        )
        report(done, ExitCode.KNOWN, ExitCode.UNKNOWN)
        assert "is not the program that crashed" in done.err

    def test_stripped_binary(self, core_programs, crash: Callable[..., Path]):
        core = crash(core_programs.stripped)
        done = run("core", core, "--binary", core_programs.stripped, "-f", "json")
        report(done, ExitCode.KNOWN, ExitCode.UNKNOWN)
        assert "has no symbols" in done.err

    @pytest.mark.parametrize("path", ["", "/nowhere"])
    def test_without_gdb(self, core_programs, crash: Callable[..., Path], path: str):
        core = crash(core_programs.plain)
        done = run("core", core, "--binary", core_programs.plain, "-f", "json", PATH=path)
        report(done, ExitCode.KNOWN, ExitCode.UNKNOWN)
        assert "install gdb" in done.err

    def test_binary_that_is_missing(self, core_programs, crash: Callable[..., Path], tmp_path):
        done = run("core", crash(core_programs.plain), "--binary", tmp_path / "gone")
        assert "gone" in complaint(done, ExitCode.INPUT)

    def test_binary_that_is_text(self, core_programs, crash: Callable[..., Path]):
        complaint(run("core", crash(core_programs.plain), "--binary", LOG), ExitCode.INPUT)

    def test_log_that_is_missing(self, core_programs, crash: Callable[..., Path], tmp_path):
        done = run("core", crash(core_programs.plain), "--log", tmp_path / "gone", "-f", "json")
        assert "gone" in done.err
        assert done.status in {ExitCode.INPUT, ExitCode.KNOWN, ExitCode.UNKNOWN}


class TestDatabases:
    def test_text(self, tmp_path: Path):
        (tmp_path / "db").write_text("not a database\n" * 100)
        complaint(run("analyze", LOG, "--db", tmp_path / "db"), ExitCode.STORE)

    def test_folder(self, tmp_path: Path):
        complaint(run("analyze", LOG, "--db", tmp_path), ExitCode.STORE)

    def test_in_a_missing_folder(self, tmp_path: Path):
        complaint(run("analyze", LOG, "--db", tmp_path / "no" / "db"), ExitCode.STORE)

    def test_newer_schema(self, tmp_path: Path):
        path = tmp_path / "db"
        report(run("analyze", LOG, "--db", path), ExitCode.KNOWN)
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA user_version = 99")
        connection.close()
        said = complaint(run("analyze", LOG, "--db", path), ExitCode.STORE)
        assert "newer clawtriage" in said

    def test_of_another_program(self, tmp_path: Path):
        path = tmp_path / "db"
        connection = sqlite3.connect(path)
        connection.execute("CREATE TABLE cookies (name)")
        connection.commit()
        connection.close()
        before = path.read_bytes()
        said = complaint(run("analyze", LOG, "--db", path), ExitCode.STORE)
        assert "another program" in said
        assert path.read_bytes() == before


class TestPacks:
    @pytest.fixture
    def pack(self, tmp_path: Path) -> Path:
        shipped = (ROOT / "signatures" / "openclaw" / "pack.toml").read_text()
        folder = tmp_path / "mine"
        folder.mkdir()
        (folder / "pack.toml").write_text(shipped.replace('name = "openclaw"', 'name = "mine"'))
        return folder

    def test_missing(self, tmp_path: Path):
        complaint(run("analyze", LOG, "--pack", tmp_path / "gone"), ExitCode.PACK)

    def test_empty_folder(self, tmp_path: Path):
        assert "pack.toml" in complaint(run("analyze", LOG, "--pack", tmp_path), ExitCode.PACK)

    def test_not_toml(self, pack: Path):
        (pack / "one.toml").write_text('id = "mine/one\n')
        said = complaint(run("analyze", LOG, "--pack", pack), ExitCode.PACK)
        assert "one.toml" in said
        assert "not TOML" in said

    def test_unknown_key(self, pack: Path):
        (pack / "one.toml").write_text(SIGNATURE.replace("base = ", "bas = "))
        done = run("analyze", LOG, "--pack", pack)
        assert done.status == ExitCode.PACK
        assert "one.toml" in done.err
        assert "did you mean 'base'" in done.err

    def test_no_example(self, pack: Path):
        (pack / "one.toml").write_text(SIGNATURE)
        report(run("analyze", LOG, "--pack", pack), ExitCode.KNOWN)
        done = run("signature", "lint", pack)
        assert done.status == ExitCode.PACK
        assert "one.toml: example: none" in done.out + done.err

    def test_not_utf_8(self, pack: Path):
        (pack / "one.toml").write_bytes(SIGNATURE.encode() + b"# caf\xe9\n")
        assert "one.toml" in complaint(run("analyze", LOG, "--pack", pack), ExitCode.PACK)


class TestUsage:
    @pytest.mark.parametrize(
        "words",
        [
            ("analyze", "--bogus", "x"),
            ("analyse", "x"),
            ("analyze",),
            ("core",),
            ("analyze", "x", "--format", "yaml"),
            ("analyze", "x", "--b\x1b[31mogus"),
            ("core", "x", "--sysroot", "/nowhere"),
        ],
    )
    def test_wrong(self, words: tuple[str, ...]):
        complaint(run(*words), ExitCode.USAGE)

    def test_unknown_signature(self):
        complaint(run("signature", "show", "openclaw/nothing"), ExitCode.USAGE)

    def test_batch_of_a_missing_folder(self, tmp_path: Path):
        complaint(run("batch", tmp_path / "gone"), ExitCode.BATCH)

    @pytest.mark.parametrize("output", [".", "no/such/folder/file"])
    def test_output_that_cannot_be_written(self, tmp_path: Path, output: str):
        done = run("analyze", LOG, "-o", tmp_path / output)
        said = complaint(done, ExitCode.USAGE)
        assert "report" not in said


class TestStandardOutput:
    def test_reader_that_went_away(self):
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run(
            [*COMMAND, "analyze", LOG],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=writer,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
        os.close(writer)
        assert checked(done.returncode, b"", done.stderr) == Done(BROKEN_PIPE, "", "")

    def test_closed(self):
        done = run("analyze", LOG, wrapper=("sh", "-c", 'exec "$@" >&-', "sh"))
        assert done.status in set(ExitCode)

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
    def test_full(self):
        done = run("analyze", LOG, wrapper=("sh", "-c", 'exec "$@" >/dev/full', "sh"))
        assert "No space left" in complaint(done, ExitCode.INPUT)

    def test_ascii_locale(self, tmp_path: Path):
        (tmp_path / "käse.log").write_bytes(LOG.read_bytes())
        variables = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
        report(run("analyze", tmp_path / "käse.log", **variables), ExitCode.KNOWN)
        done = run("analyze", tmp_path / "ö.log", **variables)
        assert done.status == ExitCode.INPUT


def test_a_report_is_not_written_over_its_input(tmp_path):
    log = tmp_path / "a.log"
    log.write_bytes(LOG.read_bytes())
    done = run("analyze", log, "-o", log)
    assert done.status == 2
    assert log.read_bytes() == LOG.read_bytes()


def test_closed_standard_input():
    done = run("analyze", "-", wrapper=("sh", "-c", '"$@" <&-', "sh"))
    assert (done.status, done.out) == (3, "")
    assert "standard input is closed" in done.err


def test_a_program_without_a_core_dump_is_of_no_use_and_it_is_said():
    done = run("analyze", LOG, "--binary", sys.executable)
    assert "--binary was not used" in done.err
