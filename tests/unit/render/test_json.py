from __future__ import annotations

import json
import re
from dataclasses import fields, replace

import pytest
from hypothesis import given, settings

from tests.strategies import reports
from tests.unit.render.samples import KNOWN, SAMPLES
from triage.model.diagnosis import Diagnosis, Level
from triage.model.jsonform import from_json
from triage.model.report import Report
from triage.render import RenderOptions, renderers

_RAW = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b-\u200f\ud800-\udfff]"
)


def _print(form: str, report: Report) -> str:
    return renderers()[form].render(report, RenderOptions())


@given(reports)
@settings(max_examples=60, deadline=None)
def test_json_is_one_object_that_any_reader_takes(report: Report) -> None:
    text = _print("json", report)
    line = _print("jsonl", report)
    assert not _RAW.search(text + line)
    text.encode()
    assert line.count("\n") == 1
    assert line.endswith("\n")
    assert json.loads(text) == json.loads(line)
    json.loads(text.encode().decode("utf-8", errors="strict"))
    assert not re.search(r"(?<!\\)(?:\\\\)*\\ud[89ab][0-9a-f]{2}(?!\\ud[c-f])", text)


@pytest.mark.parametrize("sample", sorted(SAMPLES))
def test_json_reads_back_as_the_same_report(sample: str) -> None:
    assert from_json(Report, json.loads(_print("json", SAMPLES[sample]))) == SAMPLES[sample]


def test_keys_stand_in_the_order_of_the_contract() -> None:
    assert list(json.loads(_print("json", KNOWN))) == [f.name for f in fields(Report)]


def test_a_lone_surrogate_is_text_and_an_escape_is_an_escape() -> None:
    report = replace(KNOWN, family="a\ud800b\x9b\u202e\U000e0041")
    text = _print("jsonl", report)
    assert r'"family": "a\\ud800b\u009b\u202e\udb40\udc41"' in text
    assert json.loads(text)["family"] == "a\\ud800b\x9b\u202e\U000e0041"


def test_a_number_that_json_lacks_is_a_bug_and_not_a_file() -> None:
    diagnosis = Diagnosis(
        signature="a/b", family="other", title="t", confidence=float("nan"), level=Level.HINT
    )
    with pytest.raises(ValueError, match=r"nan|NaN|compliant"):
        _print("json", replace(KNOWN, diagnoses=(diagnosis,)))
