"""What vLLM and SGLang say of themselves at start, and that they failed.

What is odd about it: the settings are the `repr` of a Python object on one long line; and the
failure that the engine reports is the consequence of one that a traceback tells.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from triage.elf.signals import SIGNALS
from triage.formats._base import Format, Item, Region, named_signal, number, reading
from triage.model.crash import (
    Engine,
    Environment,
    ErrorRecord,
    Fragment,
    ModelFile,
    Role,
    Signal,
)
from triage.model.evidence import Evidence
from triage.model.position import Position
from triage.text.late import late

_PAIR = late(
    r"(?<![\w'])(?P<key>[a-z]\w{1,60})=(?P<value>'[^'\n]{0,1000}'|\"[^\"\n]{0,1000}\"|[^\s,()\[\]{}]{1,200})"
)
_ITEM = late(r"'(?P<key>[a-z]\w{1,60})': (?P<value>'[^'\n]{0,1000}'|[^\s,()\[\]{}]{1,200})")
_OPTIONS = {
    "dtype": "dtype",
    "quantization": "quantization",
    "load_format": "load-format",
    "kv_cache_dtype": "kv-cache-dtype",
    "enforce_eager": "enforce-eager",
    "tensor_parallel_size": "tensor-parallel-size",
    "pipeline_parallel_size": "pipeline-parallel-size",
    "data_parallel_size": "data-parallel-size",
    "gpu_memory_utilization": "gpu-memory-utilization",
    "max_model_len": "max-model-len",
    "max_seq_len": "max-model-len",
    "max_num_seqs": "max-num-seqs",
    "max_num_batched_tokens": "max-num-batched-tokens",
    "swap_space": "swap-space",
    "cpu_offload_gb": "cpu-offload-gb",
    "enable_prefix_caching": "enable-prefix-caching",
    "enable_chunked_prefill": "enable-chunked-prefill",
    "disable_custom_all_reduce": "disable-custom-all-reduce",
    "speculative_config": "speculative-config",
    "distributed_executor_backend": "distributed-executor-backend",
    "tp_size": "tp-size",
    "dp_size": "dp-size",
    "pp_size": "pp-size",
    "ep_size": "ep-size",
    "mem_fraction_static": "mem-fraction-static",
    "context_length": "context-length",
    "max_running_requests": "max-running-requests",
    "max_total_tokens": "max-total-tokens",
    "chunked_prefill_size": "chunked-prefill-size",
    "attention_backend": "attention-backend",
    "sampling_backend": "sampling-backend",
    "disable_cuda_graph": "disable-cuda-graph",
    "cuda_graph_max_bs": "cuda-graph-max-bs",
    "disable_overlap_schedule": "disable-overlap-schedule",
    "speculative_algorithm": "speculative-algorithm",
}
_MODELS = ("model", "model_path", "model_tag")
_LENGTHS = ("max_model_len", "max_seq_len", "context_length")
_VLLM = frozenset({"vllm_config", "vllm_server", "vllm_failed"})
_SGLANG = frozenset({"sglang_arguments", "sglang_failed"})


@dataclass(slots=True)
class _State:
    engine: str | None = None
    version: str | None = None
    evidence: Evidence | None = None
    options: dict[str, str] = field(default_factory=dict)
    model: dict[str, str] = field(default_factory=dict)
    length: int | None = None
    errors: list[ErrorRecord] = field(default_factory=list)
    signal: Signal | None = None
    where: dict[str, Position] = field(default_factory=dict)


def _read(region: Region) -> Fragment:
    state = _State()
    source = reading(region, "vllm")
    for item in source.items():
        _name_engine(state, item)
        _take(state, item)
    model = None
    if state.model or state.length:
        model = ModelFile(
            path=state.model.get("path"),
            quantization=state.model.get("quantization"),
            context_length=state.length,
        )
    engine = None
    if state.engine and state.evidence:
        engine = Engine(name=state.engine, version=state.version, evidence=(state.evidence,))
    return Fragment(
        dialect="vllm",
        engine=engine,
        errors=tuple(state.errors),
        signal=state.signal,
        signal_rank=4,
        environment=Environment(options=state.options, model=model, where=state.where),
    )


def _name_engine(state: _State, item: Item) -> None:
    name = "vllm" if item.kind in _VLLM else "sglang" if item.kind in _SGLANG else None
    if name and state.engine is None:
        state.engine = name
        state.evidence = Evidence(field="log.line", text=item.text[:200], weight=0.95, at=item.at)
    version = item.fields.get("version") or item.fields.get("server_version")
    if version and state.version is None:
        state.version = version


def _take(state: _State, item: Item) -> None:
    fields = item.fields
    if text := fields.get("config") or fields.get("namespace") or fields.get("server_args"):
        _settings(state, _PAIR, text, item.at)
    elif text := fields.get("dictionary"):
        _settings(state, _ITEM, text, item.at)
    elif item.kind == "max_length":
        _note_length(state, fields["max_length"], item.at)
    elif item.kind == "attention":
        _note(state, "attention-backend", fields["attention"], item.at)
    elif item.kind in ("vllm_failed", "sglang_failed", "worker_died"):
        state.errors.append(
            ErrorRecord(
                api="engine",
                name="sglang" if item.kind == "sglang_failed" else "vllm",
                message=fields[item.kind],
                role=Role.CONSEQUENCE,
                at=item.at,
            )
        )
        code = number(fields.get("exit_code"))
        if code is not None and -code in SIGNALS and code not in (-15, -2):
            state.signal = state.signal or named_signal(SIGNALS[-code], item.at)


def _settings(state: _State, pattern: re.Pattern[str], text: str, at: Position) -> None:
    """Record the settings that are known options, each as it is first stated."""
    for match in pattern.finditer(text):
        key, value = match["key"], match["value"].strip("'\"")
        if value in ("None", ""):
            continue
        if key in _MODELS:
            if state.model.setdefault("path", value) == value:
                state.where.setdefault("model.path", at)
        elif key in _OPTIONS:
            _note(state, _OPTIONS[key], value.removeprefix("torch."), at)
            if key in _LENGTHS:
                _note_length(state, value, at)
            if key == "quantization":
                state.model.setdefault("quantization", value)
                state.where.setdefault("model.quantization", at)


def _note(state: _State, option: str, value: str, at: Position) -> None:
    if option not in state.options:
        state.options[option] = value
        state.where[f"option.{option}"] = at


def _note_length(state: _State, text: str, at: Position) -> None:
    length = number(text) if text.isdecimal() else None
    if length is not None and state.length is None:
        state.length = length
        state.where["model.context_length"] = at


FORMAT = Format(
    name="vllm",
    title="vLLM and SGLang: settings and failures",
    anchors=(
        "LLM engine ",
        "vLLM ",
        "non-default args: ",
        "args: Namespace(",
        "server_args=ServerArgs(",
        "Using max model len ",
        "EngineCore ",
        "Engine background task failed",
        "Engine loop has died",
        "Engine process failed",
        "AsyncLLM output_handler",
        "WorkerProc ",
        "Error executing method ",
        " hit an exception",
        "Received sigquit from",
        " died, exit code: ",
        "Scheduler or DataParallelController ",
    ),
    opens=late(
        r"[^\n]{0,120}Initializing an? (?:V[01] )?LLM engine "
        r"|[^\n]{0,120}vLLM (?:API server |server )?version|[^\n]{0,120}non-default args: \{"
        r"|[^\n]{0,120}args: Namespace\(|[^\n]{0,120}server_args=ServerArgs\("
        r"|[^\n]{0,120}Using max model len \d|[^\n]{0,120}AsyncLLM output_handler failed"
        r"|[^\n]{0,120}Engine(?:Core (?:failed to start|encountered|hit an exception)"
        r"| background task failed| loop has died| process failed)"
        r"|[^\n]{0,120}Worker(?:Proc (?:failed|hit)| \w{1,60} pid \d{1,10} died, exit code)"
        r"|[^\n]{0,120}Error executing method '?\w{1,80}'?\. This"
        r"|[^\n]{0,180}hit an exception|[^\n]{0,120}Received sigquit from a child process"
        r"|[^\n]{0,120}Scheduler or DataParallelController \d{1,10} terminated with"
    ),
    read=_read,
)
