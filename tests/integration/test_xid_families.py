"""What a report says of Xids alone, and that signatures and table agree on what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from triage.diagnose import Diagnosed, diagnose
from triage.model.diagnosis import Action, Verdict
from triage.pipeline import Analyzer, Options
from triage.signatures.rule import Signature, plain_conditions
from triage.store.packs import load_packs
from triage.xids import known_xids

RECORDING = Path(__file__).parents[2] / "fixtures/recordings/gpu/dmesg-xid.txt"
FAULT = "MMU Fault: ENGINE GRAPHICS GPC2 GPCCLIENT_{unit} faulted @ 0x0_00000000."


@pytest.fixture(scope="module")
def analyzer() -> Analyzer:
    return Analyzer(Options())


def told(analyzer: Analyzer, *lines: str) -> Diagnosed:
    text = "\n".join(f"kernel: NVRM: Xid (PCI:0000:41:00): {line}" for line in lines)
    return diagnose(analyzer.read_text(text), analyzer.store)


@pytest.mark.parametrize(
    ("lines", "family", "action"),
    [
        (["79, GPU has fallen off the bus."], "driver-or-hardware-fault", Action.REBOOT_HOST),
        (["48, pid=1, name=x, DBE"], "driver-or-hardware-fault", Action.RESET_GPU),
        (["94, pid=1, name=x, Contained: SM"], "driver-or-hardware-fault", Action.RESTART_PROCESS),
        (["64, pid=1, name=x, Row Remapper"], "driver-or-hardware-fault", Action.DRAIN_AND_REPLACE),
        (["119, pid=1, name=x, Timeout"], "driver-or-hardware-fault", Action.RESET_GPU),
        (["46, pid=1, name=x, y"], "driver-or-hardware-fault", Action.DRAIN_AND_REPLACE),
        (["145, RLW_RXPIPE Nonfatal XC0"], "driver-or-hardware-fault", Action.RESET_GPU),
        (["45, Ch 1 caused by previous Xid 79"], "driver-or-hardware-fault", Action.REBOOT_HOST),
        (["13, pid=1, name=x, Graphics Exception"], "gpu-illegal-access", Action.REPORT_UPSTREAM),
        ([f"31, pid=1, {FAULT.format(unit='T1_0')}"], "gpu-illegal-access", Action.REPORT_UPSTREAM),
        (
            [f"31, pid=1, {FAULT.format(unit='PROP_0')}"],
            "driver-or-hardware-fault",
            Action.DRAIN_AND_REPLACE,
        ),
        (
            ["79, GPU has fallen off the bus.", "13, pid=1, name=x, y", "45, pid=1, Ch 1"],
            "driver-or-hardware-fault",
            Action.REBOOT_HOST,
        ),
    ],
)
def test_family_and_action(analyzer: Analyzer, lines: list[str], family: str, action: Action):
    found = told(analyzer, *lines)
    assert (found.family, found.action) == (family, action)


def test_clean_up_alone_is_no_known_crash(analyzer: Analyzer):
    found = told(analyzer, "45, pid=4242, name=engine, Ch 00000008")
    assert found.verdict is Verdict.UNKNOWN
    assert found.family is None
    assert found.action is Action.COLLECT_MORE


def test_a_recording_of_faulting_programs_is_theirs(analyzer: Analyzer):
    crash = analyzer.read_text(RECORDING.read_text())
    found = diagnose(crash, analyzer.store)
    assert {error.code: error.role.value for error in crash.errors} == {
        13: "cause",
        31: "cause",
        43: "consequence",
    }
    assert found.family == "gpu-illegal-access"


@pytest.fixture(scope="module")
def pack() -> list[Signature]:
    return [s for s in load_packs(()).signatures if s.id.startswith("nvidia/")]


class TestPack:
    def test_what_is_confirmed_names_who_says_so(self, pack: list[Signature]):
        steps = [step for s in pack if s.remedy for step in s.remedy.steps]
        assert [s.title for s in steps if s.status == "confirmed" and not s.source] == []
        assert sum(s.status == "confirmed" for s in steps) >= 10

    def test_every_signature_can_be_acted_on_and_checked(self, pack: list[Signature]):
        assert len(pack) >= 35
        for signature in pack:
            assert signature.remedy, signature.id
            assert any(step.commands for step in signature.remedy.steps), signature.id
            assert signature.remedy.verify, signature.id
            assert signature.sources, signature.id
            assert signature.action, signature.id

    def test_a_signature_of_one_xid_advises_what_the_table_does(self, pack: list[Signature]):
        checked = 0
        for signature in pack:
            tests = [t for c in plain_conditions(signature.when) for t in c.tests]
            codes = {v for t in tests if t.field == "error.code" for v in t.values}
            apis = {v for t in tests if t.field == "error.api" for v in t.values}
            if len(signature.when) == 1 and apis == {"xid"} and len(codes) == 1:
                checked += 1
                assert signature.action is known_xids()["xid", int(codes.pop())].action
        assert checked >= 5
