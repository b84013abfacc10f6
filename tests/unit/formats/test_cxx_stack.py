"""Stacks of backward-cpp, Boost.Stacktrace, std::stacktrace and cpptrace."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from triage.model.crash import Crash
from triage.read import ReadOptions, read_text

CrashOf = Callable[[str], Crash]
TextOf = Callable[[str], str]
SOURCE = "/opt/demo/cxx/crash.cpp"


def read(text: str) -> Crash:
    return read_text(text, ReadOptions()).crash


def stack(crash: Crash, n: int = 0) -> list[tuple[object, ...]]:
    return [(f.index, f.function, f.file, f.line, f.module) for f in crash.threads[n].frames]


class TestRecordings:
    def test_backward_is_turned_around(self, crash_of: CrashOf):
        crash = crash_of("cxx_stack/backward.stderr")
        linker = "/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"
        assert stack(crash) == [
            (0, "store", SOURCE, 27, None),
            (1, "decode", SOURCE, 31, None),
            (2, "operator()", SOURCE, 32, None),
            (3, "main", SOURCE, 57, None),
            (4, "__libc_start_call_main", "../sysdeps/nptl/libc_start_call_main.h", 58, None),
            (5, "__libc_start_main_impl", "../csu/libc-start.c", 360, None),
            (6, "_start", None, None, "/opt/demo/cxx/backward"),
            (7, None, None, None, linker),
        ]
        signal = crash.signal
        assert (signal.name, signal.code, signal.fault_address) == (
            "SIGSEGV", "SEGV_MAPERR", "0x10",
        )  # fmt: skip
        assert [t.crashed for t in crash.threads] == [True]

    def test_boost(self, crash_of: CrashOf):
        module, libc = "./boost-exported", "/lib/x86_64-linux-gnu/libc.so.6"
        name = (
            "llm::Cache<int>::store(int, std::__cxx11::basic_string<char, std::char_traits<char>, "
            "std::allocator<char> >)"
        )
        assert stack(crash_of("cxx_stack/boost-exported.stderr")) == [
            (0, "on_signal", None, None, module),
            (1, None, None, None, libc),
            (2, name, None, None, module),
            (3, "llm::decode(int)", None, None, module),
            (4, "main", None, None, module),
            (5, None, None, None, libc),
            (6, "__libc_start_main", None, None, libc),
            (7, "_start", None, None, module),
        ]

    @pytest.mark.parametrize("name", ["boost-lines", "boost-exported"])
    def test_cut_at_any_line(self, name: str, crash_of: CrashOf, text_of: TextOf):
        lines = text_of(f"cxx_stack/{name}.stderr").split("\n")
        whole = stack(crash_of(f"cxx_stack/{name}.stderr"))
        for end in range(len(lines)):
            crash = read("\n".join(lines[:end]))
            found = stack(crash) if crash.threads else []
            assert found == whole[: len(found)]

    def test_backward_cut_at_any_line(self, text_of: TextOf, crash_of: CrashOf):
        lines = text_of("cxx_stack/backward.stderr").split("\n")
        whole = [row[1:] for row in stack(crash_of("cxx_stack/backward.stderr"))]
        for end in range(len(lines)):
            crash = read("\n".join(lines[:end]))
            found = [row[1:] for row in stack(crash)] if crash.threads else []
            assert found == whole[len(whole) - len(found) :]


class TestForms:
    @pytest.mark.parametrize(
        ("body", "frame"),
        [
            ("f(int) at /a b/x.cpp:12", ("f(int)", "/a b/x.cpp", 12, None, None)),
            ("f at x.cpp:12 [0x401196]", ("f", "x.cpp", 12, None, "0x401196")),
            ("0x000055B7 in ./prog", (None, None, None, "./prog", "0x000055B7")),
            ("a::b in C:\\x\\y.dll", ("a::b", None, None, "C:\\x\\y.dll", None)),
            ("main at C:\\x\\y.cpp:7", ("main", "C:\\x\\y.cpp", 7, None, None)),
            ("     at :0", (None, None, None, None, None)),
        ],
    )
    def test_numbered(self, body: str, frame: tuple[object, ...]):
        (thread,) = read(f" 0# {body}\n 1# main in ./prog\n").threads
        first = thread.frames[0]
        found = first.function, first.file, first.line, first.module, first.address
        assert found == frame
        assert [f.index for f in thread.frames] == [0, 1]

    def test_msvc(self):
        crash = read("0> C:\\d\\x.cpp(12): app!main+0x21\n1> d:\\y.inl(78): app!invoke+0x33\n")
        assert stack(crash) == [
            (0, "main", "C:\\d\\x.cpp", 12, "app"), (1, "invoke", "d:\\y.inl", 78, "app"),
        ]  # fmt: skip

    def test_cpptrace(self):
        crash = read(
            "Stack trace (most recent call first):\n#0 0x00005591 in f(int) at /x/demo.cpp:8:5\n"
            "#1 (inlined)          in g at /x/demo.cpp:16:9\n#2 0x000055a1 at /x/demo\n"
        )
        assert stack(crash) == [
            (0, "f(int)", "/x/demo.cpp", 8, None),
            (1, "g", "/x/demo.cpp", 16, None),
            (2, None, None, None, "/x/demo"),
        ]
        assert [(f.column, f.inlined) for f in crash.threads[0].frames] == [
            (5, False), (9, True), (None, False),
        ]  # fmt: skip

    def test_second_stack_is_apart(self):
        one = " 0# f in ./a\n 1# main in ./a\n"
        crash = read(f"{one}{one}")
        assert [len(t.frames) for t in crash.threads] == [2, 2]

    @pytest.mark.parametrize(
        "text", ["1# the first thing", "Segmentation fault (Address not mapped to object [0x1])x"]
    )
    def test_no_stack(self, text: str):
        assert read(text).threads == ()
