from __future__ import annotations

from collections.abc import Callable

import pytest

from triage.model.report import Report
from triage.render import RenderOptions, renderers

Render = Callable[..., str]


@pytest.fixture(scope="session")
def render() -> Render:
    def run(name: str, report: Report, **options: object) -> str:
        return renderers()[name].render(report, RenderOptions(**options))

    return run
