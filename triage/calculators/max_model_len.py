"""The context whose KV cache fits what vLLM has left for it, by its own numbers."""

from __future__ import annotations

from triage.calculators._sheet import Calculator, Figure, Sheet

_BLOCK = 16


def _work(sheet: Sheet) -> Figure:
    asked = sheet.number("fact.asked-model-len", "option.max-model-len")
    of = f" of {asked:.0f}" if asked else ""
    estimated = sheet.number("fact.estimated-model-len", "fact.cache-tokens")
    blocks = None if estimated else sheet.number("fact.gpu-blocks")
    if blocks:
        block = sheet.number("option.block-size") or _BLOCK
        if block == _BLOCK:
            sheet.assume("tokens of a block", str(_BLOCK), "the crash does not say otherwise")
        estimated = blocks * block
    if estimated is None:
        estimated = _by_share(sheet, asked)
    if not estimated:
        sheet.lack("fact.estimated-model-len")
        return sheet.unknown()
    fits = int(estimated) // _BLOCK * _BLOCK
    if asked and fits >= asked:
        return sheet.done(
            f"{fits} tokens fit, {asked:.0f} were asked for: it fits", str(int(asked))
        )
    if fits <= 0:
        return sheet.done(f"no context fits: {estimated:.0f} tokens are less than a block")
    return sheet.done(f"{fits}{of} tokens", str(fits))


def _by_share(sheet: Sheet, asked: float | None) -> float | None:
    """Return the length whose cache is what is there, from that of the length asked for."""
    needed, there = sheet.number("fact.cache-needed-mib"), sheet.number("fact.cache-mib")
    return asked * there / needed if asked and needed and there else None


CALCULATOR = Calculator(
    name="max-model-len",
    formula=f"tokens that the KV cache has room for, rounded down to {_BLOCK}",
    doc="the --max-model-len whose KV cache fits, by vLLM's own numbers",
    work=_work,
)
