from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from triage.model.crash import (
    Crash,
    Engine,
    Environment,
    ErrorRecord,
    Gpu,
    LogLine,
    ModelFile,
    Module,
    Signal,
)
from triage.model.position import Position
from triage.model.stack import Frame, Thread
from triage.signatures.build import build_conditions, build_signature
from triage.signatures.rule import Condition, Signature


def _frame(index: int, spec: str) -> Frame:
    """Make a frame of `function`, `function@file:line`, `function in module` or `~noise`."""
    noise = "libc" if spec.startswith("~") else None
    spec = spec.removeprefix("~")
    spec, _, module = spec.partition(" in ")
    function, _, place = spec.partition("@")
    file, _, line = place.partition(":")
    return Frame(
        index=index,
        function=function or None,
        file=file or None,
        line=int(line) if line else None,
        module=module or None,
        noise=noise,
        at=Position(input=0, line=10 + index),
    )


@pytest.fixture
def thread() -> Callable[..., Thread]:
    def make(*frames: str, name: str | None = None, crashed: bool = False) -> Thread:
        return Thread(
            name=name, crashed=crashed, frames=tuple(_frame(n, f) for n, f in enumerate(frames))
        )

    return make


@pytest.fixture
def crash(thread: Callable[..., Thread]) -> Callable[..., Crash]:
    """Make a crash whose first thread crashed, with a place for every fact."""

    def make(*frames: str, lines: tuple[str, ...] = (), **more: Any) -> Crash:
        threads = (thread(*frames, crashed=True),) if frames else ()
        return Crash(
            threads=threads + more.pop("threads", ()),
            crashed_thread=0 if frames else None,
            lines=tuple(
                LogLine(text=t, at=Position(input=1, line=n)) for n, t in enumerate(lines, 1)
            ),
            **more,
        )

    return make


@pytest.fixture
def full_crash(crash: Callable[..., Crash]) -> Crash:
    """Return a crash that states something of everything."""
    where = {
        "environment.driver": Position(line=1),
        "gpu.memory_total": Position(line=2),
        "model.quantization": Position(line=3),
        "variable.CLAW_VRAM_LIMIT": Position(line=4),
        "option.n-gpu-layers": Position(line=5),
    }
    return crash(
        "~abort in /usr/lib/libc.so.6",
        "void claw::remap_kernel<float>(int)@/src/gguf_remap.cu:88",
        "llm_engine::load_model@llm_engine.cpp:1423",
        "main",
        lines=("[INFO] loading", "ERROR: device-side assert triggered at row 7"),
        engine=Engine(name="openclaw", version="0.9.2"),
        signal=Signal(name="SIGSEGV", number=11, fault_address="0x10", at=Position(line=7)),
        errors=(
            ErrorRecord(api="engine", name="clw-llm-crash", file="llm_engine.cpp", line=1423),
            ErrorRecord(api="cuda", code=700, name="cudaErrorIllegalAddress", at=Position(line=6)),
        ),
        modules=(Module(name="libcudart.so.11", path="/opt/lib/libcudart.so.11", version="11.8"),),
        environment=Environment(
            driver="535.129.03",
            driver_cuda="12.2",
            cuda_runtime="12.10",
            gpus=(Gpu(name="NVIDIA RTX 4090", memory_total=24564, compute_capability="8.9"),),
            model=ModelFile(path="/m/Llama-Q5_K_M.gguf", quantization="Q5_K_M", file_size=5 << 30),
            variables={"CLAW_VRAM_LIMIT": None, "CLAW_CUDA_STREAMS": "2"},
            options={"n-gpu-layers": "999", "ctx-size": "4096", "dtype": "f16"},
            where=where,
        ),
    )


@pytest.fixture
def condition() -> Callable[..., Condition]:
    def make(table: dict[str, Any]) -> Condition:
        return build_conditions([table])[0]

    return make


@pytest.fixture
def signature() -> Callable[..., Signature]:
    def make(*when: dict[str, Any], **more: Any) -> Signature:
        table = {
            "id": "p/s",
            "title": "T",
            "family": "other",
            "level": "certain",
            "base": 0.7,
            "when": list(when),
            **more,
        }
        return build_signature(table)

    return make
