"""The stacks and errors of "torch", "glog", "ucx" and "trtllm"."""

from __future__ import annotations

import textwrap

import pytest

from triage.model.crash import Crash, Role
from triage.model.stack import Thread
from triage.read import ReadOptions, read_text


def read(text: str) -> Crash:
    return read_text(textwrap.dedent(text).strip("\n"), ReadOptions()).crash


def parts(thread: Thread) -> list[tuple[object, ...]]:
    return [(f.index, f.function, f.file, f.line, f.module, f.offset) for f in thread.frames]


class TestTorch:
    @pytest.mark.parametrize(
        ("line", "expected"),
        [
            (
                "frame #3: c10::Error::Error(Loc, std::string) + 0x96 (0x7f01 in /opt/libc10.so)",
                (3, "c10::Error::Error(Loc, std::string)", None, None, "/opt/libc10.so", "0x96"),
            ),
            (
                "frame #4: <unknown function> + 0x126850 (0x7f02 in /lib/libc.so.6)",
                (4, None, None, None, "/lib/libc.so.6", "0x126850"),
            ),
            (
                "frame #5: at::add(at::Tensor const&) + 92 (0x10ab in libtorch_cpu.dylib)",
                (5, "at::add(at::Tensor const&)", None, None, "libtorch_cpu.dylib", "0x5c"),
            ),
            (
                "frame #6: f<c10::(anonymous namespace)::B, int&> (0xed6c) at /usr/include/x.h:657",
                (6, "f<c10::(anonymous namespace)::B, int&>", "/usr/include/x.h", 657, None, None),
            ),
            (
                "frame #7: <unknown function> (0x7f69 in /src/python_variable.cpp:2252)",
                (7, None, "/src/python_variable.cpp", 2252, None, None),
            ),
            (
                "(Worker pid=7, ip=10.0.0.1) frame #8: g() + 0x1 (0x7f in /x (deleted))",
                (8, "g()", None, None, "/x (deleted)", "0x1"),
            ),
        ],
    )  # fmt: skip
    def test_frame(self, line: str, expected: tuple[object, ...]):
        (thread,) = read(line).threads
        assert parts(thread) == [expected]

    def test_symbolized_stack(self):
        crash = read(
            """
            RuntimeError: no
            Exception raised from check at ../a/b.cpp:12 (most recent call first):
            C++ CapturedTraceback:
            #4 std::function<void ()>::operator()() const from /usr/include/x.h:622
            #5 c10::Error::Error(int) from ??:0
            #6 run from :0
            """
        )
        assert parts(crash.threads[-1]) == [
            (4, "std::function<void ()>::operator()() const", "/usr/include/x.h", 622, None, None),
            (5, "c10::Error::Error(int)", None, None, None, None),
            (6, "run", None, None, None, None),
        ]

    def test_place_of_an_exception_without_a_stack(self):
        crash = read(
            "Exception raised from memcpy_sync at ../c10/F.h:106 (most recent call first):"
        )
        assert parts(crash.threads[0]) == [(0, "memcpy_sync", "../c10/F.h", 106, None, None)]

    def test_library_that_a_terminal_has_cut(self):
        crash = read(
            """
            frame #0: f() + 0x57 (0x7fec in /usr/local/lib/python3.11/site-packages/torch/
            lib/libc10.so)
            frame #1: g() + 0x64 (0x7fed in /lib/b.so)
            """
        )
        assert [f.module for f in crash.threads[0].frames] == [
            "/usr/local/lib/python3.11/site-packages/torch/lib/libc10.so", "/lib/b.so",
        ]  # fmt: skip

    def test_windows(self):
        crash = read(
            "00007FFB0D0CA24200007FFB0D0CA1E0 c10.dll!c10::Error::Error "
            "[<unknown file> @ <unknown line number>]\n"
            "00007FFB0D0CA24200007FFB0D0CA1E1 torch_cpu.dll!at::f [C:\\src\\f.cpp @ 12]"
        )
        assert parts(crash.threads[0]) == [
            (0, "c10::Error::Error", None, None, "c10.dll", None),
            (1, "at::f", "C:\\src\\f.cpp", 12, "torch_cpu.dll", None),
        ]

    @pytest.mark.parametrize(
        "lead",
        [
            "[rank2]:[E712 10:00:00.123456789 ProcessGroupNCCL.cpp:1895] ",
            "[E ProcessGroupNCCL.cpp:1895] ",
            "[E1015 13:24:39.286342262 ProcessGroupNCCL.cpp:1895] ",
            "[rank2]: [E ProcessGroupNCCL.cpp:1895] ",
        ],
    )
    def test_watchdog(self, lead: str):
        text = "[Rank 2] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=1) ran"
        (error,) = [e for e in read(lead + text).errors if e.api == "nccl"]
        assert (error.message, error.file, error.line) == (text, "ProcessGroupNCCL.cpp", 1895)

    def test_watchdog_only_saw_the_error(self):
        crash = read(
            "[rank0]:[E117 11:40:54.259889664 ProcessGroupNCCL.cpp:1595] [PG 0 Rank 0] Process "
            "group watchdog thread terminated with exception: CUDA error: an illegal memory "
            "access was encountered"
        )
        roles = {e.api: e.role for e in crash.errors}
        assert roles == {"cuda": Role.UNCLEAR, "engine": Role.CONSEQUENCE}

    @pytest.mark.parametrize(
        ("line", "expected"),
        [
            (
                "n1:12:34 [0] misc/socket.cc:49 NCCL WARN socketProgress: Connection closed by x",
                ("nccl", None, "misc/socket.cc", 49),
            ),
            (
                "n1:12:34 [0] include/alloc.h:178 NCCL WARN Cuda failure 2 'out of memory'",
                ("cuda", "cudaErrorMemoryAllocation", "include/alloc.h", 178),
            ),
            ("NCCL WARN Error while creating shared memory segment", ("nccl", None, None, None)),
            ("Cuda failure 'out of memory'", ("cuda", "cudaErrorMemoryAllocation", None, None)),
            ("n1:12:34 [0] NCCL INFO init.cc:1079 -> 3", None),
            ("n1:12:34 [0] NCCL WARN Failed to open libibverbs.so[.1]", None),
        ],
    )
    def test_nccl(self, line: str, expected: tuple[object, ...] | None):
        found = [(e.api, e.name, e.file, e.line) for e in read(line).errors]
        assert found == ([expected] if expected else [])

    def test_internal_assert(self):
        errors = read(
            'RuntimeError: !block->segment INTERNAL ASSERT FAILED at "../c10/A.cpp":2525, please'
        ).errors
        assert [(e.name, e.file, e.line) for e in errors if e.api == "engine"] == [
            ("INTERNAL ASSERT", "../c10/A.cpp", 2525)
        ]

    @pytest.mark.parametrize("prefix", ["", "vllm-1  | ", "[rank0]: "])
    def test_a_card_that_is_too_new(self, prefix: str):
        crash = read(
            f"{prefix}/opt/torch/cuda/__init__.py:287: UserWarning:\n"
            f"{prefix}NVIDIA Foo 9000 with CUDA capability sm_120 is not compatible with the "
            "current PyTorch installation."
        )
        (error,) = crash.errors
        assert (error.api, error.role) == ("cuda", Role.CAUSE)
        assert error.message.startswith("NVIDIA Foo 9000 with CUDA capability sm_120 is not")
        assert error.at.line == 2


