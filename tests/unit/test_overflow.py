"""The signal of a stack that was full."""

import pytest

from triage.model.crash import Crash
from triage.overflow import DEEP
from triage.read import ReadOptions, read_text


def crash_of(text: str) -> Crash:
    return read_text(text, ReadOptions()).crash


def deep(last: int, function: str = "match", place: str = "rx.cpp:7") -> str:
    numbers = (last - 1, last)
    return "".join(f"#{n} 0x000055d0a1b2c400 in {function} () at {place}\n" for n in numbers)


def test_tens_of_thousands_of_calls_end_in_a_full_stack():
    crash = crash_of(deep(94_953))
    assert crash.signal
    assert (crash.signal.name, crash.signal.number) == ("SIGSEGV", 11)
    (warning,) = (w for w in crash.warnings if w.code == "signal-derived")
    assert "94,954 frames" in warning.message


@pytest.mark.parametrize(
    "text",
    [
        deep(DEEP - 1),
        deep(94_953, "abort"),
        deep(94_953, place="D:/a/rx.cpp:7"),
        'Traceback (most recent call last):\n  File "a.py", line 1, in f\n    f()\n'
        "RecursionError: maximum recursion depth exceeded\n\n" + deep(94_953),
    ],
)
def test_no_signal_where_another_end_is_likely(text: str):
    crash = crash_of(text)
    assert crash.signal is None
    assert not [w for w in crash.warnings if w.code == "signal-derived"]


def test_a_signal_that_is_stated_stays():
    crash = crash_of("Program terminated with signal SIGBUS, Bus error.\n" + deep(94_953))
    assert crash.signal
    assert crash.signal.name == "SIGBUS"
