"""The contract of an input format, and what every format needs to keep it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from lark import Token, Tree

from triage.elf.signals import NUMBERS
from triage.knowledge import error_by_text
from triage.model.crash import ErrorRecord, Fragment, Signal
from triage.model.position import Position
from triage.parse.grammar import Grammar, load_grammar
from triage.text.line import Line


@dataclass(frozen=True, slots=True)
class Region:
    """Consecutive lines of one input that a format may understand."""

    lines: tuple[Line, ...]
    input: int = 0
    member: str | None = None

    def position(self, token: Token) -> Position:
        """Return where a token of this region's text stands in the input."""
        return self.at((token.line or 1) - 1)

    def at(self, row: int) -> Position:
        """Return the position of the region's n-th line, counting from 0."""
        return Position(input=self.input, line=self.lines[row].number, member=self.member)

    @property
    def text(self) -> str:
        """Return the lines as the one text that a grammar reads."""
        return "\n".join(line.text for line in self.lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One dialect of crash text.

    `anchors` are literals for the search in big inputs: a text without any of them is not shown to
    the format, and of a big one only what is near a line with one is kept. The lines that begin a
    region have one; a line that `opens` confirms further down, such as a frame with a number of
    two digits, need not. `opens` confirms a line; a region runs from `before` lines before the
    first confirmed line to `after` lines behind the last, over gaps of up to `reach` lines. `read`
    turns a region into a fragment. Lines that a format in `yields_to` has claimed are not shown to
    this one. `starts` is the line that a program writes once, first in every run.
    """

    name: str
    title: str
    anchors: tuple[str, ...]
    opens: re.Pattern[str]
    read: Callable[[Region], Fragment]
    before: int = 0
    after: int = 0
    reach: int = 0
    yields_to: tuple[str, ...] = ()
    starts: re.Pattern[str] | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that a grammar found: its line's fields, and the plain lines that follow it."""

    kind: str
    at: Position
    text: str
    fields: dict[str, str]
    rest: tuple[str, ...] = ()


@dataclass(slots=True)
class Reading:
    """A region's items as a grammar found them."""

    region: Region
    grammar: Grammar
    claimed: set[int] = field(default_factory=set)

    def items(self) -> Iterator[Item]:
        """Yield each item that the grammar found, in order.

        Reads a tree of the form that all line grammars share: `start` holds items, an item holds
        the line that makes it one and the plain lines that follow.
        """
        tree = self.grammar.parse(self.region.text)
        for item in tree.children:
            if not isinstance(item, Tree) or not item.children:
                continue
            head, *rest = [child for child in item.children if isinstance(child, Token)]
            self.claim(head)
            yield Item(
                str(item.data),
                self.region.position(head),
                str(head),
                self.grammar.fields(head),
                tuple(map(str, rest)),
            )

    def claim(self, token: Token) -> None:
        """Record that a token's lines were understood."""
        first = (token.line or 1) - 1
        for row in range(first, first + token.count("\n") + 1):
            self.claimed.add(self.region.lines[row].number)


def reading(region: Region, grammar: str) -> Reading:
    """Return a region ready to be read with a grammar."""
    return Reading(region, load_grammar(grammar))


def number(text: str | None) -> int | None:
    """Return a decimal or 0x number; None for None and for digits beyond 64 bits."""
    if not text:
        return None
    try:
        value = int(text, 0) if text[:2].lower() == "0x" else int(text)
    except ValueError:
        return None
    return value if abs(value) < 1 << 64 else None


def named_signal(name: str, at: Position, *, fault_address: str | None = None) -> Signal:
    """Return the signal of a name, with the number that Linux gives it."""
    return Signal(name=name, number=NUMBERS.get(name), fault_address=fault_address, at=at)


def failed_assertion(
    text: str | None, file: str | None, line: str | None, at: Position
) -> ErrorRecord:
    """Return the error of an `assert` that did not hold, in glibc's words whoever printed it."""
    return ErrorRecord(
        api="libc",
        name="assert",
        message=None if text is None else f"Assertion `{text}' failed",
        file=file,
        line=number(line),
        at=at,
    )


def described_error(api: str, text: str, at: Position) -> ErrorRecord:
    """Return the error that an API describes in words, with its name where the words are known."""
    known = error_by_text(api, text)
    return ErrorRecord(
        api=api,
        code=known.code if known else None,
        name=known.name if known else None,
        message=text,
        at=at,
    )
