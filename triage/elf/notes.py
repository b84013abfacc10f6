"""Notes: the named records that ELF files carry."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

_GNU_BUILD_ID: Final = 3
_MAX_BUILD_ID: Final = 64


class NoteType(IntEnum):
    """The notes of a core dump that are read."""

    PRSTATUS = 1
    PRPSINFO = 3
    AUXV = 6
    FILE = 0x46494C45
    SIGINFO = 0x53494749


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One note; the owner is the name that precedes its data."""

    owner: bytes
    kind: int
    data: bytes


def iterate_notes(data: bytes, prefix: str, align: int = 4) -> Iterator[Note]:
    """Yield the notes of a segment and stop at the first that does not fit in it.

    `prefix` is the byte-order character of `struct`; an alignment other than 8 means 4.
    """
    step = 8 if align == 8 else 4
    head = struct.Struct(prefix + "III")
    at = 0
    while at + head.size <= len(data):
        name_size, data_size, kind = head.unpack_from(data, at)
        name_at = at + head.size
        data_at = at + _padded(head.size + name_size, step)
        end = data_at + data_size
        if end > len(data):
            return
        owner = data[name_at : name_at + name_size].rstrip(b"\0")
        yield Note(owner=owner, kind=kind, data=data[data_at:end])
        at = data_at + _padded(data_size, step)


def find_build_id(data: bytes, prefix: str, align: int = 4) -> str | None:
    """Return the GNU build id among some notes as hex digits."""
    for note in iterate_notes(data, prefix, align):
        if note.owner == b"GNU" and note.kind == _GNU_BUILD_ID:
            return note.data.hex() if 0 < len(note.data) <= _MAX_BUILD_ID else None
    return None


def _padded(size: int, step: int) -> int:
    return (size + step - 1) // step * step
