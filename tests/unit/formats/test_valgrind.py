"""Valgrind's reports: recorded ones, and forms of other versions."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from triage.formats.valgrind import FORMAT
from triage.model.crash import Crash
from triage.model.stack import Trust
from triage.read import ReadOptions, read_text

RECORDINGS = Path(__file__).parents[3] / "fixtures" / "recordings" / "valgrind"


def read(text: str) -> Crash:
    return read_text(textwrap.dedent(text).strip("\n"), ReadOptions()).crash


def recorded(name: str) -> Crash:
    return read((RECORDINGS / f"{name}.txt").read_text())


def stacks(crash: Crash) -> list[list[tuple[str | None, int | None]]]:
    return [[(f.function, f.line) for f in t.frames] for t in crash.threads]


class TestRecordings:
    @pytest.mark.parametrize(
        ("name", "errors", "signal", "first"),
        [
            ("write", ["Invalid write of size 4"], None, [("store", 14), ("main", 39)]),
            ("uninit", ["Conditional jump or move depends on uninitialised value(s)"], None,
             [("main", 40)]),
            ("freed",
             ["Invalid read of size 4", "Invalid free() / delete / delete[] / realloc()"], None,
             [("sum", 18), ("main", 41)]),
            ("twice", ["Invalid free() / delete / delete[] / realloc()"], None,
             [("free", None), ("main", 42)]),
            ("null", ["Invalid write of size 4"], ("SIGSEGV", "SEGV_MAPERR", "0x8"),
             [("store", 14), ("main", 43)]),
            ("timed", ["Invalid write of size 4"], ("SIGSEGV", "SEGV_MAPERR", "0x8"),
             [("store", 14), ("main", 43)]),
            ("abort", [], ("SIGABRT", None, None),
             [("__pthread_kill_implementation", 44), ("raise", 26), ("abort", 79), ("main", 45)]),
            ("leak", ["16 bytes in 1 blocks are definitely lost in loss record 1 of 1"], None,
             [("malloc", None), ("main", 38)]),
        ],
    )  # fmt: skip
    def test_report(
        self,
        name: str,
        errors: list[str],
        signal: tuple[str | None, ...] | None,
        first: list[tuple[str | None, int | None]],
    ):
        crash = recorded(name)
        found = [e for e in crash.errors if "lost" not in (e.message or "") or name == "leak"]
        assert [(e.api, e.name, e.message) for e in found] == [
            ("sanitizer", "Memcheck", text) for text in errors
        ]
        got = crash.signal
        assert (got and (got.name, got.code, got.fault_address)) == signal
        assert crash.crashed_thread == 0
        assert stacks(crash)[0] == first

    def test_signals_of_arithmetic_and_of_a_full_stack(self):
        assert (recorded("divide").signal.name, recorded("divide").signal.code) == (
            "SIGFPE", "FPE_INTDIV",
        )  # fmt: skip
        assert recorded("deep").signal.name == "SIGSEGV"
        jump = recorded("jump")
        assert (jump.signal.code, jump.threads[0].frames[0].trust) == (
            "SEGV_ACCERR", Trust.ADDRESS_ONLY,
        )  # fmt: skip

    def test_further_stacks_say_what_they_are(self):
        names = [t.name for t in recorded("freed").threads]
        assert names[0] is None
        assert names[1].endswith("inside a block of size 16 free'd")
        assert names[2] == "Block was alloc'd at"
        assert recorded("uninit").threads[1].name == (
            "Uninitialised value was created by a heap allocation"
        )

    def test_race(self):
        crash = recorded("helgrind")
        assert {e.name for e in crash.errors} == {"Helgrind"}
        thread = crash.threads[crash.crashed_thread]
        assert (thread.id, stacks(crash)[crash.crashed_thread]) == ("1", [("main", 53)])
        assert [t.id for t in crash.threads][:3] == ["2", "1", "2"]
        error = recorded("drd").errors[0]
        assert (error.name, error.message[:20]) == ("DRD", "Conflicting load by ")

    def test_what_stands_in_for_the_program_is_not_blamed(self):
        crash = recorded("twice")
        blamed = crash.blamed_frame
        assert crash.threads[blamed.thread].frames[blamed.frame].function == "main"

    def test_modules(self):
        frame = recorded("write").threads[1].frames[0]
        assert frame.module.startswith("/usr/libexec/valgrind/vgpreload_memcheck")
        assert frame.address == "0x48417B4"

    @pytest.mark.parametrize("path", sorted(RECORDINGS.glob("*.txt")), ids=lambda p: p.stem)
    def test_cut_off_at_any_line(self, path: Path):
        lines = path.read_text().splitlines()
        whole = read("\n".join(lines))
        for count in range(len(lines)):
            crash = read("\n".join(lines[:count]))
            assert len(crash.errors) <= len(whole.errors)
            for cut, full in zip(stacks(crash), stacks(whole), strict=False):
                assert cut == full[: len(cut)]

    @pytest.mark.parametrize("path", sorted(RECORDINGS.glob("*.txt")), ids=lambda p: p.stem)
    def test_lines_that_open_a_region_have_an_anchor(self, path: Path):
        opening = [ln for ln in path.read_text().splitlines() if FORMAT.opens.match(ln)]
        assert opening
        assert all(any(a in ln for a in FORMAT.anchors) for ln in opening)


class TestForms:
    def test_thread_heading(self):
        crash = read(
            """
            ==7== Thread 3 pool-1:
            ==7== Invalid read of size 8
            ==7==    at 0x4C2: operator new(unsigned long) (vg_replace_malloc.c:334)
            ==7==    by 0x10A: std::map<int, A (*)(int)>::at(int const&) const (stl_map.h:541)
            ==7==    by 0x5FF: ??? (in /usr/lib/libx (deleted).so)
            ==7==    by 0x600: ???
            ==7==    by 0x601: start (within /lib/liby.so)
            """
        )
        (thread,) = crash.threads
        assert (thread.id, thread.name, thread.crashed) == ("3", "pool-1", True)
        assert [(f.function, f.file, f.line, f.module) for f in thread.frames] == [
            ("operator new(unsigned long)", "vg_replace_malloc.c", 334, None),
            ("std::map<int, A (*)(int)>::at(int const&) const", "stl_map.h", 541, None),
            (None, None, None, "/usr/lib/libx (deleted).so"),
            (None, None, None, None),
            ("start", None, None, "/lib/liby.so"),
        ]

    def test_output_of_the_program_between_the_lines(self):
        crash = read(
            """
            ==7== Invalid read of size 8
            ==7==    at 0x4C2: f (a.c:1)
            loading 3 of 4
            ==7==    by 0x4C3: main (a.c:9)
            """
        )
        assert stacks(crash) == [[("f", 1), ("main", 9)]]

    def test_valgrind_that_gives_up(self):
        crash = read(
            """
            valgrind: m_mallocfree.c:304 (get_bszB_as_is): Assertion 'bszB_lo == bszB_hi' failed.
            valgrind: Heap block lo/hi size mismatch: lo = 80, hi = 0.

            host stacktrace:
            ==7==    at 0x5804284A: show_sched_status_wrk (m_libcassert.c:406)

            sched status:
              running_tid=1

            Thread 1: status = VgTs_Runnable (lwpid 7)
            ==7==    at 0x483877F: malloc (vg_replace_malloc.c:299)
            ==7==    by 0x10915A: main (a.c:9)
            """
        )
        (error,) = crash.errors
        assert (error.name, error.file, error.line) == ("Valgrind", "m_mallocfree.c", 304)
        assert stacks(crash)[-1] == [("malloc", 299), ("main", 9)]

    @pytest.mark.parametrize(
        "text",
        [
            "==7==ERROR: AddressSanitizer: x",
            "== 7 == at 0x1: f (a.c:1)",
            "Process terminating with default action",
            "==7== Memcheck, a memory error detector",
            "==7== HEAP SUMMARY:\n==7==     in use at exit: 0 bytes in 0 blocks",
        ],
    )
    def test_no_report(self, text: str):
        lines = text.splitlines()
        assert not any(FORMAT.opens.match(line) for line in lines)
