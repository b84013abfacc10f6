"""The KV cache of a model of ggml: what a cell needs, and what the cache needs in all."""

from __future__ import annotations

from triage.calculators._sheet import Sheet, as_amount
from triage.calculators._tables import table

MIB = 1 << 20
_TYPES = (
    ("option.cache-type-k", "option.kv-cache-type"),
    ("option.cache-type-v", "option.kv-cache-type"),
)
_DEFAULT = "f16"


def bytes_per_element(name: str) -> float | None:
    """Return the bytes that an element of a cache type takes, None for one that is not known."""
    row = table("cache-types", 3).find(name.casefold())
    return float(row[1]) / float(row[2]) if row else None


def cache_types(sheet: Sheet) -> tuple[str, str]:
    """Return the types of keys and values: those stated, or f16."""
    types = []
    for fields in _TYPES:
        known = next((f for f in fields if bytes_per_element(str(sheet.peek(f)))), None)
        types.append((sheet.text(known) if known else None) or _DEFAULT)
        if known is None:
            sheet.assume("cache type", _DEFAULT, "the crash states no other")
    return types[0], types[1]


def widths(sheet: Sheet) -> tuple[float, float] | None:
    """Return the elements that a layer keeps of each token as keys and as values.

    With grouped-query attention these are fewer than the model is wide: only the heads of the
    cache count.
    """
    keys, values = sheet.number("fact.kv-width-k"), sheet.number("fact.kv-width-v")
    if keys and values:
        return keys, values
    heads, all_heads = as_amount(sheet.peek("fact.kv-heads")), sheet.peek("fact.heads")
    size = as_amount(sheet.peek("fact.head-size"))
    wide = as_amount(sheet.peek("fact.embedding-length"))
    if not heads or not (size or (wide and as_amount(all_heads))):
        return None
    sheet.number("fact.kv-heads")
    if sheet.number("fact.head-size") is None:
        size = (sheet.number("fact.embedding-length") or 0) / (sheet.number("fact.heads") or 1)
    width = heads * (size or 0)
    return width, width


def cell_bytes(sheet: Sheet) -> float | None:
    """Return the bytes that a token needs in the caches of all layers; None where not known."""
    wide = widths(sheet)
    layers = sheet.number("model.layer_count") if wide else None
    if wide is None or layers is None:
        return None
    keys, values = (bytes_per_element(name) or 2.0 for name in cache_types(sheet))
    return layers * (wide[0] * keys + wide[1] * values)


def cache_mib(sheet: Sheet) -> float | None:
    """Return what the KV cache takes: as stated, or worked out of the model's form."""
    stated = sheet.number("fact.kv-cache-mib")
    if stated:
        return stated
    context = as_amount(sheet.peek("option.ctx-size"))
    cell = cell_bytes(sheet) if context else None
    if not context or cell is None:
        return None
    return (sheet.number("option.ctx-size") or context) * cell / MIB
