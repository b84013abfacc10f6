"""Fatal errors of Chromium, V8, Node.js and WebKit in the forms that their sources print."""

from __future__ import annotations

import textwrap

import pytest

from triage.formats.chromium import FORMAT
from triage.model.crash import Crash
from triage.read import ReadOptions, read_text


def read(text: str) -> Crash:
    return read_text(textwrap.dedent(text).strip("\n"), ReadOptions()).crash


def frames(crash: Crash, thread: int = 0) -> list[tuple[object, ...]]:
    return [(f.index, f.function, f.file, f.line, f.module) for f in crash.threads[thread].frames]


class TestErrors:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("[7:9:0213/180115.670:FATAL:update.cc(121)] Check failed: !x.empty().",
             ("FATAL", "Check failed: !x.empty().", "update.cc", 121)),
            ("[7:9:0213/180115.670000:FATAL:base/update.cc:121] Check failed: a",
             ("FATAL", "Check failed: a", "base/update.cc", 121)),
            ("[FATAL:StringView.h(209)] Security DCHECK failed: a <= b.",
             ("FATAL", "Security DCHECK failed: a <= b.", "StringView.h", 209)),
            ("#\n# Fatal error in ../../src/flags.cc, line 85\n# Debug check failed: x.\n#\n#",
             ("FATAL", "Debug check failed: x.", "../../src/flags.cc", 85)),
            ("#\n# Fatal error in , line 0\n# Check failed: x.\n#",
             ("FATAL", "Check failed: x.", None, None)),
            ("#\n# Fatal error\n# unreachable code\n#", ("FATAL", "unreachable code", None, None)),
            ("ASSERTION FAILED: a <= b\n../../wtf/a b.cpp(270) : void blink::f(const T &)",
             ("ASSERT", "a <= b", "../../wtf/a b.cpp", 270)),
            ("SHOULD NEVER BE REACHED\n/src/a.cpp(7) : f()",
             ("ASSERT", "SHOULD NEVER BE REACHED", "/src/a.cpp", 7)),
            ("FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory",
             ("FATAL ERROR", "Reached heap limit Allocation failed - JavaScript heap out of memory",
              None, None)),
        ],
    )  # fmt: skip
    def test_error(self, text: str, expected: tuple[object, ...]):
        (error,) = read(text).errors
        assert error.api == "engine"
        assert (error.name, error.message, error.file, error.line) == expected

    @pytest.mark.parametrize(
        "line",
        [
            "[7:9:0213/180115.670:ERROR:update.cc(121)] something",
            "[FATAL] giving up",
            "Received signal 15, shutting down",
            "a.cpp(12) : warning C4996: deprecated",
            "FATAL ERROR: cannot open the model",
            "# Fatal errors are listed below",
        ],
    )
    def test_no_error(self, line: str):
        assert not FORMAT.opens.match(line)


class TestSignals:
    STACK = "#0 0x5647 content::crash() a.cc:20:3\n[end of stack trace]"

    @pytest.mark.parametrize(
        ("text", "signal"),
        [
            ("Received signal 11 SEGV_MAPERR 000000000010", ("SIGSEGV", "SEGV_MAPERR",
                                                             "0x000000000010")),
            ("Received signal 10 BUS_ADRERR 7ffd1234", ("SIGBUS", "BUS_ADRERR", "0x7ffd1234")),
            ("Received signal 6\n" + STACK, ("SIGABRT", None, None)),
            ("Received signal 11 <unknown> 000000000000\n" + STACK,
             ("SIGSEGV", None, "0x000000000000")),
            ("Received signal 15", None),
            ("Received signal 2\nbye", None),
        ],
    )  # fmt: skip
    def test_signal(self, text: str, signal: tuple[str | None, ...] | None):
        found = read(text).signal
        assert (found and (found.name, found.code, found.fault_address)) == signal


