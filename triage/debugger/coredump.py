"""Reads a core dump: first its own account of the crash, then the debugger's."""

from __future__ import annotations

import dataclasses
import os
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from triage.debugger.files import open_regular
from triage.debugger.gdb import Symbolication, bare_fragment, read_with_gdb
from triage.debugger.launch import GdbProcess
from triage.debugger.limits import GdbLimits
from triage.debugger.options import parse_options
from triage.debugger.pool import GdbPool
from triage.elf.corefile import read_core
from triage.elf.facts import CoreFacts
from triage.elf.image import Image, read_image
from triage.errors import InputError
from triage.model.crash import Environment, Fragment, ModelFile, ReportWarning, Symbols
from triage.model.position import Position

_MODEL_SUFFIXES: Final = (".gguf", ".ggml", ".safetensors")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Program:
    """The executable that the user gave: whether its symbols are used, and what they are worth.

    `verified` says that it certainly is the one that crashed.
    """

    path: Path | None = None
    symbols: Symbols | None = None
    verified: bool = False
    warnings: tuple[ReportWarning, ...] = ()


def read_core_dump(  # noqa: PLR0913
    path: Path,
    *,
    name: str | None = None,
    binary: Path | None,
    sysroot: Path | None = None,
    input_id: int,
    known_variables: frozenset[str] | Callable[[], frozenset[str]] = frozenset(),
    limits: GdbLimits | None = None,
    started: GdbProcess | GdbPool | None = None,
) -> Fragment:
    """Read a core dump into a fragment.

    Only files that the user names are opened: without `binary` or `sysroot` gdb is not run, since
    it would open whatever the core dump names. A variable of `known_variables` that was certainly
    not set is recorded as unset; a function is asked for them when all else is read. `started` is
    a gdb from `launch` that may be used, or a pool of gdbs for many core dumps; who made it closes
    it. `name` is what a command line calls the core dump, where that is not its path. Raises
    InputError where `path` is no core dump or `binary` no program.
    """
    with _open(path, "core dump") as stream:
        facts = read_core(stream, os.fstat(stream.fileno()).st_size)
    program = _examine(name or shlex.quote(str(path)), binary, facts)
    warnings = [*facts.warnings, *program.warnings]
    # What is damaged, or of a program that is not certainly this one, gets a gdb of its own.
    poolable = program.verified and not facts.warnings
    if not facts.supported or (binary is None and sysroot is None):
        fragment = bare_fragment(facts, input_id)
    else:
        fragment = read_with_gdb(
            path,
            program.path,
            facts=facts,
            input_id=input_id,
            limits=limits or GdbLimits(),
            symbolication=Symbolication(sysroot=sysroot, program=program.symbols),
            started=started if isinstance(started, GdbProcess) or poolable else None,
        )
    names = known_variables() if callable(known_variables) else known_variables
    return dataclasses.replace(
        fragment,
        environment=read_environment(facts, input_id, names),
        warnings=tuple(
            dataclasses.replace(w, at=Position(input=input_id))
            for w in (*warnings, *fragment.warnings)
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
    if startup.arguments is not None:
        names.append("command_line")
    if model is not None:
        names += ["model.path", "model.file_size"]
    return Environment(
        os="linux",
        arch=facts.arch,
        command_line=startup.arguments,
        variables=variables,
        options=options,
        container=startup.container,
        model=model,
        where=dict.fromkeys(names, Position(input=input_id)),
    )


def choose_binary(core: Path, binaries: Sequence[Path]) -> Path | None:
    """Return the program that crashed, of several by the build id that the core dump states."""
    if len(binaries) < 2:
        return binaries[0] if binaries else None
    with _open(core, "core dump") as stream:
        wanted = read_core(stream, os.fstat(stream.fileno()).st_size).executable_build_id
    return next((b for b in binaries if wanted and _build_id_of(b) == wanted), None)


def is_same_program(core: Path, binary: Path) -> bool | None:
    """Tell whether a file is the program that crashed, None where neither can be said."""
    with _open(core, "core dump") as stream:
        wanted = read_core(stream, os.fstat(stream.fileno()).st_size).executable_build_id
    found = _build_id_of(binary)
    return None if wanted is None or found is None else wanted == found


def _build_id_of(binary: Path) -> str | None:
    with _open(binary, "binary") as stream:
        return read_image(stream).build_id


def _model(facts: CoreFacts) -> ModelFile | None:
    """Return the model file that was mapped; the first, where it is split into several."""
    maps = [m for m in facts.mappings if m.path.endswith(_MODEL_SUFFIXES)]
    if not maps:
        return None
    path = maps[0].path
    # What is mapped ends with the file, rounded up to a page.
    size = max(m.offset + m.end - m.start for m in maps if m.path == path)
    return ModelFile(path=path, file_size=size)


def _open(path: Path, what: str) -> BinaryIO:
    try:
        return open_regular(path)
    except OSError as error:
        raise InputError(f"cannot read the {what} {path}: {error.strerror}") from error


def _examine(core: str, binary: Path | None, facts: CoreFacts) -> _Program:
    if binary is None:
        return _Program(warnings=(_missing(core, facts),))
    with _open(binary, "binary") as stream:
        image = read_image(stream)
    problem = _mismatch(binary, image, facts)
    if problem is not None:
        return _Program(warnings=(problem,))
    warnings = []
    if None in (image.build_id, facts.executable_build_id):
        message = f"{binary} cannot be compared with the core dump: one of them has no build id"
        warnings.append(_warn("binary-unverified", message))
    if not image.has_debug_info and not image.debug_link:
        warnings.append(_stripped(binary, image))
    return _Program(
        path=binary,
        symbols=_symbols(image),
        verified=None not in (image.build_id, facts.executable_build_id),
        warnings=tuple(warnings),
    )


def _symbols(image: Image) -> Symbols:
    if image.has_debug_info:
        return Symbols.FULL
    return Symbols.SYMBOLS_ONLY if image.has_symbols else Symbols.MISSING


def _mismatch(binary: Path, image: Image, facts: CoreFacts) -> ReportWarning | None:
    wanted = facts.executable_build_id
    if image.arch != facts.arch:
        reason = f"it is for {image.arch}, the core dump from {facts.arch}"
    elif image.build_id and wanted and image.build_id != wanted:
        reason = f"its build id is {image.build_id}, the crashed program's {wanted}"
    else:
        return None
    message = (
        f"{binary} is not the program that crashed ({reason}); its symbols were not used, "
        "and the stacks end at the program's first frame"
    )
    return _warn("binary-mismatch", message)


def _missing(core: str, facts: CoreFacts) -> ReportWarning:
    executable = facts.executable or "an unknown program"
    given = shlex.quote((facts.executable or "PATH").removesuffix(" (deleted)"))
    message = (
        f"without the program there are no function names; the core dump is from {executable}: "
        f"clawtriage core {core} --binary {given}"
    )
    return _warn("binary-missing", message)


def _stripped(binary: Path, image: Image) -> ReportWarning:
    left = "function names only" if image.has_symbols else "no symbols"
    message = (
        f"{binary} has {left}; for files and lines give the file before `strip`, "
        "or build with -g (CMAKE_BUILD_TYPE=RelWithDebInfo)"
    )
    return _warn("binary-stripped", message)


def _warn(code: str, message: str) -> ReportWarning:
    return ReportWarning(code=code, message=message)
