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
from typing import IO, Any, Final, NamedTuple

from triage.errors import SandboxError
from triage.parse.cache import load_cached, store_cached

_CACHED: Final = "gdb-files"
_LINKER_CACHE: Final = "/etc/ld.so.cache"
_USUAL: Final = "/bin/gdb"
# Where the program itself is on systems whose `gdb` is a script.
_BEHIND_SCRIPT: Final = "/usr/libexec/gdb"
_PATIENCE: Final = 30
_MARK: Final = "python-folder:"
_TELL_FOLDERS: Final = (
    "import os, gdb; "
    f"print('{_MARK}' + os.path.dirname(os.__file__)); print('{_MARK}' + gdb.PYTHONDIR)"
)
# Packages of this machine, gdb's commands written in Python, and its server for editors.
_HIDDEN: Final = ("site-packages", "gdb/command", "gdb/function", "gdb/dap")
_ENVIRONMENT: Final = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/nonexistent"}


class Tools(NamedTuple):
    """Programs by their paths; `options` are those of bubblewrap that not every version has.

    `libraries` are what the dynamic linker loads for gdb and prlimit. `python` are the folders of
    gdb's own modules and of the standard library for them, `hidden` those in them that need not be
    there: what is in some is imported whenever gdb starts.
    """

    gdb: str
    bubblewrap: str
    prlimit: str
    libraries: tuple[str, ...]
    python: tuple[str, ...]
    hidden: tuple[str, ...]
    options: tuple[str, ...]


def find_tools(gdb: str) -> Tools:
    """Return what a sandbox for a gdb is made of; raises SandboxError where a part is missing."""
    gdb = _program(os.path.realpath(gdb))
    bubblewrap = _required("bwrap", "bubblewrap")
    prlimit = _required("prlimit", "util-linux")
    programs = (gdb, bubblewrap, prlimit, _LINKER_CACHE)
    key = [list(Tools._fields), *map(_identity, programs)]
    kept = load_cached(_CACHED, _read_entry)
    if kept is not None and kept[0] == key:
        return kept[1]
    python = _python(gdb)
    tools = Tools(
        gdb=gdb,
        bubblewrap=bubblewrap,
        prlimit=prlimit,
        libraries=tuple(sorted(_libraries(gdb) | _libraries(prlimit))),
        python=python,
        hidden=tuple(
            f"{p}/{name}" for p in python for name in _HIDDEN if _is_folder(f"{p}/{name}")
        ),
        options=_options(bubblewrap),
    )
    entry = json.dumps({"key": key, "tools": tools._asdict()}).encode()
    store_cached(_CACHED, lambda file: file.write(entry))
    return tools


def _read_entry(file: IO[bytes]) -> tuple[Any, Tools]:
    entry = json.load(file)
    fields = [entry["tools"].get(name) for name in Tools._fields]
    return entry["key"], Tools._make(tuple(f) if isinstance(f, list) else f for f in fields)


def _program(path: str) -> str:
    """Return the program that a path leads to: a script cannot run where there is no shell."""
    candidates = [path, _BEHIND_SCRIPT] if path.endswith(_USUAL) else [path]
    for candidate in candidates:
        try:
            with open(candidate, "rb") as stream:  # noqa: PTH123 - a string, as everything here
                if stream.read(4) == b"\x7fELF":
                    return candidate
        except OSError:
            continue
    raise SandboxError(
        f"{path} is a script or cannot be read, and a sandbox holds no shell",
        hint="name the program gdb itself: --debugger PATH",
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


def _python(gdb: str) -> tuple[str, ...]:
    text = _output([gdb, "-nx", "-nh", "-q", "-batch", "-iex", f"python {_TELL_FOLDERS}"])
    marked = (line.partition(_MARK) for line in text.splitlines())
    folders = [folder for before, mark, folder in marked if mark and not before]
    return tuple(f for f in folders if os.path.isabs(f) and _is_folder(f))  # noqa: PTH117


def _is_folder(path: str) -> bool:
    return os.path.isdir(path)  # noqa: PTH112


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
