"""What the formats make of recorded crashes: in every detail, and against the texts themselves."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from triage.model.crash import Crash
from triage.model.stack import FrameKind, ThreadKind, Trust
from triage.read import ReadOptions, read_text

RECORDINGS = Path(__file__).resolve().parents[3] / "fixtures" / "recordings"
NAMES = sorted(
    str(path.relative_to(RECORDINGS))
    for path in (*RECORDINGS.rglob("*.txt"), *RECORDINGS.rglob("*.log"))
)
CPU = sorted({name.rsplit("/", 1)[0] for name in NAMES if name.endswith("gdb-bt.txt")})
IN_DETAIL = [
    "cpu/quant-q5_k_m-cuda-signal/gdb-bt.txt",  # lambdas, operators, inlined templates
    "cpu/opencl-queue/gdb-threads.txt",
    "cpu/flash-attn-toolkit/gdb-bt-full.txt",  # a call to address 0
    "cpu/quant-q5_k_m-cpu-stripped/gdb-threads.txt",
    "gpu/quant.dbg.cudagdb.txt",
    "gpu/quant.dbg.gpucore.txt",
    "gpu/assert.rel.cudagdb.txt",
    "gpu/assert.rel.gpucore.txt",
    "gpu/oom.rel.cudagdb.txt",
    "gpu/quant.rel.gpucoredump.cpucore.txt",
    "gpu/dmesg-xid.txt",
    "cpu/quant-q5_k_m-cuda/engine.log",
    "cpu/gguf-tensor-count/engine.log",
    "cpu/hip-no-binary/engine.log",
    "cpu/opencl-queue/engine.log",
    "cpu/no-device/engine.log",
    "cpu/skew-old-driver/engine.log",
    "cpu/skew-old-toolkit/engine.log",
    "cpu/device-assert/engine.log",
    "cpu/ok-q4_k_m-cuda/engine.log",
    "gpu/assert.rel.log",
    "gpu/oom.rel.log",
]
CrashOf = Callable[[str], Crash]
TextOf = Callable[[str], str]


@pytest.mark.parametrize("name", IN_DETAIL)
def test_in_every_detail(name: str, crash_of: CrashOf, listing, golden):
    golden(name.replace("/", "-"), listing(crash_of(name)))


@pytest.mark.parametrize("name", NAMES)
def test_positions_are_where_things_stand(name: str, crash_of: CrashOf, text_of: TextOf):
    lines = text_of(name).split("\n")
    crash = crash_of(name)
    for thread in crash.threads:
        for frame in thread.frames:
            line = lines[frame.at.line - 1]
            printed = frame.function or frame.module or "??"
            assert printed in line or frame.trust is Trust.ADDRESS_ONLY
            number = re.match(r"#(\d+) ", line)
            # The frame that an exception names, or that a debugger stopped in, has no number.
            shift = thread.kind is ThreadKind.GPU or number is None
            assert shift or int(number[1]) == frame.index
    for error in crash.errors:
        line = lines[error.at.line - 1]
        # What a sanitizer says of the access stands on a line of its own.
        words = (str(error.code), error.name, (error.message or "").partition("; ")[0])
        assert any(word and word in line for word in words) or "Assertion failed." in line
    if crash.signal:
        name = crash.signal.name
        words = (
            rf"{name}|\b{name[3:]}\b|Aborted|[Ss]egmentation fault|Bus error|stack-overflow"
            "|exit status 134|segfault"
        )
        assert re.search(words, lines[crash.signal.at.line - 1])


@pytest.mark.parametrize("folder", CPU)
class TestCpu:
    """gdb's three reports on one core."""

    def test_frames_are_those_with_a_number(self, folder: str, crash_of: CrashOf, text_of: TextOf):
        text = text_of(f"{folder}/gdb-bt.txt")
        numbered = re.findall(r"^#(\d+) .*?(?: at (\S+):(\d+)| from (\S+))?$", text, re.MULTILINE)
        (thread,) = crash_of(f"{folder}/gdb-bt.txt").threads
        # gdb prints the innermost frame when it opens the core, and again in the stack trace.
        assert [
            (str(f.index), f.file or "", str(f.line or ""), f.module or "") for f in thread.frames
        ] == numbered[1:]
        assert all(f.kind is FrameKind.HOST for f in thread.frames)

    def test_locals_are_no_frames(self, folder: str, crash_of: CrashOf):
        plain, full = (crash_of(f"{folder}/{name}.txt") for name in ("gdb-bt", "gdb-bt-full"))
        assert [self.key(f) for f in full.threads[0].frames] == [
            self.key(f) for f in plain.threads[0].frames
        ]
        assert len(full.threads) == 1
        assert full.signal.name == plain.signal.name

    def test_every_thread_once(self, folder: str, crash_of: CrashOf, text_of: TextOf):
        text = text_of(f"{folder}/gdb-threads.txt")
        heads = re.findall(
            r"^Thread (\d+) \(Thread 0x[0-9a-f]+ \(LWP (\d+)\)\):$", text, re.MULTILINE
        )
        crash = crash_of(f"{folder}/gdb-threads.txt")
        # The crashed one comes first: gdb printed its frame when it opened the core.
        assert {(t.id, str(t.tid)) for t in crash.threads} == set(heads)
        assert len(crash.threads) == len(heads)
        assert crash.threads[crash.crashed_thread].id == "1"
        assert (
            sum(len(t.frames) for t in crash.threads)
            == len(re.findall(r"^#\d+ ", text, re.MULTILINE)) - 1
        )

    def test_bt_and_threads_in_one_text(self, folder: str, crash_of: CrashOf, text_of: TextOf):
        alone = crash_of(f"{folder}/gdb-threads.txt")
        both = text_of(f"{folder}/gdb-bt.txt") + text_of(f"{folder}/gdb-threads.txt")
        merged = read_text(both, ReadOptions()).crash
        assert [(t.id, t.tid, len(t.frames)) for t in merged.threads] == [
            (t.id, t.tid, len(t.frames)) for t in alone.threads
        ]
        assert merged.crashed_thread == alone.crashed_thread

    def test_command_line(self, folder: str, crash_of: CrashOf):
        command = crash_of(f"{folder}/gdb-bt.txt").environment.command_line
        assert command is not None
        assert command[0].startswith("/opt/claw/src/build/claw_inference")
        assert command[1] == "--model"

    @staticmethod
    def key(frame) -> tuple[object, ...]:
        return frame.index, frame.function, frame.file, frame.line, frame.module, frame.address


