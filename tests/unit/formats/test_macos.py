"""Apple's crash reports as text and as JSON, and the last words of its runtimes."""

from __future__ import annotations

import json
import textwrap
from typing import Any

import pytest

from triage.formats import Region, ips, macos
from triage.model.crash import Crash, Fragment
from triage.model.stack import Thread, Trust
from triage.read import ReadOptions, read_text
from triage.text.decode import MAX_LINE
from triage.text.line import Line

REPORT = """\
Process:               llama-box [17535]
Path:                  /Users/USER/*/llama-box
Identifier:            llama-box
Code Type:             ARM-64 (Native)
OS Version:            macOS 14.2 (23C64)

Crashed Thread:        1  worker

Exception Type:        EXC_BAD_ACCESS (SIGSEGV)
Exception Codes:       KERN_INVALID_ADDRESS at 0x0000000000000010
Exception Codes:       0x0000000000000001, 0x0000000000000010

Termination Reason:    Namespace SIGNAL, Code 11 Segmentation fault: 11

Thread 0:: main Dispatch queue: com.apple.main-thread
0   libsystem_kernel.dylib        \t       0x18d3ed9ec __psynch_cvwait + 8
1   dyld                          \t       0x18c181058 start + 2224

Thread 1 Crashed:: worker
0   Sublime Text                  \t       0x104781f10 ns::f(int, char const*) + 20 (f.cpp:12)
1   llama-box                     \t       0x10556a4c1 0x105554000 + 91329
2   ???                           \t               0x0 ???
3   App                           \t       0x104780000 closure #1 in A.b() + 0 (A.swift:3) [inlined]
4   UIKit                         \t       0x104790000 main (main.m:14)

Thread 1 crashed with ARM Thread State (64-bit):
    x0: 0x00000001da2f65d0   x1: 0x80000004ffffffff   x2: 0x000000019370fe38

Binary Images:
       0x105554000 -        0x10555ffff llama-box (*) <c9ce7923-2f2d-31eb-a6e4-0f3b7a78f895> /Users/USER/*/llama-box
    0x7ff810000000 -     0x7ff810546ff7 com.apple.Foundation (6.9) <f3846a86-644b-3bcd-acce-fc7b751105c1> /System/Foundation
"""  # noqa: E501


def read(text: str) -> Fragment:
    lines = textwrap.dedent(text).strip("\n").split("\n")
    return macos.FORMAT.read(Region(tuple(Line(n, line) for n, line in enumerate(lines, 1))))


def crash(text: str) -> Crash:
    return read_text(text, ReadOptions()).crash


def frames(thread: Thread) -> list[tuple[object, ...]]:
    return [(f.index, f.function, f.file, f.line, f.module, f.offset) for f in thread.frames]


