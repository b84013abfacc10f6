"""Rust's panics and backtraces: real ones, and those of older compilers and of other libraries."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from triage.model.crash import Crash
from triage.read import ReadOptions, read_text

CrashOf = Callable[[str], Crash]
TextOf = Callable[[str], str]
NAMES = [
    "assert", "display", "drop", "index", "index-full", "index-stripped", "lines", "thread",
    "unwrap",
]  # fmt: skip


def read(text: str) -> Crash:
    return read_text(text, ReadOptions()).crash


def stack(crash: Crash, n: int = 0) -> list[tuple[int, str | None, str | None, int | None]]:
    return [(f.index, f.function, f.file, f.line) for f in crash.threads[n].frames]


def panics(crash: Crash) -> list[tuple[str | None, str | None, int | None]]:
    return [(e.message, e.file, e.line) for e in crash.errors if e.api == "rust"]


class TestRecordings:
    @pytest.mark.parametrize("name", NAMES)
    def test_frames_are_those_with_a_number(self, name: str, crash_of: CrashOf, text_of: TextOf):
        text = text_of(f"rust/{name}.stderr")
        numbered = re.findall(
            r"^ *(\d+): +(?:0x\w+ - )?(\S.*?)(?:\n +at (\S+):(\d+):\d+)?$", text, re.MULTILINE
        )
        found = [
            (str(f.index), f.function or "<unknown>", f.file or "", str(f.line or ""))
            for t in crash_of(f"rust/{name}.stderr").threads
            for f in t.frames
        ]
        assert found == numbered

    @pytest.mark.parametrize("name", NAMES)
    def test_cut_at_any_line(self, name: str, crash_of: CrashOf, text_of: TextOf):
        lines = text_of(f"rust/{name}.stderr").split("\n")
        whole = crash_of(f"rust/{name}.stderr").threads
        for end in range(0, len(lines), 5 if len(lines) > 50 else 1):
            for thread, full in zip(read("\n".join(lines[:end])).threads, whole, strict=False):
                functions = [f.function for f in thread.frames]
                assert functions == [f.function for f in full.frames][: len(functions)]

    def test_first_panic_is_the_crash(self, crash_of: CrashOf):
        crash = crash_of("rust/thread.stderr")
        assert panics(crash) == [
            ("index out of bounds: the len is 0 but the index is 0", "main.rs", 24),
            ("called `Result::unwrap()` on an `Err` value: Any { .. }", "main.rs", 48),
        ]
        assert [(t.name, t.tid, t.crashed) for t in crash.threads] == [
            ("sampler", 9874, True), ("main", 9873, False),
        ]  # fmt: skip

    def test_first_line_of_a_message(self, crash_of: CrashOf):
        assert panics(crash_of("rust/lines.stderr")) == [("two", "main.rs", 56)]
        assert panics(crash_of("rust/assert.stderr")) == [
            ("assertion `left == right` failed: the layers do not add up", "main.rs", 38)
        ]

    def test_stripped_frames_have_addresses(self, crash_of: CrashOf):
        (thread,) = crash_of("rust/index-stripped.stderr").threads
        assert thread.frames[0].address == "0x5564aae8868a"
        assert (thread.frames[-1].address, thread.frames[-1].function) == (None, None)


class TestForms:
    @pytest.mark.parametrize(
        ("text", "panic", "thread"),
        [
            (
                "thread '<main>' panicked at 'no layers', src/x.rs:12",
                ("no layers", "src/x.rs", 12), "<main>",
            ),
            (
                "thread 'main' panicked at 'it's 'quoted', yes', src/a b.rs:12:5\nnote: x",
                ("it's 'quoted', yes", "src/a b.rs", 12), "main",
            ),
            (
                "thread 'w' panicked at 'assertion failed: `(a == b)`\n  left: `1`,\n b', y.rs:3:9",
                ("assertion failed: `(a == b)`", "y.rs", 3), "w",
            ),
            (
                "E **thread 'tokio-runtime-worker' (77) panicked at C:\\x\\y.rs:3:9:\nboom**",
                ("boom", "C:\\x\\y.rs", 3), "tokio-runtime-worker",
            ),
        ],
    )  # fmt: skip
    def test_panic(self, text: str, panic: tuple[str, str, int], thread: str | None):
        frame = "\nstack backtrace:\n   0: a::b\n             at ./b.rs:1:2\n"
        crash = read(text + frame)
        assert panics(crash) == [panic]
        assert stack(crash) == [(0, "a::b", "./b.rs", 1)]
        assert crash.threads[0].name == thread
        assert panics(read(text)) == [panic]

    def test_color_eyre(self):
        crash = read(
            "The application panicked (crashed).\nMessage:  no model\nLocation: src/main.rs:7\n\n"
            "  ━━━━━━━━━━━━━━━━ SPANTRACE ━━━━━━━━━━━━━━━━\n\n"
            '   0: app::load with path="x"\n      at src/load.rs:30\n\n'
            "  ━━━━━━━━━━━━━━━━ BACKTRACE ━━━━━━━━━━━━━━━━\n"
            "                 ⋮ 7 frames hidden ⋮\n"
            "   8: app::main::h0123456789abcdef\n      at /src/main.rs:7\n"
            "                 ⋮ 11 frames hidden ⋮\n"
        )
        assert panics(crash) == [("no model", "src/main.rs", 7)]
        assert stack(crash) == [(8, "app::main::h0123456789abcdef", "/src/main.rs", 7)]
        assert crash.threads[0].frames_omitted == 18

    def test_causes_of_an_error_are_no_frames(self):
        crash = read(
            "Error: cannot load\n\nCaused by:\n    0: cannot read\n    1: No such file\n\n"
            "Stack backtrace:\n   0: anyhow::error::new\n             at /a/error.rs:5:1\n"
            "   1: app::load\n             at ./src/load.rs:9:3\n      app::main\n"
            "             at ./src/main.rs:4:1\n   2: start\n"
        )
        assert panics(crash) == [("cannot load", None, None)]
        assert stack(crash) == [
            (0, "anyhow::error::new", "/a/error.rs", 5),
            (1, "app::load", "./src/load.rs", 9),
            (2, "app::main", "./src/main.rs", 4),
            (3, "start", None, None),
        ]
        assert [f.inlined for f in crash.threads[0].frames] == [False, True, False, False]

    def test_tail_of_an_earlier_backtrace_is_not_the_crash(self):
        crash = read(
            "  25:                0x0 - <unknown>\nthread 'x' panicked at a.rs:1:2:\nboom\n"
            "stack backtrace:\n   0:     0x5501cfcf0d18 - a::b::h3692694645b1bb6a\n"
        )
        assert [t.crashed for t in crash.threads] == [False, True]

    def test_overflowed_stack_is_one_error(self):
        crash = read(
            "\nthread 'main' (5) has overflowed its stack\n"
            "fatal runtime error: stack overflow, aborting\n"
        )
        assert [(e.name, e.at.line) for e in crash.errors] == [("stack overflow", 2)]

    @pytest.mark.parametrize(
        ("text", "name"),
        [
            ("fatal runtime error: failed to initiate panic, error 5", "fatal runtime error"),
            ("memory allocation of 4294967296 bytes failed", "alloc"),
        ],
    )
    def test_other_ends(self, text: str, name: str):
        assert [(e.api, e.name) for e in read(text).errors] == [("rust", name)]

    @pytest.mark.parametrize(
        "text",
        [
            "   0: first step\n   1: second step",
            "Stack backtrace:\nnothing was recorded",
            "the thread 'main' panicked",
            "see at src/main.rs:12",
        ],
    )
    def test_nothing_of_rust(self, text: str):
        crash = read(text)
        assert (crash.threads, panics(crash)) == ((), [])


@pytest.mark.parametrize(
    ("name", "blamed"),
    [
        ("index", "main::cell"),
        ("index-full", "main::cell::h87cbc2bf76356110"),
        ("unwrap", "main::main"),
        ("display", "main::main"),
    ],
)
def test_the_program_is_blamed_and_not_the_library(name: str, blamed: str, crash_of: CrashOf):
    crash = crash_of(f"rust/{name}.stderr")
    place = crash.blamed_frame
    assert crash.threads[place.thread].frames[place.frame].function == blamed