def test_device_function_of_the_exception_is_on_top_of_the_kernel(crash_of: CrashOf):
    for name in ("gpu/quant.dbg.gpucore.txt", "gpu/quant.dbg.cudagdb.txt"):
        crash = crash_of(name)
        thread = crash.threads[crash.crashed_thread]
        assert thread.kind is ThreadKind.GPU
        top, kernel = thread.frames
        assert (top.index, top.line, top.launch) == (0, 26, None)
        assert top.function == "store_unit(unsigned char*, unsigned long, unsigned short)"
        assert (kernel.index, kernel.function, kernel.line) == (1, "remap_kernel", 36)
        assert kernel.launch == "<<<(64,1,1),(64,1,1)>>>"
        assert {top.kind, kernel.kind} == {FrameKind.GPU}


def test_one_exception_is_one_error(crash_of: CrashOf):
    for name in ("gpu/quant.dbg.gpucore.txt", "gpu/quant.dbg.cudagdb.txt"):
        (error,) = crash_of(name).errors
        assert (error.api, error.code, error.name) == ("cuda-exception", 14, "CUDA_EXCEPTION_14")
        assert error.message == "Warp Illegal Address"
        assert (error.file, error.line) == ("claw_cuda_backend.cu", 26)


@pytest.mark.parametrize("name", [n for n in NAMES if "/ok" in n or n.endswith("-ok.rel.log")])
def test_run_that_ends_well_is_no_crash(name: str, crash_of: CrashOf):
    assert not crash_of(name).is_crash
