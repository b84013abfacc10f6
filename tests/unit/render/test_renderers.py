from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import fields
from importlib.resources import files

import pytest

from triage.render import renderers
from triage.render._view import ReportView


def test_every_renderer_is_found_by_its_name() -> None:
    table = renderers()
    assert set(table) == {"text", "markdown", "json", "jsonl"}
    assert len({renderer.suffix for renderer in table.values()}) == len(table)
    for name, renderer in table.items():
        assert renderer.name == name
        assert renderer.title
        assert "/" in renderer.media_type


def test_finding_renderers_does_not_load_the_template_engine() -> None:
    code = "import sys, triage.render; triage.render.renderers(); sys.exit('jinja2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("template", ["report.txt.j2", "report.md.j2"])
def test_a_template_uses_everything_that_a_page_has(template: str) -> None:
    text = (files("triage.render") / "templates" / template).read_text(encoding="utf-8")
    used = set(re.findall(r"\br\.([a-z_]+)", text))
    names = {f.name for f in fields(ReportView)}
    assert used <= names
    assert names - used <= {"left_out", "tone", "family", "action", "blamed_why"}
