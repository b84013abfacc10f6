"""Both readers of gdb's machine interface say the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pygdbmi import gdbmiparser

from triage.debugger import records
from triage.debugger.records import own_record, parse_record

NAMES = st.from_regex(r"[a-z][a-z-]{0,8}", fullmatch=True)
TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters='"\\'))
FLAT = st.builds(
    lambda token, values: f"{token}^done" + "".join(f',{k}="{v}"' for k, v in values.items()),
    st.integers(0, 999),
    st.dictionaries(NAMES, TEXTS, max_size=4),
)


@given(FLAT)
def test_flat_results(line: str):
    known = gdbmiparser.parse_response(line)
    expected = {"message": known["message"], "payload": known["payload"] or {}}
    assert parse_record(line) == own_record(line) == expected


@pytest.mark.parametrize(
    ("line", "by_pygdbmi"),
    [
        ('7^done,value="off"', True),
        ("7^done", True),
        ('7^error,msg="No symbol table is loaded."', True),
        ('7^done,stack=[frame={level="0",func="f"}]', False),
        ('7^done,value="a\\"b"', False),
        ('7^done,value="cut off', False),
        ('7^done,value="' + "x" * 2000 + '"', False),
    ],
)
def test_who_reads_what(monkeypatch, line: str, by_pygdbmi: bool):
    seen = []
    real = gdbmiparser.parse_response
    monkeypatch.setattr(
        records.gdbmiparser, "parse_response", lambda text: seen.append(text) or real(text)
    )
    assert parse_record(line) == own_record(line)
    assert bool(seen) == by_pygdbmi
