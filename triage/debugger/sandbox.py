"""Puts gdb where there is nothing to read but what it was given, and nothing to write or to reach.

bubblewrap gives it a file system of its own, which cannot be written, and neither network nor other
processes; prlimit sets its limits, and a filter denies it the system calls that it never needs.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final, NamedTuple

from triage.debugger.seccomp import seccomp_program
from triage.debugger.tools import Tools, find_tools
from triage.errors import SandboxError

EXECUTABLE: Final = "/in/exe"
CORE: Final = "/in/core"
SYSROOT: Final = "/sysroot"
DEBUG: Final = "/debug"
EMPTY: Final = "/empty"
_NOBODY: Final = "65534"
_PROCESSES: Final = 64
_OPEN_FILES: Final = 4096
# Since then the processes of a user namespace are counted apart from the user's others.
_COUNTED_APART: Final = (5, 14)
_VARIABLES: Final = {
    "PATH": "/usr/bin",
    "HOME": "/nonexistent",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "TERM": "dumb",
}


class Mounts(NamedTuple):
    """What gdb finds: files as (path here, path inside), and links as (target, path inside)."""

    files: tuple[tuple[str, str], ...] = ()
    links: tuple[tuple[str, str], ...] = ()


class Sandbox(NamedTuple):
    """A sandbox that any number of gdb can be started in, one after the other."""

    tools: Tools
    program: bytes
    mounts: Mounts

    def command(
        self, arguments: Sequence[str], *, cpu: int, memory: int, filter_at: int
    ) -> list[str]:
        """Return the command line of a gdb; `filter_at` is the descriptor of the filter."""
        return [
            *self._root(filter_at),
            *_limits(self.tools.prlimit, cpu, memory),
            self.tools.gdb,
            *arguments,
        ]

    def _root(self, filter_at: int) -> list[str]:
        tools = self.tools
        own = (*tools.libraries, tools.prlimit, tools.gdb, *tools.python)
        binds = [(path, path) for path in own] + list(self.mounts.files)
        words = [tools.bubblewrap, "--unshare-all", "--unshare-user", *tools.options]
        words += ["--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv"]
        words += [w for name, value in _VARIABLES.items() for w in ("--setenv", name, value)]
        words += [w for source, inside in binds for w in ("--ro-bind", source, inside)]
        words += [w for target, inside in self.mounts.links for w in ("--symlink", target, inside)]
        words += [w for path in tools.hidden for w in ("--tmpfs", path, "--remount-ro", path)]
        words += ["--dev", "/dev", "--remount-ro", "/dev", "--dir", EMPTY, "--remount-ro", "/"]
        words += ["--hostname", "sandbox", "--uid", _NOBODY, "--gid", _NOBODY, "--chdir", EMPTY]
        return [*words, "--seccomp", str(filter_at), "--"]


def make_sandbox(gdb: str, mounts: Mounts) -> Sandbox:
    """Return a sandbox for a gdb; raises SandboxError where this machine has no means for one."""
    machine = os.uname().machine
    program = seccomp_program(machine)
    if program is None:
        raise SandboxError(f"there is no filter of system calls for {machine}")
    return Sandbox(tools=find_tools(gdb), program=program, mounts=mounts)


def _limits(prlimit: str, cpu: int, memory: int) -> list[str]:
    words = [prlimit, f"--as={memory}", f"--cpu={cpu}:{cpu + 5}", "--core=0", "--fsize=0"]
    words.append(f"--nofile={_OPEN_FILES}")
    release = os.uname().release.split(".")
    if tuple(int(part) for part in release[:2] if part.isdigit()) >= _COUNTED_APART:
        words.append(f"--nproc={_PROCESSES}")
    return [*words, "--"]
