"""Words about crashes are no crash."""

import pytest

from triage.diagnose import diagnose
from triage.model.diagnosis import Verdict
from triage.pipeline import Analyzer, Options

LINES = [
    "Ask on Stack Overflow: https://stackoverflow.com/q/1",
    '"https://stackoverflow.com/q/1/stack-overflow-in-c" "Mozilla/5.0"',
    "* fixed: illegal instruction on old CPUs (#123)",
    "- Avoid NCCL timeout",
    "INFO: CUDA out of memory was avoided by swapping",
    "ld: warning: undefined symbol: foo (ignored)",
    "configure: Unknown options are fatal again.",
    "  * Fix unexpected end of file conditions",
    "| `stack-overflow` | The stack is full |",
    "srv send_error: the request exceeds the available context size",
]


@pytest.fixture(scope="module")
def analyzer() -> Analyzer:
    return Analyzer(Options())


@pytest.mark.parametrize("line", LINES)
def test_a_mention_is_no_crash(analyzer: Analyzer, line: str):
    crash = analyzer.read_text(f"INFO start\n{line}\nINFO done")
    assert diagnose(crash, analyzer.store).verdict is Verdict.NO_CRASH


@pytest.mark.parametrize(
    "line", ["Killed", "bash: line 1: 77 Killed   ./engine", "subprocess was sent SIGKILL"]
)
def test_a_kill_alone_has_no_cause(analyzer: Analyzer, line: str):
    crash = analyzer.read_text(f"loading the model\n{line}\n")
    diagnosis = diagnose(crash, analyzer.store)
    assert (diagnosis.verdict, diagnosis.family) == (Verdict.UNKNOWN, None)
    assert any("who killed the process" in advice for advice in diagnosis.next_evidence)


@pytest.mark.parametrize(
    "more",
    [
        "[ 12.3] Out of memory: Killed process 77 (engine) total-vm:1kB, anon-rss:1kB",
        "the cgroup has reached its memory limit",
    ],
)
def test_a_kill_with_facts_about_memory_has_one(analyzer: Analyzer, more: str):
    crash = analyzer.read_text(f"loading the model\nKilled\n{more}\n")
    assert diagnose(crash, analyzer.store).family == "host-out-of-memory"
