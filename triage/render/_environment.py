"""The circumstances of a crash as a list of facts."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from triage.model.crash import Environment, Gpu, ModelFile
from triage.model.report import Report
from triage.render._view import FactView
from triage.render._words import Places


def environment_facts(report: Report, places: Places) -> tuple[FactView, ...]:
    """Return what is known about the machine, the command and the model, one fact a line."""
    environment = report.environment
    return tuple(
        FactView(place=places.name(environment.where.get(field)), about=about, text=text)
        for field, about, text in (*_machine(environment), *_command(environment))
        if text
    )


def _machine(environment: Environment) -> Iterator[tuple[str, str, str]]:
    system = " ".join(part for part in (environment.os, environment.arch) if part)
    yield "os", "system", system
    yield "container", "container", environment.container or ""
    for n, gpu in enumerate(environment.gpus):
        yield "gpus", f"GPU {n}", _gpu(gpu)
    yield "driver", "GPU driver", environment.driver or ""
    yield "driver_cuda", "CUDA that the driver supports", environment.driver_cuda or ""
    yield "cuda_runtime", "CUDA runtime", environment.cuda_runtime or ""
    yield "cuda_toolkit", "CUDA toolkit", environment.cuda_toolkit or ""


def _command(environment: Environment) -> Iterator[tuple[str, str, str]]:
    if environment.model:
        yield "model", "model", _model(environment.model)
    if environment.command_line:
        yield "command_line", "command", shlex.join(environment.command_line)
    for name, value in environment.options.items():
        yield f"options.{name}", f"option {name}", value
    for name, value in environment.facts.items():
        yield f"fact.{name}", name.removesuffix("-mib").replace("-", " "), _figure(name, value)
    for name, setting in environment.variables.items():
        yield f"variables.{name}", name, "unset" if setting is None else setting


def _figure(name: str, value: str) -> str:
    return f"{value} MiB" if name.endswith("-mib") else value


def _gpu(gpu: Gpu) -> str:
    return _join(
        gpu.name,
        gpu.memory_total is not None and f"{gpu.memory_total} MiB",
        gpu.memory_free is not None and f"{gpu.memory_free} MiB free",
        gpu.compute_capability and f"compute capability {gpu.compute_capability}",
    )


def _model(model: ModelFile) -> str:
    return _join(
        model.path,
        model.architecture,
        model.quantization,
        model.file_size is not None and f"{model.file_size} bytes",
        model.tensor_count is not None and f"{model.tensor_count} tensors",
        model.layer_count is not None and f"{model.layer_count} layers",
        model.context_length is not None and f"context {model.context_length}",
    )


def _join(*parts: str | bool | None) -> str:
    return ", ".join(part for part in parts if isinstance(part, str) and part)
