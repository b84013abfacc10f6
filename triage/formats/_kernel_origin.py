"""Whose error a line of a GPU driver is about: its process, its device, when."""

from __future__ import annotations

from triage.model.position import Origin
from triage.text.late import late
from triage.text.pci import pci_address

_PROCESS = late(r"pid='?(\d{1,10})'?, name=([^,\n]{1,64})")
_STAMP = late(r"[^\n]{0,100}?\[ {0,8}(\d{1,9}\.\d{1,9})\]")


def driver_origin(line: str, text: str, device: str | None) -> Origin | None:
    """Return what a line says of its process and device, with the seconds since the boot.

    `text` is the message and `device` what names the device; None where nothing is said.
    """
    stamp, process = _STAMP.match(line), _PROCESS.search(text)
    origin = Origin(
        time=stamp[1] if stamp else None,
        pid=int(process[1]) if process else None,
        process=process[2].strip() if process else None,
        device=pci_address(device),
    )
    return None if origin == Origin() else origin
