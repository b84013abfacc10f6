"""Finds what a sandbox needs of this machine: gdb with its libraries, bubblewrap and prlimit.

Asking the dynamic linker and gdb's own Python takes longer than reading a small core dump, so the
answer is kept in the cache until one of the programs or the linker's own cache changes.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from triage.errors import SandboxError
from triage.parse.cache import load_cached, store_cached

_CACHED: Final = "gdb-files"
_LINKER_CACHE: Final = "/etc/ld.so.cache"
# Where the program itself is on systems whose `gdb` is a script.
_BEHIND_SCRIPT: Final = "/usr/libexec/gdb"
_PATIENCE: Final = 30
_ENVIRONMENT: Final = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/nonexistent"}


class Tools(NamedTuple):
    """Programs by their paths; `options` are those of bubblewrap that not every version has.

    `libraries` are what the dynamic linker loads for gdb and prlimit, `python` is the folder of the standard
    library of gdb's own Python, None where it has no Python.
    """

    gdb: str
    bubblewrap: str
    prlimit: str
    libraries: tuple[str, ...]
    python: str | None
    options: tuple[str, ...]


def find_tools(gdb: str) -> Tools:
    """Return what a sandbox for a gdb is made of; raises SandboxError where something is missing."""
    gdb = _program(os.path.realpath(gdb))
    bubblewrap = _required("bwrap", "bubblewrap")
    prlimit = _required("prlimit", "util-linux")
    key = [_identity(path) for path in (gdb, bubblewrap, prlimit, _LINKER_CACHE)]
    kept = load_cached(_CACHED, json.load)
    if isinstance(kept, dict) and kept.get("key") == key:
        return _from_fields(kept["tools"])
    tools = Tools(
        gdb=gdb,
        bubblewrap=bubblewrap,
        prlimit=prlimit,
        libraries=tuple(sorted(_libraries(gdb) | _libraries(prlimit))),
        python=_python(gdb),
        options=_options(bubblewrap),
    )
    entry = json.dumps({"key": key, "tools": tools._asdict()}).encode()
    store_cached(_CACHED, lambda file: file.write(entry))
    return tools


def _from_fields(fields: dict[str, Any]) -> Tools:
    lists = {name: tuple(fields[name]) for name in ("libraries", "options")}
    return Tools(**(fields | lists))


def _program(path: str) -> str:
    """Return the program that a path leads to: a script cannot run where there is no shell."""
    for candidate in (path, _BEHIND_SCRIPT):
        try:
            with open(candidate, "rb") as stream:  # noqa: PTH123 - a string, as everything here
                if stream.read(4) == b"\x7fELF":
                    return candidate
        except OSError:
            continue
    raise SandboxError(
        f"{path} is a script or cannot be read, and a sandbox holds no shell",
        hint="put the program gdb itself first in PATH",
    )


def _required(name: str, package: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise SandboxError(f"{name} is not installed", hint=f"apt-get install {package}")
    return os.path.realpath(path)


def _identity(path: str) -> list[Any]:
    try:
        facts = os.stat(path)  # noqa: PTH116
    except OSError:
        return [path]
    return [path, facts.st_size, facts.st_mtime_ns]


def _libraries(program: str) -> set[str]:
    """Ask the dynamic linker what it loads for a program that this machine trusts."""
    text = _output([program], LD_TRACE_LOADED_OBJECTS="1")
    return {word for word in text.split() if word.startswith("/")}


def _python(gdb: str) -> str | None:
    command = "python import os; print(os.path.dirname(os.__file__))"
    text = _output([gdb, "-nx", "-nh", "-q", "-batch", "-iex", command])
    folder = text.strip().rpartition("\n")[2]
    return folder if os.path.isabs(folder) and os.path.isdir(folder) else None  # noqa: PTH112, PTH117


def _options(bubblewrap: str) -> tuple[str, ...]:
    known = _output([bubblewrap, "--help"]).split()
    return tuple(option for option in ("--disable-userns",) if option in known)


def _output(command: Sequence[str], **more: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - a program of this machine, without any input
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=_ENVIRONMENT | more,
            cwd="/",
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SandboxError(f"{command[0]} cannot be run: {error}") from error
    return done.stdout.decode("utf-8", "replace")
