"""The header of a line table, DWARF 2 to 5: its files, and how its operations are coded."""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from triage.gpucore.leb import Reader

_MAX_UNITS: Final = 65_536
_MAX_FILES: Final = 16_384
_MAX_FORMS: Final = 8
_MAX_PATH: Final = 4096
_PATH, _FOLDER = 1, 2


@dataclass(frozen=True, slots=True)
class LineHeader:
    """What the operations of one unit mean; `names_at` is where its function names begin."""

    end: int
    version: int
    instruction: int
    line_base: int
    line_range: int
    first_special: int
    lengths: tuple[int, ...]
    folders: tuple[bytes, ...]
    files: tuple[tuple[bytes, int], ...]
    names_at: int

    def file(self, number: int) -> str | None:
        """Return a file's path; None for a number that names none."""
        index = number if self.version >= 5 else number - 1
        if not 0 <= index < len(self.files):
            return None
        name, folder = self.files[index]
        index = folder if self.version >= 5 else folder - 1
        if name and not name.startswith(b"/") and 0 <= index < len(self.folders):
            name = self.folders[index] + b"/" + name
        return name[:_MAX_PATH].decode("utf-8", "replace") or None


class Units:
    """The units of a line table; each header is read once."""

    def __init__(self, data: bytes, line_names: bytes, names: bytes) -> None:
        self._data, self._texts = data, (line_names, names)
        self._begins = list(_units(data))
        self._headers: dict[int, LineHeader | None] = {}

    def header(self, place: int) -> LineHeader | None:
        """Return the header of the unit that a place is in; None where it has no meaning."""
        n = bisect_right(self._begins, place) - 1
        if n < 0:
            return None
        if n not in self._headers:
            self._headers[n] = self._header(self._begins[n])
        return self._headers[n]

    def _header(self, begin: int) -> LineHeader | None:
        (length,) = struct.unpack_from("<I", self._data, begin)
        try:
            return _header(Reader(self._data, begin + 4, begin + 4 + length), self._texts)
        except IndexError:
            return None


def _units(data: bytes) -> Iterator[int]:
    at = 0
    for _ in range(_MAX_UNITS):
        if at + 4 > len(data):
            return
        (length,) = struct.unpack_from("<I", data, at)
        if length >= 0xFFFFFFF0:  # the 64-bit form, which no CUDA compiler writes
            return
        yield at
        at += 4 + length


def _header(reader: Reader, texts: tuple[bytes, bytes]) -> LineHeader | None:
    version = reader.fixed(2)
    if not 2 <= version <= 5:
        return None
    if version >= 5:
        reader.skip(2)
    length = reader.fixed(4)
    begin = reader.at + length
    instruction = reader.byte()
    if version >= 4:
        reader.skip(1)
    reader.skip(1)
    base = reader.byte()
    line_range, first_special = reader.byte(), reader.byte()
    lengths = tuple(reader.byte() for _ in range(max(0, first_special - 1)))
    if not line_range or begin > reader.end:
        return None
    inside = Reader(reader.data, reader.at, begin)
    folders, files = _tables(inside) if version < 5 else _tables_5(inside, texts)
    # nvcc's addition stands where others end.
    names_at = inside.fixed(4) if begin - inside.at == 4 else 0
    return LineHeader(
        end=reader.end,
        version=version,
        instruction=instruction,
        line_base=base - 256 if base > 127 else base,
        line_range=line_range,
        first_special=first_special,
        lengths=lengths,
        folders=folders,
        files=files,
        names_at=names_at,
    )


def _tables(reader: Reader) -> tuple[tuple[bytes, ...], tuple[tuple[bytes, int], ...]]:
    folders: list[bytes] = []
    while len(folders) < _MAX_FILES and (folder := reader.text()):
        folders.append(folder)
    files: list[tuple[bytes, int]] = []
    while len(files) < _MAX_FILES and (name := reader.text()):
        files.append((name, reader.unsigned()))
        reader.unsigned()
        reader.unsigned()
    return tuple(folders), tuple(files)


def _tables_5(
    reader: Reader, texts: tuple[bytes, bytes]
) -> tuple[tuple[bytes, ...], tuple[tuple[bytes, int], ...]]:
    folders = _entries(reader, texts)
    return tuple(name for name, _ in folders), tuple(_entries(reader, texts))


def _entries(reader: Reader, texts: tuple[bytes, bytes]) -> list[tuple[bytes, int]]:
    forms = [(reader.unsigned(), reader.unsigned()) for _ in range(reader.byte())]
    count = reader.unsigned()
    if not forms or len(forms) > _MAX_FORMS or count > _MAX_FILES:
        raise IndexError
    entries = []
    for _ in range(count):
        name, folder = b"", 0
        for content, form in forms:
            value = _value(reader, form, texts)
            if content == _PATH and isinstance(value, bytes):
                name = value
            elif content == _FOLDER and isinstance(value, int):
                folder = value
        entries.append((name, folder))
    return entries


_FIXED: Final = {0x0B: 1, 0x05: 2, 0x06: 4, 0x07: 8, 0x1E: 16}


def _value(reader: Reader, form: int, texts: tuple[bytes, bytes]) -> bytes | int:
    if form in _FIXED:
        return reader.fixed(_FIXED[form])
    if form == 0x08:
        return reader.text()
    if form in (0x1F, 0x0E):
        text, at = texts[form == 0x0E], reader.fixed(4)
        return text[at : at + _MAX_PATH].partition(b"\0")[0]
    if form == 0x0F:
        return reader.unsigned()
    if form == 0x09:
        reader.skip(reader.unsigned())
        return 0
    raise IndexError
