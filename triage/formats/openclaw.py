"""OpenClaw's log: `[LEVEL] message`, the clw-llm-crash lines, and the facts it states at start.

What is odd about it: the `[ERROR]` line names the stage and the source line, the `[FATAL]` line
names the API error, and only both together say what happened. A start line whose value is `unset`
is a fact too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from triage.formats._base import Format, Region, number, reading
from triage.model.crash import Engine, Environment, ErrorRecord, Fragment, Gpu, ModelFile
from triage.model.evidence import Evidence
from triage.model.position import Position
from triage.text.late import late

_API = {"CUDA": "cuda", "HIP": "hip", "ROCm": "hip", "OpenCL": "opencl"}


@dataclass(slots=True)
class _State:
    """What the log has said so far; `where` keeps the line of every fact."""

    version: str | None = None
    version_at: Position | None = None
    environment: dict[str, Any] = field(default_factory=dict)
    gpu: dict[str, Any] = field(default_factory=dict)
    model: dict[str, Any] = field(default_factory=dict)
    option: dict[str, str] = field(default_factory=dict)
    variable: dict[str, str | None] = field(default_factory=dict)
    errors: list[ErrorRecord] = field(default_factory=list)
    where: dict[str, Position] = field(default_factory=dict)
    finished: Position | None = None

    def note(self, thing: str, at: Position, **facts: Any) -> None:
        """Record facts of one thing (environment, gpu, model, option, variable)."""
        target: dict[str, Any] = getattr(self, thing)
        for name, value in facts.items():
            key = name.replace("_", "-") if thing == "option" else name
            if value is not None or thing == "variable":
                target[key] = value
                self.where[f"{thing}.{key}"] = at


def _read(region: Region) -> Fragment:
    state = _State()
    source = reading(region, "openclaw")
    for item in source.items():
        handler = _HANDLERS.get(item.kind)
        if handler:
            handler(state, item.at, item.fields)
    model = ModelFile(**state.model) if state.model else None
    return Fragment(
        dialect="openclaw",
        errors=tuple(state.errors),
        engine=_engine(state, region),
        environment=Environment(
            **state.environment,
            gpus=(Gpu(**state.gpu),) if state.gpu else (),
            variables=state.variable,
            options=state.option,
            model=model,
            where=state.where,
        ),
        claimed=frozenset(source.claimed),
        finished=None if state.errors else state.finished,
    )


def _engine(state: _State, region: Region) -> Engine | None:
    """Name the engine where the log has a line that only OpenClaw writes."""
    at = state.version_at or next(
        (e.at for e in state.errors if e.name == "clw-llm-crash"),
        state.where.get("option.ctx-size"),
    )
    if at is None:
        return None
    text = next((line.text for line in region.lines if line.number == at.line), "")
    evidence = Evidence(field="log.line", text=text, weight=0.9, at=at)
    return Engine(name="openclaw", version=state.version, evidence=(evidence,))


def _crash(state: _State, at: Position, fields: dict[str, str]) -> None:
    state.errors.append(
        ErrorRecord(
            api="engine",
            name="clw-llm-crash",
            message=fields["crash_message"],
            file=fields["crash_file"],
            line=number(fields["crash_line"]),
            at=at,
        )
    )


def _fatal_api(state: _State, at: Position, fields: dict[str, str]) -> None:
    state.errors.append(
        ErrorRecord(
            api=_API[fields["api"]],
            code=number(fields["code"]),
            name=fields.get("name"),
            message=fields.get("api_message") or (fields.get("lost") or "").rstrip(": ") or None,
            at=at,
        )
    )


def _fatal(state: _State, at: Position, fields: dict[str, str]) -> None:
    state.errors.append(ErrorRecord(api="engine", message=fields["fatal_message"], at=at))


def _version(state: _State, at: Position, fields: dict[str, str]) -> None:
    state.version, state.version_at = fields["version"], at
    state.note("environment", at, cuda_toolkit=fields.get("version_toolkit"))


def _backend(state: _State, at: Position, fields: dict[str, str]) -> None:
    state.note("option", at, backend=fields["backend"])
    state.note(
        "environment",
        at,
        cuda_toolkit=fields.get("toolkit"),
        cuda_runtime=fields.get("runtime"),
        driver_cuda=fields.get("driver_cuda"),
    )


def _driver(state: _State, at: Position, fields: dict[str, str]) -> None:
    state.note("environment", at, driver=fields["driver"])


def _device(state: _State, at: Position, fields: dict[str, str]) -> None:
    state.note(
        "gpu",
        at,
        name=fields["gpu"],
        compute_capability=fields.get("capability"),
        memory_total=number(fields.get("vram_total")),
        memory_free=number(fields.get("vram_free")),
    )
    state.note("environment", at, driver=fields.get("device_driver"))


def _loading(state: _State, at: Position, fields: dict[str, str]) -> None:
    state.note("model", at, path=fields["path"], file_size=number(fields.get("loading_size")))


def _model(state: _State, at: Position, fields: dict[str, str]) -> None:
    state.note(
        "model",
        at,
        architecture=fields["architecture"],
        quantization=fields["quantization"],
        tensor_count=number(fields["tensors"]),
        file_size=number(fields.get("model_size")),
    )


def _settings(state: _State, at: Position, fields: dict[str, str]) -> None:
    state.note(
        "option",
        at,
        ctx_size=fields["ctx"],
        n_gpu_layers=fields["layers"],
        batch_size=fields["batch"],
        parallel=fields["parallel"],
        use_flash_attn="true" if fields["flash"] == "on" else "false",
        dtype=fields["dtype"],
    )
    state.note("model", at, layer_count=number(fields["layer_count"]))


def _variables(state: _State, at: Position, fields: dict[str, str]) -> None:
    for name, key in (("CLAW_VRAM_LIMIT", "vram_limit"), ("CLAW_CUDA_STREAMS", "streams")):
        value = fields[key].rstrip(",")
        state.note("variable", at, **{name: None if value == "unset" else value})


def _cache(state: _State, at: Position, fields: dict[str, str]) -> None:
    state.note(
        "option",
        at,
        kv_cells=fields["cells"],
        kv_cache_dynamic="true" if fields["dynamic"] == "on" else "false",
    )


def _prompt(state: _State, at: Position, fields: dict[str, str]) -> None:
    state.note("option", at, prompt_tokens=fields["prompt_tokens"])


def _done(state: _State, at: Position, _: dict[str, str]) -> None:
    state.finished = at


_HANDLERS = {
    "crash": _crash,
    "fatal_api": _fatal_api,
    "fatal": _fatal,
    "version": _version,
    "backend": _backend,
    "driver": _driver,
    "device": _device,
    "loading": _loading,
    "model": _model,
    "settings": _settings,
    "variables": _variables,
    "cache": _cache,
    "prompt": _prompt,
    "done": _done,
}


def _read_own(region: Region) -> Fragment:
    """Read a region, but leave other programs' `[LEVEL] …` lines alone."""
    fragment = _read(region)
    if fragment.engine is None:
        return Fragment(dialect="openclaw")
    return fragment


FORMAT = Format(
    name="openclaw",
    title="OpenClaw's log",
    anchors=("clw-llm-crash", "OpenClaw claw_inference", "[FATAL] ", "[INFO] ctx size "),
    opens=late(r"\[(?:DEBUG|INFO|WARN|ERROR|FATAL)\] "),
    read=_read_own,
    reach=100_000,
    starts=late(r"\[INFO\] OpenClaw claw_inference v?\d"),
)
