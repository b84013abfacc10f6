"""What every calculator needs: the crash's numbers as terms, and what the crash does not state.

What is not known is said instead of guessed; what has to be assumed is a term without a place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from triage.model.diagnosis import Calculation, Term
from triage.model.position import Position

_MOST = float(1 << 53)
_UNITS = {"gpu.memory_total": " MiB", "gpu.memory_free": " MiB", "model.file_size": " bytes"}


class Values(Protocol):
    """Where a calculator reads what the crash states, by field."""

    def value(self, name: str) -> str | int | float | None:
        """Return the first value of a field, None if not known."""
        ...

    def place(self, name: str) -> Position | None:
        """Return where that value stands."""
        ...

    def every(self, name: str) -> tuple[str | int | float | None, ...]:
        """Return the value of a field of each thing that states it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """The result of a calculator; `value` is what a command takes, None where it is not known."""

    value: str | None
    calculation: Calculation


@dataclass(frozen=True, slots=True, kw_only=True)
class Calculator:
    """One way to work out a figure; `doc` says what it gives, for the reference."""

    name: str
    formula: str
    doc: str
    work: Callable[[Sheet], Figure]

    def __call__(self, values: Values) -> Figure:
        """Return what comes of the numbers of one crash."""
        return self.work(Sheet(self.name, self.formula, values))


class Sheet:
    """The terms of one calculation, in the order in which they were asked for."""

    def __init__(self, name: str, formula: str, values: Values) -> None:
        """Begin with no terms."""
        self._name = name
        self._formula = formula
        self._values = values
        self._terms: dict[str, Term] = {}
        self._missing: list[str] = []

    def text(self, *fields: str) -> str | None:
        """Return the first of the fields that is stated, and note it as a term."""
        for field in fields:
            value = self._values.value(field)
            if value is not None and str(value).strip():
                self._note(field, str(value).strip())
                return str(value).strip()
        return None

    def number(self, *fields: str, name: str | None = None) -> float | None:
        """Return the first of the fields that is a number above 0, and note it as a term."""
        for field in fields:
            value = as_amount(self._values.value(field))
            if value:
                self._note(field, f"{value:.15g}{unit_of(field)}", name)
                return value
        return None

    def peek(self, field: str) -> str | int | float | None:
        """Return the value of a field without making it a term."""
        return self._values.value(field)

    def need(self, *fields: str) -> float:
        """Return the first of the fields that is stated; 0 where none is, which `lacks` then."""
        value = self.number(*fields)
        if value is None:
            self.lack(fields[0])
        return value or 0.0

    def total(self, field: str) -> tuple[float, int]:
        """Return the sum of a field over all things that state it, and how many these are."""
        amounts = [a for v in self._values.every(field) if (a := as_amount(v))]
        if amounts:
            many = f" ({len(amounts)} together)" if len(amounts) > 1 else ""
            self._note(field, f"{sum(amounts):.15g}{unit_of(field)}{many}")
        return sum(amounts), len(amounts)

    def assume(self, name: str, value: str, why: str) -> None:
        """Note a term that the crash does not state."""
        self._terms[name] = Term(name=name, value=value, source=f"assumed: {why}")

    def cite(self, name: str, value: str, source: str) -> None:
        """Note a term that a table or document states."""
        self._terms[name] = Term(name=name, value=value, source=source)

    def lack(self, field: str) -> None:
        """Note what the crash would have to state."""
        if field not in self._missing:
            self._missing.append(field)

    @property
    def lacks(self) -> bool:
        """Tell whether something needed is not stated."""
        return bool(self._missing)

    def done(self, result: str, value: str | None = None) -> Figure:
        """Return the figure."""
        calculation = Calculation(
            name=self._name,
            formula=self._formula,
            result=result,
            terms=tuple(self._terms.values()),
        )
        return Figure(value=value, calculation=calculation)

    def unknown(self) -> Figure:
        """Return that it is not known, and what is missing."""
        *first, last = [f if not f.startswith("fact.") else _words(f) for f in self._missing]
        named = f"{', '.join(first)} and {last}" if first else last
        return self.done(f"not known: the crash does not state {named}")

    def _note(self, field: str, value: str, name: str | None = None) -> None:
        term = Term(
            name=name or _words(field), value=value, source=field, at=self._values.place(field)
        )
        self._terms.setdefault(field, term)


def as_amount(value: object) -> float | None:
    """Return a value as a number that a machine can have; None where it is none."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if 0 <= number <= _MOST else None


def unit_of(field: str) -> str:
    """Return the unit that a field's numbers have, with a space before it."""
    return " MiB" if field.endswith("-mib") else _UNITS.get(field, "")


def mib(value: float) -> str:
    """Return a size in words."""
    return f"{value:,.0f} MiB"


def _words(field: str) -> str:
    thing, _, name = field.partition(".")
    name = name.replace("_", " ")
    return (
        name.removeprefix("oom-").removesuffix("-mib").replace("-", " ")
        if thing == "fact"
        else name
    )
