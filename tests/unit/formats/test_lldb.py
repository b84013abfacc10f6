"""lldb's text in the forms that the recordings do not have, and the recordings themselves."""

from __future__ import annotations

import re
import textwrap

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.formats import Region
from triage.formats.lldb import FORMAT, to_frame
from triage.model.crash import Fragment
from triage.model.position import Position
from triage.model.stack import Frame, Trust
from triage.read import ReadOptions, read_text
from triage.text.line import Line

AT = Position(input=0, line=1)
HEAD = "* thread #1, queue = 'com.apple.main-thread', stop reason = "


def read(text: str) -> Fragment:
    lines = textwrap.dedent(text).strip("\n").split("\n")
    return FORMAT.read(Region(tuple(Line(n, line) for n, line in enumerate(lines, 1))))


def frame(body: str) -> Frame:
    found = to_frame(0, body, AT)
    assert found
    return found


class TestFrames:
    def test_with_debug_information(self):
        got = frame("0x000000010000399c app`print_matrix(m=0x0, rows=10) at matrix.c:22:28 [opt]")
        assert (got.function, got.args, got.module) == ("print_matrix", "m=0x0, rows=10", "app")
        assert (got.file, got.line, got.column) == ("matrix.c", 22, 28)
        assert (got.address, got.trust) == ("0x000000010000399c", Trust.DEBUG_INFO)

    def test_types_belong_to_a_name_that_has_no_values(self):
        got = frame("0x01 liba.dylib`ns::f(int, char const*) const + 161")
        assert (got.function, got.args) == ("ns::f(int, char const*) const", None)
        assert got.trust is Trust.SYMBOL

    @pytest.mark.parametrize(
        ("body", "function", "args"),
        [
            ("a`main at main.c:66:5", "main", None),
            ("a`test() at t.cc:27", "test()", None),
            ("a`bool operator==<int>(a=1, b=2) at t.cc:27", "bool operator==<int>", "a=1, b=2"),
            ("a`std::f<void (int)>::operator()() + 8", "std::f<void (int)>::operator()()", None),
            ("a`-[View load:](self=0x1, _cmd=\"load:\") at V.m:18", "-[View load:]",
             'self=0x1, _cmd="load:"'),
            ("a`closure #1 in App.run(, data=1) at A.swift:2:3", "closure #1 in App.run",
             ", data=1"),
            ("a`start(main=(a`main at a.c:3:16), n=1) at libc.h:58", "start",
             "main=(a`main at a.c:3:16), n=1"),
            ("a`_main + 4 at hello.s:12", "_main", None),
        ],
    )  # fmt: skip
    def test_names(self, body: str, function: str, args: str | None):
        got = frame("0x0000000000000001 " + body)
        assert (got.function, got.args) == (function, args)

    def test_an_inlined_function_is_the_one_that_runs(self):
        got = frame("0x01 a`outer(int) [inlined] inner(n=0) + 71 at bitmap.h:215")
        assert (got.function, got.args, got.line, got.inlined) == ("inner", "n=0", 215, True)

    def test_flags_behind_the_place(self):
        assert frame("boom`div(a=1) at boom.c:3:13 [opt] [inlined]").inlined
        assert not frame("boom`div(a=1) at boom.c:3:13 [opt]").inlined

    def test_what_has_no_name(self):
        got = frame("0x0000000000000000")
        assert (got.function, got.module, got.trust) == (None, None, Trust.ADDRESS_ONLY)
        got = frame("0x00007fff21e8 libfoo.dylib + 1234")
        assert (got.function, got.module) == (None, "libfoo.dylib")
        got = frame("0x01 libfoo.dylib`___lldb_unnamed_symbol12$$libfoo.dylib + 4")
        assert (got.function, got.trust) == (
            "___lldb_unnamed_symbol12$$libfoo.dylib", Trust.ADDRESS_ONLY,
        )  # fmt: skip

    def test_module_with_a_space(self):
        assert frame("0x01 Sublime Text`main + 4").module == "Sublime Text"


