"""What the same model is called in a quantization that most engines can lay out."""

from __future__ import annotations

from triage.calculators._sheet import Calculator, Figure, Sheet


def _work(sheet: Sheet) -> Figure:
    path, quantization = sheet.text("model.path"), sheet.text("model.quantization")
    if not path or not quantization:
        sheet.lack("model.quantization" if path else "model.path")
        return sheet.unknown()
    at = path.casefold().rfind(quantization.casefold())
    if at < 0:
        return sheet.done("not known: the model's path does not name its quantization")
    name = f"{path[:at]}Q4_K_M{path[at + len(quantization) :]}"
    return sheet.done(name, name)


CALCULATOR = Calculator(
    name="model-in-q4-k-m",
    formula="the model's path with Q4_K_M for its quantization",
    doc="the model's path as that quantization is named",
    work=_work,
)