class TestReport:
    def test_threads(self):
        waiting, crashed = crash(REPORT).threads
        assert (waiting.id, waiting.name, waiting.crashed) == ("0", "main", False)
        assert (crashed.id, crashed.name, crashed.crashed) == ("1", "worker", True)
        assert frames(crashed) == [
            (0, "ns::f(int, char const*)", "f.cpp", 12, "Sublime Text", None),
            (1, None, None, None, "llama-box", "0x164c1"),
            (2, None, None, None, None, None),
            (3, "closure #1 in A.b()", "A.swift", 3, "App", None),
            (4, "main", "main.m", 14, "UIKit", None),
        ]
        assert [f.trust for f in crashed.frames[:3]] == [
            Trust.DEBUG_INFO, Trust.ADDRESS_ONLY, Trust.ADDRESS_ONLY,
        ]  # fmt: skip
        assert [f.inlined for f in crashed.frames] == [False, False, False, True, False]
        assert crashed.frames[0].at.line == 20

    def test_signal(self):
        signal = crash(REPORT).signal
        assert signal
        assert (signal.name, signal.number) == ("SIGSEGV", 11)
        assert (signal.code, signal.fault_address) == ("KERN_INVALID_ADDRESS", "0x0000000000000010")

    def test_environment_and_modules(self):
        got = crash(REPORT)
        assert (got.environment.os, got.environment.arch) == ("macOS 14.2 (23C64)", "arm64")
        assert [(m.name, m.version, m.build_id) for m in got.modules] == [
            ("llama-box", None, "c9ce7923-2f2d-31eb-a6e4-0f3b7a78f895"),
            ("Foundation", "6.9", "f3846a86-644b-3bcd-acce-fc7b751105c1"),
        ]

    @pytest.mark.parametrize("cut", range(0, REPORT.count("\n"), 3))
    def test_cut_at_any_line(self, cut: int):
        lines = REPORT.split("\n")
        for part in (lines[:cut], lines[cut:]):
            for thread in crash("\n".join(part)).threads:
                assert thread.frames

    def test_crashed_thread_is_said_on_two_ways(self):
        text = "Triggered by Thread:  1\n\n" + REPORT[REPORT.index("Thread 0::") :].replace(
            " Crashed", ""
        )
        assert [t.crashed for t in crash(text).threads] == [False, True]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("Exception Type:  EXC_CRASH (SIGABRT)", "SIGABRT"),
        ("Exception Type:  EXC_BREAKPOINT (SIGTRAP)", "SIGTRAP"),
        ("Exception Type:  EXC_BAD_ACCESS (SIGKILL (Code Signature Invalid))", "SIGKILL"),
        ("Exception Type:  SIGABRT", "SIGABRT"),
        ("Exception Type:  EXC_BAD_ACCESS\nException Subtype: KERN_INVALID_ADDRESS at 0x8",
         "SIGSEGV"),
        ("Exception Type:  EXC_BAD_ACCESS\nException Codes: KERN_PROTECTION_FAILURE at 0x8",
         "SIGBUS"),
        ("Exception Type:  EXC_BAD_ACCESS", None),
        ("Exception Type:  EXC_CRASH (ObjC Exception)\nTermination Signal: Abort trap: 6",
         "SIGABRT"),
        ("Termination Reason: SIGNAL 4 Illegal instruction: 4", "SIGILL"),
        ("Termination Reason: Namespace SIGNAL, Code 10 Bus error: 10", "SIGBUS"),
        ("Exception Type:  EXC_RESOURCE\nTermination Reason: Namespace JETSAM, Code 2", None),
    ],
)  # fmt: skip
def test_signal_of_a_report(lines: str, expected: str | None):
    signal = read(lines).signal
    assert (signal.name if signal else None) == expected


def test_what_ended_the_process_beside_a_signal():
    errors = read("Termination Reason:    Namespace DYLD, Code 1 Library missing").errors
    assert [(e.api, e.name) for e in errors] == [("loader", "DYLD")]
    errors = read("Exception Type: EXC_RESOURCE -> app[1]").errors
    assert [(e.api, e.name) for e in errors] == [("kernel", "EXC_RESOURCE")]


def test_the_last_exception_is_where_it_failed():
    got = crash(
        textwrap.dedent("""\
        Exception Type:  EXC_CRASH (SIGABRT)
        Application Specific Information:
        abort() called
        *** Terminating app due to uncaught exception 'NSRangeException', reason: 'index 3'

        Last Exception Backtrace:
        0   CoreFoundation                \t0x2ad38f82 __exceptionPreprocess + 122
        1       + libpackage.dylib          \t0x100947768 0x100928000 + 0x1f768
        2   App                           \t0x2ad38ec8 -[Model load:] + 108 (Model.m:7)

        Thread 0 name:  Dispatch queue: com.apple.main-thread
        Thread 0 Crashed:
        0   libsystem_kernel.dylib        \t0x38af8dfc __pthread_kill + 8
        """)
    )
    thrown, crashed = got.threads
    assert (thrown.name, thrown.crashed) == ("Last Exception Backtrace", True)
    assert frames(thrown)[1:] == [
        (1, None, None, None, "libpackage.dylib", "0x1f768"),
        (2, "-[Model load:]", "Model.m", 7, "App", None),
    ]
    assert (crashed.id, crashed.name, crashed.crashed) == ("0", "com.apple.main-thread", False)
    assert [(e.api, e.name, e.message) for e in got.errors] == [
        ("libc", "abort", "abort() called"),
        ("objc", "NSRangeException", "index 3"),
    ]


