"""Reads a text of another encoding as UTF-8, piece by piece."""

from __future__ import annotations

import codecs
import io
from typing import Any, BinaryIO

_PIECE = 1 << 17


class Transcoded(io.RawIOBase):
    """A text in UTF-8; what is not in its encoding stays visible as an escape."""

    def __init__(self, stream: BinaryIO, encoding: str) -> None:
        super().__init__()
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)("backslashreplace")
        self._ready = b""
        self._begun = False
        self._over = False

    def readable(self) -> bool:
        """Tell that this can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer and return how many bytes are in it."""
        while not self._ready and not self._over:
            self._fill()
        count = min(len(buffer), len(self._ready))
        buffer[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count

    def _fill(self) -> None:
        data = self._stream.read(_PIECE)
        self._over = not data
        text = self._decoder.decode(data, final=self._over)
        if not self._begun and text:
            text, self._begun = text.removeprefix("\ufeff"), True
        self._ready = text.encode("utf-8", "replace")
