"""Reports of the sanitizers, of libFuzzer and of GWP-ASan: recorded ones, and forms of others."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from triage.formats.sanitizer import FORMAT
from triage.model.crash import Crash
from triage.model.stack import Thread, Trust
from triage.read import ReadOptions, read_text

FAULTS = "/opt/faults/faults.c"
RECORDINGS = Path(__file__).parents[3] / "fixtures" / "recordings" / "sanitizer"


def read(text: str) -> Crash:
    return read_text(textwrap.dedent(text).strip("\n"), ReadOptions()).crash


def recorded(name: str) -> str:
    return (RECORDINGS / f"{name}.txt").read_text()


def top(thread: Thread, count: int = 2) -> list[tuple[object, ...]]:
    return [(f.function, f.file, f.line) for f in thread.frames[:count]]


class TestRecordings:
    @pytest.mark.parametrize(
        ("name", "tool", "message", "signal", "frames", "sizes"),
        [
            ("gcc-write", "AddressSanitizer", "heap-buffer-overflow on address",
             None, [("store", FAULTS, 14), ("main", FAULTS, 39)], [5, 3]),
            ("gcc-freed", "AddressSanitizer", "heap-use-after-free on address",
             None, [("sum", FAULTS, 18), ("main", FAULTS, 41)], [5, 3, 3]),
            ("gcc-twice", "AddressSanitizer", "attempting double-free on",
             None, None, [5, 3, 3]),
            ("gcc-null", "AddressSanitizer", "SEGV on unknown address 0x000000000008",
             ("SIGSEGV", "0x000000000008"), [("store", FAULTS, 14), ("main", FAULTS, 43)],
             [5]),
            ("gcc-abort", "AddressSanitizer", "ABRT on unknown address", ("SIGABRT", None),
             [("__pthread_kill_implementation", "nptl/pthread_kill.c", 44),
              ("__GI_raise", "../sysdeps/posix/raise.c", 26)], [7]),
            ("gcc-tsan-null", "ThreadSanitizer", "SEGV on unknown address 0x000000000008",
             ("SIGSEGV", "0x000000000008"), [("store", FAULTS, 14), ("main", FAULTS, 43)],
             [5]),
            ("gcc-race", "ThreadSanitizer", "data race", None, [("main", FAULTS, 53)],
             [1, 1, 2]),
            ("gcc-leak", "LeakSanitizer", "detected memory leaks", None, None, [3]),
            ("gcc-shift", "UndefinedBehaviorSanitizer", "shift exponent 64 is too large", None,
             [("main", FAULTS, 49)], [4]),
            ("clang-write", "AddressSanitizer", "heap-buffer-overflow on address", None,
             [("store", FAULTS, 14), ("main", FAULTS, 39)], [5, 3]),
            ("clang-unsymbolized", "AddressSanitizer", "heap-buffer-overflow on address", None,
             [(None, None, None), (None, None, None)], [5, 3]),
            ("clang-uninit", "MemorySanitizer", "use-of-uninitialized-value", None,
             [("main", FAULTS, 40)], [4, 2]),
            ("clang-minimal", "UndefinedBehaviorSanitizer", "shift-out-of-bounds", None, None, []),
            ("fuzz-a11", "libFuzzer", "deadly signal", None, None, [15]),
            ("fuzz-w11", "libFuzzer", "timeout after 1 seconds", None, None, None),
            ("fuzz-e11", "libFuzzer", "fuzz target exited", None, None, None),
        ],
    )  # fmt: skip
    def test_report(
        self,
        name: str,
        tool: str,
        message: str,
        signal: tuple[str, str | None] | None,
        frames: list[tuple[object, ...]] | None,
        sizes: list[int] | None,
    ):
        crash = read(recorded(name))
        (error,) = crash.errors
        assert (error.api, error.name) == ("sanitizer", tool)
        assert error.message.startswith(message)
        found = crash.signal and (crash.signal.name, crash.signal.fault_address)
        assert found == signal
        if sizes is not None:
            assert [len(t.frames) for t in crash.threads] == sizes
        if crash.threads:
            assert [t.crashed for t in crash.threads] == [True, *[False] * (len(crash.threads) - 1)]
        if frames is not None:
            assert top(crash.threads[0], len(frames)) == frames

    def test_stacks_say_what_they_are(self):
        assert [(t.id, t.name) for t in read(recorded("gcc-freed")).threads] == [
            ("T0", None), ("T0", "freed by thread T0"), ("T0", "previously allocated by thread T0"),
        ]  # fmt: skip
        assert [t.id for t in read(recorded("gcc-race")).threads] == ["main", "T1", "T1"]
        assert [t.name for t in read(recorded("clang-uninit")).threads] == [
            None, "Uninitialized value was created by a heap allocation",
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("name", "end"),
        [
            ("gcc-write", "; WRITE of size 4"), ("gcc-freed", "; READ of size 4"),
            ("gcc-null", "; WRITE memory access"), ("gcc-race", "; Read of size 4"),
        ],
    )  # fmt: skip
    def test_access(self, name: str, end: str):
        assert read(recorded(name)).errors[0].message.endswith(end)

    def test_stack_overflow_keeps_every_frame(self):
        crash = read(recorded("gcc-deep"))
        assert (crash.signal.name, crash.errors[0].message[:14]) == ("SIGSEGV", "stack-overflow")
        (thread,) = crash.threads
        assert [f.index for f in thread.frames] == list(range(len(thread.frames)))
        assert {f.function for f in thread.frames[:60]} == {"deep"}

    def test_signal_behind_a_runtime_error_is_the_crash(self):
        crash = read(recorded("gcc-divide"))
        assert [e.message.split(" on ")[0] for e in crash.errors] == ["division by zero", "FPE"]
        assert crash.signal.name == "SIGFPE"
        assert [t.crashed for t in crash.threads] == [False, True]

    def test_modules_and_trust(self):
        frames = read(recorded("clang-unsymbolized")).threads[0].frames
        assert {f.trust for f in frames} == {Trust.ADDRESS_ONLY}
        assert frames[0].module == "/opt/faults/casan"
        assert all(f.offset and f.address for f in frames)

    @pytest.mark.parametrize("path", sorted(RECORDINGS.glob("*.txt")), ids=lambda p: p.stem)
    def test_cut_off_at_any_line(self, path: Path):
        lines = path.read_text().splitlines()
        whole = read("\n".join(lines))
        for count in range(len(lines)):
            crash = read("\n".join(lines[:count]))
            assert len(crash.threads) <= len(whole.threads)
            for cut, full in zip(crash.threads, whole.threads, strict=False):
                assert [f.function for f in cut.frames] == [
                    f.function for f in full.frames[: len(cut.frames)]
                ]

    @pytest.mark.parametrize("path", sorted(RECORDINGS.glob("*.txt")), ids=lambda p: p.stem)
    def test_lines_that_open_a_region_have_an_anchor(self, path: Path):
        opening = [ln for ln in path.read_text().splitlines() if FORMAT.opens.match(ln)]
        assert opening
        assert all(any(a in ln for a in FORMAT.anchors) for ln in opening)


class TestHeadings:
    @pytest.mark.parametrize(
        ("line", "name", "message"),
        [
            ("==7==ERROR: AddressSanitizer: x y", "AddressSanitizer", "x y"),
            ("==7== ERROR: AddressSanitizer: x", "AddressSanitizer", "x"),
            ("E/libfoo (  93): ==7==ERROR: HWAddressSanitizer: x", "HWAddressSanitizer", "x"),
            ("==7==WARNING: MemorySanitizer: x", "MemorySanitizer", "x"),
            ("WARNING: ThreadSanitizer: data race (pid=7)", "ThreadSanitizer", "data race (pid=7)"),
            ("FATAL: ThreadSanitizer: unexpected memory mapping", "ThreadSanitizer",
             "unexpected memory mapping"),
            ("==7== ERROR: libFuzzer: out-of-memory (malloc(2147483649))", "libFuzzer",
             "out-of-memory (malloc(2147483649))"),
            ("==7==ERROR: AddressSanitizer failed to allocate 0x8000 bytes", "AddressSanitizer",
             "failed to allocate 0x8000 bytes"),
            ("==7==AddressSanitizer CHECK failed: a.cc:1 \"x\" (0, 1)", "AddressSanitizer",
             "CHECK failed: a.cc:1 \"x\" (0, 1)"),
            ("Sanitizer CHECK failed: a.cc:1 x (0)", "Sanitizer", "CHECK failed: a.cc:1 x (0)"),
            ("AddressSanitizer: nested bug in the same thread, aborting.", "AddressSanitizer",
             "nested bug in the same thread, aborting."),
            ("ubsan: add-overflow by 0x000000401234", "UndefinedBehaviorSanitizer", "add-overflow"),
            ("SUMMARY: AddressSanitizer: stack-overflow (/a+0x1) in f", "AddressSanitizer",
             "stack-overflow (/a+0x1) in f"),
        ],
    )  # fmt: skip
    def test_error(self, line: str, name: str, message: str):
        (error,) = read(line).errors
        assert (error.api, error.name, error.message) == ("sanitizer", name, message)

    @pytest.mark.parametrize(
        ("line", "place"),
        [
            ("../a.cpp:12:3: runtime error: x", ("../a.cpp", 12)),
            ("C:\\src\\a.cpp:12:3: runtime error: x", ("C:\\src\\a.cpp", 12)),
            ("C:\\src\\a.cpp(12,3): runtime error: x", ("C:\\src\\a.cpp", 12)),
            ("a.cpp:12: runtime error: x", ("a.cpp", 12)),
        ],
    )
    def test_runtime_error(self, line: str, place: tuple[str, int]):
        (error,) = read(line).errors
        assert (error.name, error.message) == ("UndefinedBehaviorSanitizer", "x")
        assert (error.file, error.line) == place

    @pytest.mark.parametrize(
        ("words", "signal"),
        [
            ("SEGV on unknown address 0x10 (pc 0x1 T0)", ("SIGSEGV", "0x10")),
            ("SEGV on unknown address (pc 0x1 T0)", ("SIGSEGV", None)),
            ("BUS on unknown address 0x10 (pc 0x1 T0)", ("SIGBUS", "0x10")),
            ("ILL on unknown address 0x10 (pc 0x1 T0)", ("SIGILL", "0x10")),
            ("FPE on unknown address 0x10 (pc 0x1 T0)", ("SIGFPE", "0x10")),
            ("TRAP on unknown address 0x10 (pc 0x1 T0)", ("SIGTRAP", "0x10")),
            ("ABRT on unknown address 0x3e8000041b4 (pc 0x1 T0)", ("SIGABRT", None)),
            ("stack-overflow on address 0x7ffd (pc 0x1 T0)", ("SIGSEGV", "0x7ffd")),
            ("access-violation on unknown address 0x10 (pc 0x1 T0)", None),
            ("heap-buffer-overflow on address 0x10 at pc 0x1", None),
        ],
    )
    def test_signal(self, words: str, signal: tuple[str, str | None] | None):
        found = read(f"==7==ERROR: AddressSanitizer: {words}").signal
        assert (found and (found.name, found.fault_address)) == signal

    @pytest.mark.parametrize(
        "line",
        [
            "==7==WARNING: ASan is ignoring requested __asan_handle_no_return: stack top: 0x7",
            "AddressSanitizer: libc interceptors initialized",
            "built with AddressSanitizer: yes",
            "a runtime error: x",
            "RuntimeError: a.py:12: runtime error",
            "==7==LeakSanitizer has encountered a fatal error.",
            "#0 0x55aa in main () at a.c:12",
            "#12 0x55aa in main (argc=1) from /lib/libx.so",
            "see #0 0x55aa in the list",
        ],
    )
    def test_no_report(self, line: str):
        fragment = read(line)
        assert not [e for e in fragment.errors if e.api == "sanitizer"]


class TestForms:
    def test_gwp_asan(self):
        crash = read(
            """
            *** GWP-ASan detected a memory error ***
            Use After Free at 0x7fec (0 bytes into a 4-byte allocation at 0x7fec) by thread 31 here:
              #0 ./a.out(+0x1234) [0x5558]
              #9 ./a.out(_Z3useP4data+0x12) [0x5559]

            0x7fec was deallocated by thread 31 here:
              #0 ./a.out(free+0x12) [0x5550]
            *** End GWP-ASan report ***
            """
        )
        (error,) = crash.errors
        assert (error.name, error.message.split(" at ")[0]) == ("GWP-ASan", "Use After Free")
        assert [(f.index, f.function, f.module) for f in crash.threads[0].frames] == [
            (0, None, "./a.out"), (9, "_Z3useP4data", "./a.out"),
        ]  # fmt: skip
        assert crash.threads[1].name == "0x7fec was deallocated by thread 31"

    def test_inlined_frames_with_numbers_of_their_own(self):
        crash = read(
            """
            [00021.345] 01234.05678> ==7==ERROR: AddressSanitizer: heap-use-after-free on 0x4
            [00021.345] 01234.05678>    #0    0x4d8b in some::f(int) ../../src/x.cc:12 <app>+0x1d8b
            [00021.345] 01234.05678>    #1.1  0x4d8c in inlined() ../../src/y.cc:1 <app>+0x1d8c
            [00021.345] 01234.05678>    #1    0x4d8c in outer() ../../src/y.cc:7 <app>+0x1d8c
            """
        )
        (thread,) = crash.threads
        assert [(f.index, f.function, f.inlined) for f in thread.frames] == [
            (0, "some::f(int)", False), (1, "inlined()", True), (2, "outer()", False),
        ]  # fmt: skip

    def test_stack_without_a_heading(self):
        crash = read(
            """
            check failed, here is why:
                #0 0x1 in fail(char const*) /src/fail.cc:12:9
                #1 0x2 in main /src/main.cc:40
                #2 0x3  (/lib/libc.so.6+0x123)
            """
        )
        (thread,) = crash.threads
        assert thread.crashed
        assert top(thread, 3) == [
            ("fail(char const*)", "/src/fail.cc", 12), ("main", "/src/main.cc", 40),
            (None, None, None),
        ]  # fmt: skip

    def test_debugger_below_a_report_keeps_its_frames(self):
        crash = read(
            """
            ==7==ERROR: AddressSanitizer: heap-use-after-free on address 0x4 at pc 0x1
                #0 0x1 in f /src/a.c:12:9
            SUMMARY: AddressSanitizer: heap-use-after-free /src/a.c:12:9 in f
            Program received signal SIGABRT, Aborted.
            #0  0x00007f01 in raise () from /lib/libc.so.6
            #1  0x00007f02 in main (argc=1) at a.c:12
            """
        )
        assert [[f.function for f in t.frames] for t in crash.threads] == [["f"], ["raise", "main"]]

    def test_leaks_are_no_crash_where_something_else_failed(self):
        crash = read(
            """
            ==7==ERROR: LeakSanitizer: detected memory leaks
            Direct leak of 7 byte(s) in 1 object(s) allocated from:
                #0 0x1 in malloc (/a+0x1)
            SUMMARY: AddressSanitizer: 7 byte(s) leaked in 1 allocation(s).
            ==7==ERROR: AddressSanitizer: SEGV on unknown address 0x10 (pc 0x1 T3)
                #0 0x2 in f /src/a.c:12:9
            """
        )
        assert [(t.id, t.crashed) for t in crash.threads] == [(None, False), ("T3", True)]

    def test_numbers_in_a_log_are_no_frames(self):
        crash = read(
            """
            ==7==ERROR: AddressSanitizer: heap-use-after-free on address 0x4 at pc 0x1
                #0 0x1 in f /src/a.c:12:9

            see #12 and #13 for more
            #14 is the same
            """
        )
        assert [f.function for f in crash.threads[0].frames] == ["f"]

    def test_progress_of_a_fuzzer_is_no_stack(self):
        lines = ["#2\tINITED cov: 2 ft: 2 corp: 1/1b exec/s: 0 rss: 30Mb"]
        lines += [f"#{n}\tNEW    cov: 3 ft: {n} corp: 2/2b lim: 4 exec/s: 0" for n in range(3, 900)]
        lines += ["#65536\tpulse  cov: 3 ft: 3 corp: 2/2b lim: 4"]
        crash = read("\n".join(lines))
        assert (crash.threads, crash.errors) == ((), ())

    def test_thread_names(self):
        crash = read(
            """
            ==7==ERROR: AddressSanitizer: heap-use-after-free on address 0x4 at pc 0x1
            READ of size 8 at 0x4 thread T12 (worker)
                #0 0x1 in f /src/a.c:12:9
            Thread T12 (worker) created by T0 here:
                #0 0x2 in pthread_create /src/b.c:1:1
            """
        )
        assert [(t.id, t.name) for t in crash.threads] == [
            ("T12", "worker"), ("T12", "Thread T12 (worker) created by T0"),
        ]  # fmt: skip

    @pytest.mark.parametrize("first", [1, 3, 9])
    def test_a_stack_without_its_first_frames_is_still_a_sanitizers(self, first: int):
        crash = read(
            f"""
                #{first} 0x55d0a1b2c400 in load(char const*) /src/load.cpp:99:7
                #{first + 1} 0x55d0a1b2c500 in main (/src/a.out+0x199)
            """
        )
        (thread,) = crash.threads
        assert [(f.index, f.function, f.file, f.line, f.offset) for f in thread.frames] == [
            (first, "load(char const*)", "/src/load.cpp", 99, None),
            (first + 1, "main", None, None, "0x199"),
        ]
