"""What is known about a crash from its core dump alone, without a debugger."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from triage.elf.layout import ByteOrder
from triage.model.crash import ReportWarning, Signal


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreThread:
    """One thread as the kernel saved it; the registers are None where they cannot be read."""

    tid: int
    pc: int | None = None
    sp: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileMapping:
    """A part of a file in the process's memory; `offset` in bytes from the file's start."""

    start: int
    end: int
    offset: int
    path: str

    @property
    def name(self) -> str:
        """The file's name without its folders."""
        return self.path.removesuffix(" (deleted)").rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreModule:
    """An ELF file that was mapped; `base` is where its first byte lies."""

    path: str
    base: int
    build_id: str | None = None

    @property
    def name(self) -> str:
        """The file's name without its folders."""
        return self.path.removesuffix(" (deleted)").rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkedLibrary:
    """A library as the dynamic linker knows it; `dynamic` is an address that lies in it."""

    name: str
    base: int
    dynamic: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Startup:
    """How the process was started, as far as its stack tells.

    `variables` holds the values that may be kept, `names` every name that was set;
    `environment_read` is false where the environment could not be read to its end, so that a
    missing name means nothing.
    """

    arguments: tuple[str, ...] | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    names: frozenset[str] = frozenset()
    environment_read: bool = False
    container: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreFacts:
    """Everything the reader of core dumps found.

    `threads` starts with the one that took the signal; `snapshot` says that there was none: a
    debugger saved the memory of a process that lived on. `supported` says that the architecture's
    threads can be read; `oversized` that notes or segments exceed every real process's, which
    makes a debugger take memory without end; `missing_bytes` is what a truncated file lacks.
    """

    arch: str
    bits: int
    byte_order: ByteOrder
    size: int
    supported: bool
    oversized: bool = False
    missing_bytes: int = 0
    snapshot: bool = False
    signal: Signal | None = None
    threads: tuple[CoreThread, ...] = ()
    pid: int | None = None
    process_name: str | None = None
    process_arguments: str | None = None
    executable: str | None = None
    executable_build_id: str | None = None
    startup: Startup = field(default_factory=Startup)
    mappings: tuple[FileMapping, ...] = ()
    modules: tuple[CoreModule, ...] = ()
    libraries: tuple[LinkedLibrary, ...] = ()
    warnings: tuple[ReportWarning, ...] = ()

    def mapping_at(self, address: int) -> FileMapping | None:
        """Return the file mapping that an address lies in."""
        return find_mapping(self.mappings, address)

    def module_at(self, address: int) -> CoreModule | None:
        """Return the module that an address lies in."""
        mapping = self.mapping_at(address)
        if mapping is None:
            return None
        return next((m for m in self.modules if m.path == mapping.path), None)


def find_mapping(mappings: Sequence[FileMapping], address: int) -> FileMapping | None:
    """Return the mapping that an address lies in; the mappings are sorted by address."""
    at = bisect_right(mappings, address, key=lambda m: m.start) - 1
    if at >= 0 and address < mappings[at].end:
        return mappings[at]
    return None