def test_what_stands_above_the_signal_is_the_handlers():
    got = crash(
        textwrap.dedent("""\
        Exception Type:    EXC_CRASH (SIGABRT)
        Thread 35 Crashed: Test Thread
        0   Python                        \t       0x10590b44c faulthandler_fatal_error + 368
        1   libsystem_platform.dylib      \t       0x19044f744 _sigtramp + 56
        2   libsystem_c.dylib             \t       0x190315014 abort + 32
        3   libmlx.dylib                  \t       0x190315014 mlx::core::gpu::check_error() + 32
        """)
    )
    (thread,) = got.threads
    assert thread.name == "Test Thread"
    assert got.blamed_frame
    assert thread.frames[got.blamed_frame.frame].function == "mlx::core::gpu::check_error()"


def test_headings_of_other_reporters():
    got = crash(
        textwrap.dedent("""\
        #0. Crashed: com.apple.main-thread
        0  App                            0x104db1a2c f(int) + 12 (f.swift:12)
        1  libdispatch.dylib              0x1920 _dispatch_call_block_and_release

        --

        #1. com.google.firebase
        0  libsystem_kernel.dylib         0xdbc mach_msg2_trap + 8
        """)
    )
    assert [(t.id, t.name, t.crashed) for t in got.threads] == [
        ("0", "com.apple.main-thread", True), ("1", "com.google.firebase", False),
    ]  # fmt: skip
    assert frames(got.threads[0])[0][1:4] == ("f(int)", "f.swift", 12)
    old = crash(
        "Thread 3:  Dispatch queue: com.apple.libdispatch-manager\n"
        "0   libSystem.B.dylib             \t0x00007fff8a5d2c0a kevent + 10\n\n"
        "Thread 0 Crashed:  Dispatch queue: com.apple.main-thread\n"
        "0   com.apple.CoreFoundation      \t0x00007fff8a5d2c0a CFRelease + 10\n"
    )
    assert [(t.id, t.name, t.crashed) for t in old.threads] == [
        ("3", "com.apple.libdispatch-manager", False), ("0", "com.apple.main-thread", True),
    ]  # fmt: skip


