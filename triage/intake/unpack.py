"""Reads a compressed text as a stream, up to where it is damaged.

The decoder works in a thread of its own, ahead of the reader by a few pieces: both take about as
long, and neither needs the interpreter meanwhile.
"""

from __future__ import annotations

import bz2
import io
import lzma
import sys
from collections.abc import Callable
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import Any, BinaryIO

PIECE = 1 << 19
_PACKED = 1 << 16
_GZIP = 31  # a window of 32 KiB, in a member
_AHEAD = 4  # pieces
_POLL = 0.05  # seconds after which the decoder looks whether anyone still reads


def _inflater() -> Any:
    try:
        from isal import isal_zlib  # three times as fast, where there is a wheel of it
    except ImportError:
        import zlib

        return zlib.decompressobj
    return isal_zlib.decompressobj


class _Gzip:
    """The members of a gzip file, one after the other; what was unpacked before damage is there."""

    def __init__(self, stream: BinaryIO) -> None:
        self._new = _inflater()
        self._stream = stream
        self._member = self._new(_GZIP)
        self._waiting = b""
        self._begun = False

    def read1(self, size: int) -> bytes:
        """Return some of the text, nothing at its end; raises EOFError where it is cut off."""
        while True:
            packed = self._waiting or self._stream.read(_PACKED)
            self._waiting = b""
            if self._member.eof:
                packed = packed.lstrip(b"\0")  # padding between members and behind the last one
                if not packed:
                    return b""
                self._member, self._begun = self._new(_GZIP), False
            if not packed:
                if self._begun:
                    raise EOFError("the file ends before the end of its text")
                return b""
            data: bytes = self._member.decompress(packed, size)
            self._begun = True
            self._waiting = self._member.unconsumed_tail or self._member.unused_data
            if data:
                return data


def _zstd(stream: BinaryIO) -> Any:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd.ZstdFile(stream)


_DECODERS: dict[str, Callable[[BinaryIO], Any]] = {
    "gzip": _Gzip,
    "bzip2": bz2.BZ2File,
    "xz": lzma.LZMAFile,
    "zstd": _zstd,
}


def unpacked(stream: BinaryIO, compression: str) -> Unpacked:
    """Return a compressed text as what it holds."""
    return Unpacked(_DECODERS[compression](stream))


class Unpacked(io.RawIOBase):
    """A decompressed stream that ends at the damage, if there is any, in place of raising.

    `damage` says in words what was wrong, and is None as long as nothing is.
    """

    def __init__(self, stream: Any) -> None:
        super().__init__()
        self._pieces: Queue[bytes] = Queue(_AHEAD)
        self._closed = Event()
        self._piece = memoryview(b"")
        self._over = False
        self._damage: str | None = None
        self._decoder = Thread(target=self._decode, args=(stream,), daemon=True)
        self._decoder.start()

    @property
    def damage(self) -> str | None:
        """What was wrong with the compressed text, once the reader has come to it."""
        return self._damage if self._over else None

    def _decode(self, stream: Any) -> None:
        data = b"?"
        while data and not self._closed.is_set():
            try:
                data = stream.read1(PIECE)  # what there is, before the damage is met
            except Exception as error:  # each decoder has its own
                self._damage = str(error) or type(error).__name__
                data = b""
            self._hand_over(data)

    def _hand_over(self, data: bytes) -> None:
        while not self._closed.is_set():
            try:
                self._pieces.put(data, timeout=_POLL)
            except Full:
                continue
            return

    def readable(self) -> bool:
        """Tell that this can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer and return how many bytes are in it."""
        if not self._piece and not self._over:
            self._piece = memoryview(self._pieces.get())
            self._over = not self._piece
        count = min(len(buffer), len(self._piece))
        buffer[:count] = self._piece[:count]
        self._piece = self._piece[count:]
        return count

    def close(self) -> None:
        """Stop the decoder."""
        self._closed.set()
        while self._decoder.is_alive():
            try:
                self._pieces.get_nowait()
            except Empty:
                self._decoder.join(_POLL)
        super().close()
