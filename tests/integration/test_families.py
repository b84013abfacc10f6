"""The family of crashes that no signature is asked about: what programs print, and what it is.

`families/NAME.txt` has texts of one family, parted by lines of three dashes; `none.txt` has those
that tell nothing.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from triage.diagnose import diagnose
from triage.pipeline import Analyzer, Options
from triage.resources import data_dir

FOLDER = Path(__file__).parent / "families"
CASES = [
    (path.stem, text)
    for path in sorted(FOLDER.glob("*.txt"))
    for text in path.read_text(encoding="utf-8").split("\n---\n")
]


@pytest.fixture(scope="module")
def analyzer() -> Analyzer:
    return Analyzer(Options())


@pytest.mark.parametrize(("family", "text"), CASES)
def test_family(analyzer: Analyzer, family: str, text: str) -> None:
    judged = diagnose(analyzer.read_text(text), analyzer.store)
    assert judged.family == (None if family == "none" else family)
    assert judged.family is None or judged.diagnoses or judged.family_evidence


def test_every_family_has_texts() -> None:
    families = {path.stem for path in (data_dir("signatures") / "families").glob("*.toml")}
    assert {family for family, _ in CASES} == families - {"other"} | {"none"}
