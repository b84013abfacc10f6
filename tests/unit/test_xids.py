"""What is known of Xids and SXids, and the part that each plays among others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.errors import PackError
from triage.model.crash import ErrorRecord, Role
from triage.model.diagnosis import Action
from triage.xids import XidClass, known_xids, with_roles, xid_of

CAUSE, CONSEQUENCE, UNCLEAR = Role.CAUSE, Role.CONSEQUENCE, Role.UNCLEAR
CODES = sorted(code for _, code in known_xids())


def xid(code: int, message: str | None = None, role: Role = UNCLEAR) -> ErrorRecord:
    return ErrorRecord(api="xid", code=code, message=message, role=role)


def roles(errors: Sequence[ErrorRecord]) -> list[Role]:
    return [error.role for error in with_roles(errors)]


@pytest.mark.parametrize(
    ("code", "blame", "action"),
    [
        (13, XidClass.APPLICATION, Action.REPORT_UPSTREAM),
        (31, XidClass.APPLICATION, Action.REPORT_UPSTREAM),
        (43, XidClass.CLEAN_UP, Action.RESTART_PROCESS),
        (45, XidClass.CLEAN_UP, Action.COLLECT_MORE),
        (48, XidClass.HARDWARE, Action.RESET_GPU),
        (64, XidClass.HARDWARE, Action.DRAIN_AND_REPLACE),
        (74, XidClass.LINK, Action.RESET_GPU),
        (79, XidClass.HARDWARE, Action.REBOOT_HOST),
        (94, XidClass.HARDWARE, Action.RESTART_PROCESS),
        (95, XidClass.HARDWARE, Action.RESET_GPU),
        (119, XidClass.DRIVER, Action.RESET_GPU),
        (154, XidClass.NOTICE, Action.RESET_GPU),
        (20034, XidClass.LINK, Action.RESET_GPU),
        (22013, XidClass.NOTICE, Action.COLLECT_MORE),
        (23001, XidClass.LINK, Action.REBOOT_HOST),
    ],
)
def test_facts(code: int, blame: XidClass, action: Action):
    known = xid_of(xid(code))
    assert known is not None
    assert (known.code, known.blame, known.action) == (code, blame, action)
    assert known.name
    assert known.text


def test_an_application_s_fault_that_comes_back_is_the_hardware_s():
    assert {known_xids()["xid", code].repeat for code in (13, 31)} == {XidClass.HARDWARE}


def test_other_errors_and_other_numbers_are_not_known():
    assert xid_of(ErrorRecord(api="cuda", code=13)) is None
    assert xid_of(ErrorRecord(api="xid")) is None
    assert xid_of(xid(9999)) is None


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ([13, 43], [CAUSE, CONSEQUENCE]),
        ([31], [CAUSE]),
        ([45], [UNCLEAR]),
        ([43, 45], [UNCLEAR, UNCLEAR]),
        ([79, 45, 154], [CAUSE, CONSEQUENCE, CONSEQUENCE]),
        ([74, 31, 45], [CAUSE, UNCLEAR, CONSEQUENCE]),
        ([62, 45, 119, 154], [CAUSE, CONSEQUENCE, CAUSE, CONSEQUENCE]),
        ([9999, 45], [UNCLEAR, UNCLEAR]),
        ([], []),
    ],
)
def test_roles(given: list[int], wanted: list[Role]):
    assert roles([xid(code) for code in given]) == wanted


def test_what_a_line_says_of_itself_counts():
    nonfatal = xid(145, "RLW_RXPIPE Nonfatal XC0 i0 Link 13")
    assert roles([nonfatal, xid(145, "RLW_REMAP Fatal XC0 i0 Link 13")]) == [UNCLEAR, CAUSE]
    assert roles([xid(20034, "Non-fatal, Link 3"), xid(20034, "Fatal, Link 3")]) == [UNCLEAR, CAUSE]
    assert roles([xid(79, role=CONSEQUENCE), xid(45, role=CAUSE)]) == [CONSEQUENCE, CAUSE]


def test_errors_of_other_layers_are_left_alone():
    other = ErrorRecord(api="cuda", code=700)
    assert with_roles([other, xid(31)])[0] is other


@given(st.lists(st.sampled_from(CODES), max_size=8), st.randoms())
def test_roles_do_not_depend_on_the_order(codes: list[int], random: object):
    shuffled = list(codes)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    found = dict(zip(codes, roles([xid(c) for c in codes]), strict=True))
    assert found == dict(zip(shuffled, roles([xid(c) for c in shuffled]), strict=True))


@given(st.lists(st.sampled_from(CODES), max_size=8))
def test_a_consequence_has_something_that_failed_beside_it(codes: list[int]):
    found = roles([xid(code) for code in codes])
    quiet = (XidClass.CLEAN_UP, XidClass.NOTICE)
    if CONSEQUENCE in found:
        assert any(xid_of(xid(code)).blame not in quiet for code in codes)


class TestTable:
    @pytest.fixture
    def folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
        monkeypatch.setattr("triage.tables.data_dir", lambda kind: tmp_path)
        (tmp_path / "xids").mkdir()
        known_xids.cache_clear()
        yield tmp_path / "xids"
        known_xids.cache_clear()

    def test_line(self, folder: Path):
        line = "7\tlost\thardware\tcause\teach\t-\treset-gpu\tIt is lost\n"
        (folder / "xid.tsv").write_text(f"# head\n\n{line}")
        known = known_xids()["xid", 7]
        assert (known.name, known.each, known.repeat) == ("lost", True, None)

    @pytest.mark.parametrize(
        "line",
        [
            "7\tlost\thardware\tcause\teach\t-\treset-gpu",
            "x\tlost\thardware\tcause\teach\t-\treset-gpu\tIt is lost",
            "7\tlost\tfate\tcause\teach\t-\treset-gpu\tIt is lost",
            "7\tlost\thardware\tculprit\teach\t-\treset-gpu\tIt is lost",
            "7\tlost\thardware\tcause\tfew\t-\treset-gpu\tIt is lost",
            "7\tlost\thardware\tcause\teach\tfate\treset-gpu\tIt is lost",
            "7\tlost\thardware\tcause\teach\t-\tpray\tIt is lost",
        ],
    )
    def test_wrong_line_is_named(self, folder: Path, line: str):
        (folder / "xid.tsv").write_text(f"# head\n{line}\n")
        with pytest.raises(PackError, match=r"xid\.tsv:2: "):
            known_xids()
