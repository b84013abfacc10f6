"""Recordings are read exactly; any text is read without harm."""

import bz2
import gzip
import hashlib
import lzma
import os
import random
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.errors import InputError
from triage.intake.literals import Literals
from triage.intake.load import expand, load
from triage.intake.loaded import Loaded
from triage.intake.spool import Spool
from triage.model.crash import Crash
from triage.model.position import Position
from triage.model.report import Input, InputKind
from triage.model.stack import ThreadKind
from triage.pipeline import Analyzer, Options
from triage.read import ReadOptions, read, read_loaded, read_text
from triage.render import RenderOptions, renderers
from triage.text.line import Line

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

RECORDINGS = Path(__file__).resolve().parents[2] / "fixtures/recordings"


def crash_of(name: str):
    return read([str(RECORDINGS / name)], ReadOptions()).crash


def test_cuda_gdb_session() -> None:
    crash = crash_of("gpu/quant.dbg.cudagdb.txt")
    gpu = crash.threads[crash.crashed_thread]
    assert gpu.kind is ThreadKind.GPU
    assert [f.function for f in gpu.frames][-1] == "remap_kernel"
    assert gpu.frames[0].function.startswith("store_unit(")
    (error,) = [e for e in crash.errors if e.api == "cuda-exception"]
    assert (error.code, error.message) == (14, "Warp Illegal Address")
    assert crash.engine.name == "openclaw"
    assert crash.environment.gpus[0].memory_total == 81079


def test_positions_are_lines_of_the_input() -> None:
    name = "gpu/quant.dbg.cudagdb.txt"
    lines = (RECORDINGS / name).read_text().split("\n")
    for thread in crash_of(name).threads:
        for frame in thread.frames:
            text = lines[frame.at.line - 1]
            assert (frame.function or "??").split("(")[0].split("<")[0][:20] in text


def test_bt_and_thread_apply_all_are_one_reading() -> None:
    alone = crash_of("cpu/kv-overflow/gdb-bt.txt")
    every = crash_of("cpu/kv-overflow/gdb-threads.txt")
    one, other = alone.threads[alone.crashed_thread], every.threads[every.crashed_thread]
    assert [f.function for f in one.frames] == [f.function for f in other.frames]
    assert len({t.id for t in every.threads}) == len(every.threads)
    assert every.signal.name == "SIGSEGV"


def test_locals_of_bt_full_are_no_frames() -> None:
    plain = crash_of("cpu/opencl-queue/gdb-bt.txt")
    full = crash_of("cpu/opencl-queue/gdb-bt-full.txt")
    frames = [[f.function for f in c.threads[c.crashed_thread].frames] for c in (plain, full)]
    assert frames[0] == frames[1]


def test_the_thread_that_waits_failed_when_a_driver_helper_aborts() -> None:
    crash = crash_of("gpu/quant.rel.gpucoredump.cpucore.txt")
    failed = crash.threads[crash.crashed_thread]
    names = [f.function for f in failed.frames]
    assert any(n and "gguf_tensor_remap" in n for n in names)


def test_openclaw_log() -> None:
    crash = crash_of("cpu/vram-layers/engine.log")
    errors = [(e.api, e.code, e.name) for e in crash.errors]
    assert errors == [
        ("engine", None, "clw-llm-crash"),
        ("cuda", 2, "cudaErrorMemoryAllocation"),
    ]
    assert crash.errors[1].timing == "synchronous"
    environment = crash.environment
    assert environment.options["n-gpu-layers"] == "33"
    assert environment.variables["CLAW_VRAM_LIMIT"] is None
    assert environment.where["variable.CLAW_VRAM_LIMIT"].line == 7
    assert environment.model.quantization == "Q8_0"
    assert crash.signal.name == "SIGABRT"


def test_prefixes_of_a_collector_change_nothing(tmp_path) -> None:
    text = (RECORDINGS / "cpu/vram-layers/engine.log").read_text()
    prefixed = "".join(
        f"Nov 24 03:00:{n:02d} node7 claw[812]: {line}\n"
        for n, line in enumerate(text.splitlines())
    )
    plain = read_text(text, ReadOptions()).crash
    found = read_text(prefixed, ReadOptions()).crash
    assert {e.origin.time for e in found.errors} <= {f"Nov 24 03:00:{n:02d}" for n in range(60)}
    assert {(e.origin.host, e.origin.process, e.origin.pid) for e in found.errors} == {
        ("node7", "claw", 812)
    }
    errors = tuple(replace(error, origin=None) for error in found.errors)
    signal = replace(found.signal, origin=None)
    assert replace(found, errors=errors, signal=signal) == plain


