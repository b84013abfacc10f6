"""Every way to print a report: one module each, found by its constant."""

from __future__ import annotations

import sys
from functools import cache

from triage.registry import collect
from triage.render._base import Renderer, RenderOptions

__all__ = ["RenderOptions", "Renderer", "renderers"]


@cache
def renderers() -> dict[str, Renderer]:
    """Return every renderer by the name that users give."""
    table = collect(sys.modules[__name__], "RENDERER", Renderer)
    return {renderer.name: renderer for renderer in table.values()}
