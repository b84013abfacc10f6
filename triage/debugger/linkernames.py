"""Turns the linker's names of functions into those of the source, after all else was read.

A symbol of 300 characters can stand for gigabytes, and gdb would demangle every symbol of every
file that it reads. So it reads them as they are, and demangles the few that are in a stack when
there is nothing left to lose.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from triage.debugger.limits import Outcome
from triage.debugger.mi import MiSession
from triage.frames.demangle import MAX_LENGTH, demangle

PATIENCE: Final = 1.0
"""Seconds for all names of a core dump."""

_SYMBOL: Final = re.compile(r"\b_(?:_?Z|R)[A-Za-z0-9_.$]{1,4096}")
_MAX_NAME: Final = 16 << 10
_QUALIFIERS: Final = (" const", " volatile", " noexcept", " &", " &&")
_OF_SCOPE: Final = re.compile(r"(?: (?:const|volatile|&&?))+(?=::)")
_OPERATOR: Final = re.compile(r"(?<![\w$])operator(?![\w$])")
_DEPTH: Final = {"<": 1, "(": 1, "[": 1, "{": 1, ">": -1, ")": -1, "]": -1, "}": -1}


class SourceNames:
    """The names of the source by those of the linker.

    `complete` is false where gdb did not finish in time; names are then without their arguments.
    """

    def __init__(self) -> None:
        self.complete = True
        self._names: dict[str, str] = {}

    def ask(self, session: MiSession, texts: Iterable[str]) -> None:
        """Let gdb demangle the symbols in some texts."""
        found = {symbol for text in texts for symbol in _SYMBOL.findall(text)}
        # The short ones first: what takes for ever is long.
        symbols = sorted((s for s in found if len(s) <= MAX_LENGTH), key=lambda s: (len(s), s))
        if not symbols:
            return
        ended = session.outcome is not Outcome.OK
        commands = ["-gdb-set demangle-style auto"]
        commands += [f'-interpreter-exec console "demangle -l c++ -- {s}"' for s in symbols]
        replies = session.send_all(commands, within=PATIENCE)[1:]
        self.complete = ended or all(reply.message is not None for reply in replies)
        for symbol, reply in zip(symbols, replies, strict=True):
            name = "".join(reply.console) if reply.message == "done" else ""
            name = name if 0 < len(name) <= _MAX_NAME else demangle(symbol) or symbol
            self._names[symbol] = name

    def of_function(self, symbol: str, *, from_debug_info: bool) -> str:
        """Return a function's name as gdb prints it in a stack.

        Debug information tells the arguments apart from the name, a symbol has them in it.
        """
        name = self._names.get(symbol)
        if name is None:
            return symbol
        return without_signature(name) if from_debug_info else name

    def in_text(self, text: str) -> str:
        """Return a text with the symbols in it replaced."""
        return _SYMBOL.sub(lambda match: self._names.get(match[0], match[0]), text)


def without_signature(name: str) -> str:
    """Return a demangled function's name without its parameters and its return type."""
    while name.endswith(_QUALIFIERS):
        name = name.rpartition(" ")[0]
    if not name.endswith(")"):
        return name
    depth, at = 0, len(name)
    for at in range(len(name) - 1, -1, -1):
        depth += (name[at] == ")") - (name[at] == "(")
        if depth == 0:
            break
    name = name[:at] or name
    return name[_start_of_name(name) :]


def _start_of_name(text: str) -> int:
    """Return where a name begins behind its return type: after a space outside all brackets."""
    hidden = _OF_SCOPE.sub(lambda match: "_" * len(match[0]), text)
    depth, start = 0, 0
    for at, sign in enumerate(hidden):
        if depth == 0 and sign == "o" and _OPERATOR.match(hidden, at):
            break
        if sign == ">" and hidden[at - 1] == "-":
            continue
        depth += _DEPTH.get(sign, 0)
        if sign == " " and depth == 0:
            start = at + 1
    return start
