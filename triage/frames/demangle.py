"""Qualified names of mangled symbols, in time linear in their length.

Only the name is built: template arguments, parameters and return types are read over. A name never
holds another one twice, so the text cannot grow as the full form does, where 300 characters can
stand for gigabytes.
"""

from __future__ import annotations

from triage.frames.demangle_codes import STD
from triage.frames.demangle_cursor import RefusedError
from triage.frames.demangle_rust import legacy_name, v0_name
from triage.frames.demangle_types import UNKNOWN, Types

MAX_LENGTH = 4096


def demangle(symbol: str) -> str | None:
    """Return the qualified name that a mangled symbol stands for; None where it is none.

    A Rust name keeps its type arguments where the symbol spells them out; a C++ one has none.
    """
    if len(symbol) > MAX_LENGTH:
        return None
    bare = symbol.lstrip("_")
    try:
        if bare.startswith("R") and len(bare) < len(symbol):
            return v0_name(bare[1:])
        if bare.startswith("Z") and 0 < len(symbol) - len(bare) <= 4:
            return legacy_name(bare[1:]) or _known(_Names(bare[1:]).encoding())
    except (RefusedError, IndexError, ValueError):
        return None
    return None


def _known(name: str) -> str | None:
    return None if UNKNOWN in name or not name else name


class _Names(Types):
    """Reads one symbol and builds its name."""

    def encoding(self) -> str:
        """Return the name of a function or object; what follows a name is left unread."""
        if self.take("GV") or self.take("GR") or self.take("TW") or self.take("TH"):
            return self.name()
        if self.take("GTt") or self.take("GTn"):
            return self.deeper(self.encoding)
        if self.peek(2) in ("Th", "Tv", "Tc"):
            self.at += 1
            for _ in range(2 if self.take("c") else 1):
                self._call_offset()
            return self.deeper(self.encoding)
        if self.peek(2) in ("TV", "TT", "TI", "TS"):
            self.at += 2
            return self.type()
        return self.name()

    def _call_offset(self) -> None:
        if self.take("h"):
            self.number()
        else:
            self.need("v")
            self.number()
            self.need("_")
            self.number()
        self.need("_")

    def name(self) -> str:
        return self.deeper(self._name)

    def _name(self) -> str:
        head = self.peek()
        if head == "N":
            return self._nested()
        if head == "Z":
            return self._local()
        if head == "S":
            text = self._substitution()
            if text == "std":
                text = f"std::{self._component('')}"
        else:
            text = self._component("")
        self.template_args()
        return text

    def _nested(self) -> str:
        self.need("N")
        self.take("H")
        self.while_in("rVK")
        self.while_in("RO")
        parts: list[str] = []
        size = 0
        while not self.take("E"):
            part = self._prefix(parts[-1] if parts else "")
            if part:
                parts.append(part)
                size += len(part)
                if size > MAX_LENGTH:
                    raise RefusedError
        return "::".join(parts)

    def _prefix(self, last: str) -> str:
        head = self.peek()
        if head == "I":
            self.template_args()
            return ""
        if head == "S":
            return self._substitution()
        if head == "T":
            return self.template_param()
        if self.peek(2) in ("Dt", "DT"):
            return self.type()
        if self.take("M"):
            return ""
        return self._component(last.rsplit("::", 1)[-1])

    def _component(self, last: str) -> str:
        """Return one name between `::` without ABI tags; a constructor repeats `last`."""
        self.while_in("LF")
        while self.take("W"):
            self.take("P")
            self.source_name()
        text = self._untagged(last)
        while self.take("B"):
            self.source_name()
        return text

    def _untagged(self, last: str) -> str:
        head = self.peek()
        if head.isdigit():
            return _nameless(self.source_name())
        if head == "U":
            return self._closure()
        if head in ("C", "D"):
            return self._constructor(last)
        return self.operator()

    def _constructor(self, last: str) -> str:
        if self.take("DC"):
            self.until_end(self.source_name)
            return "{binding}"
        tilde = self.take("D")
        if not tilde:
            self.need("C")
        inherited = not tilde and self.take("I")
        if self.peek() not in tuple("0123456789"):
            raise RefusedError
        self.at += 1
        if inherited:
            self.type()
        return f"~{last}" if tilde else last

    def _closure(self) -> str:
        self.need("U")
        kind = self.peek()
        self.at += 1
        if kind == "l":
            while self.take("T"):
                self.template_param_kind()
            self.until_end(self.type)
        elif kind != "t":
            raise RefusedError
        number = self.number()
        self.need("_")
        place = 1 if number is None else number + 2
        return f"{{lambda#{place}}}" if kind == "l" else f"{{unnamed#{place}}}"

    def _local(self) -> str:
        self.need("Z")
        scope = self.encoding()
        self.until_end(self.signature_part)
        if self.take("s"):
            self._discriminator()
            return scope
        if self.take("d"):
            self.number()
            self.need("_")
        entity = self.name()
        self._discriminator()
        if len(scope) + len(entity) > MAX_LENGTH:
            raise RefusedError
        return f"{scope}::{entity}"

    def _discriminator(self) -> None:
        if self.take("__"):
            self.number()
            self.need("_")
        elif self.take("_"):
            self.at += 1

    def _substitution(self) -> str:
        self.need("S")
        head = self.peek()
        self.at += 1
        if head == "t":
            return "std"
        if head in STD:
            return f"std::{STD[head]}"
        self.at -= 1
        self.while_in("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")
        self.need("_")
        return UNKNOWN


def _nameless(name: str) -> str:
    return "{anonymous}" if name.startswith("_GLOBAL__N") else name
