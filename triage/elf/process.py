"""The notes in which the kernel describes a process: signal, threads, names, files."""

from __future__ import annotations

import struct
from typing import Final

from triage.elf.facts import CoreThread, FileMapping
from triage.elf.machine import Machine
from triage.elf.signals import code_name, has_fault_address, signal_name
from triage.model.crash import Signal

# Field offsets of a 64-bit Linux.
_STATUS_SIGNAL: Final = 12
_STATUS_TID: Final = 32
_INFO_CODE: Final = 8
_INFO_ADDRESS: Final = 16
_NAMES_PID: Final = 24
_NAMES_PROCESS: Final = slice(40, 56)
_NAMES_ARGUMENTS: Final = slice(56, 136)

AT_NULL: Final = 0
AT_PHDR: Final = 3
AT_PHENT: Final = 4
AT_PHNUM: Final = 5
AT_ENTRY: Final = 9
AT_RANDOM: Final = 25
AT_EXECFN: Final = 31


def read_thread(data: bytes, machine: Machine) -> CoreThread | None:
    """Read one thread's status note."""
    tid = _value("<i", data, _STATUS_TID)
    if tid is None:
        return None
    return CoreThread(
        tid=tid, pc=_value("<Q", data, machine.pc_at), sp=_value("<Q", data, machine.sp_at)
    )


def status_signal(data: bytes) -> int | None:
    """Return the number of the signal in a thread's status note, None for none."""
    return _value("<h", data, _STATUS_SIGNAL) or None


def read_signal(info: bytes | None, status: bytes | None) -> Signal | None:
    """Describe the signal; the status note knows only its number."""
    number = _value("<i", info or b"", 0) or status_signal(status or b"")
    if not number:
        return None
    name = signal_name(number)
    code = _value("<i", info or b"", _INFO_CODE)
    if code is None:
        return Signal(name=name, number=number)
    address = _value("<Q", info or b"", _INFO_ADDRESS) if has_fault_address(name, code) else None
    return Signal(
        name=name,
        number=number,
        code=code_name(name, code),
        fault_address=None if address is None else f"0x{address:x}",
    )


def read_names(data: bytes) -> tuple[int | None, str | None, str | None]:
    """Return process id, name of the main thread and the start of the command line."""
    texts = [
        data[part].partition(b"\0")[0].decode("utf-8", "replace").strip() or None
        for part in (_NAMES_PROCESS, _NAMES_ARGUMENTS)
    ]
    return _value("<i", data, _NAMES_PID), texts[0], texts[1]


def read_auxiliary(data: bytes) -> dict[int, int]:
    """Return the auxiliary vector of a 64-bit little-endian process up to its end mark."""
    vector: dict[int, int] = {}
    for key, value in struct.iter_unpack("<QQ", data[: len(data) // 16 * 16]):
        if key == AT_NULL:
            break
        vector.setdefault(key, value)
    return vector


def read_mappings(data: bytes, prefix: str, word: int) -> tuple[FileMapping, ...]:
    """Return the file mappings, sorted by address; the ones that the note cuts off are lost."""
    number = prefix + ("Q" if word == 8 else "I")
    count = _value(number, data, 0)
    page_size = _value(number, data, word)
    if count is None or page_size is None:
        return ()
    count = min(count, (len(data) - 2 * word) // (3 * word))
    names_at = (2 + 3 * count) * word
    names = data[names_at:].split(b"\0")
    entries = struct.iter_unpack(prefix + number[1] * 3, data[2 * word : names_at])
    found = (
        FileMapping(start=e[0], end=e[1], offset=e[2] * page_size, path=_path(name))
        for e, name in zip(entries, names, strict=False)
        if name and e[0] < e[1]
    )
    return tuple(sorted(found, key=lambda m: m.start))


def _path(name: bytes) -> str:
    return name[:4096].decode("utf-8", "replace")


def _value(form: str, data: bytes, at: int | None) -> int | None:
    if at is None or at + struct.calcsize(form) > len(data):
        return None
    return int(struct.unpack_from(form, data, at)[0])