class TestGlog:
    def test_failed_check(self):
        crash = read(
            """
            F0712 12:00:00.000000 123 file.cc:12] Check failed: a == b (1 vs. 2) no
            *** Check failure stack trace: ***
                @     0x7f892fb417d0  google::LogMessage::Fail()
                @     0x7f89304f7f06  (unknown)
                @           0x412eb1  main
            """
        )
        (error,) = crash.errors
        assert (error.name, error.message, error.file, error.line) == (
            "CHECK", "Check failed: a == b (1 vs. 2) no", "file.cc", 12,
        )  # fmt: skip
        assert [f.function for f in crash.threads[0].frames] == [
            "google::LogMessage::Fail()", None, "main",
        ]  # fmt: skip
        assert crash.blamed_frame.frame == 2

    @pytest.mark.parametrize(
        "line",
        [
            "2020-06-22 20:02:57.741927: F tensorflow/a/b.cc:768] Check failed: x",
            "F tensorflow/a/b.cc:768] Check failed: x",
            "F0000 00:00:1700000000.123456  1234 tensorflow/a/b.cc:768] Check failed: x",
            "F20260102 12:00:00.000000 123 tensorflow/a/b.cc:768] Check failed: x",
        ],
    )
    def test_fatal_line(self, line: str):
        (error,) = read(line).errors
        assert (error.file, error.line, error.message) == (
            "tensorflow/a/b.cc", 768, "Check failed: x",
        )  # fmt: skip

    @pytest.mark.parametrize("level", ["I", "W", "E"])
    def test_other_levels(self, level: str):
        assert read(f"{level}0712 12:00:00.000000 123 file.cc:12] Check failed: a").errors == ()

    def test_stack_that_is_logged_twice(self):
        shown = """
            *** SIGSEGV received at time=1721904360 on cpu 140 ***
            PC: @     0x7f17f832d44a  (unknown)  addProxyOpIfNeeded()
                @     0x7f1bc25d8090   36407536  (unknown)
                @          0xabaf7f0         80  run::it()
                @ ... and at least 2 more frames
            """
        lines = textwrap.dedent(shown).strip().split("\n")
        log = "[2026-07-25 10:46:00,050 E 24 24] logging.cc:440: "
        crash = read("\n".join([*lines, *(log + line for line in lines)]))
        (thread,) = crash.threads
        assert [f.function for f in thread.frames] == ["addProxyOpIfNeeded()", None, "run::it()"]
        assert (crash.signal.name, crash.signal.fault_address) == ("SIGSEGV", None)

    def test_failing_instruction_that_is_in_the_stack(self):
        crash = read(
            """
            *** Aborted at 1225095260 (unix time) try "date -d @1225095260" ***
            PC: @           0x412eb1 Sink::send()
            *** SIGSEGV (@0x10) received by PID 17711 (TID 0x7f89) from PID 0; stack trace: ***
                @     0x7f892fb417d0 (unknown)
                @           0x412eb1 Sink::send()
                @     0x7f89304f7f06 google::LogMessage::SendToLog()
            """
        )
        assert [f.function for f in crash.threads[0].frames] == [
            None, "Sink::send()", "google::LogMessage::SendToLog()",
        ]  # fmt: skip
        assert crash.signal.fault_address == "0x10"

    def test_folly(self):
        crash = read(
            """
            *** Signal 11 (SIGSEGV) (0x10) received by PID 99 (pthread TID 0x7f) (linux TID 99) (code: address not mapped to object), stack trace: ***
                @ 000000000123abcd folly::symbolizer::(anonymous namespace)::handler(int)
                                   ./folly/SignalHandler.cpp:453
                @ 000000000123abce crash::it()
                                   /src/it.cpp:12
            """  # noqa: E501
        )
        assert (crash.signal.code, crash.signal.fault_address) == ("SEGV_MAPERR", "0x10")
        assert [(f.function, f.file, f.line) for f in crash.threads[0].frames][1] == (
            "crash::it()", "/src/it.cpp", 12,
        )  # fmt: skip
        assert crash.blamed_frame.frame == 1

    @pytest.mark.parametrize(
        ("mangled", "name"),
        [
            ("N3c1016DistBackendErrorE", "c10::DistBackendError"),
            ("St13runtime_error", "std::runtime_error"),
            ("N9x", "N9x"),
        ],
    )
    def test_unhandled_exception(self, mangled: str, name: str):
        (error,) = read(f"logging.cc:108: Unhandled exception: {mangled}. what(): no more").errors
        assert (error.api, error.name, error.message) == ("cxx", name, "no more")


