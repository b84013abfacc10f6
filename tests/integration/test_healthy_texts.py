"""Logs of runs that went well, and words about crashes: none is a crash, known, or of a family."""

from __future__ import annotations

from pathlib import Path

import pytest

from triage.model.diagnosis import Verdict
from triage.pipeline import Analyzer, Options

TEXTS = sorted((Path(__file__).parent / "healthy").iterdir())


@pytest.fixture(scope="module")
def analyzer() -> Analyzer:
    return Analyzer(Options())


def test_there_are_enough() -> None:
    assert len(TEXTS) >= 60


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_healthy(analyzer: Analyzer, path: Path) -> None:
    report = analyzer.analyze([str(path)])
    said = [(e.api, e.message, e.at.line if e.at else None) for e in report.errors]
    assert (report.verdict, report.family, said) == (Verdict.NO_CRASH, None, [])
