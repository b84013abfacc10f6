"""A first draft of a signature is TOML, and matches the crash that it was made from."""

from __future__ import annotations

import dataclasses
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.model.crash import BlamedFrame, Crash, ErrorRecord, Signal
from triage.model.stack import Frame, Thread
from triage.signatures.build import build_signature
from triage.signatures.facts import Facts
from triage.signatures.match import match_signature
from triage.signatures.pack import Role, Source, collect
from triage.signatures.propose import propose

BLAMED = BlamedFrame(thread=0, frame=1, why="w")


def _checked(crash: Crash, log: str = "a log\n") -> dict:
    text = propose(crash, "acme/new", log, "crash.log")
    source = Source(path="new.toml", role=Role.SIGNATURE, stem="new", text=text, pack="acme")
    _, found = collect([source])
    assert found == []
    return tomllib.loads(text)


def test_the_draft_matches_its_crash(full_crash) -> None:
    crash = dataclasses.replace(full_crash, blamed_frame=BLAMED)
    table = _checked(crash, "line '' one\n\tline \"two\" \\n\n")
    assert table["when"] == [{"frame": {"function": "claw::remap_kernel"}}]
    assert [s["weight"] for s in table["supports"]] == [0.3] * 4
    assert table["supports"][0]["error"] == {"api": "cuda", "name": "cudaErrorIllegalAddress"}
    assert table["engine"] == "openclaw"
    assert table["example"][0]["log"] == "line '' one\n\tline \"two\" \\n\n"
    match = match_signature(build_signature(table), Facts(crash))
    assert match is not None
    assert len(match.evidence) == 5


@pytest.mark.parametrize(
    ("crash", "when"),
    [
        (
            Crash(errors=(ErrorRecord(api="cuda", code=2),), signal=Signal(name="SIGABRT")),
            {"error": {"api": "cuda", "code": 2}},
        ),
        (
            Crash(errors=(ErrorRecord(api="libc", message='free(): "x"'),)),
            {"error": {"message": '*free(): "x"*'}},
        ),
        (Crash(signal=Signal(name="SIGSEGV")), {"signal": {"name": "SIGSEGV"}}),
        (Crash(), {"log": {"line": "*TODO*"}}),
    ],
)
def test_what_is_proposed(crash, when) -> None:
    assert _checked(crash)["when"] == [when]


@pytest.mark.parametrize("log", ["a'''b", "\x1b[31mred", "x\n" * 500, "a\x00b", "a\rb"])
def test_a_log_that_cannot_stand_in_toml_goes_beside(log: str) -> None:
    example = _checked(Crash(), log)["example"][0]
    assert (example["file"], "log" in example) == ("examples/crash.log", False)


@given(name=st.text(min_size=1), message=st.text(min_size=1), log=st.text(min_size=1))
def test_any_crash_gives_toml(name: str, message: str, log: str) -> None:
    thread = Thread(frames=(Frame(index=0, function="x"), Frame(index=1, function=name)))
    crash = Crash(
        threads=(thread,), blamed_frame=BLAMED, errors=(ErrorRecord(api="c", message=message),)
    )
    tomllib.loads(propose(crash, "acme/new", log, "crash.log"))
    tomllib.loads(propose(dataclasses.replace(crash, blamed_frame=None), "a/b", log, name))
