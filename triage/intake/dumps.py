"""Gives a dump a place on disk, where gdb can read it."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

from triage.errors import InputError
from triage.intake.kind import compression
from triage.intake.loaded import Loaded, Source
from triage.intake.spool import Spool
from triage.intake.unpack import Unpacked, unpacked
from triage.model.report import InputKind

HEAD: Final = 65536
"""Bytes that tell what a file is."""

DUMPS: Final = (InputKind.ELF_CORE, InputKind.GPU_CORE)


def load_dump(source: Source, kind: InputKind, spool: Spool) -> Loaded:
    """Return a dump as a file: its own, or one in the spool."""
    if source.path is not None:
        return source.loaded(kind, source.path)
    stored = spool.store(source.stream)
    loaded = source.loaded(kind, stored.path)
    if stored.stopped is None:
        return loaded
    message = (
        f"only the first {stored.size:,} bytes of {source.name} were unpacked: {stored.stopped} "
        "(unpack it yourself, or name another folder: --tmp DIR)"
    )
    return replace(
        loaded,
        input=replace(loaded.input, truncated=True),
        warnings=(source.warning("input-cut", message),),
    )


def refuse_packed_twice(source: Source, head: bytes) -> None:
    """Raise InputError where a packed file, of which `head` is unpacked, holds another one."""
    inner = compression(head)
    if inner is not None:
        raise InputError(
            f"{source.name} is packed twice: it holds a {inner} file",
            hint="unpack it once: zstd, gzip, bzip2, xz or lz4 with -d",
        )


@contextmanager
def unpacking(
    source: Source, compression: str
) -> Iterator[tuple[Unpacked, io.BufferedReader[Unpacked]]]:
    """Open a packed file; raises InputError where nothing of it can be unpacked."""
    plain = unpacked(source.stream, compression)
    with io.BufferedReader(plain, HEAD * 2) as inner:
        if not inner.peek(HEAD) and plain.damage:
            raise InputError(
                f"{source.name}: damaged {compression} file: {plain.damage}",
                hint="fetch it again, or unpack it with the program that packed it",
            )
        yield plain, inner


def unpacked_from(
    source: Source, compression: str, damage: str | None, loaded: Sequence[Loaded]
) -> list[Loaded]:
    """Return what was read out of a packed file, with a word on what was wrong with that."""
    results = [
        item if item.member else replace(item, input=replace(item.input, sha256=None))
        for item in loaded
    ]
    if damage and not any(w.code == "input-damaged" for item in loaded for w in item.warnings):
        what = f"damaged {compression} file".replace("  ", " ")
        message = f"{source.name}: {what}, read up to the damage: {damage}"
        last = results[-1]
        results[-1] = replace(
            last,
            input=replace(last.input, truncated=True),
            warnings=(*last.warnings, source.warning("input-damaged", message)),
        )
    return results
