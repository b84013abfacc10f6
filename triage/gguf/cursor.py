"""Reads the fields of a GGUF header off a stream, within bounds."""

from __future__ import annotations

import struct
from typing import BinaryIO, Final

MAX_HEADER: Final = 64 << 20
"""Bytes of a header that are read; vocabularies of a million tokens take 30 MiB."""

MAX_STEPS: Final = 2_000_000
"""Fields of a header that are read."""

_PIECE: Final = 1 << 20


class HeaderError(Exception):
    """The header says what cannot be."""


class CutShortError(HeaderError):
    """The file ends inside its header."""


class TooBigError(Exception):
    """The header is bigger than what is read of one."""


class Cursor:
    """A place in a header; every read moves it on."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._steps = 0
        self.place = 0
        self.order = "<"
        self.wide = True

    def take(self, size: int) -> bytes:
        """Return the next bytes; raises CutShortError where the file has fewer."""
        self._steps += 1
        if self.place + size > MAX_HEADER or self._steps > MAX_STEPS:
            raise TooBigError
        data = self._stream.read(size) if size else b""
        self.place += len(data)
        if len(data) < size:
            raise CutShortError(f"the file ends inside its header, at byte {self.place:,}")
        return data

    def skip(self, size: int) -> None:
        """Move on; raises as `take` does."""
        if self.place + size > MAX_HEADER:
            raise TooBigError
        while size > 0:
            size -= len(self.take(min(size, _PIECE)))

    def number(self, form: str) -> int:
        """Return the next number, of a form of `struct`."""
        layout = struct.Struct(self.order + form)
        return int(layout.unpack(self.take(layout.size))[0])

    def count(self) -> int:
        """Return the next count or length, which version 1 has in 32 bits."""
        return self.number("Q" if self.wide else "I")

    def text(self, limit: int, *, longest: int = MAX_HEADER) -> str:
        """Return the next string, its first characters where it is longer than a limit.

        Raises HeaderError where it says to be longer than such a string can be.
        """
        size = self.count()
        if size > longest:
            raise HeaderError(f"at byte {self.place:,} there is a text of {size:,} bytes")
        kept = self.take(min(size, limit))
        self.skip(size - len(kept))
        return kept.decode("utf-8", "replace")
