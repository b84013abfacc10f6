"""Runs every upload of a folder through the pipeline; a failure is a row, never the end."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from triage.debugger.pool import GdbPool
from triage.errors import BatchError, TriageError
from triage.intake.spool import Spool
from triage.model.jsonform import to_json
from triage.pipeline import Analyzer, Options

_LOG = logging.getLogger(__name__)


def run_batch(uploads: Path, options: Options) -> Iterator[dict[str, Any]]:
    """Yield a row for each upload: its name with its report, or with what went wrong.

    Raises BatchError where the folder itself cannot be read.
    """
    names = _uploads(uploads)
    with Spool(options.tmp) as spool, GdbPool(spool.folder) as pool:
        analyzer = Analyzer(replace(options, pool=pool))
        for path in names:
            yield {"upload": _name(path), **_outcome(analyzer, path)}


def _uploads(folder: Path) -> list[Path]:
    try:
        return sorted(p for p in folder.iterdir() if not p.name.startswith("."))
    except NotADirectoryError:
        raise BatchError(
            f"{folder} is not a folder", hint=f"one crash alone: clawtriage analyze {folder}"
        ) from None
    except OSError as error:
        raise BatchError(
            f"{folder}: {error.strerror}", hint="give the folder that the uploads are in"
        ) from error


def _name(path: Path) -> str:
    """Return the upload's name as text, whatever bytes it is made of."""
    return path.name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _outcome(analyzer: Analyzer, path: Path) -> dict[str, Any]:
    if path.is_symlink() or not (path.is_file() or path.is_dir()):
        return _error("not-a-file", "an upload is a plain file or a folder")
    try:
        return {"report": to_json(analyzer.analyze([str(path)]))}
    except TriageError as error:
        hint = f" ({error.hint})" if error.hint else ""
        return _error(type(error).__name__, f"{error}{hint}")
    except Exception as error:
        _LOG.debug("upload %s", path, exc_info=True)
        return _error("internal", f"{type(error).__name__}: {error}")


def _error(kind: str, message: str) -> dict[str, Any]:
    return {"error": {"kind": kind, "message": message}}
