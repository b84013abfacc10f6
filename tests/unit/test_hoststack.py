"""When a report says that a host stack shows who noticed a failure of the GPU."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.crash import join
from triage.hoststack import CODE, commanded
from triage.knowledge import HostStack, known_errors, synchronous_settings
from triage.model.crash import (
    Environment,
    ErrorRecord,
    Fragment,
    LogLine,
    ReportWarning,
    Role,
)
from triage.model.position import Position
from triage.model.stack import Frame, Thread, ThreadKind

AT = Position(input=0, line=7)
HOST = Thread(crashed=True, frames=(Frame(index=0, function="llm::decode"),))
GPU = Thread(crashed=True, kind=ThreadKind.GPU, frames=(Frame(index=0, function="remap_kernel"),))
PYTHON = Thread(kind=ThreadKind.PYTHON, frames=(Frame(index=0, function="forward"),))
ILLEGAL = ErrorRecord(api="cuda", code=700, at=AT)


def warned(
    *errors: ErrorRecord,
    threads: tuple[Thread, ...] = (HOST,),
    variables: dict[str, str | None] | None = None,
    line: str = "",
) -> ReportWarning | None:
    fragment = Fragment(
        dialect="x",
        errors=errors,
        threads=threads,
        environment=Environment(variables=variables or {}),
    )
    crash = join([fragment], [LogLine(text=line, at=AT)], ())
    found = [w for w in crash.warnings if w.code == CODE]
    assert len(found) <= 1
    return found[0] if found else None


def test_a_late_error_with_a_host_stack():
    warning = warned(ILLEGAL)
    assert warning is not None
    assert warning.at == AT
    assert "cudaErrorIllegalAddress" in warning.message
    assert "CUDA_LAUNCH_BLOCKING=1" in warning.message
    assert warned(ILLEGAL, threads=(PYTHON,)) is not None


def test_the_gpu_s_own_stack_is_pointed_at():
    warning = warned(ILLEGAL, threads=(HOST, GPU))
    assert warning is not None
    assert "the GPU's stack is the one to read" in warning.message
    assert warned(ILLEGAL, threads=(GPU,)) is None


@pytest.mark.parametrize(
    "error",
    [
        ErrorRecord(api="cuda", code=9),
        ErrorRecord(api="cuda", code=2),
        ErrorRecord(api="cuda", code=214),
        ErrorRecord(api="cuda-exception", code=14),
        ErrorRecord(api="cuda", code=700, role=Role.CONSEQUENCE),
        ErrorRecord(api="python", name="ValueError"),
    ],
)
def test_errors_that_are_not_late(error: ErrorRecord):
    assert warned(error) is None


def test_nothing_to_trust():
    place = ErrorRecord(api="engine", name="x", file="claw_cuda_backend.cu", line=35)
    assert warned(place, ILLEGAL, threads=()) is None


class TestSynchronous:
    @pytest.mark.parametrize(
        ("error", "name", "value"),
        [
            (ILLEGAL, "CUDA_LAUNCH_BLOCKING", "1"),
            (ILLEGAL, "AMD_SERIALIZE_KERNEL", "3"),
            (ErrorRecord(api="hip", code=719), "HIP_LAUNCH_BLOCKING", "1"),
            (ErrorRecord(api="cublas", code=13), "CUDA_LAUNCH_BLOCKING", "1"),
        ],
    )
    def test_variable(self, error: ErrorRecord, name: str, value: str):
        assert warned(error, variables={name: value}) is None
        assert warned(error, variables={name: "0"}) is not None
        assert warned(error, variables={name: None}) is not None

    @pytest.mark.parametrize(
        "line",
        [
            "CUDA_LAUNCH_BLOCKING=1 ./server --model m.gguf",
            "user@host:~/claw$ CUDA_VISIBLE_DEVICES=0 CUDA_LAUNCH_BLOCKING=1 python serve.py",
            "# export CUDA_LAUNCH_BLOCKING=1",
            "+ env CUDA_LAUNCH_BLOCKING=1 python serve.py",
            "docker run --gpus all -e CUDA_LAUNCH_BLOCKING=1 image",
            'export CUDA_LAUNCH_BLOCKING="1"; python serve.py',
        ],
    )
    def test_command(self, line: str):
        assert warned(ILLEGAL, line=line) is None

    @pytest.mark.parametrize(
        "line",
        [
            "For debugging consider passing CUDA_LAUNCH_BLOCKING=1",
            "please run again with CUDA_LAUNCH_BLOCKING=1 and attach the log",
            "CUDA_LAUNCH_BLOCKING=0 ./server",
            "CUDA_LAUNCH_BLOCKING=10 ./server",
        ],
    )
    def test_prose_and_other_values(self, line: str):
        assert warned(ILLEGAL, line=line) is not None

    def test_an_api_without_a_setting_is_not_advised_one(self):
        warning = warned(ErrorRecord(api="vulkan", code=-4))
        assert warning is not None
        assert "=" not in warning.message


def test_every_late_error_of_cuda_and_rocm_has_a_setting():
    without = {"vulkan", "opencl", "metal"}
    late = {k.api for k in known_errors().by_code.values() if k.stack is HostStack.LATE}
    assert late - without == late & set(synchronous_settings())


@given(st.text(max_size=200))
def test_any_line_is_read(text: str):
    assert all("=" not in name for name, _ in commanded(text))
