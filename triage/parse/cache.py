"""Compiled things kept between runs, in a folder that only its user can write.

A damaged, foreign or missing entry is a miss, never an error: everything here can be made again.
Entries are written beside their place and renamed into it, so two processes that start at once
both find a whole file.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import IO, Any, TypeVar

T = TypeVar("T")


@cache
def cache_folder() -> Path | None:
    """Return clawtriage's cache folder, made if need be; None where there can be none.

    A compiled grammar is loaded with pickle, so a folder that somebody else owns or can write is
    not used.
    """
    base = os.environ.get("CLAWTRIAGE_CACHE_DIR")
    if base is None:
        from platformdirs import user_cache_path  # only where nothing is set

        base = str(user_cache_path("clawtriage"))
    folder = Path(base)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        facts = folder.stat()
    except OSError:
        return None
    if hasattr(os, "getuid") and (
        facts.st_uid != os.getuid() or facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    ):
        return None
    return folder if os.access(folder, os.W_OK) else None


def load_cached(name: str, read: Callable[[IO[bytes]], T]) -> T | None:
    """Return what `read` makes of a cache entry; None where it is missing or damaged."""
    path = _path(name)
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            return read(file)
    except FileNotFoundError:
        return None
    except Exception:
        with contextlib.suppress(OSError):
            path.unlink()
        return None


def store_cached(name: str, write: Callable[[IO[bytes]], Any]) -> None:
    """Put an entry into the cache; a full disk or a missing folder is no error."""
    path = _path(name)
    if path is None:
        return
    try:
        descriptor, new = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    except OSError:
        return
    try:
        with os.fdopen(descriptor, "wb") as file:
            write(file)
        Path(new).replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            Path(new).unlink()


def _path(name: str) -> Path | None:
    folder = cache_folder()
    tag = sys.implementation.cache_tag
    return folder / f"{name}.{tag}.pickle" if folder else None
