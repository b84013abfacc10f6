"""What may be spent on one core dump, so that none takes memory or time without end."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Budget:
    """What is left: sections and symbols of cubins, bytes and operations of line tables."""

    entries: int = 1 << 19
    size: int = 64 << 20
    operations: int = 1 << 19

    def take_entries(self, wanted: int) -> int:
        """Return how many entries may be read, and count them."""
        granted = max(0, min(wanted, self.entries))
        self.entries -= granted
        return granted

    def take_bytes(self, wanted: int) -> int:
        """Return how many bytes may be read, and count them."""
        granted = max(0, min(wanted, self.size))
        self.size -= granted
        return granted
