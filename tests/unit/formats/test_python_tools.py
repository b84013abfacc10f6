"""The stacks of "ipython", "rich", "pytest", "pyspy" and "pystack"."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

import pytest

from triage.model.crash import Crash, Role
from triage.model.stack import FrameKind, Thread
from triage.read import ReadOptions, read_text

CrashOf = Callable[[str], Crash]
TextOf = Callable[[str], str]

FAILED = ["inner 3", "<listcomp> 5", "outer 5"]


def read(text: str) -> Crash:
    return read_text(textwrap.dedent(text).strip("\n"), ReadOptions()).crash


def stack(thread: Thread) -> list[str]:
    return [f"{frame.function} {frame.line}" for frame in thread.frames]


def stacks(crash: Crash) -> list[list[str]]:
    return [stack(thread) for thread in crash.threads if thread.frames]


def messages(crash: Crash) -> list[tuple[str | None, str | None]]:
    return [(e.name, e.message) for e in crash.errors]


class TestIpython:
    @pytest.mark.parametrize("mode", ["Context", "Plain", "Verbose"])
    def test_recording(self, mode: str, crash_of: CrashOf):
        crash = crash_of(f"ipython/{mode}.out")
        assert stacks(crash)[:3] == [
            [*FAILED, "chained 9"],
            ["chained 11", "None 1"],
            [*FAILED, "f 2", "None 1"],
        ]
        assert crash.crashed_thread == 0
        assert messages(crash) == [
            ("ZeroDivisionError", "division by zero"),
            ("RuntimeError", "could not\ndo it"),
            ("SyntaxError", "invalid syntax"),
        ]
        assert crash.threads[1].frames[1].file == "Cell In[2]"

    def test_old_style_has_the_line_in_the_code(self):
        crash = read(
            """
            ---------------------------------------------------------------------------
            OutOfMemoryError                          Traceback (most recent call last)
            <ipython-input-7-3c0d> in <cell line: 2>()
                  1 x = 1
            ----> 2 load(x, y=(1, 2))

            [/usr/lib/python3/site-packages/m.py](https://localhost:8080/#) in load(x, *args, **kw)
                118     if x:
            --> 119         return x.cuda()
                120     return x

            OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB
            """
        )
        (thread,) = crash.threads
        assert [(f.function, f.args, f.file, f.line) for f in thread.frames] == [
            ("load", "x, *args, **kw", "/usr/lib/python3/site-packages/m.py", 119),
            ("<cell line: 2>", None, "<ipython-input-7-3c0d>", 2),
        ]
        assert messages(crash) == [
            ("OutOfMemoryError", "CUDA out of memory. Tried to allocate 2 GiB")
        ]

    def test_frames_that_begin_with_a_notebooks_link(self):
        crash = read(
            """
            [/content/nodes.py](https://localhost:8080/#) in load(path)
                 23     # the header
            ---> 24     reader = Reader(path)

            ValueError: magic invalid
            """
        )
        (thread,) = crash.threads
        assert [(f.function, f.file, f.line) for f in thread.frames] == [
            ("load", "/content/nodes.py", 24)
        ]
        assert messages(crash) == [("ValueError", "magic invalid")]

    @pytest.mark.parametrize(
        ("place", "expected"),
        [
            ("File ~/a b/x.py:12, in f(a, b=(1,))", ("f", "~/a b/x.py", 12)),
            ("File ~/x.py:12", (None, "~/x.py", 12)),
            (r"File C:\\a\\x.py:12, in A.f(self)", ("A.f", r"C:\\a\\x.py", 12)),
            ("Cell In[3], line 5, in f()", ("f", "Cell In[3]", 5)),
            ("Input In [3], in <cell line: 5>()", ("<cell line: 5>", "Input In [3]", 5)),
        ],
    )
    def test_place(self, place: str, expected: tuple[str | None, str, int]):
        crash = read(f"E{'':30}Traceback (most recent call last)\n{place}\n----> 5 x\n\nE: no")
        ((frame,),) = [thread.frames for thread in crash.threads]
        assert (frame.function, frame.file, frame.line) == expected
        assert messages(crash) == [("E", "no")]


class TestRich:
    @pytest.mark.parametrize("name", ["plain", "locals", "narrow"])
    def test_recording(self, name: str, crash_of: CrashOf):
        crash = crash_of(f"rich/{name}.txt")
        assert stacks(crash) == [[*FAILED, "chained 9"], ["chained 11", "<module> 6"]]
        assert messages(crash) == [
            ("ZeroDivisionError", "division by zero"),
            ("RuntimeError", "could not\ndo it"),
        ]
        assert crash.errors[1].role is Role.CONSEQUENCE

    def test_place_of_two_lines(self):
        crash = read(
            """
            ╭───── Traceback (most recent call last) ─────╮
            │ /usr/lib/python3/dist-packages/engine.py:50 │
            │ in run_forever                              │
            │                                             │
            │   49 │   try:                               │
            │ ❱ 50 │   │   step()                         │
            │                                             │
            │ /usr/lib/python3/dist-packages/very/deep/pa │
            │ ckage.py:7 in step                          │
            │                                             │
            │ in <module>:12                              │
            ╰─────────────────────────────────────────────╯
            ValueError: no
            """
        )
        (thread,) = crash.threads
        assert [(f.function, f.file, f.line) for f in thread.frames] == [
            ("<module>", None, 12),
            ("step", "/usr/lib/python3/dist-packages/very/deep/package.py", 7),
            ("run_forever", "/usr/lib/python3/dist-packages/engine.py", 50),
        ]


class TestPytest:
    @pytest.mark.parametrize("style", ["long", "short"])
    def test_recording(self, style: str, text_of: TextOf):
        crash = read(text_of(f"pytest/{style}.out"))
        files = [[f"{f.line}" for f in t.frames] for t in crash.threads]
        assert files == [
            ["3", "5", "5", "9"], ["11", "3"], ["14"], ["3", "5", "5", "16", "6"], ["9"],
        ]  # fmt: skip
        assert [t.frames[0].function for t in crash.threads] == [
            "inner", "chained", "during", "inner", "test_assert",
        ]  # fmt: skip
        assert messages(crash) == [
            ("ZeroDivisionError", "division by zero"),
            ("RuntimeError", "could not\ndo it"),
            ("KeyError", "'k'"),
            ("AssertionError", "no\nassert 3 == 4"),
        ]
        assert crash.threads[0].name == "test_chained"

    def test_log_line_with_a_place_is_none(self):
        assert read("x.py:12: in the beginning\nserver.py:7: INFO").errors == ()


class TestPyspy:
    def test_recording(self, crash_of: CrashOf):
        crash = crash_of("pyspy/dump.txt")
        main, loader = (thread for thread in crash.threads if thread.frames)
        assert (main.name, stack(main)) == ("MainThread", ["spin 8", "<module> 9"])
        assert (loader.name, stack(loader)[:2]) == ("loader-1", ["work 3", "A.run 5"])
        assert crash.crashed_thread is None

    def test_native_frames(self, crash_of: CrashOf):
        main = next(t for t in crash_of("pyspy/native.out").threads if t.frames)
        assert [(f.kind, f.function, f.file or f.module, f.line) for f in main.frames][:5] == [
            (FrameKind.HOST, None, "libz.so.1.2.13", None),
            (FrameKind.HOST, "deflate", "libz.so.1.2.13", None),
            (FrameKind.HOST, "zlib_compress_impl", "zlibmodule.c", 374),
            (FrameKind.HOST, "zlib_compress", "zlibmodule.c.h", 64),
            (FrameKind.PYTHON, "spin", "hang.py", 8),
        ]


class TestPystack:
    def test_recording(self, crash_of: CrashOf):
        crash = crash_of("pystack/remote.txt")
        assert [stack(t)[0] for t in crash.threads] == ["work 3", "spin 8"]
        assert crash.crashed_thread is None

    def test_native_frames(self, crash_of: CrashOf):
        crash = crash_of("pystack/native.txt")
        frames = {f.function: f for f in crash.threads[0].frames}
        sleep = frames["pysleep"]
        assert (sleep.inlined, sleep.file, sleep.line) == (True, "./Modules/timemodule.c", 2159)
        assert frames["work"].kind is FrameKind.PYTHON
        unknown = crash.threads[1].frames[0]
        assert (unknown.function, unknown.module) == (
            None,
            "/usr/lib/x86_64-linux-gnu/libz.so.1.2.13",
        )

    @pytest.mark.parametrize(
        ("line", "expected"),
        [
            ("The process died due receiving signal SIGABRT sent by pid 7", ("SIGABRT", None)),
            (
                "The process died due a segmentation fault accessing address: 0x75bcd15",
                ("SIGSEGV", "0x75bcd15"),
            ),
        ],
    )
    def test_signal(self, line: str, expected: tuple[str, str | None]):
        signal = read(f"{line}\nTraceback for thread 7 [] (most recent call last):\n").signal
        assert (signal.name, signal.fault_address) == expected


@pytest.mark.parametrize(
    "name", ["ipython/Verbose.out", "rich/locals.txt", "pytest/long.out", "pystack/native.txt"]
)
def test_cut_at_any_line(name: str, text_of: TextOf):
    lines = text_of(name).split("\n")
    whole = {(f.file, f.line) for t in read("\n".join(lines)).threads for f in t.frames}
    for n in range(0, len(lines), 3):
        crash = read("\n".join(lines[:n]))
        assert {(f.file, f.line) for t in crash.threads for f in t.frames if f.line} <= whole
