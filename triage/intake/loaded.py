"""What an input is while it is opened and once it is read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from triage.model.crash import Fragment, ReportWarning
from triage.model.position import Position
from triage.model.report import Input, InputKind
from triage.text.line import Line

STANDARD_INPUT: Final = "standard input"


def _shown(info: Input, member: str | None) -> str:
    return info.name if member is None else f"{member} in {info.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """An input, or a member of one, that is open.

    `path` is the file on disk where the stream is one.
    """

    input: Input
    stream: BinaryIO
    path: Path | None = None
    member: str | None = None

    @property
    def name(self) -> str:
        """The name that a message calls it by."""
        return _shown(self.input, self.member)

    def warning(self, code: str, message: str, *, line: int | None = None) -> ReportWarning:
        """Return a warning about it."""
        at = Position(input=self.input.id, line=line, member=self.member)
        return ReportWarning(code=code, message=message, at=at)

    def loaded(self, kind: InputKind, path: Path | None, *warnings: ReportWarning) -> Loaded:
        """Return it as something of a kind that is a file."""
        return Loaded(input=self.input, kind=kind, path=path, member=self.member, warnings=warnings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """One input as it was read: its lines where it is text, its path where it is a file.

    The path is not the input's own where that had to be unpacked. `member` is the file's name in
    its archive; the members of one archive share their `input`, and `kind` is their own.
    `fragment` is what was read of it already, while it was open.
    """

    input: Input
    kind: InputKind = InputKind.TEXT
    lines: tuple[Line, ...] = ()
    path: Path | None = None
    member: str | None = None
    warnings: tuple[ReportWarning, ...] = ()
    fragment: Fragment | None = None

    @property
    def name(self) -> str:
        """The name that a message calls it by."""
        return _shown(self.input, self.member)

    @property
    def from_stdin(self) -> bool:
        """Whether it came through standard input, so that no name leads to it."""
        return self.input.name == STANDARD_INPUT and self.input.size is None
