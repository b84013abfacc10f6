"""Tells what a program printed from words that quote it."""

from __future__ import annotations

import re

_MAX_LINE = 4_000
_WORDS_BEFORE = re.compile(r"[A-Za-z][A-Za-z ,.'\u2019()-]* ")
_WORDS_BEHIND = re.compile(r"(?:,? [A-Za-z'\u2019-]{1,40}){2}")
_SENTENCE_BEHIND = re.compile(r"(?:,? [A-Za-z'\u2019-]{1,40}){4}")
_WORD = re.compile(r"[A-Za-z]{2}")
_LEAST_WORDS = 3
_LISTED = re.compile(r"(?:[-*+>] |#{1,6} |//|#define )")
_FAILURE = re.compile(
    r"\W{0,4}(?:\[?rank ?\d{1,5}\]?:? ?)?(?:"
    r"(?:\w{1,60}\.){0,6}[A-Z]\w{0,60}(?:Error|Exception|Fault)\b[^:\n]{0,40}: "
    r"|(?:Runtime |Fatal |fatal |internal )?[Ee]rror: |ERROR: |FATAL: |fatal: |panic: |runtime: "
    r"|Triton Error |dyld\[|[\w.]{1,60}\(\d{1,10},0x[0-9a-f]{1,16}\) malloc: "
    r"|[\w./+-]{1,200}: (?:fatal )?error(?::| while| loading) "
    r"|(?:[\w.]{1,60}: )?error loading model: "
    r"|(?:llama|ggml|whisper|clip|gguf)_\w{1,60}: (?:error|failed|invalid|V cache) )"
)
_SPAN = re.compile(r"`[^`\n ]{1,200} [^`\n]{1,400}`")


def is_mention(line: str, said: str) -> bool:
    """Tell whether a line quotes some words rather than saying them.

    That is so where they stand in a code span with other words around it, as in Markdown, or in
    quotation marks in the middle of a sentence. What is quoted behind a colon or an equals sign,
    as in logs, is said.
    """
    line = line[:_MAX_LINE]
    at = line.find(said[:40]) if said else -1
    return at >= 0 and (_in_code_span(line, at) or _in_quotes(line, at))


def quotes_first(line: str) -> bool:
    """Tell whether a line is a sentence that begins with a quotation."""
    if not line.startswith('"'):
        return False
    end = line.find('"', 1, _MAX_LINE)
    return end > 0 and _SENTENCE_BEHIND.match(line, end + 1) is not None


def _in_code_span(line: str, at: int) -> bool:
    begin = line.rfind("`", 0, at)
    if begin < 0 or line.count("`", 0, at) % 2 == 0:
        return False
    end = line.find("`", at)
    return end > 0 and _WORD.search(line[:begin] + line[end + 1 :]) is not None


def _in_quotes(line: str, at: int) -> bool:
    begin = line.rfind('"', 0, at)
    if begin < 0 or line.count('"', 0, at) % 2 == 0:
        return False
    end = line.find('"', at)
    before = line[:begin]
    return (
        end > 0
        and len(before.split()) >= _LEAST_WORDS
        and _WORDS_BEFORE.fullmatch(before) is not None
        and _WORDS_BEHIND.match(line, end + 1) is not None
    )


def states_failure(line: str) -> bool:
    """Tell whether a line begins as programs begin to say what failed."""
    return _FAILURE.match(line[:_MAX_LINE]) is not None and not is_written(line)


def is_written(line: str) -> bool:
    """Tell whether a line is source code, Markdown or part of a patch, which no failure prints."""
    line = line[:_MAX_LINE].strip()
    if not line:
        return False
    if line[-1] in ";{}\\" and '"' in line and ("(" in line or "=" in line):
        return True
    if _LISTED.match(line) or (line[0] == "|" and line[-1] == "|"):
        return True
    return _SPAN.search(line) is not None and line.count("`") % 2 == 0
