"""A private folder for what has to be a file on disk while it is read.

A core dump has more holes than data: what is zero stays a hole, and what counts is bounded.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from triage.closing import Closing
from triage.ending import at_end, not_at_end, unbroken
from triage.errors import InputError

PREFIX: Final = "clawtriage-spool-"
_BLOCK: Final = 4096
_PIECE: Final = 1 << 20
_ZERO_BLOCK: Final = bytes(_BLOCK)
_ZERO_PIECE: Final = bytes(_PIECE)
_FREE_CHECKED: Final = 64 << 20
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolLimits:
    """How much a spool may hold, in bytes.

    `apparent` bounds the size of one file with its holes, `allocated` what all files take on disk.
    `free` is left to others, or a tenth of the disk where that is less.
    """

    apparent: int = 64 << 30
    allocated: int = 32 << 30
    free: int = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A file in the spool; `stopped` says in words why it is not whole."""

    path: Path
    size: int
    stopped: str | None = None


class Spool(Closing):
    """A folder that nobody else may enter, made for the first file; a context manager.

    The folder goes with the end of the context. One that a killed process has left is removed by
    the next that makes one in the same place.
    """

    def __init__(self, parent: Path | None = None, limits: SpoolLimits | None = None) -> None:
        self._parent = str(parent or os.environ.get("TMPDIR") or "/tmp")  # noqa: S108 - a name of our own
        self._limits = limits or SpoolLimits()
        self._allocated = 0
        self._folder: tuple[str, int] | None = None
        self._streams: list[BinaryIO] = []

    def store(self, stream: BinaryIO) -> Stored:
        """Write a stream into a file of its own, as far as the limits allow.

        Raises InputError where the folder cannot be made.
        """
        folder, descriptor = self._open()
        name = os.urandom(12).hex()
        file = os.open(name, _NEW_FILE, 0o600, dir_fd=descriptor)
        try:
            size, stopped = self._copy(stream, file)
            os.ftruncate(file, size)
        finally:
            os.close(file)
        return Stored(path=Path(folder, name), size=size, stopped=stopped)

    def open(self, stored: Stored) -> BinaryIO:
        """Open a file of this spool for reading; it is closed with the spool."""
        stream = stored.path.open("rb")
        self._streams.append(stream)
        return stream

    def folder(self) -> Path:
        """Return the folder, for whoever has files of its own to put there.

        Raises InputError where it cannot be made.
        """
        return Path(self._open()[0])

    def close(self) -> None:
        """Remove the folder with everything in it."""
        with unbroken():
            while self._streams:
                self._streams.pop().close()
            if self._folder is not None:
                folder, descriptor = self._folder
                self._folder = None
                not_at_end(self.close)
                _remove(folder, descriptor)

    def _open(self) -> tuple[str, int]:
        if self._folder is None:
            try:
                _remove_abandoned(self._parent)
                with unbroken():
                    self._folder = _make_folder(self._parent)
                    at_end(self.close)
            except OSError as error:
                raise InputError(
                    f"{self._parent}: nothing can be unpacked here: {error.strerror}",
                    hint="name a folder on a disk with room: --tmp DIR",
                ) from error
        return self._folder

    def _copy(self, stream: BinaryIO, file: int) -> tuple[int, str | None]:
        """Return how much was written, holes included, and why no more."""
        size = checked = 0
        limit = self._limits.apparent
        while data := stream.read(min(_PIECE, limit - size + 1)):
            if size + len(data) > limit:
                return size, f"it is larger than {limit:,} bytes"
            if self._allocated >= checked:
                if self._is_full(file):
                    return size, f"there is no more room in {self._parent}"
                checked = self._allocated + _FREE_CHECKED
            for begin, end in _runs(data):
                self._allocated += end - begin
                if self._allocated > self._limits.allocated:
                    return size, f"it takes more than {self._limits.allocated:,} bytes on disk"
                try:
                    _write(file, memoryview(data)[begin:end], size + begin)
                except OSError as error:
                    if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                        raise
                    return size, f"there is no more room in {self._parent}"
            size += len(data)
        return size, None

    def _is_full(self, file: int) -> bool:
        disk = os.fstatvfs(file)
        floor = min(self._limits.free, disk.f_blocks * disk.f_frsize // 10)
        return disk.f_bavail * disk.f_frsize < floor


def _runs(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield where in a piece something stands, by blocks."""
    if data == _ZERO_PIECE:
        return
    begin = 0
    for at in range(0, len(data), _BLOCK):
        if data.startswith(_ZERO_BLOCK, at):
            if begin < at:
                yield begin, at
            begin = at + _BLOCK
    if begin < len(data):
        yield begin, len(data)


def _write(file: int, data: memoryview, at: int) -> None:
    while data:
        written = os.pwrite(file, data, at)
        data = data[written:]
        at += written


def _make_folder(parent: str) -> tuple[str, int]:
    """Make a folder and lock it, which says that its process lives."""
    while True:
        folder = f"{parent}/{PREFIX}{os.urandom(12).hex()}"
        os.mkdir(folder, 0o700)  # noqa: PTH102 - as in the whole module: names and descriptors
        try:
            descriptor = os.open(folder, _FOLDER)
        except FileNotFoundError:  # another process took it for abandoned
            continue
        if _lock(descriptor) and os.path.isdir(folder):  # noqa: PTH112
            return folder, descriptor
        os.close(descriptor)


def _remove_abandoned(parent: str) -> None:
    for name in os.listdir(parent):  # noqa: PTH208
        folder = f"{parent}/{name}"
        if not name.startswith(PREFIX):
            continue
        with contextlib.suppress(OSError):
            descriptor = os.open(folder, _FOLDER)
            if os.fstat(descriptor).st_uid == os.getuid() and _lock(descriptor):
                _remove(folder, descriptor)
            else:
                os.close(descriptor)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _remove(folder: str, descriptor: int) -> None:
    with contextlib.suppress(OSError):
        for name in os.listdir(descriptor):
            os.unlink(name, dir_fd=descriptor)
    with contextlib.suppress(OSError):
        os.rmdir(folder)  # noqa: PTH106
    os.close(descriptor)
