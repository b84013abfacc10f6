"""Why a signature matches or does not, in words."""

from __future__ import annotations

import pytest

from triage.model.crash import Crash, Engine
from triage.model.diagnosis import Level
from triage.signatures.explain import explain, nearest_miss
from triage.signatures.facts import Facts
from triage.signatures.match import match_signature
from triage.signatures.reading import reading
from triage.signatures.wording import describe, show

SEGV = {"signal": {"name": "SIGSEGV"}}
BUS = {"signal": {"name": "SIGBUS"}}


def test_every_condition_is_told(signature, full_crash) -> None:
    rule = signature(
        {**SEGV, "why": "it died of it"},
        supports=[{"weight": 0.5, **BUS}, {"weight": 0.5, "error": {"code": 700}}],
        against=[{"weight": 0.25, "model": {"quantization": "Q5*"}}],
        unless=[BUS],
    )
    found = explain(rule, Facts(full_crash))
    assert [(o.part, o.weight, o.evidence is not None) for o in found.outcomes] == [
        ("when", None, True),
        ("supports", 0.5, False),
        ("supports", 0.5, True),
        ("against", 0.25, True),
        ("unless", None, False),
    ]
    assert found.outcomes[0].why == "it died of it"
    assert found.outcomes[1].miss == ("signal.name is SIGBUS does not hold: nearest is SIGSEGV")
    assert found.reason is None
    match = match_signature(rule, Facts(full_crash))
    assert match is not None
    assert (found.confidence, found.level) == (match.confidence, match.level)
    assert found.level is Level.LIKELY
    assert found.arithmetic == (
        "base 0.7; +0.5 of the doubt = 0.85; -0.25 of it = 0.64; at most certain"
    )


@pytest.mark.parametrize(
    ("more", "when", "reason"),
    [
        ({}, BUS, "a condition that has to hold does not"),
        ({"unless": [SEGV]}, SEGV, "a condition holds that rules it out"),
        ({"engine": "vllm"}, SEGV, "it is for vllm, the crash is one of openclaw"),
        ({"base": 0.2}, SEGV, "the confidence of 0.20 is below that of a hint"),
    ],
)
def test_why_not(more, when, reason, signature, full_crash) -> None:
    rule = signature(when, **more)
    found = explain(rule, Facts(full_crash))
    assert found.level is None
    assert found.reason == reason
    assert match_signature(rule, Facts(full_crash)) is None


@pytest.mark.parametrize(
    ("table", "miss"),
    [
        (
            {"error": {"api": "cuda", "name": "hipErrorX"}},
            "error.name is hipErrorX does not hold: nearest is cudaErrorIllegalAddress",
        ),
        ({"gpu": {"memory_free": {"lt": 9}}}, "the crash does not state gpu.memory_free"),
        ({"thread": {"name": "x"}}, "the crash does not state thread.name"),
        (
            {"variable": {"CLAW_NEW": {"set": False}}},
            "the crash does not state variable.CLAW_NEW",
        ),
        (
            {"variable": {"CLAW_VRAM_LIMIT": {"set": True}}},
            "variable.CLAW_VRAM_LIMIT is set does not hold: nearest is CLAW_VRAM_LIMIT is not set",
        ),
        (
            {"frame": {"sequence": ["load_model", "exit"]}},
            "frame.sequence is load_model, exit does not hold: nearest is llm_engine::load_model",
        ),
        (
            {"any": [{"thread": {"name": "x"}}, {"gpu": {"memory_free": 1}}]},
            "the crash does not state thread.name; the crash does not state gpu.memory_free",
        ),
        ({"frame": {"function": "x"}, "within": 1}, None),
    ],
)
def test_nearest_miss(table, miss, condition, full_crash) -> None:
    found = nearest_miss(condition(table), Facts(full_crash))
    if miss is None:
        assert "remap_kernel" in found
    else:
        assert found == miss


def test_nothing_to_look_at(condition) -> None:
    assert nearest_miss(condition(SEGV), Facts(Crash())) == "the crash states no signal"


def test_conditions_in_words(condition) -> None:
    tables = {
        "frame.function is a or b* within 3 frames on any thread": {
            "frame": {"function": ["a", "b*"]}, "within": 3, "thread": "any",
        },
        "error.code >= 1 and error.api is cuda": {"error": {"code": {"ge": 1}, "api": "cuda"}},
        "variable.X is not set": {"variable": {"X": {"set": False}}},
        "engine.version is in <1": {"engine": {"version": {"version": "<1"}}},
        "engine.version is not 0.9.2": {"engine": {"version": {"not": "0.9.2"}}},
        "option.a is above option.b": {"option": {"a": {"above": "option.b"}}},
        "error.name has /x/": {"error": {"name": {"regex": "x"}}},
        "any of: error.code is 1; signal.name is S": {
            "any": [{"error": {"code": 1}}, {"signal": {"name": "S"}}],
        },
        "frame.sequence is a, *, b": {"frame": {"sequence": ["a", "*", "b"]}},
    }  # fmt: skip
    assert [describe(condition(t)) for t in tables.values()] == list(tables)


def test_a_signature_in_words(signature) -> None:
    rule = signature(
        SEGV,
        against=[{"weight": 0.5, **BUS, "why": "another"}],
        cause="It broke.",
        also=["p/q"],
        remedy={
            "summary": "Mend it",
            "step": [{"title": "First", "commands": ["one\ntwo"]}],
            "verify": [{"title": "Look", "command": "see"}],
        },
    )
    text = show(rule)
    for part in (
        "p/s: T",
        "certain at most, 0.7 to begin with",
        "cause    It broke.",
        "also     p/q",
        "  signal.name is SIGSEGV",
        "  signal.name is SIGBUS (0.5)   # another",
        "  1. First\n     one\n     two",
        "  check: Look: see",
    ):
        assert part in text


def test_how_a_crash_was_read(full_crash, crash, thread) -> None:
    text = "\n".join(reading(full_crash))
    for part in (
        "engine: openclaw 0.9.2",
        "signal: SIGSEGV",
        "error: cuda 700 cudaErrorIllegalAddress",
        "frame: #0 abort   (noise: libc)",
        "frame: #2 llm_engine::load_model",
        "variable: CLAW_VRAM_LIMIT is not set",
        "variable: CLAW_CUDA_STREAMS=2",
        "option: n-gpu-layers 999",
        "model: /m/Llama-Q5_K_M.gguf Q5_K_M",
        "log line kept: [INFO] loading",
    ):
        assert part in text
    assert "threads" not in text
    assert "and 1 threads" in "\n".join(reading(crash("f", threads=(thread("g"),))))
    assert list(reading(Crash(engine=Engine(name="x")))) == [
        "no crash was found in it",
        "engine: x (version not known)",
    ]
