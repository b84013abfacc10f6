from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.strategies import HOSTILE, reports, texts
from tests.unit.render.samples import KNOWN, SAMPLES
from tests.unit.render.test_text import UNSAFE
from triage.model.crash import ErrorRecord
from triage.model.report import Report
from triage.render import RenderOptions, renderers
from triage.render._markdown import cell, code, fence, prose

_PARSERS = (MarkdownIt("commonmark"), MarkdownIt("gfm-like", {"linkify": False}))
_FORBIDDEN = {"image", "link_open", "html_inline", "html_block"}
_AUTOMATIC = re.compile(
    r"https?://|www\.|@\w|#\d|(?i:gh-\d)|(?<![0-9A-Za-z])[0-9a-f]{7,40}(?![0-9A-Za-z])"
)


def _page(report: Report) -> str:
    return renderers()["markdown"].render(report, RenderOptions())


def _tokens(page: str) -> Iterator[Token]:
    for parser in _PARSERS:
        for token in parser.parse(page):
            yield token
            yield from token.children or ()


def _check(page: str) -> None:
    assert not UNSAFE.search(page)
    for token in _tokens(page):
        assert token.type not in _FORBIDDEN, token
        if token.type == "text":
            assert not _AUTOMATIC.search(token.content), token


@given(reports)
@settings(max_examples=60, deadline=None)
def test_hostile_text_makes_no_links_images_or_html(report: Report) -> None:
    _check(_page(report))


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_message_changes_nothing_around_it(text: str) -> None:
    def shape(message: str) -> list[str]:
        errors = (ErrorRecord(api="engine", message=message),)
        tokens = _PARSERS[0].parse(_page(replace(KNOWN, errors=errors)))
        return [token.type for token in tokens]

    if text.strip():
        assert shape(text) == shape("harmless")


@given(texts)
@settings(max_examples=300, deadline=None)
def test_prose_is_one_paragraph(text: str) -> None:
    tokens = _PARSERS[0].parse(f"{prose(text)}\n")
    assert [t.type for t in tokens] in ([], ["paragraph_open", "inline", "paragraph_close"])


@given(texts)
@settings(max_examples=300, deadline=None)
def test_a_cell_is_one_cell(text: str) -> None:
    tokens = _PARSERS[1].parse(f"| | |\n|---|---|\n| name | {cell(text)} |\n")
    assert [t.type for t in tokens].count("td_open") == 2
    assert [t.type for t in tokens].count("tr_open") == 2


@given(texts)
@settings(max_examples=300, deadline=None)
def test_a_fence_holds_whatever_is_in_it(text: str) -> None:
    tokens = _PARSERS[0].parse(f"{fence(text)}\n\nafter\n")
    assert [t.type for t in tokens][:2] == ["fence", "paragraph_open"]


@pytest.mark.parametrize("text", ["a", "`a`", "a``b", "`", "```", "a b", " a ", "<b>", "a|b"])
def test_code_reads_as_the_text(text: str) -> None:
    (inline,) = [t for t in _PARSERS[0].parse(f"x {code(text)} y") if t.type == "inline"]
    (span,) = [t for t in inline.children or () if t.type == "code_inline"]
    assert span.content == text.strip()


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("plain words, 1.0 and gguf_tensor_remap", "plain words, 1.0 and gguf_tensor_remap"),
        ("a * b [c](d) <e>", r"a \* b \[c\](d) &lt;e&gt;"),
        ("ask @bob about #123 now", "ask `@bob` about `#123` now"),
        (
            "see https://x.example/ or mail a@x.example",
            "see `https://x.example/` or mail `a@x.example`",
        ),
        ("# head", r"\# head"),
        ("1. one", r"1\. one"),
        ("- item", r"\- item"),
        ("_a_ __b__", r"\_a\_ \_\_b\_\_"),
    ],
)
def test_prose_reads_as_the_text(text: str, written: str) -> None:
    assert prose(text) == written


@pytest.mark.parametrize("sample", sorted(SAMPLES))
def test_samples_are_safe_too(sample: str) -> None:
    page = _page(SAMPLES[sample])
    _check(page)
    assert "\n\n\n" not in page
    assert "None" not in page
