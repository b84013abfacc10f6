"""Reads the regular files of a zip archive as streams."""

from __future__ import annotations

import io
import stat
import zipfile
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, BinaryIO, Final, cast

from triage.intake.archive import ArchiveError, Budget, Member, shown_name
from triage.intake.unpack import Unpacked

_MAX_DIRECTORY: Final = 8 << 20
_TAIL: Final = 1 << 17
_LOCAL_HEADER: Final = 30
_SMALL: Final = 1 << 16
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED: Final = 1


def read_zip(stream: BinaryIO, budget: Budget) -> Iterator[Member]:
    """Yield each regular file of an archive that can be sought in.

    Raises ArchiveError where the archive is damaged, and for one that holds too much.
    """
    try:
        archive = zipfile.ZipFile(_Bounded(stream))
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise ArchiveError(str(error) or "it is no whole zip file") from error
    with archive:
        entries = archive.infolist()
        _refuse_overlaps(entries)
        for entry in entries:
            budget.take_member()
            name = shown_name(entry.filename)
            why = _unreadable(entry)
            if why is not None:
                budget.skip(name, why)
            elif not entry.is_dir():
                with _open(archive, entry, budget) as content:
                    yield Member(name=name, content=content)


def _unreadable(entry: zipfile.ZipInfo) -> str | None:
    if entry.flag_bits & _ENCRYPTED:
        return "encrypted"
    if entry.compress_type not in _METHODS:
        return "packed in an unusual way"
    mode = entry.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "a link" if stat.S_ISLNK(mode) else "not a regular file"
    return None


def _refuse_overlaps(entries: list[zipfile.ZipInfo]) -> None:
    """Raise ArchiveError where members share bytes: that is how small archives claim to be huge."""
    for before, after in pairwise(sorted(entries, key=lambda e: e.header_offset)):
        if before.header_offset + _LOCAL_HEADER + before.compress_size > after.header_offset:
            raise ArchiveError("its members overlap")


class _Bounded:
    """A file that zipfile cannot be made to read into memory as a whole."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.seek, self.tell, self.seekable = stream.seek, stream.tell, stream.seekable

    def read(self, count: int = -1) -> bytes:
        """Read; raises BadZipFile for more than a table of contents takes."""
        if count > _MAX_DIRECTORY:
            raise zipfile.BadZipFile("its table of contents is too large")
        return self._stream.read(count if count >= 0 else _TAIL)


class _Content(Unpacked):
    """A member's bytes, counted."""

    def __init__(self, stream: Any, budget: Budget, *, ahead: bool) -> None:
        super().__init__(stream, ahead=ahead)
        self._budget = budget
        self._limit: str | None = None
        self.stream: BinaryIO = cast("BinaryIO", io.BufferedReader(self, 1 << 17))

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer and return how many bytes are in it."""
        count = super().readinto(buffer)
        try:
            self._budget.take(count)
        except ArchiveError as error:
            self._limit = str(error)
            return 0
        return count

    @property
    def damage(self) -> str | None:
        """What was wrong with the member, or why it was not read on."""
        return self._limit or super().damage


def _open(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, budget: Budget) -> _Content:
    try:
        return _Content(archive.open(entry), budget, ahead=entry.compress_size > _SMALL)
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise ArchiveError(str(error)) from error
