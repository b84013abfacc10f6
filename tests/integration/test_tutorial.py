"""The tutorial does what it says: its files are saved, its commands run, their output compared."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/tutorial/your-first-signature.md"
_BLOCK = re.compile(
    r"(?:<!-- file: (?P<file>\S+) -->\n)?^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.DOTALL | re.M
)


def steps(page: str) -> Iterator[tuple[str, str, str | None]]:
    """Yield each file to save, and each command with the output that the page shows, if any."""
    blocks = list(_BLOCK.finditer(page))
    for n, block in enumerate(blocks):
        if block["file"]:
            yield block["file"], block["text"], None
        elif block["kind"] == "sh":
            after = blocks[n + 1] if n + 1 < len(blocks) else None
            shown = (
                after["text"] if after and after["kind"] == "text" and not after["file"] else None
            )
            yield "", block["text"], shown


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    program = tmp_path / "bin" / "clawtriage"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m triage.cli.main "$@"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "work").mkdir()
    env = {
        **os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT),
        "COLUMNS": "100", "NO_COLOR": "1",
    }  # fmt: skip
    with subprocess.Popen(
        ["bash"], cwd=tmp_path / "work", env=env, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as running:  # fmt: skip
        yield running
        running.kill()


def run(shell: subprocess.Popen[str], command: str) -> str:
    """Run a block in the one shell of the reader, and return what it prints."""
    assert shell.stdin
    assert shell.stdout
    shell.stdin.write(f"{command}\necho end-of-block\n")
    shell.stdin.flush()
    lines = []
    for line in shell.stdout:
        if line == "end-of-block\n":
            return "".join(lines)
        lines.append(line)
    raise AssertionError("the shell ended")


@pytest.mark.slow
def test_the_tutorial_does_what_it_says(shell: subprocess.Popen[str], tmp_path: Path) -> None:
    done = 0
    for name, text, shown in steps(PAGE.read_text()):
        if name:
            path = tmp_path / "work" / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
            continue
        printed = run(shell, text)
        assert "Traceback" not in printed
        if shown is not None:
            assert abridged(printed, shown) == shown, f"after: {text}"
        done += 1
    assert done >= 8


def abridged(printed: str, shown: str) -> str:
    """Return the printed lines that a page of fewer lines shows, in their order."""
    if printed.count("\n") == shown.count("\n"):
        return printed
    wanted = iter(shown.splitlines(keepends=True))
    line = next(wanted, None)
    kept = []
    for each in printed.splitlines(keepends=True):
        if each == line:
            kept.append(each)
            line = next(wanted, None)
    return "".join(kept) if line is None else printed
