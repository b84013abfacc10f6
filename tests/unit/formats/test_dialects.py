"""One line, or a few, of every dialect, and what they say."""

from __future__ import annotations

import re
import sys
import textwrap

import pytest

from triage.formats import Region, formats
from triage.formats._base import Format, number
from triage.model.crash import Crash, ErrorRecord
from triage.read import ReadOptions, read_text
from triage.text.late import late
from triage.text.line import Line


def crash_of(text: str) -> Crash:
    return read_text(textwrap.dedent(text).strip("\n"), ReadOptions()).crash


def facts(error: ErrorRecord) -> tuple[object, ...]:
    return error.api, error.code, error.name


class TestProcessEnd:
    @pytest.mark.parametrize(
        ("line", "name", "number"),
        [
            ("Aborted (core dumped)", "SIGABRT", 6),
            ("Segmentation fault", "SIGSEGV", 11),
            (
                "run.sh: line 12:  4242 Segmentation fault      (core dumped) ./claw --model x",
                "SIGSEGV",
                11,
            ),
            ("bash: line 1: 77 Killed   ./claw", "SIGKILL", 9),
            ("./run.sh: 4: Illegal instruction (core dumped)", "SIGILL", 4),
            ("Bus error (core dumped)", "SIGBUS", 7),
            ("Floating point exception", "SIGFPE", 8),
            ("exit status 139", "SIGSEGV", 11),
            ("engine-1 exited with code 134", "SIGABRT", 6),
            ("      Exit Code:    137", "SIGKILL", 9),
            ("Exit code: 137", "SIGKILL", 9),
            ("exit status 1", None, None),
            ("exit status 0", None, None),
            ("exit status 300", None, None),
            ("the transaction was Aborted by the user", None, None),
            ("Killed 3 stale jobs", None, None),
        ],
    )
    def test_signal(self, line: str, name: str | None, number: int | None):
        signal = crash_of(line).signal
        assert (signal and signal.name, signal and signal.number) == (name, number)

    def test_shell_counts_more_than_a_status(self):
        signal = crash_of("Segmentation fault (core dumped)\nexit status 134").signal
        assert (signal.name, signal.at.line) == ("SIGSEGV", 1)

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            (
                "terminate called after throwing an instance of 'std::bad_alloc'\n  what():  no",
                ("cxx", None, "std::bad_alloc", "no", None, None),
            ),
            (
                "terminate called without an active exception",
                ("cxx", None, None, "without an active exception", None, None),
            ),
            (
                "*** stack smashing detected ***: terminated",
                ("libc", None, None, "*** stack smashing detected ***: terminated", None, None),
            ),
            (
                "free(): invalid pointer",
                ("libc", None, None, "free(): invalid pointer", None, None),
            ),
            (
                "double free or corruption (!prev)",
                ("libc", None, None, "double free or corruption (!prev)", None, None),
            ),
            (
                "malloc(): invalid size (unsorted)",
                ("libc", None, None, "malloc(): invalid size (unsorted)", None, None),
            ),
            (
                "claw: kv_cache.cpp:71: void llm::store(int): Assertion `n < cells' failed.",
                ("libc", None, "assert", "Assertion `n < cells' failed", "kv_cache.cpp", 71),
            ),
        ],
    )
    def test_error(self, text: str, expected: tuple[object, ...]):
        (error,) = crash_of(text).errors
        assert (*facts(error), error.message, error.file, error.line) == expected
        assert error.at.line == 1

    def test_what_belongs_to_the_exception_above_it(self):
        crash = crash_of(
            """
            terminate called after throwing an instance of 'A'
              what():  one
            terminate called recursively
              what():  nobody's
            """
        )
        assert [(e.name, e.message) for e in crash.errors] == [
            ("A", "one"), (None, "recursively"),
        ]  # fmt: skip


