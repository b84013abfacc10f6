"""minidump-stackwalk's reports in all of their forms."""

from __future__ import annotations

import json
import textwrap

import pytest

from triage.formats import Region
from triage.formats.minidump import FORMAT
from triage.model.crash import Fragment
from triage.model.stack import Thread, Trust
from triage.read import ReadOptions, read_text
from triage.text.line import Line


def read(text: str) -> Fragment:
    lines = textwrap.dedent(text).strip("\n").split("\n")
    return FORMAT.read(Region(tuple(Line(n, line) for n, line in enumerate(lines, 1))))


def frames(thread: Thread) -> list[tuple[object, ...]]:
    return [(f.index, f.function, f.file, f.line, f.module, f.inlined) for f in thread.frames]


HUMAN = """
Operating system: Linux
                  6.1.0 #1 SMP
CPU: amd64
     family 6 model 70 stepping 1
     8 CPUs

Crash reason:  SIGSEGV / SEGV_MAPERR
Crash address: 0x0000000000000010
Process uptime: 3 seconds

Thread 2 worker (crashed) - tid: 4611
 0  libengine.so!dot<float>(float const*, int) [vec.h : 12]
    Found by: inlining
 1  libengine.so!operator!= [ops.cpp : 71 + 0x4]
     rax = 0x0000000000000000    rdx = 0x0000000000000001
    Found by: given as instruction pointer in context
 2  libengine.so + 0x1234
    Found by: stack scanning
 3  0x7f0000001234
    Found by: call frame info

Thread 0 main - tid: 4610
 0  libc.so.6!poll + 0x4f
     rax = 0x0000000000000000
    Found by: given as instruction pointer in context

Thread 1  - tid: 4612
<no frames>

Loaded modules:
0x00400000 - 0x0042cfff  engine  ???  (main)
0x7f000000 - 0x7f0fffff  libengine.so  1.2.3  (WARNING: No symbols, libengine.so, 0)

Unloaded modules:
0x00a003a0 - 0x00a0139f  unused.so
"""


class TestForPeople:
    def test_threads(self):
        crashed, main = read(HUMAN).threads
        assert (crashed.id, crashed.tid, crashed.name, crashed.crashed) == (
            "2", 4611, "worker", True,
        )  # fmt: skip
        assert (main.id, main.tid, main.name, main.crashed) == ("0", 4610, "main", False)
        assert frames(crashed) == [
            (0, "dot<float>(float const*, int)", "vec.h", 12, "libengine.so", True),
            (1, "operator!=", "ops.cpp", 71, "libengine.so", False),
            (2, None, None, None, "libengine.so", False),
            (3, None, None, None, None, False),
        ]
        assert [(f.offset, f.address, f.at.line) for f in crashed.frames] == [
            (None, None, 12),
            (None, None, 14),
            ("0x1234", None, 17),
            (None, "0x7f0000001234", 19),
        ]
        assert [f.trust for f in crashed.frames] == [
            Trust.DEBUG_INFO, Trust.DEBUG_INFO, Trust.ADDRESS_ONLY, Trust.ADDRESS_ONLY,
        ]  # fmt: skip
        assert main.frames[0].offset == "0x4f"

    def test_signal_system_and_modules(self):
        fragment = read(HUMAN)
        signal = fragment.signal
        assert (signal.name, signal.code, signal.fault_address, signal.at.line) == (
            "SIGSEGV", "SEGV_MAPERR", "0x0000000000000010", 7,
        )  # fmt: skip
        environment = fragment.environment
        assert (environment.os, environment.arch) == ("Linux 6.1.0 #1 SMP", "amd64")
        assert [(m.name, m.version, m.symbols) for m in fragment.modules] == [
            ("engine", None, None),
            ("libengine.so", "1.2.3", "missing"),
        ]

    def test_frames_of_unloaded_modules(self):
        (thread,) = read(
            """
            Thread 0  - tid: 4660
             0  0xf00800 (unloaded a.dll@0x460|0x700) (unloaded b.dll@0x5e0)
                Found by: given as instruction pointer in context
             1  0xf00900 (unloaded b.dll@0x6e0)
                Found by: stack scanning
            """
        ).threads
        assert [(f.module, f.offset, f.address) for f in thread.frames] == [
            (None, None, "0xf00800"),
            ("b.dll", "0x6e0", "0xf00900"),
        ]
        assert not thread.crashed

    @pytest.mark.parametrize(
        ("reason", "name", "error"),
        [
            ("SIGSEGV", "SIGSEGV", None),
            ("SIGSEGV /SEGV_ACCERR", "SIGSEGV", None),
            ("SIGABRT / SI_TKILL", "SIGABRT", None),
            ("EXC_BAD_ACCESS / KERN_INVALID_ADDRESS", "SIGSEGV", None),
            ("EXC_BAD_ACCESS / KERN_PROTECTION_FAILURE", "SIGBUS", None),
            ("EXC_BAD_INSTRUCTION / EXC_I386_INVOP", "SIGILL", None),
            ("EXC_CRASH / SIGABRT / 0x00000000", "SIGABRT", None),
            ("EXC_GUARD / x", None, None),
            ("EXCEPTION_ACCESS_VIOLATION_WRITE", "SIGSEGV", "STATUS_ACCESS_VIOLATION"),
            ("EXCEPTION_ILLEGAL_INSTRUCTION", "SIGILL", "STATUS_ILLEGAL_INSTRUCTION"),
            ("EXCEPTION_INT_DIVIDE_BY_ZERO", "SIGFPE", "STATUS_INTEGER_DIVIDE_BY_ZERO"),
            ("EXCEPTION_FLT_OVERFLOW", "SIGFPE", "STATUS_FLOAT_OVERFLOW"),
            ("EXCEPTION_STACK_OVERFLOW", "SIGSEGV", "STATUS_STACK_OVERFLOW"),
            ("STATUS_STACK_BUFFER_OVERRUN / x", None, "STATUS_STACK_BUFFER_OVERRUN"),
        ],
    )
    def test_reasons(self, reason: str, name: str | None, error: str | None):
        fragment = read(f"Crash reason:  {reason}\nCrash address: 0x10")
        assert (fragment.signal and fragment.signal.name) == name
        assert [e.name for e in fragment.errors] == ([error] if error else [])

    def test_cut_at_any_line(self):
        lines = HUMAN.strip("\n").split("\n")
        for end in range(len(lines)):
            for thread in read("\n".join(lines[:end])).threads:
                assert frames(thread) == [
                    frame
                    for whole in read(HUMAN).threads
                    if whole.id == thread.id
                    for frame in frames(whole)
                ][: len(thread.frames)] or end in (12, 13)  # inlining is said a line later


