"""Names of errors of GPU libraries, in any program's words, and what is known of them."""

from __future__ import annotations

import pytest

from triage.crash import join
from triage.formats import gpu_api
from triage.formats._base import Region
from triage.model.crash import ErrorRecord
from triage.text.line import Line


def errors(*lines: str) -> tuple[ErrorRecord, ...]:
    region = Region(tuple(Line(number=n, text=text) for n, text in enumerate(lines, 1)))
    return join([gpu_api.FORMAT.read(region)], [], ()).errors


@pytest.mark.parametrize(
    ("line", "api", "code"),
    [
        ("RuntimeError: cuFFT error: CUFFT_INTERNAL_ERROR", "cufft", 5),
        ("cusolver error: CUSOLVER_STATUS_EXECUTION_FAILED, when calling `potrf`", "cusolver", 6),
        ("cusparse: CUSPARSE_STATUS_INSUFFICIENT_RESOURCES", "cusparse", 11),
        ("nvrtc: error: NVRTC_ERROR_BUILTIN_OPERATION_FAILURE", "nvrtc", 7),
        ("nvmlInit failed: NVML_ERROR_LIB_RM_VERSION_MISMATCH", "nvml", 18),
        ("HIPBLAS_STATUS_ALLOC_FAILED when calling `hipblasCreate(handle)`", "hipblas", 2),
        ("rocBLAS error: rocblas_status_memory_error", "rocblas", 5),
        ("MIOpen Error: miopenStatusUnknownError", "miopen", 7),
        ("command buffer failed: MTLCommandBufferErrorPageFault", "metal", 3),
        ("clBuildProgram: CL_PLATFORM_NOT_FOUND_KHR", "opencl", -1001),
        ("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED_CUBLAS", "cudnn", 5002),
        ("NCCL: ncclTimeout", "nccl", 8),
    ],
)
def test_names(line: str, api: str, code: int):
    (error,) = errors(line)
    assert (error.api, error.code) == (api, code)
    assert error.meaning


@pytest.mark.parametrize(
    ("line", "api", "code"),
    [
        ("cudaGetDeviceCount returned 999", "cuda", 999),
        ("cudaSetDevice(3) failed with error 101", "cuda", 101),
        ("cuInit(0) failed with error: 802", "cuda-driver", 802),
        ("cuda driver library init failure: 3", "cuda-driver", 3),
        (
            "Unexpected error from cudaGetDeviceCount(). Did you run? Error 804: forward compat",
            "cuda",
            804,
        ),
    ],
)
def test_calls(line: str, api: str, code: int):
    (error,) = errors(line)
    assert (error.api, error.code) == (api, code)
    assert error.name


@pytest.mark.parametrize(
    "line",
    [
        "cudaGetDeviceCount returned 0",
        "cudaMemGetInfo returned 81559 MiB",
        "cudaMemGetInfo returned 512 MiB",
        "cudaGetDeviceCount returned 8",
        "cufftPlan1d(&plan, n, CUFFT_C2C, 1); cufftExecC2C(plan, a, b, CUFFT_FORWARD);",
        "assert status == CUSOLVER_STATUS_SUCCESS",
        "power limit: NVML_ERROR_NOT_SUPPORTED",
        "rocblas_status_success",
        "miopenStatusGpuOperationsSkipped",
    ],
)
def test_names_that_are_no_errors(line: str):
    assert errors(line) == ()


def test_a_message_is_not_said_twice():
    (error,) = errors("CUDA error 700: an illegal memory access was encountered")
    assert error.meaning is None
    (error,) = errors("CUDA error 700 at x.cu:3")
    assert error.meaning == "an illegal memory access was encountered"