class TestGpuApi:
    @pytest.mark.parametrize(
        ("line", "expected"),
        [
            ("CUDA error 700: an illegal memory access", ("cuda", 700, "cudaErrorIllegalAddress")),
            ("CUDA error: 700 at a.cu:12: x", ("cuda", 700, "cudaErrorIllegalAddress")),
            ("CUDA Runtime error 2: out of memory", ("cuda", 2, "cudaErrorMemoryAllocation")),
            ("x.cu(12): cudaErrorIllegalAddress", ("cuda", 700, "cudaErrorIllegalAddress")),
            ("RuntimeError: CUDA error: out of memory", ("cuda", 2, "cudaErrorMemoryAllocation")),
            ("CUDA error: something new and unheard of", ("cuda", None, None)),
            (
                "failed with CUDA_ERROR_OUT_OF_MEMORY",
                ("cuda-driver", 2, "CUDA_ERROR_OUT_OF_MEMORY"),
            ),
            ("HIP error: out of memory", ("hip", 2, "hipErrorOutOfMemory")),
            ("hipErrorNoBinaryForGpu: no code", ("hip", 209, "hipErrorNoBinaryForGpu")),
            ("ROCm error 719: x", ("hip", 719, "hipErrorLaunchFailure")),
            (
                "CUBLAS_STATUS_ALLOC_FAILED when calling",
                ("cublas", 3, "CUBLAS_STATUS_ALLOC_FAILED"),
            ),
            ("clEnqueueNDRangeKernel failed: -5", ("opencl", -5, "CL_OUT_OF_RESOURCES")),
            ("got CL_OUT_OF_RESOURCES here", ("opencl", -5, "CL_OUT_OF_RESOURCES")),
            ("vk::DeviceLostError: VK_ERROR_DEVICE_LOST", ("vulkan", -4, "VK_ERROR_DEVICE_LOST")),
            ("NCCL: ncclUnhandledCudaError", ("nccl", 1, "ncclUnhandledCudaError")),
        ],
    )
    def test_error(self, line: str, expected: tuple[object, ...]):
        (error,) = [e for e in crash_of(line).errors if e.api != "python"]
        assert facts(error) == expected

    @pytest.mark.parametrize(
        "line",
        [
            "CUBLAS_STATUS_SUCCESS",
            "cuda error handling is on",
            "using CUDA 12.4 without an error",
            "CUDA error 512 MiB is the limit",
            "CL_DEVICE_NAME: Adreno",
            "clEnqueueNDRangeKernel returned 0",
        ],
    )
    def test_no_error(self, line: str):
        assert crash_of(line).errors == ()

    def test_place(self):
        (error,) = crash_of("CUDA error 700 at src/a.cu:12: an illegal memory access").errors
        assert (error.file, error.line, error.message) == (
            "src/a.cu",
            12,
            "an illegal memory access",
        )

    @pytest.mark.parametrize(
        "function",
        ["operator()", "void embed_kernel(unsigned char *, unsigned int)", "indexSelect"],
    )
    def test_assertion_in_a_kernel(self, function: str):
        lines = [
            f"/src/Index.cu:92: {function}: block: [0,0,0], thread: [{n},0,0] "
            "Assertion `a < b` failed."
            for n in range(64)
        ]
        (error,) = crash_of("\n".join(lines)).errors
        assert facts(error) == ("cuda", 710, "cudaErrorAssert")
        assert (error.message, error.count) == ("Assertion `a < b` failed", 64)
        assert (error.file, error.line, error.at.line) == ("/src/Index.cu", 92, 1)


class TestKernel:
    def test_segfault(self):
        crash = crash_of(
            "[ 12.3] claw[4242]: segfault at 7f00dead ip 55aa sp 7ffd error 6 in claw[55aa+1000]"
        )
        assert (crash.signal.name, crash.signal.fault_address) == ("SIGSEGV", "0x7f00dead")

    @pytest.mark.parametrize(
        ("trap", "name"),
        [("invalid opcode", "SIGILL"), ("divide error", "SIGFPE"), ("int3", "SIGTRAP")],
    )
    def test_trap(self, trap: str, name: str | None):
        crash = crash_of(
            f"traps: claw[4242] trap {trap} ip:55aa sp:7ffd error:0 in claw[55aa+1000]"
        )
        assert (crash.signal and crash.signal.name) == name

    @pytest.mark.parametrize(
        "line",
        [
            "Out of memory: Killed process 4242 (claw) total-vm:1kB, anon-rss:1kB",
            "[ 12.3] Memory cgroup out of memory: Killed process 4242 (claw) total-vm:1kB",
            "kernel: claw invoked oom-killer: gfp_mask=0xcc0, order=0",
        ],
    )
    def test_out_of_memory(self, line: str):
        (error,) = crash_of(line).errors
        assert error.api == "oom-killer"
        assert error.message.endswith(": claw")

    def test_xids_are_counted_by_number(self):
        lines = [f"NVRM: Xid (PCI:0000:01:00): {13 + n % 2}, pid=1, on SM {n}" for n in range(50)]
        crash = crash_of("\n".join(lines))
        assert [(*facts(e), e.count, e.at.line) for e in crash.errors] == [
            ("xid", 13, "Xid 13", 25, 1), ("xid", 14, "Xid 14", 25, 2),
        ]  # fmt: skip

    def test_behind_the_journal_columns(self):
        (error,) = crash_of(
            "Jan 02 03:04:05 h kernel: NVRM: Xid (PCI:0000:01:00): 79, GPU has fallen"
        ).errors
        assert (error.code, error.message) == (79, "GPU has fallen")


