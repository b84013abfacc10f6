"""The types, template arguments and expressions of the Itanium C++ ABI: read over, never built.

Every step takes a character or refuses, and nesting is bounded.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from triage.frames.demangle_codes import BUILTIN, CASTS, OF_ONE, OF_TWO, OF_TYPE, OPERATORS
from triage.frames.demangle_cursor import Cursor, RefusedError

UNKNOWN = "\1"  # a name that only a table of all types before it could tell


class Types(Cursor, ABC):
    """Reads over types; what a name is, a class above this one says."""

    @abstractmethod
    def encoding(self) -> str:
        """Read a function or an object up to the end of its name, and return that."""

    @abstractmethod
    def name(self) -> str:
        """Read a name with its template arguments, and return it without them."""

    def template_param_kind(self) -> None:
        """Read what kind of parameter a template's template parameter has."""
        if self.take("n"):
            self.type()
        elif self.take("t"):
            while self.take("T"):
                self.template_param_kind()
            self.need("E")
        elif self.take("p"):
            self.need("T")
            self.template_param_kind()
        else:
            self.need("y")

    def source_name(self) -> str:
        """Return a name that its length stands before."""
        size = self.number()
        if not size or self.at + size > len(self.text):
            raise RefusedError
        self.at += size
        return self.text[self.at - size : self.at]

    def operator(self) -> str:
        """Return an operator's name, or that of a conversion."""
        two = self.peek(2)
        self.at += 2
        if two == "cv":
            return f"operator {self.type()}"
        if two == "li":
            return f'operator""{self.source_name()}'
        if two not in OPERATORS:
            raise RefusedError
        return f"operator{OPERATORS[two]}"

    def template_param(self) -> str:
        """Read `T_`; what it stands for is not known."""
        self.need("T")
        if self.take("L"):
            self.number()
            self.need("_")
        self.number()
        self.need("_")
        return UNKNOWN

    def template_args(self) -> None:
        """Read over `I…E`, where it stands."""
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
            self.template_param_kind()
        else:
            self.type()

    def type(self) -> str:
        """Return a type by its name alone, without pointers, qualifiers and arguments."""
        return self.deeper(self._type)

    def _type(self) -> str:
        while True:
            self.while_in("rVKPROCG")
            if self.peek() != "U" or self.peek(2) in ("Ul", "Ut"):
                break
            self.at += 1
            self.source_name()
            self.template_args()
        head = self.peek()
        if head in BUILTIN:
            self.at += 1
            return BUILTIN[head]
        if head in _TYPES:
            return _TYPES[head](self)
        return self.name()

    def vendor_type(self) -> str:
        """Read `u NAME`."""
        self.need("u")
        text = self.source_name()
        self.template_args()
        return text

    def function_type(self) -> str:
        """Read `F…E`."""
        self.need("F")
        self.take("Y")
        self.until_end(self._parameter)
        return UNKNOWN

    def _parameter(self) -> None:
        if self.peek(2) in ("RE", "OE"):
            self.at += 1
        else:
            self.type()

    def array_type(self) -> str:
        """Read `A…_TYPE`."""
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

    def member_pointer_type(self) -> str:
        """Read `M CLASS MEMBER`."""
        self.need("M")
        self.type()
        return self.type()

    def param_type(self) -> str:
        """Read a type that a template parameter or a keyword begins."""
        if self.peek(2) in ("Ts", "Tu", "Te"):
            self.at += 2
            return self.name()
        text = self.template_param()
        self.template_args()
        return text

    def extended_type(self) -> str:
        """Read what begins with `D`."""
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
                raise RefusedError
        elif kind == "x":
            return self.type()
        elif kind not in tuple("defhiacnsu"):
            raise RefusedError
        return UNKNOWN

    def signature_part(self) -> None:
        """Read a parameter or a constraint."""
        if self.take("Q"):
            self.expression()
        elif not self.take("J"):
            self.type()

    def _literal(self) -> None:
        self.need("L")
        if self.take("_Z") or self.take("Z"):
            self.encoding()
            self.until_end(self.signature_part)
            return
        self.type()
        self.while_in("0123456789abcdefn_")
        self.need("E")

    def expression(self) -> str:
        """Read over an expression."""
        return self.deeper(self._expression)

    def _expression(self) -> str:
        self.take("gs")
        head, two = self.peek(), self.peek(2)
        if head == "L":
            self._literal()
        elif head == "T":
            self.template_param()
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
        if two in OF_TYPE:
            self.type()
        elif two in CASTS:
            self.type()
            self.expression()
        elif two in ("pp", "mm"):
            self.take("_")
            self.expression()
        elif two in OF_ONE:
            self.expression()
        elif two in OF_TWO:
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
        elif two == "sP":
            self.until_end(self._template_arg)
        elif two != "tr":
            raise RefusedError

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
            raise RefusedError
        self.at += 4
        for _ in range(2 if kind in ("fL", "fR") else 1):
            self.expression()

    def _simple_name(self) -> None:
        self.source_name()
        while self.take("B"):
            self.source_name()
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
            self.operator()
            self.template_args()
        elif self.take("dn"):
            if self.peek().isdigit():
                self._simple_name()
            else:
                self.type()
        else:
            self._simple_name()


_TYPES: dict[str, Callable[[Types], str]] = {
    "u": Types.vendor_type,
    "F": Types.function_type,
    "A": Types.array_type,
    "M": Types.member_pointer_type,
    "T": Types.param_type,
    "D": Types.extended_type,
}
