from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator

from tests.strategies import reports
from tests.unit.render.samples import KNOWN, SAMPLES
from triage.model.jsonform import from_json, report_schema, to_json
from triage.model.report import Report

_DOCS = Path(__file__).parents[3] / "docs" / "reference"
_SCHEMA = _DOCS / "report.schema.json"
_MAKE = (
    "python -c 'import json; from triage.model.jsonform import report_schema; "
    f"print(json.dumps(report_schema(), indent=2))' > docs/reference/{_SCHEMA.name}"
)


def _wire(report: Report) -> Any:
    return json.loads(json.dumps(to_json(report), allow_nan=False))


@given(reports)
@settings(max_examples=60, deadline=None)
def test_a_report_survives_the_round_trip(report: Report) -> None:
    assert from_json(Report, _wire(report)) == report


@given(reports)
@settings(max_examples=50, deadline=None)
def test_every_report_fits_the_schema(report: Report) -> None:
    Draft202012Validator(report_schema()).validate(_wire(report))


@pytest.mark.parametrize("sample", sorted(SAMPLES))
def test_samples_fit_the_schema(sample: str) -> None:
    Draft202012Validator(json.loads(_SCHEMA.read_text())).validate(_wire(SAMPLES[sample]))


@pytest.mark.parametrize(
    ("field", "value"),
    [("schema", "other/1"), ("verdict", "maybe"), ("threads", {}), ("inputs", None)],
)
def test_what_is_no_report_does_not_fit(field: str, value: object) -> None:
    data = {**_wire(KNOWN), field: value}
    assert not Draft202012Validator(report_schema()).is_valid(data)


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(report_schema())


def test_the_schema_in_the_docs_is_current() -> None:
    wanted = json.dumps(report_schema(), indent=2) + "\n"
    assert _SCHEMA.read_text(encoding="utf-8") == wanted, f"to write it again: {_MAKE}"


def test_unknown_fields_are_ignored_and_missing_ones_have_their_defaults() -> None:
    data = {"schema": "clawtriage/report/1", "verdict": "unknown", "inputs": [], "new": {"a": 1}}
    report = from_json(Report, data)
    assert report.threads == ()
    assert report.engine is None


def test_the_docs_name_every_field() -> None:
    page = (_DOCS / "json-report.md").read_text(encoding="utf-8")
    schema = report_schema()
    for name, entry in {"Report": schema, **schema["$defs"]}.items():
        part = page.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
        assert part, f"json-report.md has no section {name}"
        for word in (*entry.get("properties", ()), *entry.get("enum", ())):
            assert f"`{word}`" in part, f"json-report.md, section {name}, does not name `{word}`"


def test_the_docs_name_no_field_that_is_gone() -> None:
    page = (_DOCS / "json-report.md").read_text(encoding="utf-8")
    schema = report_schema()
    known = {"Report": schema, **schema["$defs"]}
    for part in page.split("\n## ")[1:]:
        title, _, body = part.partition("\n")
        assert title in known, f"json-report.md has a section {title}"
        rows = [line.split("`")[1] for line in body.splitlines() if line.startswith("| `")]
        entry = known[title]
        assert set(rows) <= {*entry.get("properties", ()), *entry.get("enum", ())}
