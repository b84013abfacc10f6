"""Whether the host's stack can show what failed: it cannot where a GPU failed behind its back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from triage.model.crash import ErrorRecord, ReportWarning, Timing
from triage.model.stack import FrameKind, Thread, ThreadKind
from triage.text.late import late

_BLOCKING = ("CUDA_LAUNCH_BLOCKING", "HIP_LAUNCH_BLOCKING")
_WAIT = late(r"(?:cuda|cu|hip)\w{0,60}Synchronize|(?:cuda|hip)MemcpyAsync|clFinish|clWaitForEvents")
_ON_GPU = frozenset({"cuda", "cuda-driver", "cublas", "cudnn", "hip", "hsa"})


def late_reason(
    errors: Sequence[ErrorRecord], variables: Mapping[str, str | None]
) -> str | None:
    """Return why the host's stack shows who noticed and not who failed; None where it may show it.

    A run in which every launch is waited for, or one under a checker that stops at the access, has
    a host stack that can be believed.
    """
    if any(variables.get(name) == "1" for name in _BLOCKING):
        return None
    if any(error.api == "sanitizer" for error in errors):
        return None
    device = next((e for e in errors if e.api == "cuda-exception"), None)
    if device is not None:
        return f"{device.message or device.name} was raised on the GPU"
    error = next(
        (e for e in errors if e.timing is Timing.ASYNCHRONOUS and e.api in _ON_GPU), None
    )
    if error is not None:
        return f"{error.name or error.api} is reported by whichever call comes next"
    return None


def waits_for_gpu(thread: Thread, frame: int) -> bool:
    """Tell whether a thread's frame had called what waits for a GPU, and had not come back."""
    return any(
        f.function and f.kind is FrameKind.HOST and _WAIT.match(f.function)
        for f in thread.frames[:frame]
    )


def late_warning(reason: str, threads: Sequence[Thread]) -> ReportWarning | None:
    """Return the word on a host stack that is not to be trusted, where there is one."""
    host = next((t for t in threads if t.kind is ThreadKind.HOST and t.frames), None)
    if host is None:
        return None
    on_gpu = any(t.kind is ThreadKind.GPU for t in threads)
    rest = "the GPU's stack does" if on_gpu else "a GPU core dump would"
    return ReportWarning(
        code="host-stack-late",
        message=f"the host's stack does not show what failed: {reason}; {rest}",
        at=host.at,
    )
