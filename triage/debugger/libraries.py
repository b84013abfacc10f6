"""Which files gdb took symbols from, and whether they are the files that the process ran."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from triage.debugger.files import open_regular
from triage.debugger.mi import Reply
from triage.debugger.records import as_list, as_mapping, as_number, as_text
from triage.debugger.sysroot import Verified
from triage.elf.facts import CoreFacts, CoreModule
from triage.elf.image import Image, read_image
from triage.errors import InputError
from triage.model.crash import Module, Symbols

LIST: Final = "-file-list-shared-libraries"
DEBUG_FOLDERS: Final = "-gdb-show debug-file-directory"
LOAD_ALL: Final = '-interpreter-exec console "sharedlibrary"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """A shared library as gdb found it; `start` and `end` enclose its code.

    `module` is what the core dump says about it; `matches` is false where the file that gdb found
    is not the one that was mapped. A library without an extent is one that gdb did not find.
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

    @property
    def load_command(self) -> str:
        """The command that makes gdb read the library's symbols."""
        # The path comes from the process's memory: nothing in it may be more than a character.
        pattern = re.sub(r"[^0-9A-Za-z/_-]", ".", self.path)
        return f'-interpreter-exec console "sharedlibrary ^{pattern}$"'


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


def read_libraries(
    listing: Reply, folders: Reply, facts: CoreFacts, verified: Verified | None
) -> Libraries:
    """Read gdb's list of libraries and compare each with what the process had mapped.

    `verified` are the files that gdb was shown, None where it could see this machine's.
    """
    stated = as_text(folders.payload.get("value")) or ""
    debug_folders = [Path(folder) for folder in stated.split(":") if folder]
    entries = as_list(listing.payload.get("shared-libraries"))
    found = (_library(as_mapping(entry), debug_folders, facts, verified) for entry in entries)
    return Libraries(library for library in found if library is not None)


def describe_modules(
    facts: CoreFacts, libraries: Libraries, program: Symbols | None, with_lines: Set[str | None]
) -> tuple[Module, ...]:
    """Return the process's modules with what their symbols are worth.

    `program` says that of the executable's own file; the modules named in `with_lines` gave files
    and lines, so that they have debug information, wherever gdb found it.
    """
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
    return tuple(replace(m, symbols=Symbols.FULL) if m.name in with_lines else m for m in modules)


def _module(module: CoreModule, library: Library | None, program: Symbols | None) -> Module:
    symbols = program or (library.symbols if library else Symbols.MISSING)
    return Module(
        name=library.name if library else module.name,
        path=module.path,
        build_id=module.build_id,
        symbols=symbols,
    )


def _library(
    entry: object, debug_folders: list[Path], facts: CoreFacts, verified: Verified | None
) -> Library | None:
    fields = as_mapping(entry)
    path = as_text(fields.get("host-name")) or as_text(fields.get("target-name"))
    if path is None:
        return None
    ranges = [as_mapping(r) for r in as_list(fields.get("ranges"))]
    starts = [n for r in ranges if (n := as_number(r.get("from"))) is not None]
    ends = [n for r in ranges if (n := as_number(r.get("to"))) is not None]
    if not starts or not ends:
        return Library(path=path, symbols=Symbols.MISSING)
    start = min(starts)
    module = facts.module_at(start)
    wanted = module.build_id if module else None
    if verified is not None:
        here = verified.libraries.get(path)
        image = None if here is None else _image_of(Path(here))
        matches = image is not None
        separate = wanted in verified.debug
    else:
        image = _image_of(Path(path))
        matches = wanted is None or (image is not None and image.build_id == wanted)
        separate = image is not None and _has_debug_file(image.build_id, debug_folders)
    return Library(
        path=path,
        symbols=_symbols(image, separate=separate) if matches else Symbols.MISSING,
        module=module,
        start=start,
        end=max(ends),
        matches=matches,
    )


def _symbols(image: Image | None, *, separate: bool) -> Symbols:
    if image is None:
        return Symbols.MISSING
    if image.has_debug_info or separate:
        return Symbols.FULL
    return Symbols.SYMBOLS_ONLY if image.has_symbols else Symbols.MISSING


def _has_debug_file(build_id: str | None, folders: list[Path]) -> bool:
    if build_id is None:
        return False
    name = Path(".build-id") / build_id[:2] / f"{build_id[2:]}.debug"
    return any((folder / name).is_file() for folder in folders)


def _image_of(path: Path) -> Image | None:
    """Read a library that gdb opened; only a regular file, a pipe would block."""
    try:
        with open_regular(path) as stream:
            return read_image(stream)
    except (OSError, InputError):
        return None
