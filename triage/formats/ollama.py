"""Ollama's log: what it knows of its GPUs and its model, and how its runner ended.

What is odd about it: the server reports the death of another process, the runner, and repeats the
runner's last words; what the runner prints itself stands between the server's lines.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from typing import Any

from triage.formats._base import Format, Item, Region, named_signal, number, reading
from triage.formats._ggml_facts import quantization
from triage.formats._ntstatus import status_error, status_of
from triage.model.crash import (
    Engine,
    Environment,
    ErrorRecord,
    Fragment,
    Gpu,
    ModelFile,
    Role,
    Signal,
)
from triage.model.evidence import Evidence
from triage.model.position import Position
from triage.text.late import late

_SOURCE = late(
    r"(?:server|sched|routes|gpu|runner|ggml|images|types|memory|cache|device|payload|common|download"
    r"|backend|llm|llama|causal|model|path|app|cpu_common|cpu_linux|cuda_common|amd_\w{5,8}"
    r"|ollamarunner|ext_server_common|dyn_ext_server)\.go"
)
_PAIR = late(
    r'(?<![\w.])(?P<key>[A-Za-z_][\w.]{0,60})=(?P<value>"(?:[^"\\]|\\.){0,4000}"|[^\s"]{0,1000})'
)
_VARIABLE = late(r"(?<![^\s\[])(?P<name>[A-Z][A-Z0-9_]{2,60}|https?_proxy|no_proxy):")
_VERSION = late(r"\(version (?P<version>[\w.+-]{1,40})\)")
_SIZE = late(r"(?P<count>\d{1,9}(?:\.\d{1,4})?) (?P<unit>MiB|GiB|TiB)")
_SCALE = {"MiB": 1, "GiB": 1024, "TiB": 1024 * 1024}
_STATUS = late(r"no longer running: (?P<code>\d{10})(?!\d)")
_SIGNAL = late(
    r"(?<!\w)signal: (?P<words>aborted|abort trap|segmentation fault|killed|illegal instruction"
    r"|bus error|floating point exception|trace/breakpoint trap)"
)
_SIGNALS = {
    "aborted": "SIGABRT",
    "abort trap": "SIGABRT",
    "segmentation fault": "SIGSEGV",
    "killed": "SIGKILL",
    "illegal instruction": "SIGILL",
    "bus error": "SIGBUS",
    "floating point exception": "SIGFPE",
    "trace/breakpoint trap": "SIGTRAP",
}
_PLAN = {
    "weights-mib": "memory.weights.total",
    "kv-cache-mib": "memory.required.kv",
    "compute-buffer-mib": "memory.graph.full",
    "planned-mib": "memory.required.full",
}
_OPTION = late(
    r"model|ctx-size|batch-size|n-gpu-layers|threads|parallel|kv-cache-type|flash-attn"
    r"|tensor-split|no-mmap|main-gpu"
)


@dataclass(slots=True)
class _State:
    """What the log has said so far; `where` keeps the line of every fact."""

    engine_at: Item | None = None
    version: str | None = None
    gpus: list[Gpu] = field(default_factory=list)
    driver_cuda: str | None = None
    command: tuple[str, ...] | None = None
    model: dict[str, Any] = field(default_factory=dict)
    variables: dict[str, str | None] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)
    errors: list[ErrorRecord] = field(default_factory=list)
    signal: Signal | None = None
    where: dict[str, Position] = field(default_factory=dict)
    repeats: set[int] = field(default_factory=set)


def _read(region: Region) -> Fragment:
    state = _State()
    source = reading(region, "ollama")
    for item in source.items():
        if item.kind == "terminated":
            _terminated(state, item, item.text.strip())
        else:
            old = item.kind == "old_record"
            prefix = "old_" if old else ""
            if _SOURCE.fullmatch(item.fields[f"{prefix}source"]):
                state.engine_at = state.engine_at or item
                _record(state, item, item.fields[f"{prefix}said"])
    if state.engine_at is None:
        return Fragment(dialect="ollama")
    evidence = Evidence(
        field="log.line", text=state.engine_at.text.strip(), weight=0.95, at=state.engine_at.at
    )
    return Fragment(
        dialect="ollama",
        errors=tuple(state.errors),
        signal=state.signal,
        signal_rank=4,
        engine=Engine(name="ollama", version=state.version, evidence=(evidence,)),
        environment=Environment(
            gpus=tuple(state.gpus),
            driver_cuda=state.driver_cuda,
            command_line=state.command,
            variables=state.variables,
            options=state.options,
            model=ModelFile(**state.model) if state.model else None,
            facts=state.facts,
            where=state.where,
        ),
        claimed=frozenset(state.repeats),
    )


def _record(state: _State, item: Item, said: str) -> None:
    message, pairs = _message(said)
    if message.startswith("server config") or "env" in pairs:
        _variables(state, item.at, pairs.get("env", ""))
    elif version := _VERSION.search(said):
        state.version = state.version or version["version"]
    elif message.startswith("inference compute"):
        _gpu(state, item.at, pairs)
    elif message.startswith(("starting llama server", "starting runner")) and "cmd" in pairs:
        _command(state, item.at, pairs["cmd"])
    elif "num_tensors" in pairs:
        _model(state, item.at, pairs)
    elif message.startswith("offload"):
        _offload(state, item.at, pairs)
    level = item.fields.get("level") or item.fields.get("old_level")
    if level == "ERROR" or "llama runner terminated" in message:
        text = f"{message}: {pairs['error']}" if pairs.get("error") else message
        _terminated(state, item, text)


def _message(said: str) -> tuple[str, dict[str, str]]:
    """Return a record's message and its pairs, without quotes."""
    if said.startswith('"'):
        match = re.match(r'"((?:[^"\\]|\\.){0,6000})"', said)
        message, rest = (match[1], said[match.end() :]) if match else (said[1:], "")
    else:
        first = _PAIR.search(said)
        cut = first.start() if first else len(said)
        message, rest = said[:cut].strip(), said[cut:]
    pairs = {m["key"]: m["value"].strip('"').replace('\\"', '"') for m in _PAIR.finditer(rest)}
    return message.replace('\\"', '"'), pairs


