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
