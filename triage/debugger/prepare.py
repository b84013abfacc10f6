"""Gets one core dump ready for gdb: what the dump says, which files belong to it, gdb itself.

gdb takes longest to start, so it is started here, and what reads its answers is imported
meanwhile; this module imports little for that reason.
"""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, Final

from triage.closing import Closing
from triage.debugger.bundle import Bundle, BundledFile
from triage.debugger.files import open_regular
from triage.debugger.launch import GdbOptions, GdbProcess, find_gdb, path_text
from triage.debugger.limits import GdbLimits
from triage.debugger.sandbox import CORE, DEBUG, EXECUTABLE, SYSROOT, Sandbox, make_sandbox
from triage.debugger.sysroot import Places, Verified, verify
from triage.elf.corefile import read_core
from triage.elf.facts import CoreFacts
from triage.elf.image import Image, read_image
from triage.errors import DebuggerError, InputError, SandboxError
from triage.model.crash import ReportWarning, Symbols

_NAMED: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreRequest:
    """What the user wants of a core dump.

    `binaries` is the program, or several of which the one with the core's build id is taken;
    `bundled` are the files that came with the core dump, which need that build id in any case.
    `sysroot` holds the crashed machine's files in their folders, `symbols` files by build id.
    `debugger` is a gdb in place of the one that the search path leads to.
    """

    binaries: tuple[Path, ...] = ()
    bundled: tuple[BundledFile, ...] = ()
    sysroot: Path | None = None
    symbols: Path | None = None
    debugger: Path | None = None
    sandbox: bool = True
    limits: GdbLimits = field(default_factory=GdbLimits)

    @property
    def wants_gdb(self) -> bool:
        """Tell whether there is a file that gdb could take names from."""
        return bool(self.binaries or self.sysroot or self.symbols)

    def check(self) -> None:
        """Raise InputError where a program that the user names is none, or cannot be read."""
        if self.debugger is not None and not os.access(self.debugger, os.X_OK):
            raise InputError(
                f"the debugger {self.debugger} cannot be run", hint="give the path of a gdb"
            )
        for binary in self.binaries:
            _read_program(binary)

    def program(self, facts: CoreFacts) -> Path | None:
        """Return the program that crashed, of those that the user named."""
        if len(self.binaries) == 1:
            return self.binaries[0]
        wanted = facts.executable_build_id
        return next((b for b in self.binaries if wanted and build_id_of(b) == wanted), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class GdbSetup:
    """How gdb is started for one core dump, and the names that it gets for the files.

    `verified` are the files in its sandbox, None where it runs without one.
    """

    gdb: str
    sandbox: Sandbox | None
    verified: Verified | None
    core: str
    binary: str | None
    options: GdbOptions

    def start(self, limits: GdbLimits) -> GdbProcess:
        """Start a gdb; raises DebuggerError where that fails."""
        options = self.options._replace(
            unwound_frames=limits.unwound_frames,
            cpu=limits.cpu,
            memory=limits.memory,
        )
        return GdbProcess(self.gdb, options, self.sandbox)


@dataclass(slots=True, kw_only=True)
class Prepared(Closing):
    """A core dump that is ready to be read; a context manager that ends gdb.

    `setup` is None where gdb is not used, `started` is one that waits for its first command.
    `program` says what the symbols of the program's own file are worth, None without that file;
    `poolable` that one gdb may read this and other core dumps of that program: what is damaged, or
    of a program that is not certainly this one, gets a gdb of its own.
    """

    path: Path
    facts: CoreFacts
    limits: GdbLimits
    warnings: list[ReportWarning]
    program: Symbols | None = None
    poolable: bool = False
    setup: GdbSetup | None = None
    started: GdbProcess | None = None

    def close(self) -> None:
        """End gdb, whatever it is doing."""
        if self.started is not None:
            self.started.close()


def prepare(
    path: Path, request: CoreRequest, *, command: str | None = None, start: bool = True
) -> Prepared:
    """Read what a core dump says of itself, and start gdb where there is use for it.

    `command` begins the command line that reads it, where that is not `clawtriage core` with its
    path; `start` false leaves it to the reader to start gdb. Raises InputError where
    `path` is no core dump or the binary no program.
    """
    with _open(path, "core dump") as stream:
        facts = read_core(stream, os.fstat(stream.fileno()).st_size)
    bundle = _bundle(request.bundled)
    places = Places(request.sysroot, request.symbols, bundle if request.sandbox else Bundle())
    binary = request.program(facts) or places.executable(facts)
    bundled = None if binary else places.bundle.program(facts)
    program = BundledFile(binary, str(binary)) if binary else bundled
    if program is None:
        again = command or f"clawtriage core {shlex.quote(str(path))}"
        image, warnings = None, [_missing(again, facts, request, bundle)]
    else:
        image, warnings = _examine(program, facts)
    prepared = Prepared(
        path=path,
        facts=facts,
        limits=request.limits,
        warnings=[*facts.warnings, *warnings],
        program=None if image is None else _symbols(image),
        poolable=image is not None
        and None not in (image.build_id, facts.executable_build_id)
        and not facts.warnings
        and program is not None
        and not program.unpacked,
    )
    readable = facts.supported and facts.threads and not facts.oversized
    if readable and (request.wants_gdb or places.bundle.fits(facts)):
        _set_up(prepared, request, places, None if image is None else program, image)
        if start:
            _start(prepared)
    return prepared


@lru_cache(maxsize=1)
def _bundle(files: tuple[BundledFile, ...]) -> Bundle:
    """Return the files of a bundle, which are looked at once for all core dumps in it."""
    return Bundle(files)


def _start(prepared: Prepared) -> None:
    if prepared.setup is None:
        return
    try:
        prepared.started = prepared.setup.start(prepared.limits)
    except SandboxError as error:
        prepared.warnings.append(sandbox_unavailable(error))
    except DebuggerError as error:
        prepared.warnings.append(debugger_failed(error))


def _set_up(
    prepared: Prepared,
    request: CoreRequest,
    places: Places,
    program: BundledFile | None,
    image: Image | None,
) -> None:
    binary = None if program is None else program.path
    gdb = str(request.debugger.absolute()) if request.debugger else find_gdb()
    if gdb is None:
        message = "gdb is not installed, so functions have no names: apt-get install gdb"
        prepared.warnings.append(_warn("debugger-missing", message))
        return
    try:
        if request.sandbox:
            verified = verify(prepared.path, binary, image, prepared.facts, places)
            prepared.setup = _in_sandbox(gdb, verified, binary)
        else:
            prepared.warnings.append(_without_sandbox())
            prepared.setup = _bare(gdb, prepared.path, binary, request)
    except SandboxError as error:
        prepared.warnings.append(sandbox_unavailable(error))
    except DebuggerError as error:
        prepared.warnings.append(debugger_failed(error))


def _in_sandbox(gdb: str, verified: Verified, binary: Path | None) -> GdbSetup:
    return GdbSetup(
        gdb=gdb,
        sandbox=make_sandbox(gdb, verified.mounts),
        verified=verified,
        core=CORE,
        binary=None if binary is None else EXECUTABLE,
        options=GdbOptions(sysroot=SYSROOT, debug_directory=DEBUG),
    )


def _bare(gdb: str, core: Path, binary: Path | None, request: CoreRequest) -> GdbSetup:
    return GdbSetup(
        gdb=gdb,
        sandbox=None,
        verified=None,
        core=path_text(core) or "",
        binary=path_text(binary),
        options=GdbOptions(
            sysroot=path_text(request.sysroot), debug_directory=path_text(request.symbols)
        ),
    )


def debugger_failed(error: DebuggerError) -> ReportWarning:
    """Return the warning for a gdb that could not be used."""
    hint = f" ({error.hint})" if error.hint else ""
    return _warn("debugger-failed", f"{error}{hint}")


def sandbox_unavailable(error: SandboxError) -> ReportWarning:
    """Return the warning for a machine on which gdb could not be put into a sandbox."""
    way_out = error.hint or (
        "allow user namespaces: sysctl -w kernel.unprivileged_userns_clone=1 "
        "kernel.apparmor_restrict_unprivileged_userns=0 user.max_user_namespaces=15000"
    )
    message = (
        f"gdb was not run, because there is no sandbox for it: {error}; {way_out}; "
        "for a core dump and a program that you trust: --unsafe-no-sandbox"
    )
    return _warn("sandbox-unavailable", message)


def _without_sandbox() -> ReportWarning:
    message = (
        "gdb ran without a sandbox (--unsafe-no-sandbox): what is in the core dump and the program "
        "could read any file of this user"
    )
    return _warn("sandbox-off", message)


def _open(path: Path, what: str) -> BinaryIO:
    try:
        return open_regular(path)
    except OSError as error:
        hint = "check its name, and who may read it: ls -l FILE"
        raise InputError(f"cannot read the {what} {path}: {error.strerror}", hint=hint) from error


def _read_program(binary: Path) -> Image:
    with _open(binary, "binary") as stream:
        try:
            return read_image(stream)
        except InputError as error:
            raise InputError(f"the binary {binary} is {error}", hint=error.hint) from error


def build_id_of(binary: Path) -> str | None:
    """Return the build id of a program; raises InputError where the file is none."""
    return _read_program(binary).build_id


def is_same_program(core: Path, binary: Path) -> bool | None:
    """Tell whether a file is the program that crashed, None where neither can be said."""
    with _open(core, "core dump") as stream:
        wanted = read_core(stream, os.fstat(stream.fileno()).st_size).executable_build_id
    found = build_id_of(binary)
    return None if wanted is None or found is None else wanted == found


def _examine(program: BundledFile, facts: CoreFacts) -> tuple[Image | None, list[ReportWarning]]:
    """Return what the program's file holds, None where it is not the one that crashed."""
    image, binary = _read_program(program.path), program.name
    problem = _mismatch(binary, image, facts)
    if problem is not None:
        return None, [problem]
    warnings = []
    if None in (image.build_id, facts.executable_build_id):
        message = f"{binary} cannot be compared with the core dump: one of them has no build id"
        warnings.append(_warn("binary-unverified", message))
    if not image.has_debug_info and not image.debug_link:
        warnings.append(_stripped(binary, image))
    return image, warnings


def _symbols(image: Image) -> Symbols:
    if image.has_debug_info:
        return Symbols.FULL
    return Symbols.SYMBOLS_ONLY if image.has_symbols else Symbols.MISSING


def _mismatch(binary: str, image: Image, facts: CoreFacts) -> ReportWarning | None:
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


def _missing(again: str, facts: CoreFacts, request: CoreRequest, bundle: Bundle) -> ReportWarning:
    executable = facts.executable or "an unknown program"
    given = shlex.quote((facts.executable or "PATH").removesuffix(" (deleted)"))
    message = (
        f"without the program there are no function names; the core dump is from {executable}"
        f"{_not_it(facts, request, bundle)}: {again} --binary {given}"
    )
    return _warn("binary-missing", message)


def _not_it(facts: CoreFacts, request: CoreRequest, bundle: Bundle) -> str:
    """Say why the programs that there are cannot be taken for the one that crashed."""
    there = [*map(str, request.binaries), *bundle.names]
    if not there:
        return ""
    names = ", ".join(there[:_NAMED]) + (" …" if len(there) > _NAMED else "")
    if facts.executable_build_id is None:
        return (
            f", and does not have its build id, so that it cannot be told whether that is {names}; "
            "name the one that you trust to be it"
        )
    if bundle.program(facts) is not None:
        return (
            f"; the one that came with it ({names}) is used in a sandbox only, unless you name it"
        )
    return f" with the build id {facts.executable_build_id}, which is not that of {names}"


def _stripped(binary: str, image: Image) -> ReportWarning:
    left = "function names only" if image.has_symbols else "no symbols"
    message = (
        f"{binary} has {left}; for files and lines give the file before `strip`, "
        "or build with -g (CMAKE_BUILD_TYPE=RelWithDebInfo)"
    )
    return _warn("binary-stripped", message)


def _warn(code: str, message: str) -> ReportWarning:
    return ReportWarning(code=code, message=message)
