"""Names of Rust symbols, of the older mangling and of version 0."""

from __future__ import annotations

import re
from collections.abc import Callable

from triage.frames.demangle_cursor import RefusedError
from triage.text.late import late

_HASH = late(r"17h[0-9a-f]{16}E")
_SIZE = late(r"[1-9][0-9]{0,5}")
_ESCAPE = late(r"\$([A-Z]{1,2}|u[0-9a-f]{1,6})\$|\.\.")
_SIGNS = {"SP": "@", "BP": "*", "RF": "&", "LT": "<", "GT": ">", "LP": "(", "RP": ")", "C": ","}
_BASIC = {
    "a": "i8",
    "b": "bool",
    "c": "char",
    "d": "f64",
    "e": "str",
    "f": "f32",
    "h": "u8",
    "i": "isize",
    "j": "usize",
    "l": "i32",
    "m": "u32",
    "n": "i128",
    "o": "u128",
    "p": "_",
    "s": "i16",
    "t": "u16",
    "u": "()",
    "v": "...",
    "x": "i64",
    "y": "u64",
    "z": "!",
}
_MAX_DEPTH = 48
_MAX_STEPS = 2000
_MAX_TEXT = 4096


def legacy_name(text: str) -> str | None:
    """Return the name in what follows `_Z`, without its hash; None where it is not Rust's."""
    if not text.startswith("N"):
        return None
    at, parts = 1, []
    while not _HASH.match(text, at):
        end = at
        while text[end : end + 1].isdigit() and end - at < 6:
            end += 1
        if end == at:
            return None
        size = int(text[at:end])
        if not size or end + size > len(text):
            return None
        at = end + size
        parts.append(_unescaped(text[end:at]))
    return "::".join(parts) or None


def _unescaped(part: str) -> str:
    if part.startswith("_$"):
        part = part[1:]
    return _ESCAPE.sub(_character, part)


def _character(match: re.Match[str]) -> str:
    word = match[1]
    if word is None:
        return "::"
    if word in _SIGNS:
        return _SIGNS[word]
    code = int(word[1:], 16) if word[0] == "u" else 0
    return chr(code) if 0x20 <= code < 0x7F else match[0]


def v0_name(text: str) -> str:
    """Return the path in what follows `_R`, without generic arguments."""
    return _Reader(text).path()


