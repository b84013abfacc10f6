"""Turns the bytes of a text into lines that may matter."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice, pairwise
from typing import BinaryIO

from triage.errors import InputError
from triage.intake.literals import Literals
from triage.intake.loaded import Loaded, Source
from triage.intake.scan import Scan, scan
from triage.intake.transcode import Transcoded
from triage.model.crash import ReportWarning
from triage.text.decode import MAX_LINE, clean, detect_encoding, to_text
from triage.text.fold import folded
from triage.text.line import NO_PREFIX, Line
from triage.text.prefix import merged_writers, split_record, to_line

Anchors = Callable[[], Literals]
_HASHED = 64 << 20
_FOLDED = MAX_LINE // 2
_LOOKED_AT = 1_000  # lines that tell whether a text is quoted


def load_text(source: Source, head: bytes, anchors: Anchors, limit: int) -> Loaded:
    """Read a text of which `head` is the beginning, up to so many bytes.

    Raises InputError where there is nothing in it but zero bytes.
    """
    stream: BinaryIO = source.stream
    encoding, mark = detect_encoding(head)
    if encoding != "utf-8":
        stream, mark = io.BufferedReader(Transcoded(stream, encoding)), 0
    found = scan(stream, anchors, limit=limit)
    if _is_blank(found):
        raise InputError(
            f"{source.name} holds nothing but zero bytes: it is a tar archive without any files, "
            "or its content was lost",
            hint="pack or fetch it again",
        )
    warnings: list[ReportWarning] = []
    if found.total_bytes == 0:
        warnings.append(source.warning("input-empty", f"{source.name} is empty"))
    lines = tuple(_to_lines(found, mark))
    warnings += _merged(lines, source)
    if any(len(raw) > MAX_LINE for _, raw in _folded(found.lines)):
        warnings.append(
            source.warning("line-cut", f"lines longer than {MAX_LINE} characters were cut")
        )
    if found.full:
        message = "only a part of this input was read: it is too large, or too much of it matters"
        warnings.append(source.warning("input-cut", message))
    info = replace(source.input, truncated=found.full)
    if source.member is None:
        info = replace(
            info,
            size=info.size if info.size is not None else found.total_bytes,
            sha256=_digest(found) if encoding == "utf-8" else None,
        )
    return Loaded(input=info, lines=lines, member=source.member, warnings=tuple(warnings))


def _is_blank(found: Scan) -> bool:
    """Tell whether a file is one piece of zero bytes; a log can begin or end with many of them."""
    if len(found.lines) != 1:
        return False
    line = found.lines[0][1]
    return found.total_bytes == len(line) and not line.strip(b"\0")


def _to_lines(found: Scan, mark: int) -> list[Line]:
    lines: list[Line] = []
    previous = 0
    margin = _margin(found)
    for number, raw in _folded(found.lines):
        data = raw[mark:] if number == 1 and mark else raw
        if len(data) > MAX_LINE:
            data = _last_drawn(data)
        text = clean(to_text(data[: MAX_LINE + 64], "utf-8"))[:MAX_LINE].rstrip()
        text = text.removeprefix(margin) if margin else text
        cut_off = number not in (previous, previous + 1)
        for part in (part for row in split_record(text) for part in merged_writers(row) or [""]):
            line = to_line(number, part)
            lines.append(replace(line, cut_off=True) if cut_off else line)
            cut_off = False
        previous = number
    return lines


def _folded(lines: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
    for number, raw in lines:
        for part in folded(raw, _FOLDED) if len(raw) > MAX_LINE else (raw,):
            yield number, part


def _margin(found: Scan) -> str:
    """Return what stands in front of every line of a text that was quoted in a mail or an issue."""
    texts = [raw for _, raw in islice(found.lines, _LOOKED_AT) if raw.strip(b"> \t\r")]
    for margin in (b"> ", b">", b"    "):
        if texts and all(raw.startswith(margin) for raw in texts):
            return margin.decode()
    return ""


def _merged(lines: Sequence[Line], source: Source) -> list[ReportWarning]:
    """Return a warning where writers wrote into each other's lines."""
    twice = [
        a.number
        for a, b in pairwise(lines)
        if a.number == b.number and b.prefix.stream not in (a.prefix.stream, NO_PREFIX.stream)
    ]
    if not twice:
        return []
    message = (
        f"writers wrote into each other's lines ({len(twice)} times); parted where the next "
        "one's prefix begins, text may be missing or at the wrong writer"
    )
    return [source.warning("text-interleaved", message, line=twice[0])]


def _last_drawn(data: bytes) -> bytes:
    """Return what a progress bar left standing of a long line: it may be followed by the crash."""
    return data.rstrip(b"\r \t").rpartition(b"\r")[2] or data


def _digest(found: Scan) -> str | None:
    """Return the hash of the text; None where a part of it was left out."""
    if found.left_out or found.cut or found.total_bytes > _HASHED:
        return None
    digest = hashlib.sha256(found.line_end.join(raw for _, raw in found.lines))
    if found.lines and found.total_bytes == sum(len(raw) + 1 for _, raw in found.lines):
        digest.update(found.line_end)
    return digest.hexdigest()
