"""Chooses the files that gdb may read beside the core dump: those whose build id is the core's.

The names come from the process's memory, where anything can stand. So a name only says where to
look; what is found is shown to gdb when it is a regular file with the build id that the core dump
has for the module.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from triage.debugger.bundle import Bundle
from triage.debugger.files import open_regular
from triage.debugger.sandbox import CORE, DEBUG, EMPTY, EXECUTABLE, SYSROOT, Mounts
from triage.elf.facts import CoreFacts, CoreModule
from triage.elf.image import Image, read_build_id, read_image
from triage.errors import InputError

_SYSTEM_DEBUG: Final = "/usr/lib/debug"
# Here a look alone can have an effect, or lead to other machines.
_NOT_FILES: Final = ("/proc/", "/sys/", "/dev/", "/net/")
_MAX_LIBRARIES: Final = 1024
_MAX_PATH: Final = 3072
_MAX_PART: Final = 255


class Verified(NamedTuple):
    """The files for one core dump.

    `libraries` leads from the paths that gdb sees to those on this machine; `debug` are the build
    ids that have a separate debug file. By name: `different` are modules for which only another
    build was found, `unverified` those that a build id is missing for; `left_out` is how many are
    over the limit.
    """

    mounts: Mounts
    libraries: Mapping[str, str]
    debug: frozenset[str]
    different: tuple[str, ...]
    unverified: tuple[str, ...]
    left_out: int


class Places(NamedTuple):
    """Where files are looked for: folders that the user named, the bundle, this machine."""

    sysroot: Path | None = None
    symbols: Path | None = None
    bundle: Bundle = Bundle()

    def executable(self, facts: CoreFacts) -> Path | None:
        """Return the crashed program from the folders that the user named, if it is there."""
        build_id = facts.executable_build_id
        if build_id is None:
            return None
        named = [f"{self.sysroot}/{facts.executable}"] if self.sysroot else []
        found = next(
            (p for p in (*_stored(self.symbols, build_id), *named) if _build_id(p) == build_id),
            None,
        )
        return None if found is None else Path(found)

    def libraries(self, module: CoreModule, name: str) -> Iterator[str]:
        """Yield the paths at which a library may be."""
        if module.build_id is not None:
            yield from _stored(self.symbols, module.build_id)
            yield from _one(self.bundle.image(module.build_id))
        for path in dict.fromkeys((module.path, name)):
            if path.startswith("/") and _inside(path) is not None:
                if self.sysroot is not None:
                    yield f"{self.sysroot}{path}"
                elif not path.startswith(_NOT_FILES):
                    yield path

    def debug_files(self, build_id: str) -> Iterator[str]:
        """Yield the paths at which the separate debug file for a build id may be."""
        first, rest = build_id[:2], build_id[2:]
        if self.symbols is not None:
            yield f"{self.symbols}/{first}/{rest}/debuginfo"
            yield f"{self.symbols}/{build_id}/debuginfo"
        yield from _one(self.bundle.debug_file(build_id))
        for folder in self._debug_folders():
            yield f"{folder}/.build-id/{first}/{rest}.debug"

    def shared_debug(self, name: str, build_id: str, beside: str) -> Iterator[str]:
        """Yield the paths at which what several debug files have in common may be."""
        yield from self.debug_files(build_id)
        if not name.startswith("/"):
            yield posixpath.join(posixpath.dirname(posixpath.realpath(beside)), name)
        elif name.startswith(_SYSTEM_DEBUG + "/"):
            yield from (f + name.removeprefix(_SYSTEM_DEBUG) for f in self._debug_folders())

    def _debug_folders(self) -> list[str]:
        named = [str(self.symbols)] if self.symbols else []
        named += [f"{self.sysroot}{_SYSTEM_DEBUG}"] if self.sysroot else []
        return [*named, _SYSTEM_DEBUG]


class _Tree:
    """The paths inside the sandbox; none can be a file and a folder at once."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {}
        self.links: dict[str, str] = {}
        self._folders: set[str] = set()

    def add(self, inside: str, source: str) -> bool:
        """Add a file, unless its path is taken."""
        return self._take(inside) and self.files.setdefault(inside, source) == source

    def link(self, inside: str, target: str) -> None:
        """Add a link to another path inside, unless its path is taken."""
        if self._take(inside):
            self.links[inside] = target

    def _take(self, inside: str) -> bool:
        above = [p.as_posix() for p in Path(inside).parents]
        if inside in self._folders or any(self._is_file(p) for p in (inside, *above)):
            return False
        self._folders.update(above)
        return True

    def _is_file(self, inside: str) -> bool:
        return inside in self.files or inside in self.links

    def mounts(self) -> Mounts:
        """Return everything as it is mounted."""
        files = tuple((source, inside) for inside, source in self.files.items())
        return Mounts(files, tuple((target, inside) for inside, target in self.links.items()))


