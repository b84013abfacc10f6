"""Tells at once whether a file is a core dump, before anything slow is begun."""

from __future__ import annotations

import io
import stat
from dataclasses import replace
from pathlib import Path

from triage.errors import InputError
from triage.intake.dumps import DUMPS, HEAD, load_dump, unpacked_from, unpacking
from triage.intake.kind import classify, compression
from triage.intake.loaded import Loaded, Source
from triage.intake.spool import Spool
from triage.intake.unpack import unpacked
from triage.model.report import Input, InputKind


def load_core(path: Path, spool: Spool) -> Loaded:
    """Check that a file is a core dump, and unpack one that is compressed.

    Raises InputError, saying what the file is instead and which command takes it.
    """
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):
            raise InputError(f"{path} is not a file", hint="give the core dump, a file on disk")
        with path.open("rb") as stream:
            info = Input(id=0, name=str(path), kind=InputKind.ELF_CORE, size=facts.st_size)
            return load_open(Source(input=info, stream=stream, path=path), spool)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}", hint="check the name of the core") from error


def find_cores(folder: Path) -> list[Path]:
    """Return the core dumps in a folder, packed ones too, by name.

    Raises InputError where there are none.
    """
    files = sorted(p for p in folder.rglob("*") if p.is_file() and not p.is_symlink())
    found = [path for path in files if _is_core(path)]
    if not found:
        raise InputError(
            f"{folder}: no core dumps in this folder",
            hint=f"clawtriage analyze {folder} reads logs",
        )
    return found


def _is_core(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            head = stream.peek(HEAD)
            name = compression(head)
            if name is None:
                return classify(head)[0] in DUMPS
            with io.BufferedReader(unpacked(stream, name), HEAD * 2) as inner:
                return classify(inner.peek(HEAD))[0] in DUMPS
    except (OSError, InputError):
        return False


def load_open(source: Source, spool: Spool) -> Loaded:
    """Load a core dump from a file or stream that is open; raises InputError for anything else."""
    head = source.stream.peek(HEAD)  # type: ignore[attr-defined]
    name = compression(head)
    if name is None:
        kind = _require_dump(source, head)
        return load_dump(replace(source, input=replace(source.input, kind=kind)), kind, spool)
    with unpacking(source, name) as (plain, inner):
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
    looks = looks.removesuffix(", not a core dump")
    raise InputError(f"{name} is {looks}, not a core dump", hint=hint)
