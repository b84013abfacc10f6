"""Which of PyTorch's wheels was built for the card."""

from __future__ import annotations

from triage.calculators._archs import card_arch, cite, known_arch
from triage.calculators._sheet import Calculator, Figure, Sheet


def _work(sheet: Sheet) -> Figure:
    card = card_arch(sheet)
    if card is None:
        sheet.lack("gpu.compute_capability")
        return sheet.unknown()
    arch = known_arch(card)
    if arch is None:
        return sheet.done(f"not known: the table has no {card}")
    cite(sheet, arch)
    if arch.wheel is None:
        return sheet.done(f"no wheel of today has code for {card} ({arch.generation})")
    return sheet.done(f"{arch.wheel} has code for {card} ({arch.generation})", arch.wheel)


CALCULATOR = Calculator(
    name="wheel-for-arch",
    formula="the wheel that was built for the card's compute capability",
    doc="the tag of the PyTorch wheel that was built for the card (`cu128`)",
    work=_work,
)
