"""Tells at once whether a file is a core dump, before anything slow is begun."""

from __future__ import annotations

import stat
from pathlib import Path

from triage.errors import InputError
from triage.intake.kind import classify
from triage.model.report import InputKind


def require_core(path: Path) -> None:
    """Check that a file is a core dump before anything else is done.

    Raises InputError, saying what the file is instead and which command takes it.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise InputError(f"{path} is not a file", hint="give the core dump, a file on disk")
        with path.open("rb") as stream:
            head = stream.read(65536)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}", hint="check the name of the core") from error
    kind, looks = classify(head)
    if kind in (InputKind.ELF_CORE, InputKind.GPU_CORE):
        return
    if not head:
        raise InputError(
            f"{path} is empty",
            hint="the core was not written: check `ulimit -c unlimited`, free disk space and "
            "/proc/sys/kernel/core_pattern",
        )
    hint = f"clawtriage analyze {path}" if kind is InputKind.TEXT else "give the core dump itself"
    looks = looks.removesuffix(", not a core dump")
    raise InputError(f"{path} is {looks}, not a core dump", hint=hint)
