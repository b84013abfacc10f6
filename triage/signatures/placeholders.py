"""Puts values of the crash into the texts of a remedy, where a shell takes them as plain words."""

from __future__ import annotations

import re
from collections.abc import Callable

from triage.calculators import calculator_names
from triage.signatures.fields import find_field

PLACEHOLDER = re.compile(r"\$\{(?P<name>[a-z][A-Za-z0-9_.-]{0,63}):-(?P<default>[^}\n]{0,200})\}")
_SAFE = re.compile(r"[A-Za-z0-9_./@%+=:,][A-Za-z0-9_./@%+=:,-]{0,254}")


def fill(text: str, lookup: Callable[[str], str | None]) -> str:
    """Return the text with each placeholder replaced by its value, or by its default.

    Only names of fields and calculators are placeholders: `${HOME:-/root}` stays for the shell.
    """

    def value(match: re.Match[str]) -> str:
        name = match["name"]
        if not is_known(name):
            return match.group()
        found = lookup(name)
        return found if found is not None and is_safe(found) else match["default"]

    return PLACEHOLDER.sub(value, text)


def is_known(name: str) -> bool:
    """Tell whether a placeholder's name is a calculator's or a field's."""
    return name in calculator_names() or find_field(name) is not None


def is_safe(value: str) -> bool:
    """Tell whether a value is one plain word or path that no program takes for an option."""
    return _SAFE.fullmatch(value) is not None
