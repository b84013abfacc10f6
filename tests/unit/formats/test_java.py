"""HotSpot's fatal errors and Java's exceptions."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from triage.model.crash import Crash, Role
from triage.model.stack import ThreadKind
from triage.read import ReadOptions, read_text

CrashOf = Callable[[str], Crash]
TextOf = Callable[[str], str]


def read(text: str) -> Crash:
    return read_text(text, ReadOptions()).crash


def stack(crash: Crash, n: int | None = None) -> list[tuple[str | None, str | None, int | None]]:
    thread = crash.threads[crash.crashed_thread if n is None else n]
    return [(f.function, f.file, f.line) for f in thread.frames]


class TestHotspot:
    def test_hs_err(self, crash_of: CrashOf):
        crash = crash_of("java/segv.hs_err.stderr")
        signal = crash.signal
        assert (signal.name, signal.code, signal.fault_address, signal.at.line) == (
            "SIGSEGV", "SEGV_MAPERR", "0x0000000000000008", 4,
        )  # fmt: skip
        native, java = crash.threads
        assert (native.name, native.tid, native.kind) == ("main", 14669, ThreadKind.HOST)
        assert [(f.function, f.module, f.offset) for f in native.frames] == [
            ("llama_decode", "libdemo.so", "0x111e"),
            ("Demo.main([Ljava/lang/String;)V", None, None),
            ("~StubRoutines::call_stub", None, None),
            (
                (
                    "JavaCalls::call_helper(JavaValue*, methodHandle const&, "
                    "JavaCallArguments*, JavaThread*)"
                ),
                "libjvm.so", "0x8282d2",
            ),
            (
                (
                    "jni_invoke_static(JNIEnv_*, JavaValue*, _jobject*, JNICallType, _jmethodID*, "
                    "JNI_ArgumentPusher*, JavaThread*) [clone .constprop.1]"
                ),
                "libjvm.so", "0x8c00aa",
            ),
            ("jni_CallStaticVoidMethod", "libjvm.so", "0x8d1a1f"),
            ("JavaMain", "libjli.so", "0x4592"),
            ("ThreadJavaMain", "libjli.so", "0x7b49"),
        ]  # fmt: skip
        assert java.kind is ThreadKind.JAVA
        assert stack(crash, 1)[0] == ("Demo.decode(J)I", None, None)
        assert (crash.blamed_frame.thread, crash.blamed_frame.frame) == (0, 0)

    def test_head_alone_names_the_frame(self, crash_of: CrashOf):
        crash = crash_of("java/segv.stderr")
        assert stack(crash) == [("llama_decode", None, None)]
        assert crash.signal.code is None

    @pytest.mark.parametrize("name", ["segv.hs_err", "unsafe.hs_err"])
    def test_cut_at_any_line(self, name: str, crash_of: CrashOf, text_of: TextOf):
        lines = text_of(f"java/{name}.stderr").split("\n")
        whole = [f.function for f in crash_of(f"java/{name}.stderr").threads[0].frames]
        for end in range(len(lines)):
            for thread in read("\n".join(lines[:end])).threads[:1]:
                assert [f.function for f in thread.frames] == whole[: len(thread.frames)]

    @pytest.mark.parametrize(
        ("line", "frame"),
        [
            (
                "V  [libjvm.so+0x1]  Foo::bar(int)+0x2  (foo.cpp:12)",
                ("Foo::bar(int)", "foo.cpp", 12, "libjvm.so"),
            ),
            ("C  [libc.so.6+0x1]", (None, None, None, "libc.so.6")),
            ("C  0x00007f0000000010", (None, None, None, None)),
            (
                "J 1234% c2 a.b.C.d(ILjava/lang/String;)V java.base@17 (12 bytes) @ 0x1 [0x1+0x2]",
                ("a.b.C.d(ILjava/lang/String;)V", None, None, None),
            ),
            ("J  a.b.C.d()I", ("a.b.C.d()I", None, None, None)),
            ("j  a.b.C$1.d(I)V+12 java.base@17.0.1", ("a.b.C$1.d(I)V", None, None, None)),
            ("v  ~BufferBlob::interpreter", ("~BufferBlob::interpreter", None, None, None)),
        ],
    )
    def test_frame(self, line: str, frame: tuple[str | None, ...]):
        crash = read(
            f"Native frames: (J=compiled Java code)\n{line}\n\nC  [x+0x1]  not_a_frame+0x1"
        )
        (thread,) = crash.threads
        assert [(f.function, f.file, f.line, f.module) for f in thread.frames] == [frame]

    def test_windows(self):
        crash = read(
            "#  EXCEPTION_ACCESS_VIOLATION (0xc0000005) at pc=0x00007ff8, pid=1, tid=2\n#\n"
            "# Problematic frame:\n# C  [ggml.dll+0x12]\n\n"
            "siginfo: EXCEPTION_ACCESS_VIOLATION (0xc0000005), reading address 0x0000000000000018\n"
        )
        assert (crash.signal.name, crash.signal.fault_address) == ("SIGSEGV", "0x0000000000000018")
        assert [(e.api, e.code, e.name) for e in crash.errors] == [
            ("ntstatus", 0xC0000005, "EXCEPTION_ACCESS_VIOLATION")
        ]

    def test_internal_error_and_memory(self):
        crash = read(
            "# A fatal error has been detected by the Java Runtime Environment:\n#\n"
            "#  Internal Error (sharedRuntime.cpp:553), pid=7, tid=8\n"
            "#  guarantee(cb != 0) failed: must be\n#\n"
        )
        (error,) = crash.errors
        assert (error.api, error.message, error.file, error.line) == (
            "java", "guarantee(cb != 0) failed: must be", "sharedRuntime.cpp", 553,
        )  # fmt: skip
        (error,) = read(
            "# There is insufficient memory for the Java Runtime Environment to continue.\n"
            "# Native memory allocation (mmap) failed to map 12 bytes for committing memory.\n"
        ).errors
        assert error.message.startswith("Native memory allocation (mmap) failed")


class TestExceptions:
    def test_last_cause_is_the_crash(self, crash_of: CrashOf):
        crash = crash_of("java/future.stderr")
        assert [(e.name, e.role) for e in crash.errors] == [
            ("java.util.concurrent.ExecutionException", Role.CONSEQUENCE),
            ("Demo$LoadException", Role.CONSEQUENCE),
            ("java.lang.IndexOutOfBoundsException", Role.CAUSE),
        ]
        assert crash.errors[2].message == "Index: 7 Size: 2"
        assert stack(crash) == [
            (
                "java.base/java.util.ImmutableCollections$AbstractImmutableList.outOfBounds",
                "ImmutableCollections.java", 333,
            ),
            (
                "java.base/java.util.ImmutableCollections$List12.get",
                "ImmutableCollections.java", 585,
            ),
            ("Demo.layers", "Demo.java", 12),
            ("Demo.load", "Demo.java", 16),
        ]  # fmt: skip
        assert crash.threads[crash.crashed_thread].frames_omitted == 6

    def test_thread(self, crash_of: CrashOf):
        crash = crash_of("java/thread.stderr")
        assert {t.name for t in crash.threads} == {"sampler #1"}

    def test_blame_passes_over_the_library(self, crash_of: CrashOf):
        crash = crash_of("java/exception.stderr")
        assert stack(crash)[crash.blamed_frame.frame] == ("Demo.layers", "Demo.java", 12)

    @pytest.mark.parametrize("name", ["exception", "thread", "future", "memory"])
    def test_cut_at_any_line(self, name: str, crash_of: CrashOf, text_of: TextOf):
        lines = text_of(f"java/{name}.stderr").split("\n")
        whole = [f.function for t in crash_of(f"java/{name}.stderr").threads for f in t.frames]
        for end in range(len(lines)):
            found = [f.function for t in read("\n".join(lines[:end])).threads for f in t.frames]
            assert found == whole[: len(found)]

    @pytest.mark.parametrize(
        ("line", "frame"),
        [
            ("\tat a.b.C.d(C.java:12)", ("a.b.C.d", "C.java", 12)),
            ("    at a.b.C.<init>(C.java)", ("a.b.C.<init>", "C.java", None)),
            ("at a.C.d(Native Method)", ("a.C.d", None, None)),
            ("  at app//a.C$$L$1/0x08.run(Unknown Source)", ("app//a.C$$L$1/0x08.run", None, None)),
            ("\tat a.C.d(C.kt:5) ~[app.jar:1.0]", ("a.C.d", "C.kt", 5)),
            ("\tat java.base@17.0.1/a.C.d(C.java:5)", ("java.base@17.0.1/a.C.d", "C.java", 5)),
        ],
    )  # fmt: skip
    def test_frame(self, line: str, frame: tuple[str, str | None, int | None]):
        crash = read(f"12:00 ERROR [main] a.b.Log - failed\na.b.OddException: why\n{line}")
        assert stack(crash) == [frame]
        assert [(e.name, e.message) for e in crash.errors] == [("a.b.OddException", "why")]

    def test_fuzzer(self):
        crash = read(
            "== Java Exception: java.lang.Error: x\n\tat a.Fuzz.f(Fuzz.java:3)\n== libFuzzer"
        )
        assert [(e.name, e.message) for e in crash.errors] == [("java.lang.Error", "x")]

    @pytest.mark.parametrize(
        "text",
        [
            "it threw a java.lang.IllegalStateException: why",
            "    at Object.<anonymous> (/app/index.js:12:5)",
            "look at a.b(c)",
        ],
    )
    def test_nothing_of_java(self, text: str):
        crash = read(text)
        assert (crash.threads, [e for e in crash.errors if e.api == "java"]) == ((), [])
