"""Packs as one file: a gzip-packed tar that is the same for the same pack, byte for byte.

What is unpacked may come from anybody: only plain files are taken, so many and so large.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import tarfile
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from triage.errors import PackError, UsageError

_MAX_FILES = 10_000
_MAX_FILE = 4 << 20
_MAX_BYTES = 256 << 20
_SUFFIXES = (".tar.gz", ".tgz")
_DAMAGE = (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, ValueError)


def pack_up(folder: str, files: Mapping[str, bytes]) -> bytes:
    """Return an archive with files under one folder, in the order of their names."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in sorted(files):
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(files[name])
            member.mode = 0o644
            archive.addfile(member, io.BytesIO(files[name]))
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", fileobj=packed, mode="wb", mtime=0) as stream:
        stream.write(plain.getvalue())
    return packed.getvalue()


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Path]:
    """Give a pack's folder: the path itself, or that of an exported one while it is unpacked.

    Raises PackError for an archive that is damaged, too large, or no pack.
    """
    if not path.is_file() or not path.name.endswith(_SUFFIXES):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="clawtriage-") as folder:
        yield _unpack(path, Path(folder))


def write_new(path: Path, data: bytes) -> None:
    """Write a file that must not exist yet; raises UsageError where it does or cannot be."""
    try:
        with path.open("xb") as stream:
            stream.write(data)
    except FileExistsError:
        raise UsageError(f"{path} exists already", hint="name a file that does not") from None
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", hint="check the folder") from error


def _unpack(path: Path, into: Path) -> Path:
    try:
        with tarfile.open(path, "r:gz") as archive:
            for name, data in _files(path, archive):
                target = into / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(data)
    except _DAMAGE as error:
        raise PackError([f"{path}: damaged, or no packed tar: {error}"]) from error
    except OSError as error:
        raise PackError([f"{path}: {error.strerror or error}"]) from error
    folders = [entry for entry in into.iterdir() if (entry / "pack.toml").is_file()]
    if len(folders) != 1:
        hint = "export one with: clawtriage signature export PACK"
        raise PackError([f"{path}: no folder with a pack.toml in it"], hint=hint)
    return folders[0]


def _files(path: Path, archive: tarfile.TarFile) -> Iterable[tuple[PurePosixPath, bytes]]:
    """Yield the plain files of an archive that stay in the folder that it is unpacked into."""
    total = 0
    for count, member in enumerate(archive, 1):
        if count > _MAX_FILES:
            raise PackError([f"{path}: more than {_MAX_FILES} files"])
        if not member.isfile():
            continue
        name = PurePosixPath(member.name)
        if name.is_absolute() or ".." in name.parts:
            raise PackError([f"{path}: {member.name}: leads out of the archive"])
        total += member.size
        if member.size > _MAX_FILE or total > _MAX_BYTES:
            raise PackError([f"{path}: {member.name}: too large for a pack"])
        stream = archive.extractfile(member)
        yield name, stream.read() if stream else b""
