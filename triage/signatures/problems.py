"""What is wrong with a pack: every problem with its file and key."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Problems:
    """Collects the problems of one file into a list that all files share."""

    path: str
    found: list[str] = field(default_factory=list)

    def add(self, key: str, what: str) -> None:
        """Add a problem with the value of a key."""
        self.found.append(f"{self.path}: {key}: {what}" if key else f"{self.path}: {what}")

    def unknown(self, key: str, name: object, known: Iterable[str], what: str) -> None:
        """Add a problem with a name that does not exist, with the nearest one that does."""
        near = nearest(str(name), known)
        hint = f"did you mean {near!r}?" if near else f"known are {names(known)}"
        self.add(key, f"{str(name)!r} is {what}; {hint}")


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most like a name, None where none is."""
    import difflib  # a right pack never needs it

    found = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return found[0] if found else None


def names(known: Iterable[str]) -> str:
    """Return names as an enumeration."""
    return ", ".join(known)
