"""Turns the bytes of a text into lines that may matter."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby, islice, pairwise
from typing import BinaryIO

from triage.errors import InputError
from triage.intake.literals import Literals
from triage.intake.loaded import Loaded, Source
from triage.intake.longline import pieces
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
MAX_BINARY = 64 << 20
"""Bytes of binary data in which text is looked for."""

_ISLAND = 3  # lines of text that are no coincidence
_NO_TEXT = bytes(n for n in range(32) if n not in b"\t\r\x1b")
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
    loaded = _loaded(source, found, mark, anchors)
    if encoding != "utf-8" and loaded.input.sha256 is not None:
        return replace(loaded, input=replace(loaded.input, sha256=None))
    return loaded


def load_text_in_binary(source: Source, anchors: Anchors) -> Loaded | None:
    """Return the lines of text that stand in other data, if any of them matters."""
    found = scan(source.stream, anchors, limit=MAX_BINARY)
    lines = list(_islands(found.lines, anchors))
    if not lines:
        return None
    count = len(lines)
    message = f"{source.name} is binary data for the most part; {count} lines of text were read"
    found = replace(found, lines=lines, left_out=found.total_lines - len(lines))
    loaded = _loaded(source, found, 0, anchors)
    return replace(loaded, warnings=(source.warning("input-binary", message), *loaded.warnings))


def _islands(lines: Iterable[tuple[int, bytes]], anchors: Anchors) -> Iterator[tuple[int, bytes]]:
    """Yield the runs of lines that are text from end to end and in which an anchor is."""
    for is_text, group in groupby(lines, lambda line: _is_text(line[1])):
        run = list(group) if is_text else []
        if len(run) >= _ISLAND and anchors().ends(b"\n".join(raw for _, raw in run)):
            yield from run


def _is_text(line: bytes) -> bool:
    if line.translate(None, _NO_TEXT) != line:
        return False
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _loaded(source: Source, found: Scan, mark: int, anchors: Anchors) -> Loaded:
    warnings: list[ReportWarning] = []
    if found.total_bytes == 0:
        warnings.append(source.warning("input-empty", f"{source.name} is empty"))
    lines = tuple(_to_lines(found, mark, anchors))
    warnings += _merged(lines, source)
    if any(len(raw) > MAX_LINE for _, raw in _folded(found.lines)):
        warnings.append(
            source.warning(
                "line-cut",
                f"lines longer than {MAX_LINE} characters were cut; of the rest of each, what "
                "surrounds a word of a crash was read",
            )
        )
    if found.full:
        message = "only a part of this input was read: it is too large, or too much of it matters"
        warnings.append(source.warning("input-cut", message))
    info = replace(source.input, truncated=found.full)
    if source.member is None:
        info = replace(
            info,
            size=info.size if info.size is not None else found.total_bytes,
            sha256=_digest(found),
        )
    return Loaded(input=info, lines=lines, member=source.member, warnings=tuple(warnings))


def _is_blank(found: Scan) -> bool:
    """Tell whether a file is one piece of zero bytes; a log can begin or end with many of them."""
    if len(found.lines) != 1:
        return False
    line = found.lines[0][1]
    return found.total_bytes == len(line) and not line.strip(b"\0")


def _to_lines(found: Scan, mark: int, anchors: Anchors) -> list[Line]:
    lines: list[Line] = []
    previous = 0
    margin = _margin(found)
    for number, raw in _folded(found.lines):
        data = raw[mark:] if number == 1 and mark else raw
        cut_off = number not in (previous, previous + 1)
        for piece in _pieces(data, anchors) if len(data) > MAX_LINE else (data,):
            text = clean(to_text(piece[: MAX_LINE + 64], "utf-8"))[:MAX_LINE].rstrip()
            text = text.removeprefix(margin) if margin else text
            for part in _parts(text):
                line = to_line(number, part)
                lines.append(replace(line, cut_off=True) if cut_off else line)
                cut_off = False
            cut_off = True
        previous = number
    return lines


def _parts(text: str) -> Iterator[str]:
    return (part for row in split_record(text) for part in merged_writers(row) or [""])


def _pieces(line: bytes, anchors: Anchors) -> Iterator[bytes]:
    """Yield the beginning of a long line, as it was left standing, and what else matters in it."""
    drawn = _last_drawn(line)
    if len(drawn) <= MAX_LINE:
        yield drawn
    else:
        yield from pieces(drawn, anchors().ends(drawn), MAX_LINE)


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
