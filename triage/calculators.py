"""Figures that a remedy shows, worked out from the crash's own numbers.

What is not known is said instead of guessed; what has to be assumed is a term without a place.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from triage.model.diagnosis import Calculation, Term
from triage.signatures.compare import as_number
from triage.signatures.facts import Facts

_MIB = 1 << 20
_RESERVE_MIB = 2048
_SHARE = 0.8
_CELL_STEP = 256
_PREDICTED = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """The result of a calculator; `value` is what a command takes, None where it is not known."""

    value: str | None
    calculation: Calculation


def calculate(name: str, facts: Facts) -> Figure:
    """Return what a calculator makes of a crash."""
    return CALCULATORS[name](facts)


def _layers_that_fit(facts: Facts) -> Figure:
    name, formula = "layers-that-fit", "(VRAM total * share - reserve) / (model size / layers)"
    needed = ("gpu.memory_total", "model.file_size", "model.layer_count")
    known = {field: _number(facts, field) for field in needed}
    share = _share(facts)
    terms = (
        *_terms(facts, known),
        share,
        _assumed("reserve", f"{_RESERVE_MIB} MiB", "left for contexts and buffers"),
    )
    missing = [field for field, value in known.items() if not value]
    if missing:
        return _unknown(name, formula, terms, missing)
    total, size, layers = (float(known[field] or 0) for field in needed)
    room = total * float(share.value) - _RESERVE_MIB
    fit = max(0, min(math.floor(room / (size / _MIB / layers)), int(layers)))
    result = f"{fit} of {int(layers)} layers"
    return Figure(
        value=str(fit),
        calculation=Calculation(name=name, formula=formula, result=result, terms=terms),
    )


def _kv_cache_size(facts: Facts) -> Figure:
    name, formula = "kv-cache-size", f"prompt + tokens to generate, rounded up to {_CELL_STEP}"
    prompt = _number(facts, "option.prompt-tokens")
    predicted = _number(facts, "option.n-predict")
    cells = {field: _number(facts, field) for field in ("option.kv-cells", "option.ctx-size")}
    terms = _terms(facts, {"option.prompt-tokens": prompt, **cells})
    if predicted and predicted > 0:
        terms += _terms(facts, {"option.n-predict": predicted})
    else:
        predicted = _PREDICTED
        terms += (_assumed("tokens to generate", str(_PREDICTED), "the crash does not say"),)
    if not prompt:
        return _unknown(name, formula, terms, ["option.prompt-tokens"])
    needed = math.ceil((prompt + predicted) / _CELL_STEP) * _CELL_STEP
    return Figure(
        value=str(needed),
        calculation=Calculation(name=name, formula=formula, result=f"{needed} cells", terms=terms),
    )


def _model_in_q4_k_m(facts: Facts) -> Figure:
    """Return what the same model is called in a quantization that most engines can lay out."""
    name, formula = "model-in-q4-k-m", "the model's path with Q4_K_M for its quantization"
    known = {field: facts.value(field) for field in ("model.path", "model.quantization")}
    path, quantization = (str(value or "") for value in known.values())
    terms = tuple(
        Term(name=field.partition(".")[2], value=str(value), source=field, at=facts.place(field))
        for field, value in known.items()
        if value
    )
    at = path.casefold().rfind(quantization.casefold()) if quantization else -1
    if at < 0 or path[at:] == path:
        missing = [field for field, value in known.items() if not value]
        return _unknown(name, formula, terms, missing or ["the quantization in model.path"])
    value = f"{path[:at]}Q4_K_M{path[at + len(quantization) :]}"
    return Figure(
        value=value,
        calculation=Calculation(name=name, formula=formula, result=value, terms=terms),
    )


def _share(facts: Facts) -> Term:
    """Return the share of the memory that the engine may use: its setting, where it is valid."""
    field = "variable.CLAW_VRAM_LIMIT"
    limit = _number(facts, field)
    if limit is not None and 0 < limit <= 1:
        return Term(name="share", value=f"{limit:g}", source=field, at=facts.place(field))
    return _assumed("share", f"{_SHARE:g}", "CLAW_VRAM_LIMIT does not say otherwise")


def _number(facts: Facts, field: str) -> float | None:
    value = as_number(facts.value(field))
    return value if value is not None and math.isfinite(value) and value >= 0 else None


_UNITS = {"gpu.memory_total": " MiB", "model.file_size": " bytes"}


def _terms(facts: Facts, known: dict[str, float | None]) -> tuple[Term, ...]:
    return tuple(
        Term(
            name=field.partition(".")[2].replace("_", " "),
            value=f"{value:.15g}{_UNITS.get(field, '')}",
            source=field,
            at=facts.place(field),
        )
        for field, value in known.items()
        if value
    )


def _assumed(name: str, value: str, why: str) -> Term:
    return Term(name=name, value=value, source=f"assumed: {why}")


def _unknown(name: str, formula: str, terms: tuple[Term, ...], missing: list[str]) -> Figure:
    named = " and ".join([*([", ".join(missing[:-1])] if missing[1:] else []), missing[-1]])
    result = f"not known: the crash does not state {named}"
    calculation = Calculation(name=name, formula=formula, result=result, terms=terms)
    return Figure(value=None, calculation=calculation)


CALCULATORS: dict[str, Callable[[Facts], Figure]] = {
    "layers-that-fit": _layers_that_fit,
    "kv-cache-size": _kv_cache_size,
    "model-in-q4-k-m": _model_in_q4_k_m,
}
