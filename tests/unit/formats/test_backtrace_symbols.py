"""Stacks of backtrace_symbols, and the handlers that print them."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from triage.model.crash import Crash
from triage.read import ReadOptions, read_text

CrashOf = Callable[[str], Crash]
TextOf = Callable[[str], str]
NAMES = ["glibc-exported", "glibc-plain", "open-mpi", "open-mpi-abort"]


def read(text: str) -> Crash:
    return read_text(text, ReadOptions()).crash


def stack(crash: Crash, n: int = 0) -> list[tuple[int, str | None, str | None]]:
    return [(f.index, f.function, f.module) for f in crash.threads[n].frames]


class TestRecordings:
    @pytest.mark.parametrize("name", NAMES)
    def test_every_frame(self, name: str, crash_of: CrashOf, text_of: TextOf):
        printed = re.findall(
            r"^(?:\[\S+\] \[ \d\] )?(\S+)\((.*)\+(0x\w+)\)\[(0x\w+)\]$",
            text_of(f"backtrace_symbols/{name}.stderr"),
            re.MULTILINE,
        )
        (thread,) = crash_of(f"backtrace_symbols/{name}.stderr").threads
        assert [(f.module, f.function or "", f.offset, f.address) for f in thread.frames] == printed
        assert [f.index for f in thread.frames] == list(range(len(printed)))
        assert thread.crashed

    @pytest.mark.parametrize(
        ("name", "signal"),
        [
            ("glibc-exported", ("SIGSEGV", None, None, 1)),
            ("open-mpi", ("SIGSEGV", "SEGV_MAPERR", "0x10", 2)),
            ("open-mpi-abort", ("SIGABRT", "SI_TKILL", None, 2)),
        ],
    )
    def test_signal(self, name: str, signal: tuple[object, ...], crash_of: CrashOf):
        found = crash_of(f"backtrace_symbols/{name}.stderr").signal
        assert (found.name, found.code, found.fault_address, found.at.line) == signal

    @pytest.mark.parametrize("name", NAMES)
    def test_cut_at_any_line(self, name: str, crash_of: CrashOf, text_of: TextOf):
        lines = text_of(f"backtrace_symbols/{name}.stderr").split("\n")
        whole = stack(crash_of(f"backtrace_symbols/{name}.stderr"))
        for end in range(len(lines)):
            crash = read("\n".join(lines[:end]))
            found = stack(crash) if crash.threads else []
            assert found == whole[: len(found)]


class TestForms:
    @pytest.mark.parametrize(
        ("line", "frame"),
        [
            ("/lib/libc.so.6(abort+0x12a)[0x7f00]", ("abort", "/lib/libc.so.6")),
            ("/lib/libc.so.6(abort+0x12a) [0x7f00]", ("abort", "/lib/libc.so.6")),
            ("./my prog(f(int, char*)+0x1)[0x4000]", ("f(int, char*)", "./my prog")),
            ("./prog(+0x1234) [0x4000]", (None, "./prog")),
            ("./prog(f-0x12) [0x4000]", ("f", "./prog")),
            ("<home>/x@1.node(+0x12)[0x4000]", (None, "<home>/x@1.node")),
            ("  [bt] (0) /a/libx.so(a::b<int>()+0x2a) [0x4000]", ("a::b<int>()", "/a/libx.so")),
            (" 1: (gsignal()+0x38) [0x4000]", ("gsignal()", None)),
            (" 1: (()+0x9f8a) [0x4000]", (None, None)),
            ("0x401234 <main+0x1d> at /usr/bin/prog", ("main", "/usr/bin/prog")),
        ],
    )
    def test_frame(self, line: str, frame: tuple[str | None, str | None]):
        (thread,) = read(f"before\n{line}\nafter").threads
        assert [(f.function, f.module) for f in thread.frames] == [frame]

    def test_frames_of_which_little_is_known(self):
        crash = read(
            "PID 8 received SIGSEGV for address: 0x1fc\n/a/segfault-handler.node(+0x1b60)[0x7f29]\n"
            "node[0xa1c7fe]\n[0x7f00aa]\nnode(_ZN2v8E+0x16)[0xcb0a26]\npure words[0x1]"
        )
        assert stack(crash) == [
            (0, None, "/a/segfault-handler.node"),
            (1, None, "node"),
            (2, None, None),
            (3, "_ZN2v8E", "node"),
        ]
        assert (crash.signal.name, crash.signal.fault_address) == ("SIGSEGV", "0x1fc")

    def test_processes_that_write_over_each_other(self):
        crash = read(
            "[a:1] *** Process received signal ***\n[a:1] Signal: Segmentation fault (11)\n"
            "[a:1] Failing at address: (nil)\n"
            "[a:1] [ 0] /l(f+0x1)[0x10]\n[a:2] [ 0] /l(f+0x1)[0x20]\n[a:1] [ 1] /l(g+0x1)[0x11]\n"
            "[a:2] [ 1] /l(h+0x1)[0x21]\n[a:1] *** End of error message ***\n"
        )
        assert [stack(crash, n) for n in (0, 1)] == [
            [(0, "f", "/l"), (1, "g", "/l")],
            [(0, "f", "/l"), (1, "h", "/l")],
        ]
        assert crash.signal.fault_address == "0x0"

    def test_catchsegv(self):
        crash = read(
            "*** Segmentation fault\nRegister dump:\n\n RAX: 0000000000000000\n"
            " Trap: 0000000e   Error: 00000004   OldMask: 00000000   CR2: 00000018\n\n"
            "Backtrace:\n./x(f+0x4)[0x401136]\n\nMemory map:\n\n00400000-00401000 r--p 00000000 x\n"
        )
        assert (crash.signal.name, crash.signal.fault_address) == ("SIGSEGV", "0x18")
        assert stack(crash) == [(0, "f", "./x")]

    def test_old_glibc(self):
        crash = read(
            "*** Error in `./x': double free or corruption (!prev): 0x0000000001 ***\n"
            "======= Backtrace: =========\n/lib64/libc.so.6(+0x81429)[0x7f5]\n./x[0x400586]\n"
            "======= Memory map: ========\n00400000-00401000 r-xp 00000000 08:01 1 ./x(y+0x1)\n"
        )
        assert stack(crash) == [(0, None, "/lib64/libc.so.6"), (1, None, "./x")]
        assert [e.api for e in crash.errors] == ["libc"]

    def test_mpich(self):
        crash = read(
            "=   BAD TERMINATION OF ONE OF YOUR APPLICATION PROCESSES\n"
            "YOUR APPLICATION TERMINATED WITH THE EXIT STRING: Segmentation fault (signal 11)\n"
        )
        assert crash.signal.name == "SIGSEGV"

    def test_words_of_a_handler_count_with_a_stack_alone(self):
        assert read("*** Caught signal (Aborted) **\nin thread 7f\n").signal is None
        crash = read("*** Caught signal (Aborted) **\n in thread 7f\n 1: (a()+0x38) [0x7f00]\n")
        assert crash.signal.name == "SIGABRT"

    @pytest.mark.parametrize(
        "text",
        [
            "buffer[0x10]",
            "f(x+0x10) [see 0x10]",
            "ratio (a+0x) [0x]",
            "0x401234 <main+0x1d>: mov eax, 1",
            "got signal 15 at node n3",
        ],
    )
    def test_no_stack(self, text: str):
        crash = read(text)
        assert (crash.threads, crash.signal) == ((), None)