class TestSignal:
    @pytest.mark.parametrize(
        ("reason", "expected"),
        [
            ("EXC_BAD_ACCESS (code=1, address=0x8)", ("SIGSEGV", "KERN_INVALID_ADDRESS", "0x8")),
            ("EXC_BAD_ACCESS (code=2, address=0x10)",
             ("SIGBUS", "KERN_PROTECTION_FAILURE", "0x10")),
            ("EXC_BAD_ACCESS (code=EXC_I386_GPFLT)", ("SIGSEGV", "EXC_I386_GPFLT", None)),
            ("EXC_BAD_ACCESS (code=257, address=0x1)", ("SIGBUS", None, "0x1")),
            ("EXC_BAD_INSTRUCTION (code=EXC_I386_INVOP, subcode=0x0)",
             ("SIGILL", "EXC_I386_INVOP", None)),
            ("EXC_BREAKPOINT (code=1, subcode=0x19b2f4)", ("SIGTRAP", None, None)),
            ("EXC_ARITHMETIC (code=EXC_I386_DIV, subcode=0x0)",
             ("SIGFPE", "EXC_I386_DIV", None)),
            ("signal SIGABRT", ("SIGABRT", None, None)),
            ("signal SIGSEGV: invalid address (fault address: 0x41)",
             ("SIGSEGV", "SEGV_MAPERR", "0x41")),
            ("signal SIGSEGV: address not mapped to object (fault address=0x0)",
             ("SIGSEGV", "SEGV_MAPERR", "0x0")),
            ("signal SIGSEGV: address access protected (fault address: 0x7f)",
             ("SIGSEGV", "SEGV_ACCERR", "0x7f")),
            ("hit program assert", ("SIGABRT", None, None)),
        ],
    )  # fmt: skip
    def test_of_a_crash(self, reason: str, expected: tuple[object, ...]):
        signal = read(HEAD + reason).signal
        assert signal
        assert (signal.name, signal.code, signal.fault_address) == expected

    @pytest.mark.parametrize(
        "reason", ["signal SIGSTOP", "signal SIGINT", "breakpoint 1.1", "step over", "signal SIGXX"]
    )
    def test_of_a_mere_stop_is_none(self, reason: str):
        assert read(HEAD + reason).signal is None

    def test_of_the_line_that_xcode_prints(self):
        fragment = read("Thread 7: EXC_BAD_ACCESS (code=1, address=0x4e29444af118)")
        assert fragment.signal
        assert (fragment.signal.name, fragment.threads) == ("SIGSEGV", ())

    def test_errors(self):
        (error,) = read(HEAD + "EXC_RESOURCE (RESOURCE_TYPE_MEMORY: limit=2098 MB)").errors
        assert (error.api, error.name) == ("kernel", "EXC_RESOURCE")
        (error,) = read(HEAD + "Fatal error: Index out of range").errors
        assert (error.api, error.message) == ("swift", "Fatal error: Index out of range")
        (error,) = read(
            HEAD + "Exception 0xc0000005 encountered at address 0x7ff6: Access violation"
        ).errors
        assert (error.api, error.code) == ("ntstatus", 0xC0000005)


