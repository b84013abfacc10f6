"""Reads many core dumps of one program with one gdb.

gdb drops the symbols of a shared library with the core dump that it was mapped in, and reads them
again for the next. A library that is also the program of another inferior is kept; gdb has to be
told before it opens its first core dump. So the first gdb of a program shows which libraries are
needed, and the next one starts with them.

What is in a sandbox cannot be changed from outside, but for a folder: there each core dump appears
under a name that cannot be guessed, and goes when it was read.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from triage.closing import Closing
from triage.debugger.limits import GdbLimits, Outcome
from triage.debugger.mi import MiSession
from triage.debugger.prepare import GdbSetup
from triage.debugger.sandbox import CORE, EXECUTABLE

_CORES: Final = "/cores"
_MAX_WAITING: Final = 4
_MAX_READ: Final = 500
_MAX_COPIED: Final = 256 << 20
_PLAIN_PATH: Final = re.compile(r"/[0-9A-Za-z/._+-]+")
_FIRST_INFERIOR: Final = '-interpreter-exec console "inferior 1"'
_FORGET_CORE: Final = '-interpreter-exec console "core-file"'
_KEEP_SYMBOLS: Final = "-gdb-set demangle-style none"


class _Key(NamedTuple):
    """What two core dumps must have in common to be read by one gdb.

    `setup` names the files that gdb sees, the core dump aside; `version` is the program's file as
    it was when gdb was started.
    """

    setup: GdbSetup
    limits: GdbLimits
    version: tuple[int, int, int]


@dataclass(slots=True, kw_only=True)
class Lease:
    """A gdb for one core dump; it ends afterwards unless `keep` is called.

    `setup` has the names that this gdb knows the files by, `pins` are the libraries that it keeps,
    `needed` those that stacks led through.
    """

    setup: GdbSetup
    session: MiSession
    pins: frozenset[str]
    begun: float
    read: int = 0
    needed: set[str] = field(default_factory=set)
    clean: bool = False

    @property
    def fresh(self) -> bool:
        """Whether no core dump was read with it."""
        return self.read == 0

    def keep(self, libraries: Iterable[str]) -> None:
        """Let the gdb read another core dump; `libraries` are those whose symbols it read."""
        self.clean = True
        self.needed.update(path for path in libraries if _PLAIN_PATH.fullmatch(path))


class GdbPool(Closing):
    """The gdbs that wait for another core dump of their program; a context manager.

    `folder` returns a private folder, which is best on the disk that the core dumps are on.
    """

    def __init__(self, folder: Callable[[], Path]) -> None:
        self._folder = folder
        self._waiting: dict[_Key, Lease] = {}
        self._pins: dict[_Key, frozenset[str]] = {}

    def close(self) -> None:
        """End every gdb that waits."""
        while self._waiting:
            self._waiting.popitem()[1].session.close()

    @contextlib.contextmanager
    def lease(self, core: Path, setup: GdbSetup, limits: GdbLimits) -> Iterator[Lease | None]:
        """Lend a gdb for a core dump, None where it has to be read by one of its own."""
        version = _version(setup)
        if version is None:
            yield None
        elif setup.sandbox is None:
            key = _Key(dataclasses.replace(setup, core=""), limits, version)
            with self._lent(key, setup.core) as lease:
                yield lease
        else:
            with _shown(core, self._folder()) as name:
                if name is None:
                    yield None
                    return
                key = _Key(_with_folder(setup, self._folder()), limits, version)
                with self._lent(key, f"{_CORES}/{name}") as lease:
                    yield lease

    @contextlib.contextmanager
    def _lent(self, key: _Key, core: str) -> Iterator[Lease]:
        lease = self._take(key)
        lease.setup = dataclasses.replace(key.setup, core=core)
        try:
            yield lease
        finally:
            self._give_back(key, lease)

    def _take(self, key: _Key) -> Lease:
        """Return a gdb that waits, or one that is started."""
        lease = self._waiting.pop(key, None)
        if lease is not None and lease.session.renew(key.limits):
            return lease
        session = MiSession(key.setup.start(key.limits), key.limits)
        pins = self._pins.get(key, frozenset())
        if pins:
            session.send_all([*(_pin(path) for path in sorted(pins)), _FIRST_INFERIOR])
        return Lease(setup=key.setup, session=session, pins=pins, begun=time.monotonic())

    def _give_back(self, key: _Key, lease: Lease) -> None:
        """Keep a gdb for the next core dump if that is no risk, and end it otherwise."""
        lease.read += 1
        clean, lease.clean = lease.clean, False
        if not clean or self._is_spent(key, lease):
            lease.session.close()
            return
        replies = lease.session.send_all([_FORGET_CORE, _KEEP_SYMBOLS])
        if any(reply.message != "done" for reply in replies):
            lease.session.close()
            return
        self._waiting[key] = lease
        if len(self._waiting) > _MAX_WAITING:
            oldest = next(iter(self._waiting))
            self._waiting.pop(oldest).session.close()

    def _is_spent(self, key: _Key, lease: Lease) -> bool:
        """Tell whether another gdb would serve better.

        That is one which starts with the libraries that were found to be needed, and one that has
        its processor time before it.
        """
        if lease.session.outcome is not Outcome.OK:
            return True
        if not lease.needed <= lease.pins:
            self._pins[key] = lease.pins | lease.needed
            return True
        used = time.monotonic() - lease.begun
        return lease.read >= _MAX_READ or used > key.limits.cpu / 2


def _version(setup: GdbSetup) -> tuple[int, int, int] | None:
    """Return what tells the program's file from another under its name, None without one."""
    path = setup.binary
    if path is not None and setup.sandbox is not None:
        path = next((p for p, inside in setup.sandbox.mounts.files if inside == EXECUTABLE), None)
    if path is None:
        return None
    facts = os.stat(path)  # noqa: PTH116 - a string, as all that gdb is told
    return facts.st_ino, facts.st_size, facts.st_mtime_ns