STACKS = {
    "go": (
        "panic: boom\n\ngoroutine 1 [running]:\nmain.f(...)\n\t/x/a.go:3 +0x1\n"
        "main.main()\n\t/x/a.go:9"
    ),
    "rust": (
        "thread 'main' panicked at src/main.rs:2:5:\nboom\nstack backtrace:\n"
        "   0: app::inner\n             at ./src/main.rs:2:5\n   1: app::main\n"
        "             at ./src/main.rs:9:5"
    ),
    "backtrace_symbols": "\n".join(f"./app(f{n}+0x1f)[0x55555556{n}000]" for n in range(4)),
    "java": (
        'Exception in thread "main" java.lang.IllegalStateException: boom\n'
        "\tat a.B.c(B.java:1)\n\tat a.B.d(B.java:2)"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STACKS)
@pytest.mark.parametrize("between", [1, 3, 30])
def test_a_stack_is_whole_however_much_another_writer_says(name: str, between: int) -> None:
    lines = STACKS[name].split("\n")
    plain = read_text("\n".join(f"w0-1  | {line}" for line in lines), ReadOptions()).crash
    others = "w1-1  | INFO a token\n" * between
    mixed = read_text("".join(f"w0-1  | {line}\n{others}" for line in lines), ReadOptions()).crash

    def frames(crash: Crash) -> list[list[tuple[str | None, int | None]]]:
        return [[(f.function, f.line) for f in t.frames] for t in crash.threads]

    assert frames(mixed) == frames(plain)
    assert len(frames(mixed)[0]) >= 2
    for before, after in zip(plain.threads[0].frames, mixed.threads[0].frames, strict=True):
        assert after.at.line == (before.at.line - 1) * (between + 1) + 1


def test_a_debuggers_frames_below_a_sanitizers_report_are_its_own() -> None:
    text = """\
==1==ERROR: AddressSanitizer: SEGV on unknown address 0x0 (pc 0x1 bp 0x1 sp 0x1 T0)
    #0 0x4f8e39 in foo /src/a.cc:5:10
    #1 0x4f8e40 in main /src/a.cc:9:1

(gdb) bt
#0  0x1 in raise (sig=6)
    at raise.c:54
#1  0x2 in foo (p=0x1)
    at a.cc:5
#2  0x3 in main () at a.cc:9
"""
    report, debugger = read_text(text, ReadOptions()).crash.threads
    assert [f.function for f in report.frames] == ["foo", "main"]
    assert [(f.function, f.line) for f in debugger.frames] == [
        ("raise", 54),
        ("foo", 5),
        ("main", 9),
    ]


def test_the_signal_and_the_thread_are_of_the_same_session() -> None:
    text = """\
Thread 2 "w" received signal SIGSEGV, Segmentation fault.
Thread 2 (LWP 12):
#0  one () at a.c:1
Thread 1 (LWP 11):
#0  join () at a.c:2
#1  main () at a.c:3
Thread 1 "srv" received signal SIGABRT, Aborted.
Thread 1 (LWP 21):
#0  culprit () at b.c:1
#1  main () at b.c:2
"""
    crash = read_text(text, ReadOptions()).crash
    assert crash.signal.name == "SIGABRT"
    assert crash.threads[crash.crashed_thread].frames[0].function == "culprit"


def test_workers_that_fail_at_once_have_a_stack_each() -> None:
    text = """\
(Worker_TP0 pid=11) Traceback (most recent call last):
(Worker_TP1 pid=12) Traceback (most recent call last):
(Worker_TP0 pid=11)   File "a.py", line 1, in load
(Worker_TP1 pid=12)   File "b.py", line 2, in run
(Worker_TP1 pid=12) ValueError: one
(Worker_TP0 pid=11) KeyError: 'two'
"""
    crash = read_text(text, ReadOptions()).crash
    found = {(t.origin.pid, t.frames[0].function, t.frames[0].at.line) for t in crash.threads}
    assert found == {(11, "load", 3), (12, "run", 4)}
    assert {(e.name, e.origin.pid, e.at.line) for e in crash.errors} == {
        ("ValueError", 12, 5), ("KeyError", 11, 6),
    }  # fmt: skip


def test_a_compressed_log_reads_the_same(tmp_path) -> None:
    source = RECORDINGS / "cpu/vram-layers/engine.log"
    packed = tmp_path / "engine.log.gz"
    packed.write_bytes(gzip.compress(source.read_bytes()))
    assert read([str(packed)], ReadOptions()).crash == crash_of("cpu/vram-layers/engine.log")


def test_one_bad_input_among_good_ones_is_a_warning(tmp_path) -> None:
    names = [str(tmp_path / "missing"), str(RECORDINGS / "cpu/vram-layers/engine.log")]
    crash = read(names, ReadOptions()).crash
    assert [w.code for w in crash.warnings] == ["input-unreadable"]
    assert crash.errors
    with pytest.raises(InputError):
        read(names[:1], ReadOptions())


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=400))
def test_property_any_text_is_read(text) -> None:
    check_positions(text)