class TestContainer:
    @pytest.mark.parametrize(
        ("line", "api", "container"),
        [
            (
                'docker: Error: could not select device driver "" with capabilities: [[gpu]].',
                "docker",
                "docker",
            ),
            ("nvidia-container-cli: initialization error: nvml error", "docker", "docker"),
            ("Failed to initialize NVML: Unknown Error", "nvml", None),
            ("/dev/nvidia0 not found", "device", None),
            ("ls: /dev/nvidiactl: No such file or directory", None, None),
            ("/dev/nvidiactl could not be opened: No such file or directory", "device", None),
            ("/dev/nvidia0 is fine", None, None),
        ],
    )
    def test_error(self, line: str, api: str | None, container: str | None):
        crash = crash_of(line)
        assert [e.api for e in crash.errors] == ([api] if api else [])
        assert crash.environment.container == container


class TestGgml:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            (
                "/src/ggml.c:71: GGML_ASSERT(a != b) failed",
                ("engine", "GGML_ASSERT", "GGML_ASSERT(a != b) failed", "/src/ggml.c", 71),
            ),
            (
                "GGML_ASSERT: C:\\src\\ggml.c:71: a != b",
                ("engine", "GGML_ASSERT", "GGML_ASSERT(a != b) failed", "C:\\src\\ggml.c", 71),
            ),
            (
                "/src/ggml-cuda.cu:9: fatal error",
                ("engine", "ggml_abort", "fatal error", "/src/ggml-cuda.cu", 9),
            ),
            (
                "CUDA error: out of memory\n  current device: 0, in function alloc at a.cu:9",
                ("cuda", "cudaErrorMemoryAllocation", "out of memory", "a.cu", 9),
            ),
            (
                "ROCm error: out of memory\n  current device: 0, in function alloc at a.cu:9",
                ("hip", "hipErrorOutOfMemory", "out of memory", "a.cu", 9),
            ),
        ],
    )
    def test_error(self, text: str, expected: tuple[object, ...]):
        error = crash_of(text).errors[0]
        assert (error.api, error.name, error.message, error.file, error.line) == expected


class TestOpenClaw:
    def test_other_programs_with_levels_are_left_alone(self):
        crash = crash_of("[INFO] started\n[ERROR] cannot open x\n[FATAL] giving up")
        assert crash.engine is None
        assert crash.errors == ()

    def test_crash_line_alone_names_the_engine(self):
        crash = crash_of("[ERROR] clw-llm-crash: LLM backend failed at f(a, b) (line 12, a b.cpp)")
        assert (crash.engine.name, crash.engine.version) == ("openclaw", None)
        (error,) = crash.errors
        assert (error.message, error.file, error.line) == (
            "LLM backend failed at f(a, b)",
            "a b.cpp",
            12,
        )
        assert crash.engine.evidence[0].at.line == 1

    def test_variable_that_is_set(self):
        crash = crash_of(
            "[INFO] OpenClaw claw_inference 0.9.2\n"
            "[INFO] CLAW_VRAM_LIMIT 0.8, CLAW_CUDA_STREAMS unset"
        )
        assert crash.environment.variables == {"CLAW_VRAM_LIMIT": "0.8", "CLAW_CUDA_STREAMS": None}
        assert crash.environment.where["variable.CLAW_CUDA_STREAMS"].line == 2


class TestPython:
    def test_innermost_frame_comes_first(self):
        crash = crash_of(
            """
            Traceback (most recent call last):
              File "/a/main.py", line 9, in <module>
                run()
              File "/a/engine.py", line 3, in run
                raise ValueError("no")
            ValueError: no
            """
        )
        (thread,) = crash.threads
        assert [(f.index, f.function, f.line, f.at.line) for f in thread.frames] == [
            (0, "run", 3, 4), (1, "<module>", 9, 2),
        ]  # fmt: skip
        assert [(*facts(e), e.message) for e in crash.errors] == [
            ("python", None, "ValueError", "no")
        ]

    def test_first_of_chained_exceptions_is_the_cause(self):
        crash = crash_of(
            """
            Traceback (most recent call last):
              File "a.py", line 1, in f
            KeyError: 'x'

            During handling of the above exception, another exception occurred:

            Traceback (most recent call last):
              File "b.py", line 2, in g
            RuntimeError: failed
            """
        )
        assert [(e.name, e.role.value) for e in crash.errors] == [
            ("KeyError", "unclear"), ("RuntimeError", "consequence"),
        ]  # fmt: skip
        assert crash.threads[crash.crashed_thread].frames[0].function == "f"

    def test_faulthandler(self):
        crash = crash_of(
            """
            Fatal Python error: Segmentation fault

            Thread 0x00007f01 (most recent call first):
              File "a.py", line 1 in wait
            Current thread 0x00007f02 (most recent call first):
              File "b.py", line 2 in crash
              File "b.py", line 9 in <module>
            """
        )
        assert crash.signal.name == "SIGSEGV"
        assert [(t.id, t.crashed) for t in crash.threads] == [
            ("0x00007f01", False), ("0x00007f02", True),
        ]  # fmt: skip
        assert [f.function for f in crash.threads[1].frames] == ["crash", "<module>"]


