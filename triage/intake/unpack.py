"""Reads a compressed file as a stream, up to where it is damaged.

The decoder works in a thread of its own, ahead of the reader by a few pieces: both take about as
long, and neither needs the interpreter meanwhile.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sys
from collections.abc import Callable
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import Any, BinaryIO

from triage.errors import InputError

PIECE = 1 << 19
MAX_WINDOW_LOG = 27
"""How far back a zstd frame may refer, 128 MiB: what the zstd program allows, too."""
_XZ_MEMORY = 256 << 20
_AHEAD = 4  # pieces
_POLL = 0.05  # seconds after which the decoder looks whether anyone still reads


def _gzip(stream: BinaryIO) -> Any:
    try:
        from isal import igzip_lib  # three times as fast, where there is a wheel of it
    except ImportError:
        return gzip.GzipFile(fileobj=stream)
    # The module's own file object loses what stands in the last piece before the damage.
    return _Frames(stream, lambda: igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP))


def _zstd(stream: BinaryIO) -> Any:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd.ZstdFile(
        stream, options={zstd.DecompressionParameter.window_log_max: MAX_WINDOW_LOG}
    )


def _xz(stream: BinaryIO) -> Any:
    # The module's own file object has no limit on the dictionary that a file may ask for.
    return _Frames(stream, lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY))


def _lz4(stream: BinaryIO) -> Any:
    try:
        from lz4.frame import LZ4FrameDecompressor
    except ImportError:
        raise InputError(
            "an lz4 file, which needs the Python module lz4", hint="unpack it first: lz4 -d FILE"
        ) from None
    return _Frames(stream, LZ4FrameDecompressor)


class _Frames:
    """Decompresses frame after frame of a stream."""

    def __init__(self, stream: BinaryIO, new_decoder: Callable[[], Any]) -> None:
        self._stream = stream
        self._new_decoder = new_decoder
        self._decoder = new_decoder()
        self._begun = False

    def read1(self, size: int) -> bytes:
        """Return what is at hand, at most `size` bytes; nothing at the end of the last frame."""
        data = self._next_frame() if self._decoder.eof else b""
        while not self._decoder.eof:
            if not data and self._decoder.needs_input:
                data = self._stream.read(PIECE)
                if not data:
                    if self._begun:
                        raise EOFError("it ends in the middle")
                    return b""
            self._begun = True
            plain: bytes = self._decoder.decompress(data, size)
            if plain:
                return plain
            data = b""
            if self._decoder.eof:
                data = self._next_frame()
        return b""

    def _next_frame(self) -> bytes:
        """Return the bytes behind a frame and behind the zeros that may fill it up."""
        rest: bytes = self._decoder.unused_data or b""
        rest = rest.lstrip(b"\0")
        while not rest and (more := self._stream.read(PIECE)):
            rest = more.lstrip(b"\0")
        if rest:
            self._decoder, self._begun = self._new_decoder(), False
        return rest


_DECODERS: dict[str, Callable[[BinaryIO], Any]] = {
    "gzip": _gzip,
    "bzip2": bz2.BZ2File,
    "xz": _xz,
    "zstd": _zstd,
    "lz4": _lz4,
}


def unpacked(stream: BinaryIO, compression: str) -> Unpacked:
    """Return a compressed file as what it holds; raises InputError where no decoder is at hand."""
    return Unpacked(_DECODERS[compression](stream))


class Unpacked(io.RawIOBase):
    """A decompressed stream that ends at the damage, if there is any, in place of raising.

    `damage` says in words what was wrong, and is None as long as nothing is. Without `ahead` it is
    decoded when it is read: for what is small a thread is not worth its start.
    """

    def __init__(self, stream: Any, *, ahead: bool = True) -> None:
        super().__init__()
        self._stream = stream
        self._pieces: Queue[bytes]
        self._closed: Event
        self._piece = memoryview(b"")
        self._over = False
        self._damage: str | None = None
        self._decoder: Thread | None = None
        if ahead:
            self._pieces, self._closed = Queue(_AHEAD), Event()
            self._decoder = Thread(target=self._decode, daemon=True)
            self._decoder.start()

    @property
    def damage(self) -> str | None:
        """What was wrong with the compressed text, once the reader has come to it."""
        return self._damage if self._over else None

    def _decode(self) -> None:
        data = b"?"
        while data and not self._closed.is_set():
            data = self._next()
            self._hand_over(data)

    def _next(self) -> bytes:
        try:
            data: bytes = self._stream.read1(PIECE)  # what there is, before the damage is met
        except Exception as error:  # each decoder has its own
            self._damage = str(error) or type(error).__name__
            return b""
        return data

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
            self._piece = memoryview(self._pieces.get() if self._decoder else self._next())
            self._over = not self._piece
        count = min(len(buffer), len(self._piece))
        buffer[:count] = self._piece[:count]
        self._piece = self._piece[count:]
        return count

    def close(self) -> None:
        """Stop the decoder."""
        if self._decoder is not None:
            self._closed.set()
            while self._decoder.is_alive():
                try:
                    self._pieces.get_nowait()
                except Empty:
                    self._decoder.join(_POLL)
        super().close()
