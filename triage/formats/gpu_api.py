"""Errors of CUDA, HIP, OpenCL, Vulkan, Metal and their libraries in any program's words.

What is odd about it: ROCm builds of CUDA programs print `CUDA error`, and one error is often
printed by name, by number and by text, on one line or three.
"""

from __future__ import annotations

from triage.formats._base import Format, Item, Region, described_error, number, reading
from triage.model.crash import ErrorRecord, Fragment
from triage.model.position import Position
from triage.text.late import late

_PREFIXES = (
    ("cudaError", "cuda"),
    ("CUDA_ERROR_", "cuda-driver"),
    ("hipError", "hip"),
    ("CUBLAS_", "cublas"),
    ("CUDNN_", "cudnn"),
    ("VK_", "vulkan"),
    ("nccl", "nccl"),
    ("CL_", "opencl"),
    ("CUFFT_", "cufft"),
    ("CUSOLVER_", "cusolver"),
    ("CUSPARSE_", "cusparse"),
    ("NVRTC_", "nvrtc"),
    ("NVML_", "nvml"),
    ("HIPBLAS_", "hipblas"),
    ("rocblas_", "rocblas"),
    ("miopen", "miopen"),
    ("MTLCommandBuffer", "metal"),
)


def _read(region: Region) -> Fragment:
    """Read names, numbers and texts as printed; joining fills in what the tables know of them."""
    source = reading(region, "gpu_api")
    errors = tuple(_error(item) for item in source.items())
    return Fragment(dialect="gpu_api", errors=errors, claimed=frozenset(source.claimed))


def _error(item: Item) -> ErrorRecord:
    fields, at = item.fields, item.at
    if item.kind == "name":
        name = fields["api_name"]
        api = next(api for prefix, api in _PREFIXES if name.startswith(prefix))
        return ErrorRecord(api=api, name=name, message=item.text.strip(), at=at)
    if item.kind == "device_assert":
        return _failed_on_device(fields, at)
    if item.kind == "clerror":
        code = number(fields["cl_code"])
        return ErrorRecord(api="opencl", code=code, message=item.text.strip(), at=at)
    if item.kind == "cuda_call":
        return _failed_call(item)
    if item.kind == "cuda_text":
        return described_error(_api(fields["text_api"]), fields["text"], at)
    return ErrorRecord(
        api=_api(fields["code_api"]),
        code=number(fields["code"]),
        message=fields.get("code_text"),
        file=fields.get("code_file"),
        line=number(fields.get("code_line")),
        at=at,
    )


def _failed_call(item: Item) -> ErrorRecord:
    """Return the error that a call of the runtime, or one of the driver alone, came back with."""
    fields = item.fields
    for kind in ("call", "counted", "probed"):
        name = fields.get(kind)
        if name:
            api = "cuda" if name.startswith("cuda") and kind != "probed" else "cuda-driver"
            text = fields.get(f"{kind}_text") or item.text
            code = number(fields[f"{kind}_code"])
            return ErrorRecord(api=api, code=code, message=text.strip(), at=item.at)
    raise ValueError(item.kind)


def _api(word: str) -> str:
    return "cuda" if word == "CUDA" else "hip"


def _failed_on_device(fields: dict[str, str], at: Position) -> ErrorRecord:
    """Return the error of an assertion in a kernel, which every thread that fails it prints."""
    return ErrorRecord(
        api="cuda",
        name="cudaErrorAssert",
        message=fields["assertion"],
        file=fields["assert_file"],
        line=number(fields["assert_line"]),
        at=at,
    )


FORMAT = Format(
    name="gpu_api",
    title="errors of CUDA, HIP, OpenCL, Vulkan, Metal and their libraries",
    anchors=(
        "cudaError",
        "CUDA_ERROR_",
        "hipError",
        "CUBLAS_STATUS_",
        "CUDNN_STATUS_",
        "VK_ERROR_",
        "CL_INVALID_",
        "CL_OUT_OF_",
        "CL_MEM_",
        "CL_BUILD_",
        "CL_DEVICE_",
        "CL_COMPILE",
        "CL_PROFILING_",
        "CL_MAP_",
        "CL_EXEC_",
        "CL_PLATFORM_NOT_",
        "CL_MISALIGNED_",
        "CL_LINK",
        "CUFFT_",
        "CUSOLVER_STATUS_",
        "CUSPARSE_STATUS_",
        "NVRTC_ERROR_",
        "NVML_ERROR_",
        "HIPBLAS_STATUS_",
        "rocblas_status_",
        "miopenStatus",
        "MTLCommandBufferError",
        "CUDA error",
        "CUDA Runtime error",
        "CUDA Driver error",
        "cudaGet",
        "cudaSet",
        "cudaMalloc",
        "cudaMemcpy",
        "cudaStream",
        "cudaDevice",
        "cudaLaunch",
        "cuInit",
        "cuda driver library init failure",
        "HIP error",
        "ROCm error",
        "ncclS",
        "ncclU",
        "ncclI",
        "ncclR",
        "clBuild",
        "clCreate",
        "clEnqueue",
        "clFinish",
        "clFlush",
        "clGet",
        "clSet",
        "clWait",
        "], thread: [",
    ),
    opens=late(
        r"[^\n]{0,400}?\b(?:cudaError[A-Z]|CUDA_ERROR_|hipError[A-Z]|CUBLAS_STATUS_|CUDNN_STATUS_"
        r"|VK_ERROR_|CL_[A-Z]{3}|CU(?:FFT|SOLVER|SPARSE)_[A-Z]|NV(?:RTC|ML)_ERROR_|HIPBLAS_STATUS_"
        r"|rocblas_status_|miopenStatus[A-Z]|MTLCommandBufferError[A-Z]"
        r"|(?:CUDA|HIP|ROCm)(?: Runtime| Driver)? error|nccl[A-Z]"
        r"|cu(?:da)?[A-Z]\w{3,60}(?:\([^\n()]{0,60}\))? (?:returned|failed|error)"
        r"|cuda[A-Z]\w{3,60}\(\)[^\n]{0,200}? Error \d|cuda driver library init failure: "
        r"|cl[A-Z]\w{3,60} (?:failed|returned))|[^\n]{0,2000}?: block: \[\d"
    ),
    read=_read,
    yields_to=("compute_sanitizer", "openclaw", "gdb", "ggml", "process_end"),
)
