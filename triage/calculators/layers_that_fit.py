"""How many layers fit the card, by the size of the model's file alone."""

from __future__ import annotations

import math

from triage.calculators._cache import MIB
from triage.calculators._sheet import Calculator, Figure, Sheet, as_amount

_RESERVE_MIB = 2048
_SHARE = 0.8
_LIMIT = "variable.CLAW_VRAM_LIMIT"


def _work(sheet: Sheet) -> Figure:
    total = sheet.need("gpu.memory_total")
    size = sheet.need("model.file_size")
    layers = sheet.need("model.layer_count")
    share = _share(sheet)
    sheet.assume("reserve", f"{_RESERVE_MIB} MiB", "left for contexts and buffers")
    if sheet.lacks:
        return sheet.unknown()
    room = total * share - _RESERVE_MIB
    fit = max(0, min(math.floor(room / (size / MIB / layers)), int(layers)))
    return sheet.done(f"{fit} of {int(layers)} layers", str(fit))


def _share(sheet: Sheet) -> float:
    """Return the share of the memory that the engine may use: its setting, where it is valid."""
    limit = as_amount(sheet.peek(_LIMIT))
    if limit is not None and 0 < limit <= 1:
        sheet.number(_LIMIT, name="share")
        return limit
    sheet.assume("share", f"{_SHARE:g}", "CLAW_VRAM_LIMIT does not say otherwise")
    return _SHARE


CALCULATOR = Calculator(
    name="layers-that-fit",
    formula="(VRAM total * share - reserve) / (model size / layers)",
    doc="layers of the model that fit the card, by the size of its file alone",
    work=_work,
)
