"""The lines of a big text that are kept are the right ones, under their right numbers."""

import io
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.intake import scan as module
from triage.intake.kind import classify
from triage.intake.literals import Literals
from triage.intake.scan import scan
from triage.model.report import InputKind

WORDS = ("ERROR", "#0 ")
ANCHORS = Literals(WORDS)


LIMITS = {
    "CHUNK": 256, "WHOLE": 512, "HEAD_LINES": 3, "TAIL_LINES": 4, "BEFORE": 2, "AFTER": 5,
}  # fmt: skip


def shrink(patch: pytest.MonkeyPatch) -> None:
    for name, value in LIMITS.items():
        patch.setattr(module, name, value)


@pytest.fixture
def small(monkeypatch) -> None:
    shrink(monkeypatch)


def text_of(count: int, hits: dict[int, str]) -> bytes:
    return b"".join(f"{hits.get(n, f'filler line {n}')}\n".encode() for n in range(1, count + 1))


def test_a_small_text_is_kept_whole() -> None:
    found = scan(io.BytesIO(b"a\nb\nc"), lambda: ANCHORS, limit=1 << 20)
    assert found.lines == [(1, b"a"), (2, b"b"), (3, b"c")]
    assert found.left_out == 0


@pytest.mark.usefixtures("small")
def test_head_tail_and_surroundings_are_kept() -> None:
    data = text_of(400, {200: "an ERROR here"})
    found = scan(io.BytesIO(data), lambda: ANCHORS, limit=1 << 20)
    numbers = [n for n, _ in found.lines]
    assert numbers[:3] == [1, 2, 3]
    assert set(range(198, 206)) <= set(numbers)
    assert numbers[-4:] == [397, 398, 399, 400]
    assert len(numbers) < 60
    assert found.total_lines == 400


@pytest.mark.usefixtures("small")
def test_very_many_lines_are_not_kept_whole(monkeypatch) -> None:
    monkeypatch.setattr(module, "WHOLE_LINES", 100)
    found = scan(io.BytesIO(b"\n" * 200), lambda: ANCHORS, limit=1 << 20)
    assert found.total_lines == 200
    assert found.left_out > 100


@pytest.mark.usefixtures("small")
def test_more_hits_than_may_be_kept_leave_head_and_tail(monkeypatch) -> None:
    monkeypatch.setattr(module, "MAX_KEPT", 10_000)
    found = scan(io.BytesIO(b"ERROR\n" * 5000), lambda: ANCHORS, limit=1 << 20)
    numbers = [n for n, _ in found.lines]
    assert found.full
    assert numbers == [*range(1, len(numbers) - 3), 4997, 4998, 4999, 5000]
    assert sum(len(line) for _, line in found.lines) <= 10_000


@pytest.mark.usefixtures("small")
def test_a_line_without_end_is_cut_and_the_next_one_found() -> None:
    data = b"x" * 5000 + b"\nERROR after it\n" + text_of(50, {})
    found = scan(io.BytesIO(data), lambda: ANCHORS, limit=1 << 20)
    assert (2, b"ERROR after it") in found.lines


@pytest.mark.usefixtures("small")
def test_the_limit_ends_the_reading_and_says_so() -> None:
    found = scan(io.BytesIO(text_of(1000, {})), lambda: ANCHORS, limit=4000)
    assert found.full
    assert found.total_bytes <= 4001


def wanted(lines: list[bytes]) -> set[int]:
    """Return the numbers of the lines that have to be kept, found the simple way."""
    count = len(lines)
    keep = {*range(1, 4), *range(count - 3, count + 1)}
    for n, line in enumerate(lines, 1):
        if any(word.encode() in line for word in WORDS):
            keep.update(range(n - 2, n + 6))
    return {n for n in keep if 1 <= n <= count}


@pytest.mark.parametrize("fast", [True, False], ids=["hyperscan", "re"])
@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from([0] * 30 + [1, 2]), min_size=40, max_size=200), st.booleans())
def test_property_what_is_kept_is_what_the_simple_way_keeps(fast, kinds, ended) -> None:
    texts = ("filler", "an ERROR", "#0 f ()")
    lines = [f"{texts[kind]} {n}".encode() for n, kind in enumerate(kinds, 1)]
    data = b"\n".join(lines) + b"\n" * ended
    with pytest.MonkeyPatch.context() as patch:
        shrink(patch)
        if not fast:
            patch.setitem(sys.modules, "hyperscan", None)
        found = scan(io.BytesIO(data), lambda: Literals(WORDS), limit=1 << 20)
    numbers = [n for n, _ in found.lines]
    assert all(lines[n - 1] == line for n, line in found.lines)
    assert numbers == sorted(set(numbers))
    assert wanted(lines) <= set(numbers)
    assert (found.total_lines, found.total_bytes) == (len(lines), len(data))
    assert found.left_out == len(lines) - len(numbers)


@settings(deadline=None)
@given(st.integers(0, 2000), st.integers(0, 60))
def test_property_short_reads_change_nothing(size, short) -> None:
    class Slow(io.BytesIO):
        def read(self, count=-1):
            return super().read(min(count, short + 1))

    data = text_of(size // 10, dict.fromkeys(range(7, size // 10, 31), "ERROR"))
    with pytest.MonkeyPatch.context() as patch:
        shrink(patch)
        slow = scan(Slow(data), lambda: ANCHORS, limit=1 << 20)
        assert slow == scan(io.BytesIO(data), lambda: ANCHORS, limit=1 << 20)


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\x7fELF\x02\x01\x01" + b"\0" * 9 + b"\x04\0\x3e\0", InputKind.ELF_CORE),
        (b"\x7fELF\x02\x01\x01\x33" + b"\0" * 8 + b"\x04\0\xbe\0", InputKind.GPU_CORE),
        (b"\x7fELF\x02\x01\x01" + b"\0" * 9 + b"\x03\0\x3e\0", InputKind.PROGRAM),
        (b"GGUF\x03\0\0\0", InputKind.GGUF),
        (b"MDMP", InputKind.MINIDUMP),
        (b"PK\x03\x04", InputKind.ARCHIVE),
        (b"\x1f\x8b\x08", InputKind.ARCHIVE),
        (b"[INFO] fine\n", InputKind.TEXT),
        (b"", InputKind.TEXT),
    ],
)
def test_kinds_by_content(head, kind) -> None:
    assert classify(head)[0] is kind
