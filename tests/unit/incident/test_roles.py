"""Which errors are consequences: one rule a line, each with its example."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.incident.roles import (
    consequence_places,
    first_cause,
    states_a_cause,
    with_roles,
)
from triage.knowledge import BESIDE, consequence_rules
from triage.model.crash import Crash, ErrorRecord, LogLine, Role, Signal, Timing
from triage.model.position import Origin, Position
from triage.model.stack import Frame, Thread, ThreadKind


def error(api: str, line: int = 1, **fields: object) -> ErrorRecord:
    return ErrorRecord(**{"api": api, "at": Position(line=line), **fields})


ILLEGAL = error(
    "cuda", 5, code=700, name="cudaErrorIllegalAddress", timing=Timing.ASYNCHRONOUS, sticky=True
)
MEMORY = error("cuda", 5, code=2, name="cudaErrorMemoryAllocation", timing=Timing.SYNCHRONOUS)
RUNTIME = error("python", 5, name="ValueError", message="bad shape")


def role_beside(consequence: ErrorRecord, *others: ErrorRecord) -> Role:
    return with_roles([consequence, *others])[0].role


@pytest.mark.parametrize(
    "late",
    [
        error("python", 9, name="vllm.v1.engine.exceptions.EngineDeadError", message="x"),
        error("python", 9, name="RuntimeError", message="Engine core initialization failed."),
        error("python", 9, name="RuntimeError", message="It failed. See root cause above. {}"),
        error(
            "python",
            9,
            name="Exception",
            message="init failed. See stack trace for the root cause.",
        ),
    ],
    ids=lambda e: e.message or e.name,
)
def test_some_are_consequences_even_alone(late: ErrorRecord) -> None:
    assert with_roles([late])[0].role is Role.CONSEQUENCE
    assert not states_a_cause(Crash(errors=with_roles([late])))


@pytest.mark.parametrize(
    "late",
    [
        error(
            "engine", 9, name="ollama", message="llama runner process has terminated: exit status 2"
        ),
        error("python", 9, name="ConnectionResetError", message="[Errno 104]"),
        error(
            "python", 9, name="RuntimeError", message="recv: Connection closed by peer [10.0.0.2]"
        ),
        error("nccl", 9, name="ncclRemoteError"),
        error("engine", 9, message="Watchdog caught collective operation timeout: ALLREDUCE"),
        error(
            "python", 9, name="torch.distributed.elastic.multiprocessing.errors.ChildFailedError"
        ),
        error("xid", 9, code=43, name="Xid 43"),
        error("xid", 9, code=45, name="Xid 45"),
    ],
    ids=lambda e: e.message or e.name,
)
def test_some_are_consequences_beside_a_cause(late: ErrorRecord) -> None:
    assert role_beside(late, RUNTIME) is Role.CONSEQUENCE
    assert with_roles([late, RUNTIME])[1].role is Role.CAUSE
    assert with_roles([late])[0].role is Role.UNCLEAR, "it is no cause either"


def test_consequences_do_not_make_each_other_so() -> None:
    reset = error("python", 8, name="ConnectionResetError")
    pipe = error("python", 9, name="BrokenPipeError")
    assert {e.role for e in with_roles([reset, pipe])} == {Role.UNCLEAR}


@pytest.mark.parametrize("api", ["cuda", "cuda-driver", "cublas", "cudnn", "nccl"])
def test_after_an_error_that_sticks_later_calls_fail(api: str) -> None:
    assert role_beside(error(api, 9, name="x"), ILLEGAL) is Role.CONSEQUENCE
    assert role_beside(error(api, 2, name="x"), ILLEGAL) is Role.UNCLEAR, "it came first"
    assert role_beside(error(api, 9, name="x"), MEMORY) is Role.UNCLEAR, "that does not stick"


def test_another_rank_s_error_is_its_own() -> None:
    one = error("cuda", 5, code=700, sticky=True, origin=Origin(rank=0))
    other = error("cublas", 9, name="x", origin=Origin(rank=1))
    assert role_beside(other, one) is Role.UNCLEAR


def test_the_driver_s_account_of_the_program_s_fault() -> None:
    for code in (13, 31):
        xid = error("xid", 1, code=code, name=f"Xid {code}", role=Role.CAUSE)
        assert role_beside(xid, ILLEGAL) is Role.CONSEQUENCE
        assert role_beside(xid) is Role.CAUSE


@pytest.mark.parametrize("code", [48, 79, 94, 95])
def test_a_card_that_failed_is_the_cause_of_what_it_was_used_for(code: int) -> None:
    card = error("xid", 1, code=code, name=f"Xid {code}")
    assert role_beside(ILLEGAL, card) is Role.CONSEQUENCE
    assert role_beside(error("xid", 2, code=31, name="Xid 31"), card) is Role.CONSEQUENCE
    assert role_beside(MEMORY, card) is Role.UNCLEAR, "a card that has no memory left works"


def test_a_destructor_s_error_at_the_end() -> None:
    unloading = error(
        "cuda", 9, code=4, name="cudaErrorCudartUnloading", message="driver shutting down"
    )
    assert role_beside(unloading, RUNTIME) is Role.CONSEQUENCE


def test_go_gets_the_signal_of_an_abort_below_it() -> None:
    go = Thread(kind=ThreadKind.GO, frames=(Frame(index=0, function="main.main"),))
    signal = Signal(name="SIGSEGV", at=Position(line=20))
    crash = Crash(errors=(ILLEGAL,), signal=signal, threads=(go,))
    assert first_cause(crash).signal.role is Role.CONSEQUENCE
    alone = Crash(signal=signal, threads=(go,))
    assert first_cause(alone).signal.role is Role.UNCLEAR
    later = Crash(errors=(error("cuda", 30),), signal=signal, threads=(go,))
    assert first_cause(later).signal.role is Role.UNCLEAR


def test_lines_that_only_tell_of_consequences() -> None:
    dead = error("python", 9, name="EngineDeadError")
    lines = (
        LogLine(text="RuntimeError: Engine core initialization failed.", at=Position(line=7)),
        LogLine(text="CUDA error: out of memory", at=Position(line=8)),
    )
    crash = first_cause(Crash(errors=(dead,), lines=lines))
    assert consequence_places(crash) == {Position(line=7), Position(line=9)}


# ---- rules ----------------------------------------------------------------------------------


def test_every_rule_says_why_and_asks_for_what_there_is() -> None:
    assert len(consequence_rules()) > 30
    for rule in consequence_rules():
        assert rule.why
        assert rule.beside in BESIDE
        assert rule.api != "*" or rule.name != "*" or len(rule.message) > 4, rule


RECORDS = st.lists(
    st.builds(
        ErrorRecord,
        api=st.sampled_from(
            ["cuda", "cublas", "xid", "python", "engine", "nccl", "cuda-exception"]
        ),
        code=st.sampled_from([None, 2, 13, 31, 43, 45, 79, 700]),
        name=st.sampled_from([None, "EngineDeadError", "BrokenPipeError", "Xid 31", "x"]),
        message=st.sampled_from([None, "driver shutting down", "connection reset by peer", "y"]),
        sticky=st.sampled_from([None, True]),
        at=st.builds(Position, input=st.integers(0, 1), line=st.integers(1, 9)),
    ),
    max_size=8,
)


@given(errors=RECORDS)
def test_roles_are_settled_at_once(errors: list[ErrorRecord]) -> None:
    once = with_roles(errors)
    assert [e.api for e in once] == [e.api for e in errors]
    causes = [e for e in once if e.role is Role.CAUSE]
    left = [e for e in once if e.role is not Role.CONSEQUENCE]
    assert len(causes) <= 1
    assert set(causes) <= set(left)


@given(errors=RECORDS, seed=st.integers(0, 9))
def test_roles_do_not_depend_on_the_order(errors: list[ErrorRecord], seed: int) -> None:
    mixed = list(errors)
    random.Random(seed).shuffle(mixed)
    key = repr
    assert sorted(map(key, with_roles(errors))) == sorted(map(key, with_roles(mixed)))
