"""CUDA, HIP, cuBLAS, cuDNN, NCCL, OpenCL and Vulkan errors in any program's words.

What is odd about it: ROCm builds of CUDA programs print `CUDA error`, and one error is often
printed by name, by number and by text, on one line or three.
"""

from __future__ import annotations

import re

from triage.formats._base import Format, Region, number, reading
from triage.knowledge import error_by_text, known_errors
from triage.model.crash import ErrorRecord, Fragment
from triage.model.position import Position

_PREFIXES = (
    ("cudaError", "cuda"),
    ("CUDA_ERROR_", "cuda-driver"),
    ("hipError", "hip"),
    ("CUBLAS_", "cublas"),
    ("CUDNN_", "cudnn"),
    ("VK_", "vulkan"),
    ("nccl", "nccl"),
    ("CL_", "opencl"),
)


def _read(region: Region) -> Fragment:
    source = reading(region, "gpu_api")
    errors: list[ErrorRecord] = []
    for item in source.items():
        kind, at, fields = item.kind, item.at, item.fields
        error = _error(kind, fields, item.text, at)
        if error is not None:
            errors.append(error)
    return Fragment(dialect="gpu_api", errors=tuple(errors), claimed=frozenset(source.claimed))


def _error(kind: str, fields: dict[str, str], line: str, at: Position) -> ErrorRecord | None:
    if kind == "name":
        name = fields["api_name"]
        api = next(api for prefix, api in _PREFIXES if name.startswith(prefix))
        known = known_errors().by_name.get(name)
        return ErrorRecord(
            api=api, code=known.code if known else None, name=name, message=line.strip(), at=at
        )
    if kind == "device_assert":
        return _failed_on_device(fields, at)
    if kind == "clerror":
        return _coded("opencl", number(fields["cl_code"]), line.strip(), at)
    if kind == "cuda_text":
        return _by_text("hip" if fields["text_api"] != "CUDA" else "cuda", fields["text"], at)
    api = "hip" if fields["code_api"] != "CUDA" else "cuda"
    error = _coded(api, number(fields["code"]), fields.get("code_text"), at)
    return ErrorRecord(
        api=error.api,
        code=error.code,
        name=error.name,
        message=error.message,
        file=fields.get("code_file"),
        line=number(fields.get("code_line")),
        at=at,
    )


def _failed_on_device(fields: dict[str, str], at: Position) -> ErrorRecord:
    """Return the error of an assertion in a kernel, which every thread that fails it prints."""
    known = known_errors().by_name["cudaErrorAssert"]
    return ErrorRecord(
        api="cuda",
        code=known.code,
        name=known.name,
        message=fields["assertion"],
        file=fields["assert_file"],
        line=number(fields["assert_line"]),
        at=at,
    )


def _coded(api: str, code: int | None, message: str | None, at: Position) -> ErrorRecord:
    known = known_errors().by_code.get((api, code)) if code is not None else None
    return ErrorRecord(
        api=api, code=code, name=known.name if known else None, message=message, at=at
    )


def _by_text(api: str, text: str, at: Position) -> ErrorRecord:
    known = error_by_text(api, text)
    return ErrorRecord(
        api=api,
        code=known.code if known else None,
        name=known.name if known else None,
        message=text,
        at=at,
    )


FORMAT = Format(
    name="gpu_api",
    title="errors of CUDA, HIP, OpenCL and their libraries",
    anchors=(
        "cudaError",
        "CUDA_ERROR_",
        "hipError",
        "CUBLAS_STATUS_",
        "CUDNN_STATUS_",
        "VK_ERROR_",
        "CL_OUT_OF_",
        "CL_INVALID_",
        "CUDA error",
        "HIP error",
        "ROCm error",
        "ncclSystemError",
        "ncclUnhandledCudaError",
        "ncclInternalError",
        "ncclRemoteError",
        "clEnqueue",
        "], thread: [",
    ),
    opens=re.compile(
        r"[^\n]{0,400}?\b(?:cudaError[A-Z]|CUDA_ERROR_|hipError[A-Z]|CUBLAS_STATUS_|CUDNN_STATUS_"
        r"|VK_ERROR_|CL_[A-Z]{3}|(?:CUDA|HIP|ROCm)(?: Runtime| Driver)? error|nccl[A-Z]"
        r"|cl[A-Z]\w{3,60} (?:failed|returned))|[^\n]{0,2000}?: block: \[\d"
    ),
    read=_read,
    yields_to=("openclaw", "gdb", "ggml", "process_end"),
)
