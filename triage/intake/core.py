"""Tells at once whether a file is a core dump, before anything slow is begun."""

from __future__ import annotations

import errno
import io
import stat
import sys
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from triage.errors import InputError
from triage.intake.dumps import (
    DUMPS,
    HEAD,
    load_dump,
    refuse_packed_twice,
    unpacked_from,
    unpacking,
)
from triage.intake.kind import classify, compression
from triage.intake.loaded import STANDARD_INPUT, Loaded, Source
from triage.intake.spool import Spool
from triage.intake.unpack import unpacked
from triage.model.report import Input, InputKind

_UNREADABLE = (
    "read it as its owner (sudo clawtriage core CORE), or take it from where systemd keeps it for "
    "you: coredumpctl dump -o core PID"
)


class FolderOfCores(NamedTuple):
    """The core dumps in a folder, packed ones too, and the programs and libraries beside them."""

    cores: list[Path]
    programs: list[Path]


def load_core(name: str, spool: Spool) -> Loaded:
    """Check that a file is a core dump, and unpack one that is compressed; `-` is standard input.

    Raises InputError, saying what the file is instead and which command takes it.
    """
    if name == "-":
        return _load_stdin(spool)
    path = Path(name)
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):
            raise InputError(f"{path} is not a file", hint="give the core dump, a file on disk")
        with path.open("rb") as stream:
            info = Input(id=0, name=str(path), kind=InputKind.ELF_CORE, size=facts.st_size)
            return load_open(Source(input=info, stream=stream, path=path), spool)
    except OSError as error:
        denied = error.errno in (errno.EACCES, errno.EPERM)
        hint = _UNREADABLE if denied else "check the name of the core"
        raise InputError(f"{path}: {error.strerror}", hint=hint) from error


def _load_stdin(spool: Spool) -> Loaded:
    if sys.stdin is None:
        raise InputError("standard input is closed", hint="give the name of a core dump")
    info = Input(id=0, name=STANDARD_INPUT, kind=InputKind.ELF_CORE)
    stream = io.BufferedReader(cast("io.RawIOBase", sys.stdin.buffer), HEAD * 2)
    return load_open(Source(input=info, stream=cast("BinaryIO", stream)), spool)


def find_cores(folder: Path) -> FolderOfCores:
    """Return the core dumps in a folder, by name; raises InputError where there are none."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and not p.is_symlink())
    found = FolderOfCores([], [])
    for path in files:
        kind = _kind(path)
        if kind in DUMPS:
            found.cores.append(path)
        elif kind is InputKind.PROGRAM:
            found.programs.append(path)
    if not found.cores:
        raise InputError(
            f"{folder}: no core dumps in this folder",
            hint=f"clawtriage analyze {folder} reads logs",
        )
    return found


def _kind(path: Path) -> InputKind:
    """Return what a file is; a program that is packed counts as packed."""
    try:
        with path.open("rb") as stream:
            head = stream.peek(HEAD)
            name = compression(head)
            if name is None:
                return classify(head)[0]
            with io.BufferedReader(unpacked(stream, name), HEAD * 2) as inner:
                kind = classify(inner.peek(HEAD))[0]
                return kind if kind in DUMPS else InputKind.ARCHIVE
    except (OSError, InputError):
        return InputKind.UNREADABLE


def load_open(source: Source, spool: Spool) -> Loaded:
    """Load a core dump from a file or stream that is open; raises InputError for anything else."""
    head = source.stream.peek(HEAD)  # type: ignore[attr-defined]
    name = compression(head)
    if name is None:
        kind = _require_dump(source, head)
        return load_dump(replace(source, input=replace(source.input, kind=kind)), kind, spool)
    with unpacking(source, name) as (plain, inner):
        refuse_packed_twice(source, inner.peek(HEAD))
        kind = _require_dump(source, inner.peek(HEAD))
        info = replace(source.input, kind=kind)
        loaded = load_dump(replace(source, input=info, stream=inner, path=None), kind, spool)
        return unpacked_from(source, name, plain.damage, [loaded])[0]


def _require_dump(source: Source, head: bytes) -> InputKind:
    kind, looks = classify(head)
    if kind in DUMPS:
        return kind
    name = source.name
    if not head:
        raise InputError(
            f"{name} is empty",
            hint="the core was not written: check `ulimit -c unlimited`, free disk space and "
            "/proc/sys/kernel/core_pattern",
        )
    takes = (InputKind.TEXT, InputKind.ARCHIVE)
    hint = f"clawtriage analyze {name}" if kind in takes else "give the core dump itself"
    if kind is InputKind.PROGRAM:
        hint = f"give its core dump: clawtriage core CORE --binary {name}"
    looks = looks.removesuffix(", not a core dump")
    raise InputError(f"{name} is {looks}, not a core dump", hint=hint)
