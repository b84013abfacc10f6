"""Figures from a crash's own numbers, and what is said where they are missing."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from triage.calculators import calculate, calculator, calculator_names
from triage.model.crash import Crash, Environment, Gpu, ModelFile
from triage.model.position import Position
from triage.signatures.facts import Facts

WHERE = {
    "gpu.memory_total": Position(line=1),
    "model.file_size": Position(line=2),
    "model.layer_count": Position(line=3),
    "variable.CLAW_VRAM_LIMIT": Position(line=4),
    "option.prompt-tokens": Position(line=5),
}


def _facts(**more: Any) -> Facts:
    """Make the facts of a card of 10 GiB with a model of 16 layers, 1 GiB each."""
    env = Environment(
        gpus=(Gpu(memory_total=10240),),
        model=ModelFile(file_size=16 << 30, layer_count=16),
        where=WHERE,
    )
    return Facts(Crash(environment=dataclasses.replace(env, **more)))


@pytest.mark.parametrize("name", calculator_names())
def test_a_calculator_is_called_as_its_module(name: str) -> None:
    assert calculator(name).name == name
    assert calculator(name).doc
    assert calculator(name).formula


@pytest.mark.parametrize("name", calculator_names())
def test_nothing_is_guessed_of_a_crash_that_states_nothing(name: str) -> None:
    figure = calculate(name, Facts(Crash()))
    assert figure.value is None
    assert figure.calculation.result.startswith("not known: the crash does not state ")


def test_layers_that_fit() -> None:
    figure = calculate("layers-that-fit", _facts())
    assert figure.value == "6"  # (10240 * 0.8 - 2048) / 1024
    calculation = figure.calculation
    assert calculation.name == "layers-that-fit"
    assert calculation.result == "6 of 16 layers"
    terms = {t.name: (t.value, t.source, t.at) for t in calculation.terms}
    assert terms["memory total"] == ("10240 MiB", "gpu.memory_total", Position(line=1))
    assert terms["file size"] == (f"{16 << 30} bytes", "model.file_size", Position(line=2))
    assert terms["layer count"] == ("16", "model.layer_count", Position(line=3))
    assert terms["share"][0] == "0.8"
    assert terms["reserve"][0] == "2048 MiB"
    assert all(terms[name][1].startswith("assumed") for name in ("share", "reserve"))
    assert all(terms[name][2] is None for name in ("share", "reserve"))


@pytest.mark.parametrize(
    ("limit", "layers", "source"),
    [
        ("0.5", "3", "variable.CLAW_VRAM_LIMIT"),
        ("1", "8", "variable.CLAW_VRAM_LIMIT"),
        (None, "6", "assumed"),
        ("0", "6", "assumed"),
        ("1.5", "6", "assumed"),
        ("-0.5", "6", "assumed"),
        ("nan", "6", "assumed"),
        ("inf", "6", "assumed"),
        ("80%", "6", "assumed"),
        ("", "6", "assumed"),
    ],
)
def test_the_limit_is_used_where_it_is_valid(limit, layers, source) -> None:
    figure = calculate("layers-that-fit", _facts(variables={"CLAW_VRAM_LIMIT": limit}))
    assert figure.value == layers
    (share,) = (t for t in figure.calculation.terms if t.name == "share")
    assert share.source.startswith(source)
    assert share.at == (Position(line=4) if source.startswith("variable") else None)


@pytest.mark.parametrize(("total", "layers"), [(2048, "0"), (0x7FFFFFFF, "16"), (3000, "0")])
def test_never_fewer_than_none_nor_more_than_all(total: int, layers: str) -> None:
    assert calculate("layers-that-fit", _facts(gpus=(Gpu(memory_total=total),))).value == layers


@pytest.mark.parametrize(
    ("more", "missing"),
    [
        ({"gpus": ()}, "gpu.memory_total"),
        ({"model": ModelFile(file_size=1 << 30)}, "model.layer_count"),
        ({"model": ModelFile(file_size=0, layer_count=16)}, "model.file_size"),
        ({"model": None}, "model.file_size and model.layer_count"),
        (
            {"model": None, "gpus": ()},
            "gpu.memory_total, model.file_size and model.layer_count",
        ),
    ],
)
def test_what_is_missing_is_said(more, missing) -> None:
    figure = calculate("layers-that-fit", _facts(**more))
    assert figure.value is None
    assert figure.calculation.result == f"not known: the crash does not state {missing}"
    assert not {t.source for t in figure.calculation.terms} & set(
        missing.replace(" and ", ", ").split(", ")
    )


def test_kv_cache_size() -> None:
    options = {"prompt-tokens": "3000", "n-predict": "50", "kv-cells": "2048"}
    figure = calculate("kv-cache-size", _facts(options=options))
    assert figure.value == "3072"
    assert figure.calculation.result == "3072 cells"
    terms = {t.source: (t.value, t.at) for t in figure.calculation.terms}
    assert terms["option.prompt-tokens"] == ("3000", Position(line=5))
    assert terms["option.kv-cells"] == ("2048", None)
    assert terms["option.n-predict"] == ("50", None)


def test_kv_cache_size_assumes_what_is_generated() -> None:
    figure = calculate("kv-cache-size", _facts(options={"prompt-tokens": "3000"}))
    assert figure.value == "3584"
    assert figure.calculation.terms[-1].source.startswith("assumed")
    assert calculate("kv-cache-size", _facts()).value is None


@pytest.mark.parametrize(
    ("path", "quantization", "value"),
    [
        ("/models/llama-3-8b-Q5_K_M.gguf", "Q5_K_M", "/models/llama-3-8b-Q4_K_M.gguf"),
        ("/models/Q5_K_M/a.iq2_xs.gguf", "IQ2_XS", "/models/Q5_K_M/a.Q4_K_M.gguf"),
        ("/models/model.gguf", "Q5_K_M", None),
        ("/models/model.gguf", None, None),
        (None, "Q5_K_M", None),
    ],
)
def test_the_model_in_another_quantization(
    path: str | None, quantization: str | None, value: str | None
) -> None:
    model = ModelFile(path=path, quantization=quantization)
    figure = calculate("model-in-q4-k-m", _facts(model=model))
    assert figure.value == value
    assert figure.calculation.result == value or "not known" in figure.calculation.result
