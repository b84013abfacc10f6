"""Android's tombstones, Java's exceptions and the traces of an ANR, in files and in logcat."""

from __future__ import annotations

import textwrap

import pytest

from triage.formats import Region, art, tombstone
from triage.formats._android import without_logcat
from triage.model.crash import Crash
from triage.model.stack import Thread, ThreadKind
from triage.read import ReadOptions, read_text
from triage.text.line import Line

TOMBSTONE = """\
*** *** *** *** *** *** *** *** *** *** *** *** *** *** *** ***
Build fingerprint: 'google/shiba/shiba:14/AP1A.240505.005/11677807:user/release-keys'
Revision: 'MP1.0'
ABI: 'arm64'
Timestamp: 2024-06-12 22:32:49.439917835+0200
Cmdline: com.example.app
pid: 13025, tid: 13129, name: 1.ui  >>> com.example.app <<<
uid: 10001
signal 11 (SIGSEGV), code 1 (SEGV_MAPERR), fault addr 0x0000000000000104
Cause: null pointer dereference
    x0  0000000000000000  x1  00000077005674f8  x2  0000000000000000  x3  0000000000000000

5 total frames
backtrace:
      #00 pc 00000000001ace90  /data/app/~~x==/lib/arm64/libllama.so (ggml::f(int, char const*) const+104) (BuildId: d2dc21013607b7189b803bbe3f31b06377759600)
      #01 pc 00000000000a2b6c  /data/app/base.apk!libx.so (offset 0x414b000) (Java_com_x(_JNIEnv*)+8)
      #02 pc 00000000000a2b6c  <anonymous:7f1234>
      #03 pc 0000000000518118  /system/lib64/libc.so (BuildId: aabbccddeeff0011)
      #04 pc 0000000000000000  <unknown>

stack:
    #00  0000007fc9152290  0000007d22d4e354  /system/lib64/libc.so
         0000007fc9152298  0000007d22d4e354

memory near x1 (/system/lib64/libc.so):
    00000077005674e0 0000000000000000 0000000000000000  ................
--- --- --- --- --- --- --- --- --- --- --- --- --- --- --- ---
Cmdline: com.example.app
pid: 13025, tid: 13026, name: Jit pool  >>> com.example.app <<<
      #00 pc 0000000000518118  /system/lib64/libc.so (syscall+28)
      #01 pc 0000000000518118  /system/lib64/libart.so (art::Wait(art::Thread*))
"""  # noqa: E501

PREFIXES = {
    "none": "",
    "threadtime": "01-01 00:00:00.100   500   500 F DEBUG   : ",
    "uid": "11-27 11:39:45.974  1041 26144 26144 F DEBUG   : ",
    "brief": "I/DEBUG   (  122): ",
    "time": "01-16 17:46:12.240 F/DEBUG   (  122): ",
    "tag": "F DEBUG   : ",
    "studio": "2024-03-08 16:45:04.222 28730-28730 DEBUG      pid-28730         A  ",
    "old studio": "2021-03-08 16:45:04.222 28730-28730/? A/DEBUG: ",
    "bare": "A/DEBUG: ",
}


def crash(text: str) -> Crash:
    return read_text(text, ReadOptions()).crash


def frames(thread: Thread) -> list[tuple[object, ...]]:
    return [(f.index, f.function, f.module, f.offset) for f in thread.frames]


