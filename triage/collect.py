"""What to collect so that the next crash of this kind can be diagnosed, with exact commands."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from triage.incident.roles import states_a_cause
from triage.knowledge import pieces, synchronous_settings
from triage.model.crash import Crash, Symbols, Timing
from triage.model.stack import ThreadKind, Trust
from triage.signatures.placeholders import is_safe
from triage.signatures.rule import Advice, Family
from triage.text.glob import glob_match

_CUDA = frozenset({"cuda", "cuda-driver", "cublas", "cudnn", "nccl"})
_KERNEL = frozenset({"oom-killer", "kernel"})
_PROGRAM = re.compile(r"\bPROGRAM\b")


def next_evidence(crash: Crash, family: Family | None) -> tuple[str, ...]:
    """Return what a crash lacks, the most telling first; nothing that is already there."""
    there = present(crash)
    wanted = [
        *_lost(crash),
        *_first(crash),
        *_gpu(crash),
        *(_own(advice) for advice in (family.next_evidence if family else ())),
        *_missing(crash),
    ]
    program = program_of(crash)
    texts = (to_text(a, program) for a in wanted if a.piece is None or a.piece not in there)
    return tuple(dict.fromkeys(texts))


def present(crash: Crash) -> frozenset[str]:
    """Return the pieces of which a crash has what they would tell."""
    environment = crash.environment
    model = environment.model
    on_gpu = any(t.kind is ThreadKind.GPU and t.frames for t in crash.threads)
    checked = any(error.api == "sanitizer" for error in crash.errors)
    settings = (name for pairs in synchronous_settings().values() for name, _ in pairs)
    blocking = any((environment.variables.get(name) or "0") != "0" for name in settings)
    stacks = _has_host_stack(crash)
    found = {
        "gpu-core": on_gpu,
        "synchronous-run": on_gpu or checked or blocking,
        "synchronous-hip-run": on_gpu or checked or blocking,
        "sanitizer": checked,
        "xid": on_gpu or _reported(crash, frozenset({"xid"})),
        "kernel-log": _reported(crash, _KERNEL | {"xid"}),
        "gpu-facts": bool(environment.driver and environment.gpus),
        "model": model is not None and model.tensor_count is not None,
        "ptrace": stacks,
        "core": stacks,
        "core-limit": stacks or any(_is_clue(line.text, "core") for line in crash.lines),
        "stack": stacks,
        "first-error": states_a_cause(crash),
        "command-line": bool(environment.command_line or environment.options),
    }
    return frozenset(piece for piece, is_there in found.items() if is_there)


def hang_evidence(crash: Crash) -> tuple[str, ...]:
    """Return what tells a process that hangs from one that works, where there is one snapshot."""
    if not crash.snapshot:
        return ()
    program = program_of(crash)
    found = [
        Advice(
            text="whether it hangs: in a second snapshot, ten seconds later, the same threads wait "
            "at the same lines",
            command="gcore -o later PID; clawtriage core later.PID --binary PROGRAM",
        )
    ]
    if any("python" in (f.module or "") for t in crash.threads for f in t.frames):
        found.append(
            Advice(text="where Python waits", command="py-spy dump --native --pid PID > pyspy.txt")
        )
    return tuple(to_text(advice, program) for advice in found)


def to_text(advice: Advice, program: str = "PROGRAM") -> str:
    """Return advice as text: what, and each command on a line of its own."""
    if not advice.command:
        return advice.text
    command = _PROGRAM.sub(lambda _: program, advice.command.strip("\n"))
    return f"{advice.text}\n{command}"


def program_of(crash: Crash) -> str:
    """Return the program as a shell takes it; its name in capitals where it is not known."""
    line = crash.environment.command_line or ("",)
    path = (crash.environment.executable or "").removesuffix(" (deleted)")
    return next((name for name in (path, line[0]) if is_safe(name)), "PROGRAM")


def _own(advice: Advice) -> Advice:
    """Return a family's advice, the words of the piece that it names where it has none."""
    return _piece(advice.piece) if advice.piece and not advice.text else advice


def _piece(name: str) -> Advice:
    known = pieces()[name]
    return Advice(text=known.text, command=known.command, piece=name)


def _is_clue(line: str, piece: str) -> bool:
    return any(glob_match(clue, line) for clue in pieces()[piece].clues)


def _lost(crash: Crash) -> Iterator[Advice]:
    """Yield the pieces of which a line says that they were there and were lost."""
    for name, piece in pieces().items():
        if piece.clues and any(_is_clue(line.text, name) for line in crash.lines):
            yield _piece(name)


def _first(crash: Crash) -> Iterator[Advice]:
    """Yield where the first error stands, for a crash that only has its consequences."""
    if crash.errors and not states_a_cause(crash):
        if crash.engine and crash.engine.name == "vllm":
            yield _piece("vllm-log")
        yield _piece("first-error")


def _missing(crash: Crash) -> Iterator[Advice]:
    if crash.errors and all(error.api == "gguf" for error in crash.errors) and not crash.signal:
        return
    if not any(thread.frames for thread in crash.threads):
        yield from _stack(crash)
    elif not _has_symbols(crash):
        yield Advice(
            text="function names: build with -g (cmake -DCMAKE_BUILD_TYPE=RelWithDebInfo), keep "
            "the program, and read the core dump with it",
            command="clawtriage core CORE --binary PROGRAM",
        )
    if crash.signal and crash.signal.name == "SIGKILL" and not _reported(crash, _KERNEL):
        yield Advice(
            text="who killed the process: the kernel's log of that time",
            command="journalctl -k --since '1 hour ago' | grep -iE 'oom|out of memory' > oom.log",
        )


def _stack(crash: Crash) -> Iterator[Advice]:
    core = Advice(
        text="a stack trace, from the core dump and the very program that crashed",
        command="clawtriage core CORE --binary PROGRAM",
    )
    if any(w.code in ("binary-missing", "binary-mismatch") for w in crash.warnings):
        yield core
        return
    yield Advice(
        text="a stack trace of every thread, from a run under gdb",
        command="gdb -batch -ex run -ex 'thread apply all bt full' --args PROGRAM ARGUMENTS "
        "> backtrace.txt 2>&1",
    )
    yield core
    yield _piece("core-limit")


def _gpu(crash: Crash) -> Iterator[Advice]:
    late = [e for e in crash.errors if e.timing is Timing.ASYNCHRONOUS]
    if any(error.api in _CUDA for error in late):
        yield _piece("gpu-core")
        yield _piece("synchronous-run")
        yield _piece("xid")
    elif any(error.api in ("hip", "hsa") for error in late):
        yield _piece("synchronous-hip-run")


def _has_host_stack(crash: Crash) -> bool:
    return any(
        t.kind is ThreadKind.HOST and any(f.noise is None and f.function for f in t.frames)
        for t in crash.threads
    )


def _has_symbols(crash: Crash) -> bool:
    if crash.blamed_frame is not None:
        return True
    chosen: Sequence[int] = range(len(crash.threads))
    if crash.crashed_thread is not None:
        chosen = (crash.crashed_thread,)
    frames = [frame for n in chosen for frame in crash.threads[n].frames]
    if any(f.trust is Trust.ADDRESS_ONLY or not f.function for f in frames if f.noise is None):
        return False
    return not any(module.symbols is Symbols.MISSING for module in crash.modules)


def _reported(crash: Crash, apis: frozenset[str]) -> bool:
    return any(error.api in apis for error in crash.errors)
