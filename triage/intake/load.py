"""Opens inputs: the one place where files that the user names are read as text."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import stat
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from pathlib import Path
from typing import BinaryIO, cast

from triage.errors import InputError
from triage.intake.kind import classify, compression
from triage.intake.literals import Literals
from triage.intake.scan import Scan, scan
from triage.intake.transcode import Transcoded
from triage.intake.unpack import Unpacked, unpacked
from triage.model.crash import ReportWarning
from triage.model.position import Position
from triage.model.report import Input, InputKind
from triage.text.decode import MAX_LINE, clean, detect_encoding, to_text
from triage.text.line import NO_PREFIX, Line
from triage.text.prefix import merged_writers, split_record, to_line

Anchors = Callable[[], Literals]
MAX_TEXT = 64 << 30
MAX_UNPACKED = 16 << 30
_HASHED = 64 << 20
_HEAD = 65536
_LOOKED_AT = 1_000  # lines that tell whether a text is quoted


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """One input as it was read: its lines where it is text, its path where it is a file."""

    input: Input
    lines: tuple[Line, ...] = ()
    path: Path | None = None
    warnings: tuple[ReportWarning, ...] = ()


def expand(names: Sequence[str]) -> list[str]:
    """Return the inputs with each folder replaced by the files in it, in order of name.

    Raises InputError for a name that does not exist and for a folder without files.
    """
    found: list[str] = []
    if list(names).count("-") > 1:
        raise InputError("standard input can be read once", hint="give `-` once")
    for name in names:
        if not name:
            raise InputError(
                "the name of an input is empty", hint="is a variable of the shell not set?"
            )
        path = Path(name)
        if name == "-" or not path.is_dir():
            found.append(name)
            continue
        files = sorted(str(p) for p in path.rglob("*") if p.is_file() and not p.is_symlink())
        if not files:
            raise InputError(
                f"{name}: no files in this folder",
                hint="give the log itself: clawtriage analyze FOLDER/engine.log",
            )
        found.extend(files)
    return found


def load(name: str, input_id: int, anchors: Anchors) -> Loaded:
    """Read one input; `-` is standard input.

    Raises InputError, with the way out, where it cannot be read at all.
    """
    with _open(name) as raw:
        stream = io.BufferedReader(cast("io.RawIOBase", raw), _HEAD * 2) if name == "-" else raw
        size, path = _size(stream, name)
        head = _peek(stream)
        kind, looks = classify(head)
        base = Input(
            id=input_id, name="standard input" if name == "-" else name, kind=kind, size=size
        )
        if kind is InputKind.ARCHIVE and compression(head):
            return _load_compressed(stream, head, base, anchors)
        if kind in (InputKind.ELF_CORE, InputKind.GPU_CORE, InputKind.GGUF):
            if path is None:
                raise InputError(f"{base.name} is {looks}, which has to be a file on disk")
            return Loaded(input=base, path=path)
        if kind is not InputKind.TEXT:
            raise InputError(f"{base.name} is {looks}", hint=_way_out(looks, base.name))
        return _load_text(stream, head, base, anchors, MAX_TEXT)


def _way_out(looks: str, name: str) -> str:
    if looks.startswith("a program"):
        return f"give its core dump: clawtriage core CORE --binary {name}"
    if looks.startswith("an archive") or looks.endswith(" file"):
        return "unpack it first and give the files in it"
    if looks.startswith("a minidump"):
        return "turn it into text first: minidump-stackwalk FILE > crash.txt"
    return "give a text log or a core dump"


def _open(name: str) -> BinaryIO:
    if name == "-":
        if sys.stdin is None:
            raise InputError("standard input is closed", hint="give the name of a file")
        return cast("BinaryIO", sys.stdin.buffer)
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise InputError(_why(name, error), hint=_hint(error)) from error
    stream = os.fdopen(descriptor, "rb")
    mode = os.fstat(descriptor).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        stream.close()
        raise InputError(f"{name} is not a file", hint="give a log file, a core dump or a folder")
    return stream


def _why(name: str, error: OSError) -> str:
    return f"{name}: {error.strerror or error}"


def _hint(error: OSError) -> str:
    if error.errno == errno.ENOENT:
        return "check the name; `-` reads standard input"
    return "check who may read it: ls -l FILE"


def _size(stream: BinaryIO, name: str) -> tuple[int | None, Path | None]:
    facts = os.fstat(stream.fileno()) if name != "-" else None
    if facts and stat.S_ISREG(facts.st_mode):
        return facts.st_size, Path(name)
    return None, None


def _peek(stream: BinaryIO) -> bytes:
    peek = cast("io.BufferedReader", stream).peek(_HEAD)
    return peek[:_HEAD]


def _load_compressed(stream: BinaryIO, head: bytes, base: Input, anchors: Anchors) -> Loaded:
    name = compression(head) or ""
    plain = unpacked(stream, name)
    with io.BufferedReader(plain, _HEAD * 2) as inner:
        return _load_plain(inner, plain, name, base, anchors)


def _load_plain(
    inner: BinaryIO, plain: Unpacked, name: str, base: Input, anchors: Anchors
) -> Loaded:
    start = _peek(inner)
    kind, looks = classify(start)
    if plain.damage and not start:
        raise InputError(f"{base.name}: damaged {name} file: {plain.damage}", hint="fetch it again")
    if kind is not InputKind.TEXT:
        raise InputError(f"{base.name} holds {looks}", hint="unpack it first")
    loaded = _load_text(inner, start, replace(base, kind=kind), anchors, MAX_UNPACKED)
    warnings = loaded.warnings
    if plain.damage:
        message = f"{base.name}: damaged {name} file, read up to the damage: {plain.damage}"
        warnings = (*warnings, _warn("input-damaged", message, base.id))
    info = replace(
        loaded.input,
        size=base.size,
        sha256=None,
        truncated=loaded.input.truncated or bool(plain.damage),
    )
    return replace(loaded, input=info, warnings=warnings)


def _load_text(stream: BinaryIO, head: bytes, base: Input, anchors: Anchors, limit: int) -> Loaded:
    encoding, mark = detect_encoding(head)
    if encoding != "utf-8":
        stream, mark = io.BufferedReader(Transcoded(stream, encoding)), 0
    found = scan(stream, anchors, limit=limit)
    warnings: list[ReportWarning] = []
    if found.total_bytes == 0:
        warnings.append(_warn("input-empty", f"{base.name} is empty", base.id))
    lines = tuple(_to_lines(found, mark))
    warnings += _merged(lines, base.id)
    if any(len(raw) > MAX_LINE for _, raw in found.lines):
        warnings.append(
            _warn("line-cut", f"lines longer than {MAX_LINE} characters were cut", base.id)
        )
    if found.full:
        message = "only a part of this input was read: it is too large, or too much of it matters"
        warnings.append(_warn("input-cut", message, base.id))
    info = replace(
        base,
        size=base.size if base.size is not None else found.total_bytes,
        sha256=_digest(found) if encoding == "utf-8" else None,
        truncated=found.full,
    )
    return Loaded(input=info, lines=lines, warnings=tuple(warnings))


def _to_lines(found: Scan, mark: int) -> list[Line]:
    lines: list[Line] = []
    previous = 0
    margin = _margin(found)
    for number, raw in found.lines:
        data = raw[mark:] if number == 1 and mark else raw
        if len(data) > MAX_LINE:
            data = _last_drawn(data)
        text = clean(to_text(data[: MAX_LINE + 64], "utf-8"))[:MAX_LINE].rstrip()
        text = text.removeprefix(margin) if margin else text
        cut_off = number != previous + 1
        for part in (part for row in split_record(text) for part in merged_writers(row) or [""]):
            line = to_line(number, part)
            lines.append(replace(line, cut_off=True) if cut_off else line)
            cut_off = False
        previous = number
    return lines


def _margin(found: Scan) -> str:
    """Return what stands in front of every line of a text that was quoted in a mail or an issue."""
    texts = [raw for _, raw in islice(found.lines, _LOOKED_AT) if raw.strip(b"> \t\r")]
    for margin in (b"> ", b">", b"    "):
        if texts and all(raw.startswith(margin) for raw in texts):
            return margin.decode()
    return ""


def _merged(lines: Sequence[Line], input_id: int) -> list[ReportWarning]:
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
    at = Position(input=input_id, line=twice[0])
    return [ReportWarning(code="text-interleaved", message=message, at=at)]


def _last_drawn(data: bytes) -> bytes:
    """Return what a progress bar left standing of a long line: it may be followed by the crash."""
    return data.rstrip(b"\r \t").rpartition(b"\r")[2] or data


def _digest(found: Scan) -> str | None:
    """Return the hash of the text; None where a part of it was left out."""
    if found.left_out or found.cut or found.total_bytes > _HASHED:
        return None
    digest = hashlib.sha256(b"\n".join(raw for _, raw in found.lines))
    if found.lines and found.total_bytes == sum(len(raw) + 1 for _, raw in found.lines):
        digest.update(b"\n")
    return digest.hexdigest()


def _warn(code: str, message: str, input_id: int) -> ReportWarning:
    return ReportWarning(code=code, message=message, at=Position(input=input_id))
