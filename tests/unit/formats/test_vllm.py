"""What `vllm`, SGLang, `bitsandbytes` and `collect_env` say of themselves."""

from __future__ import annotations

import pytest

from triage.model.crash import Crash, Role
from triage.read import ReadOptions, read_text


def read(text: str) -> Crash:
    return read_text(text, ReadOptions()).crash


@pytest.mark.parametrize(
    ("line", "version"),
    [
        ("[core.py:121] Initializing a V1 LLM engine (v0.8.4) with config: model='m'", "0.8.4"),
        ("[core.py:1] Initializing an LLM engine (v0.6.3) with config: model='m', x=1", "0.6.3"),
        ("llm_engine.py:70] Initializing an LLM engine with config: model='m'", None),
        ("[api_server.py:1805] vLLM API server version 0.10.1.1", "0.10.1.1"),
        ("[core.py:700] EngineCore failed to start.", None),
    ],
)  # fmt: skip
def test_engine(line: str, version: str | None):
    engine = read(f"(EngineCore_0 pid=7) INFO 08-12 22:35:20 {line}").engine
    assert (engine.name, engine.version) == ("vllm", version)
    assert engine.evidence[0].at.line == 1


def test_settings():
    crash = read(
        "INFO 08-12 22:35:20 [core.py:121] Initializing a V1 LLM engine (v0.8.4) with config: "
        "model='/m/Q', speculative_config=None, tokenizer='/m/T', dtype=torch.bfloat16, "
        "max_seq_len=2048, tensor_parallel_size=8, quantization=fp8, enforce_eager=False"
    )
    assert crash.environment.options == {
        "dtype": "bfloat16", "max-model-len": "2048", "tensor-parallel-size": "8",
        "quantization": "fp8", "enforce-eager": "False",
    }  # fmt: skip
    model = crash.environment.model
    assert (model.path, model.quantization, model.context_length) == ("/m/Q", "fp8", 2048)
    assert crash.environment.where["option.dtype"].line == 1


@pytest.mark.parametrize(
    "line",
    [
        "[utils.py:326] non-default args: {'model': '/m/Q', 'tensor_parallel_size': 8}",
        "api_server.py:528] args: Namespace(model='/m/Q', tensor_parallel_size=8)",
    ],
)  # fmt: skip
def test_arguments(line: str):
    crash = read(f"INFO 08-26 09:12:01 {line}")
    assert crash.environment.model.path == "/m/Q"
    assert crash.environment.options["tensor-parallel-size"] == "8"


def test_sglang():
    crash = read(
        "[2026-03-07 23:50:27] server_args=ServerArgs(model_path='/m/D', dtype='auto', "
        "context_length=None, mem_fraction_static=0.79, tp_size=8)\n"
        "[2026-03-07 23:50:29 TP0] Scheduler hit an exception: Traceback (most recent call last):\n"
        '  File "/s/sglang/srt/managers/scheduler.py", line 28, in run\n'
        "ValueError: no\n"
    )
    assert crash.engine.name == "sglang"
    assert crash.environment.options == {
        "dtype": "auto", "mem-fraction-static": "0.79", "tp-size": "8",
    }  # fmt: skip
    assert [(e.name, e.role) for e in crash.errors] == [
        ("sglang", Role.CONSEQUENCE), ("ValueError", Role.UNCLEAR),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "signal"), [("-11", "SIGSEGV"), ("-9", "SIGKILL"), ("-15", None), ("1", None)]
)
def test_worker_that_died(code: str, signal: str | None):
    crash = read(f"ERROR 09-01 10:00:00 x.py:1] Worker VllmWorker pid 12 died, exit code: {code}")
    assert (crash.signal and crash.signal.name) == signal


@pytest.mark.parametrize("line", ["use vLLM to serve it", "the EngineCore started", "args: []"])
def test_mention(line: str):
    crash = read(line)
    assert (crash.engine, crash.errors) == (None, ())


def test_bitsandbytes():
    (error,) = read("Error named symbol not found at line 448 in file /src/csrc/ops.cu").errors
    assert (error.api, error.name, error.file, error.line) == (
        "cuda", "cudaErrorSymbolNotFound", "/src/csrc/ops.cu", 448,
    )  # fmt: skip


def test_collect_env():
    crash = read(
        "PyTorch version: 2.4.0+cu121\nCUDA used to build PyTorch: 12.1\n"
        "ROCM used to build PyTorch: N/A\n\nOS: Ubuntu 22.04.3 LTS (x86_64)\n"
        "CUDA runtime version: Could not collect\nGPU models and configuration: \n"
        "GPU 0: NVIDIA A100-SXM4-80GB\nGPU 1: NVIDIA A100-SXM4-80GB\n\n"
        "Nvidia driver version: 535.104.05\nvLLM Version: 0.6.3.post1\nCUDA_VISIBLE_DEVICES=0,1\n"
    )
    environment = crash.environment
    assert (environment.os, environment.driver) == ("Ubuntu 22.04.3 LTS (x86_64)", "535.104.05")
    assert (environment.cuda_toolkit, environment.cuda_runtime) == ("12.1", None)
    assert [gpu.name for gpu in environment.gpus] == ["NVIDIA A100-SXM4-80GB"] * 2
    assert environment.variables == {"CUDA_VISIBLE_DEVICES": "0,1"}
    assert (crash.engine.name, crash.engine.version) == ("vllm", "0.6.3.post1")
    assert environment.where["environment.driver"].line == 11
    assert not crash.is_crash
