"""gdb's and cuda-gdb's text in the forms that the recordings do not have."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from triage.formats import Region
from triage.formats.gdb import FORMAT
from triage.model.crash import Crash, Fragment
from triage.model.stack import Frame, FrameKind, Lanes, Thread, ThreadKind, Trust
from triage.read import ReadOptions, read_text
from triage.text.line import Line

HEAD = "Program terminated with signal SIGSEGV, Segmentation fault.\n"


def read(text: str) -> Fragment:
    lines = textwrap.dedent(text).strip("\n").split("\n")
    return FORMAT.read(Region(tuple(Line(n, line) for n, line in enumerate(lines, 1))))


def frames(thread: Thread) -> list[tuple[object, ...]]:
    return [(f.index, f.function, f.file or f.module, f.line, f.at.line) for f in thread.frames]


class TestFrames:
    def test_wrapped_at_the_place(self):
        fragment = read(
            """
            #0  0x00007ffff7a42e07 in llm::engine::load_model (this=0x1,
                path="a (b) at c:1", n=3)
                at /src/llm_engine.cpp:71
            #1  0x00005555555551b5 in main ()
                from /usr/lib/libengine.so
            #2  0x00005555555551b6 in ?? ()
            """
        )
        (thread,) = fragment.threads
        assert frames(thread) == [
            (0, "llm::engine::load_model", "/src/llm_engine.cpp", 71, 1),
            (1, "main", "/usr/lib/libengine.so", None, 4),
            (2, None, None, None, 6),
        ]
        assert thread.frames[0].args == 'this=0x1, path="a (b) at c:1", n=3'

    def test_wrapping_ends_at_the_next_frame(self):
        (thread,) = read("#0  f (a=1,\n#1  g () at g.c:2").threads
        assert [(f.index, f.function) for f in thread.frames] == [(0, "f"), (1, "g")]

    def test_locals_behind_a_frame_are_not_its_place(self):
        (thread,) = read(
            """
            #0  f (a=1)
                    n = 3
                    where = "at x.c:9"
            No locals.
            #1  g () at g.c:2
                    at = 12
            """
        ).threads
        assert frames(thread) == [(0, "f", None, None, 1), (1, "g", "g.c", 2, 5)]

    def test_signal_handler(self):
        (thread,) = read(
            """
            #0  handler (signo=11) at h.c:3
            #1  <signal handler called>
            #2  0x1 in work () at w.c:4
            """
        ).threads
        assert [f.kind for f in thread.frames] == [
            FrameKind.HOST, FrameKind.SIGNAL_HANDLER, FrameKind.HOST,
        ]  # fmt: skip
        assert thread.frames[1].at.line == 2

    def test_trust(self):
        (thread,) = read(
            "#0  0x1 in f () at a.c:1\n#1  0x2 in g () from /l.so\n#2  0x3 in ?? ()"
        ).threads
        assert [f.trust for f in thread.frames] == [
            Trust.DEBUG_INFO, Trust.SYMBOL, Trust.ADDRESS_ONLY,
        ]  # fmt: skip

    def test_endless_recursion_is_cut(self):
        text = "\n".join(f"#{n}  f () at a.c:1" for n in range(20_005))
        (thread,) = read(text).threads
        assert (len(thread.frames), thread.frames_omitted) == (20_000, 5)

    def test_wrapped_in_a_name(self):
        text = (
            "#0  0x00007ffff7a42e08 in llm::engine::load_the_model_from_a_file_and_more_of_the_sa\n"
            "me (this=0x1) at x.cpp:4\n"
            "#1  0x00007ffff7a42e08 in\nmain () at\nm.cpp:3"
        )
        fragment = read(text)
        (thread,) = fragment.threads
        assert frames(thread) == [
            (0, "llm::engine::load_the_model_from_a_file_and_more_of_the_same", "x.cpp", 4, 1),
            (1, "main", "m.cpp", 3, 3),
        ]
        (warning,) = fragment.warnings
        assert (warning.code, warning.at.line) == ("frame-wrapped", 1)
        assert warning.message.startswith("2 stack frames ")

    def test_call_list_on_a_line_of_its_own(self):
        (thread,) = read("#3  0x1 in std::f(int)::_FUN()\n    () from /l.so").threads
        assert frames(thread) == [(3, "std::f(int)::_FUN()", "/l.so", None, 1)]

    @pytest.mark.parametrize(
        ("last", "function"),
        [
            ("0x00007ffff7a42e07 in __internal_syscall_can", None),
            ("0x00007ffff7a42e07 in gg (a=1, b=0x7ff", "gg"),
            ("0x00007ffff7a42e07 in std::map<int, st", None),
            ("0x00007ffff7a42e07 in ns::gg(int, std::map<", "ns::gg"),
        ],
    )
    def test_cut_off(self, last: str, function: str | None):
        fragment = read(f"#0  0x00007ffff7a42e07 in f (a=1) at x.c:3\n#1  {last}")
        assert [f.function for f in fragment.threads[0].frames] == ["f", function]
        assert [(w.code, w.at.line) for w in fragment.warnings] == [("frame-truncated", 2)]

    def test_mixed_with_a_log(self):
        fragment = read(
            """
            #0  0x00007ffff7a42e07 in f (a=1,
            [INFO] hello
                b=2) at x.c:3
            #1  0x00007ffff7a42e07 in g () at y.c:4#2  0x00007ffff7a42e09 in h () at z.c:5
            """
        )
        assert frames(fragment.threads[0]) == [
            (0, "f", "x.c", 3, 1), (1, "g", "y.c", 4, 4), (2, "h", "z.c", 5, 4),
        ]  # fmt: skip
        assert [w.code for w in fragment.warnings] == ["text-interleaved"]

    def test_with_blank_lines_between_all_lines(self):
        fragment = read(
            "#1 0x00007fffdd6d1d6c in unpack (s=<optimized out>,  \n\ngb=1)  \n\n"
            "at third_party/vp3.c:1042  \n\n#2 decode (avctx=1)\n\nfrom here on it is known"
        )
        assert frames(fragment.threads[0]) == [
            (1, "unpack", "third_party/vp3.c", 1042, 1), (2, "decode", None, None, 7),
        ]  # fmt: skip

    def test_whose_addresses_were_taken_out(self):
        (thread,) = read("#0  0x<addr> in poll (n=2) at p.c:42\n#1  0x<addr> in ?? ()").threads
        assert [(f.function, f.address) for f in thread.frames] == [("poll", None), (None, None)]

    def test_with_tabs(self):
        (thread,) = read("#0\t0x00007f77 in f ()\tfrom /lib64/l.so.3").threads
        assert frames(thread) == [(0, "f", "/lib64/l.so.3", None, 1)]

    def test_without_a_name(self):
        (thread,) = read("#5  0x0000000000000002 in  ()\n#6  0x3 in g () at /lib64/l.so").threads
        assert frames(thread) == [(5, None, None, None, 1), (6, "g", "/lib64/l.so", None, 2)]

    def test_that_lost_their_line_ends(self):
        text = " ".join(f"#{n}  0x00007ffff7a42e0{n} in f{n} (a={n}) at x.c:{n}" for n in range(5))
        (thread,) = read(text).threads
        assert frames(thread) == [(n, f"f{n}", "x.c", n, 1) for n in range(5)]

    def test_stack_that_ends_early(self):
        line = "Backtrace stopped: previous frame identical to this frame (corrupt stack?)"
        (warning,) = read(f"#0  f () at a.c:1\n{line}\n{line}").warnings
        assert (warning.code, warning.at.line) == ("backtrace-stopped", 2)

    def test_pager(self):
        fragment = read(
            """
            #0  0x00007ffff7a42e07 in f (a=1) at x.c:3
            ---Type <return> to continue, or q <return> to quit---
            #1  0x00007ffff7a42e07 in g (a=1,
            --Type <RET> for more, q to quit, c to continue without paging--c
                b=2) at x.c:3
            --Type <RET> for more, q to quit, c to continue without paging--#2  0x1234 in h ()
            """
        )
        assert [(f.index, f.function, f.at.line) for f in fragment.threads[0].frames] == [
            (0, "f", 1), (1, "g", 3), (2, "h", 6),
        ]  # fmt: skip
        assert [(w.code, w.at.line) for w in fragment.warnings] == [("pager-prompt", 2)]

    @pytest.mark.parametrize(
        "lead", ["", "> ", "> > ", "    ", "        ", " 12: ", "| ", "// ", "~", "  * ", "(gdb) "]
    )
    def test_behind_anything(self, lead: str):
        lines = [
            "#0  0x00007ffff7a42e07 in raise () from /lib/libc.so.6",
            "#1  0x00007ffff7a42e08 in foo(int) (a=1,",
            "    b=2) at x.c:3",
        ]
        if lead == "~":
            lines = ['~"' + line + '\\n"' for line in lines]
            lead = ""
        text = "\n".join(lead + line for line in lines)
        fragment = FORMAT.read(
            Region(tuple(Line(n, line) for n, line in enumerate(text.split("\n"), 1)))
        )
        assert all(FORMAT.opens.match(line) for line in text.split("\n")[:2])
        assert frames(fragment.threads[0]) == [
            (0, "raise", "/lib/libc.so.6", None, 1), (1, "foo(int)", "x.c", 3, 2),
        ]  # fmt: skip

    @pytest.mark.parametrize(
        "line",
        [
            "#0 /var/www/x.php(20): foo('x')",
            "#1 {main}",
            "#0      main (file:///home/x.dart:5:3)",
            "#0  0x00007f1a5cd6fe32 poll (libc.so.6 + 0x7be32)",
            "    #1 0x55d0 in main /src/a.c:3:4",
            "    #1 0x55d0 in main (/usr/bin/a+0x123)",
            "#1 fix the build",
            "# 1 a heading (of a text)",
        ],
    )
    def test_frames_of_others(self, line: str):
        assert read(line).threads == ()

    def test_frame_that_was_selected(self):
        text = '#8  f (a=1)\n    at /x/a.c:1833\n1833\t    g(a);\n$1 = {type = T, name = "#1 x"}'
        (thread,) = read(text).threads
        assert frames(thread) == [(8, "f", "/x/a.c", 1833, 1)]
        (thread,) = read("#0  e () at a.c:1\n#1  f () at a.c:2\n#1  f () at a.c:2\n2\tg").threads
        assert len(thread.frames) == 2

    def test_other_stack_frames_that_gdb_names(self):
        (thread,) = read("#0  f () at a.c:1\n#1  <function called from gdb>\n#2  g ()").threads
        assert [(f.function, f.kind) for f in thread.frames][1] == (
            "<function called from gdb>", FrameKind.HOST,
        )  # fmt: skip


class TestThreads:
    def test_headings(self):
        fragment = read(
            """
            Thread 4 (Thread 0x7ffff0dff640 (LWP 104) "worker (4)"):
            #0  a () at a.c:1
            Thread 3 (Thread 0x7ffff15ff640 (LWP 103) (Exiting)):
            #0  b () at a.c:1
            Thread 2.1 (LWP 102):
            #0  c () at a.c:1
            Thread 1 (process 101):
            #0  d () at a.c:1
            """
        )
        assert [(t.id, t.tid, t.name) for t in fragment.threads] == [
            ("4", 104, "worker (4)"), ("3", 103, None), ("2.1", 102, None), ("1", None, None),
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("target", "tid", "name"),
        [
            ("Thread 1234.0x5678", 0x5678, None),
            ("Thread 1234.1235", 1235, None),
            ("Thread 19965", 19965, None),
            ("LWP 100123 of process 456", 100123, None),
            ("Thread 0x1403 of process 1234", None, None),
            ('LWP 12 "wor ker"', 12, "wor ker"),
            ('Thread 0x7f (LWP 99) "a (b)"', 99, "a (b)"),
        ],
    )
    def test_targets_of_systems(self, target: str, tid: int | None, name: str | None):
        (thread,) = read(f"Thread 3 ({target}):\n#0  f () at a.c:1").threads
        assert (thread.id, thread.tid, thread.name) == ("3", tid, name)

    def test_of_eu_stack(self):
        threads = read(
            "TID 12:\n#0  0x00007f42a3b6f7fb poll\nTID 13:\n#0  0x00007f42a3b6f7fc f - /usr/bin/x"
        ).threads
        assert [(t.tid, t.frames[0].function) for t in threads] == [(12, "poll"), (13, "f")]

    def test_table(self):
        fragment = read(
            """
            Program terminated with signal SIGSEGV, Segmentation fault.
              Id   Target Id                                   Frame
            * 1    Thread 0x7ffff7d8a740 (LWP 9) "x"       0x00007ffff7a42e07 in main () at a.c:3
              2    Thread 0x7ffff7d8a741 (LWP 10) "cuda" 0x00007ffff7a42e08 in poll () from /l.so
              3    LWP 11 "y" 0x00007ffff7a42e08 in foo (a=1)
                at x.c:4

            Thread 2 (LWP 10):
            #0  0x00007ffff7a42e08 in poll () from /l.so
            #1  0x00007ffff7a42e09 in start () from /l.so
            """
        )
        assert [(t.id, t.tid, t.name, t.crashed, len(t.frames)) for t in fragment.threads] == [
            ("2", 10, "cuda", False, 2), ("1", 9, "x", True, 1), ("3", 11, "y", False, 1),
        ]  # fmt: skip

    def test_that_was_switched_to(self):
        fragment = read(
            """
            Thread 1 "x" received signal SIGSEGV, Segmentation fault.
            0x0000000000000001 in f () at a.c:1
            #0  0x0000000000000001 in f () at a.c:1
            #1  0x0000000000000002 in main () at a.c:9
            [Switching to thread 2 (Thread 0x7f (LWP 12))]
            #0  0x0000000000000003 in g () at a.c:1
            #0  0x0000000000000003 in g () at a.c:1
            #1  0x0000000000000004 in start () at a.c:9
            """
        )
        assert [(t.id, t.tid, t.crashed, len(t.frames)) for t in fragment.threads] == [
            ("1", None, True, 2), ("2", 12, False, 2),
        ]  # fmt: skip

    def test_with_a_frame_on_the_same_line(self):
        (thread,) = read("[Switching to thread 3 (Thread 0xb7e (LWP 29))]#0 0xb7fe in f ()").threads
        assert (thread.id, thread.tid, thread.frames[0].function) == ("3", 29, "f")

    def test_of_a_core_that_failed_is_the_first(self):
        fragment = read(
            "Core was generated by `x -m y'.\nThread 2 (LWP 2):\n#0  g () at a.c:1\n"
            "Thread 1 (LWP 1):\n#0  f () at a.c:1"
        )
        assert [(t.id, t.crashed) for t in fragment.threads] == [("2", False), ("1", True)]
        assert fragment.environment.command_line == ("x", "-m", "y")

    def test_crashed_is_the_one_that_got_the_signal(self):
        fragment = read(
            """
            Thread 7 "claw" received signal SIGSEGV, Segmentation fault.
            0x0000000000000001 in f () at a.c:1
            1	    *p = 0;
            Thread 8 (LWP 8):
            #0  g () at g.c:1
            Thread 7 (LWP 7):
            #0  0x0000000000000001 in f () at a.c:1
            #1  0x0000000000000002 in main () at a.c:9
            """
        )
        assert [(t.id, t.crashed, len(t.frames)) for t in fragment.threads] == [
            ("7", True, 2), ("8", False, 1),
        ]  # fmt: skip
        assert (fragment.signal.name, fragment.signal.number) == ("SIGSEGV", 11)
        assert fragment.signal.at.line == 1

    def test_stop_alone_is_a_stack_of_one_frame(self):
        fragment = read(
            """
            Program received signal SIGFPE, Arithmetic exception.
            [Switching to Thread 0x7ffff7d8a740 (LWP 9)]
            0x0000000000000001 in divide (a=1, b=0)
                at a.c:1
            """
        )
        (thread,) = fragment.threads
        assert thread.crashed
        assert frames(thread) == [(0, "divide", "a.c", 1, 3)]

    def test_bt_before_thread_apply_all(self):
        fragment = read(
            HEAD
            + """
