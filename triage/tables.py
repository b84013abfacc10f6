"""Reads the tables of text that ship with clawtriage: a line is an entry, `#` starts a comment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from triage.resources import data_dir


def table_files(folder: str, ending: str) -> Sequence[Path]:
    """Return the files of a folder of `signatures`, in order of name."""
    return sorted((data_dir("signatures") / folder).glob(f"*.{ending}"))


def entries(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a file that are entries, each with its number from 1."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line and not line.startswith("#"):
            yield number, line


def lists(folder: str) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield what stands before the colon of each line of `*.txt`, and the words behind it."""
    for path in table_files(folder, "txt"):
        for _, line in entries(path):
            key, colon, words = line.split("#", 1)[0].partition(": ")
            if colon:
                yield key.strip(), words.split()
