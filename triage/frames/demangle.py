"""Qualified names of mangled symbols, in time linear in their length.

Only the name is built: template arguments, parameters and return types are read over. A name never
holds another one twice, so the text cannot grow as the full form does, where 300 characters can
stand for gigabytes.
"""

from __future__ import annotations

from collections.abc import Callable

from triage.frames.demangle_rust import Refused, legacy_name, v0_name

MAX_LENGTH = 4096
_MAX_DEPTH = 64
_UNKNOWN = "\1"  # a name that only a table of all types before it could tell
_STD = {
    "a": "allocator",
    "b": "basic_string",
    "s": "basic_string",
    "i": "basic_istream",
    "o": "basic_ostream",
    "d": "basic_iostream",
}
_BUILTIN = {
    "v": "void",
    "w": "wchar_t",
    "b": "bool",
    "c": "char",
    "a": "signed char",
    "h": "unsigned char",
    "s": "short",
    "t": "unsigned short",
    "i": "int",
    "j": "unsigned int",
    "l": "long",
    "m": "unsigned long",
    "x": "long long",
    "y": "unsigned long long",
    "n": "__int128",
    "o": "unsigned __int128",
    "f": "float",
    "d": "double",
    "e": "long double",
    "g": "__float128",
    "z": "...",
}
_UNARY = {"ps": "+", "ng": "-", "ad": "&", "de": "*", "co": "~", "nt": "!", "pp": "++", "mm": "--"}
_BINARY = dict(
    pair.split(":")
    for pair in (
        "pl:+ mi:- ml:* dv:/ rm:% an:& or:| eo:^ aS:= pL:+= mI:-= mL:*= dV:/= rM:%= aN:&= oR:|= "
        "eO:^= ls:<< rs:>> lS:<<= rS:>>= eq:== ne:!= lt:< gt:> le:<= ge:>= ss:<=> aa:&& oo:|| "
        "cm:, pm:->* pt:-> cl:() ix:[]"
    ).split()
)
_WORDS = {
    "nw": " new",
    "na": " new",
    "dl": " delete",
    "da": " delete",
    "aw": " co_await",
    "qu": "?",
}
_OPERATORS = _UNARY | _BINARY | _WORDS
_OF_TYPE = frozenset(("ti", "st", "at"))
_OF_ONE = frozenset((*_UNARY, "te", "sz", "az", "nx", "sp", "tw", "dl", "da"))
_OF_TWO = frozenset(_BINARY) - {"cl", "pt"} | {"ds", "di"}
_CASTS = frozenset(("dc", "sc", "cc", "rc"))


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
            return legacy_name(bare[1:]) or _known(_Reader(bare[1:]).encoding())
    except (Refused, IndexError, ValueError):
        return None
    return None


def _known(name: str) -> str | None:
    return None if _UNKNOWN in name or not name else name


