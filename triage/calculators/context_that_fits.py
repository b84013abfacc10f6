"""The longest context whose cache fits beside the weights and buffers."""

from __future__ import annotations

from triage.calculators._need import context_in, in_words, read_need
from triage.calculators._sheet import Calculator, Figure, Sheet


def _work(sheet: Sheet) -> Figure:
    context = sheet.need("option.ctx-size")
    need = read_need(sheet)
    if need is None or sheet.lacks:
        return sheet.unknown()
    fits = context_in(need, context)
    if fits is None:
        return sheet.done(f"{in_words(need)}: no context fits, offload fewer layers")
    fits = min(fits, int(context))
    return sheet.done(f"{fits} of {context:.0f} tokens; {in_words(need)}", str(fits))


CALCULATOR = Calculator(
    name="context-that-fits",
    formula="context * (KV cache - what is too much) / KV cache, rounded down to 256",
    doc="the longest context whose KV cache fits beside the weights and buffers",
    work=_work,
)
