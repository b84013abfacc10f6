"""Whether weights, cache and buffers fit the cards, and the smallest change that makes them."""

from __future__ import annotations

from triage.calculators._need import changes, in_words, layers_in, read_need
from triage.calculators._sheet import Calculator, Figure, Sheet, mib


def _work(sheet: Sheet) -> Figure:
    need = read_need(sheet)
    if need is None:
        return sheet.unknown()
    words = in_words(need)
    if need.short <= 0:
        return sheet.done(f"{words}: it fits, {mib(-need.short)} are left", str(need.offloaded))
    first, *others = changes(need, sheet)
    also = f", or {', or '.join(others)}" if others else ""
    return sheet.done(
        f"{words}, {mib(need.short)} too much; enough is {first}{also}", str(layers_in(need))
    )


CALCULATOR = Calculator(
    name="vram-fit",
    formula="(weights + KV cache) * layers offloaded / layers + compute buffers + overhead <= card",
    doc="whether weights, KV cache, compute buffers and overhead fit the cards, the smallest "
    "change that makes them, and the layers that fit beside the buffers",
    work=_work,
)
