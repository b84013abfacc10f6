"""The programs, libraries and debug files that came together with a core dump."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from triage.debugger.files import open_regular
from triage.elf.facts import CoreFacts
from triage.elf.image import read_image
from triage.errors import InputError

_MAX_FILES: Final = 1024


class BundledFile(NamedTuple):
    """An ELF file of a bundle: where it is now, and what a message calls it."""

    path: Path
    name: str

    @property
    def unpacked(self) -> bool:
        """Whether it lies in a private folder, for as long as the bundle is read."""
        return self.name != str(self.path)


class Bundle:
    """The files of a bundle by build id: nothing else says that they belong to a core dump."""

    def __init__(self, files: Iterable[BundledFile] = ()) -> None:
        self._images: dict[str, BundledFile] = {}
        self._debug: dict[str, BundledFile] = {}
        self.names: list[str] = []
        for file in list(files)[:_MAX_FILES]:
            self._add(file)

    def _add(self, file: BundledFile) -> None:
        try:
            with open_regular(file.path) as stream:
                image = read_image(stream)
        except (OSError, ValueError, InputError):
            return
        self.names.append(file.name)
        if image.build_id is not None:
            kept = self._debug if image.debug_only else self._images
            kept.setdefault(image.build_id, file)

    def program(self, facts: CoreFacts) -> BundledFile | None:
        """Return the program that crashed, if it is there."""
        return self._images.get(facts.executable_build_id or "")

    def image(self, build_id: str) -> str | None:
        """Return the path of the program or library with a build id."""
        return _path(self._images.get(build_id))

    def debug_file(self, build_id: str) -> str | None:
        """Return the path of the separate debug file for a build id."""
        return _path(self._debug.get(build_id))

    def fits(self, facts: CoreFacts) -> bool:
        """Tell whether any file is one that the process had mapped."""
        return any(m.build_id in self._images for m in facts.modules if m.build_id)


def _path(file: BundledFile | None) -> str | None:
    return None if file is None else str(file.path)
