"""Exit statuses in every spelling, and what runtimes say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.formats._ntstatus import status_of
from triage.formats.windows_runtime import FORMAT
from triage.knowledge import known_errors
from triage.read import ReadOptions, read_text

ACCESS, ILLEGAL, OVERRUN = 0xC0000005, 0xC000001D, 0xC0000409


@pytest.mark.parametrize(
    ("line", "code", "signal"),
    [
        ('msg="runner terminated" error="exit status 0xc0000005"', ACCESS, "SIGSEGV"),
        ("Process finished with exit code -1073741819 (0xC0000005)", ACCESS, "SIGSEGV"),
        ("EXIT=-1073741795 (0xc000001d)", ILLEGAL, "SIGILL"),
        ("The program '[1] a.exe' has exited with code -1073740791 (0xc0000409).", OVERRUN, None),
        ("returned non-zero exit status 3221225477.", ACCESS, "SIGSEGV"),
        ("exited with code ExitStatus(ExitStatus(3221225477))", ACCESS, "SIGSEGV"),
        ('"exitCode": 3221225725', 0xC00000FD, "SIGSEGV"),
        ("(exit code: 0xc0000005, STATUS_ACCESS_VIOLATION)", ACCESS, "SIGSEGV"),
        ("The model has crashed. (Exit code: 18446744072635809797)", ACCESS, "SIGSEGV"),
        ("process exited unexpectedly: exit_code=-2147483645", 0x80000003, "SIGTRAP"),
        ("-1073741819", ACCESS, "SIGSEGV"),
        ("OSError: exception: access violation reading 0x0000000000000010", ACCESS, "SIGSEGV"),
        ("OSError: [WinError -1073741795] Windows Error 0xc000001d", ILLEGAL, "SIGILL"),
        ("Windows fatal exception: access violation", ACCESS, "SIGSEGV"),
        ("Windows fatal exception: code 0xc0000374", 0xC0000374, None),
        ("Windows fatal exception: int divide by zero", 0xC0000094, "SIGFPE"),
        ("Exception 0xc0000005 0x0 0x10 0x7ffa191bcb12", ACCESS, "SIGSEGV"),
        ("Unhandled Exception: EXCEPTION_ACCESS_VIOLATION reading address 0x10", ACCESS, "SIGSEGV"),
        ("gdb: unknown target exception 0xc000001d at 0x7ff6a1b2", ILLEGAL, "SIGILL"),
        ("The application was unable to start correctly (0xc000007b).", 0xC000007B, None),
        (
            "The instruction at 0x7FFDB2D527E0 referenced memory at 0x00000010. The memory could not be read.",  # noqa: E501
            ACCESS,
            "SIGSEGV",
        ),
        ("*** First chance exception: C0000005.ACCESS_VIOLATION", ACCESS, "SIGSEGV"),
        ("returned 0x80070005", None, None),
        ("status: 1700000000 ok", None, None),
        ("failed with error 0x887A0005", None, None),
        ("exit status 1", None, None),
        ("the code 0xc0000005 is in prose", None, None),
        ("goroutine 1 [running]: main.f(0xc000012345)", None, None),
    ],
)
def test_one_line(line: str, code: int | None, signal: str | None):
    crash = read_text(line, ReadOptions()).crash
    assert [e.code for e in crash.errors if e.api == "ntstatus"] == ([] if code is None else [code])
    assert (crash.signal and crash.signal.name) == signal


def test_status_that_lost_its_last_digits_has_no_code():
    (error,) = read_text("(Exit code: 18446744072635812000)", ReadOptions()).crash.errors
    assert (error.api, error.code) == ("ntstatus", None)
    assert error.message == "exit code 18446744072635812000"


def test_words_behind_a_status_are_its_message():
    text = "exit status 0xc0000409: The system detected an overrun."
    (error,) = read_text(text, ReadOptions()).crash.errors
    assert error.message == "The system detected an overrun."


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("exception: access violation writing 0x000002B6F404B000", "0x000002B6F404B000"),
        ("Exception 0xc0000005 0x1 0x10 0x7ffa191bcb12", "0x10"),
        ("Exception 0xc000001d 0x0 0x0 0x7ff8729a99dd", None),
    ],
)
def test_fault_address(text: str, address: str | None):
    assert read_text(text, ReadOptions()).crash.signal.fault_address == address


def test_assertion_window_and_abort():
    crash = read_text(
        "Microsoft Visual C++ Runtime Library\nDebug Assertion Failed!\n\nProgram: C:\\engine.exe\n"
        "File: C:\\vc\\include\\vector\nLine: 1931\n\nExpression: subscript out of range\n"
        "abort() has been called",
        ReadOptions(),
    ).crash
    (error,) = crash.errors
    assert (error.name, error.file, error.line) == ("assert", "C:\\vc\\include\\vector", 1931)
    assert error.message == "Assertion `subscript out of range' failed"
    assert crash.signal.name == "SIGABRT"


CODES = sorted(code for api, code in known_errors().by_code if api == "ntstatus")


@given(st.sampled_from(CODES))
def test_property_one_code_in_every_spelling(code: int):
    signed = code - (1 << 32) if code >= 1 << 31 else code
    spellings = {hex(code), f"0x{code:08X}", str(code), str(signed), str(signed % (1 << 64))}
    assert {status_of(text) for text in spellings} == {code}


@given(st.integers(-1000, 1000))
def test_property_small_numbers_are_no_status(number: int):
    assert status_of(str(number)) is None


def test_anchors_are_in_the_lines_that_open():
    lines = [f"exit status {spelling}" for code in CODES for spelling in (hex(code), str(code))]
    lines += [f"exit status {code - (1 << 32)}" for code in CODES if code >= 1 << 31]
    for line in lines:
        assert FORMAT.opens.match(line), line
        assert any(anchor in line for anchor in FORMAT.anchors), line
