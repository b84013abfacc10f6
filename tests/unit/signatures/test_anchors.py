"""A signature that matches a crash is always among those that its words find."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from triage.model.crash import Crash, Environment, ErrorRecord, LogLine
from triage.model.position import Position
from triage.model.stack import Frame, Thread
from triage.signatures.anchors import (
    condition_anchors,
    log_literals,
    signature_anchors,
    variables,
)
from triage.signatures.build import build_conditions, build_signature
from triage.signatures.facts import Facts, words_of
from triage.signatures.match import match_all
from triage.text.glob import glob_match, literal_words


def _anchors(*tables) -> frozenset[str]:
    return condition_anchors(build_conditions(tables))


def test_the_longest_word_is_the_anchor() -> None:
    assert _anchors({"frame": {"function": "a::remap_kernel"}}) == {"remap_kernel"}
    assert _anchors({"error": {"name": ["cudaErrorA", "cudaErrorB"]}}) == {
        "cudaerrora",
        "cudaerrorb",
    }
    assert _anchors({"error": {"code": 700}}) == {"700"}
    assert _anchors({"error": {"code": -5}}) == {"5"}  # a word has no sign
    assert _anchors({"frame": {"sequence": ["f*", "*", "load_model"]}}) == {"load_model"}


def test_the_best_condition_gives_the_anchors() -> None:
    found = _anchors({"error": {"api": "cuda"}}, {"frame": {"function": ["remap_kernel", "remap"]}})
    assert found == {"remap_kernel", "remap"}


def test_each_alternative_needs_an_anchor() -> None:
    one, other = {"frame": {"function": "remap_kernel"}}, {"error": {"name": "cudaErrorX"}}
    assert _anchors({"any": [one, other]}) == {"remap_kernel", "cudaerrorx"}
    assert _anchors({"any": [one, {"error": {"name": "*ud*"}}]}) == frozenset()


def test_no_anchor_where_nothing_is_certain_to_be_a_word() -> None:
    assert _anchors({"frame": {"function": "*map*"}}) == frozenset()
    assert _anchors({"frame": {"function": ["remap_kernel", "re*"]}}) == frozenset()
    assert _anchors({"error": {"message": {"not": "something"}}}) == frozenset()
    assert _anchors({"error": {"code": {"gt": 1}}}) == frozenset()
    assert _anchors({"error": {"name": {"regex": "cudaError"}}}) == frozenset()
    assert _anchors({"log": {"line": {"not": "*out of memory*"}}}) == frozenset()


def test_the_end_of_a_word_that_may_go_on_is_an_anchor() -> None:
    assert _anchors({"frame": {"function": "remap*"}}) == {"^rema"}
    assert _anchors({"frame": {"function": "*_kernel"}}) == {"$rnel"}
    assert _anchors({"error": {"message": {"regex": r"bad tensor \d{1,9}"}}}) == {"^tens"}


def test_the_literal_of_a_line_is_the_best_anchor() -> None:
    line = {"log": {"line": ["*K-shift*", "*failed to allocate*buffer*"]}}
    assert _anchors(line, {"error": {"name": "cudaErrorX"}}) == {"=k-shift", "=failed to allocate"}
    assert _anchors({"log": {"line": {"regex": "version \\d{1,4} too old"}}}) == {"=version"}


def test_names_of_variables_and_options_are_anchors() -> None:
    assert _anchors({"variable": {"CLAW_VRAM_LIMIT": {"set": False}}}) == {"claw_vram_limit"}
    assert _anchors({"option": {"n-gpu-layers": {"gt": 1}}}) == {"layers"}


def test_supports_give_no_anchors(signature) -> None:
    rule = signature(
        {"frame": {"function": "f*"}}, supports=[{"weight": 0.5, "error": {"name": "clearly"}}]
    )
    assert signature_anchors(rule) == frozenset()


def test_log_literals_and_variables() -> None:
    conditions = build_conditions(
        [
            {"log": {"line": ["*Device-Side assert*", "no*kernel IMAGE*"]}},
            {"log": {"line": {"regex": r"version \d{1,4} too old"}}},
            {"variable": {"A": "1", "B": {"set": False}}},
            {"option": {"x": {"above": "variable.C"}}},
            {"error": {"message": "other text"}},
            {"any": [{"log": {"line": "*in an option*"}}, {"variable": {"D": "1"}}]},
        ]
    )
    assert log_literals(conditions) == {
        "device-side assert",
        "kernel image",
        "version",
        "in an option",
    }
    assert variables(conditions) == {"A", "B", "C", "D"}


def test_the_words_of_a_function_are_those_of_all_its_forms() -> None:
    frame = Frame(index=0, function="load<int>model(long)")
    facts = Facts(Crash(threads=(Thread(frames=(frame,)),), crashed_thread=0))
    rule = build_conditions([{"frame": {"function": "loadmodel"}}])
    assert match_all(rule, facts, 0.9) is not None
    assert condition_anchors(rule) <= facts.words()


_CHARS = st.sampled_from("abAB_19:. *-İßﬁ(<>")
_TEXT = st.text(_CHARS.filter(lambda c: c != "*"), max_size=12)
_GLOB = st.text(_CHARS, min_size=1, max_size=8)


@given(text=_TEXT, pattern=_GLOB)
def test_words_of_a_pattern_are_in_every_text_that_fits(text: str, pattern: str) -> None:
    if glob_match(pattern, text):
        assert literal_words(pattern) <= set(words_of(text))


def _generalised(draw, text: str) -> str:
    """Return a pattern that fits a text: some runs of it replaced by `*`."""
    cuts = draw(st.lists(st.tuples(st.integers(0, len(text)), st.integers(0, 4)), max_size=2))
    pattern = text
    for start, length in cuts:
        pattern = pattern[:start] + "*" + pattern[start + length :]
    return pattern.swapcase() if draw(st.booleans()) else pattern


@st.composite
def _crash_and_conditions(draw):
    names = draw(st.lists(_TEXT.filter(str.strip), min_size=1, max_size=3))
    path = draw(st.lists(_TEXT, min_size=1, max_size=3).map("/".join))
    line, option = draw(_TEXT), draw(_TEXT)
    code = draw(st.integers(-5, 9999))
    crash = Crash(
        threads=(
            Thread(
                crashed=True,
                frames=tuple(Frame(index=n, function=f, file=path) for n, f in enumerate(names)),
            ),
        ),
        crashed_thread=0,
        errors=(ErrorRecord(api="cuda", code=code, message=line),),
        environment=Environment(options={"ctx-size": option}, variables={"CLAW_X": None}),
        lines=(LogLine(text=line, at=Position(line=1), literals=frozenset()),),
    )
    wanted = [
        {"frame": {"function": _generalised(draw, draw(st.sampled_from(names)))}},
        {"frame": {"file": _generalised(draw, path)}},
        {"frame": {"sequence": [_generalised(draw, names[0]), "*", _generalised(draw, names[-1])]}},
        {"error": {"code": [code, 1]}},
        {"error": {"message": [draw(_GLOB), _generalised(draw, line)]}},
        {"log": {"line": _generalised(draw, line)}},
        {"option": {"ctx-size": [_generalised(draw, option), 4]}},
        {"variable": {"CLAW_X": {"set": False}}},
    ]
    wanted.append({"any": draw(st.lists(st.sampled_from(wanted), min_size=2, max_size=3))})
    return crash, draw(st.lists(st.sampled_from(wanted), min_size=1, max_size=3))


@given(case=_crash_and_conditions())
def test_a_signature_that_holds_is_found_by_the_words(case) -> None:
    crash, tables = case
    table = {"id": "p/s", "title": "T", "family": "f", "level": "likely", "base": 0.9}
    rule = build_signature({**table, "when": tables})
    lower = crash.lines[0].text.casefold()
    found = frozenset(literal for literal in log_literals(rule.when) if literal in lower)
    facts = Facts(replace(crash, lines=(replace(crash.lines[0], literals=found),)))
    # What nobody has looked for is asked of every line, and found on the same.
    every = Facts(replace(crash, lines=(replace(crash.lines[0], literals=None),)))
    assert match_all(rule.when, facts, 0.9) == match_all(rule.when, every, 0.9)
    if match_all(rule.when, facts, 0.9) is not None:
        anchors = signature_anchors(rule)
        assert not anchors or anchors & facts.words()