def _with_folder(setup: GdbSetup, folder: Path) -> GdbSetup:
    """Return a setup in whose sandbox a folder takes the place of the core dump."""
    if setup.sandbox is None:
        return setup
    mounts = setup.sandbox.mounts
    files = tuple(pair for pair in mounts.files if pair[1] != CORE)
    shown = mounts._replace(files=(*files, (str(folder), _CORES)))
    return dataclasses.replace(
        setup, core="", verified=None, sandbox=setup.sandbox._replace(mounts=shown)
    )


@contextlib.contextmanager
def _shown(core: Path, folder: Path) -> Iterator[str | None]:
    """Let a core dump appear in a folder; None where it is on another disk and large."""
    shown = folder / os.urandom(12).hex()
    try:
        try:
            os.link(core, shown)
        except OSError:
            if core.stat().st_blocks * 512 > _MAX_COPIED:
                yield None
                return
            _copy(core, shown)
        yield shown.name
    finally:
        shown.unlink(missing_ok=True)


def _copy(core: Path, copy: Path) -> None:
    """Copy a file with its holes."""
    with core.open("rb") as source, copy.open("xb") as target:
        copy.chmod(0o600)
        size = os.fstat(source.fileno()).st_size
        at = 0
        while at < size:
            try:
                at = os.lseek(source.fileno(), at, os.SEEK_DATA)
            except OSError:  # what is left is a hole
                break
            end = os.lseek(source.fileno(), at, os.SEEK_HOLE)
            while at < end and (data := os.pread(source.fileno(), min(end - at, 1 << 20), at)):
                at += os.pwrite(target.fileno(), data, at)
        target.truncate(size)


def _pin(path: str) -> str:
    return f'-interpreter-exec console "add-inferior -no-connection -exec {path}"'
