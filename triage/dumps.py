"""Core dumps, of processors and of GPUs, read with the programs that came along."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from triage.errors import InputError
from triage.intake.loaded import Loaded
from triage.model.crash import Fragment, ReportWarning
from triage.model.position import Position
from triage.model.report import InputKind

if TYPE_CHECKING:
    from triage.debugger.pool import GdbPool
    from triage.debugger.prepare import CoreRequest

_NAMED = 5
_NOTHING_TO_READ = (InputKind.PROGRAM, InputKind.ARCHIVE, InputKind.UNREADABLE)


def without_programs(loaded: list[Loaded]) -> list[Loaded]:
    """Say of programs among the inputs that they were not used.

    Raises InputError where nothing else is there.
    """
    programs = [item for item in loaded if item.kind is InputKind.PROGRAM]
    if not programs:
        return loaded
    first = programs[0].name
    file = shlex.quote(programs[0].input.name)
    hint = f"give its core dump: clawtriage core CORE --binary {file}"
    if all(item.kind in _NOTHING_TO_READ for item in loaded):
        raise InputError(f"{first} is a program or library, not a core dump", hint=hint)
    names = ", ".join(item.name for item in programs[:_NAMED])
    more = f" and {len(programs) - _NAMED} more" if len(programs) > _NAMED else ""
    message = f"programs and libraries were not read: {names}{more} ({hint})"
    at = Position(input=programs[0].input.id, member=programs[0].member)
    warning = ReportWarning(code="program-unused", message=message, at=at)
    return [
        replace(item, warnings=(*item.warnings, warning)) if item is programs[0] else item
        for item in loaded
    ]


def with_programs(request: CoreRequest | None, loaded: Sequence[Loaded]) -> CoreRequest | None:
    """Let core dumps be read with the programs that came along."""
    files = [(i.path, i.name) for i in loaded if i.kind is InputKind.PROGRAM and i.path]
    if not files:
        return request
    from triage.debugger.bundle import BundledFile  # logs do not need it
    from triage.debugger.prepare import CoreRequest

    wanted = request or CoreRequest()
    bundled = (*wanted.bundled, *(BundledFile(path, name) for path, name in files))
    return replace(wanted, bundled=bundled)


def _command(item: Loaded) -> str:
    """Return how the command line begins that reads a core dump again."""
    if item.member is not None:
        return f"clawtriage analyze {shlex.quote(item.input.name)}"
    return f"clawtriage core {'-' if item.from_stdin else shlex.quote(item.input.name)}"


def core_fragment(
    item: Loaded,
    path: Path,
    request: CoreRequest | None,
    variables: frozenset[str],
    pool: GdbPool | None,
) -> Fragment:
    """Return what a processor's core dump says."""
    from triage.debugger.coredump import read_core_dump  # logs do not need it
    from triage.debugger.prepare import CoreRequest

    return read_core_dump(
        path,
        request or CoreRequest(),
        command=_command(item),
        input_id=item.input.id,
        known_variables=variables,
        pool=pool,
    )


def gpu_core_fragment(item: Loaded, path: Path) -> Fragment:
    """Return what a GPU's core dump says; a warning where it cannot be read."""
    from triage.debugger.files import open_regular  # logs do not need it
    from triage.gpucore.fragment import read_gpu_core

    try:
        with open_regular(path) as stream:
            found = read_gpu_core(stream, path.stat().st_size, item.input.id)
            return replace(found, dumped=True)
    except (OSError, InputError) as error:
        at = Position(input=item.input.id)
        hint = f" ({error.hint})" if isinstance(error, InputError) and error.hint else ""
        warning = ReportWarning(
            code="input-unreadable", message=f"{item.name}: {error}{hint}", at=at
        )
        return Fragment(dialect="", dumped=True, warnings=(warning,))
