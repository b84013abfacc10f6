"""The report for a terminal: one screen, unless more is asked for."""

from __future__ import annotations

from dataclasses import replace

from triage.model.report import Report
from triage.render._base import Renderer, RenderOptions
from triage.render._build import Limits, build_view
from triage.render._paper import Paper, finalize
from triage.render._templates import load_template
from triage.render._view import ReportView

SCREEN = 40
"""Lines that the short report keeps to, where the fix itself is not longer."""

_NARROWEST = 40
_ALL = Limits()
_SHORT = tuple(
    Limits(
        errors=errors,
        evidence=evidence,
        steps=steps,
        block=block,
        checks=few,
        others=few,
        warnings=few,
        collect=steps,
        frames=frames,
        whys=whys,
    )
    for errors, evidence, steps, block, few, frames, whys in (
        (3, 6, 5, 8, 3, 6, True),
        (2, 5, 4, 6, 2, 5, True),
        (2, 4, 4, 4, 2, 3, False),
        (1, 4, 3, 4, 1, 3, False),
        (1, 3, 3, 4, 1, 3, False),
        (1, 3, 2, 3, 1, 2, False),
        (1, 2, 2, 3, 1, 2, False),
        (1, 2, 1, 2, 1, 1, False),
    )
)


def _render(report: Report, options: RenderOptions) -> str:
    """Print everything, or the longest of the short forms that fits the screen."""
    if options.verbose:
        return _print(build_view(report, _ALL), options)
    plain = replace(options, colour=False)
    views = [build_view(report, limits) for limits in _SHORT]
    fits = (v for v in views if _height(_print(v, plain), options.width) < SCREEN)
    return _print(next(fits, views[-1]), options)


def _height(text: str, width: int) -> int:
    return sum(max(1, -(-len(line) // width)) for line in text.splitlines())


def _print(view: ReportView, options: RenderOptions) -> str:
    paper = Paper(max(_NARROWEST, options.width), options.colour)
    page = load_template("report.txt.j2", finalize).render(
        r=view, p=paper, verbose=options.verbose, column=_column(view)
    )
    return page.rstrip("\n") + "\n"


def _column(view: ReportView) -> int:
    """Return the width of the column of places: the longest, within reason."""
    return min(28, max((len(fact.place) for fact in view.evidence.shown), default=0))


RENDERER = Renderer(
    name="text",
    title="a page for the terminal",
    suffix=".txt",
    media_type="text/plain; charset=utf-8",
    render=_render,
)
