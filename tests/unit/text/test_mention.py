"""What a program says, and what a sentence says that it says."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.text.mention import is_mention, is_written, quotes_first, states_failure


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("It stops with `CUDA error: out of memory` at once.", "CUDA error"),
        ("| `no kernel image is available` | build for your card |", "no kernel image"),
        ('it had died with "CUDA error: out of memory" and later again', "CUDA error"),
        ("glibc prints `free(): double free detected in tcache 2`.", "free(): double free"),
    ],
)
def test_a_mention(line: str, said: str) -> None:
    assert is_mention(line, said)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("CUDA error: out of memory", "CUDA error"),
        ('level=ERROR msg="CUDA error: out of memory" pid=7', "CUDA error"),
        ('{"level": "error", "msg": "CUDA error: out of memory"}', "CUDA error"),
        ('the worker ended with "CUDA error: out of memory"', "CUDA error"),
        ("a.cu:4: block: [0,0,0] Assertion `i < n` failed.", "Assertion"),
        ("a: a.cpp:4: f(): Assertion `n > 0' failed.", "n > 0"),
        ("called `Result::unwrap()` on an `Err` value: DriverError(2)", "DriverError"),
        ("No memory. Try increasing `gpu_memory_utilization` now.", "No memory"),
        ("`CUDA error: out of memory`", "CUDA error"),
        ("anything", ""),
        ("", "x"),
    ],
)
def test_no_mention(line: str, said: str) -> None:
    assert not is_mention(line, said)


def test_a_sentence_that_begins_with_a_quotation() -> None:
    assert quotes_first('"Killed process" in the log and exit code 137.')
    assert not quotes_first('"msg": "exit code 137"')
    assert not quotes_first("exit code 137")


@pytest.mark.parametrize(
    "line",
    [
        "ValueError: too long",
        "torch.cuda.OutOfMemoryError: CUDA out of memory.",
        "[rank0]: RuntimeError: x",
        "Error: unknown model architecture: 'foo'",
        "fatal error: concurrent map writes",
        "./app: error while loading shared libraries: libx.so",
        "llama_init_from_model: failed to initialize the context",
    ],
)
def test_a_failure_is_stated(line: str) -> None:
    assert states_failure(line)


@pytest.mark.parametrize(
    "line",
    [
        "INFO: CUDA out of memory was avoided",
        "ld: warning: undefined symbol: foo",
        "the error: none",
        "- ValueError: fixed",
        'raise ValueError("unknown model architecture");',
        "server: loaded, 0 errors",
        "",
    ],
)
def test_no_failure_is_stated(line: str) -> None:
    assert not states_failure(line)


@pytest.mark.parametrize(
    ("line", "written"),
    [
        ('    throw std::runtime_error("unknown model");', True),
        ("- Fix a crash", True),
        ("# Troubleshooting", True),
        ("| a | b |", True),
        ("use `--n-gpu-layers 10` instead", True),
        ("Try increasing `gpu_memory_utilization`.", False),
        ("error loading model: unknown model", False),
    ],
)
def test_what_is_written(line: str, written: bool) -> None:
    assert is_written(line) is written


@given(st.text(st.sampled_from('a `"(;|-:E\\'), max_size=60), st.text("a b", max_size=5))
def test_any_line_is_taken(line: str, said: str) -> None:
    for answer in (is_mention(line, said), quotes_first(line), states_failure(line)):
        assert answer in (True, False)


@pytest.mark.parametrize("unit", ["`a b", '" a', "aError.", "a.", "(`;"])
def test_a_long_line_takes_no_time(unit: str) -> None:
    line = unit * 50_000
    begin = time.perf_counter()
    for _ in range(5):
        is_mention(line, "a")
        quotes_first(line)
        states_failure(line)
        is_written(line)
    assert time.perf_counter() - begin < 1
