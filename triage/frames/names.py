"""Function and file names in the forms that people write rules about."""

from __future__ import annotations

import re
from functools import lru_cache

_CLONE = re.compile(
    r"\s*\[clone [^\]]{1,200}\]|\.(?:cold|part|constprop|isra|lto_priv|llvm)\.?\d*|\[abi:\w{1,40}\]"
)
_NAMELESS = re.compile(r"\((anonymous) (?:namespace|class)\)|<(lambda)(?=\()")
_SPACE = "\0"  # one that belongs to a name
_END = re.compile(r"(?:@@?[A-Z][\w.]{1,40}|::h[0-9a-f]{16})$")  # a symbol's version, Rust's hash
_OPERATOR = re.compile(
    r"(?<!\w)operator(?!\w)\s*(?:\(\)|\[\]|[-+*/%^&|~!=<>,]{1,3}|new|delete|\w+)"
)
_SPACE_BEFORE_SIGN = re.compile(r" +(?=\W)")


@lru_cache(maxsize=4096)
def plain_name(function: str) -> str:
    """Return a function's qualified name without templates, arguments, clones or return type.

    `void llm::engine::remap<long>(int) [clone .cold]` becomes `llm::engine::remap`.
    """
    text = _CLONE.sub("", _END.sub("", function.strip()))
    text = _outline(_NAMELESS.sub(_named, text))
    # A return type stands before the name, parted by a space that is outside all brackets.
    name = text.replace(" const", "").strip().rsplit(" ", 1)[-1]
    return name.replace(_SPACE, " ").removeprefix("*").removeprefix("&")


def _named(match: re.Match[str]) -> str:
    return "{anonymous}" if match[1] else "{lambda}<"


def base_name(function: str) -> str:
    """Return the last part of a function's qualified name."""
    return plain_name(function).rsplit("::", 1)[-1]


def _outline(text: str) -> str:
    """Return what stands outside all brackets; of what follows an operator, the names alone."""
    kept: list[str] = []
    depth, at, behind_operator = 0, 0, False
    while at < len(text):
        char = text[at]
        if char == "o" and depth == 0 and (match := _OPERATOR.match(text, at)):
            kept.append(_SPACE_BEFORE_SIGN.sub("", match.group()).replace(" ", _SPACE))
            at, behind_operator = match.end(), True
            continue
        if char in "<(":
            depth += 1
        elif char in ">)":
            if char == ")" or text[at - 1 : at] != "-":
                depth = max(0, depth - 1)
        elif depth == 0:
            behind_operator = behind_operator and not text.startswith("::", at)
            if not behind_operator:
                kept.append(char)
        at += 1
    return "".join(kept)


def file_name(path: str) -> str:
    """Return the last part of a path with either kind of separator."""
    return re.split(r"[\\/]", path)[-1]
