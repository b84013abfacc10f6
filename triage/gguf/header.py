"""What the header of a GGUF file says of the model, and whether the file can hold that.

Version, counts, key/value pairs, then a table of tensors with offsets into the data behind it.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from triage.gguf.cursor import Cursor, CutShortError, HeaderError, TooBigError
from triage.gguf.types import FILE_TYPES, TENSOR_TYPES

_MAX_KEYS: Final = 65_536
_MAX_TENSORS: Final = 262_144
_MAX_NAME: Final = 256
_LONGEST_KEY: Final = 65_535
_LONGEST_NAME: Final = 1_024
_MAX_DIMENSIONS: Final = 8
_MAX_TYPE: Final = 4_096
_SHOWN: Final = 32
_MAX_DEPTH: Final = 4
_VERSIONS: Final = (1, 2, 3)
_ALIGNMENT: Final = 32
_FORMS: Final = {
    0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d",
}  # fmt: skip
_SIZES: Final = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_STRING, _ARRAY = 8, 9
_WANTED: Final = ("general.architecture", "general.file_type", "general.alignment")
_WANTED_OF_ARCHITECTURE: Final = (".block_count", ".context_length")


@dataclass(slots=True)
class Header:
    """A header as far as it could be read.

    `tensors_end` is the byte behind the last tensor, None where it is not known; `problem` says
    what is wrong with the file, and `cut_short` that it ends too early. `unread` says that the
    header is bigger than what is read of one, `big_endian` in which order its bytes are.
    """

    version: int = 0
    tensor_count: int | None = None
    values: dict[str, str | int] = field(default_factory=dict)
    types: Counter[int] = field(default_factory=Counter)
    tensors_end: int | None = None
    problem: str | None = None
    cut_short: bool = False
    unread: bool = False
    big_endian: bool = False

    @property
    def architecture(self) -> str | None:
        """The name of the model's architecture."""
        found = self.values.get("general.architecture")
        return found if isinstance(found, str) else None

    @property
    def quantization(self) -> str | None:
        """The file's own type, or the type of most of its weights."""
        own = self.values.get("general.file_type")
        if isinstance(own, int) and own in FILE_TYPES:
            return FILE_TYPES[own]
        if self.types and self.tensors_end is not None:
            return TENSOR_TYPES[self.types.most_common(1)[0][0]].name
        return None

    def of_architecture(self, name: str) -> int | None:
        """Return a number that stands under the architecture's own name."""
        found = self.values.get(f"{self.architecture}.{name}")
        return found if isinstance(found, int) else None


def read_header(stream: BinaryIO, size: int | None) -> Header:
    """Read a header; `size` is the file's where it is known."""
    header = Header()
    try:
        _read(Cursor(stream), header)
    except TooBigError:
        header.unread = True
    except CutShortError as error:
        header.problem, header.cut_short = str(error), True
    except HeaderError as error:
        header.problem = str(error)
    end = header.tensors_end
    if end is not None and size is not None and size < end:
        header.problem = (
            f"the file has {size:,} bytes and its tensors end at byte {end:,}: "
            f"{end - size:,} bytes are missing"
        )
        header.cut_short = True
    return header


def _read(cursor: Cursor, header: Header) -> None:
    if cursor.take(4) != b"GGUF":
        raise HeaderError("the file does not begin with GGUF")
    header.version = _version(cursor)
    header.big_endian = cursor.order == ">"
    tensors, keys = cursor.count(), cursor.count()
    if tensors > _MAX_TENSORS or keys > _MAX_KEYS:
        raise HeaderError(f"the header announces {tensors:,} tensors and {keys:,} keys")
    header.tensor_count = tensors
    for _ in range(keys):
        _pair(cursor, header)
    alignment = header.values.get("general.alignment", _ALIGNMENT)
    if not isinstance(alignment, int) or alignment <= 0 or alignment & (alignment - 1):
        raise HeaderError(f"the alignment {alignment} is no power of two")
    ends = [_tensor(cursor, header, n) for n in range(tensors)]
    start = -(-cursor.place // alignment) * alignment
    if ends and None not in ends:
        header.tensors_end = start + max(end for end in ends if end is not None)


def _version(cursor: Cursor) -> int:
    """Return the version; its byte order is the file's."""
    version = cursor.number("I")
    if version and not version & 0xFFFF:
        cursor.order = ">"
        version = int.from_bytes(version.to_bytes(4, "little"), "big")
    if version not in _VERSIONS:
        raise HeaderError(f"version {version:,} of the format is not known")
    cursor.wide = version > 1
    return version


def _pair(cursor: Cursor, header: Header) -> None:
    key, kind = cursor.text(_MAX_NAME, longest=_LONGEST_KEY), cursor.number("I")
    wanted = key in _WANTED or key.endswith(_WANTED_OF_ARCHITECTURE)
    if kind == _STRING:
        text = cursor.text(_MAX_NAME)
        if wanted:
            header.values[key] = text
    elif kind == _ARRAY:
        _skip_array(cursor, 1)
    elif kind in _FORMS:
        if wanted and _FORMS[kind] not in "fd":
            header.values[key] = cursor.number(_FORMS[kind])
        else:
            cursor.skip(_SIZES[kind])
    else:
        raise HeaderError(f"a key has a value of type {kind:,}, which there is not")


def _skip_array(cursor: Cursor, depth: int) -> None:
    kind, count = cursor.number("I"), cursor.count()
    if kind in _SIZES:
        cursor.skip(count * _SIZES[kind])
    elif kind == _STRING:
        for _ in range(count):
            cursor.skip(cursor.count())
    elif kind == _ARRAY and depth < _MAX_DEPTH:
        for _ in range(count):
            _skip_array(cursor, depth + 1)
    else:
        raise HeaderError(f"an array has elements of type {kind:,}, which there is not")


def _tensor(cursor: Cursor, header: Header, row: int) -> int | None:
    """Read a line of the table and return where the tensor ends, None where nobody knows.

    A table that announces more tensors than it has goes on into their data, which names nothing.
    """
    where = f"tensor {row + 1:,} of {header.tensor_count:,}"
    try:
        name = cursor.text(_MAX_NAME, longest=_LONGEST_NAME)
    except HeaderError as error:
        if isinstance(error, CutShortError):
            raise
        raise HeaderError(f"{where} has no name: {error}") from None
    if not name or not name.isprintable() or "\ufffd" in name:
        raise HeaderError(f"{where} has the name {name[:_SHOWN]!r}, which none has")
    dimensions = cursor.number("I")
    if dimensions > _MAX_DIMENSIONS:
        raise HeaderError(f"tensor {name!r} has {dimensions:,} dimensions")
    elements = math.prod(cursor.count() for _ in range(dimensions))
    kind, offset = cursor.number("I"), cursor.number("Q")
    if kind > _MAX_TYPE:
        raise HeaderError(f"tensor {name!r} is of type {kind:,}, which there is not")
    known = TENSOR_TYPES.get(kind)
    if known is None:
        return None
    header.types[kind] += elements
    if elements % known.elements:
        raise HeaderError(f"tensor {name!r} has {elements:,} elements, no whole blocks of a type")
    return offset + elements // known.elements * known.size
