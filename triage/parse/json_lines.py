"""Reads JSON that may be damaged, and tells where in the text each object stands."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

_TOKEN = re.compile(
    r'[ \t,]+|(?P<string>"(?:[^"\\]|\\.)*")[ \t]*(?P<colon>:)?|(?P<bracket>[][{}])'
    r"|(?P<word>[-+.\w]{1,64})"
)
_WORDS = {"null": None, "true": True, "false": False}


class Object(dict[str, Any]):
    """A JSON object that knows in which line, counted from 0, it begins."""

    def __init__(self, row: int) -> None:
        super().__init__()
        self.row = row


class _Reader:
    """Builds the value; what does not fit is passed over and remembered as damage."""

    def __init__(self) -> None:
        self.root = Object(0)
        self.damaged = False
        self.opened = False
        self.done = False
        self._open: list[Object | list[Any]] = [self.root]
        self._key: str | None = None

    def line(self, row: int, text: str) -> None:
        """Take one line of the text."""
        at = 0
        while at < len(text) and not self.done:
            match = _TOKEN.match(text, at)
            if match is None:
                self.damaged = self.damaged or self.opened
                # An open string would be looked through again and again from each of its quotes.
                at = len(text) if text[at] == '"' else at + 1
                continue
            at = match.end()
            self._take(match, row)

    def _take(self, match: re.Match[str], row: int) -> None:
        if match["string"]:
            text = _string(match["string"])
            if match["colon"]:
                self._key = text
            else:
                self._put(text)
        elif match["word"]:
            self._put(_word(match["word"]))
        elif match["bracket"] in ("{", "["):
            self._begin(match["bracket"], row)
        elif match["bracket"]:
            self._end(match["bracket"])

    def _begin(self, bracket: str, row: int) -> None:
        if bracket == "{" and self._open == [self.root] and self._key is None:
            self.opened = True
            return
        value: Object | list[Any] = Object(row) if bracket == "{" else []
        self._put(value)
        self._open.append(value)

    def _end(self, bracket: str) -> None:
        kind = Object if bracket == "}" else list
        self._key = None
        if len(self._open) > 1 and isinstance(self._open[-1], kind):
            self._open.pop()
        elif len(self._open) == 1 and bracket == "}" and self.opened:
            self.done = True
        else:
            self.damaged = True

    def _put(self, value: Any) -> None:
        top = self._open[-1]
        if isinstance(top, list):
            top.append(value)
        elif self._key is not None:
            top[self._key] = value
        self._key = None


def _string(text: str) -> str:
    if "\\" not in text:
        return text[1:-1]
    try:
        return str(json.loads(text))
    except ValueError:
        return text[1:-1]


def _word(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    try:
        return int(text)
    except ValueError:
        return text


def read_json(lines: Sequence[str]) -> tuple[Object, bool]:
    """Return the first object of a text, and whether the text is damaged.

    Reads on behind damage and takes a text that ends early for one that is closed there.
    """
    reader = _Reader()
    for row, text in enumerate(lines):
        reader.line(row, text)
        if reader.done:
            break
    return reader.root, reader.damaged or not reader.done