class TestSanitizer:
    TEXT = """
        ==7==ERROR: AddressSanitizer: SEGV on unknown address 0x000000000010 (pc 0x1 T0)
        ==7==The signal is caused by a WRITE memory access.
            #0 0x55aa in llm::store(int, std::pair<int, int>) /src/kv cache.cpp:71:9
            #1 0x55ab in main (/opt/claw+0x1234) (BuildId: 00ff)
            #2 0x55ac  (/lib/libc.so.6+0x29d90)

        0x000000000010 is located 0 bytes inside of 8-byte region
        allocated by thread T0 here:
            #0 0x66aa in malloc (/lib/libasan.so+0x1)
        SUMMARY: AddressSanitizer: SEGV /src/kv cache.cpp:71:9 in llm::store
        """

    def test_report(self):
        crash = crash_of(self.TEXT)
        (error,) = crash.errors
        assert (error.api, error.name) == ("sanitizer", "AddressSanitizer")
        assert (crash.signal.name, crash.signal.fault_address) == ("SIGSEGV", "0x000000000010")
        assert [t.crashed for t in crash.threads] == [True, False]
        assert [
            (f.function, f.file, f.line, f.module, f.offset) for f in crash.threads[0].frames
        ] == [
            ("llm::store(int, std::pair<int, int>)", "/src/kv cache.cpp", 71, None, None),
            ("main", None, None, "/opt/claw", "0x1234"),
            (None, None, None, "/lib/libc.so.6", "0x29d90"),
        ]


# ---- what all formats have in common -------------------------------------------------------------


@pytest.mark.parametrize("form", formats(), ids=lambda f: f.name)
class TestEveryFormat:
    def test_ranges_do_not_overlap(self, form: Format):
        assert form.reach >= form.before + form.after

    def test_yields_to_formats_that_come_first(self, form: Format):
        names = [f.name for f in formats()]
        assert all(names.index(other) < names.index(form.name) for other in form.yields_to)

    def test_anchors_are_plain_and_not_too_short(self, form: Format):
        # Every anchor is looked for in every line of a big log: short ones keep all of it.
        assert form.anchors
        assert all(len(a.strip()) >= 2 for a in form.anchors)

    @pytest.mark.parametrize("text", ["", "\n", "nothing of interest", "\n\n\nx\n\n"])
    def test_lines_that_say_nothing(self, form: Format, text: str):
        lines = tuple(Line(n, line) for n, line in enumerate(text.split("\n"), 1))
        fragment = form.read(Region(lines))
        assert (fragment.threads, fragment.errors, fragment.signal) == ((), (), None)


def test_line_that_one_format_understood_is_not_read_again():
    # OpenClaw's own line about an API error is not one more error for the API's own format.
    crash = crash_of(
        "[INFO] OpenClaw claw_inference 0.9.2\n"
        "[FATAL] GPU context lost: CUDA error 700 (cudaErrorIllegalAddress)"
    )
    assert [(*facts(e), e.count) for e in crash.errors] == [
        ("cuda", 700, "cudaErrorIllegalAddress", 1)
    ]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12), ("-5", -5), ("0x1F", 31), ("007", 7), (None, None), ("", None), ("x", None),
        ("0x", None), ("9" * 30, None), ("-" + "9" * 30, None), (str(2**64 - 1), 2**64 - 1),
    ],
)  # fmt: skip
def test_number(text: str | None, value: int | None):
    assert number(text) == value


def test_pattern_flags_do_not_leak():
    assert not any(f.opens.flags & (re.DOTALL | re.MULTILINE) for f in formats())


def test_every_pattern_compiles():
    modules = [
        m for n, m in sys.modules.items() if n.startswith(("triage.formats.", "triage.frames."))
    ]
    patterns = [p for m in modules for p in vars(m).values() if type(p) is type(late(""))]
    assert len(patterns) > 100
    assert all(p.groups >= 0 for p in patterns)
    assert all(f.opens.groups >= 0 for f in formats())


@pytest.mark.parametrize("form", formats(), ids=lambda f: f.name)
def test_no_anchor_is_so_short_that_it_slows_down_the_search(form):
    assert [anchor for anchor in form.anchors if len(anchor.encode()) < 3] == []
