"""What servers print after a failure does not hide the failure."""

from __future__ import annotations

import pytest

from triage.diagnose import diagnose
from triage.model.diagnosis import Level
from triage.pipeline import Analyzer, Options
from triage.signatures.rule import Signature
from triage.store.packs import load_packs

AFTER = {
    "the API server": (
        "(APIServer pid=4200) Traceback (most recent call last):\n"
        '(APIServer pid=4200)   File "/opt/venv/lib/python3.12/site-packages/vllm/v1/engine/'
        'utils.py", line 759, in wait_for_engine_startup\n'
        "(APIServer pid=4200) RuntimeError: Engine core initialization failed. See root cause"
        " above. Failed core proc(s): {}\n"
    ),
    "the other ranks": (
        "[rank1]:[E612 11:12:09.281734912 ProcessGroupNCCL.cpp:616] [Rank 1] Watchdog caught"
        " collective operation timeout: WorkNCCL(SeqNum=808, OpType=ALLREDUCE, NumelIn=9801523,"
        " NumelOut=9801523, Timeout(ms)=600000) ran for 600020 milliseconds before timing out.\n"
    ),
}
SIGNATURES = [
    signature
    for signature in load_packs(()).signatures
    if signature.id.startswith(("pytorch/", "vllm/")) and signature.level is not Level.HINT
]


@pytest.fixture(scope="module")
def analyzer() -> Analyzer:
    return Analyzer(Options())


@pytest.mark.parametrize("who", AFTER)
def test_a_consequence_does_not_outrank_the_cause(analyzer: Analyzer, who: str) -> None:
    assert len(SIGNATURES) > 100
    hidden = [
        (signature.id, found)
        for signature in SIGNATURES
        if (found := _family(analyzer, signature, AFTER[who])) != signature.family
    ]
    assert hidden == []


def _family(analyzer: Analyzer, signature: Signature, after: str) -> str | None:
    log = next(example.log for example in signature.examples if example.matches)
    crash = analyzer.read_text(f"{log}\n{after}")
    found = diagnose(crash, analyzer.store).diagnoses
    return found[0].family if found else None
