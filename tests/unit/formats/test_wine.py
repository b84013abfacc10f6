"""Wine's messages and winedbg's backtraces."""

from __future__ import annotations

import textwrap

import pytest

from triage.formats.wine import FORMAT
from triage.model.crash import Crash
from triage.read import ReadOptions, read_text

TEXT = """
wine: Unhandled page fault on read access to 0000000000000008 at address 000000014000123A (thread 0024), starting debugger...
Unhandled exception: page fault on read access to 0x0000000000000008 in 64-bit code (0x0000014000123a).
Register dump:
 rip:000000014000123a rsp:000000000011fd20 rbp:000000000011fd50
Backtrace:
=>0 0x0000014000123a compute+0x1a(p=0x8) [Z:\\src\\x.c:12] in engine (0x0000000011fd20)
  1 0x00000140001300 main+0x20() [Z:\\src\\x.c:30] in engine (0x0000000011fd60)
  2 0x0000007b62b4dd in kernel32 (+0x2b4dd) (0x0000000011fde0)
  3 0x00000017001234 RtlUserThreadStart+0x84 in ntdll (0x0000000011ffe0)
0x0000014000123a: movl (%rax),%eax
"""  # noqa: E501


def crash_of(text: str) -> Crash:
    return read_text(textwrap.dedent(text).strip("\n"), ReadOptions()).crash


def test_page_fault_and_backtrace():
    crash = crash_of(TEXT)
    assert (crash.signal.name, crash.signal.fault_address) == ("SIGSEGV", "0x0000000000000008")
    assert [(e.code, e.count) for e in crash.errors] == [(0xC0000005, 1)]
    (thread,) = crash.threads
    assert [(f.index, f.function, f.file, f.line, f.module, f.offset) for f in thread.frames] == [
        (0, "compute", "Z:\\src\\x.c", 12, "engine", "0x1a"),
        (1, "main", "Z:\\src\\x.c", 30, "engine", "0x20"),
        (2, None, None, None, "kernel32", "0x2b4dd"),
        (3, "RtlUserThreadStart", None, None, "ntdll", "0x84"),
    ]
    assert thread.frames[0].args == "p=0x8"
    assert thread.frames[0].address == "0x0000014000123a"


@pytest.mark.parametrize(
    ("words", "signal"),
    [
        ("illegal instruction at address 0x1", "SIGILL"),
        ("division by zero at address 0x1", "SIGFPE"),
        ("stack overflow at address 0x1", "SIGSEGV"),
        ("exception 0xc0000409 in thread 24 at address 0x1", None),
        ("exception 0xc000001d in thread 24 at address 0x1", "SIGILL"),
    ],
)
def test_words(words: str, signal: str | None):
    crash = crash_of(f"wine: Unhandled {words} (thread 0024), starting debugger...")
    assert len(crash.errors) == 1
    assert (crash.signal and crash.signal.name) == signal


def test_numbered_lines_without_a_mark_are_no_stack():
    assert crash_of("wine: Unhandled illegal instruction\n  1 0x00401000 x").threads == ()


def test_cut_at_any_line():
    lines = TEXT.strip("\n").split("\n")
    for end in range(1, len(lines)):
        threads = crash_of("\n".join(lines[:end])).threads
        assert sum(len(t.frames) for t in threads) == max(0, min(end - 5, 4))


def test_opens_on_the_message_alone():
    assert FORMAT.opens.match("0024:wine: Unhandled exception 0xc0000005 in thread 24")
    assert not FORMAT.opens.match("Unhandled exception: out of wine")
