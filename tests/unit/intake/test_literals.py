"""Many literals are found at once, however they are looked for."""

import sys
from bisect import bisect_right

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.intake import literals as module
from triage.intake.literals import LONG, Literals, looked_for, rows_of
from triage.parse.cache import cache_folder

EXACT = ("ERROR", "#0 ", "\n#2", "L" * (LONG + 9))
LOOSE = ("cuda error", "error")
PIECES = [b"ERROR", b"#0 ", b"\n#2", b"\n", b"ERR", b"#", b" ", b"Cuda Error", b"L" * 7, b"x" * 50]


def simple(data: bytes) -> dict[bytes, list[int]]:
    """Find the literals the simple way."""
    found: dict[bytes, set[int]] = {}
    for texts, loose in ((EXACT, False), (LOOSE, True)):
        where = data.lower() if loose else data
        for text in texts:
            word = looked_for(text, any_case=loose)
            ends = {n + len(word) for n in range(len(where)) if where.startswith(word, n)}
            if ends:
                found.setdefault(word, set()).update(ends)
    return {word: sorted(ends) for word, ends in found.items()}


@pytest.mark.parametrize("way", ["search", "hyperscan", "without hyperscan"])
@settings(deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=40))
def test_every_way_finds_what_the_simple_way_finds(way: str, parts: list[bytes]):
    data = b"".join(parts)
    with pytest.MonkeyPatch.context() as patch:
        if way != "search":
            patch.setattr(module, "_SMALL", -1)
        if way == "without hyperscan":
            patch.setitem(sys.modules, "hyperscan", None)
        found = Literals(EXACT, any_case=LOOSE)
        assert found.places(data) == simple(data)
        ends = found.ends(data)
    every = {end for places in simple(data).values() for end in places}
    assert ends == sorted(set(ends))
    assert set(ends) <= every
    assert bool(ends) == bool(every)


def test_a_long_literal_is_found_by_its_beginning():
    text = "Process group watchdog thread terminated"
    assert Literals([text]).places(b"x" + text.encode()) == {looked_for(text): [LONG + 1]}


@given(st.lists(st.integers(1, 9), min_size=1, max_size=20), st.lists(st.integers(1, 60)))
def test_rows_are_those_the_places_lie_in(sizes: list[int], places: list[int]):
    starts = [sum(sizes[:n]) for n in range(len(sizes))]
    wanted = sorted({max(0, bisect_right(starts, place - 1) - 1) for place in places})
    assert rows_of(sorted(places), starts) == wanted


@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: data[: len(data) // 2]])
def test_a_kept_database_is_used_and_a_damaged_one_made_anew(tmp_path, monkeypatch, damage):
    pytest.importorskip("hyperscan")
    monkeypatch.setenv("CLAWTRIAGE_CACHE_DIR", str(tmp_path))
    cache_folder.cache_clear()
    data = b"x" * (1 << 16) + b"ERROR"
    expected = Literals(EXACT).places(data)
    (kept,) = tmp_path.glob("literals-*")
    assert Literals(EXACT).places(data) == expected
    kept.write_bytes(damage(kept.read_bytes()))
    assert Literals(EXACT).places(data) == expected
    assert kept.stat().st_size > 100
    cache_folder.cache_clear()
