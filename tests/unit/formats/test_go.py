"""Go's panics, fatal errors and signals: real ones, and forms of other versions and systems."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.model.crash import Crash, Role
from triage.model.stack import FrameKind, ThreadKind
from triage.read import ReadOptions, read_text

CrashOf = Callable[[str], Crash]
TextOf = Callable[[str], str]

MAIN = "/opt/demo/go/main.go"
DUMPS = [
    "nil", "repanic", "recovered", "generic", "deadlock", "map", "overflow", "c-abort", "c-assert",
    "c-null", "quit",
]  # fmt: skip


def read(text: str) -> Crash:
    return read_text(text, ReadOptions()).crash


def stack(crash: Crash, n: int | None = None) -> list[tuple[str | None, str | None, int | None]]:
    thread = crash.threads[crash.crashed_thread if n is None else n]
    return [(f.function, f.file, f.line) for f in thread.frames]


class TestRecordings:
    @pytest.mark.parametrize(
        ("name", "signal", "code", "address", "errors", "goroutine", "top"),
        [
            ("nil", "SIGSEGV", "SEGV_MAPERR", "0x0",
             ["runtime error: invalid memory address or nil pointer dereference"],
             "1", ("main.(*cache).store", MAIN, 24)),
            ("repanic", None, None, None, ["first", "closing"], "1", ("main.main.func1", MAIN, 48)),
            ("recovered", None, None, None,
             ["runtime error: index out of range [2] with length 0"],
             "1", ("main.main.func2", MAIN, 51)),
            ("generic", None, None, None,
             ["runtime error: index out of range [5] with length 0"],
             "1", ("main.(*list[...]).at", MAIN, 32)),
            ("deadlock", None, None, None, ["all goroutines are asleep - deadlock!"], "1",
             ("internal/sync.runtime_SemacquireMutex", "/usr/local/go/src/runtime/sema.go", 95)),
            ("map", None, None, None, ["concurrent map writes"], "22",
             ("internal/runtime/maps.fatal", "/usr/local/go/src/runtime/panic.go", 1195)),
            ("overflow", None, None, None, ["stack overflow"], "1", ("main.deep", MAIN, 27)),
            ("c-abort", "SIGABRT", "SI_TKILL", None, [], "1",
             ("runtime.cgocall", "/usr/local/go/src/runtime/cgocall.go", 167)),
            ("c-null", "SIGSEGV", "SEGV_MAPERR", "0x0", [], "1",
             ("runtime.cgocall", "/usr/local/go/src/runtime/cgocall.go", 167)),
        ],
    )  # fmt: skip
    def test_what_failed(
        self, name, signal, code, address, errors, goroutine, top, crash_of: CrashOf
    ):
        crash = crash_of(f"go/{name}.stderr")
        found = crash.signal
        assert (found and (found.name, found.code, found.fault_address)) == (
            signal and (signal, code, address)
        )
        assert [e.message for e in crash.errors] == errors
        thread = crash.threads[crash.crashed_thread]
        assert thread.id == goroutine
        assert thread.kind is ThreadKind.GO
        assert stack(crash)[0] == top

    def test_panic_above_a_panic_is_its_consequence(self, crash_of: CrashOf):
        crash = crash_of("go/repanic.stderr")
        assert [e.role for e in crash.errors] == [Role.UNCLEAR, Role.CONSEQUENCE]

    def test_frame_below_the_panic_is_blamed(self, crash_of: CrashOf):
        crash = crash_of("go/recovered.stderr")
        frames = crash.threads[crash.crashed_thread].frames
        assert [f.kind is FrameKind.SIGNAL_HANDLER for f in frames] == [False, True, False]
        assert crash.blamed_frame.frame == 2

    def test_every_goroutine_is_a_thread(self, crash_of: CrashOf, text_of: TextOf):
        text = text_of("go/c-abort.stderr")
        crash = crash_of("go/c-abort.stderr")
        assert len(crash.threads) == text.count("\ngoroutine ")
        assert sum(len(t.frames) for t in crash.threads) == text.count("\n\t") - text.count(
            "created by "
        )

    def test_c_that_aborts_is_blamed_by_its_call(self, crash_of: CrashOf):
        crash = crash_of("go/c-assert.stderr")
        blamed = crash.threads[crash.blamed_frame.thread].frames[crash.blamed_frame.frame]
        assert blamed.function == "main._Cfunc_c_assert"
        assert [(e.api, e.file, e.line) for e in crash.errors] == [("libc", MAIN, 9)]

    def test_elided_frames_are_counted(self, crash_of: CrashOf):
        crash = crash_of("go/overflow.stderr")
        assert crash.threads[0].name == "runtime stack"
        assert crash.threads[crash.crashed_thread].frames_omitted == 2577

    def test_dump_that_was_asked_for_has_no_crashed_goroutine(self, crash_of: CrashOf):
        crash = crash_of("go/quit.stderr")
        assert (crash.signal.name, crash.crashed_thread) == ("SIGQUIT", None)
        assert len(crash.threads) > 3

    @pytest.mark.parametrize("name", DUMPS)
    def test_cut_at_any_line(self, name: str, crash_of: CrashOf, text_of: TextOf):
        whole = {t.id: t.frames for t in crash_of(f"go/{name}.stderr").threads}
        lines = text_of(f"go/{name}.stderr").split("\n")
        for end in range(0, len(lines), 7 if len(lines) > 60 else 1):
            for thread in read("\n".join(lines[:end])).threads:
                functions = [f.function for f in thread.frames]
                assert functions == [f.function for f in whole[thread.id]][: len(functions)]

    def test_tabs_that_a_collector_lost(self, text_of: TextOf, crash_of: CrashOf):
        text = text_of("go/c-null.stderr")
        want = crash_of("go/c-null.stderr")
        for indent in ("", "        "):
            crash = read(text.replace("\t", indent))
            assert [stack(crash, n) for n in range(len(crash.threads))] == [
                stack(want, n) for n in range(len(want.threads))
            ]


OLD = """\
panic: runtime error: slice bounds out of range [recovered]
\tpanic: runtime error: slice bounds out of range

