"""What PyTorch's message on its memory says: too little, held by others, or in pieces."""

from __future__ import annotations

from triage.calculators._sheet import Calculator, Figure, Sheet, mib

_SETTING = "expandable_segments:True"
_OTHERS = 0.1


def _work(sheet: Sheet) -> Figure:
    requested = sheet.need("fact.oom-requested-mib")
    free = sheet.number("fact.oom-free-mib") or 0.0
    reserved = sheet.number("fact.oom-unallocated-mib") or 0.0
    allocated = sheet.number("fact.oom-allocated-mib")
    total = sheet.number("fact.oom-total-mib")
    mine = sheet.number("fact.oom-process-mib")
    if sheet.lacks:
        return sheet.unknown()
    short = requested - free
    if 0 < short <= reserved:
        words = (
            f"{mib(reserved)} are reserved and unused, {mib(short)} are missing: it is in pieces"
        )
        return sheet.done(f"{words}, which {_SETTING} joins", _SETTING)
    if short <= 0:
        return sheet.done(
            f"{mib(free)} are free, which is enough for {mib(requested)}: a limit of the process, "
            "or another one that ended since"
        )
    held = mine or ((allocated or 0.0) + reserved if allocated else None)
    others = total - free - held if total and held else 0.0
    who = f"; others hold {mib(others)} of the card" if total and others > _OTHERS * total else ""
    left = f", {mib(reserved)} of it would be gained by joining pieces" if reserved else ""
    return sheet.done(f"{mib(short)} are missing{left}{who}")


CALCULATOR = Calculator(
    name="torch-memory",
    formula="requested - free, against what is reserved by PyTorch but unallocated",
    doc="how much is missing, and whether it is there in pieces; then the setting of "
    "PYTORCH_CUDA_ALLOC_CONF that joins them",
    work=_work,
)
