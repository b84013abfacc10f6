"""Reads an engine's settings from its command line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

_NUMBER: Final = re.compile(r"-\d")
_SET: Final = "true"


def parse_options(arguments: Sequence[str]) -> dict[str, str]:
    """Return options by name: long ones without their dashes, short ones as they were given.

    An option without a value is "true"; of one that is repeated the last counts. Whether a word
    behind an option is its value cannot be known without the program, so it is taken for one.
    """
    options: dict[str, str] = {}
    words = list(arguments[1:])
    for place, word in enumerate(words):
        if word == "--":
            break
        if not _is_option(word):
            continue
        name, equals, value = word.partition("=")
        name = name[2:] if name.startswith("--") else name
        following = words[place + 1] if place + 1 < len(words) else None
        if not equals:
            value = following if following is not None and not _is_option(following) else _SET
        if name:
            options[name] = value
    return options


def _is_option(word: str) -> bool:
    return len(word) > 1 and word.startswith("-") and not _NUMBER.match(word)
