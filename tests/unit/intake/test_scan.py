"""The lines of a big text that are kept are the right ones, under their right numbers."""

import io
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.intake import scan as module
from triage.intake.kind import classify
from triage.intake.scan import finder, scan
from triage.model.report import InputKind

ANCHORS = ("ERROR", "#0 ")


@pytest.fixture
def small(monkeypatch) -> None:
    for name, value in (
        ("CHUNK", 256),
        ("WHOLE", 512),
        ("HEAD_LINES", 3),
        ("TAIL_LINES", 4),
        ("BEFORE", 2),
        ("AFTER", 5),
    ):
        monkeypatch.setattr(module, name, value)


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
def test_a_line_without_end_is_cut_and_the_next_one_found() -> None:
    data = b"x" * 5000 + b"\nERROR after it\n" + text_of(50, {})
    found = scan(io.BytesIO(data), lambda: ANCHORS, limit=1 << 20)
    assert (2, b"ERROR after it") in found.lines


@pytest.mark.usefixtures("small")
def test_the_limit_ends_the_reading_and_says_so() -> None:
    found = scan(io.BytesIO(text_of(1000, {})), lambda: ANCHORS, limit=4000)
    assert found.full
    assert found.total_bytes <= 4001


@settings(max_examples=150)
@given(st.integers(30, 300), st.sets(st.integers(1, 300), max_size=8))
def test_property_every_hit_is_kept_under_its_number(count, hits) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (
            ("CHUNK", 256),
            ("WHOLE", 512),
            ("HEAD_LINES", 3),
            ("TAIL_LINES", 4),
            ("BEFORE", 2),
            ("AFTER", 5),
        ):
            patch.setattr(module, name, value)
        texts = {n: f"ERROR number {n}" for n in hits if n <= count}
        data = text_of(count, texts)
        found = scan(io.BytesIO(data), lambda: ANCHORS, limit=1 << 20)
    whole = data.split(b"\n")
    assert all(whole[n - 1] == line for n, line in found.lines)
    assert set(texts) <= {n for n, _ in found.lines}
    assert [n for n, _ in found.lines] == sorted({n for n, _ in found.lines})
    assert found.total_lines == count


@given(st.lists(st.sampled_from([b"ERROR", b"#0 ", b"x", b"\n", b"ERR", b"#", b" "]), max_size=60))
def test_property_both_finders_agree(parts) -> None:
    data = b"".join(parts)
    fast = finder(ANCHORS)(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "hyperscan", None)
        slow = finder(ANCHORS)(data)
    assert sorted(set(fast)) == sorted(set(slow))


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\x7fELF\x02\x01\x01" + b"\0" * 9 + b"\x04\0\x3e\0", InputKind.ELF_CORE),
        (b"\x7fELF\x02\x01\x01\x33" + b"\0" * 8 + b"\x04\0\xbe\0", InputKind.GPU_CORE),
        (b"\x7fELF\x02\x01\x01" + b"\0" * 9 + b"\x03\0\x3e\0", InputKind.UNREADABLE),
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
