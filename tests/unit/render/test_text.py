from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings

from tests.strategies import reports
from tests.unit.render.samples import KNOWN, NO_CRASH, SAMPLES, UNKNOWN
from triage.model.crash import BlamedFrame
from triage.model.report import Report
from triage.model.stack import Frame
from triage.render import RenderOptions, renderers
from triage.render._words import function_name

Render = Callable[..., str]

_COPIED = ("claw_", "git ", "make ", "journalctl ", "https://")
_COLOUR = re.compile(r"\x1b\[[0-9;]{1,8}m")
UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


def _page(report: Report, **options: object) -> str:
    return renderers()["text"].render(report, RenderOptions(**options))


@given(reports)
@settings(max_examples=60, deadline=None)
def test_no_report_reaches_the_terminal_itself(report: Report) -> None:
    for options in ({}, {"verbose": True, "width": 120}, {"colour": True}):
        page = _page(report, **options)
        if options.get("colour"):
            page = _COLOUR.sub("", page)
        assert not UNSAFE.search(page)
        page.encode()


@given(reports)
@settings(max_examples=50, deadline=None)
def test_colour_changes_nothing_but_the_colour(report: Report) -> None:
    assert _COLOUR.sub("", _page(report, colour=True)) == _page(report)


@pytest.mark.parametrize("sample", sorted(SAMPLES))
@pytest.mark.parametrize("width", [80, 100, 120])
def test_the_short_page_fits_one_screen(sample: str, width: int) -> None:
    lines = _page(SAMPLES[sample], width=width).splitlines()
    assert sum(max(1, -(-len(line) // width)) for line in lines) < 40


@pytest.mark.parametrize("sample", sorted(SAMPLES))
@pytest.mark.parametrize("width", [60, 80, 120])
def test_only_what_is_copied_is_wider_than_the_screen(sample: str, width: int) -> None:
    report = SAMPLES[sample]
    page = _page(report, width=width, verbose=True)
    for line in page.splitlines():
        assert len(line) <= width or any(word in line for word in _COPIED)
        assert line == line.rstrip()
    assert "\n\n\n" not in page
    assert "None" not in page


def test_commands_stand_whole_on_their_own_lines() -> None:
    remedy = KNOWN.diagnoses[0].remedy
    assert remedy
    lines = [line.strip() for line in _page(KNOWN, width=60, verbose=True).splitlines()]
    for step in remedy.steps:
        for command in step.commands:
            assert command in lines
    for check in remedy.verify:
        assert check.command in lines


def test_what_is_left_out_is_said() -> None:
    assert "not shown: " in _page(KNOWN)
    assert "not shown" not in _page(KNOWN, verbose=True)
    assert "not shown" not in _page(NO_CRASH)


def test_the_short_stack_is_the_part_around_the_blamed_frame() -> None:
    deep = replace(UNKNOWN, blamed_frame=BlamedFrame(thread=0, frame=20, why="because"))
    page = _page(deep)
    shown = re.findall(r"^ {7}[ >] #(\d+)", page, re.MULTILINE)
    assert "20" in shown
    assert len(shown) <= 6
    assert "... 18 frames before" in page
    assert "> #20  sched::slot::advance_20" in page


def test_the_verbose_stack_has_thirty_frames_at_most() -> None:
    page = _page(UNKNOWN, verbose=True)
    assert len(re.findall(r"^ {7}[ >] #(\d+)", page, re.MULTILINE)) == 30
    assert "... 10 frames after" in page


def test_pointers_out_of_range_are_survived() -> None:
    for pointer in (
        BlamedFrame(thread=9, frame=0, why="x"),
        BlamedFrame(thread=0, frame=99, why="x"),
    ):
        assert _page(replace(UNKNOWN, blamed_frame=pointer, crashed_thread=7), verbose=True)


def test_a_template_in_a_message_stays_text() -> None:
    report = replace(NO_CRASH, next_evidence=("{{ 7*7 }} {% raw %}",))
    assert "{{ 7*7 }} {% raw %}" in _page(report)


def test_a_long_message_does_not_take_long(render: Render) -> None:
    report = replace(NO_CRASH, next_evidence=("x" * (1 << 20), "y z " * (1 << 18)))
    assert len(render("text", report)) < 10_000


@pytest.mark.parametrize(
    ("function", "shown"),
    [
        ("_ZN3llm6engine5remapEPKc", "llm::engine::remap"),
        ("_Zbroken", "_Zbroken"),
        ("remap_kernel", "remap_kernel"),
        (None, "0x7f12"),
    ],
)
def test_a_mangled_function_is_shown_as_its_name(function: str | None, shown: str):
    assert function_name(Frame(index=0, function=function, address="0x7f12")) == shown
