"""Crash reports of one long line of JSON."""

import hashlib
import json
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.intake.load import load
from triage.intake.spool import Spool
from triage.read import ReadOptions, anchors, read
from triage.text.fold import LONGEST, folded

VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=30,
)


@given(st.lists(VALUES, max_size=20), st.integers(40, 400))
def test_a_folded_report_says_the_same(threads, width: int):
    raw = json.dumps({"usedImages": [], "threads": threads, "a,b": '","'}).encode()
    lines = folded(raw, width)
    assert json.loads(b"\n".join(lines)) == json.loads(raw)
    assert b"".join(lines) == raw
    assert all(len(line) <= width or b"," not in _outside(line) for line in lines)


def _outside(line: bytes) -> bytes:
    """Return a line but for its last character, its strings left out."""
    return re.sub(rb'"(?:[^"\\]|\\.)*"', b"", line)[:-1]


@pytest.mark.parametrize("unit", [b'"', b'\\"', b',"', b"\\", b'",'])
def test_strings_that_never_end_take_linear_time(unit: bytes):
    raw = b'{"usedImages":[' + unit * (1_000_000 // len(unit))
    begin = time.process_time()
    assert b"".join(folded(raw, 4_000)) == raw
    assert time.process_time() - begin < 2


def test_other_long_lines_stay_whole():
    for raw in (
        b"x," * 5000,
        b'{"log": "' + b"a," * 5000 + b'"}',
        b'{"threads": [' + b"1," * 5000 + b"]}",
        b'{"usedImages": [' + b"1," * LONGEST + b"]}",
    ):
        assert folded(raw, 100) == [raw]


def test_threads_of_an_apple_report_that_is_one_long_line(tmp_path):
    threads = [
        {
            "id": 500 + n,
            "triggered": n == 61,
            "threadState": {"x": [{"value": k} for k in range(29)]},
            "frames": [
                {"imageOffset": 4096 + k, "symbol": f"step_{n}_{k}", "imageIndex": 0}
                for k in range(9)
            ],
        }
        for n in range(70)
    ]
    image = {"base": 4294967296, "name": "engine", "path": "/opt/engine", "uuid": "0" * 8}
    body = {
        "procName": "engine",
        "exception": {"type": "EXC_BAD_ACCESS", "signal": "SIGSEGV"},
        "faultingThread": 61,
        "threads": threads,
        "usedImages": [image],
    }
    path = tmp_path / "engine.ips"
    path.write_text(f'{{"bug_type":"309","name":"engine"}}\n{json.dumps(body)}\n')
    assert len(path.read_text().splitlines()[1]) > 50_000
    crash = read([str(path)], ReadOptions()).crash
    assert len(crash.threads) == 70
    assert crash.crashed_thread is not None
    failed = crash.threads[crash.crashed_thread]
    assert (failed.tid, len(failed.frames)) == (561, 9)
    assert failed.frames[8].function == "step_61_8"
    assert not [w for w in crash.warnings if w.code in ("report-damaged", "line-cut")]
    assert {frame.at.line for frame in failed.frames if frame.at} == {2}


def test_carriage_returns_alone_are_line_ends(tmp_path):
    path = tmp_path / "old.txt"
    text = "start\rengine: a.c:7: f: Assertion `p' failed.\rAborted (core dumped)\r"
    path.write_bytes(text.encode())
    found = read([str(path)], ReadOptions())
    assert found.crash.signal
    assert (found.crash.signal.name, found.crash.signal.at.line) == ("SIGABRT", 3)
    assert [error.at.line for error in found.crash.errors if error.at] == [2]
    (loaded,) = load(str(path), 0, lambda: anchors(()), Spool(None))
    assert loaded.input.sha256 == hashlib.sha256(text.encode()).hexdigest()


def test_a_progress_bar_stays_one_line(tmp_path):
    path = tmp_path / "bar.txt"
    path.write_bytes(b" 10%\r 20%\r100%\nAborted (core dumped)\n")
    found = read([str(path)], ReadOptions())
    assert found.crash.signal
    assert found.crash.signal.at.line == 2
