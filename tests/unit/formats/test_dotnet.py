""".NET's traces."""

from __future__ import annotations

import textwrap

import pytest

from triage.formats.dotnet import FORMAT
from triage.model.crash import Crash
from triage.read import ReadOptions, read_text

INNER = """
Unhandled exception. System.TypeInitializationException: The type initializer threw an exception.
 ---> System.DllNotFoundException: Unable to load 'engine'
   at Engine.Native.NativeApi.empty_call()
   at Engine.Native.NativeApi..cctor() in C:\\src\\NativeApi.cs:line 25
   --- End of inner exception stack trace ---
   at Engine.Native.NativeApi.max_devices()
   at Program.Main(String[] args) in C:\\src\\Program.cs:line 7
"""


def crash_of(text: str) -> Crash:
    return read_text(textwrap.dedent(text).strip("\n"), ReadOptions()).crash


def test_the_cause_comes_first():
    crash = crash_of(INNER)
    assert [(e.api, e.name) for e in crash.errors] == [
        ("dotnet", "System.TypeInitializationException"),
        ("dotnet", "System.DllNotFoundException"),
    ]
    assert crash.errors[1].message == "Unable to load 'engine'"
    inner, outer = crash.threads
    assert [(f.function, f.file, f.line) for f in inner.frames] == [
        ("Engine.Native.NativeApi.empty_call()", None, None),
        ("Engine.Native.NativeApi..cctor()", "C:\\src\\NativeApi.cs", 25),
    ]
    assert (inner.crashed, outer.crashed) == (True, False)
    assert outer.frames[1].function == "Program.Main(String[] args)"


def test_other_languages():
    crash = crash_of(
        """
        Unhandled exception. System.Exception: kaputt
           bei Engine.Run(Int32 n) in C:\\src\\Engine.cs:Zeile 25.
           bei Program.Main()
        """
    )
    assert [f.function for f in crash.threads[0].frames] == [
        "Engine.Run(Int32 n)", "Program.Main()",
    ]  # fmt: skip
    assert crash.threads[0].frames[0].line == 25


@pytest.mark.parametrize(
    ("line", "name", "signal"),
    [
        (
            "Fatal error. System.AccessViolationException: Attempted to read protected memory.",
            "System.AccessViolationException",
            "SIGSEGV",
        ),
        ("Stack overflow.", "System.StackOverflowException", "SIGSEGV"),
        ("Unhandled Exception: System.IO.IOException: gone", "System.IO.IOException", None),
        ("Process terminated. Assertion failed.", None, None),
        ("Exception Info: System.NullReferenceException", "System.NullReferenceException", None),
    ],
)
def test_headings(line: str, name: str | None, signal: str | None):
    crash = crash_of(line + "\n   at Engine.Run()\nRepeat 2 times:\n--------\n   at Engine.Go()")
    (error,) = crash.errors
    assert (error.api, error.name) == ("dotnet", name)
    assert (crash.signal and crash.signal.name) == signal
    assert [f.function for f in crash.threads[0].frames] == ["Engine.Run()", "Engine.Go()"]


def test_native_exception_of_a_managed_program():
    crash = crash_of("Exception Info: exception code c0000005, exception address 00007FFA1C238F90")
    assert [(e.api, e.code) for e in crash.errors] == [("ntstatus", 0xC0000005)]


def test_cut_at_any_line():
    lines = INNER.strip("\n").split("\n")
    for end in range(1, len(lines)):
        crash = crash_of("\n".join(lines[:end]))
        assert len(crash.errors) == min(end, 2)
        found = sum(len(t.frames) for t in crash.threads)
        assert found == sum("   at " in line for line in lines[:end])


@pytest.mark.parametrize(
    "line",
    ["Unhandled exception in the worker: retrying", "\tat com.example.Main.run(Main.java:12)"],
)
def test_not_ours(line: str):
    assert not FORMAT.opens.match(line)
