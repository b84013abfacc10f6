"""The architecture of the card, those that the program was built for, and whether they fit."""

from __future__ import annotations

import re
from dataclasses import dataclass

from triage.calculators._sheet import Sheet
from triage.calculators._tables import table

_NAME = re.compile(r"(?:sm_|compute_)?(\d{2,4})([a-f]?)")
_CAPABILITY = re.compile(r"(\d{1,2})\.(\d)")
_NONE = "-"


@dataclass(frozen=True, slots=True)
class Arch:
    """One row of the table of architectures."""

    name: str
    generation: str
    first: str
    last: str | None
    wheel: str | None


def arch_name(text: str) -> str | None:
    """Return `sm_86` for 8.6, sm_86, 86 and ggml's 860; None for anything else."""
    if capability := _CAPABILITY.fullmatch(text.strip()):
        return f"sm_{int(capability[1])}{capability[2]}"
    match = _NAME.fullmatch(text.strip())
    if match is None:
        return None
    number = int(match[1])
    # ggml writes the capability times 100, so sm_120 is 1200 and 120 is no card of it.
    ggml = number >= 300 and number % 10 == 0
    return f"sm_{number // 10 if ggml else number}"


def card_arch(sheet: Sheet) -> str | None:
    """Return the architecture of the card, noted as a term."""
    for field in ("fact.gpu-arch", "gpu.compute_capability"):
        name = arch_name(str(sheet.peek(field) or ""))
        if name:
            sheet.text(field)
            return name
    return None


def built_archs(sheet: Sheet) -> tuple[str, ...]:
    """Return the architectures that the program has code for, noted as a term."""
    stated = sheet.text("fact.built-archs") or ""
    return tuple(name for part in re.split(r"[\s,]+", stated) if (name := arch_name(part)))


def known_arch(name: str) -> Arch | None:
    """Return what the table has on an architecture."""
    row = table("cuda-archs", 5).find(name)
    if row is None:
        return None
    return Arch(*row[:3], *(None if cell == _NONE else cell for cell in row[3:]))


def runs(card: str, built: str) -> bool:
    """Tell whether code for one architecture runs on a card: same major, no newer minor."""
    mine, theirs = int(card[3:]), int(built[3:])
    return mine // 10 == theirs // 10 and theirs <= mine


def cite(sheet: Sheet, arch: Arch) -> None:
    """Note which CUDA releases have code for an architecture."""
    until = f" to {arch.last}" if arch.last else ""
    sheet.cite(f"CUDA with {arch.name}", f"{arch.first}{until}", table("cuda-archs", 5).source)