@pytest.mark.parametrize("prefix", PREFIXES.values(), ids=PREFIXES)
class TestTombstone:
    def read(self, prefix: str) -> Crash:
        return crash("\n".join(prefix + line for line in TOMBSTONE.split("\n")))

    def test_threads(self, prefix: str):
        crashed, other = self.read(prefix).threads
        assert (crashed.tid, crashed.name, crashed.crashed) == (13129, "1.ui", True)
        assert frames(crashed) == [
            (0, "ggml::f(int, char const*) const", "/data/app/~~x==/lib/arm64/libllama.so",
             "0x1ace90"),
            (1, "Java_com_x(_JNIEnv*)", "/data/app/base.apk!libx.so", "0xa2b6c"),
            (2, None, "<anonymous:7f1234>", "0xa2b6c"),
            (3, None, "/system/lib64/libc.so", "0x518118"),
            (4, None, None, None),
        ]  # fmt: skip
        assert crashed.frames[0].at.line == 15
        assert (other.tid, other.name, other.crashed) == (13026, "Jit pool", False)
        assert [f.function for f in other.frames] == ["syscall", "art::Wait(art::Thread*)"]

    def test_signal_and_cause(self, prefix: str):
        got = self.read(prefix)
        assert got.signal
        assert (got.signal.name, got.signal.code) == ("SIGSEGV", "SEGV_MAPERR")
        assert got.signal.fault_address == "0x0000000000000104"
        assert [(e.api, e.message) for e in got.errors] == [("kernel", "null pointer dereference")]
        assert got.environment.arch == "aarch64"
        assert got.environment.os
        assert got.environment.os.startswith("Android google/shiba/shiba:14/")


@pytest.mark.parametrize("cut", range(TOMBSTONE.count("\n")))
def test_cut_at_any_line(cut: int):
    lines = TOMBSTONE.split("\n")
    for part in (lines[:cut], lines[cut:]):
        got = crash("\n".join(part))
        printed = sum(" pc " in line for line in part)
        assert sum(len(t.frames) for t in got.threads) == printed


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("F/libc    (1): Fatal signal 11 (SIGSEGV), code 1 (SEGV_MAPERR), fault addr 0x104 in t",
         ("SIGSEGV", "SEGV_MAPERR", "0x104")),
        ("F/libc (8321): Fatal signal 11 (SIGSEGV) at 0x18 (code=1), thread 831 (x)",
         ("SIGSEGV", None, "0x18")),
        ("A/libc: Fatal signal 6 (SIGABRT), code -1 (SI_QUEUE) in tid 30454 (x), pid 30454 (x)",
         ("SIGABRT", "SI_QUEUE", None)),
        ("signal 6 (SIGABRT), code -6 (SI_TKILL), fault addr --------",
         ("SIGABRT", "SI_TKILL", None)),
        ("signal 11 (SIGSEGV), code SEGV_ACCERR, fault addr 0x71a6",
         ("SIGSEGV", "SEGV_ACCERR", "0x71a6")),
        ("signal 7 (SIGBUS), code 2 (BUS_ADRERR from pid 1), fault addr ec00008",
         ("SIGBUS", "BUS_ADRERR", "0xec00008")),
        ("Reason:Signal:SIGSEGV(SEGV_MAPERR)@0x00000004", ("SIGSEGV", "SEGV_MAPERR", "0x00000004")),
    ],
)  # fmt: skip
def test_signals(line: str, expected: tuple[object, ...]):
    signal = crash("pid: 1, tid: 2, name: a  >>> b <<<\n" + line).signal
    assert signal
    assert (signal.name, signal.code, signal.fault_address) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("'terminating with uncaught exception of type std::out_of_range: vector'",
         ("cxx", "std::out_of_range", "vector", None)),
        ("'[FATAL:view.h(209)] DCHECK failed: a(b).'",
         ("engine", "FATAL", "DCHECK failed: a(b).", 209)),
        ("media/x/M4.cpp:3301 CHECK_EQ( a,1u) failed: 25 vs. 1",
         ("engine", None, "CHECK_EQ( a,1u) failed: 25 vs. 1", 3301)),
        ("'GGML_ASSERT failed'", ("libc", "abort", "GGML_ASSERT failed", None)),
    ],
)  # fmt: skip
def test_abort_message(text: str, expected: tuple[object, ...]):
    got = crash(f"pid: 1, tid: 2, name: a  >>> b <<<\nAbort message: {text}")
    assert expected in [(e.api, e.name, e.message, e.line) for e in got.errors]


