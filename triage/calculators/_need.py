"""What a model of ggml needs on its cards, part by part, and the smallest change that fits."""

from __future__ import annotations

import math
from dataclasses import dataclass

from triage.calculators._cache import MIB, bytes_per_element, cache_mib, cache_types
from triage.calculators._sheet import Sheet, as_amount, mib

_COMPUTE_MIB = 512
_CONTEXT_MIB = 256
_STEP = 256
_LEAST_CONTEXT = 512
_LEAST_BATCH = 64
_UBATCH = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """The memory of all layers and of the whole cache, with what stands on the card in any case."""

    room: float
    weights: float
    cache: float
    compute: float
    overhead: float
    layers: int
    offloaded: int

    @property
    def share(self) -> float:
        """Return the part of the layers that is asked for on the card."""
        return self.offloaded / self.layers

    @property
    def needed(self) -> float:
        """Return what the card has to hold."""
        return (self.weights + self.cache) * self.share + self.compute + self.overhead

    @property
    def short(self) -> float:
        """Return what is missing; below 0 where it fits."""
        return self.needed - self.room


def read_need(sheet: Sheet) -> Need | None:
    """Return what the crash states of its memory; None, with what lacks noted, where too little."""
    room = _room(sheet)
    layers = _layers(sheet)
    weights = _weights(sheet, layers)
    if sheet.lacks:
        return None
    cache = cache_mib(sheet)
    if cache is None:
        sheet.lack("fact.kv-cache-mib")
        return None
    compute = sheet.number("fact.compute-buffer-mib")
    if compute is None:
        compute = _COMPUTE_MIB
        sheet.assume("compute buffer", f"{_COMPUTE_MIB} MiB", "the crash states none")
    sheet.assume("overhead", f"{_CONTEXT_MIB} MiB", "the driver's context and what is rounded up")
    return Need(
        room=room,
        weights=weights,
        cache=cache,
        compute=compute,
        overhead=_CONTEXT_MIB,
        layers=layers,
        offloaded=_offloaded(sheet, layers),
    )


def _room(sheet: Sheet) -> float:
    for field in ("gpu.memory_free", "gpu.memory_total"):
        total, count = sheet.total(field)
        if count:
            return total
    return sheet.need("gpu.memory_total")


def _layers(sheet: Sheet) -> int:
    """Return the parts that a model is offloaded in: its layers and what is behind the last."""
    stated = sheet.number("fact.offloadable-layers")
    if stated:
        return int(stated)
    layers = sheet.need("model.layer_count")
    return int(layers) + 1


def _weights(sheet: Sheet, layers: int) -> float:
    stated = sheet.number("fact.weights-mib")
    if stated:
        return stated
    on_card, offloaded = (
        as_amount(sheet.peek(f)) for f in ("fact.gpu-weights-mib", "fact.offloaded-layers")
    )
    if on_card and offloaded:
        sheet.number("fact.gpu-weights-mib")
        sheet.number("fact.offloaded-layers")
        return on_card / offloaded * layers
    return sheet.need("model.file_size") / MIB


def _offloaded(sheet: Sheet, layers: int) -> int:
    for field in ("fact.offloaded-layers", "option.n-gpu-layers"):
        stated = as_amount(sheet.peek(field))
        if stated:
            sheet.number(field)
            return min(int(stated), layers)
    sheet.assume("offloaded layers", str(layers), "the crash does not say how many")
    return layers


def layers_in(need: Need) -> int:
    """Return how many layers fit beside the buffers, their part of the cache with them."""
    left = need.room - need.compute - need.overhead
    each = (need.weights + need.cache) / need.layers
    return max(0, min(math.floor(left / each), need.layers)) if each > 0 else 0


def changes(need: Need, sheet: Sheet) -> list[str]:
    """Return the changes of which each alone makes it fit, the smallest first."""
    found = [_smaller_batch(need, sheet), *_smaller_cells(need, sheet), _shorter(need, sheet)]
    found.append(f"{layers_in(need)} of {need.layers} layers")
    return [change for change in found if change]


def context_in(need: Need, context: float) -> int | None:
    """Return the longest context whose cache fits; None where not even a short one does."""
    cache = need.cache * need.share
    if cache <= 0:
        return None
    left = cache - max(need.short, 0)
    cells = math.floor(context * left / cache / _STEP) * _STEP
    return cells if cells >= _LEAST_CONTEXT else None


def _smaller_batch(need: Need, sheet: Sheet) -> str:
    if as_amount(sheet.peek("fact.compute-buffer-mib")) is None:
        return ""
    size = as_amount(sheet.peek("option.ubatch-size")) or _UBATCH
    smaller = size / 2
    while smaller >= _LEAST_BATCH:
        if need.compute * (1 - smaller / size) >= need.short:
            return f"a physical batch of {smaller:.0f}"
        smaller /= 2
    return ""


def _smaller_cells(need: Need, sheet: Sheet) -> list[str]:
    """Return the first of the quantized types that makes the cache fit."""
    now = sum(bytes_per_element(name) or 2.0 for name in cache_types(sheet)) / 2
    for name in ("q8_0", "q4_0"):
        each = bytes_per_element(name) or now
        if each < now and need.cache * need.share * (1 - each / now) >= need.short:
            return [f"a {name} cache, which flash attention allows"]
    return []


def _shorter(need: Need, sheet: Sheet) -> str:
    context = sheet.number("option.ctx-size")
    fits = context_in(need, context) if context else None
    return f"a context of {fits}" if fits and context and fits < context else ""


def in_words(need: Need) -> str:
    """Return the sum and what it is compared with."""
    return f"needs {mib(need.needed)} of {mib(need.room)}"