PIPES = """
OS|Linux|6.1.0
CPU|amd64|family 6 model 70 stepping 1|8
GPU|||
Crash|SIGABRT|0x1234|1
Module|engine||engine|ABC|0x00400000|0x0042cfff|1

1|0|libengine.so|fail(int)|/src/fail.cpp|12|0x4
1|1|libengine.so||||0x1234
1|2|||||0x7f00
0|0|libc.so.6|poll|||0x4f
"""


def test_pipes():
    fragment = read(PIPES)
    assert (fragment.signal.name, fragment.signal.at.line) == ("SIGABRT", 4)
    crashed, other = fragment.threads
    assert (crashed.id, crashed.crashed, other.id, other.crashed) == ("1", True, "0", False)
    assert frames(crashed) == [
        (0, "fail(int)", "/src/fail.cpp", 12, "libengine.so", False),
        (1, None, None, None, "libengine.so", False),
        (2, None, None, None, None, False),
    ]
    assert [(f.offset, f.address) for f in crashed.frames] == [
        ("0x4", None), ("0x1234", None), (None, "0x7f00"),
    ]  # fmt: skip


REPORT = {
    "crash_info": {
        "address": "0x0000000000000010",
        "crashing_thread": 1,
        "type": "SIGSEGV / SEGV_MAPERR",
    },
    "modules": [{"base_addr": "0x1", "filename": "libengine.so", "missing_symbols": True}],
    "status": "OK",
    "system_info": {"cpu_arch": "amd64", "os": "Linux", "os_ver": "6.1"},
    "threads": [
        {"frames": [{"frame": 0, "function": "poll", "trust": "cfi"}], "thread_name": "main"},
        {
            "frames": [
                {
                    "file": "/src/ops.cpp",
                    "frame": 0,
                    "function": "compute",
                    "inlines": [{"file": "/src/vec.h", "function": "dot", "line": 3}],
                    "line": 12,
                    "module": "libengine.so",
                    "module_offset": "0x1f",
                    "offset": "0x00007f00",
                },
                {"frame": 1, "module": None, "unloaded_modules": [{"module": "gone.so"}]},
            ],
            "thread_id": 42,
        },
    ],
}


class TestJson:
    @pytest.mark.parametrize("indent", [None, 1, 2, "\t"])
    def test_whole(self, indent: int | str | None):
        fragment = read(json.dumps(REPORT, indent=indent))
        crashed, other = fragment.threads
        assert (crashed.id, crashed.tid, crashed.crashed) == ("1", 42, True)
        assert (other.id, other.name, other.crashed) == ("0", "main", False)
        assert frames(crashed) == [
            (0, "dot", "/src/vec.h", 3, "libengine.so", True),
            (1, "compute", "/src/ops.cpp", 12, "libengine.so", False),
            (2, None, None, None, "gone.so", False),
        ]
        signal = fragment.signal
        assert (signal.name, signal.code, signal.fault_address) == (
            "SIGSEGV", "SEGV_MAPERR", "0x0000000000000010",
        )  # fmt: skip
        assert (fragment.environment.os, fragment.environment.arch) == ("Linux 6.1", "amd64")
        assert fragment.warnings == ()

    def test_frames_stand_where_they_are_printed(self):
        text = json.dumps(REPORT, indent=2)
        lines = text.split("\n")
        for thread in read(text).threads:
            for frame in thread.frames:
                at = frame.at.line - 1
                assert lines[at].strip() == "{"
                if frame.function:
                    assert any(f'"{frame.function}"' in line for line in lines[at : at + 12])

    @pytest.mark.parametrize("indent", [None, 2])
    def test_cut_off_anywhere(self, indent: int | None):
        text = json.dumps(REPORT, indent=indent)
        for end in range(150, len(text) - 1, 7):
            fragment = read(text[:end])
            assert [w.code for w in fragment.warnings] == ["minidump-damaged"], end
            assert fragment.signal.name == "SIGSEGV"

    def test_as_socorro_keeps_it(self):
        fragment = read(json.dumps({"uuid": "1", "json_dump": REPORT}))
        assert [t.id for t in fragment.threads] == ["1", "0"]

    def test_other_json_is_not_ours(self):
        text = json.dumps({"system_info": {"os": "Linux"}, "threads": [{"id": 1}]}, indent=2)
        assert read_text(text, ReadOptions()).inputs[0].dialects == ()
