"""The report as an issue that can be pasted into a tracker."""

from __future__ import annotations

from triage.model.report import Report
from triage.render._base import Renderer, RenderOptions
from triage.render._build import Limits, build_view
from triage.render._markdown import cell, code, fence, prose
from triage.render._templates import Markup, load_template
from triage.render._view import FrameView, StackView
from triage.text.safe import safe_line


def _render(report: Report, _options: RenderOptions) -> str:
    page = load_template("report.md.j2", prose).render(
        r=build_view(report, Limits(frames=50)), code=code, cell=cell, fence=fence, stack=_stack
    )
    return page.rstrip("\n") + "\n"


def _stack(stack: StackView) -> Markup:
    """Return the frames as a fenced block, the blamed one marked."""
    above = [f"... {stack.before} frames above"] if stack.before else []
    below = [f"... {stack.after} frames below"] if stack.after else []
    return fence("\n".join([*above, *map(_frame, stack.frames), *below]), "text")


def _frame(frame: FrameView) -> str:
    words = (f"#{frame.number} ", frame.function, frame.args, frame.place)
    return safe_line(("> " if frame.blamed else "  ") + " ".join(w for w in words if w))


RENDERER = Renderer(
    name="markdown",
    title="an issue, in GitHub's Markdown",
    suffix=".md",
    media_type="text/markdown; charset=utf-8",
    render=_render,
)
