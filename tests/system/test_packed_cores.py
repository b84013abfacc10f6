"""Core dumps that come compressed, in archives, from systemd or from a living process."""

import bz2
import gzip
import io
import json
import lzma
import os
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import lz4.frame
import pytest

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

from triage.intake.spool import PREFIX

Crash = Callable[..., Path]
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "zst": zstd.compress,
    "lz4": lz4.frame.compress,
    "gz": gzip.compress,
    "xz": lambda data: lzma.compress(data, preset=0),
    "bz2": lambda data: bz2.compress(data, 1),
}


def clawtriage(*words: object, tmp: Path, **more: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "triage.cli.main", *map(str, words)],
        capture_output=True,
        env={**os.environ, "TMPDIR": str(tmp), **more},
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=False,
    )


def report(*words: object, tmp: Path, **more: str) -> dict:
    done = clawtriage(*words, "--format", "json", tmp=tmp, **more)
    assert done.returncode in (0, 10), done.stderr
    return json.loads(done.stdout)


def codes(found: dict) -> list[str]:
    return [w["code"] for w in found["warnings"]]


def functions(found: dict) -> list[str]:
    return [f["function"] for f in found["threads"][found["crashed_thread"]]["frames"]]


STACK = ["read_tensor", "scale_row", "load_model", "main"]


@pytest.fixture
def tmp(tmp_path: Path):
    folder = tmp_path / "tmp"
    folder.mkdir()
    yield folder
    assert list(folder.iterdir()) == []  # nothing is left, whatever happened


class TestCompressed:
    @pytest.mark.parametrize("suffix", PACKERS)
    def test_core(self, core_programs, crash: Crash, tmp_path: Path, tmp: Path, suffix: str):
        packed = tmp_path / f"core.claw.0.{suffix}"
        packed.write_bytes(PACKERS[suffix](crash(core_programs.plain).read_bytes()))
        found = report("core", packed, "--binary", core_programs.plain, tmp=tmp)
        assert functions(found) == STACK
        assert codes(found) == []
        (info,) = found["inputs"]
        assert (info["name"], info["kind"]) == (str(packed), "elf-core")
        assert info["size"] == packed.stat().st_size

    @pytest.mark.parametrize("command", ["analyze", "core"])
    def test_the_content_counts_and_not_the_name(
        self, core_programs, crash: Crash, tmp_path: Path, tmp: Path, command: str
    ):
        packed = tmp_path / "core.zst"
        packed.write_bytes(gzip.compress(crash(core_programs.plain).read_bytes()))
        assert functions(report(command, packed, "-b", core_programs.plain, tmp=tmp)) == STACK

    def test_through_a_pipe(self, core_programs, crash: Crash, tmp_path: Path, tmp: Path):
        done = subprocess.run(
            [sys.executable, "-m", "triage.cli.main", "analyze", "-", "-f", "json"],
            input=zstd.compress(crash(core_programs.plain).read_bytes()),
            capture_output=True,
            env={**os.environ, "TMPDIR": str(tmp)},
            check=False,
        )
        assert json.loads(done.stdout)["signal"]["name"] == "SIGSEGV"

    @pytest.mark.parametrize("suffix", PACKERS)
    def test_half_of_it(self, core_programs, crash: Crash, tmp_path: Path, tmp: Path, suffix: str):
        packed = tmp_path / "core"
        # Random bytes behind the core dump, so that the half of the file holds all of it.
        data = crash(core_programs.plain).read_bytes() + os.urandom(8 << 20)
        whole = PACKERS[suffix](data)
        packed.write_bytes(whole[: len(whole) * 3 // 4])
        found = report("core", packed, "--binary", core_programs.plain, tmp=tmp)
        assert functions(found) == STACK
        assert codes(found) == ["input-damaged"]
        assert found["inputs"][0]["truncated"]

    def test_the_command_that_is_named_has_the_users_file(
        self, core_programs, crash: Crash, tmp_path: Path, tmp: Path
    ):
        packed = tmp_path / "a core.zst"
        packed.write_bytes(zstd.compress(crash(core_programs.plain).read_bytes()))
        found = report("core", packed, tmp=tmp)
        assert codes(found) == ["binary-missing"]
        assert f"clawtriage core '{packed}' --binary" in found["warnings"][0]["message"]
        assert PREFIX not in json.dumps(found)

    def test_a_compressed_log_is_no_core(self, tmp_path: Path, tmp: Path):
        (tmp_path / "log.gz").write_bytes(gzip.compress(b"some text\n"))
        done = clawtriage("core", tmp_path / "log.gz", tmp=tmp)
        assert done.returncode == 3
        assert b"clawtriage analyze" in done.stderr

    def test_a_window_that_takes_gigabytes_is_refused(self, tmp_path: Path, tmp: Path):
        bomb = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: 31})
        (tmp_path / "core.zst").write_bytes(bomb.compress(bytes(1000)) + bomb.flush())
        (tmp_path / "core.xz").write_bytes(
            lzma.compress(bytes(1000), filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 30}])
        )
        for name, words in (("core.zst", b"too much memory"), ("core.xz", b"Memory usage limit")):
            done = clawtriage("core", tmp_path / name, tmp=tmp)
            assert done.returncode == 3
            assert words in done.stderr

    def test_a_bomb_of_zeros_takes_no_room(self, core_programs, crash: Crash, tmp_path, tmp: Path):
        data = crash(core_programs.plain).read_bytes()
        pack = zstd.ZstdCompressor()
        with (tmp_path / "core.zst").open("wb") as file:
            file.write(pack.compress(data))
            for _ in range(2 << 4):
                file.write(pack.compress(bytes(64 << 20)))
            file.write(pack.flush())
        assert (tmp_path / "core.zst").stat().st_size < 1 << 20
        found = report("core", tmp_path / "core.zst", "-b", core_programs.plain, tmp=tmp)
        assert functions(found) == STACK

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
    def test_a_signal_leaves_nothing(self, core_programs, crash: Crash, tmp_path, tmp, number):
        os.mkfifo(tmp_path / "log")
        packed = tmp_path / "core.zst"
        packed.write_bytes(zstd.compress(crash(core_programs.plain).read_bytes()))
        words = ["core", packed, "--binary", core_programs.plain, "--log", tmp_path / "log"]
        process = subprocess.Popen(
            [sys.executable, "-m", "triage.cli.main", *map(str, words)],
            env={**os.environ, "TMPDIR": str(tmp)},
            stdout=subprocess.DEVNULL,
            # A job in the background of a shell starts with SIGINT ignored, and so would this.
            preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # noqa: PLW1509
        )
        # The log is a pipe that nobody writes to: the program waits with the core unpacked.
        deadline = time.monotonic() + 20
        while not list(tmp.glob(f"{PREFIX}*/*")):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        time.sleep(0.5)
        process.send_signal(number)
        assert process.wait(timeout=10) == -number
        assert list(tmp.iterdir()) == []


