"""Which failures are of one request alone: the server answered another one afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from triage.knowledge import refusals
from triage.model.crash import Fragment
from triage.text.glob import glob_match, longest_literal
from triage.text.late import late
from triage.text.line import Line

_ANSWERED = late(
    r"[^\n]{0,300}?(?:\bPOST [^\n\"]{1,300}? HTTP/[\d.]{1,3}\"? 2\d\d\b"
    r"|done request: POST \S{1,200} \S{1,100} 2\d\d\b|\| 2\d\d \|[^\n]{0,200}\| POST )"
)


def answered_until(lines: Sequence[Line]) -> int:
    """Return the number of the last line that tells of an answered request; 0 without one."""
    return max(
        (line.number for line in lines if "POST" in line.text and _ANSWERED.match(line.text)),
        default=0,
    )


def is_refusal(text: str) -> bool:
    """Tell whether a message is about a request that was refused."""
    lower = text.casefold()
    return any(literal in lower and glob_match(glob, text) for literal, glob in _refusals())


def was_survived(fragment: Fragment, answered: int) -> bool:
    """Tell whether all that a fragment reports are requests refused before one was answered."""
    if not answered or not fragment.errors or fragment.signal:
        return False
    return all(
        error.at is not None and (error.at.line or 0) < answered and is_refusal(error.message or "")
        for error in fragment.errors
    )


@cache
def _refusals() -> tuple[tuple[str, str], ...]:
    return tuple((longest_literal(glob), f"*{glob.strip('*')}*") for glob in refusals())
