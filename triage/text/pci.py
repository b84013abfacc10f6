"""PCI addresses, which every tool prints in its own way, in one form."""

from __future__ import annotations

from triage.text.late import late

_ADDRESS = late(
    r"(?<![0-9A-Fa-f:.])(?:(?P<domain>[0-9A-Fa-f]{4,8}):)?(?P<bus>[0-9A-Fa-f]{2}):"
    r"(?P<device>[0-9A-Fa-f]{2})(?:\.(?P<function>[0-7]))?(?![0-9A-Fa-f:.])"
)


def pci_address(text: str | None) -> str | None:
    """Return the first PCI address of a text as `0000:3b:00`, None where there is none."""
    match = _ADDRESS.search(text) if text else None
    if match is None:
        return None
    domain = int(match["domain"] or "0", 16)
    return f"{domain:04x}:{match['bus']}:{match['device']}".lower()
