"""Visual Studio's and WinDbg's texts."""

from __future__ import annotations

import textwrap

import pytest

from triage.formats import Region
from triage.formats.windows import FORMAT
from triage.model.crash import Fragment
from triage.model.stack import Thread
from triage.read import ReadOptions, read_text
from triage.text.line import Line


def read(text: str) -> Fragment:
    lines = textwrap.dedent(text).strip("\n").split("\n")
    return FORMAT.read(Region(tuple(Line(n, line) for n, line in enumerate(lines, 1))))


def frames(thread: Thread) -> list[tuple[object, ...]]:
    return [(f.index, f.module, f.function, f.file, f.line, f.offset) for f in thread.frames]


def facts(fragment: Fragment) -> list[tuple[object, ...]]:
    return [(e.api, e.code, e.name) for e in fragment.errors]


class TestVisualStudio:
    TEXT = (
        "Exception thrown at 0x00007FFA1C238F90 (runtime.dll) in engine.exe: 0xC0000005: "
        "Access violation reading location 0x0000000000000010.\n"
        "\n"
        " \truntime.dll!00007ffa1c238f90()\tUnknown\n"
        ">\tengine.dll!std::vector<int,std::allocator<int>>::at(const unsigned __int64 _Pos) "
        "Line 1931\tC++\n"
        " \t[Inline Frame] engine.dll!dot(int x) Line 3\tC++\n"
        " \t[External Code]\t\n"
        " \tengine.exe!main(int argc, char * * argv) Line 55 + 0x12 bytes\tC++\n"
        " \tkernel32.dll!BaseThreadInitThunk()\tUnknown\n"
    )

    def test_stack(self):
        (thread,) = read(self.TEXT).threads
        assert frames(thread) == [
            (0, "runtime.dll", None, None, None, None),
            (
                1,
                "engine.dll",
                "std::vector<int,std::allocator<int>>::at(const unsigned __int64 _Pos)",
                None,
                1931,
                None,
            ),
            (2, "engine.dll", "dot(int x)", None, 3, None),
            (3, "engine.exe", "main(int argc, char * * argv)", None, 55, None),
            (4, "kernel32.dll", "BaseThreadInitThunk()", None, None, None),
        ]
        assert thread.crashed
        assert thread.frames[0].address == "0x00007ffa1c238f90"
        assert [f.inlined for f in thread.frames] == [False, False, True, False, False]
        assert [f.at.line for f in thread.frames] == [3, 4, 5, 7, 8]

    def test_spaces_for_tabs(self):
        (thread,) = read(self.TEXT.replace("\t", "    ")).threads
        assert frames(thread) == frames(read(self.TEXT).threads[0])

    @pytest.mark.parametrize(
        ("line", "signal", "errors"),
        [
            (
                "Unhandled exception at 0x1 (a.dll) in a.exe: 0xC000001D: Illegal Instruction.",
                "SIGILL",
                [("ntstatus", 0xC000001D, "STATUS_ILLEGAL_INSTRUCTION")],
            ),
            (
                "Unhandled exception at 0x1 (a.dll): 0xC0000094: Integer division by zero.",
                "SIGFPE",
                [("ntstatus", 0xC0000094, "STATUS_INTEGER_DIVIDE_BY_ZERO")],
            ),
            (
                "Unhandled exception at 0x1 in a: Microsoft C++ exception: E at memory location 0",
                None,
                [("cxx", None, "E")],
            ),
            (
                "Exception thrown at 0x1 in a: Microsoft C++ exception: E at memory location 0",
                None,
                [],
            ),
            (
                "Exception thrown at 0x1 (a.dll) in a.exe: 0xE06D7363: Microsoft C++ Exception.",
                None,
                [],
            ),
            (
                "Unhandled exception at 0x1 (a.dll) in a.exe: Fatal program exit requested.",
                "SIGABRT",
                [("ntstatus", 0x40000015, "STATUS_FATAL_APP_EXIT")],
            ),
            (
                "Exception thrown: read access violation.",
                "SIGSEGV",
                [("ntstatus", 0xC0000005, "STATUS_ACCESS_VIOLATION")],
            ),
            ("Exception thrown: 'System.Exception' in a.dll", None, []),
        ],
    )
    def test_what_it_says(self, line: str, signal: str | None, errors: list[tuple[object, ...]]):
        fragment = read(line)
        assert (fragment.signal and fragment.signal.name) == signal
        assert facts(fragment) == errors

    def test_as_visual_studio_code_copies_it(self):
        (thread,) = read(
            """
            driver.dll!00007ffd6f9b8e9a() (Unknown Source:0)
            engine.dll!run(int n) Line 16 (c:\\src (x86)\\a.hpp:16)
            engine.dll!main() Line 7 (c:\\src\\a.cpp:7)
            """
        ).threads
        assert frames(thread) == [
            (0, "driver.dll", None, None, None, None),
            (1, "engine.dll", "run(int n)", "c:\\src (x86)\\a.hpp", 16, None),
            (2, "engine.dll", "main()", "c:\\src\\a.cpp", 7, None),
        ]

    def test_fault_address(self):
        assert read(self.TEXT).signal.fault_address == "0x0000000000000010"


