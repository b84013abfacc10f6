"""Reads the regular files of a tar archive as a stream, in memory that does not grow with it.

Headers are those of POSIX and GNU tar, with long names and the two ways in which they write a
file with holes today. What cannot be a header ends the reading; nothing is sought backwards.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final, cast

from triage.intake.archive import ArchiveError, Budget, Member, shown_name

_BLOCK: Final = 512
_MAX_EXTENSION: Final = 1 << 20
_MAX_PIECES: Final = 1 << 18
_BUFFER: Final = 1 << 17
_REGULAR: Final = (b"0", b"\0", b"7", b"S")
_NO_DATA: Final = (b"1", b"2", b"3", b"4", b"5", b"6")
_KINDS: Final = {b"1": "a link", b"2": "a link", b"3": "a device", b"4": "a device", b"6": "a pipe"}

Pieces = Sequence[tuple[int, int]]


@dataclass(slots=True)
class _Header:
    """A member's header with what the extensions before it say."""

    kind: bytes
    name: bytes
    size: int
    raw: bytes = b""
    pax: dict[str, bytes] = field(default_factory=dict)


def read_tar(stream: BinaryIO, budget: Budget) -> Iterator[Member]:
    """Yield each regular file; it has to be read before the next one is asked for.

    Raises ArchiveError where the archive is damaged, and for one that holds too much.
    """
    source = _Source(stream, budget)
    extensions: dict[str, bytes] = {}
    while (header := _next_header(source)) is not None:
        if header.kind in (b"L", b"x", b"K", b"g"):
            _extend(extensions, header, source)
            continue
        _apply(header, extensions)
        extensions = {}
        budget.take_member()
        if header.kind in _REGULAR and not header.name.endswith(b"/"):
            member, content = _member(header, source)
            yield member
            content.skip_rest()
        else:
            if header.kind in _KINDS:
                budget.skip(shown_name(header.name), _KINDS[header.kind])
            if header.kind not in _NO_DATA:
                source.skip(_padded(header.size))


class _Source:
    """The archive as it is read, in order and counted."""

    def __init__(self, stream: BinaryIO, budget: Budget) -> None:
        self._stream = stream
        self.budget = budget

    def read(self, count: int) -> bytes:
        """Read exactly so many bytes; raises ArchiveError where there are fewer."""
        data = self._stream.read(count)
        self.budget.take(len(data))
        if len(data) < count:
            raise ArchiveError("it ends in the middle")
        return data

    def read_some(self, count: int) -> bytes:
        """Read at most so many bytes; nothing at the end."""
        data = self._stream.read(count)
        self.budget.take(len(data))
        return data

    def skip(self, count: int) -> None:
        """Pass over bytes."""
        while count > 0:
            count -= len(self.read(min(count, _BUFFER)))


def _next_header(source: _Source) -> _Header | None:
    """Return the next header, None at the end of the archive."""
    block = source.read_some(_BLOCK)
    if not block or block == bytes(_BLOCK):
        return None
    if len(block) < _BLOCK:
        raise ArchiveError("it ends in the middle")
    stated = _number(block[148:156])
    if stated != sum(block[:148]) + 8 * 0x20 + sum(block[156:]):
        raise ArchiveError("a header in it is wrong")
    name = block[:100].partition(b"\0")[0]
    if block[257:263] == b"ustar\0":
        prefix = block[345:500].partition(b"\0")[0]
        name = prefix + b"/" + name if prefix else name
    return _Header(kind=block[156:157], name=name, size=_number(block[124:136]), raw=block)


def _number(field_: bytes) -> int:
    """Read a number: octal digits, or binary where the first bit is set."""
    if field_[0] & 0x80:
        if field_[0] != 0x80:
            raise ArchiveError("a header in it states a negative size")
        return int.from_bytes(field_[1:], "big")
    digits = field_.partition(b"\0")[0].strip()
    if not digits:
        return 0
    if not digits.isdigit() or b"8" in digits or b"9" in digits:
        raise ArchiveError("a header in it is wrong")
    return int(digits, 8)


def _extend(extensions: dict[str, bytes], header: _Header, source: _Source) -> None:
    """Take in a header that only says more about the next one."""
    source.budget.take_member()
    if header.size > _MAX_EXTENSION:
        raise ArchiveError(f"it states a name of {header.size:,} bytes")
    data = source.read(_padded(header.size))[: header.size]
    if header.kind == b"L":
        extensions["path"] = data.partition(b"\0")[0]
    elif header.kind == b"x":
        extensions.update(_pax_records(data))


def _pax_records(data: bytes) -> Iterator[tuple[str, bytes]]:
    while data:
        length, space, _ = data.partition(b" ")
        if not space or not length.isdigit() or len(length) > 7:
            return
        end = int(length)
        if end <= len(length) + 1 or end > len(data):
            return
        key, equals, value = data[len(length) + 1 : end].rstrip(b"\n").partition(b"=")
        if equals:
            yield key.decode("utf-8", "replace"), value
        data = data[end:]