class TestThreads:
    def test_old_heading_carries_the_frame(self):
        fragment = read(
            """
            Process 760 stopped
            * thread #15: tid = 0xf42c2, 0x0083e998 Core`f() + 11, queue = 'q', stop reason = signal SIGABRT
                frame #0: 0x0083e998 Core`f() + 11
            Core`f():
            ->  0x83e998 <+1188>: trap
            (lldb) bt
            * thread #15: tid = 0xf42c2, 0x0083e998 Core`f() + 11, queue = 'q', stop reason = signal SIGABRT
              * frame #0: 0x0083e998 Core`f() + 11
                frame #1: 0x000e30ac Test`main + 60
            """  # noqa: E501
        )
        (thread,) = fragment.threads
        assert (thread.id, thread.tid, thread.name, thread.crashed) == ("15", 0xF42C2, "q", True)
        assert [f.function for f in thread.frames] == ["f()", "main"]

    def test_the_thread_that_crashed_is_not_always_the_current_one(self):
        fragment = read(
            """
            * thread #1, stop reason = signal SIGSTOP
              * frame #0: 0x01 a`wait + 4
              thread #2, name = 'worker', stop reason = EXC_BAD_ACCESS (code=1, address=0x0)
                frame #0: 0x02 a`work + 4
            """
        )
        assert [(t.id, t.crashed) for t in fragment.threads] == [("1", False), ("2", True)]

    def test_a_stack_without_heading(self):
        (thread,) = read("* frame #0: 0x01 a`f + 4\n  frame #1: 0x02 a`main + 4").threads
        assert (thread.id, thread.crashed, len(thread.frames)) == (None, True, 2)

    def test_the_selected_frame_is_a_frame(self):
        (thread,) = read(
            HEAD
            + "signal SIGABRT\n    frame #0: 0x01 a`f + 4\n  * frame #1: 0x02 a`g(n=1) at g.c:3"
        ).threads
        assert [f.function for f in thread.frames] == ["f", "g"]


@pytest.mark.parametrize("name", ["crash", "crash-x", "crash-nosym", "check"])
class TestRecordings:
    def test_every_thread_and_frame_once(self, name: str, text_of, crash_of):
        text = text_of(f"lldb/{name}.txt")
        listed = text[text.index("(lldb) bt all") : text.index("(lldb) thread list")]
        crash = crash_of(f"lldb/{name}.txt")
        heads = re.findall(r"^[* ] thread #(\d+)", listed, re.MULTILINE)
        assert [t.id for t in crash.threads] == heads
        assert [f.index for t in crash.threads for f in t.frames] == list(
            map(int, re.findall(r"frame #(\d+)", listed))
        )
        assert crash.threads[crash.crashed_thread].id == "1"

    def test_places_are_those_that_are_printed(self, name: str, text_of, crash_of):
        lines = text_of(f"lldb/{name}.txt").split("\n")
        for thread in crash_of(f"lldb/{name}.txt").threads:
            for found in thread.frames:
                line = lines[found.at.line - 1]
                if found.file:
                    assert re.search(rf" at {re.escape(found.file)}:{found.line}\b[:\d]*$", line)
                else:
                    assert " at " not in line


def test_signal_of_the_recordings(crash_of):
    found = crash_of("lldb/crash-x.txt").signal
    assert (found.name, found.fault_address) == ("SIGSEGV", "0x4")
    assert crash_of("lldb/check.txt").signal.name == "SIGABRT"


def test_blame_goes_to_the_inlined_function(crash_of):
    crash = crash_of("lldb/crash-x.txt")
    frame = crash.threads[crash.blamed_frame.thread].frames[crash.blamed_frame.frame]
    assert (frame.function, frame.file, frame.line) == ("engine::operator==", "crash.cpp", 24)


@pytest.mark.parametrize(
    "line",
    [
        "the process stopped in frame #0: see below",
        "worker thread #2 is waiting",
        "thread #1, please",
        "EXC_BAD_ACCESS is what macOS says",
        "I ran thread backtrace all",
    ],
)
def test_a_mention_is_no_report(line: str):
    assert not FORMAT.opens.match(line)
    assert FORMAT.read(Region((Line(1, line),))).threads == ()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 40))
def test_property_a_cut_text_has_the_frames_that_are_left(cut: int):
    whole = [HEAD + "signal SIGABRT", *(f"    frame #{n}: 0x{n:08x} a`f{n} + 4" for n in range(30))]
    crash = read_text("\n".join(whole[cut:]), ReadOptions()).crash
    frames = [f.index for t in crash.threads for f in t.frames]
    assert frames == list(range(max(0, cut - 1), 30))