class TestUcx:
    def test_report(self):
        crash = read(
            """
            [n1:72387:0:77823] Caught signal 11 (Segmentation fault: address not mapped to object at address 0x600)
            ==== backtrace (tid:  77823) ====
             0 0x000000000003913d __GI_getenv()  :0
             1 0x0000000000076072 ucs_alloc()  /src/ucs/sys.c:800
             2 0x0000000000004493 ???()  /usr/lib/libffi.so.8:0
             3 0x0000000000150a7b _PyObject_MakeTpCall()  ???:0
            =================================
            """  # noqa: E501
        )
        assert (crash.signal.name, crash.signal.code, crash.signal.fault_address) == (
            "SIGSEGV", "SEGV_MAPERR", "0x600",
        )  # fmt: skip
        (thread,) = crash.threads
        assert thread.tid == 77823
        assert parts(thread) == [
            (0, "__GI_getenv", None, None, None, None),
            (1, "ucs_alloc", "/src/ucs/sys.c", 800, None, None),
            (2, None, None, None, "/usr/lib/libffi.so.8", None),
            (3, "_PyObject_MakeTpCall", None, None, None, None),
        ]

    def test_without_symbols(self):
        crash = read(
            """
            ==== backtrace ====
             0  /usr/lib/libucs.so.0(ucs_handle_error+0x164) [0xffffb63970f4]
             1  /usr/lib/libucs.so.0(+0x34448) [0xffffb6397448]
            """
        )
        assert parts(crash.threads[0]) == [
            (0, "ucs_handle_error", None, None, "/usr/lib/libucs.so.0", "0x164"),
            (1, None, None, None, "/usr/lib/libucs.so.0", "0x34448"),
        ]


def test_tensorrt_llm():
    crash = read(
        """
        [TensorRT-LLM] TensorRT-LLM version: 0.12.0
        [TensorRT-LLM][ERROR] Encountered an error in forward function: [TensorRT-LLM][ERROR] CUDA runtime error in cudaFree(p): bad (/app/cpp/cudaEvent.h:66)
        1       0x7f0b0d2d5f1d void tensorrt_llm::common::check<cudaError>(cudaError, int) + 141
        2       0x7f0b0d2d5f1e tensorrt_llm::Runner::step() + 97
        3       0x7f0bd4 /usr/lib/libstdc++.so.6(+0xdc253) [0x7f0bd4]
        """  # noqa: E501
    )
    assert (crash.engine.name, crash.engine.version) == ("tensorrt-llm", "0.12.0")
    (error,) = crash.errors
    assert (error.message, error.file, error.line) == (
        "CUDA runtime error in cudaFree(p): bad", "/app/cpp/cudaEvent.h", 66,
    )  # fmt: skip
    assert parts(crash.threads[0]) == [
        (
            1,
            "void tensorrt_llm::common::check<cudaError>(cudaError, int)",
            None,
            None,
            None,
            "0x8d",
        ),
        (2, "tensorrt_llm::Runner::step()", None, None, None, "0x61"),
        (3, None, None, None, "/usr/lib/libstdc++.so.6", "0xdc253"),
    ]
    assert crash.blamed_frame.frame == 1
