"""JSON that is whole, and JSON that is not."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.parse.json_lines import Object, read_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=20,
)


@given(st.dictionaries(st.text(max_size=6), VALUES), st.sampled_from([None, 1, 2]))
def test_property_whole_json_is_what_it_is(value: dict[str, object], indent: int | None):
    text = json.dumps(value, indent=indent, ensure_ascii=True)
    assert read_json(text.split("\n")) == (value, False)


@given(st.dictionaries(st.text(max_size=6), VALUES), st.integers(0, 200))
def test_property_cut_json_is_read_up_to_the_cut(value: dict[str, object], keep: int):
    text = json.dumps(value, indent=1)[:-1][:keep]
    read, damaged = read_json(text.split("\n"))
    assert damaged
    assert set(read) <= set(value)


@given(st.text(alphabet='{}[]",:\\ an1-\n', max_size=60))
def test_property_any_text_is_read(text: str):
    read, _ = read_json(text.split("\n"))
    assert isinstance(read, Object)


def test_objects_know_their_lines():
    read, damaged = read_json(['{"a": [', '  {"b": 1},', '  {"b": 2}', "]}"])
    assert [entry.row for entry in read["a"]] == [1, 2]
    assert not damaged


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (['{"a": 1, "b": "x', '"c": 2}'], {"a": 1, "c": 2}),
        (['{"a": [1, 2}, "c": 2}'], {"a": [1, 2, 2]}),
        (['{"a": ?? 1}'], {"a": 1}),
        (['"type": "SIGSEGV",', '"n": 1'], {"type": "SIGSEGV", "n": 1}),
    ],
)
def test_damage(lines: list[str], expected: dict[str, object]):
    assert read_json(lines) == (expected, True)


def test_what_stands_behind_it_is_not_read():
    assert read_json(['{"a": 1}', '{"a": 2}']) == ({"a": 1}, False)
