"""Collectors' columns come off; messages stay whole."""

import pytest

from triage.text.prefix import split_prefix

MESSAGE = "[ERROR] clw-llm-crash: LLM backend failed"


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        ("engine-1  | ", {"process": "engine-1"}),
        ("2026-01-02T03:04:05.678Z stderr F ", {"time": "2026-01-02T03:04:05.678Z"}),
        ("Jan  2 03:04:05 node7 claw[812]: ", {"host": "node7", "process": "claw", "pid": 812}),
        ("2026-01-02T03:04:05+0100 node7 claw[812]: ", {"host": "node7", "pid": 812}),
        ("2026-01-02 03:04:05,123 ", {"time": "2026-01-02 03:04:05,123"}),
        ("[2026-01-02 03:04:05] ", {"time": "2026-01-02 03:04:05"}),
        ("claw-0 | 2026-01-02T03:04:05Z ", {"process": "claw-0", "time": "2026-01-02T03:04:05Z"}),
        ("[40195] ", {"pid": 40195}),
        ("(EngineCore_0 pid=77) ERROR 07-12 10:00:00 [core.py:390] ", {"process": "EngineCore_0"}),
    ],
)
def test_prefix_is_taken_apart(prefix, expected) -> None:
    found, rest = split_prefix(prefix + MESSAGE)
    assert rest == MESSAGE
    assert {k: getattr(found, k) for k in expected} == expected


@pytest.mark.parametrize(
    "line",
    [
        "#0  0x00007f in ?? () from /lib/libc.so.6",
        'Thread 1 (Thread 0x7f (LWP 678) "claw"):',
        "terminate called after throwing an instance of 'std::bad_alloc'",
        "        x = 5",
        "",
    ],
)
def test_a_message_is_left_whole(line) -> None:
    assert split_prefix(line)[1] == line
