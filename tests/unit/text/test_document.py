"""Texts that somebody wrote, and texts that programs printed."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.model.diagnosis import Verdict
from triage.pipeline import Analyzer, Options
from triage.text.document import is_written_text, written_rows

ROOT = Path(__file__).parents[3]
HEALTHY = ROOT / "tests/integration/healthy"
RECORDINGS = ROOT / "fixtures/recordings"


@pytest.mark.parametrize("name", ["alert-rules.yaml", "error-table.c"])
def test_written(name: str) -> None:
    assert is_written_text((HEALTHY / name).read_text().splitlines())


@pytest.mark.parametrize(
    "path", sorted(p for p in RECORDINGS.rglob("*.log")), ids=lambda p: f"{p.parent.name}-{p.name}"
)
def test_a_log_of_a_crash_is_printed(path: Path) -> None:
    assert not written_rows(path.read_text(errors="replace").splitlines())


def test_a_source_with_the_stack_of_its_crash_is_a_report() -> None:
    lines = (HEALTHY / "error-table.c").read_text().splitlines()
    assert not is_written_text([*lines, "#0  0x0000000000401136 in explain () at table.c:10"])


def test_a_description_of_a_pod_is_printed() -> None:
    pod = [
        "containers:", "  - name: server", "    image: engine", "status:",
        "  - lastState:", "      message: CUDA error: out of memory",
    ]  # fmt: skip
    assert not is_written_text(pod)
    assert is_written_text([line for line in pod if "tate" not in line and "status" not in line])


def test_a_report_by_somebody_it_happened_to_is_no_manual() -> None:
    manual = [
        "# Help",
        "",
        "If you see this, use fewer layers:",
        "```",
        "CUDA error: x",
        "```",
        ".",
    ]
    assert is_written_text(manual)
    assert not is_written_text([*manual, "I see it with every model."])


def test_a_table_lists_other_errors_and_a_log_one_again_and_again() -> None:
    names = ["InvalidValue", "MemoryAllocation", "IllegalAddress", "Assert", "NotReady", "NoDevice"]
    table = [f"{n} cudaError{name} words" for n, name in enumerate(names)]
    assert written_rows(["heading", *table]) == frozenset(range(1, 7))
    assert not written_rows(table[:5])
    assert not written_rows([table[1]] * 6)
    assert not written_rows([part for row in table for part in (row, "-", "-", "-")])


def test_a_source_beside_a_log_does_not_win(tmp_path: Path) -> None:
    log = next(p for p in sorted(RECORDINGS.rglob("*.log")) if "oom.rel" in p.name)
    source = tmp_path / "table.c"
    source.write_text((HEALTHY / "error-table.c").read_text())
    analyzer = Analyzer(Options())
    alone, both = analyzer.analyze([str(log)]), analyzer.analyze([str(log), str(source)])
    assert both.verdict is Verdict.KNOWN
    assert both.diagnoses[0].signature == alone.diagnoses[0].signature
    assert [e.name for e in both.errors] == [e.name for e in alone.errors]


@given(st.lists(st.text('#-: a;{}()"cudaErrorX', max_size=40), max_size=30))
def test_rows_are_of_the_text(lines: list[str]) -> None:
    assert written_rows(lines) <= frozenset(range(len(lines)))


@pytest.mark.parametrize(
    "unit", ["a(", "a.", " ", "- a:", "x = ", "#include", "cudaErrorA", "if ", "[0x"]
)
def test_hostile_lines_take_linear_time(unit: str) -> None:
    line = unit * (8_000 // len(unit))
    begin = time.process_time()
    written_rows([line, f"{line};", f"{line}{{"] * 20)
    assert time.process_time() - begin < 2