def _terminated(state: _State, item: Item, text: str) -> None:
    """Read how the runner ended; its own words are its own report's."""
    state.engine_at = state.engine_at or item
    role = Role.CONSEQUENCE if "terminated" in text or "runner" in text else Role.UNCLEAR
    state.errors.append(
        ErrorRecord(api="engine", name="ollama", message=text, role=role, at=item.at)
    )
    if "GGML_ASSERT" in text:
        state.repeats.add(item.at.line or 0)
    ended = _STATUS.search(text)
    if ended and (code := status_of(ended["code"])) is not None:
        state.errors.append(status_error(code, item.at))
    signal = _SIGNAL.search(text)
    if signal and state.signal is None:
        state.signal = named_signal(_SIGNALS[signal["words"]], item.at)


def _variables(state: _State, at: Position, text: str) -> None:
    """Read Go's print of a map, whose values may hold anything but a name and a colon."""
    found = list(_VARIABLE.finditer(text))
    text = text.removesuffix("]")
    ends = [*(match.start() for match in found[1:]), len(text)]
    for match, end in zip(found, ends, strict=False):
        value = text[match.end() : end].strip()
        state.variables[match["name"]] = value or None
        state.where[f"variable.{match['name']}"] = at


def _gpu(state: _State, at: Position, pairs: dict[str, str]) -> None:
    library = pairs.get("library", "").casefold()
    if library in ("cpu", ""):
        return
    gpu = Gpu(
        name=pairs.get("description") or pairs.get("name") or None,
        compute_capability=pairs.get("compute") or None,
        memory_total=_mebibytes(pairs.get("total")),
        memory_free=_mebibytes(pairs.get("available")),
    )
    state.gpus.append(gpu)
    for name in ("name", "compute_capability", "memory_total", "memory_free"):
        if getattr(gpu, name) is not None:
            state.where.setdefault(f"gpu.{name}", at)
    if library == "cuda" and pairs.get("driver") and state.driver_cuda is None:
        state.driver_cuda = pairs["driver"]
        state.where["environment.driver_cuda"] = at


def _mebibytes(text: str | None) -> int | None:
    match = _SIZE.match(text or "")
    return round(float(match["count"]) * _SCALE[match["unit"]]) if match else None


def _offload(state: _State, at: Position, pairs: dict[str, str]) -> None:
    """Read the plan of one model's load; the last one is that which the crash is about."""
    found: dict[str, str | None] = {
        "offloadable-layers": pairs.get("layers.model"),
        "offloaded-layers": pairs.get("layers.offload"),
    }
    for name, key in _PLAN.items():
        size = _mebibytes(pairs.get(key))
        found[name] = None if size is None else str(size)
    for name, value in found.items():
        if value:
            state.facts[name] = value
            state.where[f"fact.{name}"] = at


def _command(state: _State, at: Position, text: str) -> None:
    try:
        words = shlex.split(text, posix="\\" not in text)
    except ValueError:
        words = text.split()
    state.command = tuple(words)
    state.where["environment.command_line"] = at
    for word, value in zip(words, [*words[1:], "--"], strict=False):
        name = word.removeprefix("--")
        if word.startswith("--") and _OPTION.fullmatch(name):
            state.options[name] = "true" if value.startswith("--") else value
            state.where[f"option.{name}"] = at
    if "model" in state.options:
        state.model["path"] = state.options["model"]
        state.where["model.path"] = at


def _model(state: _State, at: Position, pairs: dict[str, str]) -> None:
    facts = {
        "architecture": pairs.get("architecture"),
        "quantization": quantization(pairs["file_type"]) if pairs.get("file_type") else None,
        "tensor_count": number(pairs["num_tensors"]),
    }
    for name, value in facts.items():
        if value:
            state.model[name] = value
            state.where[f"model.{name}"] = at


FORMAT = Format(
    name="ollama",
    title="Ollama's log",
    anchors=(".go:", "llama runner ", "llama-server process"),
    opens=late(
        r"[^\n]{0,40}?(?:time=\"?[^\s\"]{8,40}\"? level=[A-Z]{3,6} source=[\w.-]{2,40}\.go:\d"
        r"|\d{4}/\d\d/\d\d \d\d:\d\d:\d\d [\w.-]{2,40}\.go:\d{1,6}: )"
        r"|[^\n]{0,200}?(?:llama runner (?:process )?(?:has terminated|no longer|terminated|exited)"
        r"|llama-server process has terminated)"
    ),
    read=_read,
    reach=100_000,
)