class TestLogs:
    def test_backtrace_symbols(self):
        (thread,) = read(
            """
            0   libggml-base.dylib                  0x00000001032a0a34 ggml_print_backtrace + 276
            1   libggml-base.dylib                  0x00000001032a0bf4 ggml_abort + 156
            10  llama-cli                           0x00000001026b1234 main + 8
            100 dyld                                0x00000001026b1234 start + 8
            """
        ).threads
        assert [(f.index, f.function, f.module) for f in thread.frames] == [
            (0, "ggml_print_backtrace", "libggml-base.dylib"),
            (1, "ggml_abort", "libggml-base.dylib"),
            (10, "main", "llama-cli"),
            (100, "start", "dyld"),
        ]

    def test_of_two_stacks_the_first_is_that_of_the_failure(self):
        line = "0   app                         0x00000001007ddc3{} f{} + 27"
        one, two = read(line.format(1, 1) + "\n" + line.format(2, 2)).threads
        assert (one.crashed, two.crashed) == (True, False)

    def test_lines_of_threads_that_fail_together(self):
        lines = [
            f"[log] {n}   app                         0x00000001007ddc3{n} f{n} + 27"
            for n in range(4)
        ]
        (thread,) = read("\n".join(line for line in lines for _ in range(3))).threads
        assert [f.index for f in thread.frames] == [0, 1, 2, 3]

    def test_exception_of_objective_c(self):
        fragment = read(
            """
            *** Terminating app due to uncaught exception 'NSGenericException', reason: 'it's late'
            *** First throw call stack:
            (
            \t0   CoreFoundation                      0x00000001862f2ccc __exceptionPreprocess + 176
            \t1   libobjc.A.dylib                     0x0000000185dda788 objc_exception_throw + 60
            )
            libc++abi: terminating due to uncaught exception of type NSException
            """
        )
        assert [(e.api, e.name, e.message) for e in fragment.errors] == [
            ("objc", "NSGenericException", "it's late")
        ]
        assert [f.function for f in fragment.threads[0].frames] == [
            "__exceptionPreprocess", "objc_exception_throw",
        ]  # fmt: skip

    def test_addresses_alone(self):
        (thread,) = read("*** First throw call stack:\n(0x2a8a745f 0x3876ac8b 0x2a7c4c53)").threads
        assert [f.address for f in thread.frames] == ["0x2a8a745f", "0x3876ac8b", "0x2a7c4c53"]

    @pytest.mark.parametrize(
        ("line", "expected"),
        [
            ("libc++abi: terminating due to uncaught exception of type std::runtime_error: bad: x",
             ("cxx", "std::runtime_error", "bad: x", None, None)),
            ("libc++abi.dylib: terminating with uncaught exception of type std::bad_alloc: what",
             ("cxx", "std::bad_alloc", "what", None, None)),
            ("libc++abi: terminating",  None),
            ("Assertion failed: (a->b && c), function f, file /x/y.cpp, line 12.",
             ("libc", "assert", "Assertion `a->b && c' failed", "/x/y.cpp", 12)),
            ("App/Foo.swift:9: Fatal error: Index out of range",
             ("swift", "Fatal error", "Fatal error: Index out of range", "App/Foo.swift", 9)),
            ("Fatal error: Index out of range: file Swift/Array.swift, line 600",
             ("swift", "Fatal error", "Fatal error: Index out of range", "Swift/Array.swift", 600)),
            ("dyld[12166]: Library not loaded: @rpath/libllama.dylib",
             ("loader", None, "Library not loaded: @rpath/libllama.dylib", None, None)),
            ("Fatal error: something else", None),
        ],
    )  # fmt: skip
    def test_last_words(self, line: str, expected: tuple[object, ...] | None):
        got = [(e.api, e.name, e.message, e.file, e.line) for e in crash(line).errors]
        assert got == ([expected] if expected else [])


@pytest.mark.parametrize(
    "line",
    [
        "Thread 1 started",
        "Thread 1: loading",
        "1   some text with 0x12 in it",
        "2 GPUs at 0x00000000 found",
        "Exception Type",
        "the Crashed Thread: field",
    ],
)
def test_a_mention_is_no_report(line: str):
    assert not crash(line).is_crash


def body(**more: Any) -> dict[str, Any]:
    frame = {"imageOffset": 91329, "symbol": "f()", "symbolLocation": 4, "imageIndex": 0}
    place = {"imageOffset": 5, "symbol": "g", "sourceFile": "g.c", "sourceLine": 7, "imageIndex": 1}
    return {
        "uptime": 1,
        "osVersion": {"train": "macOS 15.1", "build": "24B83"},
        "cpuType": "ARM-64",
        "exception": {
            "type": "EXC_BAD_ACCESS",
            "signal": "SIGSEGV",
            "subtype": "KERN_INVALID_ADDRESS at 0x0000000000000010",
        },
        "faultingThread": 1,
        "threads": [
            {"id": 11, "queue": "main", "frames": [frame]},
            {"id": 12, "triggered": True, "frames": [place | {"inline": True}, frame]},
        ],
        "usedImages": [
            {"base": 4383391744, "uuid": "aa-bb", "path": "/x/app", "name": "app"},
            {"base": 4096, "uuid": "cc", "path": "/usr/lib/libz.dylib", "name": "libz.dylib"},
        ],
        **more,
    }


HEADING = '{"app_name":"app","bug_type":"309","os_version":"macOS 15.1 (24B83)"}\n'


def pretty(value: dict[str, Any]) -> str:
    entries = []
    for key, entry in value.items():
        lines = json.dumps(entry, indent=2 if key in ("usedImages", "osVersion") else None)
        entries.append(f'  "{key}" : ' + lines.replace("\n", "\n  "))
    return HEADING + "{\n" + ",\n".join(entries) + "\n}\n"


