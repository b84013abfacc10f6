"""Hypothesis strategies for the types of the model, made from the types themselves."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from enum import Enum
from functools import cache
from typing import Any

from hypothesis import strategies as st

from triage.model.report import Report

HOSTILE = (
    "\x1b]0;pwn\x07",
    "\x1b[2J",
    "\x9b31m",
    "\u202eevil",
    "\u2066",
    "\u200b",
    "\ud800",
    "a\rb",
    "a\nb",
    "\x00",
    "\x7f",
    "\ufeff",
    "\U000e0041",
    "``````",
    "```\n# x",
    "~~~",
    "![x](http://x/y.png)",
    "[x](http://x)",
    "<img src=x onerror=alert(1)>",
    "<!-- ",
    "</script>",
    "https://x.example/",
    "www.x.example",
    "a@x.example",
    "@user",
    "fixes #1",
    "GH-12",
    "deadbeef",
    "[x]: http://x",
    "| a |",
    "---",
    "===",
    "> quote",
    "1. one",
    "- list",
    "    code",
    "# head",
    "&lt;img&gt;",
    "{{ 7*7 }}",
    "{% raw %}",
    "${x}",
    "\\`",
    "`",
    "\\",
    "*",
    "_",
    "<",
    "",
    " ",
    "\t",
)
"""Texts that would do harm in a terminal, on a page or in a template."""

texts = st.one_of(
    st.text(max_size=20),
    st.sampled_from(HOSTILE),
    st.lists(st.sampled_from(HOSTILE), min_size=2, max_size=4).map("".join),
    st.lists(st.sampled_from(HOSTILE), min_size=2, max_size=4).map(" ".join),
)
"""Any text, hostile ones more often than chance would make them."""


@cache
def values(kind: Any) -> st.SearchStrategy[Any]:
    """Return a strategy for values of a type of the model."""
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return st.one_of(*map(values, args))
    if origin is tuple:
        return st.lists(values(args[0]), max_size=2).map(tuple)
    if origin is not None and issubclass(origin, Mapping):
        return st.dictionaries(values(args[0]), values(args[1]), max_size=2)
    if kind is type(None):
        return st.none()
    if dataclasses.is_dataclass(kind):
        return _records(kind)
    if issubclass(kind, Enum):
        return st.sampled_from(kind)
    return {
        str: texts,
        bool: st.booleans(),
        int: st.integers(min_value=0, max_value=1 << 40),
        float: st.floats(min_value=0, max_value=1),
    }[kind]


def _records(kind: Any) -> st.SearchStrategy[Any]:
    hints = typing.get_type_hints(kind)
    if kind is Report:
        hints.pop("schema")
    return st.builds(kind, **{name: values(hint) for name, hint in hints.items()})


reports = values(Report)
"""Any report at all, those that no analysis would make included."""
