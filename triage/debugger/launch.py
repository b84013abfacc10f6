"""Starts gdb, so that nothing in an input runs and nothing leaves the machine."""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import select
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from triage.closing import Closing
from triage.debugger.sandbox import Sandbox
from triage.ending import at_end, unbroken
from triage.errors import DebuggerError

NOWHERE: Final = "/nonexistent"
CPU_SECONDS: Final = 60
MEMORY_BYTES: Final = 16 << 30
UNWOUND_FRAMES: Final = 20_000
_MAX_WORKERS: Final = 4
_KILL_WAIT: Final = 5.0
_FIRST_FREE: Final = 3

_ENVIRONMENT: Final = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "HOME": NOWHERE,
    "TERM": "dumb",
    "DEBUGINFOD_URLS": "",
}


class GdbOptions(NamedTuple):
    """How gdb is started, before it is given any input.

    `sysroot` None stands for the running system, `debug_directory` None for the folder of separate
    debug files that gdb was built with. `cpu` is in seconds, `memory` in bytes.
    """

    sysroot: str | None = None
    debug_directory: str | None = None
    unwound_frames: int = UNWOUND_FRAMES
    cpu: int = CPU_SECONDS
    memory: int = MEMORY_BYTES


_running: set[GdbProcess] = set()
_running_lock = threading.Lock()
_over = threading.Event()


class GdbProcess(Closing):
    """One gdb in a sandbox; a context manager.

    Without a `sandbox` it runs in a process group and an empty folder of its own.
    """

    def __init__(self, gdb: str, options: GdbOptions, sandbox: Sandbox | None = None) -> None:
        self.options = options
        self.sandboxed = sandbox is not None
        self._folder: str | None = None
        self._closing = threading.Lock()
        with unbroken(), _running_lock:
            if _over.is_set():
                raise DebuggerError("the program ends, so no gdb is started")
            try:
                self._start(gdb, sandbox)
            except OSError as error:
                self._remove_folder()
                raise DebuggerError(f"gdb cannot be started: {error.strerror}") from error
            _running.add(self)

    def _start(self, gdb: str, sandbox: Sandbox | None) -> None:
        if sandbox is not None:
            self.popen = _start_in(sandbox, self.options)
        else:
            self._folder = _new_folder()
            self.popen = _start([gdb, *_arguments(self.options)], self._folder)
            _limit(self.popen.pid, self.options)

    def close(self) -> None:
        """End gdb, whatever it is doing: it can ignore every signal but this."""
        _running.discard(self)
        with self._closing:  # the thread that reads may see its end at the same time
            self._end()

    def kill(self) -> None:
        """End gdb without waiting for another thread that does the same."""
        with contextlib.suppress(OSError, ValueError):
            self._end()

    def _end(self) -> None:
        if self.popen.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.popen.pid, signal.SIGKILL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.popen.wait(timeout=_KILL_WAIT)
            if self.sandboxed:
                self._await_namespace()
        for stream in (self.popen.stdin, self.popen.stdout, self.popen.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        self._remove_folder()

    def _await_namespace(self) -> None:
        """Wait until nothing is left in the sandbox: it dies after the process that holds it."""
        stdout = self.popen.stdout
        if stdout is None or stdout.closed:
            return
        deadline = time.monotonic() + _KILL_WAIT
        while (left := deadline - time.monotonic()) > 0:
            ready, _, _ = select.select([stdout], [], [], left)
            if ready and not os.read(stdout.fileno(), 1 << 16):
                return

    def _remove_folder(self) -> None:
        if self._folder is not None:
            with contextlib.suppress(OSError):
                os.rmdir(self._folder)  # noqa: PTH106 - a string, and pathlib would gain nothing


def find_gdb() -> str | None:
    """Return the debugger that the search path leads to."""
    path = shutil.which("gdb")
    return None if path is None else str(Path(path).absolute())


def end_all() -> None:
    """End every gdb that runs and start none from now on: a thread may still be reading."""
    with _running_lock:
        _over.set()
    for process in tuple(_running):
        process.close()


def _kill_all() -> None:
    """End every gdb when a signal ends the program, whatever was being done with it."""
    for process in tuple(_running):
        process.kill()


at_end(_kill_all)


def path_text(path: Path | None) -> str | None:
    """Return a path as gdb can be told it: it reads its commands by lines.

    Raises DebuggerError for one that gdb cannot be told.
    """
    if path is None:
        return None
    text = str(path.absolute())
    if not text.isprintable() or text != text.strip():
        raise DebuggerError(f"gdb cannot be told the path {text!r}", hint="rename the file")
    return text


def expected_settings(options: GdbOptions) -> Mapping[str, str]:
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
        "auto-solib-add": "off",
        "demangle-style": "none",
        "pagination": "off",
        "confirm": "off",
        "backtrace limit": str(options.unwound_frames),
    }
    chosen = {"sysroot": options.sysroot, "debug-file-directory": options.debug_directory}
    return expected | {name: value for name, value in chosen.items() if value is not None}


