"""How a folder of modules becomes a checked table."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType
from typing import TypeVar

T = TypeVar("T")


def collect(package: ModuleType, constant: str, kind: type[T]) -> dict[str, T]:
    """Import every public module of a package and return its constant by module name.

    Raises TypeError, naming the module, where the constant is missing or of another type: that is
    a bug in the module, not in anybody's input.
    """
    table: dict[str, T] = {}
    for info in pkgutil.iter_modules(package.__path__):
        if info.name.startswith("_"):
            continue
        name = f"{package.__name__}.{info.name}"
        value = getattr(importlib.import_module(name), constant, None)
        if not isinstance(value, kind):
            raise TypeError(f"{name} must define {constant} as a {kind.__name__}")
        table[info.name] = value
    return table