class _Reader:
    """Reads one symbol of the Itanium C++ ABI; every step takes a character or refuses."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0

    # -- characters

    def peek(self, size: int = 1) -> str:
        return self.text[self.at : self.at + size]

    def take(self, expected: str) -> bool:
        if self.text.startswith(expected, self.at):
            self.at += len(expected)
            return True
        return False

    def need(self, expected: str) -> None:
        if not self.take(expected):
            raise Refused

    def while_in(self, characters: str) -> str:
        start = self.at
        while self.at < len(self.text) and self.text[self.at] in characters:
            self.at += 1
        return self.text[start : self.at]

    def number(self) -> int | None:
        """Return `[n]DIGITS`; None where none stands here."""
        self.take("n")
        digits = self.while_in("0123456789")
        if len(digits) > 9:
            raise Refused
        return int(digits) if digits else None

    def until_end(self, step: Callable[[], object]) -> None:
        while not self.take("E"):
            step()

    def deeper(self, step: Callable[[], str]) -> str:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise Refused
        found = step()
        self.depth -= 1
        return found

    # -- names

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
                    raise Refused
        return "::".join(parts)

    def _prefix(self, last: str) -> str:
        head = self.peek()
        if head == "I":
            self.template_args()
            return ""
        if head == "S":
            return self._substitution()
        if head == "T":
            return self._template_param()
        if self.peek(2) in ("Dt", "DT"):
            return self.type()
        if self.take("M"):
            return ""
        return self._component(last.rsplit("::", 1)[-1])

    def _component(self, last: str) -> str:
        """Return one name between `::`, without its ABI tags; `last` is what a constructor repeats."""
        self.while_in("LF")
        while self.take("W"):
            self.take("P")
            self._source_name()
        text = self._untagged(last)
        while self.take("B"):
            self._source_name()
        return text

    def _untagged(self, last: str) -> str:
        head = self.peek()
        if head.isdigit():
            return _nameless(self._source_name())
        if head == "U":
            return self._closure()
        if head in ("C", "D"):
            return self._constructor(last)
        return self._operator()

    def _constructor(self, last: str) -> str:
        if self.take("DC"):
            self.until_end(self._source_name)
            return "{binding}"
        tilde = self.take("D")
        if not tilde:
            self.need("C")
        inherited = not tilde and self.take("I")
        if self.peek() not in tuple("0123456789"):
            raise Refused
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
                self._template_param_kind()
            self.until_end(self.type)
        elif kind != "t":
            raise Refused
        number = self.number()
        self.need("_")
        place = 1 if number is None else number + 2
        return f"{{lambda#{place}}}" if kind == "l" else f"{{unnamed#{place}}}"

    def _template_param_kind(self) -> None:
        if self.take("n"):
            self.type()
        elif self.take("t"):
            while self.take("T"):
                self._template_param_kind()
            self.need("E")
        elif self.take("p"):
            self.need("T")
            self._template_param_kind()
        else:
            self.need("y")

    def _source_name(self) -> str:
        size = self.number()
        if not size or self.at + size > len(self.text):
            raise Refused
        self.at += size
        return self.text[self.at - size : self.at]

    def _operator(self) -> str:
        two = self.peek(2)
        self.at += 2
        if two == "cv":
            return f"operator {self.type()}"
        if two == "li":
            return f'operator""{self._source_name()}'
        if two not in _OPERATORS:
            raise Refused
        return f"operator{_OPERATORS[two]}"

    def _local(self) -> str:
        self.need("Z")
        scope = self.encoding()
        self.until_end(self._signature_part)
        if self.take("s"):
            self._discriminator()
            return scope
        if self.take("d"):
            self.number()
            self.need("_")
        entity = self.name()
        self._discriminator()
        if len(scope) + len(entity) > MAX_LENGTH:
            raise Refused
        return f"{scope}::{entity}"

    def _signature_part(self) -> None:
        if self.take("Q"):
            self.expression()
        elif not self.take("J"):
            self.type()

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
        if head in _STD:
            return f"std::{_STD[head]}"
        self.at -= 1
        self.while_in("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")
        self.need("_")
        return _UNKNOWN

    def _template_param(self) -> str:
        self.need("T")
        if self.take("L"):
            self.number()
            self.need("_")
        self.number()
        self.need("_")
        return _UNKNOWN

    # -- what is read over

    def template_args(self) -> None:
        if self.take("I"):
            self.deeper(self._template_args)

    def _template_args(self) -> str:
        self.until_end(self._template_arg)
        return ""

    def _template_arg(self) -> None:
        head = self.peek()
        if head == "L":
            self._literal()
        elif self.take("X"):
            self.expression()
            self.need("E")
        elif self.take("J"):
            self.deeper(self._template_args)
        elif self.take("Q"):
            self.expression()
        elif head == "T" and self.peek(2)[1:] in tuple("nytp"):
            self.at += 1
            self._template_param_kind()
        else:
            self.type()

    def type(self) -> str:
        return self.deeper(self._type)

    def _type(self) -> str:
        while True:
            self.while_in("rVKPROCG")
            if self.peek() != "U" or self.peek(2) in ("Ul", "Ut"):
                break
            self.at += 1
            self._source_name()
            self.template_args()
        head = self.peek()
        if head in _BUILTIN:
            self.at += 1
            return _BUILTIN[head]
        if head in _TYPES:
            return _TYPES[head](self)
        return self.name()

    def _vendor(self) -> str:
        self.need("u")
        text = self._source_name()
        self.template_args()
        return text

    def _function(self) -> str:
        self.need("F")
        self.take("Y")
        self.until_end(self._parameter)
        return _UNKNOWN

    def _parameter(self) -> None:
        if self.peek(2) in ("RE", "OE"):
            self.at += 1
        else:
            self.type()

    def _array(self) -> str:
        self.need("A")
        self._extent()
        return self.type()

    def _extent(self) -> None:
        if not self.take("_"):
            if self.peek().isdigit():
                self.number()
            else:
                self.expression()
            self.need("_")

    def _member_pointer(self) -> str:
        self.need("M")
        self.type()
        return self.type()

    def _param_type(self) -> str:
        if self.peek(2) in ("Ts", "Tu", "Te"):
            self.at += 2
            return self.name()
        text = self._template_param()
        self.template_args()
        return text

    def _extended(self) -> str:
        kind = self.peek(2)[1:]
        self.at += 2
        if kind in ("t", "T"):
            self.expression()
            self.need("E")
        elif kind in ("p", "o"):
            self.type()
        elif kind == "O":
            self.expression()
            self.need("E")
            self.type()
        elif kind == "w":
            self.until_end(self.type)
            self.type()
        elif kind == "v":
            self._extent()
            self.type()
        elif kind in ("F", "B", "U"):
            self.number()
            if not (self.take("_") or self.take("b") or self.take("x")):
                raise Refused
        elif kind == "x":
            return self.type()
        elif kind not in tuple("defhiacnsu"):
            raise Refused
        return _UNKNOWN

    def _literal(self) -> None:
        self.need("L")
        if self.take("_Z") or self.take("Z"):
            self.encoding()
            self.until_end(self._signature_part)
            return
        self.type()
        self.while_in("0123456789abcdefn_")
        self.need("E")

    def expression(self) -> str:
        return self.deeper(self._expression)

    def _expression(self) -> str:
        self.take("gs")
        head, two = self.peek(), self.peek(2)
        if head == "L":
            self._literal()
        elif head == "T":
            self._template_param()
            self.template_args()
        elif head.isdigit():
            self._simple_name()
        elif two in ("sr", "on", "dn"):
            self._unresolved()
        elif head == "f":
            self._parameter_or_fold()
        else:
            self.at += 2
            self._operands(two)
        return ""

    def _operands(self, two: str) -> None:
        if two in _OF_TYPE:
            self.type()
        elif two in _CASTS:
            self.type()
            self.expression()
        elif two in ("pp", "mm"):
            self.take("_")
            self.expression()
        elif two in _OF_ONE:
            self.expression()
        elif two in _OF_TWO:
            self.expression()
            self.expression()
        elif two in ("dt", "pt"):
            self.expression()
            self._unresolved()
        elif two in ("qu", "dX"):
            for _ in range(3):
                self.expression()
        else:
            self._operand_lists(two)

    def _operand_lists(self, two: str) -> None:
        if two in ("cl", "il", "cp"):
            self.until_end(self.expression)
        elif two == "tl":
            self.type()
            self.until_end(self.expression)
        elif two == "cv":
            self.type()
            if self.take("_"):
                self.until_end(self.expression)
            else:
                self.expression()
        elif two in ("nw", "na"):
            while not self.take("_"):
                self.expression()
            self.type()
            if self.take("pi"):
                self.until_end(self.expression)
            else:
                self.need("E")
        elif two == "sZ":
            self.expression()
        elif two == "sP":
            self.until_end(self._template_arg)
        elif two != "tr":
            raise Refused

    def _parameter_or_fold(self) -> None:
        if self.take("fpT"):
            return
        if self.take("fp") or (self.peek(3)[2:].isdigit() and self.take("fL")):
            if self.text[self.at - 1] == "L":
                self.number()
                self.need("p")
            self.while_in("rVK")
            self.number()
            self.need("_")
            return
        kind = self.peek(2)
        if kind not in ("fl", "fr", "fL", "fR"):
            raise Refused
        self.at += 4
        for _ in range(2 if kind in ("fL", "fR") else 1):
            self.expression()

    def _simple_name(self) -> None:
        self._source_name()
        while self.take("B"):
            self._source_name()
        self.template_args()

    def _unresolved(self) -> None:
        self.take("gs")
        if not self.take("sr"):
            self._base_name()
            return
        if self.peek() == "N" and self.peek(2) not in ("NT", "ND", "NS"):
            self.type()
        elif self.take("N"):
            self.type()
            self.until_end(self._simple_name)
        elif self.peek().isdigit():
            self._levels()
            return
        else:
            self.type()
        self._base_name()

    def _levels(self) -> None:
        """Read `LEVEL+ E NAME`, or `LEVEL NAME` as older compilers write it."""
        while self.peek().isdigit():
            self._simple_name()
        following = self.peek(3)[1:]
        if self.peek() == "E" and (following[:1].isdigit() or following in ("on", "dn")):
            self.at += 1
            self._base_name()

    def _base_name(self) -> None:
        if self.take("on"):
            self._operator()
            self.template_args()
        elif self.take("dn"):
            if self.peek().isdigit():
                self._simple_name()
            else:
                self.type()
        else:
            self._simple_name()


_TYPES: dict[str, Callable[[_Reader], str]] = {
    "u": _Reader._vendor,
    "F": _Reader._function,
    "A": _Reader._array,
    "M": _Reader._member_pointer,
    "T": _Reader._param_type,
    "D": _Reader._extended,
}


def _nameless(name: str) -> str:
    return "{anonymous}" if name.startswith("_GLOBAL__N") else name
