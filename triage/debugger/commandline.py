"""How gdb is started, so that nothing in an input runs and nothing leaves the machine."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from triage.debugger.limits import Arguments

NOWHERE: Final = "/nonexistent"

ENVIRONMENT: Final = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "HOME": NOWHERE,
    "TERM": "dumb",
    "DEBUGINFOD_URLS": "",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class GdbOptions:
    """What differs from run to run.

    `sysroot` None stands for gdb's own choice, the running system; `debug_directory` None for the
    folder of separate debug files that gdb was built with.
    """

    sysroot: str | None = None
    debug_directory: str | None = None
    demangle: bool = True
    arguments: Arguments = Arguments.SCALARS
    unwound_frames: int = 20_000


def find_gdb() -> Path | None:
    """Return the debugger that the search path leads to."""
    found = shutil.which("gdb")
    return Path(found).absolute() if found else None


def command_line(gdb: Path, options: GdbOptions) -> list[str]:
    """Return the command that starts gdb without any input."""
    early = ("set python ignore-environment on", "set python dont-write-bytecode on")
    command = [str(gdb), "--interpreter=mi3", "-nx", "-nh", "-q"]
    command += [word for setting in early for word in ("-eiex", setting)]
    return command + [word for line in _settings(options) for word in ("-iex", line)]


def expected_settings(options: GdbOptions) -> dict[str, str]:
    """Return the settings that must be in force before an input is opened.

    gdb only prints a message for a setting that it does not know, and goes on.
    """
    expected = {
        "auto-load gdb-scripts": "off",
        "auto-load python-scripts": "off",
        "auto-load local-gdbinit": "off",
        "auto-load libthread-db": "off",
        "auto-load safe-path": NOWHERE,
        "libthread-db-search-path": NOWHERE,
        "debuginfod enabled": "off",
        "index-cache enabled": "off",
        "source open": "off",
        "may-call-functions": "off",
        "pagination": "off",
        "confirm": "off",
        "backtrace limit": str(options.unwound_frames),
    }
    chosen = {"sysroot": options.sysroot, "debug-file-directory": options.debug_directory}
    return expected | {name: value for name, value in chosen.items() if value is not None}


def _settings(options: GdbOptions) -> Sequence[str]:
    # Scripts are forbidden first: several of the other settings would let gdb look for some.
    lines = [
        "set auto-load no",
        f"set auto-load safe-path {NOWHERE}",
        f"set libthread-db-search-path {NOWHERE}",
        "set debuginfod enabled off",
        "set index-cache enabled off",
        "set source open off",
        "set style enabled off",
        "set pagination off",
        "set confirm off",
        "set width 0",
        "set height 0",
        "set may-call-functions off",
        f"set backtrace limit {options.unwound_frames}",
        f"set print frame-arguments {options.arguments}",
        "set print elements 200",
        "set print max-depth 5",
        "set max-value-size 65536",
        "maint set worker-threads 0",
    ]
    if options.sysroot is not None:
        lines.append(f"set sysroot {options.sysroot}")
    if options.debug_directory is not None:
        lines.append(f"set debug-file-directory {options.debug_directory}")
    if not options.demangle:
        lines += ["set print demangle off", "set demangle-style none"]
    return lines
