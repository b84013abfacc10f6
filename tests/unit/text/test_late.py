"""A late pattern is the pattern, from its first use on."""

import re

import pytest

from triage.text.late import late


@pytest.mark.parametrize("method", ["match", "search", "fullmatch", "findall", "split"])
def test_methods_are_those_of_the_pattern(method: str):
    pattern = late(r"(\w)\d", re.IGNORECASE)
    for text in ("a1b2", "", "x"):
        found, expected = (getattr(p, method)(text) for p in (pattern, re.compile(r"(\w)\d")))
        assert str(found) == str(expected)


def test_parts():
    pattern = late(r"(?P<a>x)", re.IGNORECASE)
    assert (pattern.pattern, pattern.groups, dict(pattern.groupindex)) == (r"(?P<a>x)", 1, {"a": 1})
    assert pattern.match("X")
    assert pattern.sub("y", "axb") == "ayb"


def test_error_comes_with_the_first_use():
    pattern = late("(")
    with pytest.raises(re.error):
        pattern.match("x")
    with pytest.raises(re.error):
        pattern.search("x")
