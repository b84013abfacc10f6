"""`clawtriage feedback`, through reports on real texts and a database in a temporary folder."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from triage.cli.app import run
from triage.errors import StoreError
from triage.model.diagnosis import Feedback
from triage.store.feedback import Opinion, keep, read_feedback
from triage.store.schema import APPLICATION_ID

ROOT = Path(__file__).resolve().parents[2]
LOG = ROOT / "fixtures/recordings/cpu/kv-overflow/engine.log"


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def run_it(*arguments: object) -> tuple[int, str, str]:
        code = run(list(map(str, arguments)))
        return code, *capfd.readouterr()

    return run_it


@pytest.fixture
def report(tmp_path: Path, call) -> Path:
    _, out, _ = call("analyze", LOG, "--format", "json")
    path = tmp_path / "report.json"
    path.write_text(out)
    return path


def test_what_was_said_is_kept_and_shown(report: Path, tmp_path: Path, call) -> None:
    db = tmp_path / "said.db"
    first = json.loads(report.read_text())["diagnoses"][0]["signature"]
    code, out, _ = call("feedback", report, "--right", "--db", db)
    assert (code, out) == (0, f"{first}: of 1 report 1 said right\n")
    keep(db, [Opinion(report=f"r{n}", signature=first, right=n < 11) for n in range(13)])
    _, out, _ = call("analyze", LOG, "--db", db)
    assert "of 14 reports 12 said right" in out
    _, out, _ = call("analyze", LOG, "--db", db, "--format", "markdown")
    assert "of 14 reports 12 said right" in out
    _, out, _ = call("analyze", LOG, "--db", db, "--format", "json")
    assert json.loads(out)["diagnoses"][0]["feedback"] == {"right": 12, "wrong": 2}


def test_what_is_said_again_takes_the_place(report: Path, tmp_path: Path, call) -> None:
    db = tmp_path / "said.db"
    call("feedback", report, "--right", "--db", db)
    _, out, _ = call("feedback", report, "--wrong", "--db", db)
    assert out.endswith("of 1 report 0 said right\n")


def test_what_fixed_it_says_that_the_first_was_wrong(report: Path, tmp_path: Path, call) -> None:
    db = tmp_path / "said.db"
    first = json.loads(report.read_text())["diagnoses"][0]["signature"]
    assert call("feedback", report, "--fixed-by", "ggml/cuda-oom", "--db", db)[0] == 0
    assert read_feedback(db) == {
        "ggml/cuda-oom": Feedback(right=1, wrong=0),
        first: Feedback(right=0, wrong=1),
    }
    code, _, err = call("feedback", report, "--fixed-by", "ggml/cuda-om", "--db", db)
    assert (code, "did you mean ggml/cuda-oom" in err) == (2, True)


def test_a_line_of_a_batch_is_a_report_too(report: Path, tmp_path: Path, call) -> None:
    line = tmp_path / "line.json"
    line.write_text(json.dumps({"upload": "u", "report": json.loads(report.read_text())}))
    assert call("feedback", line, "--right", "--db", tmp_path / "said.db")[0] == 0


@pytest.mark.parametrize("text", ["", "no json", "[]", '{"schema": 7}', "[" * 100_000])
def test_what_is_no_report_is_named(text: str, tmp_path: Path, call) -> None:
    path = tmp_path / "odd.json"
    path.write_text(text)
    code, _, err = call("feedback", path, "--right", "--db", tmp_path / "said.db")
    assert (code, "odd.json is no report in JSON" in err) == (3, True)


def test_one_thing_has_to_be_said(report: Path, tmp_path: Path, call) -> None:
    assert call("feedback", report)[0] == 2
    code, _, _ = call("feedback", report, "--right", "--fixed-by", "ggml/cuda-oom")
    assert code == 2


def test_a_report_without_a_diagnosis(tmp_path: Path, call) -> None:
    path = tmp_path / "unknown.json"
    path.write_text('{"schema": "clawtriage/report/1", "verdict": "unknown", "inputs": []}')
    code, _, err = call("feedback", path, "--right", "--db", tmp_path / "said.db")
    assert (code, "--fixed-by ID" in err) == (2, True)


def test_a_database_of_another_program_is_left_alone(report: Path, tmp_path: Path, call) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    code, _, err = call("feedback", report, "--right", "--db", path)
    assert (code, "database of another program" in err) == (6, True)
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("theirs",)]


def test_a_damaged_file_stops_no_analysis(tmp_path: Path, call, monkeypatch) -> None:
    monkeypatch.setenv("CLAWTRIAGE_DATA_DIR", str(tmp_path))
    (tmp_path / "feedback.db").write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    code, out, _ = call("analyze", LOG)
    assert code == 0
    assert "what was said of earlier reports cannot be read" in out
    with pytest.raises(StoreError):
        keep(tmp_path / "feedback.db", [])


def test_the_compiled_signatures_and_what_was_said_share_a_file(tmp_path: Path, call) -> None:
    db = tmp_path / "both.db"
    call("analyze", LOG, "--db", db)
    keep(db, [Opinion(report="r", signature="openclaw/kv-cache-overflow", right=True)])
    call("analyze", LOG, "--db", db)
    assert read_feedback(db)["openclaw/kv-cache-overflow"].right == 1
    with sqlite3.connect(db) as connection:
        assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
