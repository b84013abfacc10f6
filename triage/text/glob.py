"""Globs with `*` alone, matched without regard to case and in linear time."""

from __future__ import annotations

from functools import lru_cache


@lru_cache(maxsize=8192)
def _parts(pattern: str) -> tuple[str, ...]:
    return tuple(pattern.casefold().split("*"))


def glob_match(pattern: str, text: str) -> bool:
    """Tell whether the whole text fits a pattern in which `*` stands for any run of characters."""
    first, *rest = _parts(pattern)
    text = text.casefold()
    if not rest:
        return text == first
    last = rest.pop()
    if len(text) < len(first) + len(last):
        return False
    if not (text.startswith(first) and text.endswith(last)):
        return False
    at, end = len(first), len(text) - len(last)
    for part in rest:
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


def literal_words(pattern: str) -> frozenset[str]:
    """Return the words that every text matching the pattern contains as whole words.

    A word that touches a `*` may be part of a longer one in the text and is left out.
    """
    words: set[str] = set()
    parts = _parts(pattern)
    for n, part in enumerate(parts):
        found = split_words(part)
        if n > 0 and found and part[:1] and _is_word_char(part[0]):
            found = found[1:]
        if n < len(parts) - 1 and found and _is_word_char(part[-1]):
            found = found[:-1]
        words.update(found)
    return frozenset(words)


def literal_ends(pattern: str) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """Return what words of every text that fits begin with, end with, and have somewhere in them.

    Each touches a `*` on its other side, or on both, where the word may go on.
    """
    begins: set[str] = set()
    ends: set[str] = set()
    inner: set[str] = set()
    parts = _parts(pattern)
    for n, part in enumerate(parts):
        found = split_words(part)
        if not found:
            continue
        open_left = n > 0 and _is_word_char(part[0])
        open_right = n < len(parts) - 1 and _is_word_char(part[-1])
        if len(found) == 1 and open_left and open_right:
            inner.add(found[0])
            continue
        if open_right:
            begins.add(found[-1])
        if open_left:
            ends.add(found[0])
    return frozenset(begins), frozenset(ends), frozenset(inner)


def longest_literal(pattern: str) -> str:
    """Return the longest run of characters that every matching text contains, in lower case."""
    return max(_parts(pattern), key=len)


def _is_word_char(char: str) -> bool:
    return char.isalnum() or char == "_"


def split_words(text: str) -> list[str]:
    """Return the words of a text in lower case: runs of letters, digits and underscores."""
    text = text.casefold()  # first: it can change where a word ends
    words, start = [], -1
    for n, char in enumerate(text):
        if _is_word_char(char):
            if start < 0:
                start = n
        elif start >= 0:
            words.append(text[start:n])
            start = -1
    if start >= 0:
        words.append(text[start:])
    return words
