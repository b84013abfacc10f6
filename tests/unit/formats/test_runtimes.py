"""The dumps that the Swift runtime and Cosmopolitan programs print of themselves."""

from __future__ import annotations

import textwrap

import pytest

from triage.formats import cosmo, swift
from triage.model.crash import Crash
from triage.model.stack import Thread, Trust
from triage.read import ReadOptions, read_text


def crash(text: str) -> Crash:
    return read_text(textwrap.dedent(text), ReadOptions()).crash


def frames(thread: Thread) -> list[tuple[object, ...]]:
    return [(f.index, f.function, f.file, f.line, f.module) for f in thread.frames]


class TestSwift:
    PLAIN = """\
        *** Signal 11: Backtracing from 0x7ec287274b2c... done ***

        *** Program crashed: Bad pointer dereference at 0x0000000000083db8 ***

        Platform: x86_64 Linux (Ubuntu 24.04.3 LTS)

        Thread 3 "worker" crashed:

          0               0x00007ec287274b2c <unknown> in libc.so.6
          1 [ra]          0x00007ec28721b27e level1(in:) + 15 in app at /src/in x.swift:3:11
          2 [inlined] [system] 0x00007ec28721b27e static Main.$main() in app at //<compiler-generated>
        ...

        Thread 1:

        0 0x0000000000000001 __poll in libc.so.6

        Registers:

        rax 0x0000000000000000  0
        1 0x01 seen in a dump
        """  # noqa: E501

    def test_threads(self):
        crashed, other = crash(self.PLAIN).threads
        assert (crashed.id, crashed.name, crashed.crashed) == ("3", "worker", True)
        assert frames(crashed) == [
            (0, None, None, None, "libc.so.6"),
            (1, "level1(in:)", "/src/in x.swift", 3, "app"),
            (2, "static Main.$main()", None, None, "app"),
        ]
        assert [f.inlined for f in crashed.frames] == [False, False, True]
        assert (other.id, other.crashed) == ("1", False)
        assert frames(other) == [(0, "__poll", None, None, "libc.so.6")]

    def test_colours_leave_the_address_out(self):
        (thread,) = crash(
            """\
            💣 Program crashed: Illegal instruction at 0x000000000000147c

            Thread 0 crashed:

            0 level5() in app at /src/a.swift:3:11

                 1│ func level5() {
                 3│   fatalError("in here")
            1 main in app at /src/a.swift:9:1
            """
        ).threads
        assert frames(thread) == [
            (0, "level5()", "/src/a.swift", 3, "app"),
            (1, "main", "/src/a.swift", 9, "app"),
        ]

    @pytest.mark.parametrize(
        ("text", "name", "address"),
        [
            ("*** Program crashed: Bad pointer dereference at 0x10 ***", "SIGSEGV", "0x10"),
            ("*** Program crashed: System trap at 0x10 ***", "SIGTRAP", None),
            ("*** Program crashed: Aborted at 0x10 ***", "SIGABRT", None),
            ("*** Signal 4: Backtracing from 0x1... done ***", "SIGILL", None),
            (
                "* Signal 10: Backtracing...\n*** Program crashed: Bad pointer dereference at 0x1",
                "SIGBUS",
                "0x1",
            ),
        ],
    )
    def test_signal(self, text: str, name: str, address: str | None):
        signal = crash(text).signal
        assert signal
        assert (signal.name, signal.fault_address) == (name, address)

    def test_a_mention_is_none(self):
        assert not swift.FORMAT.opens.match("Program crashed: see the log")
        assert not swift.FORMAT.opens.match("*** Program crashed: no idea why")


class TestCosmopolitan:
    NAMED = """\
        error: Uncaught SIGSEGV (SEGV_MAPERR) at 0x120 on mbp.local pid 77 tid 78
         /Users/x/phi.llamafile
         No such file or directory
         Darwin Cosmopolitan 3.2.4 MODE=aarch64; Darwin Kernel Version 23.3.0
         cosmoaddr2line /Users/x/phi.llamafile 1000019a350 10000093904
         faulting address is 0000000000000120
         0000000000000000 x0 0000000000000030 x8  00000001816098e4 x16 0000100080055690 x24
         000000016d8c9680 sp 1000019a350 pc llama_sampling_accept(llama_context*, bool)+24
         000000016d8c9680 sp 10000093904 lr update_slots() (.isra.0)+6060
         000000016d8c96e0 fp 10000095458 lr NULL

        10008004-10008009 rw-pa-      6x automap 384kB w/ 128kB hole
        """

    def test_stack_with_names(self):
        got = crash(self.NAMED)
        (thread,) = got.threads
        assert (thread.tid, thread.crashed) == (78, True)
        assert [(f.index, f.function, f.address) for f in thread.frames] == [
            (0, "llama_sampling_accept(llama_context*, bool)", "0x1000019a350"),
            (1, "update_slots() (.isra.0)", "0x10000093904"),
            (2, None, "0x10000095458"),
        ]
        assert got.signal
        assert (got.signal.name, got.signal.code, got.signal.fault_address) == (
            "SIGSEGV", "SEGV_MAPERR", "0x120",
        )  # fmt: skip
        assert (got.environment.os, got.environment.arch) == ("Darwin", "aarch64")

    def test_stack_with_places(self):
        (thread,) = crash(
            """\
            error: Uncaught SIGSEGV (SEGV_MAPERR) at 0 on vm pid 3844 tid 3844
              /bin/redbean
              Linux Cosmopolitan 4.0.2 MODE=x86_64; #1 SMP
            RAX 0000000000000320 RBX 00007f09309d177c RDI 0000000000000001

            cosmoaddr2line /bin/redbean 43cbdef 43cc8f2

            0x00000000043cbdef: TlsRouteFind at net/https/certs.c:201
            0x00000000043cc8f2: ?? ??:0
            """
        ).threads
        assert frames(thread) == [
            (0, "TlsRouteFind", "net/https/certs.c", 201, None),
            (1, None, None, None, None),
        ]

    def test_addresses_alone(self):
        got = crash(
            """\
            ./llama.cpp/json.h:7: assert(it != end(x)) failed (cosmoaddr2line /x/llamafile 800061718 8000600dc)
            error: Uncaught SIGABRT (SI_TKILL) at 0x3e90008dd44 on host pid 5 tid 5
             cosmoaddr2line /x/llama file-0.9.1 18dc5b720 18db68c18
            """  # noqa: E501
        )
        (thread,) = got.threads
        assert [(f.address, f.trust) for f in thread.frames] == [
            ("0x18dc5b720", Trust.ADDRESS_ONLY), ("0x18db68c18", Trust.ADDRESS_ONLY),
        ]  # fmt: skip
        assert got.signal
        assert (got.signal.name, got.signal.fault_address) == ("SIGABRT", None)
        assert got.blamed_frame is None
        assert ("libc", "assert", "./llama.cpp/json.h", 7) in [
            (e.api, e.name, e.file, e.line) for e in got.errors
        ]

    @pytest.mark.parametrize("cut", range(12))
    def test_cut_at_any_line(self, cut: int):
        got = crash("\n".join(textwrap.dedent(self.NAMED).split("\n")[cut:]))
        assert (got.signal is None) == (cut > 0)
        assert bool(got.threads) == (cut == 0)

    def test_a_mention_is_none(self):
        assert not cosmo.FORMAT.opens.match("it says Uncaught SIGSEGV on my machine")
