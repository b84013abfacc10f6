"""What an input is, by its first bytes."""

from __future__ import annotations

from typing import Literal

from triage.model.report import InputKind
from triage.text.decode import looks_binary

_ET_EXECUTABLE, _ET_SHARED, _ET_CORE = 2, 3, 4
_ELF_TYPE_END = 18
_EM_CUDA = 190
_COMPRESSED = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x04\x22\x4d\x18": "lz4",
}
SEVEN_ZIP = b"7z\xbc\xaf\x27\x1c"
_ARCHIVES = (b"PK\x03\x04", b"PK\x05\x06", SEVEN_ZIP)


def compression(head: bytes) -> str | None:
    """Return the name of the compression that a file's first bytes announce."""
    return next((name for magic, name in _COMPRESSED.items() if head.startswith(magic)), None)


def classify(head: bytes) -> tuple[InputKind, str]:
    """Return the kind of an input and, in words, what it looks like."""
    if head.startswith(b"\x7fELF"):
        return _classify_elf(head)
    if head.startswith(b"GGUF"):
        return InputKind.GGUF, "a GGUF model file"
    if head.startswith(b"MDMP"):
        return InputKind.MINIDUMP, "a minidump"
    if head.startswith(_ARCHIVES) or head[257:262] == b"ustar":
        return InputKind.ARCHIVE, "an archive"
    name = compression(head)
    if name:
        return InputKind.ARCHIVE, f"a {name} file"
    if looks_binary(head):
        return InputKind.UNREADABLE, "binary data of no kind that is known here"
    return InputKind.TEXT, "text"


def _classify_elf(head: bytes) -> tuple[InputKind, str]:
    order: Literal["big", "little"] = "big" if head[5:6] == b"\x02" else "little"
    kind = int.from_bytes(head[16:_ELF_TYPE_END], order)
    if len(head) < _ELF_TYPE_END:
        return InputKind.UNREADABLE, "an ELF file that is cut off in its header"
    if kind in (_ET_EXECUTABLE, _ET_SHARED):
        return InputKind.PROGRAM, "a program or library, not a core dump"
    if kind != _ET_CORE:
        return InputKind.UNREADABLE, "an ELF file, but neither a program nor a core dump"
    if int.from_bytes(head[18:20], order) == _EM_CUDA:
        return InputKind.GPU_CORE, "a CUDA GPU core dump"
    return InputKind.ELF_CORE, "a core dump"