goroutine 17 [running, locked to thread]:
panic(0x5a2b40, 0xc42000e0e0)
\t/usr/lib/go-1.9/src/runtime/panic.go:491 +0x283
example.org/x%2ey/deep.(*T).f·fm(0xc4, 0x1, ...)
\tC:/Program Files/x/deep.go:12 +0x4
main.main()
\t<autogenerated>:1 +0x39
created by example.org/x.Go
\tC:/Program Files/x/go.go:7 +0x11
exit status 2
"""


class TestForms:
    def test_old_panic(self):
        crash = read(OLD)
        assert [(e.name, e.message) for e in crash.errors] == [
            ("panic", "runtime error: slice bounds out of range")
        ]
        assert stack(crash) == [
            ("panic", "/usr/lib/go-1.9/src/runtime/panic.go", 491),
            ("example.org/x%2ey/deep.(*T).f·fm", "C:/Program Files/x/deep.go", 12),
            ("main.main", "<autogenerated>", 1),
        ]

    @pytest.mark.parametrize(
        ("line", "name", "address"),
        [
            ("[signal SIGBUS: bus error code=0x2 addr=0x10 pc=0x4]", "SIGBUS", "0x10"),
            ("[signal 0xb code=0x1 addr=0x20 pc=0x40e1c2]", "SIGSEGV", "0x20"),
            ("[signal 0xc0000005 code=0x1 addr=0x8 pc=0x7ff6]", "SIGSEGV", "0x8"),
        ],
    )
    def test_signal_of_a_panic(self, line: str, name: str, address: str):
        crash = read(
            f"panic: runtime error: x\n{line}\n\ngoroutine 1 [running]:\nmain.f()\n\t/a.go:1"
        )
        assert (crash.signal.name, crash.signal.fault_address) == (name, address)

    def test_windows_exception(self):
        crash = read(
            "Exception 0xc0000005 0x8 0x28 0x7ffd1234\nPC=0x7ffd1234\n"
            "signal arrived during external code execution\n\n"
            "goroutine 1 [syscall]:\nruntime.cgocall(0x1, 0x2)\n\t/go/cgocall.go:157 +0x3e"
        )
        assert (crash.signal.name, crash.signal.fault_address) == ("SIGSEGV", "0x28")
        assert stack(crash) == [("runtime.cgocall", "/go/cgocall.go", 157)]

    def test_goroutine_of_the_thread_that_got_the_signal(self):
        crash = read(
            "SIGSEGV: segmentation violation\nPC=0x7f m=4 sigcode=1 addr=0x0\n"
            "signal arrived during cgo execution\n\n"
            "goroutine 9 gp=0x1 m=2 mp=0x3 [running]:\n"
            "\tgoroutine running on other thread; stack unavailable\n\n"
            "goroutine 5 gp=0x1 m=4 mp=0x3 [syscall]:\nmain._Cfunc_x()\n\t_cgo_gotypes.go:9 +0x1\n"
        )
        assert [(t.id, t.crashed, len(t.frames)) for t in crash.threads] == [
            ("9", False, 0), ("5", True, 1),
        ]  # fmt: skip

    def test_signal_outside_of_every_goroutine(self):
        crash = read(
            "SIGSEGV: segmentation violation\nPC=0x7f m=4 sigcode=1 addr=0x0\n\n"
            "goroutine 0 [idle]:\n\ngoroutine 1 [chan receive]:\nmain.main()\n\t/a.go:3 +0x1\n"
        )
        assert crash.crashed_thread is None
        assert crash.signal.name == "SIGSEGV"

    @pytest.mark.parametrize(
        ("registers", "signal"),
        [
            ("rax 0x0\nrcx 0x7f10\nrdx 0x6\nrip 0x7f10\nrflags 0x246", "SIGABRT"),
            ("rax 0x0\nrcx 0x7f11\nrdx 0x6\nrip 0x7f10\nrflags 0x246", None),
            ("rax 0xca\nrcx 0x7f10\nrdx 0x6\nrip 0x7f10\nrflags 0x246", None),
            ("rax 0x0\nrcx 0x7f10\nrdx 0x7\nrip 0x7f10\nrflags 0x246", None),
            ("r0 0x0\nr1 0x9\nr2 0x6\nr8 0x83\npc 0x7f10\nrflags 0x0", "SIGABRT"),
        ],
    )
    def test_registers_show_a_signal_that_the_thread_sent_itself(self, registers, signal):
        frame = "runtime.goexit()\n\t/go/asm_amd64.s:1700 +0x1 fp=0x1 sp=0x1 pc=0x1\n\n"
        found = read(frame + registers).signal
        assert (found and found.name) == signal

    def test_text_that_ends_between_a_function_and_its_place(self):
        crash = read(
            "panic: x\n\ngoroutine 1 [running]:\na.f()\n\t/a.go:1 +0x1\nmain._Cfunc_g(0x1)"
        )
        assert stack(crash) == [("a.f", "/a.go", 1), ("main._Cfunc_g", None, None)]

    def test_second_crash_of_a_restarted_program_is_apart(self):
        one = "panic: one\n\ngoroutine 1 [running]:\na.f()\n\t/a.go:1 +0x1\n"
        crash = read(one + one.replace("one", "two").replace("a.f", "a.g"))
        assert [stack(crash, n)[0][0] for n in range(2)] == ["a.f", "a.g"]
        assert crash.crashed_thread == 0

    def test_frames_without_a_failure_blame_nobody(self):
        crash = read("x.f({0x1, 0x2?})\n\t/a/x.go:237 +0x65 fp=0xc0 sp=0xc0 pc=0x763c25\n")
        assert (len(crash.threads), crash.crashed_thread) == (1, None)

    @pytest.mark.parametrize(
        "text",
        [
            "panic: the disk is on fire",
            "Kernel panic - not syncing: Fatal exception",
            "fatal error: cuda.h: No such file or directory",
            "x.go:12: undefined: y",
            "see main.go:12 and f()",
        ],
    )
    def test_no_crash_of_go(self, text: str):
        crash = read(text)
        assert not [e for e in crash.errors if e.api == "go"]
        assert crash.threads == ()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(OLD.split("\n")), max_size=30))
def test_property_frames_are_function_and_place_on_two_lines(lines: list[str]):
    for thread in read("\n".join(lines)).threads:
        assert [f.index for f in thread.frames] == list(range(len(thread.frames)))
        for frame in thread.frames:
            assert lines[frame.at.line - 1].startswith(f"{frame.function}(")
            below = " ".join(lines[frame.at.line : frame.at.line + 2])
            assert frame.file is None or f"{frame.file}:{frame.line}" in below
