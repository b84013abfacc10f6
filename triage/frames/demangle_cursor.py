"""A place in a mangled symbol."""

from __future__ import annotations

from collections.abc import Callable

_MAX_DEPTH = 64


class RefusedError(Exception):
    """The symbol is none, or asks for more than the limits allow."""


class Cursor:
    """Takes a symbol part by part, and refuses what cannot be or lies too deep."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0

    def peek(self, size: int = 1) -> str:
        """Return the next characters without taking them."""
        return self.text[self.at : self.at + size]

    def take(self, expected: str) -> bool:
        """Take a text if it stands here, and tell whether it does."""
        if self.text.startswith(expected, self.at):
            self.at += len(expected)
            return True
        return False

    def need(self, expected: str) -> None:
        """Take a text that must stand here."""
        if not self.take(expected):
            raise RefusedError

    def while_in(self, characters: str) -> str:
        """Take characters of a set, and return them."""
        start = self.at
        while self.at < len(self.text) and self.text[self.at] in characters:
            self.at += 1
        return self.text[start : self.at]

    def number(self) -> int | None:
        """Return `[n]DIGITS`; None where none stands here."""
        self.take("n")
        digits = self.while_in("0123456789")
        if len(digits) > 9:
            raise RefusedError
        return int(digits) if digits else None

    def until_end(self, step: Callable[[], object]) -> None:
        """Repeat a step until the `E` that ends it."""
        while not self.take("E"):
            step()

    def deeper(self, step: Callable[[], str]) -> str:
        """Take a step one level further in."""
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise RefusedError
        found = step()
        self.depth -= 1
        return found
