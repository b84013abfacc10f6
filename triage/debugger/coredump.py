"""Reads a core dump: first its own account of the crash, then the debugger's."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Final

from triage.debugger.gdb import read_with_gdb
from triage.debugger.options import parse_options
from triage.debugger.pool import GdbPool
from triage.debugger.prepare import CoreRequest, Prepared, prepare
from triage.elf.facts import CoreFacts
from triage.model.crash import Environment, Fragment, ModelFile
from triage.model.position import Position

_MODEL_SUFFIXES: Final = (".gguf", ".ggml", ".safetensors")


def read_core_dump(
    path: Path,
    request: CoreRequest,
    *,
    input_id: int,
    known_variables: frozenset[str] | Callable[[], frozenset[str]] = frozenset(),
    command: str | None = None,
    pool: GdbPool | None = None,
) -> Fragment:
    """Read a core dump into a fragment.

    Only files that the user names are opened, and this machine's libraries where a program is
    among them: without any, gdb is not run. A variable of `known_variables` that was certainly not
    set is recorded as unset; a function is asked for them when all else is read. `name` is what a
    command line calls the core dump, where that is not its path; `pool` has gdbs for more than one
    core dump. Raises InputError where `path` is no core dump or the binary no program.
    """
    with prepare(path, request, command=command, start=pool is None) as prepared:
        return read_prepared(
            prepared, input_id=input_id, known_variables=known_variables, pool=pool
        )


def read_prepared(
    prepared: Prepared,
    *,
    input_id: int,
    known_variables: frozenset[str] | Callable[[], frozenset[str]] = frozenset(),
    pool: GdbPool | None = None,
) -> Fragment:
    """Read a core dump that gdb may have been started for already; see `read_core_dump`."""
    facts = prepared.facts
    fragment = read_with_gdb(prepared, input_id, pool)
    names = known_variables() if callable(known_variables) else known_variables
    return dataclasses.replace(
        fragment,
        environment=read_environment(facts, input_id, names),
        truncated=bool(facts.missing_bytes),
        warnings=tuple(
            dataclasses.replace(w, at=Position(input=input_id))
            for w in (*prepared.warnings, *fragment.warnings)
        ),
    )


def read_environment(
    facts: CoreFacts, input_id: int, known_variables: frozenset[str]
) -> Environment:
    """Return the circumstances of the crash that the core dump tells."""
    startup = facts.startup
    variables: dict[str, str | None] = dict(startup.variables)
    if startup.environment_read:
        variables |= dict.fromkeys(sorted(known_variables - startup.names))
    options = parse_options(startup.arguments or ())
    model = _model(facts)
    names = [
        "os",
        "arch",
        *(f"variable.{n}" for n in variables),
        *(f"option.{n}" for n in options),
    ]
    if facts.executable is not None:
        names.append("executable")
    if startup.arguments is not None:
        names.append("command_line")
    if model is not None:
        names += ["model.path", "model.file_size"]
    return Environment(
        os="linux",
        arch=facts.arch,
        executable=facts.executable,
        command_line=startup.arguments,
        variables=variables,
        options=options,
        container=startup.container,
        model=model,
        where=dict.fromkeys(names, Position(input=input_id)),
    )


def _model(facts: CoreFacts) -> ModelFile | None:
    """Return the model file that was mapped; the first, where it is split into several."""
    maps = [m for m in facts.mappings if m.path.endswith(_MODEL_SUFFIXES)]
    if not maps:
        return None
    path = maps[0].path
    # What is mapped ends with the file, rounded up to a page.
    size = max(m.offset + m.end - m.start for m in maps if m.path == path)
    return ModelFile(path=path, file_size=size)