class TestWindbg:
    ANALYSIS = """
        EXCEPTION_RECORD:  (.exr -1)
        ExceptionAddress: 00007ffddb2d527e (ucrtbase!abort+0x000000000000004e)
           ExceptionCode: c0000409 (Security check failure or stack buffer overrun)
        Subcode: 0x7 FAST_FAIL_FATAL_APP_EXIT

        ERROR_CODE: (NTSTATUS) 0xc0000409 - The system detected an overrun
        STACK_TEXT:
        00000059`ffbbcd30 00007ffd`d3c0aaaa     : 00000178`30000000 00000000`00000003 : ucrtbase!abort+0x4e
        00000059`ffbbcd60 00007ffd`d3c0bbbb     : 00000178`30000000 00000000`00000003 : base!fail+0x123 [D:\\a\\b\\base.c @ 210]
        (Inline Function) --------`--------     : --------`-------- --------`-------- : base!std::vector<int>::push+0x3 [C:\\vc\\vector @ 12]
        00000059`ffbbce60 00000000`00000000     : 00000178`30000000 00000000`00000003 : engine+0x1234

        FAILURE_BUCKET_ID:  FAIL_FAST_FATAL_APP_EXIT_c0000409_base.dll!fail
        """  # noqa: E501

    def test_analysis(self):
        fragment = read(self.ANALYSIS)
        (thread,) = fragment.threads
        assert frames(thread) == [
            (0, "ucrtbase", "abort", None, None, "0x4e"),
            (1, "base", "fail", "D:\\a\\b\\base.c", 210, "0x123"),
            (2, "base", "std::vector<int>::push", "C:\\vc\\vector", 12, "0x3"),
            (3, "engine", None, None, None, "0x1234"),
        ]
        assert [f.inlined for f in thread.frames] == [False, False, True, False]
        assert facts(fragment) == [("ntstatus", 0xC0000409, "STATUS_STACK_BUFFER_OVERRUN")]
        assert fragment.signal.name == "SIGABRT"

    def test_fail_fast_without_a_reason_is_no_signal(self):
        fragment = read("   ExceptionCode: c0000409 (Security check failure)")
        assert fragment.signal is None
        assert facts(fragment) == [("ntstatus", 0xC0000409, "STATUS_STACK_BUFFER_OVERRUN")]

    def test_every_thread(self):
        fragment = read(
            """
            (1a2c.1b2c): Access violation - code c0000005 (!!! second chance !!!)
            .  0  Id: 1a2c.1b2c Suspend: 1 Teb: 00000000`003d1000 Unfrozen "main"
             # Child-SP          RetAddr               Call Site
            00 00000000`0012f8a0 00007ffd`12345678     ntdll!NtWaitForSingleObject+0x14
            01 00000000`0012f8b0 00007ffd`12345679     KERNELBASE!WaitForSingleObjectEx+0x8e
            #  1  Id: 1a2c.1b30 Suspend: 1 Teb: 00000000`003d3000 Unfrozen
             # Child-SP          RetAddr               Call Site
            00 00000000`0022f8a0 00007ffd`12345678     engine!compute+0x14 [c:\\src\\ops.c @ 77]
            01 (Inline Function) --------`--------     engine!dot+0x2
            02 00000000`0022f8b0 00007ffd`12345679     0x00007ffd`00001234
            """
        )
        first, second = fragment.threads
        assert (first.id, first.tid, first.name, first.crashed) == ("0", 0x1B2C, "main", False)
        assert (second.id, second.tid, second.crashed) == ("1", 0x1B30, True)
        assert [f.function for f in second.frames] == ["compute", "dot", None]
        assert fragment.signal.name == "SIGSEGV"

    def test_32_bit_with_arguments(self):
        (thread,) = read(
            """
            ChildEBP RetAddr  Args to Child
            0012f8a4 7c90e9c0 00000001 00000002 00000003 app!fail+0x12 [c:\\app\\main.cpp @ 12]
            WARNING: Stack unwind information not available. Following frames may be wrong.
            0012f8b4 7c90e9c1 00000001 00000002 00000003 app!main+0x1 (FPO: [Non-Fpo])
            """
        ).threads
        assert frames(thread) == [
            (0, "app", "fail", "c:\\app\\main.cpp", 12, "0x12"),
            (1, "app", "main", None, None, "0x1"),
        ]

    def test_stack_window(self):
        (thread,) = read(
            """
            [0x0]   engine!lock+0x9c   0x3bb45bc960   0x7ffca179c8d0
            [0x1]   engine+0x3b211   0x3bb45bc9f0   0x7ffca171c79a
            """
        ).threads
        assert frames(thread) == [
            (0, "engine", "lock", None, None, "0x9c"),
            (1, "engine", None, None, None, "0x3b211"),
        ]

    def test_stop_code(self):
        fragment = read(
            """
            VIDEO_TDR_FAILURE (116)
            Attempt to reset the display driver and recover from timeout failed.
            Arg1: ffffb50c1f5a3010, Optional pointer
            BUGCHECK_CODE:  116
            """
        )
        assert facts(fragment) == [("kernel", 0x116, "VIDEO_TDR_FAILURE")]

    def test_disassembly_is_no_stack(self):
        assert read("00007ffd`12345678 488b4860  mov     rax,qword ptr [a!b+0x1 (1)]").threads == ()


