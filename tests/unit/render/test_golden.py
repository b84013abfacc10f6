"""The pages of three reports, read by a person before they were kept."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.unit.render.samples import SAMPLES
from triage.render import renderers

Golden = Callable[[str, str], None]
Render = Callable[..., str]


@pytest.mark.parametrize("form", ["text", "markdown", "json"])
@pytest.mark.parametrize("sample", sorted(SAMPLES))
def test_page(form: str, sample: str, render: Render, golden: Golden) -> None:
    golden(f"{sample}{renderers()[form].suffix}", render(form, SAMPLES[sample]))


@pytest.mark.parametrize("sample", sorted(SAMPLES))
def test_verbose_page(sample: str, render: Render, golden: Golden) -> None:
    golden(f"{sample}.verbose.txt", render("text", SAMPLES[sample], verbose=True, width=100))


def test_page_in_colour(render: Render, golden: Golden) -> None:
    page = render("text", SAMPLES["known"], colour=True)
    golden("known.colour.txt", page.replace("\x1b", "<ESC>"))
