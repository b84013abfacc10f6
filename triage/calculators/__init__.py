"""Figures that a remedy shows, worked out from the crash's own numbers.

Each public module is a calculator: `layers_that_fit` is `layers-that-fit`. It is imported when a
remedy asks for it.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from triage.calculators._sheet import Calculator, Figure, Values

__all__ = ["Figure", "Values", "calculate", "calculator", "calculator_names"]


@cache
def calculator_names() -> tuple[str, ...]:
    """Return the names that a remedy can use, in order."""
    modules = (info.name for info in pkgutil.iter_modules(__path__))
    return tuple(sorted(m.replace("_", "-") for m in modules if not m.startswith("_")))


def calculate(name: str, values: Values) -> Figure:
    """Return what a calculator makes of a crash."""
    return calculator(name)(values)


def calculator(name: str) -> Calculator:
    """Return a calculator by its name."""
    module = importlib.import_module(f"{__name__}.{name.replace('-', '_')}")
    found: Calculator = module.CALCULATOR
    return found
