"""What the KV cache needs: cells for the prompt and the answer, and their memory."""

from __future__ import annotations

import math

from triage.calculators._cache import MIB, cell_bytes
from triage.calculators._sheet import Calculator, Figure, Sheet, mib

_STEP = 256
_PREDICTED = 512


def _work(sheet: Sheet) -> Figure:
    prompt = sheet.number("option.prompt-tokens")
    # Where a log states the cells, they are those of one slot.
    own = sheet.number("option.kv-cells")
    if prompt is None:
        return _of_context(sheet)
    predicted = sheet.number("option.n-predict")
    if predicted is None:
        predicted = _PREDICTED
        sheet.assume("tokens to generate", str(_PREDICTED), "the crash does not say")
    slots = (None if own else sheet.number("option.parallel")) or 1
    needed = math.ceil((prompt + predicted) / _STEP) * _STEP * int(slots)
    each = f" for {slots:.0f} slots" if slots > 1 else ""
    return sheet.done(f"{needed} cells{each}{_memory(sheet, needed)}", str(needed))


def _of_context(sheet: Sheet) -> Figure:
    """Return the memory of the context that was asked for; the prompt is not known."""
    context = sheet.number("option.ctx-size")
    memory = _memory(sheet, context) if context else ""
    if not context or not memory:
        sheet.lack("option.prompt-tokens")
        return sheet.unknown()
    slots = sheet.number("option.parallel") or 1
    each = f", {context / slots:.0f} for each of {slots:.0f} slots" if slots > 1 else ""
    return sheet.done(f"{context:.0f} cells{each}{memory}")


def _memory(sheet: Sheet, cells: float) -> str:
    cell = cell_bytes(sheet)
    if cell is None:
        return ""
    return f", {mib(cells * cell / MIB)}"


CALCULATOR = Calculator(
    name="kv-cache-size",
    formula=f"prompt + tokens to generate, rounded up to {_STEP}, for each slot",
    doc="cells that the KV cache needs, and their memory where the model's form is stated",
    work=_work,
)
