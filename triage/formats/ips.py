"""Apple's crash reports as JSON (`.ips`), which macOS 12 and iOS 15 write.

What is odd about it: all threads stand in one line, which can be longer than a line that is kept,
so that each entry is read for itself; and a report that was copied from the Console has the text
that was made of it above, which says the same and is whole.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from triage.formats._base import Format, Item, Region, reading
from triage.formats._darwin import (
    SIGNAL_RETURNS,
    described_signal,
    mach_signal,
    signal_by_number,
    signal_in,
)
from triage.model.crash import (
    Environment,
    ErrorRecord,
    Fragment,
    Module,
    ReportWarning,
    Role,
    Signal,
)
from triage.model.position import Position
from triage.model.stack import Frame, FrameKind, Thread, Trust
from triage.text.decode import MAX_LINE
from triage.text.late import late

_MARK = late(r'"(?:[^"\\]|\\.)*(?:"|\\?$)|[][{}]')
_MAX_DEPTH = 64
_MAX_FRAMES = 20_000
_MAX_THREADS = 4_096
_WANTED = frozenset(
    {
        "exception", "termination", "asi", "faultingThread", "threads", "lastExceptionBacktrace",
        "usedImages", "cpuType", "osVersion",
    }
)  # fmt: skip
_FAULT = late(r"(?P<code>[A-Z_0-9]{5,40})(?:[^\n]{0,20}? at (?P<address>0x[0-9a-fA-F]{1,16}))?")
_ARCH = {"ARM-64": "arm64", "X86-64": "x86_64"}
_THROWN = late(
    r"\*\*\* Terminating app due to uncaught exception '(?P<name>[^'\n]{1,200})'"
    r"(?:, reason: '(?P<reason>[^\n]*))?"
)
_REASONS = {"DYLD": "loader", "JETSAM": "oom-killer"}


@dataclass(slots=True)
class _Report:
    entries: dict[str, Any] = field(default_factory=dict)
    rows: dict[str, Position] = field(default_factory=dict)
    damaged: Position | None = None
    translated: bool = False
    done: bool = False


def _read(region: Region) -> Fragment:
    report = _Report()
    source = reading(region, "ips")
    first = region.lines[0].number
    for item in source.items():
        if item.kind == "translated":
            report.translated = True
        elif item.kind == "close":
            report.done = report.done or bool(report.entries)
        elif item.kind in ("body", "entry") and not report.done:
            _take(report, item)
            row = (item.at.line or first) - first
            rows = region.lines[row : row + 1 + len(item.rest)]
            source.claimed.update(line.number for line in rows)
    claimed = frozenset(source.claimed) if report.entries else frozenset()
    if report.translated or not report.entries:
        return Fragment(dialect="ips", claimed=claimed)
    return _fragment(report, claimed)


def _take(report: _Report, item: Item) -> None:
    lines = (item.text, *item.rest)
    if item.kind == "entry":
        if not any(f'"{key}"' in item.text[:80] for key in _WANTED):
            return
        lines = ("{" + item.text, *item.rest)
    found, damaged = _parsed(lines)
    for key in _WANTED & found.keys():
        if key not in report.entries:
            report.entries[key] = found[key]
            report.rows[key] = item.at
    if damaged:
        report.damaged = report.damaged or item.at


def _parsed(lines: Sequence[str]) -> tuple[dict[str, Any], bool]:
    """Return the object that lines hold, and whether a part of it was not to be read."""
    cut = next((n for n, line in enumerate(lines) if len(line) >= MAX_LINE), None)
    text = "\n".join(lines if cut is None else lines[: cut + 1]).rstrip().removesuffix(",")
    whole = (_loaded(text) or _loaded(text + "}")) if cut is None else None
    if whole is not None:
        return whole, False
    return _loaded(_repaired(text)) or {}, True


def _loaded(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _repaired(text: str) -> str:
    """Return a text as far as its last complete object or list, with what is open closed."""
    waiting: list[str] = []
    end, closing = 0, ""
    for match in _MARK.finditer(text):
        mark = match.group()
        if mark in ("{", "["):
            waiting.append("}" if mark == "{" else "]")
            if len(waiting) > _MAX_DEPTH:
                break
        elif mark in ("}", "]"):
            if not waiting or waiting.pop() != mark:
                break
            end, closing = match.end(), "".join(reversed(waiting))
    return text[:end] + closing


def _fragment(report: _Report, claimed: frozenset[int]) -> Fragment:
    images = [i for i in _list(report.entries.get("usedImages")) if isinstance(i, dict)]
    warnings: tuple[ReportWarning, ...] = ()
    if report.damaged:
        message = "the JSON of a crash report is damaged or longer than a line that is read"
        warnings = (ReportWarning(code="report-damaged", message=message, at=report.damaged),)
    return Fragment(
        dialect="ips",
        threads=_threads(report, images),
        errors=tuple(_errors(report)),
        signal=_signal(report),
        signal_rank=2,
        modules=tuple(_module(image) for image in images if image.get("path")),
        environment=_environment(report),
        warnings=warnings,
        claimed=claimed,
    )


def _threads(report: _Report, images: list[dict[str, Any]]) -> tuple[Thread, ...]:
    threads: list[Thread] = []
    at = report.rows.get("lastExceptionBacktrace")
    thrown = _frames(report.entries.get("lastExceptionBacktrace"), images, at)
    if thrown:
        title = "Last Exception Backtrace"
        threads.append(Thread(name=title, crashed=True, frames=thrown, at=at))
    faulting = report.entries.get("faultingThread")
    at = report.rows.get("threads")
    for n, entry in enumerate(_list(report.entries.get("threads"))[:_MAX_THREADS]):
        if not isinstance(entry, dict):
            continue
        frames = _frames(entry.get("frames"), images, at)
        crashed = entry.get("triggered") is True or n == faulting
        name = _text(entry.get("name")) or _text(entry.get("queue"))
        tid = _number(entry.get("id"))
        if frames:
            threads.append(
                Thread(
                    id=str(n),
                    tid=tid,
                    name=name,
                    crashed=crashed and not thrown,
                    frames=frames,
                    at=at,
                )
            )
    return tuple(threads)


def _frames(entries: Any, images: list[dict[str, Any]], at: Position | None) -> tuple[Frame, ...]:
    found = [e for e in _list(entries) if isinstance(e, dict) and "imageIndex" in e][:_MAX_FRAMES]
    return tuple(_frame(n, entry, images, at) for n, entry in enumerate(found))


def _frame(
    index: int, entry: dict[str, Any], images: list[dict[str, Any]], at: Position | None
) -> Frame:
    place, offset = entry.get("imageIndex"), _number(entry.get("imageOffset"))
    image = images[place] if isinstance(place, int) and 0 <= place < len(images) else {}
    base = _number(image.get("base"))
    function, file = _text(entry.get("symbol")), _text(entry.get("sourceFile"))
    line = _number(entry.get("sourceLine"))
    trust = Trust.DEBUG_INFO if file else Trust.SYMBOL
    return Frame(
        index=index,
        function=function,
        file=file,
        line=line,
        module=_text(image.get("name")),
        offset=hex(offset) if offset is not None else None,
        address=hex(base + offset) if base is not None and offset is not None else None,
        inlined=entry.get("inline") is True,
        kind=FrameKind.SIGNAL_HANDLER if function in SIGNAL_RETURNS else FrameKind.HOST,
        trust=trust if function else Trust.ADDRESS_ONLY,
        at=at,
    )


def _signal(report: _Report) -> Signal | None:
    exception, at = report.entries.get("exception"), report.rows.get("exception")
    if isinstance(exception, dict) and at:
        fault = _FAULT.match(_text(exception.get("subtype")) or "")
        code, address = (fault["code"], fault["address"]) if fault else (None, None)
        name = signal_in(_text(exception.get("signal")) or "")
        if name:
            return described_signal(name, code, at, address)
        kind = _text(exception.get("type")) or ""
        if signal := mach_signal(kind, code, at, address=address):
            return signal
    ended, at = report.entries.get("termination"), report.rows.get("termination")
    if isinstance(ended, dict) and at and ended.get("namespace") == "SIGNAL":
        number = _number(ended.get("code"))
        name = signal_by_number(number) if number is not None else None
        return described_signal(name, None, at, None) if name else None
    return None


def _errors(report: _Report) -> list[ErrorRecord]:
    errors: list[ErrorRecord] = []
    ended, at = report.entries.get("termination"), report.rows.get("termination")
    if isinstance(ended, dict) and at and ended.get("namespace") not in (None, "SIGNAL"):
        space = _text(ended.get("namespace"))
        words = [_text(ended.get("indicator")), *map(_text, _list(ended.get("reasons")))]
        message = " ".join(word for word in words if word) or None
        errors.append(
            ErrorRecord(api=_REASONS.get(space or "", "kernel"), name=space, message=message, at=at)
        )
    said, at = report.entries.get("asi"), report.rows.get("asi")
    for library, texts in (said if isinstance(said, dict) else {}).items():
        errors.extend(_said(library, text, at) for text in map(_text, _list(texts)) if text and at)
    return errors


def _said(library: str, text: str, at: Position | None) -> ErrorRecord:
    """Return what a library said last, by the kind of library that it is."""
    first = text.strip().split("\n", 1)[0]
    if match := _THROWN.search(text):
        reason = (match["reason"] or "").removesuffix("'") or None
        return ErrorRecord(api="objc", name=match["name"], message=reason, role=Role.CAUSE, at=at)
    if library.startswith("libswiftCore"):
        return ErrorRecord(api="swift", message=first, role=Role.CAUSE, at=at)
    if library.startswith("libc++"):
        return ErrorRecord(api="cxx", message=first, at=at)
    name = "abort" if first == "abort() called" else None
    return ErrorRecord(
        api="loader" if library == "dyld" else "libc", name=name, message=first, at=at
    )


def _environment(report: _Report) -> Environment:
    where: dict[str, Position] = {}
    os = report.entries.get("osVersion")
    name = None
    if isinstance(os, dict):
        train, build = _text(os.get("train")), _text(os.get("build"))
        name = f"{train} ({build})" if train and build else train
        if name:
            where["os"] = report.rows["osVersion"]
    arch = _ARCH.get(_text(report.entries.get("cpuType")) or "")
    if arch:
        where["arch"] = report.rows["cpuType"]
    return Environment(os=name, arch=arch, where=where)


def _module(image: dict[str, Any]) -> Module:
    path = _text(image.get("path"))
    return Module(
        name=_text(image.get("name")) or (path or "").rsplit("/", 1)[-1],
        path=path,
        build_id=_text(image.get("uuid")),
        version=_text(image.get("CFBundleShortVersionString")),
    )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


FORMAT = Format(
    name="ips",
    title="Apple's crash reports as JSON",
    anchors=(
        '"bug_type"', '"faultingThread"', '"usedImages"', '"threads"', '"exception"',
        '"termination"', '"lastExceptionBacktrace"', '"asi"', '"osVersion"', "Translated Report (",
    ),
    opens=late(
        r'[ \t]{0,8}\{[^\n]{0,4000}"bug_type" ?: ?"'
        r'|[ \t]{0,8}"(?:faultingThread|usedImages|threads|lastExceptionBacktrace)" ?: ?[\d\[{]'
        r'|[ \t]{0,8}\{[^\n]{0,8000}"(?:faultingThread|usedImages)" ?:'
        r"|Translated Report \("
    ),
    read=_read,
    before=60,
    after=12_000,
    reach=12_100,
)  # fmt: skip
