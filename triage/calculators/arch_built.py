"""Whether the program has code for the card, and what to build it for."""

from __future__ import annotations

from triage.calculators._archs import Arch, built_archs, card_arch, cite, known_arch, runs
from triage.calculators._sheet import Calculator, Figure, Sheet


def _work(sheet: Sheet) -> Figure:
    card, built = card_arch(sheet), built_archs(sheet)
    if card is None:
        sheet.lack("gpu.compute_capability")
        return sheet.unknown()
    arch = known_arch(card)
    number = card.removeprefix("sm_")
    if arch:
        cite(sheet, arch)
    needs = _needs(arch)
    if not built:
        return sheet.done(
            f"the card is {card}; the crash does not state fact.built-archs{needs}", number
        )
    fitting = [name for name in built if runs(card, name)]
    if fitting:
        return sheet.done(f"the build has {fitting[-1]}, which runs on {card}", number)
    return sheet.done(
        f"the build has no code for {card}, only for {built[0]} to {built[-1]}{needs}", number
    )


def _needs(arch: Arch | None) -> str:
    if arch is None:
        return ""
    until = f", up to {arch.last}" if arch.last else ""
    return f"; {arch.name} ({arch.generation}) needs CUDA {arch.first} or newer{until}"


CALCULATOR = Calculator(
    name="arch-built",
    formula="code runs on cards of the same major capability and no lower minor one",
    doc="whether the program has code for the card, and the number to build it for (`120`)",
    work=_work,
)