class TestBundles:
    @pytest.fixture
    def files(self, core_programs, crash: Crash) -> dict[str, bytes]:
        core = crash(core_programs.plain).read_bytes()
        log = b"INFO start\nCUDA error 700 at x.cu:12: an illegal memory access was encountered\n"
        return {"crash/core.zst": zstd.compress(core), "crash/logs/engine.log": log}

    @pytest.mark.parametrize("form", ["tar.gz", "tar.zst", "zip"])
    def test_all_members_are_one_incident(
        self, files, core_programs, tmp_path: Path, tmp: Path, form: str
    ):
        bundle = tmp_path / f"bundle.{form}"
        bundle.write_bytes(packed(files, form))
        found = report("analyze", bundle, "--binary", core_programs.plain, tmp=tmp)
        assert functions(found) == STACK
        assert found["errors"][0]["at"] == {
            "input": 0,
            "line": 2,
            "member": "crash/logs/engine.log",
        }
        frame = found["threads"][found["crashed_thread"]]["frames"][0]
        assert frame["at"]["member"] == "crash/core.zst"
        assert [(i["kind"], i["dialects"]) for i in found["inputs"]] == [
            ("archive", ["elf-core", "gpu_api"])
        ]
        assert codes(found) == ["host-stack-late"]

    def test_a_batch_takes_bundles_and_packed_cores(
        self, files, core_programs, tmp_path: Path, tmp: Path
    ):
        uploads = tmp_path / "uploads"
        uploads.mkdir()
        (uploads / "a.tar.gz").write_bytes(packed(files, "tar.gz"))
        (uploads / "b.zip").write_bytes(packed({"x": bytes(range(256))}, "zip"))
        (uploads / "c.core.zst").write_bytes(files["crash/core.zst"])
        done = clawtriage("batch", uploads, "--binary", core_programs.plain, tmp=tmp)
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        assert [row["upload"] for row in rows] == ["a.tar.gz", "b.zip", "c.core.zst"]
        assert functions(rows[0]["report"]) == functions(rows[2]["report"]) == STACK
        assert rows[1]["error"]["kind"] == "InputError"

    def test_a_page_names_the_member(self, files, tmp_path: Path, tmp: Path):
        (tmp_path / "bundle.zip").write_bytes(packed(files, "zip"))
        text = clawtriage("analyze", tmp_path / "bundle.zip", tmp=tmp).stdout.decode()
        assert "engine.log:2" in text
        text = clawtriage("analyze", "--explain-parse", tmp_path / "bundle.zip", tmp=tmp).stdout
        assert f"crash/logs/engine.log in {tmp_path}/bundle.zip: 2 lines" in text.decode()