class TestSymbolized:
    def test_frames_with_their_sources(self):
        (thread,) = crash(
            textwrap.dedent("""\
            pid: 1, tid: 69, name: generic  >>> /system/bin/media <<<
            signal 6 (SIGABRT), code -6 (SI_TKILL), fault addr --------
            backtrace:
            write failed: Broken pipe
                #0 0x00084fe6 in tgkill /bionic/tgkill.S:20
                #1 0x000bf682 in a::B::c(int, a<d> const&) frameworks/M.cpp:3301:9
                #2 0x003b7c3d in data@app@base.apk@classes.dex
            """)
        ).threads
        assert thread.tid == 69
        assert [(f.index, f.function, f.file, f.line) for f in thread.frames] == [
            (0, "tgkill", "/bionic/tgkill.S", 20),
            (1, "a::B::c(int, a<d> const&)", "frameworks/M.cpp", 3301),
            (2, "data@app@base.apk@classes.dex", None, None),
        ]

    def test_a_terminal_has_wrapped_the_lines(self):
        plain = [
            "pid: 1, tid: 2, name: a  >>> b <<<",
            "signal 6 (SIGABRT), code -6 (SI_TKILL), fault addr --------",
            "backtrace:",
            "    #0 0x0cb2fdb5 in ns::" + "f" * 60 + "(int) const /b/build/src/text/View.h:209:3",
            "    #1 0x0cb2fdb6 in ns::" + "g" * 90 + "(int) const /b/build/src/text/View.h:187",
            "    #2 0x0cb2fdb7 in short /a.cc:3",
        ]
        wrapped = [line[n : n + 80] for line in plain for n in range(0, len(line), 80)]
        (thread,) = crash("\n".join(wrapped)).threads
        assert [(f.function, f.file, f.line) for f in thread.frames] == [
            ("ns::" + "f" * 60 + "(int) const", "/b/build/src/text/View.h", 209),
            ("ns::" + "g" * 90 + "(int) const", "/b/build/src/text/View.h", 187),
            ("short", "/a.cc", 3),
        ]

    def test_stack_in_the_abort_message_is_another_one(self):
        abort, crashed = crash(
            textwrap.dedent("""\
            pid: 1, tid: 2, name: Main  >>> chrome <<<
            signal 6 (SIGABRT), code -6 (SI_TKILL), fault addr --------
            Abort message: '[FATAL:View.h(209)] DCHECK failed.
                #0 0x2f69cb8d in Message::~Message() /b/logging.cc:532:29
                #1 0x3b39adb7 in set /b/View.h:209:3
            #04 0x31700955 /data/app/com.x
                r0 00000000  r1 00002a68

            backtrace:
                #0 0x0003a870 in tgkill /b/tgkill.S:9
            """)
        ).threads
        assert [f.function for f in abort.frames] == ["Message::~Message()", "set"]
        assert (abort.crashed, crashed.crashed, crashed.tid) == (False, True, 2)

    def test_ndk_stack(self):
        (thread,) = crash(
            textwrap.dedent("""\
            ********** Crash dump: **********
            Build fingerprint: 'google/panther'
            #00 0x0000000000012345 /data/app/lib/arm64/libfoo.so (f(int)+12)
                                                                 f(int)
                                                                 /src/foo.cpp:12:3
            #01 0x0000000000458cfc /apex/lib64/libart.so (art+2832) (BuildId: 735f12f804f88d62)
            Crash dump is completed
            """)
        ).threads
        assert [(f.function, f.file, f.line, f.module) for f in thread.frames] == [
            ("f(int)", "/src/foo.cpp", 12, "/data/app/lib/arm64/libfoo.so"),
            ("art", None, None, "/apex/lib64/libart.so"),
        ]

    def test_harmony_os(self):
        fault, other = crash(
            textwrap.dedent("""\
            Reason:Signal:SIGSEGV(SEGV_MAPERR)@0x0000000000000004
            Fault thread info:
            Tid:1205, Name:crasher
            #00 pc 0000000000002a98 /data/crasher(TriggerSegv()+24)(8bd5a0b1c2d3e4f5)
            #01 pc 00000000000d0844 /system/lib/ld-musl.so.1(start+4)(aabbccddeeff0011)
            Registers:
            x0:0000000000000000 x1:0000000000000001
            Other thread info:
            Tid:1206, Name:idle
            #00 pc 00000000000d0844 /system/lib/ld-musl.so.1(wait+4)(aabbccddeeff0011)
            """)
        ).threads
        assert (fault.tid, fault.name, fault.crashed) == (1205, "crasher", True)
        assert [(f.function, f.module) for f in fault.frames] == [
            ("TriggerSegv()", "/data/crasher"), ("start", "/system/lib/ld-musl.so.1"),
        ]  # fmt: skip
        assert (other.name, other.crashed) == ("idle", False)


