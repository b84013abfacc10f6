"""What a crash is: everything that was read, before anyone judges it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from triage.model.evidence import Evidence
from triage.model.position import Origin, Position
from triage.model.stack import Thread, ThreadGroup


class Timing(StrEnum):
    """Whether an error is reported by the call that caused it."""

    SYNCHRONOUS = "synchronous"
    ASYNCHRONOUS = "asynchronous"


class Role(StrEnum):
    """What part an error plays in the crash."""

    CAUSE = "cause"
    CONSEQUENCE = "consequence"
    UNCLEAR = "unclear"


class Symbols(StrEnum):
    """What a module's symbols allow the debugger to say."""

    FULL = "full"
    SYMBOLS_ONLY = "symbols-only"
    MISSING = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """The signal that ended the process; `role` tells where only an earlier failure led to it."""

    name: str
    number: int | None = None
    code: str | None = None
    fault_address: str | None = None
    role: Role = Role.UNCLEAR
    at: Position | None = None
    origin: Origin | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRecord:
    """One error that some layer reported; `api` names the layer.

    `file` and `line` are the place in the source that the message itself names; `meaning` is what
    is known of the error and not in its message.
    """

    api: str
    code: int | None = None
    name: str | None = None
    message: str | None = None
    meaning: str | None = None
    file: str | None = None
    line: int | None = None
    timing: Timing | None = None
    sticky: bool | None = None
    role: Role = Role.UNCLEAR
    count: int = 1
    at: Position | None = None
    origin: Origin | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """An executable or shared library in the process."""

    name: str
    path: str | None = None
    build_id: str | None = None
    version: str | None = None
    symbols: Symbols | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """A GPU that the crashed process could use; memory in MiB, `pci` as `00:06.0`."""

    name: str | None = None
    memory_total: int | None = None
    memory_free: int | None = None
    compute_capability: str | None = None
    pci: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFile:
    """The model that was being run; `file_size` in bytes."""

    path: str | None = None
    architecture: str | None = None
    quantization: str | None = None
    file_size: int | None = None
    tensor_count: int | None = None
    layer_count: int | None = None
    context_length: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """The circumstances of the crash, as far as the inputs state them.

    `executable` is the path of the program; `variables` maps a variable to its value, and to None
    where it is known to be unset; a variable that is not in it is simply not known. `options` are
    the engine's settings by option name, from the command line or the engine's own log; `facts`
    are further figures that a log states, sizes in MiB where the name ends in `-mib`; `where`
    tells the position of each fact.
    """

    os: str | None = None
    arch: str | None = None
    gpus: tuple[Gpu, ...] = ()
    driver: str | None = None
    driver_cuda: str | None = None
    cuda_runtime: str | None = None
    cuda_toolkit: str | None = None
    executable: str | None = None
    command_line: tuple[str, ...] | None = None
    variables: Mapping[str, str | None] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)
    container: str | None = None
    model: ModelFile | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    where: Mapping[str, Position] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """The program that crashed, by the name its users know."""

    name: str
    version: str | None = None
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportWarning:
    """Something the reader of the report should know about the reading itself."""

    code: str
    message: str
    at: Position | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """A line that was kept because a format or a signature asks for it.

    `literals` are the texts, of all that signatures ask for, that are in it; None where nobody
    looked.
    """

    text: str
    at: Position
    literals: frozenset[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragment:
    """What one reader found in one input: a part of a crash.

    `signal_rank` says how directly the signal was observed (0 core dump, 1 debugger, 2 kernel,
    3 the program's own words, 4 shell, 5 an exit status); `snapshot` says that the process lived
    on, `dumped` that something wrote a dump because it failed; `deaths` are further signals, each
    of another process. `span` holds the first and the last line of the region, `claimed` those that
    were understood. `truncated` says that the input is not whole, `finished` is the line that says
    that the run ended well.
    """

    dialect: str
    threads: tuple[Thread, ...] = ()
    errors: tuple[ErrorRecord, ...] = ()
    signal: Signal | None = None
    signal_rank: int = 9
    deaths: tuple[Signal, ...] = ()
    snapshot: bool = False
    dumped: bool = False
    modules: tuple[Module, ...] = ()
    engine: Engine | None = None
    environment: Environment = field(default_factory=Environment)
    warnings: tuple[ReportWarning, ...] = ()
    span: tuple[int, int] | None = None
    claimed: frozenset[int] = frozenset()
    truncated: bool = False
    finished: Position | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BlamedFrame:
    """The frame that a maintainer would look at first, by position in the report.

    `provisional` marks a host frame that only noticed what failed on the GPU before.
    """

    thread: int
    frame: int
    why: str
    provisional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Crash:
    """One incident: every fragment of every input, joined.

    `snapshot` says that there is a snapshot of a process that lived on, and no sign of a crash;
    `thread_groups` are then what its threads wait for. `dumped` says that there is a dump which was
    written because something failed, whether or not it can be read; `mixed` that the pieces are of
    more than one crash, and nothing tells which to believe.
    """

    engine: Engine | None = None
    signal: Signal | None = None
    errors: tuple[ErrorRecord, ...] = ()
    threads: tuple[Thread, ...] = ()
    crashed_thread: int | None = None
    blamed_frame: BlamedFrame | None = None
    modules: tuple[Module, ...] = ()
    environment: Environment = field(default_factory=Environment)
    lines: tuple[LogLine, ...] = ()
    snapshot: bool = False
    dumped: bool = False
    mixed: bool = False
    thread_groups: tuple[ThreadGroup, ...] = ()
    warnings: tuple[ReportWarning, ...] = ()

    @property
    def is_crash(self) -> bool:
        """Tell whether anything at all failed."""
        if self.signal or self.errors or self.dumped:
            return True
        return not self.snapshot and any(t.frames for t in self.threads)
