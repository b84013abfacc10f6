"""What the members of an archive look like, and how much an archive may be unpacked to.

Members are read as streams, one after another. A name in an archive is data: nothing is ever
written under it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import BinaryIO, Final, Protocol

MAX_MEMBERS: Final = 10_000
MAX_BYTES: Final = 96 << 30
MAX_DEPTH: Final = 2
"""Archives within archives, the outermost counted."""
_MAX_NAME: Final = 255


class ArchiveError(Exception):
    """An archive cannot be read any further."""


class LimitError(ArchiveError):
    """An archive holds more than may be unpacked."""


class MemberStream(Protocol):
    """The content of a member; `damage` says in words why it ended early."""

    @property
    def damage(self) -> str | None:
        """What was wrong, once the reader has come to it."""
        ...

    @property
    def stream(self) -> BinaryIO:
        """The content, to be read once and in order."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A regular file in an archive."""

    name: str
    content: MemberStream


@dataclass(slots=True)
class Budget:
    """What may still be taken out of an archive and of the archives in it."""

    members: int = MAX_MEMBERS
    bytes: int = MAX_BYTES
    skipped: list[str] = field(default_factory=list)

    def take_member(self) -> None:
        """Count a member; raises LimitError where it is one too many."""
        self.take(0)
        self.members -= 1
        if self.members < 0:
            raise LimitError(f"it has more than {MAX_MEMBERS:,} members")

    def take(self, count: int) -> None:
        """Count bytes that were unpacked; raises LimitError where they are too many."""
        self.bytes -= count
        if self.bytes < 0:
            raise LimitError(f"it holds more than {MAX_BYTES >> 30} GiB")

    def skip(self, name: str, why: str) -> None:
        """Note a member that is not read."""
        self.skipped.append(f"{name} ({why})")


def shown_name(raw: bytes | str) -> str:
    """Return a member's name as text, its end where it is long."""
    data = raw if isinstance(raw, bytes) else raw.encode("utf-8", "surrogateescape")
    text = data.decode("utf-8", "backslashreplace").removeprefix("./")
    return text if len(text) <= _MAX_NAME else f"…{text[-_MAX_NAME + 1 :]}"
