"""The documentation says what the program does."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from triage.calculators import calculator_names
from triage.cli.app import cli
from triage.errors import ExitCode
from triage.formats import formats
from triage.model.diagnosis import Action, Level, Verdict
from triage.signatures.fields import FIELDS, OPERATORS, Op

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
PAGES = [*ROOT.glob("*.md"), *sorted((ROOT / "docs").rglob("*.md"))]
DOCS = "\n".join(page.read_text() for page in PAGES)
SIGNATURES = (ROOT / "docs/reference/signature-format.md").read_text()
PRINTS = re.compile(
    r"(<!-- prints: clawtriage ([^\n]+) -->\n```text\n)(.*?)(^```$)", re.DOTALL | re.M
)


# ---- what a page shows is what the program prints -----------------------------------------


@pytest.mark.parametrize("page", [p for p in PAGES if "<!-- prints: " in p.read_text()], ids=str)
def test_samples_are_what_the_program_prints(page: Path, request: pytest.FixtureRequest) -> None:
    text = page.read_text()
    fresh = PRINTS.sub(lambda m: m[1] + printed(m[2]) + m[4], text)
    assert text.count("<!-- prints: ") == len(PRINTS.findall(text)), "a sample is no text block"
    if request.config.getoption("--update-golden"):
        page.write_text(fresh)
        return
    assert text == fresh, "to paste what is printed now: just golden"


def printed(arguments: str) -> str:
    """Return what the program prints for a command line, 100 columns wide."""
    done = subprocess.run(
        [sys.executable, "-m", "triage.cli.main", *shlex.split(arguments)],
        cwd=ROOT, env={**os.environ, "COLUMNS": "100"}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode in (ExitCode.KNOWN, ExitCode.UNKNOWN, ExitCode.NO_CRASH), done.stderr
    return done.stdout.rstrip() + "\n"


def test_the_readme_shows_a_real_diagnosis() -> None:
    assert re.search(r"<!-- prints: clawtriage analyze fixtures/recordings/\S+ -->", README)


# ---- the two commands of the README -------------------------------------------------------


def commands_of_the_readme() -> list[str]:
    """Return the blocks of the section that tells how to try it, in order."""
    section = README.partition("\n## Try it\n")[2].partition("\n## ")[0]
    return [block.strip() for block in re.findall(r"```sh\n(.*?)```", section, re.DOTALL)]


def test_the_readme_has_two_commands_that_exist() -> None:
    assert len(commands_of_the_readme()) == 2
    for command in commands_of_the_readme():
        assert os.access(ROOT / command.split()[0], os.X_OK), command


def test_the_first_diagnoses_what_the_readme_shows() -> None:
    script = (ROOT / commands_of_the_readme()[0]).read_text()
    shown = re.search(r"<!-- prints: clawtriage (analyze \S+) -->", README)
    assert shown
    assert f"clawtriage {shown[1]}" in script


def test_ci_runs_the_second_and_nothing_behind_it() -> None:
    last = (ROOT / ".ci/run").read_text().rstrip().splitlines()[-1]
    assert last == f"exec {commands_of_the_readme()[1]}"


# ---- everything that a user can name is named ---------------------------------------------


def parameters(command: click.Command, path: str) -> Iterator[tuple[str, str]]:
    """Yield each option of a command and its subcommands, by its longest spelling."""
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            yield path, max(parameter.opts, key=len)
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            child = command.get_command(click.Context(command), name)
            assert child
            yield from parameters(child, f"{path} {name}")


def subcommands(command: click.Command, path: str) -> Iterator[str]:
    if not isinstance(command, click.Group):
        yield path
        return
    for name in command.list_commands(click.Context(command)):
        child = command.get_command(click.Context(command), name)
        assert child
        yield from subcommands(child, f"{path} {name}")


def test_every_command_is_documented() -> None:
    assert [c for c in subcommands(cli, "clawtriage") if c not in DOCS] == []


def test_every_option_is_documented() -> None:
    options = {option for _, option in parameters(cli, "clawtriage")}
    assert sorted(o for o in options if not re.search(rf"{re.escape(o)}(?![\w-])", DOCS)) == []


@pytest.mark.parametrize("code", list(ExitCode))
def test_every_exit_status_is_in_the_readme(code: ExitCode) -> None:
    assert f"| {code.value} |" in README


def test_every_family_and_engine_is_documented() -> None:
    folders = (ROOT / "signatures/families", ROOT / "signatures/engines")
    named = [path.stem for folder in folders for path in folder.glob("*.toml")]
    assert [name for name in named if f"`{name}`" not in DOCS] == []


def test_every_signature_has_a_family_that_exists() -> None:
    families = {path.stem for path in (ROOT / "signatures/families").glob("*.toml")}
    for path in (ROOT / "signatures").glob("*/*.toml"):
        if match := re.search(r'^family = "([^"]+)"', path.read_text(), re.MULTILINE):
            assert match[1] in families, path


def test_every_format_is_in_the_table_of_dialects(request: pytest.FixtureRequest) -> None:
    page = ROOT / "docs/reference/dialects.md"
    rows = "".join(f"| `{f.name}` | {f.title} |\n" for f in sorted(formats(), key=lambda f: f.name))
    head, mark, _ = page.read_text().partition("|---|---|\n")
    if request.config.getoption("--update-golden"):
        page.write_text(head + mark + rows)
    assert page.read_text() == head + mark + rows, "to write the table anew: just golden"


def test_the_signature_reference_names_every_field() -> None:
    missing = [f.full_name for f in FIELDS if f.name != "*" and f"`{f.name}`" not in SIGNATURES]
    assert missing == []


# How a value is written that asks for this.
SPELLING = {
    Op.FITS: '"text*"',
    Op.NOT: "{ not = ",
    Op.COMPARE: "{ lt = 1, le = 1, gt = 1, ge = 1, eq = 1, ne = 1 }",
    Op.VERSION: "{ version = ",
    Op.ABOVE: "{ above = ",
    Op.BELOW: "{ below = ",
    Op.SET: "{ set = ",
    Op.REGEX: "{ regex = ",
    Op.SEQUENCE: "`sequence`",
}


def test_the_signature_reference_names_every_operator() -> None:
    used = {op for operators in OPERATORS.values() for op in operators}
    assert used == set(SPELLING)
    assert [op for op in used if SPELLING[op] not in SIGNATURES] == []


@pytest.mark.parametrize("name", [*calculator_names(), *(level.value for level in Level)])
def test_the_signature_reference_names_calculators_and_levels(name: str) -> None:
    assert f"`{name}`" in SIGNATURES


@pytest.mark.parametrize("value", [*Action, *Verdict, *Level], ids=str)
def test_the_report_reference_names_every_value(value: str) -> None:
    assert f"| `{value}` |" in (ROOT / "docs/reference/json-report.md").read_text()


def test_the_report_reference_names_every_field() -> None:
    page = (ROOT / "docs/reference/json-report.md").read_text()
    schema = json.loads((ROOT / "docs/reference/report.schema.json").read_text())
    kinds = [schema, *schema["$defs"].values()]
    names = {name for kind in kinds for name in kind.get("properties", {})}
    assert sorted(name for name in names if f"| `{name}` |" not in page) == []


# ---- the pages themselves -----------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_every_page_can_be_reached_from_the_index() -> None:
    index = (ROOT / "docs/README.md").read_text()
    pages = [p.relative_to(ROOT / "docs").as_posix() for p in PAGES if "docs" in p.parts]
    assert [p for p in pages if f"]({p})" not in index and p != "README.md"] == []


@pytest.mark.parametrize("page", sorted((ROOT / "docs/how-to").glob("*.md")), ids=lambda p: p.name)
def test_how_tos_end_with_the_proof(page: Path) -> None:
    ending = page.read_text().rstrip().rpartition("\n\n")
    assert ending[2].startswith("```sh\n"), "the last block is the command that proves it worked"
    assert re.search(r"^(?:It worked when|Prove it)", ending[0].splitlines()[-1])


def test_decisions_are_numbered_without_gaps() -> None:
    numbers = sorted(int(path.name[:4]) for path in (ROOT / "docs/adr").glob("*.md"))
    assert numbers == list(range(1, len(numbers) + 1))


def test_the_picture_of_layers_is_the_contract() -> None:
    page = (ROOT / "docs/explanation/architecture.md").read_text()
    layers = re.search(
        r"^layers = \[\n(.*?)^\]", (ROOT / "pyproject.toml").read_text(), re.S | re.M
    )
    assert layers
    wanted = re.findall(r'"(.+)"', layers[1].replace("triage.", ""))
    assert "```text\n" + "\n".join(wanted) + "\n```" in page