EXCEPTION = """\
FATAL EXCEPTION: main
Process: com.example.llm, PID: 2345
java.lang.RuntimeException: Unable to start activity
\tat android.app.ActivityThread.performLaunchActivity(ActivityThread.java:3449)
\tat java.lang.reflect.Method.invoke(Native Method)
Caused by: java.lang.UnsatisfiedLinkError: dlopen failed: library "libllama.so" not found
\tat java.lang.Runtime.loadLibrary0(Runtime.java:1082)
\tat com.example.llm.LLMKt$load$1.invoke(LLM.kt:12)
\t... 11 more
"""


@pytest.mark.parametrize("prefix", PREFIXES.values(), ids=PREFIXES)
def test_exception_in_logcat(prefix: str):
    got = crash("\n".join(prefix + line for line in EXCEPTION.split("\n")))
    outer, cause = got.threads
    assert (outer.crashed, cause.crashed, cause.name) == (False, True, "main")
    assert {t.kind for t in got.threads} == {ThreadKind.JAVA}
    assert [(f.index, f.function, f.file, f.line) for f in cause.frames] == [
        (0, "java.lang.Runtime.loadLibrary0", "Runtime.java", 1082),
        (1, "com.example.llm.LLMKt$load$1.invoke", "LLM.kt", 12),
    ]
    assert (outer.frames[1].file, outer.frames[1].line) == (None, None)
    assert [(e.api, e.name, e.message) for e in got.errors] == [
        ("java", "java.lang.RuntimeException", "Unable to start activity"),
        ("java", "java.lang.UnsatisfiedLinkError",
         'dlopen failed: library "libllama.so" not found'),
    ]  # fmt: skip


def test_traces_of_an_anr():
    catcher, main = crash(
        textwrap.dedent("""\
        ----- pid 4242 at 2023-01-01 00:00:00 -----
        DALVIK THREADS (20):
        "Signal Catcher" daemon prio=10 tid=2 Runnable
          | group="system" sCount=0
          native: #00 pc 0000000000488f74  /apex/lib64/libart.so (art::Dump(int)+108)

        "main" prio=5 tid=1 Native
          native: #00 pc 00000000000d3c78  /apex/lib64/bionic/libc.so (__epoll_pwait+8)
          native: #01 pc 0000000000017ecc  /system/lib64/libutils.so
          at android.os.MessageQueue.nativePollOnce(Native method)
          at android.os.Looper.loop(Looper.java:288)
          - locked <0x0> (a java.lang.Object)
        """)
    ).threads
    assert (catcher.name, catcher.crashed, main.name, main.crashed) == (
        "Signal Catcher", False, "main", True,
    )  # fmt: skip
    assert [(f.index, f.function) for f in main.frames] == [
        (0, "__epoll_pwait"),
        (1, None),
        (2, "android.os.MessageQueue.nativePollOnce"),
        (3, "android.os.Looper.loop"),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "the fault was at pc 0x12",
        "#1 problem: pc is slow",
        "signal 11 (SIGSEGV) is what you get",
        "pid: 4, cpu: 2",
        "    at com.example.Foo.bar(Foo.java:12)",
        "java.lang.RuntimeException: x",
    ],
)
def test_a_mention_is_no_report(line: str):
    assert not tombstone.FORMAT.opens.match(line)
    assert not art.FORMAT.opens.match(line)


def test_logcat_is_taken_off_and_nothing_else():
    lines = [
        "01-01 00:00:00.000  1  2 E tag: x: y",
        "1234 5678 F libc    : z",
        "error: E/foo",
        "    at a.b(C.java:1)",
    ]
    region = Region(tuple(Line(n, text) for n, text in enumerate(lines, 1)))
    assert [line.text for line in without_logcat(region).lines] == ["x: y", "z", *lines[2:]]
