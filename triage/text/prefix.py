"""The columns that collectors and programs put in front of log lines.

Each pattern takes one kind of prefix off the front of a line; they are tried again and again, so
that `engine-1  | 2026-01-02T03:04:05Z [ERROR] …` loses both. Only columns that are surely not part
of a message are taken: a line that merely looks odd stays whole.
"""

from __future__ import annotations

import json
import re
from typing import Any

from triage.text.decode import clean
from triage.text.line import NO_PREFIX, Line, Prefix

_ISO_TIME = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?"
_MONTHS = r"[^\W\d_]{3,5}\.?"  # in any language
_PAIRS = r"(?: (?:rank=(?P<rank>\d{1,5})|\w{1,10}=[\w.:-]{1,40})){0,4}"

_KUBERNETES = rf"(?P<time>{_ISO_TIME}) (?:stdout|stderr) [FP] "
_POD = r"\[pod/(?P<service>[\w.-]{1,253}/[\w.-]{1,63})\] "
_COMPOSE = r"(?P<service>[A-Za-z0-9][\w.-]{0,63}) {1,16}\| "
_SYSLOG = (
    rf"(?:<\d{{1,3}}>)?(?P<time>{_MONTHS} [ \d]\d \d\d:\d\d:\d\d(?:\.\d{{1,6}})?) "
    r"(?P<host>[\w.:-]{1,253}) (?P<process>[\w./@+-]{1,64})(?:\[(?P<pid>\d{1,10})\])?: "
)
_SYSLOG_NEW = (
    rf"<\d{{1,3}}>1 (?P<time>{_ISO_TIME}) (?P<host>\S{{1,253}}) (?P<process>\S{{1,64}}) "
    r"(?:(?P<pid>\d{1,10})|\S{1,128}) \S{1,32} (?:-|\[[^\]\n]{0,1000}\]) "
)
_JOURNAL_ISO = (
    rf"(?P<time>{_ISO_TIME}) (?P<host>[\w.-]{{1,253}}) (?P<process>[\w./@+-]{{1,64}})"
    r"(?:\[(?P<pid>\d{1,10})\]|(?<=kernel)): "
)
_TABBED = r"(?P<time>\d\d/\d\d/\d{4} \d\d:\d\d(?::\d\d)?)\t(?P<process>[\w.-]{1,64})\t"
_TIME_ALONE = rf"\[?(?P<time>{_ISO_TIME})\]?:? {{1,4}}(?=\S)"
_SGLANG = rf"\[(?P<time>{_ISO_TIME}) (?P<process>(?:(?:DP|TP|PP|EP)\d{{1,4}} ?){{1,4}})\] (?=\S)"
_RANK = r"\[(?:rank|default)(?P<rank>\d{1,5})\]: ?"
_MPI = r"\[\d{1,10},(?P<rank>\d{1,5})\]<std(?:out|err)>: ?"
_VLLM = (
    rf"(?:\((?P<process>\w{{1,40}}){_PAIRS} pid=(?P<pid>\d{{1,10}})(?:, ip=[\w.:]{{1,45}})?\) )?"
    r"(?:DEBUG|INFO|WARNING|ERROR|CRITICAL) (?P<time>\d\d-\d\d \d\d:\d\d:\d\d)"
    r"(?: \[?[\w./]{1,60}:\d{1,6}\])? "
)
_WORKER = (
    rf"\((?:(?P<process>[A-Z]\w{{1,40}}){_PAIRS} )?pid=(?P<pid>\d{{1,10}})"
    r"(?:, ip=[\w.:]{1,45})?\) "
)
_LOCALAI = r"\d\d?:\d\d[AP]M (?P<process>\w{3} GRPC\([^\n()]{1,300}\)): std(?:err|out) ?"
_TRANTOR = (
    r"(?P<time>\d{8} \d\d:\d\d:\d\d\.\d{6}) UTC (?P<pid>\d{1,10}) "
    r"(?:TRACE|DEBUG|INFO|WARN|ERROR|FATAL) {1,3}"
)
_NUMBERED = r"\[\d{1,2}\] std(?:err|out): "
_CHILD = r"\[(?P<pid>\d{3,7})\] {1,4}(?=\S)"

