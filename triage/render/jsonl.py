"""The report as JSON on one line."""

from __future__ import annotations

from triage.model.report import Report
from triage.render._base import Renderer, RenderOptions
from triage.render.json_ import dump


def _render(report: Report, _options: RenderOptions) -> str:
    return dump(report, indent=None) + "\n"


RENDERER = Renderer(
    name="jsonl",
    title="JSON on one line",
    suffix=".jsonl",
    media_type="application/jsonl",
    render=_render,
)
