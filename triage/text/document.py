"""Tells texts that are written from texts that programs print, by what most of their lines are.

A source file, an alert rule, a manual, a table of error codes and a list of commits hold the words
of any number of crashes, and nothing failed. What decides is the whole text: one line of code can
stand in a stack trace, and a report of a crash can have headings. Where stack frames stand in it,
it is a report.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from triage.text.late import late

_LOOKED_AT = 600
_ENOUGH = 4
_CODE_SHARE, _CONFIG_SHARE, _STATEMENT_SHARE = 0.75, 0.9, 0.3
_TABLE_ROWS, _TABLE_GAP = 6, 2

_FRAME = late(
    r"[ \t]{0,20}(?:#\d{1,5} {1,4}(?:0x|\S{1,400} ?\()|File \"[^\"\n]{1,1000}\", line \d"
    r"|at \S{1,400}[ (]|\[<?0x[0-9a-f]{4,16}|\d{1,3}: {1,9}(?:0x|\S{1,400}::)|Traceback \()"
    r"|Thread \d{1,6} |==\d{1,9}==|[\w./+-]{1,400}(?:\([\w+-]{0,400}\))? ?\[0x"
)
_STATEMENT = late(
    r"[ \t]{0,200}(?:#include\b|#pragma\b|(?:from [\w.]{1,200} )?import [\w{*]|def \w{1,200}\("
    r"|class \w{1,200}[(:{ ]|(?:return|raise|throw|assert|except|case|await|yield)\b(?! code)"
    r"|(?:try|finally|else):$|(?:if|elif|for|while|with|switch)\b[^\n]{1,1000}[:{]$"
    r"|(?:static|const|constexpr|struct|typedef|enum|union|template|namespace|using|extern|public"
    r"|private|function|let|var|fn|func|impl|pub) ?[\w<{]"
    r"|(?:void|int|char|bool|float|double|auto|size_t) [\w*]"
    r"|[\w.]{1,100} ?= ?[^\n]{1,1000};$|[\w.:>-]{1,100}\([^\n]{0,1000}\);$"
    r"|(?:INSERT INTO|SELECT|CREATE TABLE|UPDATE|DELETE FROM) )"
)
_CODE = late(
    r"[ \t]{0,200}(?://|/\*|\*/|\* |# |--[ ]|[{}()\]][{}()\[\],; ]{0,10}$"
    r"|[\w.]{1,100}\([^\n]{0,1000}\)$"
    r"|\{[^\n]{1,1000}\},?$|[\w.\[\]\"']{1,100} ?[:+|-]?= ?\S)|[^\n]{0,2000}[;{]$"
)
_KEY = late(
    r"[ ]{0,80}(?:- ){0,3}[A-Za-z_][\w.-]{0,80}:(?: [^\n]{0,2000})?$|[ ]{2,80}[^\n:]{1,2000}$"
)
_LIST_KEY = late(r"[ ]{0,80}- [A-Za-z_][\w.-]{0,80}:(?: |$)")
_DEEPER_KEY = late(r"[ ]{2,80}[A-Za-z_][\w.-]{0,80}:(?: |$)")
_STATUS = late(r"[ ]{0,80}(?:- )?(?:status|state|lastState|reason|exitCode|phase):")
_HEADING = late(r"#{1,6} \S")
_TO_THE_READER = late(
    r"[^\n]{0,400}\b"
    r"(?:[Ii]f (?:you|it|this) (?:see|get|hit|run into|encounter|says?|happens|prints?)"
    r"|[Yy]ou (?:may|might|can|will|should|could) |means that|#{1,6} (?:Troubleshooting|FAQ))"
    r"|#{1,6} (?:Troubleshooting|FAQ|Common |Known )"
)
_BY_A_WITNESS = late(r"[^\n]{0,400}\b(?:I|I'm|I've|[Mm]y|[Ww]e|[Oo]ur|me)\b")
_COMMIT = late(r"(?:\* )?commit [0-9a-f]{7,40}\b")
_OF_COMMIT = late(
    r"(?:Author|AuthorDate|Commit|CommitDate|Date|Merge|Reviewed-by): | {4}|[ \t]{0,4}$"
)
_NAMED = (
    *("cudaError", "CUDA_ERROR_", "hipError", "_STATUS_", "nccl", "NVRTC_ERROR_", "NVML_ERROR_"),
    *("VK_ERROR_", "CL_"),
)
"""What every name has in it that `_NAME` finds: most lines have none, and cost little then."""

_NAME = late(
    r"[^\n]{0,400}?\b(cudaError[A-Z]\w{2,80}|CUDA_ERROR_[A-Z_]{2,80}|hipError[A-Z]\w{2,80}"
    r"|(?:CUBLAS|CUDNN|CUFFT|CUSOLVER|CUSPARSE|HIPBLAS)_STATUS_[A-Z_]{2,80}|nccl[A-Z]\w{4,40}Error"
    r"|NVRTC_ERROR_[A-Z_]{2,80}|NVML_ERROR_[A-Z_]{2,80}|VK_ERROR_[A-Z_]{2,80}|CL_[A-Z]{3}[A-Z_]{2,80}"
    r")\b"
)


def written_rows(lines: Sequence[str]) -> frozenset[int]:
    """Return the rows of a text that a person wrote or a program is made of."""
    if is_written_text(lines):
        return frozenset(range(len(lines)))
    return frozenset((*_commits(lines), *_tables(lines)))


def is_written_text(lines: Sequence[str]) -> bool:
    """Tell whether a whole text is source code, a configuration or a manual."""
    some = [line for line in lines[:_LOOKED_AT] if line.strip()]
    if len(some) < _ENOUGH or any(map(_FRAME.match, some)):
        return False
    return _is_code(some) or _is_config(some) or _is_manual(some)


def _is_code(lines: Sequence[str]) -> bool:
    statements = sum(_STATEMENT.match(line) is not None for line in lines)
    code = sum(
        _STATEMENT.match(line) is not None or _CODE.match(line) is not None for line in lines
    )
    return statements >= len(lines) * _STATEMENT_SHARE and code >= len(lines) * _CODE_SHARE


def _is_config(lines: Sequence[str]) -> bool:
    """Tell whether a text is YAML that sets something; what states a status is printed."""
    if not any(map(_LIST_KEY.match, lines)) or not any(map(_DEEPER_KEY.match, lines)):
        return False
    if any(map(_STATUS.match, lines)):
        return False
    return sum(_KEY.match(line) is not None for line in lines) >= len(lines) * _CONFIG_SHARE


def _is_manual(lines: Sequence[str]) -> bool:
    """Tell whether a text in Markdown tells its reader what to do, and nobody what happened."""
    prose = list(_prose(lines))
    return (
        bool(_HEADING.match(lines[0]))
        and any(map(_TO_THE_READER.match, prose))
        and not any(map(_BY_A_WITNESS.match, prose))
    )


def _prose(lines: Iterable[str]) -> Iterator[str]:
    """Yield the lines of Markdown that are no code."""
    fenced = False
    for line in lines:
        if line.lstrip().startswith(("```", "~~~")):
            fenced = not fenced
        elif not fenced and not line.startswith(("    ", "\t")):
            yield line


def _commits(lines: Sequence[str]) -> Iterator[int]:
    """Yield the rows of commit messages."""
    inside = False
    for row, line in enumerate(lines):
        if line[:9].lstrip("* ").startswith("commit ") or inside:
            inside = bool(_COMMIT.match(line) or (inside and _OF_COMMIT.match(line)))
        if inside:
            yield row


def _tables(lines: Sequence[str]) -> Iterator[int]:
    """Yield the rows that list one error after another, each another one of the same library."""
    run: list[tuple[int, str]] = []
    for row, line in enumerate(lines):
        found = _NAME.match(line) if any(part in line for part in _NAMED) else None
        if not found:
            continue
        if run and row - run[-1][0] > _TABLE_GAP + 1:
            yield from _table(run)
            run = []
        run.append((row, found[1]))
    yield from _table(run)


def _table(run: Sequence[tuple[int, str]]) -> Iterator[int]:
    names = {name for _, name in run}
    if len(names) >= _TABLE_ROWS and len(names) * 2 > len(run):
        yield from range(run[0][0], run[-1][0] + 1)
