"""Which files gdb took symbols from, and whether they are the files that the process ran."""

from __future__ import annotations

import os
import re
import stat
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from triage.debugger.mi import Reply
from triage.debugger.records import as_list, as_mapping, as_number, as_text
from triage.elf.facts import CoreFacts, CoreModule
from triage.elf.image import read_build_id
from triage.model.crash import Module, Symbols

LIST: Final = "-file-list-shared-libraries"
# The machine interface does not tell which libraries lack debug information, this table does.
TABLE: Final = '-interpreter-exec console "info sharedlibrary"'
_NO_DEBUG_INFO: Final = re.compile(r"(?:0x[0-9a-f]+ +0x[0-9a-f]+ +)?Yes \(\*\) +(.+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """A shared library as gdb found it; `start` and `end` enclose its code.

    `module` is what the core dump says about it; `matches` is false where gdb took its symbols
    from a file that is not the one that was mapped.
    """

    path: str
    symbols: Symbols
    module: CoreModule | None = None
    start: int = 0
    end: int = 0
    matches: bool = True

    @property
    def name(self) -> str:
        """The file's name without its folders."""
        return self.path.rpartition("/")[2]


class Libraries:
    """The shared libraries by address."""

    def __init__(self, libraries: Iterable[Library]) -> None:
        self._sorted = sorted(libraries, key=lambda lib: lib.start)

    def __iter__(self) -> Iterator[Library]:
        return iter(self._sorted)

    def at(self, address: int) -> Library | None:
        """Return the library whose code holds an address."""
        place = bisect_right(self._sorted, address, key=lambda lib: lib.start) - 1
        if place >= 0 and address < self._sorted[place].end:
            return self._sorted[place]
        return None


def read_libraries(listing: Reply, table: Reply, facts: CoreFacts) -> Libraries:
    """Read gdb's list of libraries and compare each with what the process had mapped."""
    no_debug = {m[1] for line in table.console if (m := _NO_DEBUG_INFO.fullmatch(line))}
    entries = as_list(listing.payload.get("shared-libraries"))
    found = (_library(as_mapping(entry), no_debug, facts) for entry in entries)
    return Libraries(library for library in found if library is not None)


def describe_modules(
    facts: CoreFacts, libraries: Libraries, program: Symbols | None
) -> tuple[Module, ...]:
    """Return the process's modules; `program` says what the executable's symbols are worth."""
    by_path = {lib.module.path: lib for lib in libraries if lib.module is not None}
    modules = [
        _module(m, by_path.get(m.path), program if m.path == facts.executable else None)
        for m in facts.modules
    ]
    modules += [
        Module(name=lib.name, path=lib.path, symbols=lib.symbols)
        for lib in libraries
        if lib.module is None and lib.end
    ]
    return tuple(modules)


def _module(module: CoreModule, library: Library | None, program: Symbols | None) -> Module:
    symbols = program or (library.symbols if library else None)
    if library is not None and not library.matches:
        symbols = Symbols.MISSING
    return Module(
        name=library.name if library else module.name,
        path=module.path,
        build_id=module.build_id,
        symbols=symbols or Symbols.MISSING,
    )


def _library(entry: object, no_debug: set[str], facts: CoreFacts) -> Library | None:
    fields = as_mapping(entry)
    path = as_text(fields.get("host-name")) or as_text(fields.get("target-name"))
    if path is None:
        return None
    if fields.get("symbols-loaded") != "1":
        return Library(path=path, symbols=Symbols.MISSING)
    ranges = [as_mapping(r) for r in as_list(fields.get("ranges"))]
    starts = [n for r in ranges if (n := as_number(r.get("from"))) is not None]
    ends = [n for r in ranges if (n := as_number(r.get("to"))) is not None]
    start = min(starts, default=0)
    module = _module_at(facts, start)
    return Library(
        path=path,
        symbols=Symbols.SYMBOLS_ONLY if path in no_debug else Symbols.FULL,
        module=module,
        start=start,
        end=max(ends, default=0),
        matches=module is None or module.build_id in (None, _build_id_of(Path(path))),
    )


def _module_at(facts: CoreFacts, address: int) -> CoreModule | None:
    mapping = facts.mapping_at(address)
    if mapping is None:
        return None
    return next((m for m in facts.modules if m.path == mapping.path), None)


def _build_id_of(path: Path) -> str | None:
    """Read the build id of a file that gdb opened; only of a regular file, a pipe would block."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        return read_build_id(stream)
