"""Of a line that is too long to keep, what matters is kept."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.errors import InputError
from triage.intake.literals import Literals
from triage.intake.longline import AFTER, BEFORE, GAP, PLACES, pieces, shortened
from triage.intake.scan import CHUNK, WHOLE, scan
from triage.model.diagnosis import Verdict
from triage.pipeline import Analyzer, Options

ROOT = Path(__file__).parents[3]
LOG = (ROOT / "fixtures/recordings/gpu/quant.rel.log").read_bytes()
FAILED = b"CUDA error 700 (cudaErrorIllegalAddress): an illegal memory access was encountered"
FILLER = b"all is well and token 9 follows; "


@pytest.fixture(scope="module")
def analyzer() -> Analyzer:
    return Analyzer(Options())


@given(st.binary(max_size=9_000), st.lists(st.integers(0, 9_000), max_size=40), st.integers(1, 500))
def test_pieces_are_of_the_line_and_bounded(line: bytes, ends: list[int], head: int) -> None:
    found = list(pieces(line, sorted(ends), head))
    assert found[0] == line[:head]
    assert all(piece in line for piece in found)
    assert len(found) <= PLACES + 1
    assert sum(map(len, found)) <= head + PLACES * (BEFORE + AFTER)


def test_a_shortened_line_can_be_shortened_again() -> None:
    anchors = Literals(("cudaError",))
    line = b"x" * 9_000 + FAILED + b"y" * 9_000
    once = shortened(line, anchors.ends(line), 100)
    assert FAILED in once
    assert len(once) < BEFORE + AFTER + 100 + len(GAP) + len(FAILED)
    assert FAILED in shortened(once + b"z" * 9_000, anchors.ends(once), 100)


@pytest.mark.parametrize("at", [CHUNK - 3, CHUNK * 2 - 2, CHUNK * 70 - 5, WHOLE + 1_000])
@pytest.mark.parametrize("end", [b"", b"\nlast line\n"])
def test_an_anchor_far_behind_in_a_big_line_is_found(at: int, end: bytes) -> None:
    data = b"x" * at + FAILED + b"y" * (WHOLE + CHUNK * 3) + end
    found = scan(io.BytesIO(data), lambda: Literals(("cudaErrorIllegal",)), limit=len(data) + 1)
    assert FAILED in found.lines[0][1]
    assert sum(len(line) for _, line in found.lines) < CHUNK * 2
    assert [number for number, _ in found.lines] == ([1, 2] if end else [1])


@pytest.mark.parametrize("count", [3_000, 400_000])
def test_a_crash_in_the_middle_of_one_line(analyzer: Analyzer, tmp_path: Path, count: int) -> None:
    path = tmp_path / "one-line.log"
    path.write_bytes(FILLER * count + FAILED + b" " + FILLER * count)
    report = analyzer.analyze([str(path)])
    assert [e.name for e in report.errors] == ["cudaErrorIllegalAddress"]
    assert report.verdict is not Verdict.NO_CRASH
    assert [w.code for w in report.warnings] == ["line-cut"]


Made = Callable[[bytes], bytes]


def _noise(size: int) -> bytes:
    return random.Random(7).randbytes(size)


@pytest.mark.parametrize(
    "make",
    [
        lambda log: log.replace(b"\n", b"\0"),
        lambda log: _noise(100_000) + b"\n" + log + _noise(100_000),
        lambda log: _noise(70_000) + b"\n" + log,
    ],
    ids=["parted by NULs", "between noise", "behind noise"],
)
def test_a_log_in_a_bad_shape_is_read(analyzer: Analyzer, tmp_path: Path, make: Made) -> None:
    path = tmp_path / "bad.log"
    path.write_bytes(LOG)
    expected = analyzer.analyze([str(path)])
    path.write_bytes(make(LOG))
    found = analyzer.analyze([str(path)])
    assert found.verdict is expected.verdict is Verdict.KNOWN
    assert found.diagnoses[0].signature == expected.diagnoses[0].signature


def test_noise_alone_is_no_text(analyzer: Analyzer, tmp_path: Path) -> None:
    path = tmp_path / "noise"
    for data in (_noise(100_000), _noise(100_000) + b"\n" + b"a line\n" * 9 + _noise(10)):
        path.write_bytes(data)
        with pytest.raises(InputError, match="binary data"):
            analyzer.analyze([str(path)])
