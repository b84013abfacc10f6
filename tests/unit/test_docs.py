"""The documentation says what the program does."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from triage.errors import ExitCode
from triage.signatures.fields import FIELDS

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


def test_readme_shows_what_the_program_prints() -> None:
    match = re.search(r"<!-- sample: (\S+) -->\n```text\n(.*?)\n```", README, re.DOTALL)
    assert match
    command = [sys.executable, "-m", "triage.cli.main", "analyze", match[1]]
    env = {**os.environ, "COLUMNS": "100"}
    printed = subprocess.run(
        command, cwd=ROOT, env=env, capture_output=True, text=True, check=True
    ).stdout
    assert printed.rstrip() == match[2], "run the command again and paste what it prints"


def test_ci_runs_the_test_command_of_the_readme() -> None:
    assert "\nscripts/check\n" in README
    assert "exec scripts/check" in (ROOT / ".ci/run").read_text()


@pytest.mark.parametrize("code", list(ExitCode))
def test_every_exit_status_is_in_the_readme(code: ExitCode) -> None:
    assert f"| {code.value} |" in README


@pytest.mark.parametrize("path", sorted(ROOT.glob("docs/**/*.md")), ids=lambda p: p.name)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+?)\)", path.read_text()):
        assert (path.parent / target).exists(), target


def test_signature_reference_names_every_field() -> None:
    text = (ROOT / "docs/reference/signature-format.md").read_text()
    missing = [f.full_name for f in FIELDS if f.name != "*" and f"`{f.name}`" not in text]
    assert missing == []


def test_every_family_of_a_signature_exists() -> None:
    families = {p.stem for p in (ROOT / "signatures/families").glob("*.toml")}
    for path in (ROOT / "signatures").glob("*/*.toml"):
        if match := re.search(r'^family = "([^"]+)"', path.read_text(), re.MULTILINE):
            assert match[1] in families, path
