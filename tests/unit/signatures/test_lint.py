"""What is doubtful about signatures."""

from __future__ import annotations

import pytest

from triage.model.crash import Crash, ErrorRecord
from triage.signatures.build import build_family, build_signature
from triage.signatures.lint import ReadExample, lint
from triage.signatures.rule import Pack

CRASH = Crash(errors=(ErrorRecord(api="cuda", name="cudaErrorIllegalAddress", code=700),))
GOOD = {
    "id": "p/good",
    "title": "T",
    "family": "other",
    "level": "likely",
    "base": 0.7,
    "sources": ["s"],
    "when": [{"error": {"name": "cudaErrorIllegalAddress"}}],
    "example": [
        {"name": "yes", "expect": "match", "log": "x"},
        {"name": "no", "expect": "no-match", "log": "y"},
    ],
}
FAMILY = build_family({"id": "other", "title": "Other"})


def _lint(*tables, crash: Crash = CRASH, chosen=None) -> list[str]:
    signatures = tuple(build_signature(t) for t in tables)
    where = {f"signature {s.id}": f"{s.id}.toml" for s in signatures}
    pack = Pack(signatures=signatures, families=(FAMILY,), where=where)
    examples = [
        ReadExample(signature=s, example=e, crash=crash if e.matches else Crash())
        for s in signatures
        for e in s.examples
    ]
    return lint(pack, examples, chosen or [s.id for s in signatures])


def test_a_good_signature() -> None:
    assert _lint(GOOD) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            {"family": "othr"},
            "family: there is no family 'othr'; did you mean 'other'?",
        ),
        ({"family": "zzz"}, "family: there is no family 'zzz'; write families/zzz.toml"),
        ({"example": GOOD["example"][:1]}, "example: none with expect = 'no-match'; add one"),
        ({"also": ["p/goood"]}, "also: there is no signature 'p/goood'; did you mean 'p/good'?"),
        (
            {"level": "certain"},
            "level: 'certain' is never reached, the confidence goes up to 0.70; raise base, add",
        ),
        ({"sources": []}, "sources: none; say where this is known from"),
        (
            {"when": [{"error": {"name": "cud*s"}}]},
            "when: no condition names 4 characters of a text, so it says little and is tried on",
        ),
        (
            {"when": [{"error": {"code": {"gt": 1}}}]},
            "when: no condition names 4 characters of a text, so it says little and is tried on",
        ),
        (
            {"when": [{"error": {"name": "cudaErrorOther"}}]},
            "when: none of its examples has one of the words cudaerrorother",
        ),
        (
            {"example": [*GOOD["example"], GOOD["example"][0]]},
            "example: two are called 'yes'; rename one",
        ),
    ],
)
def test_doubtful(change, problem) -> None:
    (found,) = _lint({**GOOD, **change})
    assert found.startswith(f"p/good.toml: {problem}")


@pytest.mark.parametrize(
    "when",
    [
        {"error": {"name": "cudaErrorIllegal*"}},
        {"error": {"name": {"regex": "Illegal.{1,9}$"}}},
        {"any": [{"error": {"name": "*IllegalAddress"}}, {"signal": {"name": "SIGBUS"}}]},
    ],
)
def test_a_part_of_a_word_is_enough(when) -> None:
    assert _lint({**GOOD, "when": [when]}) == []


def test_the_same_conditions_twice() -> None:
    twin = {**GOOD, "id": "p/twin", "also": ["p/good"]}
    assert _lint(GOOD, twin) == [
        "p/twin.toml: when: asks just what p/good asks; remove one of them"
    ]
    assert _lint(GOOD, {**twin, "engine": "vllm"}) == [
        "p/twin.toml: engine: there is no engine 'vllm'; write engines/vllm.toml"
    ]


def test_a_confirmed_step_needs_its_source() -> None:
    step = {"title": "Update", "status": "confirmed"}
    remedy = {"summary": "r", "step": [step]}
    assert _lint({**GOOD, "remedy": remedy}) == [
        "p/good.toml: remedy.step: 'Update' is confirmed by nobody; add its `source`"
    ]
    sourced = {"summary": "r", "step": [{**step, "source": "a/b#1"}, {**step, "status": "advice"}]}
    assert _lint({**GOOD, "remedy": sourced}) == []


def test_supports_can_reach_the_level() -> None:
    supports = [{"weight": 0.5, "error": {"code": 700}}]
    assert _lint({**GOOD, "level": "certain", "supports": supports}) == []


def test_overlaps_have_to_be_declared() -> None:
    other = {**GOOD, "id": "p/other", "when": [{"error": {"code": 700}}]}
    found = _lint(GOOD, other)
    assert [f.split(":")[0] for f in found] == ["p/other.toml", "p/good.toml"]
    assert found[0] == (
        "p/other.toml: also: matches the example 'yes' of p/good too (likely, 0.70); make it more "
        "exact, or declare it: also = ['p/good']"
    )
    assert _lint(GOOD, {**other, "also": ["p/good"]}) == []
    assert _lint({**GOOD, "also": ["p/other"]}, other) == []


def test_only_the_chosen_are_checked_but_against_all() -> None:
    other = {**GOOD, "id": "p/other", "when": [{"error": {"code": 700}}], "sources": []}
    third = {**GOOD, "id": "p/third", "sources": [], "when": [{"error": {"code": 2}}]}
    found = _lint(GOOD, other, third, chosen=["p/good"])
    assert len(found) == 3
    assert all("p/good" in f for f in found)