_PIECES = st.lists(
    st.sampled_from(
        [
            "#0  0x1 in f (a=1) at f.c:3",
            "#1  <signal handler called>",
            "Thread 1 (LWP 7):",
            "    at x",
            "[ERROR] clw-llm-crash: LLM backend failed at x (line 1, a.cpp)",
            "what():  x",
            "  what():  y",
            "[FATAL] GPU context lost: CUDA error 700 (cudaErrorIllegalAddress)",
            "Aborted (core dumped)",
            "Traceback (most recent call last):",
            '  File "a.py", line 1, in f',
            "ValueError: no",
            "",
            "==1==ERROR: AddressSanitizer: SEGV on unknown address 0x0",
            "    #0 0x1 in g /a/b.c:1:2",
            "terminate called after throwing an instance of 'X'",
            "CUDA Exception: Warp Assert",
            "NVRM: Xid (PCI:0000:01:00): 79, pid=1, GPU has fallen off the bus",
            "GGML_ASSERT(x) failed",
            "a.cpp:1: GGML_ASSERT(x) failed",
            "[INFO] OpenClaw claw_inference 0.9.2",
            "exit status 139",
        ]
    ),
    max_size=30,
)


@settings(max_examples=200, deadline=None)
@given(_PIECES)
def test_property_any_mixture_of_dialects_is_read(pieces) -> None:
    check_positions("\n".join(pieces))


def check_positions(text: str) -> None:
    crash = read_text(text, ReadOptions()).crash
    count = text.count("\n") + text.count("\r") + 1
    places = [e.at for e in crash.errors] + [f.at for t in crash.threads for f in t.frames]
    assert all(1 <= p.line <= count for p in places if p is not None)


def test_lines_that_were_left_out_part_two_stacks_also_where_a_line_is_spoken_for() -> None:
    """The first line behind the gap is a sanitizer's, the frames around it are gdb's."""
    report = "==1==ERROR: AddressSanitizer: SEGV on unknown address 0x0 (pc 0x1 bp 0x1 sp 0x1 T0)"
    texts = ["#0  one () at a.c:1", "#1  two () at a.c:2", report, "#2  three () at b.c:3"]
    lines = tuple(
        Line(n if n < 3 else n + 5000, text, cut_off=n in (1, 3)) for n, text in enumerate(texts, 1)
    )
    item = Loaded(input=Input(id=0, name="x", kind=InputKind.TEXT), lines=lines)
    threads = read_loaded([item], ReadOptions()).crash.threads
    assert [[f.function for f in thread.frames] for thread in threads] == [
        ["one", "two"], ["three"],
    ]  # fmt: skip


