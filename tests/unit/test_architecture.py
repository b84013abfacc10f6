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
from triage.formats import formats

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted((ROOT / "triage").rglob("*.py"))
MAX_MODULE, MAX_FUNCTION = 400, 40

# What is longer than allowed, and how long it is. Entries may shrink and go; none may be added.
LONG_MODULES: dict[str, int] = {}
LONG_FUNCTIONS: dict[str, int] = {}

# Formats of which no real text could be recorded yet; their tests are made of quoted ones.
UNRECORDED = {"python", "sanitizer"}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def functions() -> Iterator[tuple[str, int]]:
    """Yield each function with its number of lines, decorators and docstring not counted."""
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                first = node.body[1] if ast.get_docstring(node) and node.body[1:] else node.body[0]
                yield f"{name_of(path)}:{node.name}", (node.end_lineno or 0) - first.lineno + 1


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


def test_every_package_module_says_what_it_is() -> None:
    silent = [name_of(p) for p in MODULES if p.read_text() and not _docstring(p)]
    assert silent == []


def _docstring(path: Path) -> str | None:
    return ast.get_docstring(ast.parse(path.read_text()))


def test_formats_and_grammars_have_one_stem() -> None:
    grammars = {path.stem for path in (ROOT / "grammars").glob("*.lark")}
    assert {f.name for f in formats()} == grammars


@pytest.mark.parametrize("name", sorted(f.name for f in formats()))
def test_every_format_is_tested(name: str) -> None:
    tests = [p for p in (ROOT / "tests").rglob("test_*.py") if p != Path(__file__)]
    pattern = re.compile(rf"formats\.{name}\b|formats import {name}\b|[\"']{name}[\"']")
    assert [p for p in tests if pattern.search(p.read_text())], f"no test names the format {name}"


@pytest.mark.parametrize("name", sorted({f.name for f in formats()} - UNRECORDED))
def test_every_format_opens_on_a_recording(name: str) -> None:
    (form,) = [f for f in formats() if f.name == name]
    texts = (p for p in (ROOT / "fixtures").rglob("*") if p.suffix in {".txt", ".log"})
    assert any(form.opens.search(line) for p in texts for line in p.read_text().splitlines())


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
