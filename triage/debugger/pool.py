"""Reads many core dumps of one program with one gdb.

gdb drops the symbols of a shared library with the core dump that it was mapped in, and reads them
again for the next. A library that is also the program of another inferior is kept; gdb has to be
told before it opens its first core dump. So the first gdb of a program shows which libraries are
needed, and the next one starts with them.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

from triage.debugger.launch import GdbOptions, GdbProcess
from triage.debugger.limits import GdbLimits, Outcome
from triage.debugger.mi import MiSession

_MAX_WAITING: Final = 4
_MAX_READ: Final = 500
_PLAIN_PATH: Final = re.compile(r"/[0-9A-Za-z/._+-]+")
_FIRST_INFERIOR: Final = '-interpreter-exec console "inferior 1"'
_FORGET_CORE: Final = '-interpreter-exec console "core-file"'


class ProgramKey(NamedTuple):
    """What two core dumps must have in common to be read by one gdb."""

    options: GdbOptions
    binary: Path
    build_id: str
    version: tuple[int, int, int]

    @staticmethod
    def of(options: GdbOptions, binary: Path, build_id: str) -> ProgramKey:
        """Return the key of a program's file as it is now."""
        facts = binary.stat()
        return ProgramKey(
            options, binary, build_id, (facts.st_ino, facts.st_size, facts.st_mtime_ns)
        )


@dataclass(slots=True, kw_only=True)
class Lease:
    """A gdb for one core dump; it ends afterwards unless `keep` is called.

    `fresh` says that it has read none before.
    """

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


class GdbPool:
    """The gdbs that wait for another core dump of their program; a context manager."""

    def __init__(self) -> None:
        self._waiting: dict[ProgramKey, Lease] = {}
        self._pins: dict[ProgramKey, frozenset[str]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        while self._waiting:
            self._waiting.popitem()[1].session.close()

    def take(self, key: ProgramKey, start: Callable[[], GdbProcess], limits: GdbLimits) -> Lease:
        """Return a gdb that waits for this program, or one that is started for it."""
        lease = self._waiting.pop(key, None)
        if lease is not None:
            lease.session.renew(limits)
            return lease
        session = MiSession(start(), limits)
        pins = self._pins.get(key, frozenset())
        if pins:
            session.send_all([*(_pin(path) for path in sorted(pins)), _FIRST_INFERIOR])
        return Lease(session=session, pins=pins, begun=time.monotonic())

    def give_back(self, key: ProgramKey, lease: Lease) -> None:
        """Keep a gdb for the next core dump if that is no risk, and end it otherwise."""
        lease.read += 1
        clean, lease.clean = lease.clean, False
        if not clean or self._is_spent(key, lease):
            lease.session.close()
            return
        if lease.session.send(_FORGET_CORE).outcome is not Outcome.OK:
            lease.session.close()
            return
        self._waiting[key] = lease
        if len(self._waiting) > _MAX_WAITING:
            oldest = next(iter(self._waiting))
            self._waiting.pop(oldest).session.close()

    def _is_spent(self, key: ProgramKey, lease: Lease) -> bool:
        """Tell whether another gdb would serve better.

        That is one which starts with the libraries that were found to be needed, and one that has
        its processor time before it.
        """
        if not lease.needed <= lease.pins:
            self._pins[key] = lease.pins | lease.needed
            return True
        used = time.monotonic() - lease.begun
        return lease.read >= _MAX_READ or used > key.options.cpu / 2


def _pin(path: str) -> str:
    return f'-interpreter-exec console "add-inferior -no-connection -exec {path}"'
