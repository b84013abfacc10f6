"""The columns that collectors put in front of log lines.

Each pattern takes one kind of prefix off the front of a line; they are tried again and again, so
that `engine-1  | 2026-01-02T03:04:05Z [ERROR] …` loses both. Only columns that are surely not part
of a message are taken: a line that merely looks odd stays whole.
"""

from __future__ import annotations

import re

from triage.text.line import NO_PREFIX, Line, Prefix

_ISO_TIME = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?"
_MONTHS = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"

_KUBERNETES = rf"(?P<time>{_ISO_TIME}) (?:stdout|stderr) [FP] "
_COMPOSE = r"(?P<process>[A-Za-z0-9][\w.-]{0,63}) {1,16}\| "
_SYSLOG = (
    rf"(?P<time>{_MONTHS} [ \d]\d \d\d:\d\d:\d\d(?:\.\d{{1,6}})?) (?P<host>[\w.:-]{{1,253}}) "
    r"(?P<process>[\w./@+-]{1,64})(?:\[(?P<pid>\d{1,10})\])?: "
)
_JOURNAL_ISO = (
    rf"(?P<time>{_ISO_TIME}) (?P<host>[\w.-]{{1,253}}) (?P<process>[\w./@+-]{{1,64}})"
    r"\[(?P<pid>\d{1,10})\]: "
)
_TIME_ALONE = rf"\[?(?P<time>{_ISO_TIME})\]?:? {{1,4}}(?=\S)"

_VLLM = (
    r"(?:\((?P<process>\w{1,40})(?: [\w]{1,10}=[\w-]{1,20}){0,4} pid=(?P<pid>\d{1,10})\) )?"
    r"(?:DEBUG|INFO|WARNING|ERROR|CRITICAL) (?P<time>\d\d-\d\d \d\d:\d\d:\d\d)"
    r"(?: \[?[\w./]{1,60}:\d{1,6}\])? "
)
_WORKER = r"\((?P<process>[A-Z]\w{1,40})(?: [\w]{1,10}=[\w-]{1,20}){0,4} pid=(?P<pid>\d{1,10})\) "
_CHILD = r"\[(?P<pid>\d{2,7})\] {1,4}(?=\S)"
_TABBED = r"(?P<time>\d\d/\d\d/\d{4} \d\d:\d\d(?::\d\d)?)\t(?P<process>[\w.-]{1,64})\t"

_PATTERNS = tuple(
    map(
        re.compile,
        (
            _KUBERNETES,
            _COMPOSE,
            _SYSLOG,
            _JOURNAL_ISO,
            _TABBED,
            _TIME_ALONE,
            _CHILD,
            _VLLM,
            _WORKER,
        ),
    )
)
_MAX_COLUMNS = 3


def split_prefix(text: str) -> tuple[Prefix, str]:
    """Take the collectors' columns off a line and return them with the rest."""
    if not text or text[0] in "# \t":
        return NO_PREFIX, text
    found: dict[str, str] = {}
    for _ in range(_MAX_COLUMNS):
        for pattern in _PATTERNS:
            match = pattern.match(text)
            if match:
                for key, value in match.groupdict().items():
                    if value:
                        found.setdefault(key, value)
                text = text[match.end() :]
                break
        else:
            break
    if not found:
        return NO_PREFIX, text
    pid = found.get("pid")
    return (
        Prefix(
            time=found.get("time"),
            host=found.get("host"),
            process=found.get("process"),
            pid=int(pid) if pid else None,
        ),
        text,
    )


def to_line(number: int, text: str) -> Line:
    """Return a line with its prefix split off."""
    prefix, rest = split_prefix(text)
    return Line(number, rest, prefix)
