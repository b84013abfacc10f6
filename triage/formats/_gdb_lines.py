"""What stands around gdb's own words: prompts, the pager, quotes, gdb's machine interface."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from triage.formats._base import Region
from triage.text.decode import MAX_LINE
from triage.text.late import late
from triage.text.line import Line

_PROMPT = late(
    r"[ \t]{0,8}(?:\((?:cuda-|roc|ROCm-|rr|rust-)?-?gdb\)|\(rr\)|pwndbg>|gef➤|gdb-peda\$)[ \t]{1,4}"
    r"(?=#\d|Thread \d|Program |0x[0-9a-fA-F]+ in |\[|~\")"
)
_PROMPTS = ("gdb) ", "(rr) ", "pwndbg> ", "gef➤ ", "gdb-peda$ ")
_PAGER = late(
    r"-{2,3}Type <(?:RET|return)> (?:for more, q to quit, c to continue without paging"
    r"|to continue, or q <return> to quit)-{2,3}"
)
_CONSOLE = late(r'~"((?:[^"\\]|\\.){0,8192})"?')
_ESCAPE = late(r"\\(.)")
_ESCAPES = {"n": "\n", "t": "\t", "r": "", "e": ""}
_PLAIN = late(r"^[ \t]{0,8}#\d{1,7}[ \t]", re.MULTILINE)
_LED = late(
    r"^(?![^\n#]{0,64}coredump: |\[Switching )([^\n#]{1,64})"
    r"#\d{1,7}[ \t]{1,4}0x[0-9a-fA-F]{4,16}[ \t]",
    re.MULTILINE,
)


def tidy(region: Region, text: str) -> tuple[Region, list[int]]:
    """Return the region as gdb alone would have written it, and the numbers of the pager's lines.

    Lines keep their numbers; a line of the pager alone is left out, so that what it cut in two
    stands together again.
    """
    pager: list[int] = []
    lines: Iterable[Line] = region.lines
    if any(prompt in text for prompt in _PROMPTS):
        lines = map(_without_prompt, lines)
    if '~"' in text:
        lines = _decoded(lines)
    if "Type <" in text:
        lines = _without_pager(lines, pager)
    if not _PLAIN.search(text) and (led := _LED.search(text)):
        lead = _lead(led[1])
        lines = (_stripped(line, lead) for line in lines)
    if lines is region.lines:
        return region, pager
    return Region(tuple(lines), region.input, region.member), pager


def _with(line: Line, text: str) -> Line:
    return Line(line.number, text, line.prefix)


def _without_prompt(line: Line) -> Line:
    text = line.text
    for _ in range(8):  # an empty line repeats the last command, and no line end is printed
        match = _PROMPT.match(text)
        if match is None:
            break
        text = text[match.end() :]
    return line if text is line.text else _with(line, text)


def _without_pager(lines: Iterable[Line], pager: list[int]) -> Iterator[Line]:
    for line in lines:
        match = _PAGER.search(line.text)
        if match is None:
            yield line
            continue
        pager.append(line.number)
        before, after = line.text[: match.start()], line.text[match.end() :]
        if after[:1] in ("c", "q") and (len(after) == 1 or after[1:2] in ("#", " ")):
            after = after[1:]  # what was typed
        if before.strip() or after.strip():
            yield _with(line, before + after)


def _decoded(lines: Iterable[Line]) -> Iterator[Line]:
    """Yield what the machine interface was to show, which comes in pieces of lines."""
    begun = ""
    for line in lines:
        match = _CONSOLE.match(line.text)
        if match is None:
            yield _with(line, begun + line.text) if begun else line
            begun = ""
            continue
        text = begun + _ESCAPE.sub(lambda m: _ESCAPES.get(m[1], m[1]), match[1])
        *whole, begun = text[: 2 * MAX_LINE].split("\n")
        for part in whole:
            yield _with(line, part)


def _lead(text: str) -> re.Pattern[str]:
    """Return an expression for what stands before every line, its numbers and gaps left open."""
    pattern = ""
    for part in re.split(r"(\d+|[ \t]+)", text.rstrip()):
        if part[:1].isdigit():
            pattern += r"\d{1,9}"
        else:
            pattern += r"[ \t]{1,64}" if part.isspace() else re.escape(part)
    gap = len(text) - len(text.rstrip())
    return re.compile(rf"{pattern}[ \t]{{0,{gap}}}")


def _stripped(line: Line, lead: re.Pattern[str]) -> Line:
    match = lead.match(line.text)
    return _with(line, line.text[match.end() :]) if match else line
