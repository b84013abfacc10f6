"""The rules that keep the code small, layered and free of its makers' surroundings."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from importlinter.cli import lint_imports

from triage.cli.app import cli
from triage.cli.output import FORMATS
from triage.formats import formats
from triage.render import renderers

ROOT = Path(__file__).resolve().parents[2]
ME = Path(__file__).name
MODULES = sorted((ROOT / "triage").rglob("*.py"))
MAX_MODULE, MAX_FUNCTION = 400, 40

# What is longer than allowed, and how long it is. Entries may shrink and go; none may be added.
LONG_MODULES: dict[str, int] = {}
LONG_FUNCTIONS: dict[str, int] = {}

# Formats that nothing proves yet.
UNPROVED: set[str] = set()


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def functions() -> Iterator[tuple[str, int]]:
    """Yield each function with its number of lines, decorators and docstring not counted."""
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                yield f"{name_of(path)}:{node.name}", lines - docstring_lines(node)


def docstring_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    if ast.get_docstring(node) is None:
        return 0
    return (node.body[0].end_lineno or 0) - node.body[0].lineno + 1


def test_imports_point_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert lint_imports(cache_dir=None) == 0


def test_modules_are_short() -> None:
    lengths = {name_of(path): len(path.read_text().splitlines()) for path in MODULES}
    assert {n: k for n, k in lengths.items() if k > LONG_MODULES.get(n, MAX_MODULE)} == {}
    assert {n for n in LONG_MODULES if lengths.get(n, 0) <= MAX_MODULE} == set(), "no longer long"


def test_functions_are_short() -> None:
    lengths = dict(functions())
    assert {n: k for n, k in lengths.items() if k > LONG_FUNCTIONS.get(n, MAX_FUNCTION)} == {}
    assert {n for n in LONG_FUNCTIONS if lengths.get(n, 0) <= MAX_FUNCTION} == set(), (
        "no longer long"
    )


def test_formats_and_grammars_have_one_stem() -> None:
    grammars = {path.stem for path in (ROOT / "grammars").glob("*.lark")}
    assert {f.name for f in formats()} == grammars


def test_every_format_has_a_text_to_prove_it() -> None:
    """Each opens on a recording or on a signature's example, or is named by a test of its own."""
    logs = [p for p in (ROOT / "fixtures").rglob("*") if p.suffix in {".txt", ".log"}]
    packs = [p for p in (ROOT / "signatures").rglob("*") if p.suffix in {".toml", ".log"}]
    lines = {line for p in (*logs, *packs) for line in p.read_text().splitlines()}
    tests = "".join(p.read_text() for p in (ROOT / "tests").rglob("test_*.py") if p.name != ME)
    unproved = {
        f.name
        for f in formats()
        if not any(map(f.opens.search, lines))
        and not re.search(rf"\bformats(?:\.| import ){f.name}\b|[\"']{f.name}[\"']", tests)
    }
    assert unproved == UNPROVED


def test_every_renderer_can_be_asked_for() -> None:
    assert set(FORMATS) == set(renderers())


def commands(
    command: click.Command, path: tuple[str, ...] = ()
) -> Iterator[tuple[str, click.Command]]:
    """Yield every command with the words that call it."""
    yield " ".join(("clawtriage", *path)), command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child
            yield from commands(child, (*path, name))


COMMANDS = dict(commands(cli))


@pytest.mark.parametrize("name", COMMANDS)
def test_help_ends_with_an_example(name: str) -> None:
    command = COMMANDS[name]
    assert command.help
    assert re.search(rf"Examples?:\n.*{name}", command.epilog or "")


def test_nothing_names_the_place_where_it_was_made() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    places = [str(ROOT).encode(), *(str(p).encode() for p in ROOT.parent.iterdir())]
    foreign = re.compile(rb"(?<![\w.-])(?:" + b"|".join(map(re.escape, places)) + rb")(?![\w.-])")
    files = [ROOT / name for name in listed.split("\0") if name]
    if ROOT.parent == Path("/"):
        pytest.skip("the checkout lies beside the system's own folders")
    assert [name_of(p) for p in files if p.is_file() and foreign.search(p.read_bytes())] == []