class TestLoad:
    """Files in every form that logs have."""

    LOG = (RECORDINGS / "cpu/quant-q5_k_m-cuda/engine.log").read_bytes()

    def load(self, folder: Path, data: bytes) -> Loaded:
        path = folder / "engine.log"
        path.write_bytes(data)
        with Spool(folder) as spool:
            (loaded,) = load(str(path), 3, lambda: Literals(["clw-llm-crash"]), spool)
        return loaded

    @pytest.mark.parametrize(
        "data",
        [LOG, LOG.rstrip(b"\n"), b"\xef\xbb\xbf" + LOG, LOG.replace(b"\n", b"\r\n"), b"\n\n", b""],
    )
    def test_facts_of_the_file(self, tmp_path, data: bytes) -> None:
        info = self.load(tmp_path, data).input
        assert (info.id, info.kind, info.size) == (3, InputKind.TEXT, len(data))
        assert info.sha256 == hashlib.sha256(data).hexdigest()
        assert not info.truncated

    @pytest.mark.parametrize(
        "data",
        [
            b"\xef\xbb\xbf" + LOG,
            LOG.replace(b"\n", b"\r\n"),
            LOG.decode().encode("utf-16"),
            LOG.decode().encode("utf-16-le"),
            LOG.decode().encode("utf-16-be"),
            LOG.decode().encode("utf-32"),
            bz2.compress(LOG),
            lzma.compress(LOG),
            gzip.compress(LOG),
            zstd.compress(LOG),
            zstd.compress(LOG[:99]) + zstd.compress(LOG[99:]),
            LOG.replace(b"[ERROR]", b"\x1b[31m[ERROR]\x1b[0m"),
            LOG.replace(b"[INFO] loading", b"loading: 1%\rloading: 99%\r[INFO] loading"),
        ],
        ids=[
            "mark", "crlf", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "bz2", "xz", "gz",
            "zst", "zst in two frames", "colour", "progress",
        ],
    )  # fmt: skip
    def test_the_lines_are_the_same(self, tmp_path, data: bytes) -> None:
        plain, other = self.load(tmp_path, self.LOG), self.load(tmp_path, data)
        assert other.lines == plain.lines
        assert other.warnings == ()

    def test_empty(self, tmp_path) -> None:
        loaded = self.load(tmp_path, b"")
        assert loaded.lines == ()
        assert [w.code for w in loaded.warnings] == ["input-empty"]

    def test_a_long_line_is_cut_and_said_so(self, tmp_path) -> None:
        loaded = self.load(tmp_path, b"x" * 20_000 + b"\nnext\n")
        assert [len(line.text) for line in loaded.lines] == [8192, 4]
        assert [w.code for w in loaded.warnings] == ["line-cut"]

    def test_what_follows_a_long_progress_bar_is_kept(self, tmp_path) -> None:
        bar = b"".join(b"\rloading %d%% %s" % (n, b"#" * n) for n in range(500))
        loaded = self.load(tmp_path, bar + b"\rCUDA error 700\n")
        assert [line.text for line in loaded.lines] == ["CUDA error 700"]

    def test_no_hash_of_what_was_not_read(self, tmp_path) -> None:
        assert self.load(tmp_path, b"x" * (9 << 20)).input.sha256 is None
        assert self.load(tmp_path, b"some line\n" * (1 << 20)).input.sha256 is None

    def test_a_crash_deep_in_a_big_log_keeps_its_line_numbers(self, tmp_path) -> None:
        filler = b"2026-01-02T03:04:05Z [INFO] a token was made, and then another one\n"
        loaded = self.load(tmp_path, filler * 80_000 + self.LOG + filler * 80_000)
        assert len(loaded.lines) < 3_000
        (number,) = [n.number for n in loaded.lines if "clw-llm-crash" in n.text]
        assert number == 80_000 + 1 + self.LOG[: self.LOG.index(b"clw-llm-crash")].count(b"\n")
        errors = read_loaded([loaded], ReadOptions()).crash.errors
        assert [e.at for e in errors] == [
            Position(input=3, line=number), Position(input=3, line=number + 1),
        ]  # fmt: skip

    def test_a_record_of_syslog_is_its_lines(self, tmp_path) -> None:
        head = b"Nov 24 03:00:00 node7 claw[812]: "
        loaded = self.load(
            tmp_path, head + b"Traceback:#012  File x#012KeyError\n" + head + b"a #012 b"
        )
        assert [(line.number, line.text) for line in loaded.lines] == [
            (1, "Traceback:"), (1, "  File x"), (1, "KeyError"), (2, "a #012 b"),
        ]  # fmt: skip
        assert loaded.warnings == ()

    def test_writers_in_one_line_are_parted_and_it_is_said(self, tmp_path) -> None:
        loaded = self.load(tmp_path, b"x\n(Worker pid=11) one(Worker pid=12) two\n")
        assert [(line.number, line.text) for line in loaded.lines] == [
            (1, "x"), (2, "one"), (2, "two"),
        ]  # fmt: skip
        assert [(w.code, w.at.line) for w in loaded.warnings] == [("text-interleaved", 2)]

    @pytest.mark.parametrize("margin", [b"> ", b"    "])
    def test_a_quoted_text_is_the_text(self, tmp_path, margin: bytes) -> None:
        quoted = b"".join(margin + line + b"  \n" for line in self.LOG.splitlines())
        assert self.load(tmp_path, quoted).lines == self.load(tmp_path, self.LOG).lines

    def test_a_big_text_of_another_encoding_is_read_to_its_end(self, tmp_path) -> None:
        text = "INFO one\n" * 1_200_000 + "CUDA error 700\n"
        loaded = self.load(tmp_path, text.encode("utf-16"))
        assert (loaded.lines[-1].number, loaded.lines[-1].text) == (1_200_001, "CUDA error 700")

    def test_what_a_cut_gzip_file_holds_is_read(self, tmp_path) -> None:
        packed = gzip.compress(self.LOG)
        loaded = self.load(tmp_path, packed[: len(packed) * 2 // 3])
        assert len(loaded.lines) > 1
        assert [w.code for w in loaded.warnings] == ["input-damaged"]

    @pytest.mark.parametrize("names", [["-", "-"], [""]])
    def test_names_that_cannot_be_meant(self, names: list[str]) -> None:
        with pytest.raises(InputError):
            expand(names)

    @pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, zstd.compress])
    def test_a_compressed_text_is_read_up_to_the_damage(self, tmp_path, pack) -> None:
        noise = random.Random(7).randbytes(3 << 20).hex().encode()  # a block of each compressor
        lines = b"\n".join(noise[n : n + 64] for n in range(0, len(noise), 64))
        packed = pack(b"CUDA error 700\n" + lines)
        loaded = self.load(tmp_path, packed[: len(packed) // 2])
        assert loaded.lines[0].text == "CUDA error 700"
        assert [w.code for w in loaded.warnings] == ["input-damaged"]
        assert loaded.input.truncated

    def test_a_big_compressed_log_is_the_big_log(self, tmp_path) -> None:
        filler = b"2026-01-02T03:04:05Z [INFO] a token was made, and then another one\n"
        data = filler * 150_000 + self.LOG + filler * 9
        plain, packed = (self.load(tmp_path, text) for text in (data, zstd.compress(data)))
        assert packed.lines == plain.lines
        assert threading.active_count() == 1

    def test_a_pipe_is_read(self, tmp_path) -> None:
        path = tmp_path / "pipe"
        os.mkfifo(path)
        writer = threading.Thread(target=path.write_bytes, args=(self.LOG,))
        writer.start()
        (loaded,) = load(str(path), 0, lambda: Literals(()), Spool(tmp_path))
        writer.join()
        assert loaded.input.size == len(self.LOG)
        assert loaded.path is None
        assert len(loaded.lines) == self.LOG.count(b"\n")

    def test_expand(self, tmp_path) -> None:
        for name in ("b.log", "a/z.log", "a/y.log"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).touch()
        (tmp_path / "link.log").symlink_to("/etc/passwd")
        found = [str(tmp_path / name) for name in ("a/y.log", "a/z.log", "b.log")]
        assert expand([str(tmp_path), "-"]) == [*found, "-"]


@pytest.mark.skipif("CLAWTRIAGE_CASES" not in os.environ, reason="CLAWTRIAGE_CASES is not set")
def test_a_folder_of_cases_is_read() -> None:
    for path in sorted(Path(os.environ["CLAWTRIAGE_CASES"]).glob("*.txt")):
        read([str(path)], ReadOptions())


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"all is well\n", "nothing in the input says"),
        (b"", "nothing in an empty input says"),
        (b"x" * 20_000, "nothing in what could be read says"),
    ],
)
def test_a_verdict_on_a_part_is_not_said_of_the_whole(tmp_path, data: bytes, words: str) -> None:
    path = tmp_path / "engine.log"
    path.write_bytes(data)
    report = Analyzer(Options()).analyze([str(path)])
    options = RenderOptions(colour=False, width=100, verbose=False)
    page = renderers()["text"].render(report, options)
    assert words in page.splitlines()[0]