#0  0x1 in f () at a.c:1
[Current thread is 1 (Thread 0x7f (LWP 11))]
#0  0x1 in f () at a.c:1
#1  0x2 in main () at a.c:9
Thread 2 (Thread 0x7e (LWP 12)):
#0  0x3 in wait () at w.c:1
Thread 1 (Thread 0x7f (LWP 11)):
#0  0x1 in f () at a.c:1
#1  0x2 in main () at a.c:9
"""
        )
        assert [(t.id, t.tid, t.crashed, len(t.frames)) for t in fragment.threads] == [
            ("1", 11, True, 2), ("2", 12, False, 1),
        ]  # fmt: skip

    def test_bt_of_one_of_two_threads_with_the_same_stack(self):
        stack = "#0  0x1 in wait () at w.c:1\n#1  0x2 in main () at w.c:2\n"
        threads = read(f"{stack}Thread 1 (LWP 1):\n{stack}Thread 2 (LWP 2):\n{stack}").threads
        assert [t.id for t in threads] == ["1", "2"]

    def test_threads_of_a_pool_with_one_stack_stay_apart(self):
        text = "\n".join(
            f"Thread {n} (LWP {n}):\n#0  0x1 in wait () at w.c:1\n#1  0x2 in loop () at w.c:2"
            for n in range(1, 200)
        )
        assert len(read(text).threads) == 199

    def test_two_crashes_are_two_stacks(self):
        fragment = read(
            "#0  f () at a.c:1\n#1  main () at a.c:2\n#0  g () at a.c:1\n#1  main () at a.c:2"
        )
        assert [t.frames[0].function for t in fragment.threads] == ["f", "g"]


class TestSignals:
    @pytest.mark.parametrize(
        "line",
        [
            "Program received signal SIGINT, Interrupt.",
            "Program received signal SIGTRAP, Trace/breakpoint trap.",
            'Thread 3 "x" received signal SIG34, Real-time event 34.',
        ],
    )
    def test_of_the_debugger_and_of_threads_are_no_crash(self, line: str):
        assert read(line + "\n0x1 in f () at a.c:1").signal is None

    @pytest.mark.parametrize(
        ("line", "name", "number"),
        [
            ("Program terminated with signal SIGABRT, Aborted.", "SIGABRT", 6),
            ("Program terminated with signal SIGKILL, Killed.", "SIGKILL", 9),
            ("Program terminated with signal 31, Bad system call.", "SIGSYS", 31),
            ("Program received signal SIGBUS, Bus error.", "SIGBUS", 7),
            (
                "Program received signal EXC_BAD_ACCESS, Could not access memory.",
                "EXC_BAD_ACCESS",
                None,
            ),
        ],
    )
    def test_crashes(self, line: str, name: str, number: int | None):
        signal = read(line).signal
        assert (signal.name, signal.number, signal.at.line) == (name, number, 1)

    @pytest.mark.parametrize(
        ("line", "name"),
        [
            ("Programm empfing Signal SIGSEGV, Speicherzugriffsfehler.", "SIGSEGV"),
            ("程序收到信号 SIGSEGV, Segmentation fault.", "SIGSEGV"),
            ("程序被信号 SIGKILL 终止", "SIGKILL"),
            ("Le programme a reçu le signal SIGFPE, Exception.", "SIGFPE"),
            ("Программа получила сигнал SIGABRT, Аварийный останов.", "SIGABRT"),
            ('Thread 2 "x" 收到信号 SIGBUS, 总线错误。', "SIGBUS"),
            ("reason: claw_inference killed by SIGILL", "SIGILL"),
        ],
    )
    def test_in_other_words(self, line: str, name: str):
        assert FORMAT.opens.match(line)
        signal = read(line + "\n#0  0x1234 in f () at a.c:1").signal
        assert (signal.name, signal.at.line) == (name, 1)

    @pytest.mark.parametrize(
        "line",
        [
            "received signal SIGTERM, shutting down",
            "the worker got a signal: SIGSEGV, see above",
            "[ERROR] signal SIGSEGV (11) in worker",
            "Signal: 11",
        ],
    )
    def test_in_prose_are_not_gdb_s(self, line: str):
        assert read(line + "\n#0  0x1234 in f () at a.c:1").signal is None

    def test_of_a_report_by_apport(self):
        fragment = read(
            """
            ProblemType: Crash
            Signal: 11
            SourcePackage: claw
            Stacktrace:
             #0  0x00007f92e1 in f (a=0x1) at f.c:3
                     n = 3
             #1  0x00007f92e2 in ?? () from /usr/lib/libx.so.0
             No symbol table info available.
            """
        )
        assert fragment.signal.name == "SIGSEGV"
        assert frames(fragment.threads[0]) == [
            (0, "f", "f.c", 3, 5), (1, None, "/usr/lib/libx.so.0", None, 7),
        ]  # fmt: skip

    def test_of_an_old_gdb_is_what_its_words_say(self):
        for line, name in [
            ("Program terminated with signal 11, Segmentation fault.", "SIGSEGV"),
            ("Program terminated with signal 10, Bus error.", "SIGBUS"),
            ("Program terminated with signal 77, Something.", "SIG77"),
        ]:
            assert read(line).signal.name == name

    @pytest.mark.parametrize(
        "info",
        [
            "$1 = {si_signo = 11, si_errno = 0, si_code = 1, _sigfault = {si_addr = 0x18}}",
            "$1 = {\n  si_signo = 11,\n  si_errno = 0,\n  si_code = 1,\n    si_addr = 0x18,",
        ],
    )
    def test_information(self, info: str):
        signal = read(HEAD + "(gdb) p $_siginfo\n" + info).signal
        assert (signal.name, signal.code, signal.fault_address, signal.at.line) == (
            "SIGSEGV", "SEGV_MAPERR", "0x18", 1,
        )  # fmt: skip

    def test_core_of_another_program_is_said(self):
        fragment = read("warning: core file may not match specified executable file.\n#0  f ()")
        assert [(w.code, w.at.line) for w in fragment.warnings] == [("binary-mismatch", 1)]


class TestGpu:
    def test_kernel_with_template_and_launch(self):
        (thread,) = read(
            "#0  0x1 in remap_kernel<float, 2><<<(4,1,1),(128,1,1)>>> (n=1) at b.cu:20"
        ).threads
        (frame,) = thread.frames
        assert thread.kind is ThreadKind.GPU
        assert (frame.function, frame.launch) == (
            "remap_kernel<float, 2>",
            "<<<(4,1,1),(128,1,1)>>>",
        )

    def test_gpu_stack_is_the_crashed_one(self):
        fragment = read(
            """
            CUDA Exception: Warp Illegal Address
            The exception was triggered at PC 0x10
            Thread 1 "x" received signal CUDA_EXCEPTION_14, Warp Illegal Address.
            [Switching focus to CUDA kernel 0, grid 1, block (8,0,0), thread (24,0,0), device 0]
            #0  0x10 in kernel<<<(1,1,1),(1,1,1)>>> () at b.cu:20
            Thread 1 (LWP 7):
            #0  0x2 in cudaStreamSynchronize ()
            """
        )
        assert [(t.kind, t.crashed) for t in fragment.threads] == [
            (ThreadKind.GPU, True), (ThreadKind.HOST, False),
        ]  # fmt: skip
        (error,) = fragment.errors
        assert (error.code, error.message, error.at.line) == (14, "Warp Illegal Address", 3)
        assert fragment.signal is None

    def test_function_inside_a_kernel(self):
        (thread,) = read(
            """
            CUDA Exception: Warp Illegal Address
            The exception was triggered at PC 0x10  store(int*) [clone kernel<int>(int*)]  (b.cu:26)
            #0  0x20 in kernel<<<(1,1,1),(1,1,1)>>> () at b.cu:36
            """
        ).threads
        assert [(f.index, f.function, f.inlined) for f in thread.frames] == [
            (0, "store(int*)", False), (1, "kernel", False),
        ]  # fmt: skip

    def test_function_that_was_inlined(self):
        (thread,) = read(
            """
            [Current focus set to CUDA kernel 0, grid 7, block (2,0,1), thread (3,0,0), device 1, sm 4, warp 5, lane 6]
            CUDA Exception: Warp Illegal Address
            The exception was triggered at PC 0x10  kernel(int*)  (b.cuh:26 in _Z5storePi inlined from b.cu:9)
            #0  0x20 in kernel<<<(1,1,1),(1,1,1)>>> () at c.h:36 in _Z4waitv inlined from d.h:5
            """  # noqa: E501
        ).threads
        assert [(f.function, f.file, f.line, f.inlined) for f in thread.frames] == [
            ("_Z5storePi", "b.cuh", 26, True), ("kernel", "c.h", 36, False),
        ]  # fmt: skip
        assert thread.lanes == Lanes(
            device=1, sm=4, warp=5, lane=6, grid=7, block="(2,0,1)", thread="(3,0,0)"
        )

    def test_function_without_lines(self):
        (thread,) = read(
            """
            CUDA Exception: Warp Illegal Address
            The exception was triggered at PC 0x10  store(int*) [clone kernel(int*)]
            #0  0x20 in block (int*) [clone kernel(int*)] ()
            #1  0x30 in kernel<<<(1,1,1),(1,1,1)>>> ()
            """
        ).threads
        assert [f.address for f in thread.frames] == ["0x10", "0x20", "0x30"]
        assert {f.kind for f in thread.frames} == {FrameKind.GPU}

    def test_a_debugger_that_failed_after_the_exception(self):
        (thread,) = read(
            """
            CUDA Exception: Warp Illegal Address
            The exception was triggered at PC 0x10  plain(int*)  (b.cu:26)
            terminate called after throwing an instance of 'std::out_of_range'
            """
        ).threads
        assert (thread.kind, thread.frames[0].line) == (ThreadKind.GPU, 26)

    def test_the_function_ran_on_after_the_exception(self):
        (thread,) = read(
            """
            CUDA Exception: Warp Illegal Address
            The exception was triggered at PC 0x10  void kernel<int>(int*)  (b.cu:26)
            #0  kernel<int><<<(1,1,1),(1,1,1)>>> () at b.cu:36
            """
        ).threads
        (frame,) = thread.frames
        assert (frame.address, frame.line, frame.launch) == ("0x10", 26, "<<<(1,1,1),(1,1,1)>>>")

    def test_exception_in_the_frame_that_bt_shows_is_not_put_on_top_twice(self):
        (thread,) = read(
            """
            CUDA Exception: Warp Illegal Address
            The exception was triggered at PC 0x10  kernel  (b.cu:36)
            #0  0x20 in kernel<<<(1,1,1),(1,1,1)>>> () at b.cu:36
            """
        ).threads
        assert len(thread.frames) == 1

    @pytest.mark.parametrize(
        ("text", "code"),
        [("Lane User Stack Overflow", 2), ("Warp Assert", 12), ("Something New", None)],
    )
    def test_exception_without_its_number(self, text: str, code: int | None):
        (error,) = read(f"CUDA Exception: {text}\nThe exception was triggered at PC 0x10").errors
        assert (error.api, error.code, error.message) == ("cuda-exception", code, text)

    def test_stop_without_a_stack_trace(self):
        fragment = read(
            """
            CUDA Exception: Warp Out-of-range Address

            Program received signal CUDA_EXCEPTION_5, Warp Out-of-range Address.
            [Switching focus to CUDA kernel 6, grid 11, block (0,0,0), thread (0,6,0), device 0]
            0x0000000000c8c6a0 in void scale<float>(State&)<<<(80,64,1),(16,16,1)>>> ()
            """
        )
        (thread,) = fragment.threads
        assert (thread.kind, thread.crashed) == (ThreadKind.GPU, True)
        (frame,) = thread.frames
        assert (frame.function, frame.launch, frame.at.line) == (
            "void scale<float>(State&)", "<<<(80,64,1),(16,16,1)>>>", 5,
        )  # fmt: skip
        assert [e.code for e in fragment.errors] == [5]

    def test_place_without_a_function(self):
        (error,) = read(
            "CUDA Exception: Warp Invalid Address Space\n"
            "The exception was triggered at PC 0x5ff3bb8 (enz.jl:14)"
        ).errors
        assert (error.code, error.file, error.line) == (7, "enz.jl", 14)

    def test_words_alone(self):
        (error,) = read("CUDA Exception: Warp Illegal Address\nsome_kernel\n<<<(4,8,1)>>>").errors
        assert (error.code, error.at.line) == (14, 1)

    def test_tables(self):
        fragment = read(
            """
              Kernel Parent Dev Grid Status   SMs Mask GridDim  BlockDim Invocation
            *      0      -   0    1 Active 0x0550 (4,1,1) (128,1,1) remap<float, 0>(dst=0x10, n=8)
              Dev PCI Bus/Dev ID        Name Description SM Type SMs Warps/SM
            *   0        00:06.0 NVIDIA H200   GH100GL-A   sm_90 132       64
              Ln  State         PC         ThreadIdx       Exception
            Device 0 SM 124 Warp 0
            *  0 active 0x00007fdc577a1710   (0,0,0) Warp Illegal Address
               1 active 0x00007fdc577a1710   (1,0,0) Warp Illegal Address
            """
        )
        (gpu,) = fragment.environment.gpus
        assert (gpu.name, gpu.compute_capability) == ("NVIDIA H200", "9.0")
        (error,) = fragment.errors
        assert (error.code, error.at.line) == (14, 7)
        (thread,) = fragment.threads
        (frame,) = thread.frames
        assert (frame.function, frame.launch, frame.at.line) == (
            "remap<float, 0>", "<<<(4,1,1),(128,1,1)>>>", 2,
        )  # fmt: skip

    def test_core_dump_that_is_being_written(self):
        fragment = read(
            """
            [09:16:28.12] coredump: Detected an exception of type CUDBG_EXCEPTION_WARP_ASSERT (12)
            [09:16:28.121656] coredump:   - Device: 0
            [09:16:28.122417] coredump: Stack trace (lane masks: active 0x00FF, valid 0x00FF):
            [09:16:28.122436] coredump:   #0\t0x7f08177ac300\t_Z12remap_kernelPh
            """
        )
        (error,) = fragment.errors
        assert (error.code, error.name, error.at.line) == (12, "CUDA_EXCEPTION_12", 1)
        (thread,) = fragment.threads
        assert thread.kind is ThreadKind.GPU
        assert [(f.function, f.address, f.at.line) for f in thread.frames] == [
            ("_Z12remap_kernelPh", "0x7f08177ac300", 4),
        ]  # fmt: skip

    def test_wave_of_an_amd_gpu(self):
        fragment = read(
            """
            Thread 6 "fee" received signal SIGBUS, Bus error.
            [Switching to thread 6, lane 0 (AMDGPU Lane 1:1:1:1/0 (0,0,0)[0,0,0])]
            0x00007fffed2b8b18 in scale (out=0x1) at scale.cu:7
            #0  0x00007fffed2b8b18 in scale (out=0x1) at scale.cu:7
            #1  0x00007fffed2b8b19 in kern () at scale.cu:9
            [Switching to thread 1 (Thread 0x7fffed309180 (LWP 145680))]
            #0  0x00007fffed4996a2 in ?? () from /opt/rocm/libhsa-runtime64.so.1
            """
        )
        assert [(t.id, t.kind, t.crashed, len(t.frames)) for t in fragment.threads] == [
            ("6", ThreadKind.GPU, True, 2), ("1", ThreadKind.HOST, False, 1),
        ]  # fmt: skip
        assert fragment.signal.name == "SIGBUS"

    def test_assertion_is_one_on_the_device_only_in_its_focus(self):
        focus = (
            "[Current focus set to CUDA kernel 0, grid 3, block (0,0,0), thread (32,0,0), device 0,"
            " sm 124, warp 1, lane 0]\n"
        )
        assert read("Assertion failed.\n#0  f ()").errors == ()
        (error,) = read(focus + "\nAssertion failed.\n#0  f ()").errors
        assert (error.code, error.at.line) == (12, 3)


# ---- one crash in every form -------------------------------------------------------------------

RECORDINGS = Path(__file__).resolve().parents[3] / "fixtures" / "recordings" / "gdb"


@pytest.mark.parametrize("name", ["mi.txt", "terminal.typescript"])
def test_one_crash_is_the_same_in_every_form(name: str):
    def crashed(file: str) -> Crash:
        data = (RECORDINGS / file).read_bytes()
        return read_text(data.decode(), ReadOptions()).crash

    def parts(crash: Crash) -> list[tuple[object, ...]]:
        (thread,) = [t for t in crash.threads if t.crashed]
        return [(f.index, f.function, f.file, f.line) for f in thread.frames]

    session, other = crashed("session.txt"), crashed(name)
    assert parts(other) == parts(session)
    assert len(parts(session)) == 7
    assert [(t.id, len(t.frames)) for t in session.threads] == [("1", 7), ("2", 15)]
    assert other.signal.name == session.signal.name == "SIGSEGV"
    assert (session.signal.code, session.signal.fault_address) == ("SEGV_MAPERR", "0xc")


@pytest.mark.parametrize("name", ["session.txt", "mi.txt"])
def test_of_a_text_that_is_cut_off_anywhere_nothing_is_made_up(name: str):
    text = (RECORDINGS / name).read_text()

    def all_frames(text: str) -> list[Frame]:
        lines = tuple(Line(n, line) for n, line in enumerate(text.split("\n"), 1))
        return [f for t in FORMAT.read(Region(lines)).threads for f in t.frames]

    whole = all_frames(text)
    functions, files = {f.function or "" for f in whole}, {f.file for f in whole}
    for end in range(0, len(text), 97):
        for frame in all_frames(text[:end]):
            name = frame.function or ""
            assert name in functions or any(f.startswith(f"{name}(") for f in functions)
            assert frame.file is None or frame.file in files


# ---- what gdb prints is read back --------------------------------------------------------------

_WORD = st.from_regex(r"[a-z_][a-z0-9_]{0,6}", fullmatch=True)
_TYPES = st.sampled_from(
    ["int", "float const*", "std::pair<int, char>", "void (*)(int)", "ns::{lambda(int)#1}", "2ul"]
)
_TEMPLATES = st.one_of(
    st.just(""), st.lists(_TYPES, min_size=1, max_size=2).map(lambda t: f"<{', '.join(t)} >")
)
_PARTS = st.one_of(
    st.tuples(_WORD, _TEMPLATES).map("".join),
    st.just("(anonymous namespace)"),
    st.just("{lambda(int, char)#2}"),
)
_LAST = st.one_of(
    st.tuples(_WORD, _TEMPLATES).map("".join),
    st.sampled_from(
        ["operator()", "operator<<", "operator->", "operator[]", "operator bool", "~a"]
    ),
)
_TAIL = st.sampled_from(
    ["", "", "", "(int)", "(int, a<b>) const", "[abi:cxx11](int)", "(int) [clone .cold]"]
)
FUNCTIONS = st.builds(
    lambda parts, last, tail: "::".join([*parts, last]) + tail,
    st.lists(_PARTS, max_size=2),
    _LAST,
    _TAIL,
)
VALUES = st.sampled_from(
    [
        "1",
        "0x7f",
        "<optimized out>",
        '0x1 "a (b) at c.c:1"',
        "40 '('",
        "...",
        "{x = 1, y = {2}}",
        '"\\""',
    ]
)
ARGUMENTS = st.lists(st.tuples(_WORD, VALUES).map("=".join), max_size=3).map(", ".join)
FILES = st.from_regex(r"(/|\.\./)?[a-z]{1,4}(/[a-z .-]{1,6}[a-z])?\.(c|cpp|cu|h)", fullmatch=True)
FRAMES = st.builds(
    lambda address, function, args, file, line, module: Frame(
        index=0,
        address=f"0x{address:016x}" if address else None,
        function=function,
        args=args,
        file=file if line else None,
        line=line or None,
        module=None if line else module,
    ),
    st.integers(0, 2**64 - 1),
    st.one_of(FUNCTIONS, st.none()),
    ARGUMENTS,
    FILES,
    st.integers(0, 99_999),
    st.sampled_from([None, "/usr/lib/libcuda.so.1", "/opt/a b/lib.so"]),
)
STACKS = st.lists(
    st.lists(FRAMES, min_size=1, max_size=5),
    min_size=1,
    max_size=4,
    unique_by=lambda s: s[0].function,
)


def printed(frame: Frame, index: int, *, wrap: bool) -> str:
    place = ""
    if frame.file:
        place = f"at {frame.file}:{frame.line}"
    elif frame.module:
        place = f"from {frame.module}"
    head = f"#{index:<3}" + (f"{frame.address} in " if frame.address else "")
    args = frame.args or ""
    if wrap:
        args = args.replace(", ", ",\n    ")
    gap = "\n    " if wrap else " "
    return f"{head}{frame.function or '??'} ({args})" + (gap + place if place else "")


@settings(max_examples=100, deadline=None)
@given(STACKS, st.booleans())
@example([[Frame(index=0, function="f", args='a=1, b="x"', file="a b.c", line=1)]], True)
def test_property_what_gdb_prints_is_read_back(stacks: list[list[Frame]], wrap: bool):
    text = HEAD
    for number, stack in enumerate(stacks, 1):
        text += f"\nThread {number} (Thread 0x7f{number} (LWP {100 + number})):\n"
        text += "".join(printed(f, n, wrap=wrap) + "\n" for n, f in enumerate(stack))
    threads = read(text).threads
    assert [(t.id, t.tid) for t in threads] == [
        (str(n), 100 + n) for n in range(1, len(stacks) + 1)
    ]
    lines = text.strip("\n").split("\n")
    for thread, stack in zip(threads, stacks, strict=True):
        assert [
            (f.index, f.address, f.function, f.args, f.file, f.line, f.module)
            for f in thread.frames
        ] == [
            (n, f.address, f.function, f.args, f.file, f.line, f.module)
            for n, f in enumerate(stack)
        ]
        assert all(re.match(rf"#{f.index} ", lines[f.at.line - 1]) for f in thread.frames)