_COLLECTORS = tuple(
    map(
        re.compile,
        (_KUBERNETES, _POD, _COMPOSE, _SYSLOG, _SYSLOG_NEW, _JOURNAL_ISO, _TABBED, _MPI, _LOCALAI),
    )
)
_PROGRAMS = tuple(
    map(
        re.compile,
        (_SGLANG, _TIME_ALONE, _RANK, _NUMBERED, _CHILD, _VLLM, _WORKER, _TRANTOR),
    )
)
_PATTERNS = (*((p, True) for p in _COLLECTORS), *((p, False) for p in _PROGRAMS))
_MAX_COLUMNS = 4
_NUMBERS = ("pid", "rank")
_MAY_BEGIN = re.compile(
    r"\d\d\d\d-|\d{8} |\d\d/|\[(?:\d|pod/|rank|default)|<\d|\((?:[A-Z]|pid=)"
    rf"|{_MONTHS} [ \d]\d \d\d:|\d\d?:\d\d[AP]M \w{{3}} GRPC\("
    r"|(?:DEBUG|INFO|WARNING|ERROR|CRITICAL) \d\d-"
    r"|[A-Za-z0-9][\w.-]{0,63} {1,16}\|"
)
_MESSAGES = ("MESSAGE", "log", "msg", "message")
_LOGGERS = frozenset((
    "msg", "message", "level", "lvl", "severity", "ts", "time", "timestamp", "@timestamp", "logger",
    "caller", "name", "stream",
))  # fmt: skip
_RECORD = re.compile(r'\{[^\n]{0,8000}"(?:MESSAGE|log|msg|message)" ?: ?"')
_MERGED = re.compile(
    r"(?<=\S)(?=\([A-Z]\w{1,40}(?: \w{1,10}=[\w-]{1,20}){0,4} pid=\d{1,10}\) )"
    r"|(?<=\S)(?=\[rank\d{1,5}\]: ?\S)"
)


def split_prefix(text: str) -> tuple[Prefix, str]:
    """Take the columns off a line and return them with the rest."""
    return _split(text, {})


def _split(text: str, found: dict[str, Any]) -> tuple[Prefix, str]:
    """Take the columns off a line; what is found already counts before what they say."""
    for _ in range(_MAX_COLUMNS):
        if not _MAY_BEGIN.match(text):
            break
        for pattern, collector in _PATTERNS:
            match = pattern.match(text)
            if match:
                for key, value in match.groupdict().items():
                    if value:
                        found.setdefault(key, int(value) if key in _NUMBERS else value.strip())
                text = text[match.end() :]
                found["collected"] = found.get("collected", False) or collector
                break
        else:
            break
    return Prefix(**found) if found else NO_PREFIX, text


def to_line(number: int, text: str) -> Line:
    """Return a line with its prefix split off, or the message of a collector's JSON record."""
    record = _record(text) if text.startswith("{") else None
    columns, message = record or ({}, text)
    prefix, rest = _split(message, columns)
    return Line(number, rest, prefix)


def _record(text: str) -> tuple[dict[str, Any], str] | None:
    """Return the columns and the message of a JSON record of journald, docker or a logger."""
    if not _RECORD.match(text):
        return None
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        return None
    message = next((record[key] for key in _MESSAGES if key in record), None)
    if not isinstance(message, str) or "\n" in message[:-1] or len(record) < 2:
        return None
    if not record.keys() & {"MESSAGE", "log"} and not record.keys() <= _LOGGERS:
        return None  # the other fields say more than the message
    said = {key: value for key, value in record.items() if isinstance(value, str)}
    pid = said.get("_PID", "")
    columns = {
        "time": said.get("time"),
        "host": said.get("_HOSTNAME"),
        "process": said.get("SYSLOG_IDENTIFIER") or said.get("_COMM"),
        "pid": int(pid) if pid.isascii() and pid.isdigit() and len(pid) < 11 else None,
        "collected": True,
    }
    known = {key: value for key, value in columns.items() if value is not None}
    return known, clean(message.rstrip("\n"))


def split_record(text: str) -> list[str]:
    """Return the lines of a message that syslog wrote into one, with `#012` for each line end."""
    if text.count("#012") < 2 or not split_prefix(text)[0].collected:
        return [text]
    return text.split("#012")


def merged_writers(text: str) -> list[str]:
    """Return the parts of a line into which two writers wrote, at the second one's prefix."""
    parts = _MERGED.split(text, maxsplit=8) if "pid=" in text or "[rank" in text else [text]
    return [part for part in parts if part]
