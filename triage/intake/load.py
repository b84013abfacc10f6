"""Opens inputs: the one place where files that the user names are read as text."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import stat
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, cast

from triage.errors import InputError
from triage.gguf.fragment import model_fragment
from triage.intake.archive import MAX_DEPTH, ArchiveError, Budget, LimitError, Member
from triage.intake.dumps import (
    DUMPS,
    HEAD,
    load_dump,
    refuse_packed_twice,
    unpacked_from,
    unpacking,
)
from triage.intake.kind import SEVEN_ZIP, classify, compression
from triage.intake.loaded import STANDARD_INPUT, Loaded, Source
from triage.intake.spool import Spool
from triage.intake.tar import read_tar
from triage.intake.texts import Anchors, load_text, load_text_in_binary
from triage.intake.zipped import read_zip
from triage.model.crash import ReportWarning
from triage.model.position import Position
from triage.model.report import Input, InputKind
from triage.text.decode import looks_binary
from triage.text.safe import safe_line

MAX_TEXT = 64 << 30
MAX_UNPACKED = 16 << 30
MAX_KEPT = 256 << 20
"""Bytes of lines that are kept of all the texts in an archive."""
_LINE_COST = 64  # what a line takes beside its characters
_NAMED = 5
_SILENCE = 1.0  # seconds
_FETCH = "fetch it again, or unpack it and give the files in it"


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


def load(name: str, input_id: int, anchors: Anchors, spool: Spool) -> list[Loaded]:
    """Read one input, `-` being standard input; an archive gives one result for each member.

    A dump that is compressed or comes through a pipe is put into the spool. Raises InputError,
    with the way out, where the input cannot be read at all.
    """
    with _open(name) as raw:
        stream = io.BufferedReader(cast("io.RawIOBase", raw), HEAD * 2) if name == "-" else raw
        size, path = _size(stream, name)
        shown = STANDARD_INPUT if name == "-" else name
        info = Input(id=input_id, name=shown, kind=InputKind.UNREADABLE, size=size)
        source = Source(input=info, stream=stream, path=path)
        return _Loader(anchors, spool).load(source, depth=0)


class _Loader:
    """Reads an input whatever it is packed in."""

    def __init__(self, anchors: Anchors, spool: Spool) -> None:
        self._anchors = anchors
        self._spool = spool
        self._budget = Budget()
        self._kept = 0

    def load(self, source: Source, *, depth: int) -> list[Loaded]:
        """Read an input or a member; `depth` counts the archives around it."""
        head = _peek(source.stream)
        kind, looks = classify(head)
        if source.member is None:
            source = replace(source, input=replace(source.input, kind=kind))
        if kind in DUMPS:
            return [load_dump(source, kind, self._spool)]
        if kind is InputKind.PROGRAM:
            return [self._load_program(source)]
        if kind is InputKind.TEXT:
            limit = MAX_TEXT if source.path else MAX_UNPACKED
            return [load_text(source, head, self._anchors, limit)]
        if kind is InputKind.GGUF:
            return [_load_model(source)]
        name = compression(head)
        if name:
            return self._load_compressed(source, name, depth)
        if kind is InputKind.ARCHIVE and depth < MAX_DEPTH and not head.startswith(SEVEN_ZIP):
            return self._load_archive(source, head, depth + 1)
        if kind is InputKind.UNREADABLE and looks_binary(head):
            found = load_text_in_binary(source, self._anchors)
            if found is not None:
                kept = replace(found.input, kind=InputKind.TEXT) if not source.member else None
                return [replace(found, input=kept or found.input)]
        raise InputError(f"{source.name} is {looks}", hint=_way_out(looks))

    def _load_program(self, source: Source) -> Loaded:
        """Return a program or library, which may be the one that a core dump is from."""
        loaded = load_dump(source, InputKind.PROGRAM, self._spool)
        if loaded.input.truncated:
            raise InputError(f"{source.name} is a program or library, and there is no room for it")
        return loaded

    def _load_compressed(self, source: Source, name: str, depth: int) -> list[Loaded]:
        with unpacking(source, name) as (plain, inner):
            refuse_packed_twice(source, _peek(inner))
            loaded = self.load(replace(source, stream=inner, path=None), depth=depth)
            return unpacked_from(source, name, plain.damage, loaded)

    def _load_archive(self, source: Source, head: bytes, depth: int) -> list[Loaded]:
        loaded: list[Loaded] = []
        ended: ArchiveError | None = None
        try:
            for member in self._members(source, head):
                self._load_member(member, source, depth, loaded)
        except ArchiveError as error:
            ended = error
        warnings = self._archive_warnings(source, ended) if depth == 1 or ended else []
        if not loaded and depth == 1:
            why = "; ".join(w.message for w in warnings) or "there are no files in it"
            raise InputError(f"{source.name}: nothing in it can be read: {why}", hint=_FETCH)
        return [*loaded, source.loaded(InputKind.ARCHIVE, None, *warnings)]

    def _members(self, source: Source, head: bytes) -> Iterator[Member]:
        if not head.startswith(b"PK"):
            return read_tar(source.stream, self._budget)
        if source.path is not None:
            return read_zip(source.stream, self._budget)
        stored = self._spool.store(source.stream)  # a zip file is read from its end
        if stored.stopped:
            raise LimitError(stored.stopped)
        return read_zip(self._spool.open(stored), self._budget)

    def _load_member(
        self, member: Member, archive: Source, depth: int, loaded: list[Loaded]
    ) -> None:
        name = member.name if archive.member is None else f"{archive.member}/{member.name}"
        if self._kept > MAX_KEPT:
            self._budget.skip(name, "there is too much text before it")
            return
        source = replace(archive, stream=member.content.stream, member=name, path=None)
        try:
            found = self.load(source, depth=depth)
        except InputError as error:
            self._budget.skip(name, str(error).removeprefix(f"{source.name} ").removeprefix("is "))
            return
        loaded += unpacked_from(source, "", member.content.damage, found)
        self._kept += sum(len(line.text) + _LINE_COST for item in found for line in item.lines)

    def _archive_warnings(self, source: Source, ended: ArchiveError | None) -> list[ReportWarning]:
        warnings = []
        if isinstance(ended, LimitError):
            message = f"{source.name} was not read to its end: {ended}"
            warnings.append(source.warning("input-cut", message))
        elif ended is not None:
            message = f"{source.name} is damaged and was read up to the damage: {ended}"
            warnings.append(source.warning("input-damaged", message))
        skipped = self._budget.skipped
        if skipped:
            more = f" and {len(skipped) - _NAMED} more" if len(skipped) > _NAMED else ""
            message = f"not read in {source.name}: {', '.join(skipped[:_NAMED])}{more}"
            warnings.append(source.warning("members-skipped", message))
        return warnings


def _load_model(source: Source) -> Loaded:
    size = source.input.size if source.path else None
    at = Position(input=source.input.id, member=source.member)
    fragment = model_fragment(source.stream, size, at)
    return replace(source.loaded(InputKind.GGUF, source.path), fragment=fragment)


def _way_out(looks: str) -> str:
    if "cut off" in looks:
        return "fetch it again"
    if looks.startswith("an archive") or looks.endswith(" file"):
        return "unpack it first and give the files in it"
    if looks.startswith("a minidump"):
        return "turn it into text first: minidump-stackwalk FILE > crash.txt"
    return "give a text log or a core dump"


def _open(name: str) -> BinaryIO:
    if name == "-":
        if sys.stdin is None:
            raise InputError("standard input is closed", hint="give the name of a file")
        if sys.stdin.isatty():
            _say("clawtriage: reading standard input; Ctrl-D ends it")
        return cast("BinaryIO", sys.stdin.buffer)
    try:
        with _patience(name):
            descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise InputError(_why(name, error), hint=_hint(error)) from error
    stream = os.fdopen(descriptor, "rb")
    mode = os.fstat(descriptor).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        stream.close()
        raise InputError(f"{name} is not a file", hint="give a log file, a core dump or a folder")
    return stream


def _say(words: str) -> None:
    sys.stderr.write(f"{words}\n")
    sys.stderr.flush()


@contextlib.contextmanager
def _patience(name: str) -> Iterator[None]:
    """Say what is waited for where opening takes long: a pipe that nobody writes to."""
    words = f"clawtriage: waiting for a program that writes to the pipe {safe_line(name)}"
    notice = threading.Timer(_SILENCE, _say, [words])
    notice.daemon = True
    if stat.S_ISFIFO(os.stat(name).st_mode):  # noqa: PTH116 - as the call that follows
        notice.start()
    try:
        yield
    finally:
        notice.cancel()


def _why(name: str, error: OSError) -> str:
    return f"{name}: {error.strerror or error}"


def _hint(error: OSError) -> str:
    if error.errno == errno.ENOENT:
        return "check the name; `-` reads standard input"
    return "read it as its owner, with sudo; who that is: ls -l FILE"


def _size(stream: BinaryIO, name: str) -> tuple[int | None, Path | None]:
    facts = os.fstat(stream.fileno()) if name != "-" else None
    if facts and stat.S_ISREG(facts.st_mode):
        return facts.st_size, Path(name)
    return None, None


def _peek(stream: BinaryIO) -> bytes:
    peek = cast("io.BufferedReader", stream).peek(HEAD)
    return peek[:HEAD]