class TestJson:
    @pytest.mark.parametrize(
        "text", [pretty(body()), HEADING + json.dumps(body()), json.dumps(body())]
    )
    def test_threads(self, text: str):
        got = crash(text)
        first, second = got.threads
        assert (first.id, first.tid, first.name, first.crashed) == ("0", 11, "main", False)
        assert (second.id, second.tid, second.crashed) == ("1", 12, True)
        assert frames(second) == [
            (0, "g", "g.c", 7, "libz.dylib", "0x5"),
            (1, "f()", None, None, "app", "0x164c1"),
        ]
        assert second.frames[0].inlined
        assert second.frames[1].address == hex(4383391744 + 91329)
        assert got.signal
        assert (got.signal.name, got.signal.fault_address) == ("SIGSEGV", "0x0000000000000010")
        assert [(m.name, m.build_id) for m in got.modules] == [
            ("app", "aa-bb"),
            ("libz.dylib", "cc"),
        ]
        assert (got.environment.os, got.environment.arch) == ("macOS 15.1 (24B83)", "arm64")
        assert got.warnings == ()

    def test_line_that_was_cut(self):
        long = body()
        long["threads"].append({"id": 13, "frames": long["threads"][0]["frames"] * 200})
        text = pretty(long)
        assert max(map(len, text.split("\n"))) > MAX_LINE
        got = crash("\n".join(line[:MAX_LINE] for line in text.split("\n")))
        assert [t.id for t in got.threads] == ["0", "1", "2"]
        assert got.threads[1].frames[0].module == "libz.dylib"
        assert 10 < len(got.threads[2].frames) < 200
        assert all(f.function == "f()" for f in got.threads[2].frames)
        assert "report-damaged" in {w.code for w in got.warnings}

    def test_cut_at_any_character(self):
        text = pretty(body())
        for cut in range(len(HEADING), len(text), 7):
            got = crash(text[:cut])
            for thread in got.threads:
                assert {f.function for f in thread.frames} <= {"g", "f()"}

    def test_uncaught_exception(self):
        thrown = [{"imageOffset": 1, "symbol": "objc_exception_throw", "imageIndex": 0}]
        said = "*** Terminating app due to uncaught exception 'NSX', reason: 'no'"
        got = crash(pretty(body(lastExceptionBacktrace=thrown, asi={"CoreFoundation": [said]})))
        assert [t.name for t in got.threads if t.crashed] == ["Last Exception Backtrace"]
        assert [(e.api, e.name, e.message) for e in got.errors] == [("objc", "NSX", "no")]

    def test_signal_by_number(self):
        ended = {"namespace": "SIGNAL", "code": 10, "indicator": "Bus error: 10"}
        got = crash(pretty(body(exception={"type": "EXC_CRASH"}, termination=ended)))
        assert got.signal
        assert got.signal.name == "SIGBUS"

    def test_what_ended_the_process(self):
        ended = {"namespace": "FRONTBOARD", "code": 2343432205, "reasons": ["too slow"]}
        got = crash(pretty(body(termination=ended)))
        assert [(e.api, e.name, e.message) for e in got.errors] == [
            ("kernel", "FRONTBOARD", "too slow")
        ]

    def test_the_text_above_says_the_same(self):
        title = "Translated Report (Full Report Below)\n\n"
        both = crash(title + REPORT + "\nFull Report\n\n" + pretty(body()))
        alone = crash(title + REPORT)
        assert [t.id for t in both.threads] == [t.id for t in alone.threads]

    def test_any_other_json_is_none(self):
        for text in ('{"threads": 4, "model": "x"}', '  "threads" : 8,\n  "batch" : 2'):
            assert not crash(text).is_crash
            assert crash(text).threads == ()

    def test_types_that_do_not_fit(self):
        odd = body(threads=[1, {"frames": 2}, {"id": "x", "frames": [{"imageIndex": 99}]}])
        odd |= {"usedImages": {"a": 1}, "exception": [], "osVersion": 3, "asi": {"a": 1}}
        (thread,) = crash(pretty(odd)).threads
        assert [(f.function, f.module, f.offset) for f in thread.frames] == [(None, None, None)]


def test_names_of_the_formats():
    assert (macos.FORMAT.name, ips.FORMAT.name) == ("macos", "ips")
