"""PCI addresses, which every tool prints in its own way, in one form."""

from __future__ import annotations

from triage.text.late import late

_ADDRESS = late(
    r"(?<![0-9A-Fa-f.])(?P<domain>[0-9A-Fa-f]{4,8}):(?P<bus>[0-9A-Fa-f]{2}):"
    r"(?P<device>[0-9A-Fa-f]{2})(?![0-9A-Fa-f])"
    r"|(?<![0-9A-Fa-f:.])(?P<short_bus>[0-9A-Fa-f]{2}):(?P<short_device>[0-9A-Fa-f]{2})\.[0-7]\b"
)


def pci_address(text: str | None) -> str | None:
    """Return the first PCI address of a text as `0000:3b:00`, None where there is none."""
    match = _ADDRESS.search(text) if text else None
    if match is None:
        return None
    domain = int(match["domain"] or "0", 16)
    bus, device = match["bus"] or match["short_bus"], match["device"] or match["short_device"]
    return f"{domain:04x}:{bus}:{device}".lower()
