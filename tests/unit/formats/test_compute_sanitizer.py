"""compute-sanitizer and cuda-memcheck: recorded reports, and forms of other versions."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from triage.formats.compute_sanitizer import FORMAT
from triage.model.crash import Crash, Role
from triage.model.position import Position
from triage.model.stack import FrameKind, ThreadKind
from triage.read import ReadOptions, read_text

RECORDINGS = Path(__file__).parents[3] / "fixtures" / "recordings" / "gpu"
RECORDED = sorted(RECORDINGS.glob("*.memcheck.txt"))


def read(text: str) -> Crash:
    return read_text(textwrap.dedent(text).strip("\n"), ReadOptions()).crash


def lines_of(crash: Crash, thread: int) -> list[tuple[object, ...]]:
    return [(f.function, f.file, f.line, f.module, f.offset) for f in crash.threads[thread].frames]


class TestRecordings:
    def test_misaligned_write(self):
        crash = read((RECORDINGS / "dtype.rel.memcheck.txt").read_text())
        (error,) = [e for e in crash.errors if e.api == "sanitizer"]
        assert (error.name, error.message) == (
            "memcheck", "Invalid __global__ write of size 2 bytes; misaligned",
        )  # fmt: skip
        assert (error.file, error.line, error.count) == ("claw_cuda_backend.cu", 26, 15)
        assert [(t.kind, t.name, t.crashed) for t in crash.threads] == [
            (ThreadKind.GPU, "thread (0,0,0) in block (43,0,0)", True),
            (ThreadKind.HOST, None, False),
        ]
        assert lines_of(crash, 0) == [
            ("store_unit(unsigned char *, unsigned long, unsigned short)",
             "claw_cuda_backend.cu", 26, None, "0x1d0"),
            ("remap_kernel(unsigned char *, const unsigned short *, llm::remap_shape)",
             "claw_cuda_backend.cu", 35, None, "0xa0"),
        ]  # fmt: skip
        assert lines_of(crash, 1)[-1] == ("main", "main.cpp", 25, "claw_inference_cuda", "0xc0c7")
        assert len(crash.threads[1].frames) == 5

    def test_assertion_is_blamed_on_no_plumbing(self):
        crash = read((RECORDINGS / "assert.rel.memcheck.txt").read_text())
        assert "Warp assert" in [e.message for e in crash.errors]
        assert crash.threads[0].frames[0].noise == "cuda"

    @pytest.mark.parametrize("path", RECORDED, ids=lambda p: p.stem)
    def test_cut_off_at_any_line(self, path: Path):
        lines = [ln for ln in path.read_text().splitlines() if ln.startswith("=====")][:40]
        for count in range(len(lines)):
            for thread in read("\n".join(lines[:count])).threads:
                assert [f.index for f in thread.frames] == list(range(len(thread.frames)))

    @pytest.mark.parametrize("path", RECORDED, ids=lambda p: p.stem)
    def test_lines_that_open_a_region_have_an_anchor(self, path: Path):
        opening = [ln for ln in path.read_text().splitlines() if FORMAT.opens.match(ln)]
        assert opening
        assert all(any(a in ln for a in FORMAT.anchors) for ln in opening)


AT = Position(input=0, line=1)


class TestFrames:
    @pytest.mark.parametrize(
        ("line", "expected"),
        [
            ("    at void k<float, (int)0>(T1 *, int)+0x280 in dir/a b.cu:12",
             ("void k<float, (int)0>(T1 *, int)", "dir/a b.cu", 12, None, "0x280")),
            ("    at k(int *)+0x80", ("k(int *)", None, None, None, "0x80")),
            ("    at 0xe20 in /src/a.cu:66:k(int const *, int)",
             ("k(int const *, int)", "/src/a.cu", 66, None, "0xe20")),
            ("    at 0xe20 in C:/src/a.cu:66:k(int)", ("k(int)", "C:/src/a.cu", 66, None, "0xe20")),
            ("    at 0x00000230 in k(void)", ("k(void)", None, None, None, "0x00000230")),
            ("    at void cut::off<(bool)1, cutl", ("void cut::off<(bool)1, cutl", None, None, None,
                                                    None)),
            ("        Device Frame:/src/a.cu:66:k(int) (k(int) : 0xe20)",
             ("k(int)", "/src/a.cu", 66, None, None)),
            ("        Host Frame: f(int&) [clone .constprop.0] in a.cu:4 [0x59] in lib a.so",
             ("f(int&) [clone .constprop.0]", "a.cu", 4, "lib a.so", "0x59")),
            ("        Host Frame: main [0x8ae3] in claw", ("main", None, None, "claw", "0x8ae3")),
            ("        Host Frame:  [0x1979f8] in ggml.dll", (None, None, None, "ggml.dll",
                                                             "0x1979f8")),
            ("    Host Frame:/usr/lib/libcuda.so.1 (cuLaunchKernel + 0x346) [0x29]",
             ("cuLaunchKernel", None, None, "/usr/lib/libcuda.so.1", "0x29")),
            ("    Host Frame:./a b [0x165e9]", (None, None, None, "./a b", "0x165e9")),
            ("    Host Frame:/lib/a.so (_Z1fv + 0x1) [0x2]", ("_Z1fv", None, None, "/lib/a.so",
                                                              "0x2")),
        ],
    )  # fmt: skip
    def test_frame(self, line: str, expected: tuple[object, ...]):
        crash = read(f"========= {line}")
        assert lines_of(crash, 0) == [expected]
        gpu = "Host" not in line
        assert (crash.threads[0].frames[0].kind is FrameKind.GPU) == gpu


class TestFindings:
    @pytest.mark.parametrize(
        ("line", "name", "message"),
        [
            ("Invalid __shared__ read of size 4 bytes", "memcheck", None),
            ("Invalid __global__ atomic of size 4", "memcheck", None),
            ("Uninitialized __global__ memory read of size 4 bytes", "initcheck", None),
            ("Barrier error detected. Divergent thread(s) in warp.", "synccheck", None),
            ("ERROR: Potential WAW hazard detected at __shared__ 0x0 in block (0, 0, 0) :",
             "racecheck", "Potential WAW hazard detected at __shared__ 0x0 in block (0, 0, 0)"),
            ("Leaked 64 bytes at 0x400200200", "memcheck", None),
            ("Malloc/Free error encountered : Double free", "memcheck", None),
        ],
    )  # fmt: skip
    def test_error(self, line: str, name: str, message: str | None):
        (error,) = read(f"========= {line}").errors
        assert (error.api, error.name, error.role) == ("sanitizer", name, Role.CAUSE)
        assert error.message == (message or line)

    def test_race(self):
        crash = read(
            """
            ========= Error: Race reported between Write access at k(int *)+0x10 in a.cu:18
            =========     and Read access at k(int *)+0x50 in a.cu:18 [1536 hazards]
            """
        )
        (error,) = crash.errors
        assert (error.name, error.file, error.line) == ("racecheck", "a.cu", 18)
        assert [(t.name, lines_of(crash, n)) for n, t in enumerate(crash.threads)] == [
            ("Write access", [("k(int *)", "a.cu", 18, None, "0x10")]),
            ("Read access", [("k(int *)", "a.cu", 18, None, "0x50")]),
        ]

    @pytest.mark.parametrize(
        ("line", "expected"),
        [
            ('cudaErrorIllegalAddress (error 700) due to "an illegal memory access"',
             ("cuda", 700, "cudaErrorIllegalAddress")),
            ('CUDA_ERROR_LAUNCH_FAILED (error 719) due to "unspecified launch failure"',
             ("cuda-driver", 719, "CUDA_ERROR_LAUNCH_FAILED")),
        ],
    )  # fmt: skip
    def test_call_that_failed(self, line: str, expected: tuple[object, ...]):
        (error,) = read(f"========= Program hit {line} on CUDA API call to cudaFree.").errors
        assert (error.api, error.code, error.name) == expected
        assert (error.count, error.role) == (1, Role.UNCLEAR)

    def test_call_that_failed_behind_a_finding_is_what_came_of_it(self):
        crash = read(
            """
            ========= Invalid __global__ read of size 4 bytes
            =========     at k(int *)+0x10 in a.cu:18
            =========     by thread (7,0,0) in block (3,0,0)
            ========= Program hit cudaErrorUnknown (error 999) due to "x" on CUDA API call to f.
            =========         Host Frame: main [0x8ae3] in claw
            """
        )
        assert [e.role for e in crash.errors] == [Role.CAUSE, Role.CONSEQUENCE]
        assert [(t.kind, t.crashed) for t in crash.threads] == [
            (ThreadKind.GPU, True), (ThreadKind.HOST, False),
        ]  # fmt: skip

    def test_one_finding_on_many_device_threads_is_one_stack(self):
        lines = []
        for n in range(50):
            lines += [
                "========= Invalid __global__ write of size 4 bytes",
                "=========     at k(int *)+0x10 in a.cu:18",
                f"=========     by thread ({n},0,0) in block (0,0,0)",
                f"=========     Access to {n * 20 + 0xA00:#x} is out of bounds",
                "=========         Host Frame: main [0x8ae3] in claw",
                "=========",
            ]
        crash = read("\n".join(lines))
        assert [(e.message, e.count) for e in crash.errors] == [
            ("Invalid __global__ write of size 4 bytes; out of bounds", 50)
        ]
        assert len(crash.threads) == 2
        assert crash.threads[0].name == "thread (0,0,0) in block (0,0,0)"

    @pytest.mark.parametrize(
        "line",
        [
            "========= COMPUTE-SANITIZER",
            "========= ERROR SUMMARY: 0 errors",
            "=========",
            "==================== at 12:00 ====================",
            "========= at noon =========",
            "========= LEAK SUMMARY: 0 bytes leaked in 0 allocations",
        ],
    )
    def test_no_finding(self, line: str):
        assert not FORMAT.opens.match(line)