class _Reader:
    """Reads one path; text that was read before may be read again, so steps are counted."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0
        self.steps = 0
        self.printing = True

    def take(self, expected: str) -> bool:
        if self.text.startswith(expected, self.at):
            self.at += len(expected)
            return True
        return False

    def tag(self) -> str:
        if self.at >= len(self.text):
            raise RefusedError
        self.at += 1
        return self.text[self.at - 1]

    def bounded(self, step: Callable[[], str]) -> str:
        self.depth += 1
        self.steps += 1
        if self.depth > _MAX_DEPTH or self.steps > _MAX_STEPS:
            raise RefusedError
        text = step()
        if len(text) > _MAX_TEXT:
            raise RefusedError
        self.depth -= 1
        return text

    def number(self) -> int:
        """Return a number of base 62 that `_` ends."""
        end = self.text.find("_", self.at, self.at + 16)
        if end < 0:
            raise RefusedError
        digits, self.at = self.text[self.at : end], end + 1
        value = 0
        for char in digits:
            if not (char.isascii() and char.isalnum()):
                raise RefusedError
            digit = int(char) if char.isdigit() else ord(char) - (87 if char.islower() else 29)
            value = value * 62 + digit
        return value + 1 if digits else 0

    def identifier(self) -> tuple[str, int]:
        """Return a name and its place among those of the same name."""
        place = self.number() + 1 if self.take("s") else 0
        if self.take("u"):
            raise RefusedError
        size = 0
        if not self.take("0"):
            match = _SIZE.match(self.text, self.at)
            if match is None:
                raise RefusedError
            self.at, size = match.end(), int(match.group())
        self.take("_")
        if self.at + size > len(self.text):
            raise RefusedError
        self.at += size
        return self.text[self.at - size : self.at], place

    def path(self) -> str:
        return self.bounded(self._path)

    def _path(self) -> str:
        tag = self.tag()
        if tag == "C":
            return self.identifier()[0]
        if tag == "N":
            return self._inside()
        if tag in "MX":
            self._silently(self._impl_path)
        if tag == "M":
            return f"<{self.type()}>"
        if tag in "XY":
            return f"<{self.type()} as {self.path()}>"
        if tag == "I":
            text = self.path()
            self._silently(self._arguments)
            return text
        if tag == "B":
            return self._again(self.path)
        raise RefusedError

    def _inside(self) -> str:
        space = self.tag()
        outer = self.path()
        name, place = self.identifier()
        if space.islower():
            return f"{outer}::{name}" if name else outer
        kind = {"C": "closure", "S": "shim"}.get(space, space)
        return f"{outer}::{{{kind}{':' if name else ''}{name}#{place}}}"

    def _impl_path(self) -> None:
        if self.take("s"):
            self.number()
        self.path()

    def _silently(self, step: Callable[[], None]) -> None:
        printing, self.printing = self.printing, False
        step()
        self.printing = printing

    def _again(self, step: Callable[[], str]) -> str:
        start = self.at - 1
        target = self.number()
        if not self.printing:
            return ""
        if target >= start:
            raise RefusedError
        back, self.at = self.at, target
        text = step()
        self.at = back
        return text

    def _arguments(self) -> None:
        while not self.take("E"):
            if self.take("L"):
                self.number()
            elif self.take("K"):
                self._constant()
            else:
                self.type()

    def _constant(self) -> None:
        if self.take("B"):
            self.number()
            return
        if self.tag() != "p":
            end = self.text.find("_", self.at)
            if end < 0:
                raise RefusedError
            self.at = end + 1

    def type(self) -> str:
        return self.bounded(self._type)

    def _type(self) -> str:
        tag = self.tag()
        if tag in _BASIC:
            return _BASIC[tag]
        if tag in _TYPES:
            return _TYPES[tag](self)
        if tag == "B":
            return self._again(self.type)
        self.at -= 1
        return self.path()

    def reference_type(self) -> str:
        mutable = "mut " if self.text[self.at - 1] == "Q" else ""
        if self.take("L"):
            self.number()
        return f"&{mutable}{self.type()}"

    def pointer_type(self) -> str:
        kind = "mut" if self.text[self.at - 1] == "O" else "const"
        return f"*{kind} {self.type()}"

    def array_type(self) -> str:
        text = self.type()
        self._constant()
        return f"[{text}]"

    def slice_type(self) -> str:
        return f"[{self.type()}]"

    def tuple_type(self) -> str:
        parts: list[str] = []
        while not self.take("E"):
            parts.append(self.type())
        return f"({', '.join(parts)})"

    def function_type(self) -> str:
        self._binder()
        self.take("U")
        if self.take("K") and not self.take("C"):
            self.identifier()
        while not self.take("E"):
            self.type()
        self.type()
        return "fn"

    def dynamic_type(self) -> str:
        self._binder()
        parts: list[str] = []
        while not self.take("E"):
            parts.append(self.path())
            while self.take("p"):
                self.identifier()
                self.type()
        if self.take("L"):
            self.number()
        return f"dyn {' + '.join(parts)}"

    def _binder(self) -> None:
        if self.take("G"):
            self.number()


_TYPES: dict[str, Callable[[_Reader], str]] = {
    "R": _Reader.reference_type,
    "Q": _Reader.reference_type,
    "P": _Reader.pointer_type,
    "O": _Reader.pointer_type,
    "A": _Reader.array_type,
    "S": _Reader.slice_type,
    "T": _Reader.tuple_type,
    "F": _Reader.function_type,
    "D": _Reader.dynamic_type,
}