class TestStacks:
    def test_linux(self):
        crash = read(
            """
            Received signal 11 SEGV_MAPERR 000000000000
            #0 0x5647f9 base::debug::CollectStackTrace()
            #1 0x5647d0 content::crash(char const*)
            #2 0x7f0545 (/usr/lib/libc-2.27.so+0x1288f)
            #3 0x7f0546 <unknown>
              r8: 00000000beeddead  r9: 00000000beeddead
            [end of stack trace]
            """
        )
        assert frames(crash) == [
            (0, "base::debug::CollectStackTrace()", None, None, None),
            (1, "content::crash(char const*)", None, None, None),
            (2, None, None, None, "/usr/lib/libc-2.27.so"),
            (3, None, None, None, None),
        ]
        blamed = crash.blamed_frame
        assert (crash.crashed_thread, blamed.frame) == (0, 1)

    def test_frame_behind_the_failure_message(self):
        crash = read(
            """
            #
            # Fatal error in , line 0
            # Check failed: x.
            #
            #FailureMessage Object: 0x3fd9d76f70#0 0x2ab5 (/usr/lib64/chrome+0x598b9c9)
            #1 0x2ab6 (/usr/lib64/chrome+0x58ef913)
            """
        )
        assert [f.offset for f in crash.threads[0].frames] == ["0x598b9c9", "0x58ef913"]

    def test_windows(self):
        crash = read(
            """
            [7:9:0213/180115.670:FATAL:update.cc(121)] Check failed: !x.empty().
            \tbase::debug::CollectStackTrace [0x00007FF89CDC3282+18] (C:\\s c\\stack_win.cc:329)
            \tlogging::`anonymous namespace'::Check::~Check [0x00007FF89CC45701+321]
            \t(No symbol) [0x00007FF89CC45701+321]
            """
        )
        assert frames(crash) == [
            (0, "base::debug::CollectStackTrace", "C:\\s c\\stack_win.cc", 329, None),
            (1, "logging::`anonymous namespace'::Check::~Check", None, None, None),
            (2, None, None, None, None),
        ]

    def test_node(self):
        crash = read(
            """
            FATAL ERROR: v8::ToLocalChecked Empty MaybeLocal
            ----- Native stack trace -----

             1: 0x10  [./node]
             2: 0x20 V8_Fatal(char const*, ...) [./node]
             3: 0x30 Alloc(v8::Info<v8::Value> const&) [/x y/binding.node]
            10: 0x40\x20
            """
        )
        assert frames(crash) == [
            (0, None, None, None, "./node"),
            (1, "V8_Fatal(char const*, ...)", None, None, "./node"),
            (2, "Alloc(v8::Info<v8::Value> const&)", None, None, "/x y/binding.node"),
            (9, None, None, None, None),
        ]

    def test_node_on_windows(self):
        crash = read(
            """
            FATAL ERROR: Ineffective mark-compacts near heap limit Allocation failed
             1: 00007FF6635279CF v8::internal::Registry::~Registry+114207
             2: 00007FF663443E9F V8_Fatal+162
            """
        )
        assert [f.address for f in crash.threads[0].frames] == [
            "0x00007FF6635279CF", "0x00007FF663443E9F",
        ]  # fmt: skip

    def test_webkit(self):
        crash = read(
            """
            ASSERTION FAILED: !m_count
            /src/IPC/Receiver.h(40) : virtual IPC::Receiver::~Receiver()
            1   0x7ffff1bff562 /usr/lib/libWebKit.so.5(WTFCrash+0x1e) [0x7ffff1bff562]
            2   0x714d5edc WebKit::Proxy::~Proxy()
            3   0x42a1e4
            """
        )
        assert frames(crash) == [
            (0, "WTFCrash", None, None, "/usr/lib/libWebKit.so.5"),
            (1, "WebKit::Proxy::~Proxy()", None, None, None),
            (2, None, None, None, None),
        ]

    def test_report_of_a_sanitizer_is_the_crash(self):
        crash = read(
            """
            ASSERTION FAILED: !m_count
            /src/IPC/Receiver.h(40) : virtual IPC::Receiver::~Receiver()
            1   0x714d5edc WebKit::Proxy::~Proxy()
            ==7==ERROR: AddressSanitizer: SEGV on unknown address 0x10 (pc 0x1 T0)
                #0 0x1 in WebKit::Proxy::~Proxy() /src/Proxy.cpp:12:9
            """
        )
        thread = crash.threads[crash.crashed_thread]
        assert [(f.function, f.line) for f in thread.frames] == [("WebKit::Proxy::~Proxy()", 12)]

    def test_numbered_lines_without_a_failure_are_no_stack(self):
        crash = read("Received signal 6\nlater\n  1: 0x10 f [node]\n")
        assert [t.frames for t in crash.threads if len(t.frames) > 1] == []
        assert read(" 1: 0x10 f [node]\n 2: 0x11 g [node]").threads == ()
