"""Says what a file is that was taken for a core dump, and what to do with it instead."""

from __future__ import annotations

from typing import Final, NoReturn

from triage.elf.layout import FileType, parse_header
from triage.errors import InputError

_PACKED: Final = (
    (b"\x1f\x8b", "a gzip file", "gunzip"),
    (b"\x28\xb5\x2f\xfd", "a zstd file", "unzstd"),
    (b"\xfd7zXZ\0", "an xz file", "unxz"),
    (b"\x04\x22\x4d\x18", "an lz4 file", "unlz4"),
)
_TEXT_CONTROLS: Final = frozenset(b"\t\n\r\f\x1b")


def refuse(head: bytes, size: int) -> NoReturn:
    """Raise the InputError for a file that is no core dump, from its first bytes."""
    what, hint = _describe(head, size)
    raise InputError(f"not a core dump: this is {what}", hint=hint)


def _describe(head: bytes, size: int) -> tuple[str, str]:
    again = "let the program crash again with `ulimit -c unlimited`"
    header = parse_header(head[:64])
    if header is not None and header.file_type in (FileType.EXECUTABLE, FileType.SHARED):
        return "an ELF executable or library", "give it beside the dump: --binary FILE"
    if header is not None:
        return f"an ELF file of type {header.file_type}", "give the core dump that the crash wrote"
    if not size or not head:
        return "an empty file", f"the dump was not written; check the disk space and {again}"
    if head.startswith(b"\x7fELF"):
        return f"an ELF file cut off in its header ({size} bytes)", again
    for magic, name, command in _PACKED:
        if head.startswith(magic):
            return name, f"unpack it first: {command} FILE"
    if head.startswith(b"MDMP"):
        return "a minidump", "give a core dump, or the text of a minidump stackwalk"
    if _is_text(head):
        return "a text file", "clawtriage analyze FILE"
    return "a file of an unknown kind", "give the core dump that the crash wrote"


def _is_text(head: bytes) -> bool:
    controls = sum(byte < 0x20 and byte not in _TEXT_CONTROLS for byte in head)
    return controls == 0
