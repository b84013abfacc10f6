"""Versions in the order that people mean."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.text.version import Version, compare, in_range, parse_range

ASCENDING = [
    "0.9-rc1", "0.9", "0.9.2", "0.10", "1.0.0-dev1", "1.0.0-alpha2", "1.0.0-beta1", "1.0.0-rc1",
    "1.0.0-rc2", "1.0.0-rc10", "1.0.0", "1.0.1", "11.8", "12.4", "535.54.03", "535.129.03",
    "b3456", "b4567",
]  # fmt: skip
numbers = st.lists(st.integers(0, 999), min_size=1, max_size=5)


@pytest.mark.parametrize(("less", "more"), list(pairwise(ASCENDING)))
def test_order(less: str, more: str):
    assert Version(less) < Version(more)
    assert Version(more) > Version(less)
    assert Version(less) != Version(more)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1.0", "1.0.0"), ("v0.9.2", "0.9.2"), ("0.9.2+cu118", "0.9.2"), ("0.9.2-ubuntu", "0.9.2"),
        ("535.129.03", "535.129.3"), (" 12.4 ", "12.4"), ("1.0rc1", "1.0.0-RC1"), ("0", "0.0"),
        ("12.4 (driver)", "12.4"), ("v0.5.0-rc1", "0.5rc1"), ("b4567-3-gabc12", "4567"),
        ("0.6.3.post0", "0.6.3-post.0"),
    ],
)  # fmt: skip
def test_equal(one: str, other: str):
    assert Version(one) == Version(other)
    assert hash(Version(one)) == hash(Version(other))


@pytest.mark.parametrize("text", ["", "unknown", "-1", ".1", "rc1", "v"])
def test_no_version(text: str):
    with pytest.raises(ValueError, match="is not a version"):
        Version(text)


def test_what_is_after_a_release():
    order = ["0.6.3rc1", "0.6.3", "0.6.3.post1", "0.6.3.post2", "0.6.4.dev21+gabc", "0.6.4"]
    versions = [Version(text) for text in order]
    assert versions == sorted(versions)
    assert in_range("0.6.3.post1", ">0.6.3,<0.6.4")
    assert not in_range("b4566", ">=b4567")


@given(numbers, numbers)
def test_like_the_numbers(a: list[int], b: list[int]):
    def padded(n: list[int]) -> list[int]:
        return n + [0] * (6 - len(n))

    one, other = Version(".".join(map(str, a))), Version(".".join(map(str, b)))
    assert (one < other) == (padded(a) < padded(b))
    assert (one == other) == (padded(a) == padded(b))


@given(st.sampled_from(ASCENDING), st.sampled_from(ASCENDING))
def test_operators_agree(a: str, b: str):
    one, other = Version(a), Version(b)
    assert compare(one, ">=", other) == (not compare(one, "<", other))
    assert compare(one, "<=", other) == (not compare(one, ">", other))
    assert compare(one, "==", other) == (not compare(one, "!=", other))


@pytest.mark.parametrize(
    ("version", "wanted", "expected"),
    [
        ("0.9.2", ">=0.9,<1.0", True),
        ("1.0.0-rc1", ">=0.9, <1.0", True),
        ("1.0.0", ">=0.9,<1.0", False),
        ("0.8", ">=0.9,<1.0", False),
        ("535.129.03", "< 535", False),
        ("534.9", "<535", True),
        ("12.4", "==12.4", True),
        ("12.4", "!=12.4", False),
        ("unknown", ">=0", False),
    ],
)
def test_range(version: str, wanted: str, expected: bool):
    assert in_range(version, wanted) is expected


@pytest.mark.parametrize("text", ["", "0.9", "=0.9", ">=0.9,", "~=0.9", ">= ", ">=x"])
def test_no_range(text: str):
    with pytest.raises(ValueError, match="is not a version"):
        parse_range(text)


def test_endless_digits_are_no_version():
    with pytest.raises(ValueError, match="is not a version"):
        Version("x" * 100_000)
    assert in_range("9" * 100_000, ">1") is True