def test_llvm_on_windows():
    (thread,) = read(
        """
        0x00007FFFA52E98D5, C:\\x y\\engine.dll(0x00007FFFA3FB0000) + 0x13398D5 byte(s), ?f@a@@YAX@Z() + 0x3 byte(s)
        0x00007FFFA52BB03E (0x1 0x2), C:\\x\\a.exe(0x00007FFFA3FB0000) + 0x130B03E byte(s), main() + 0xEA byte(s), c:\\a.cpp, line 12 + 0x5 byte(s)
        """  # noqa: E501
    ).threads
    assert frames(thread) == [
        (0, "C:\\x y\\engine.dll", "?f@a@@YAX@Z", None, None, "0x13398D5"),
        (1, "C:\\x\\a.exe", "main", "c:\\a.cpp", 12, "0x130B03E"),
    ]


def test_unreal_engine():
    (thread,) = read(
        """
        LogWindows: [Callstack] 0x00007ff6a1b2c3d4 Game.exe!FFoo::Bar() [D:\\src\\Foo.cpp:123]
        LogWindows: [Callstack] 0x00007ff6a1b2c3d5 KERNEL32.DLL!UnknownFunction []
        """
    ).threads
    assert frames(thread) == [
        (0, "Game.exe", "FFoo::Bar()", "D:\\src\\Foo.cpp", 123, None),
        (1, "KERNEL32.DLL", None, None, None, None),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "the bug is in engine.dll!compute, they say",
        "loading engine.dll",
        "'engine.exe' (Win32): Loaded 'C:\\Windows\\System32\\ntdll.dll'.",
    ],
)
def test_prose_is_not_ours(line: str):
    assert read_text(line, ReadOptions()).crash.threads == ()


def test_frames_of_sanitizers_are_not_ours():
    assert not FORMAT.opens.match("    #1 0x7ff6 in engine.dll!f")
