"""Reads the numbers of DWARF one after the other."""

from __future__ import annotations

_MAX_BYTES = 10


class Reader:
    """A place in some bytes that moves forward; a read beyond `end` is an IndexError."""

    __slots__ = ("at", "data", "end")

    def __init__(self, data: bytes, at: int, end: int) -> None:
        self.data, self.at, self.end = data, at, min(end, len(data))

    def byte(self) -> int:
        """Return one byte."""
        if self.at >= self.end:
            raise IndexError
        self.at += 1
        return self.data[self.at - 1]

    def fixed(self, size: int) -> int:
        """Return an unsigned number of a size in bytes."""
        at = self.at
        self.skip(size)
        return int.from_bytes(self.data[at : self.at], "little")

    def skip(self, size: int) -> None:
        """Pass over some bytes."""
        if size < 0 or self.at + size > self.end:
            raise IndexError
        self.at += size

    def unsigned(self) -> int:
        """Return an unsigned number of variable length."""
        return self._variable()[0]

    def signed(self) -> int:
        """Return a signed number of variable length."""
        value, bits, negative = self._variable()
        return value - (1 << bits) if negative else value

    def _variable(self) -> tuple[int, int, bool]:
        value = bits = 0
        for _ in range(_MAX_BYTES):
            byte = self.byte()
            value |= (byte & 127) << bits
            bits += 7
            if byte < 128:
                return value, bits, bool(byte & 64)
        raise IndexError

    def text(self) -> bytes:
        """Return the bytes up to the next zero."""
        end = self.data.find(b"\0", self.at, self.end)
        if end < 0:
            raise IndexError
        text = self.data[self.at : end]
        self.at = end + 1
        return text
