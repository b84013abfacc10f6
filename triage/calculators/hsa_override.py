"""Which HSA_OVERRIDE_GFX_VERSION lets an AMD GPU run the code of a relative."""

from __future__ import annotations

import re

from triage.calculators._sheet import Calculator, Figure, Sheet
from triage.calculators._tables import table

_GFX = re.compile(r"gfx[0-9a-f]{3,4}")
_NONE = "-"
_FIELDS = ("fact.gpu-arch", "gpu.compute_capability")


def _work(sheet: Sheet) -> Figure:
    field, target = next(
        ((f, m.group()) for f in _FIELDS if (m := _GFX.search(str(sheet.peek(f) or "")))),
        (None, ""),
    )
    if field is None:
        sheet.lack(_FIELDS[0])
        return sheet.unknown()
    sheet.text(field)
    now = sheet.text("variable.HSA_OVERRIDE_GFX_VERSION")
    row = table("hsa-overrides", 5).find(target)
    if row is None:
        return sheet.done(f"not known: the table has no {target}")
    _, override, relative, source, remark = row
    sheet.cite(f"override of {target}", "none" if override == _NONE else override, source)
    if override == _NONE:
        unset = f"; unset HSA_OVERRIDE_GFX_VERSION={now}" if now else ""
        return sheet.done(f"{target} needs no override ({remark}){unset}")
    already = "; it is set already" if now == override else ""
    note = "" if remark == _NONE else f"; {remark}"
    return sheet.done(
        f"{target} can run the code of {relative} with {override}{note}{already}", override
    )


CALCULATOR = Calculator(
    name="hsa-override",
    formula="the version of the nearest target that ROCm has code for",
    doc="the HSA_OVERRIDE_GFX_VERSION with which an AMD GPU runs the code of a relative",
    work=_work,
)
