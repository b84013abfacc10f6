"""A request that a server refuses, and what follows."""

from __future__ import annotations

import pytest

from triage.pipeline import Analyzer, Options

REFUSED = (
    "Traceback (most recent call last):\n"
    '  File "/usr/lib/python3/vllm/serving.py", line 180, in create\n'
    "ValueError: This model's maximum context length is 4096 tokens. You requested 5000 tokens.\n"
)
ANSWERED = [
    'INFO:     10.0.0.1:5000 - "POST /v1/chat/completions HTTP/1.1" 200 OK\n',
    "srv  log_server_r: done request: POST /completion 127.0.0.1 200\n",
    '[GIN] 2026/11/24 - 10:00:00 | 200 |  1.2s |  127.0.0.1 | POST     "/api/generate"\n',
]


@pytest.fixture(scope="module")
def analyzer() -> Analyzer:
    return Analyzer(Options())


@pytest.mark.parametrize("answered", ANSWERED)
def test_a_server_that_answers_afterwards_did_not_fail(analyzer: Analyzer, answered: str) -> None:
    crash = analyzer.read_text(REFUSED + answered)
    assert (crash.errors, crash.threads, crash.lines) == ((), (), ())


@pytest.mark.parametrize("after", ["", ANSWERED[0].replace("200 OK", "500")])
def test_one_that_does_not_may_have(analyzer: Analyzer, after: str) -> None:
    assert analyzer.read_text(ANSWERED[0] + REFUSED + after).errors


def test_what_is_no_refusal_is_a_failure(analyzer: Analyzer) -> None:
    text = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB\n"
    assert analyzer.read_text(text + ANSWERED[0]).errors