def packed(files: dict[str, bytes], form: str) -> bytes:
    file = io.BytesIO()
    if form == "zip":
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
            for name, data in files.items():
                made.writestr(name, data)
        return file.getvalue()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return PACKERS[form.removeprefix("tar.")](file.getvalue())


# systemd's program needs a running systemd, so another stands in its place: it takes the words
# and prints the JSON that coredumpctl(1) documents. What it hands out are real core dumps.
_COREDUMPCTL = """#!{python}
import json, sys
rows = {rows!r}
words = [w for w in sys.argv[2:] if not w.startswith("--")]
found = [r for r in rows if not words or words[0] in (str(r["pid"]), r["exe"], r["comm"])]
if not found:
    print("No coredumps found.", file=sys.stderr)
    sys.exit(1)
if sys.argv[1] == "list" and "--json=short" in sys.argv:
    keys = ("time", "pid", "uid", "gid", "sig", "corefile", "exe", "size")
    print(json.dumps([{{k: r[k] for k in keys}} for r in found]))
elif sys.argv[1] == "dump":
    print("           PID:", found[-1]["pid"], file=sys.stderr)
    data = open(found[-1]["path"], "rb").read()
    cut = found[-1].get("cut")
    sys.stdout.buffer.write(data[:cut])
    sys.stdout.flush()
    if cut is not None:
        print("Failed to decompress core: Bad message", file=sys.stderr)
        sys.exit(1)
"""