def _arguments(options: GdbOptions) -> list[str]:
    early = ("set python ignore-environment on", "set python dont-write-bytecode on")
    words = ["--interpreter=mi3", "-nx", "-nh", "-q"]
    words += [word for setting in early for word in ("-eiex", setting)]
    return words + [word for setting in _settings(options) for word in ("-iex", setting)]


def _settings(options: GdbOptions) -> list[str]:
    # Scripts are forbidden first: several of the other settings would let gdb look for some.
    settings = [
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
        # The symbols of a library are read when a stack is found to need them.
        "set auto-solib-add off",
        # A short symbol can stand for gigabytes, and gdb would demangle every one that it reads.
        "set demangle-style none",
        f"set backtrace limit {options.unwound_frames}",
        "set print frame-arguments scalars",
        "set print elements 200",
        # Objects are shown as {...}: their members can be anything, and long.
        "set print max-depth 0",
        "set max-value-size 65536",
        f"maint set worker-threads {min(os.cpu_count() or 1, _MAX_WORKERS)}",
    ]
    if options.sysroot is not None:
        settings.append(f"set sysroot {options.sysroot}")
    if options.debug_directory is not None:
        settings.append(f"set debug-file-directory {options.debug_directory}")
    return settings


def _new_folder() -> str:
    """Make an empty folder to run in: a relative name in an input leads nowhere."""
    parent = os.environ.get("TMPDIR") or "/tmp"  # noqa: S108 - the name cannot be guessed
    folder = f"{parent}/clawtriage-{os.urandom(12).hex()}"
    os.mkdir(folder, 0o700)  # noqa: PTH102
    return folder


def _start_in(sandbox: Sandbox, options: GdbOptions) -> subprocess.Popen[bytes]:
    filter_at = _readable(sandbox.program)
    try:
        command = sandbox.command(
            _arguments(options), cpu=options.cpu, memory=options.memory, filter_at=filter_at
        )
        return _start(command, "/", (filter_at,))
    finally:
        os.close(filter_at)


def _readable(data: bytes) -> int:
    """Return a descriptor that gives some bytes, and is none of those that a program starts with.

    In a process whose own were closed a new one can be 0 to 2, where gdb's pipes will be.
    """
    read_end, write_end = os.pipe()
    try:
        os.write(write_end, data)
        return fcntl.fcntl(read_end, fcntl.F_DUPFD_CLOEXEC, _FIRST_FREE)
    finally:
        os.close(write_end)
        os.close(read_end)


def _start(command: list[str], folder: str, passed: Sequence[int] = ()) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - what is named in it was checked
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        env=_ENVIRONMENT,
        cwd=folder,
        start_new_session=True,
        pass_fds=passed,
    )


def _limit(pid: int, options: GdbOptions) -> None:
    # Set from here, not by code between fork and exec, which would rule out the quick start.
    limits = {
        resource.RLIMIT_CPU: (options.cpu, options.cpu + 5),
        resource.RLIMIT_AS: (options.memory, options.memory),
        resource.RLIMIT_CORE: (0, 0),
    }
    for limit, values in limits.items():
        with contextlib.suppress(ProcessLookupError, PermissionError, ValueError):
            resource.prlimit(pid, limit, values)