def _apply(header: _Header, extensions: dict[str, bytes]) -> None:
    header.pax = extensions
    header.name = extensions.get("GNU.sparse.name") or extensions.get("path") or header.name
    size = extensions.get("size")
    if size is not None:
        header.size = _decimal(size)


def _decimal(text: bytes) -> int:
    if not text.isdigit() or len(text) > 19:
        raise ArchiveError("a header in it is wrong")
    return int(text)


def _member(header: _Header, source: _Source) -> tuple[Member, _Content]:
    size, left = header.size, header.size
    pieces: Pieces = [(0, size)]
    if header.kind == b"S":
        pieces, size = _old_sparse_map(header.raw, source)
    elif header.pax.get("GNU.sparse.major") == b"1":
        size = _decimal(header.pax.get("GNU.sparse.realsize", b""))
        pieces, used = _sparse_map(source, left)
        left -= used
    _check(pieces, size, left)
    content = _Content(source, pieces, size, left)
    return Member(name=shown_name(header.name), content=content), content


def _old_sparse_map(block: bytes, source: _Source) -> tuple[Pieces, int]:
    """Read the map of a file with holes that stands in its header and in the blocks behind it."""
    pieces: list[tuple[int, int]] = []
    entries, more = block[386:482], block[482]
    while True:
        for at in range(0, len(entries) - 23, 24):
            offset, count = entries[at : at + 12], entries[at + 12 : at + 24]
            if not count.strip(b"\0 "):
                break
            pieces.append((_number(offset), _number(count)))
        if not more:
            return pieces, _number(block[483:495])
        if len(pieces) > _MAX_PIECES:
            raise ArchiveError("a file in it has too many holes")
        extension = source.read(_BLOCK)
        entries, more = extension[:504], extension[504]


def _sparse_map(source: _Source, size: int) -> tuple[Pieces, int]:
    """Read the map that a file with holes begins with; return it and the bytes that it took."""
    numbers: list[int] = []
    used, rest, wanted = 0, b"", 1
    while len(numbers) < wanted:
        if used + _BLOCK > size or wanted > 2 * _MAX_PIECES:
            raise ArchiveError("a file in it has too many holes")
        *whole, rest = (rest + source.read(_BLOCK)).split(b"\n")
        used += _BLOCK
        numbers += [_decimal(text) for text in whole[: wanted - len(numbers)]]
        if wanted == 1 and numbers:
            wanted += 2 * numbers[0]
            numbers += [_decimal(text) for text in whole[1:wanted]]
    return list(zip(numbers[1::2], numbers[2::2], strict=True)), used


def _check(pieces: Pieces, size: int, stored: int) -> None:
    end = 0
    for offset, count in pieces:
        if offset < end:
            raise ArchiveError("the pieces of a file in it overlap")
        end = offset + count
    if end > size or sum(count for _, count in pieces) > stored:
        raise ArchiveError("the pieces of a file in it are more than the file")


def _padded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK


class _Content(io.RawIOBase):
    """A member's bytes, zeros where its holes are."""

    def __init__(self, source: _Source, pieces: Pieces, size: int, stored: int) -> None:
        super().__init__()
        self._source = source
        self._pieces = iter([*((o, c) for o, c in pieces if c), (size, 0)])
        self._offset, self._count = next(self._pieces)
        self._at = 0
        self._size = size
        self._stored = _padded(stored)
        self._damage: str | None = None
        self.stream: BinaryIO = cast("BinaryIO", io.BufferedReader(self, _BUFFER))

    @property
    def damage(self) -> str | None:
        """What was wrong with the archive, if it ended in this file."""
        return self._damage

    def readable(self) -> bool:
        """Tell that this can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer and return how many bytes are in it."""
        try:
            return self._fill(buffer)
        except ArchiveError as error:
            self._damage = str(error)
            return 0

    def _fill(self, buffer: Any) -> int:
        wanted = len(buffer)
        if self._at < self._offset:
            count = min(wanted, self._offset - self._at)
            self._source.budget.take(count)
            buffer[:count] = bytes(count)
        elif self._count:
            data = self._source.read_some(min(wanted, self._count))
            count = len(data)
            buffer[:count] = data
            self._stored -= count
            self._count -= count
            self._offset += count
            if not count:
                self._damage = "it ends in the middle"
        else:
            return 0
        self._at += count
        if self._at == self._offset and not self._count and self._at < self._size:
            self._offset, self._count = next(self._pieces)
        return count

    def skip_rest(self) -> None:
        """Go to the end of the member; raises ArchiveError where the archive ends before."""
        self._source.skip(self._stored)
