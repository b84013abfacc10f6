"""Function and file names in the forms that people write rules about."""

from __future__ import annotations

import re
from functools import lru_cache

_CLONE = re.compile(r"\s*\[clone [^\]]{1,200}\]|\.(?:cold|part|constprop|isra|lto_priv|llvm)\.?\d*")
_VERSION = re.compile(r"@@?[A-Z][\w.]{1,40}$")
_OPERATOR = re.compile(r"\boperator\s*(?:\(\)|\[\]|[-+*/%^&|~!=<>,]{1,3}|new|delete|\w+)")


_SPACE_BEFORE_SIGN = re.compile(r" +(?=\W)")


@lru_cache(maxsize=4096)
def plain_name(function: str) -> str:
    """Return a function's qualified name without templates, arguments, clones or return type.

    `void llm::engine::remap<long>(int) [clone .cold]` becomes `llm::engine::remap`.
    """
    text = _CLONE.sub("", _VERSION.sub("", function.strip()))
    text = text.replace("(anonymous namespace)", "{anonymous}")
    tail = ""
    match = _OPERATOR.search(text)
    if match:
        tail, text = _SPACE_BEFORE_SIGN.sub("", match.group()), text[: match.start()]
    text = _without_groups(text)
    # A return type stands before the name, parted by a space that is outside all brackets.
    return (text.rsplit(" ", 1)[-1] + tail).removeprefix("*").removeprefix("&")


def base_name(function: str) -> str:
    """Return the last part of a function's qualified name."""
    return plain_name(function).rsplit("::", 1)[-1]


def _without_groups(text: str) -> str:
    kept, depth = [], 0
    for n, char in enumerate(text):
        if char in "<(":
            depth += 1
        elif char in ">)":
            if char == ">" and n and text[n - 1] == "-":
                continue
            depth = max(0, depth - 1)
        elif depth == 0:
            kept.append(char)
    return "".join(kept).replace(" const", "").strip()


def file_name(path: str) -> str:
    """Return the last part of a path with either kind of separator."""
    return re.split(r"[\\/]", path)[-1]
