"""The published tables that calculators look things up in: `signatures/tables/*.tsv`.

A line is an entry, columns are parted by tabs, `#` begins a comment; `# source:` names the source.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from triage.errors import PackError
from triage.resources import data_dir

_SOURCE = "# source: "


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of one table in their order, and the document that they come from."""

    rows: tuple[tuple[str, ...], ...]
    source: str

    def find(self, key: str) -> tuple[str, ...] | None:
        """Return the row that begins with a key."""
        return next((row for row in self.rows if row[0] == key), None)


@cache
def table(name: str, columns: int) -> Table:
    """Return a table; raises PackError where a row has not as many columns as it should."""
    path = data_dir("signatures") / "tables" / f"{name}.tsv"
    rows: list[tuple[str, ...]] = []
    source = ""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith(_SOURCE):
            source = source or line.removeprefix(_SOURCE)
        if not line or line.startswith("#"):
            continue
        cells = tuple(line.split("\t"))
        if len(cells) != columns:
            raise PackError([f"{path.name}:{number}: {columns} columns are wanted"])
        rows.append(cells)
    return Table(tuple(rows), source)
