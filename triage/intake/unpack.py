"""Reads a compressed text up to where it is damaged."""

from __future__ import annotations

import io
import lzma
import zlib
from typing import Any


class Unpacked(io.RawIOBase):
    """A decompressed stream that ends at the damage, if there is any, in place of raising.

    `damage` says in words what was wrong, and is None as long as nothing is.
    """

    def __init__(self, stream: Any) -> None:
        super().__init__()
        self._stream = stream
        self.damage: str | None = None

    def readable(self) -> bool:
        """Tell that this can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer and return how many bytes are in it."""
        if self.damage:
            return 0
        try:
            data = self._stream.read1(len(buffer))  # what there is, before the damage is met
        except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
            self.damage = str(error)
            return 0
        buffer[: len(data)] = data
        return len(data)