class TestSystemd:
    @pytest.fixture
    def systemd(self, core_programs, crash: Crash, tmp_path: Path) -> Callable[..., dict[str, str]]:
        core = str(crash(core_programs.plain))
        exe = str(core_programs.plain)

        def install(*rows: dict) -> dict[str, str]:
            full = [
                {
                    "time": 1700000000000000 + n * 10**6, "pid": 100 + n, "uid": 0, "gid": 0,
                    "sig": 11, "corefile": "present", "exe": exe, "size": 100, "comm": "crash",
                    "path": core, **row,
                }
                for n, row in enumerate(rows)
            ]  # fmt: skip
            program = tmp_path / "bin" / "coredumpctl"
            program.parent.mkdir(exist_ok=True)
            program.write_text(_COREDUMPCTL.format(python=sys.executable, rows=full))
            program.chmod(0o755)
            return {"PATH": f"{program.parent}:{os.environ['PATH']}"}

        return install

    def test_the_last_crash_with_its_own_program(self, systemd, tmp: Path):
        found = report("core", "--last", tmp=tmp, **systemd({"path": "/nonexistent"}, {}))
        assert functions(found) == STACK
        assert found["inputs"][0]["name"] == "core.101"

    @pytest.mark.parametrize("match", ["100", "crash", "path"])
    def test_of_a_program(self, systemd, core_programs, tmp: Path, match: str):
        env = systemd({}, {"exe": "/usr/bin/other", "comm": "other", "path": "/nonexistent"})
        word = core_programs.plain if match == "path" else match
        assert report("core", "--last", word, tmp=tmp, **env)["inputs"][0]["name"] == "core.100"

    def test_one_that_was_removed_is_passed_over(self, systemd, tmp: Path):
        env = systemd({}, {"corefile": "missing"})
        assert report("core", "--last", tmp=tmp, **env)["inputs"][0]["name"] == "core.100"

    def test_none_that_can_be_read(self, systemd, tmp: Path):
        done = clawtriage("core", "--last", tmp=tmp, **systemd({"corefile": "error"}))
        assert done.returncode == 3
        assert b"sudo" in done.stderr

    def test_none_of_that_name(self, systemd, tmp: Path):
        done = clawtriage("core", "--last", "nobody", tmp=tmp, **systemd({}))
        assert done.returncode == 3
        assert b"systemd keeps no core dump of nobody: No coredumps found." in done.stderr

    def test_list(self, systemd, tmp: Path):
        done = clawtriage("core", "--list", tmp=tmp, **systemd({}, {"corefile": "missing"}))
        first, second = done.stdout.decode().splitlines()
        assert "2023-11-14 22:13:20 UTC      100  SIGSEGV  present" in first
        assert "missing" in second

    def test_another_program_is_there_now(self, systemd, core_programs, tmp: Path):
        env = systemd({"exe": str(core_programs.other)})
        found = report("core", "--last", tmp=tmp, **env)
        assert codes(found) == ["binary-mismatch"]
        assert functions(found) == [None]

    def test_the_program_is_gone(self, systemd, tmp: Path):
        found = report("core", "--last", tmp=tmp, **systemd({"exe": "/opt/gone/claw"}))
        assert codes(found) == ["binary-missing"]
        assert "clawtriage core --last 100 --binary" in found["warnings"][0]["message"]

    def test_half_a_core_dump(self, systemd, tmp: Path):
        found = report("core", "--last", tmp=tmp, **systemd({"cut": 200_000}))
        assert "input-damaged" in codes(found)
        assert "Bad message" in json.dumps(found["warnings"])
        assert found["signal"]["name"] == "SIGSEGV"

    def test_nothing_is_handed_out(self, systemd, tmp: Path):
        done = clawtriage("core", "--last", tmp=tmp, **systemd({"cut": 0}))
        assert done.returncode == 3
        assert b"Bad message" in done.stderr

    def test_without_coredumpctl(self, tmp_path: Path, tmp: Path):
        done = clawtriage("core", "--last", tmp=tmp, PATH=str(tmp_path))
        assert done.returncode == 3
        assert b"apt-get install systemd-coredump" in done.stderr

    def test_a_version_without_json(self, tmp_path: Path, tmp: Path):
        program = tmp_path / "coredumpctl"
        program.write_text("#!/bin/sh\necho TIME PID\n")
        program.chmod(0o755)
        done = clawtriage("core", "--list", tmp=tmp, PATH=f"{tmp_path}:{os.environ['PATH']}")
        assert b"coredumpctl dump -o core PID" in done.stderr

    @pytest.mark.parametrize("words", [("--list", "--last"), ("--last", "a", "b"), ()])
    def test_wrong_usage(self, tmp: Path, words: tuple[str, ...]):
        assert clawtriage("core", *words, tmp=tmp).returncode == 2

    def test_no_word_reaches_coredumpctl_as_an_option(self, systemd, tmp: Path):
        done = clawtriage("core", "--last", "--", "--file=/etc/passwd", tmp=tmp, **systemd({}))
        assert done.returncode == 3
        assert b"names no program" in done.stderr

    def test_a_file_of_systemds_folder(self, core_programs, crash: Crash, tmp_path, tmp: Path):
        boot = "0123456789abcdef0123456789abcdef"
        path = tmp_path / f"core.crash.0.{boot}.1234.1700000000000000.zst"
        path.write_bytes(zstd.compress(crash(core_programs.plain).read_bytes()))
        assert functions(report("core", path, "-b", core_programs.plain, tmp=tmp)) == STACK


class TestOne:
    def test_the_binary_that_fits_of_several(self, core_programs, crash: Crash, tmp: Path):
        both = ["-b", core_programs.other, "-b", core_programs.plain]
        found = report("core", crash(core_programs.plain), *both, tmp=tmp)
        assert functions(found) == STACK
        found = report("core", crash(core_programs.other), *both, tmp=tmp)
        assert functions(found)[0] == "read_vector"

    def test_none_fits(self, core_programs, crash: Crash, tmp: Path):
        twice = ["-b", core_programs.other, "-b", core_programs.other]
        assert codes(report("core", crash(core_programs.plain), *twice, tmp=tmp)) == [
            "binary-missing"
        ]
