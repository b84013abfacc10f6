"""The process that crashed, as far as the pieces of an incident name it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from triage.frames.names import file_name
from triage.knowledge import engine_programs
from triage.model.crash import Fragment
from triage.model.position import Origin, Position
from triage.model.stack import Thread, ThreadKind
from triage.text.glob import glob_match
from triage.text.pci import pci_address

KERNEL_DIALECTS = frozenset({"kernel", "koops"})
"""Formats of a log that the whole machine writes."""

# Threads that the driver starts in any process, and that name none.
_HELPERS = ("nvdebugagent", "cuda-evthandlr", "cuda0", "pt_main_thread")
_OF_GPU = frozenset(
    {"cublas", "cuda", "cuda-driver", "cuda-exception", "cudnn", "hip", "hsa", "nccl", "nvml"}
)
_COMMAND_LENGTH = 15  # what the kernel keeps of a program's name
_DATE_LENGTH = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """What tells one process from others: an empty set is not known.

    `pids` are those of its threads, too; `programs` are globs of what its engine runs as, where no
    name is known; `dates` are the days of its log. `is_in_log` says that the kernel's log has one
    of the pids, `failed_on_gpu` that its own words are of a GPU's failure.
    """

    pids: frozenset[int] = frozenset()
    names: frozenset[str] = frozenset()
    programs: tuple[str, ...] = ()
    hosts: frozenset[str] = frozenset()
    devices: frozenset[str] = frozenset()
    dates: frozenset[str] = frozenset()
    is_in_log: bool = False
    failed_on_gpu: bool = False

    @property
    def has_name(self) -> bool:
        """Tell whether enough is known of its name to tell other processes by theirs.

        A command may be a script, which runs under the name of its interpreter; a pid beside it
        is that of what really ran.
        """
        return bool(self.programs or (self.names and self.pids))

    def is_named(self, name: str) -> bool:
        """Tell whether the kernel may call it, or one of its threads, by this name.

        A program of Python's can have taken any name.
        """
        short = short_name(name)
        if any(known.startswith("python") for known in self.names):
            return True
        if short in self.names or short.startswith(_HELPERS):
            return True
        return any(glob_match(glob, short) for glob in self.programs)


def crashed_process(fragments: Iterable[Fragment]) -> Process:
    """Return what everything but the kernel's log says of the process."""
    own = [f for f in fragments if f.dialect not in KERNEL_DIALECTS]
    origins = [origin for f in own for origin in _origins(f)]
    threads = [t for f in own for t in f.threads if t.kind is ThreadKind.HOST]
    programs = {name for f in own for name, _ in named_programs(f)}
    names = {t.name for t in threads} | programs if programs else set()
    engines = {f.engine.name for f in own if f.engine}
    gpus = [gpu for f in own if _has_gpu_stack(f) for gpu in f.environment.gpus]
    return Process(
        pids=frozenset(
            n for n in (*(t.tid for t in threads), *(o.pid for o in origins)) if n is not None
        ),
        names=frozenset(short_name(name) for name in names if name),
        programs=() if names else tuple(_engine_globs(engines)),
        hosts=frozenset(short_host(o.host) for o in origins if o.host),
        devices=frozenset(pci for gpu in gpus if (pci := pci_address(gpu.pci))),
        dates=frozenset(day for o in origins if (day := day_of(o.time))),
        failed_on_gpu=any(e.api in _OF_GPU for f in own for e in f.errors)
        or any(_has_gpu_stack(f) for f in own),
    )


def short_name(name: str) -> str:
    """Return a program's name as the kernel shortens it."""
    return file_name(name)[:_COMMAND_LENGTH].casefold()


def short_host(host: str) -> str:
    """Return a host's name without its domain."""
    return host.partition(".")[0].casefold()


def day_of(time: str | None) -> str | None:
    """Return the day of a time that begins with its date, None where it does not."""
    if time and len(time) > _DATE_LENGTH and time[4] == time[7] == "-":
        return time[:_DATE_LENGTH]
    return None


def _origins(fragment: Fragment) -> Iterator[Origin]:
    for thing in (*fragment.errors, *fragment.threads, fragment.signal):
        if thing and thing.origin:
            yield thing.origin


def named_programs(fragment: Fragment) -> Iterator[tuple[str, Position | None]]:
    """Yield the names of the program that a fragment states, and where."""
    environment, where = fragment.environment, fragment.environment.where
    if environment.executable:
        yield environment.executable, where.get("executable")
    if environment.command_line:
        yield environment.command_line[0], where.get("command_line")
    yield from ((t.name, t.at) for t in fragment.threads if t.name and _is_main(t))


def _is_main(thread: Thread) -> bool:
    """Tell whether a thread is a program's first one, which has the program's name."""
    return thread.kind is ThreadKind.HOST and thread.id == "1" and thread.tid is not None


def _engine_globs(engines: Iterable[str]) -> Iterator[str]:
    """Yield what engines run as; nothing where one of them may run as anything."""
    known = [engine_programs().get(name.casefold()) for name in engines]
    if all(known):
        yield from (glob for globs in known if globs for glob in globs)


def _has_gpu_stack(fragment: Fragment) -> bool:
    return any(thread.kind is ThreadKind.GPU for thread in fragment.threads)