def verify(
    core: Path, binary: Path | None, image: Image | None, facts: CoreFacts, places: Places
) -> Verified:
    """Return what gdb is shown; `image` is what `binary` holds, where that is the right one."""
    tree = _Tree()
    tree.add(CORE, str(core.absolute()))
    debug: set[str] = set()
    if binary is not None and image is not None:
        tree.add(EXECUTABLE, str(binary.absolute()))
        inside = _inside(facts.executable or "")
        if inside is not None and facts.executable_build_id == image.build_id:
            tree.link(inside, EXECUTABLE)
        if not image.has_debug_info:
            _add_debug(tree, places, image.build_id, debug, _beside(binary, image))
    libraries: dict[str, str] = {}
    different, unverified = [], []
    linked = _linked(facts)
    for name, module in linked[:_MAX_LIBRARIES]:
        inside = _inside(name)
        source, found = _find(places, module, name)
        if source is None:
            if module.build_id is None:
                unverified.append(module.name)
            elif found:
                different.append(module.name)
        elif inside is not None and tree.add(inside, source):
            libraries[inside] = source
            mapped = _inside(module.path)
            if mapped is not None:
                tree.link(mapped, inside)
            _add_debug(tree, places, module.build_id, debug, ())
    return Verified(
        mounts=tree.mounts(),
        libraries=libraries,
        debug=frozenset(debug),
        different=tuple(different),
        unverified=tuple(unverified),
        left_out=max(len(linked) - _MAX_LIBRARIES, 0),
    )


def _linked(facts: CoreFacts) -> list[tuple[str, CoreModule]]:
    """Return the libraries by the names that gdb knows, by their paths where those are lost."""
    pairs = [(lib.name, facts.module_at(lib.dynamic)) for lib in facts.libraries]
    found = [(name, module) for name, module in pairs if module is not None]
    if not found:
        found = [(m.path, m) for m in facts.modules if m.path != facts.executable]
    return found


def _inside(name: str) -> str | None:
    """Return where gdb will look for a name, None for one that leads astray."""
    parts = [part for part in name.split("/") if part not in {"", "."}]
    size = max((len(part.encode()) for part in parts), default=0)
    if not parts or ".." in parts or size > _MAX_PART or len(name.encode()) > _MAX_PATH:
        return None
    return "/".join((SYSROOT if name.startswith("/") else EMPTY, *parts))


def _find(places: Places, module: CoreModule, name: str) -> tuple[str | None, bool]:
    """Return the file for a library, and whether there was any at all.

    A library whose build id the core dump lacks is taken from the folder that the user vouches for.
    """
    found = False
    for path in places.libraries(module, name):
        build_id = _build_id(path)
        found = found or build_id is not None
        if build_id is None:
            continue
        vouched = module.build_id is None and places.sysroot is not None
        if vouched or build_id == module.build_id:
            return path, True
    return None, found


def _add_debug(
    tree: _Tree, places: Places, build_id: str | None, found: set[str], more: Sequence[str]
) -> None:
    """Add the separate debug file for a build id, and the one that it shares with others."""
    if build_id is None or build_id in found:
        return
    for path in (*places.debug_files(build_id), *more):
        image = _image(path)
        if image is None or image.build_id != build_id:
            continue
        if tree.add(_by_build_id(build_id), path):
            found.add(build_id)
        if image.shared_debug is not None:
            name, shared = image.shared_debug
            for other in places.shared_debug(name, shared, path):
                if _build_id(other) == shared:
                    tree.add(_by_build_id(shared), other)
                    break
        return


def _by_build_id(build_id: str) -> str:
    return f"{DEBUG}/.build-id/{build_id[:2]}/{build_id[2:]}.debug"


def _beside(binary: Path, image: Image) -> tuple[str, ...]:
    """Return where the debug file that a program names may be: beside it, by its bare name."""
    name = image.debug_link
    if name is None or "/" in name or name in {".", ".."}:
        return ()
    folder = binary.absolute().parent
    return (f"{folder}/{name}", f"{folder}/.debug/{name}")


def _one(path: str | None) -> tuple[str, ...]:
    return () if path is None else (path,)


def _stored(symbols: Path | None, build_id: str) -> tuple[str, ...]:
    if symbols is None:
        return ()
    first, rest = build_id[:2], build_id[2:]
    return (
        f"{symbols}/{first}/{rest}/executable",
        f"{symbols}/{build_id}/executable",
        f"{symbols}/.build-id/{first}/{rest}",
    )


def _build_id(path: str) -> str | None:
    try:
        with open_regular(Path(path)) as stream:
            return read_build_id(stream)
    except (OSError, ValueError, InputError):
        return None


def _image(path: str) -> Image | None:
    try:
        with open_regular(Path(path)) as stream:
            return read_image(stream)
    except (OSError, ValueError, InputError):
        return None
