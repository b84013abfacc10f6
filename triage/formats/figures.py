"""Sizes, lengths and architectures that a failure's own words state: what calculators need.

What is odd about it: it finds no crash, and its lines stand inside of other formats' reports, such
as the message of a Python exception.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from triage.formats._base import Format, Item, Region, reading
from triage.model.crash import Environment, Fragment
from triage.model.position import Position
from triage.text.late import late

_SIZE = r"(\d{1,9}(?:\.\d{1,6})?) (bytes|KiB|MiB|GiB|TiB|GB|MB)"
_ASKED = late(_SIZE)
_SCALE = {
    "bytes": 1 / (1 << 20), "KiB": 1 / 1024, "MiB": 1.0, "MB": 1.0, "GiB": 1024.0, "GB": 1024.0,
    "TiB": 1024.0 * 1024.0,
}  # fmt: skip
_OOM = {
    "oom-total-mib": late(rf"capac?i?ty of {_SIZE}|{_SIZE} total capacity"),
    "oom-free-mib": late(rf"of which {_SIZE} is free|; {_SIZE} free"),
    "oom-process-mib": late(rf"this process has {_SIZE} memory in use"),
    "oom-allocated-mib": late(rf"{_SIZE} (?:is allocated by PyTorch|already allocated)"),
    "oom-unallocated-mib": late(rf"{_SIZE} is reserved by PyTorch but unallocated"),
    "oom-reserved-mib": late(rf"{_SIZE} reserved in total by PyTorch"),
}
_LENGTHS = {
    "cache-needed-mib": late(rf"\({_SIZE} KV cache is needed"),
    "cache-mib": late(rf"available KV cache memory \({_SIZE}\)"),
}
_ESTIMATED = late(r"estimated maximum model length is (\d{1,9})")
_STORED = late(r"stored in (?:the )?KV cache \((\d{1,9})\)")
_GIB = 1024.0


@dataclass(slots=True)
class _State:
    """What was stated first of each, and where; `options` and `driver_cuda` have own places."""

    facts: dict[str, str] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)
    driver_cuda: str | None = None
    where: dict[str, Position] = field(default_factory=dict)

    def note(self, name: str, value: float | str | None, at: Position) -> None:
        """Record a fact; what was stated first stays."""
        if value is None or name in self.facts:
            return
        self.facts[name] = value if isinstance(value, str) else f"{round(value, 2):.15g}"
        self.where[f"fact.{name}"] = at


def _read(region: Region) -> Fragment:
    state = _State()
    for item in reading(region, "figures").items():
        _READERS[item.kind](state, item)
    environment = Environment(
        facts=state.facts,
        options=state.options,
        driver_cuda=state.driver_cuda,
        where=state.where,
    )
    return Fragment(dialect="figures", environment=environment)


def _size(match: re.Match[str] | None) -> float | None:
    """Return the size that a pattern found, in MiB; it may be in one of several groups."""
    if match is None:
        return None
    groups = [group for group in match.groups() if group is not None]
    return float(groups[0]) * _SCALE[groups[1]]


def _torch_oom(state: _State, item: Item) -> None:
    text = item.fields["oom"]
    if "oom-requested-mib" in state.facts:
        return  # the figures of one failure, not of several
    found = {name: _size(pattern.search(text)) for name, pattern in _OOM.items()}
    if found["oom-total-mib"] is None:
        return  # memory of the machine, or a text that was cut
    state.note("oom-requested-mib", _size(_ASKED.match(text)), item.at)
    reserved, allocated = found.pop("oom-reserved-mib"), found["oom-allocated-mib"]
    if reserved is not None and allocated is not None:
        found["oom-unallocated-mib"] = max(reserved - allocated, 0.0)
    for name, value in found.items():
        state.note(name, value, item.at)


def _model_len(state: _State, item: Item) -> None:
    rest = item.fields["len_rest"]
    estimated, stored = _ESTIMATED.search(rest), _STORED.search(rest)
    if not estimated and not stored and "KV cache" not in rest:
        return
    state.note("asked-model-len", item.fields["asked_len"], item.at)
    for name, pattern in _LENGTHS.items():
        state.note(name, _size(pattern.search(rest)), item.at)
    if estimated:
        state.note("estimated-model-len", estimated[1], item.at)
    if stored:
        state.note("cache-tokens", stored[1], item.at)


def _cache_tokens(state: _State, item: Item) -> None:
    state.note("cache-tokens", item.fields["cache_tokens"].replace(",", ""), item.at)


def _cache_size(state: _State, item: Item) -> None:
    state.note("cache-mib", _size(_ASKED.match(item.fields["cache_size"])), item.at)


def _blocks(state: _State, item: Item) -> None:
    state.note("gpu-blocks", item.fields["blocks"], item.at)


def _startup(state: _State, item: Item) -> None:
    fields = item.fields
    state.note("startup-free-mib", float(fields["free"]) * _GIB, item.at)
    state.note("gpu-total-mib", float(fields["total"]) * _GIB, item.at)
    state.note("gpu-memory-utilization", fields["desired"] or None, item.at)


def _instance(state: _State, item: Item) -> None:
    state.note("gpu-total-mib", float(item.fields["card"]) * _GIB, item.at)
    state.note("gpu-memory-utilization", item.fields["utilization"] or None, item.at)


def _parts(state: _State, item: Item) -> None:
    fields = item.fields
    state.note("weights-mib", float(fields["part_weights"]) * _GIB, item.at)
    state.note("activation-peak-mib", float(fields["part_peak"]) * _GIB, item.at)
    state.note("cache-mib", max(float(fields["part_cache"]), 0.0) * _GIB, item.at)


def _weights(state: _State, item: Item) -> None:
    state.note("weights-mib", _size(_ASKED.match(item.fields["weights"])), item.at)


def _archs(state: _State, item: Item) -> None:
    state.note(
        "built-archs", " ".join(re.split(r"[ ,]+", item.fields["archs"].strip(" ,"))), item.at
    )


def _not_compatible(state: _State, item: Item) -> None:
    state.note("gpu-arch", item.fields["card_arch"], item.at)


def _no_device_code(state: _State, item: Item) -> None:
    state.note("gpu-arch", item.fields["code_arch"], item.at)
    built = item.fields.get("compiled") or ""
    state.note("built-archs", built.strip(",").replace(",", " ") or None, item.at)


def _gfx(state: _State, item: Item) -> None:
    state.note("gpu-arch", item.fields["gfx"], item.at)


def _found_driver(state: _State, item: Item) -> None:
    number = int(item.fields["found"])
    if state.driver_cuda is None:
        state.driver_cuda = f"{number // 1000}.{number % 1000 // 10}"
        state.where["environment.driver_cuda"] = item.at


def _needs_cuda(state: _State, item: Item) -> None:
    state.note("cuda-needed", item.fields["needs_cuda"], item.at)


def _prompt(state: _State, item: Item) -> None:
    for name, group in (("prompt-tokens", "prompt"), ("ctx-size", "context")):
        if name not in state.options:
            state.options[name] = item.fields[group]
            state.where[f"option.{name}"] = item.at


_READERS: dict[str, Callable[[_State, Item], None]] = {
    "torch_oom": _torch_oom,
    "model_len": _model_len,
    "cache_tokens": _cache_tokens,
    "cache_size": _cache_size,
    "blocks": _blocks,
    "startup": _startup,
    "instance": _instance,
    "parts": _parts,
    "weights": _weights,
    "archs": _archs,
    "not_compatible": _not_compatible,
    "no_device_code": _no_device_code,
    "gfx": _gfx,
    "found_driver": _found_driver,
    "needs_cuda": _needs_cuda,
    "prompt": _prompt,
}

FORMAT = Format(
    name="figures",
    title="Sizes and architectures that a failure's words state",
    anchors=(
        "Tried to allocate ",
        "max seq len",
        "max sequence length (",
        "KV cache size: ",
        "Available KV cache memory",
        " blocks: ",
        "Free memory on device",
        "total_gpu_memory (",
        "model weights take ",
        "weights took ",
        "Model loading took ",
        "supports CUDA capabilities ",
        "with CUDA capability ",
        "compatible with CUDA arch ",
        "GPU arch :",
        "gpu_type=gfx",
        "gpu_target=gfx",
        "amdgpu is not supported",
        "driver on your system is too old",
        "unsatisfied condition: cuda",
        "exceeds the available context size",
    ),
    opens=late(
        r"[^\n]{0,400}?(?:Tried to allocate \d|max seq(?:uence)? len(?:gth)? \(\d"
        r"|GPU KV cache size: \d|Available KV cache memory: \d|# (?:GPU|cuda) blocks: \d"
        r"|Free memory on device[^\n(]{0,40}\(\d|total_gpu_memory \(\d|model weights take \d"
        r"|(?:Loading model weights|Model loading) took \d"
        r"|supports CUDA capabilities (?:sm|compute)_|with CUDA capability sm_\d"
        r"|compatible with CUDA arch \d|for GPU arch ?: ?gfx"
        r"|gpu_type=gfx|gpu_target=gfx|amdgpu is not supported"
        r"|driver on your system is too old \(found version \d|unsatisfied condition: cuda ?>="
        r"|request \(\d{1,9} tokens\) exceeds the available context size \(\d)"
    ),
    read=_read,
    reach=1_000,
)
