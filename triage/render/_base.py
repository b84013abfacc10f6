"""The contract of a renderer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from triage.model.report import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderOptions:
    """What the reader's screen allows and how much the reader wants to see."""

    colour: bool = False
    width: int = 80
    verbose: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Renderer:
    """One way to print a report.

    `name` is what users give, `suffix` ends the name of a file that holds the output.
    """

    name: str
    title: str
    suffix: str
    media_type: str
    render: Callable[[Report, RenderOptions], str]
