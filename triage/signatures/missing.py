"""What to collect so that the next crash of this kind can be diagnosed, with exact commands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from triage.model.crash import Crash, Symbols, Timing
from triage.model.stack import Trust
from triage.signatures.placeholders import is_safe
from triage.signatures.rule import Advice

_GPU_APIS = frozenset({"cuda", "cuda-driver", "cublas", "cudnn", "nccl"})
_OOM_APIS = frozenset({"oom-killer", "kernel"})


def missing_evidence(crash: Crash) -> tuple[str, ...]:
    """Return what a crash that nobody knows lacks, the most telling first."""
    return tuple(to_text(advice) for advice in _missing(crash))


def hang_evidence(crash: Crash) -> tuple[str, ...]:
    """Return what tells a process that hangs from one that works, where there is one snapshot."""
    if not crash.snapshot:
        return ()
    found = [
        Advice(
            text="whether it hangs: in a second snapshot, ten seconds later, the same threads wait "
            "at the same lines",
            command=f"gcore -o later PID; clawtriage core later.PID --binary {_program(crash)}",
        )
    ]
    if any("python" in (f.module or "") for t in crash.threads for f in t.frames):
        found.append(
            Advice(text="where Python waits", command="py-spy dump --native --pid PID > pyspy.txt")
        )
    return tuple(to_text(advice) for advice in found)


def to_text(advice: Advice) -> str:
    """Return advice as text: what, and the command on a line of its own."""
    return f"{advice.text}\n{advice.command}" if advice.command else advice.text


def _missing(crash: Crash) -> Iterator[Advice]:
    program = _program(crash)
    stacks = any(thread.frames for thread in crash.threads)
    if not stacks:
        yield from _stack(crash, program)
    elif not _has_symbols(crash):
        yield Advice(
            text="function names: build with -g (cmake -DCMAKE_BUILD_TYPE=RelWithDebInfo), keep "
            "the program, and read the core dump with it",
            command=f"clawtriage core CORE --binary {program}",
        )
    yield from _gpu(crash, program)
    if crash.signal and crash.signal.name == "SIGKILL" and not _reported(crash, _OOM_APIS):
        yield Advice(
            text="who killed the process: the kernel's log of that time",
            command="journalctl -k --since '1 hour ago' | grep -iE 'oom|out of memory' > oom.log",
        )


def _stack(crash: Crash, program: str) -> Iterator[Advice]:
    core = Advice(
        text="a stack trace, from the core dump and the very program that crashed",
        command=f"clawtriage core CORE --binary {program}",
    )
    if any(w.code in ("binary-missing", "binary-mismatch") for w in crash.warnings):
        yield core
        return
    yield Advice(
        text="a stack trace of every thread, from a run under gdb",
        command=f"gdb -batch -ex run -ex 'thread apply all bt full' --args {program} ARGUMENTS "
        "> backtrace.txt 2>&1",
    )
    yield core


def _gpu(crash: Crash, program: str) -> Iterator[Advice]:
    asynchronous = [e for e in crash.errors if e.timing is Timing.ASYNCHRONOUS]
    on_gpu = any(thread.kind.value == "gpu" for thread in crash.threads)
    if on_gpu or not asynchronous:
        return
    if any(error.api in _GPU_APIS for error in asynchronous):
        if crash.environment.variables.get("CUDA_LAUNCH_BLOCKING") != "1":
            yield Advice(
                text="which launch failed: the error was reported by a later call",
                command=f"CUDA_LAUNCH_BLOCKING=1 {program} ARGUMENTS",
            )
        yield Advice(
            text="the kernel and line on the GPU, from a GPU core dump",
            command="CUDA_ENABLE_COREDUMP_ON_EXCEPTION=1 CUDA_COREDUMP_FILE=gpucore "
            f"{program} ARGUMENTS; cuda-gdb -batch -ex 'target cudacore gpucore' "
            "-ex 'info cuda kernels' -ex bt > gpucore.txt",
        )
    elif any(error.api in ("hip", "hsa") for error in asynchronous):
        yield Advice(
            text="which launch failed: the error was reported by a later call",
            command=f"AMD_SERIALIZE_KERNEL=3 HIP_LAUNCH_BLOCKING=1 {program} ARGUMENTS",
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


def _program(crash: Crash) -> str:
    """Return the program as a shell takes it; its name in capitals where it is not known."""
    line = crash.environment.command_line or ("",)
    path = (crash.environment.executable or "").removesuffix(" (deleted)")
    return next((name for name in (path, line[0]) if is_safe(name)), "PROGRAM")
