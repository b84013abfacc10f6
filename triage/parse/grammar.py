"""Loads Lark grammars from `grammars/` and keeps them compiled in the user's cache folder.

The parser is LALR with the contextual lexer. Terminals may hold named groups: a token is taken
apart by the very pattern that its grammar gives, so nothing about a line is written down twice. In
a pattern `{{NAME}}` stands for a word of the vocabulary in `grammars/common/words.lark` that the
grammar imports by name; Lark itself could not put one inside of a named group.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path
from typing import Any

import lark
from lark import Lark, Token, Tree

from triage.errors import GrammarError
from triage.parse.cache import load_cached, store_cached
from triage.resources import data_dir
from triage.text.late import late

_OPTIONS: dict[str, Any] = {
    "parser": "lalr",
    "lexer": "contextual",
    "maybe_placeholders": False,
    "propagate_positions": False,
    "keep_all_tokens": False,
}
_IMPORT = re.compile(r"^%import \.common\.words \((?P<names>[A-Z_, ]{1,1000})\)$", re.MULTILINE)
_WORD = re.compile(r"\{\{(?P<name>[A-Z_]{1,40})\}\}")
_DEFINITION = re.compile(r"^(?P<name>[A-Z_]{1,40}): /(?P<pattern>.*)/$", re.MULTILINE)
_FORM = 1  # raise when the compiled form changes for a reason that the key does not hold


class Grammar:
    """One compiled grammar."""

    def __init__(self, name: str, parser: Lark) -> None:
        self.name = name
        self._parser = parser
        self._patterns = {t.name: late(t.pattern.to_regexp()) for t in parser.terminals}

    def parse(self, text: str) -> Tree[Token]:
        """Return the tree of a text.

        Raises lark.UnexpectedInput where the text is not in the language; the grammars here take
        every text, so that this is a bug in one of them.
        """
        return self._parser.parse(text)

    def fields(self, token: Token) -> dict[str, str]:
        """Return the named groups of a token's pattern that took part in the match."""
        match = self._patterns[token.type].match(token)
        found = match.groupdict() if match else {}
        return {name: value for name, value in found.items() if value is not None}


@cache
def load_grammar(name: str) -> Grammar:
    """Return a grammar of the folder `grammars`, compiled now or taken from the cache.

    Raises GrammarError where it does not exist or does not build.
    """
    folder = data_dir("grammars")
    path = folder / f"{name}.lark"
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise GrammarError(f"{path}: no such grammar") from error
    key = _key(folder, text)
    parser = load_cached(f"grammar-{name}-{key}", Lark.load)
    if parser is None:
        parser = _build(path, text, folder)
        store_cached(f"grammar-{name}-{key}", parser.save)
    return Grammar(name, parser)


def _build(path: Path, text: str, folder: Path) -> Lark:
    try:
        text = _with_words(text, folder)
        return Lark(text, import_paths=[str(folder)], source_path=str(path), **_OPTIONS)
    except (lark.exceptions.LarkError, GrammarError) as error:
        raise GrammarError(f"{path}: {error}") from error


def _with_words(text: str, folder: Path) -> str:
    """Return a grammar with the words of the vocabulary put in."""
    imported = {name.strip() for m in _IMPORT.finditer(text) for name in m["names"].split(",")}
    used = {match["name"] for match in _WORD.finditer(text)}
    if imported != used:
        names = ", ".join(sorted(imported ^ used))
        raise GrammarError(
            f"words that are imported and not used, or used and not imported: {names}"
        )
    if not used:
        return text
    vocabulary = (folder / "common" / "words.lark").read_text(encoding="utf-8")
    words = {match["name"]: match["pattern"] for match in _DEFINITION.finditer(vocabulary)}
    if unknown := used - words.keys():
        raise GrammarError(f"no such words: {', '.join(sorted(unknown))}")
    return _WORD.sub(lambda match: words[match["name"]], _IMPORT.sub("", text))


def _key(folder: Path, text: str) -> str:
    digest = hashlib.sha256(f"{_FORM} {lark.__version__} {sorted(_OPTIONS.items())}".encode())
    digest.update(text.encode())
    for shared in sorted((folder / "common").glob("*.lark")):
        digest.update(shared.read_bytes())
    return digest.hexdigest()[:24]
