"""What is asked for, and what is not because it is there."""

from __future__ import annotations

import re

import pytest

from triage.collect import next_evidence, present, to_text
from triage.knowledge import clue_literals, pieces
from triage.model.crash import (
    Crash,
    Engine,
    Environment,
    ErrorRecord,
    Gpu,
    LogLine,
    ModelFile,
    Role,
    Signal,
    Timing,
)
from triage.model.position import Position
from triage.model.stack import Frame, FrameKind, Thread, ThreadKind
from triage.pipeline import Analyzer, Options
from triage.signatures.build import build_family
from triage.signatures.rule import Advice, Family

HOST = Thread(crashed=True, frames=(Frame(index=0, function="decode"),))
GPU = Thread(kind=ThreadKind.GPU, frames=(Frame(index=0, function="k", kind=FrameKind.GPU),))
ILLEGAL = ErrorRecord(api="cuda", code=700, timing=Timing.ASYNCHRONOUS)


def family(*wanted: dict[str, str]) -> Family:
    return build_family({"id": "f", "title": "f", "next_evidence": list(wanted)})


def text(crash: Crash, *wanted: dict[str, str]) -> str:
    return "\n".join(next_evidence(crash, family(*wanted) if wanted else None))


def line(words: str) -> LogLine:
    return LogLine(text=words, at=Position(line=1))


def test_a_small_gpu_core_with_a_word_on_a_full_one() -> None:
    found = text(Crash(errors=(ILLEGAL,)))
    assert "export CUDA_ENABLE_COREDUMP_ON_EXCEPTION=1" in found
    assert "export CUDA_COREDUMP_FILE=" in found
    assert re.search(r"export CUDA_COREDUMP_GENERATION_FLAGS=\S*skip_global_memory", found)
    assert "prompts" in found


@pytest.mark.parametrize(
    ("crash", "piece"),
    [
        (Crash(threads=(GPU,)), "gpu-core"),
        (Crash(threads=(GPU,)), "synchronous-run"),
        (Crash(errors=(ErrorRecord(api="sanitizer"),)), "sanitizer"),
        (
            Crash(environment=Environment(variables={"CUDA_LAUNCH_BLOCKING": "1"})),
            "synchronous-run",
        ),
        (Crash(errors=(ErrorRecord(api="xid", code=31),)), "xid"),
        (Crash(errors=(ErrorRecord(api="xid", code=31),)), "kernel-log"),
        (Crash(errors=(ErrorRecord(api="oom-killer"),)), "kernel-log"),
        (Crash(environment=Environment(driver="580", gpus=(Gpu(name="x"),))), "gpu-facts"),
        (Crash(environment=Environment(model=ModelFile(tensor_count=3))), "model"),
        (Crash(threads=(HOST,)), "ptrace"),
        (Crash(threads=(HOST,)), "core"),
        (Crash(environment=Environment(options={"ctx-size": "1"})), "command-line"),
    ],
)
def test_what_is_there_is_not_asked_for(crash: Crash, piece: str) -> None:
    assert piece in present(crash)
    assert "Z" not in text(crash, {"text": "Z", "piece": piece})
    assert piece not in present(Crash())
    assert "Z" in text(Crash(), {"text": "Z", "piece": piece})


def test_a_family_names_a_piece_and_its_words_come_from_there() -> None:
    assert pieces()["sanitizer"].text in text(Crash(), {"piece": "sanitizer"})


def test_what_a_line_says_was_lost() -> None:
    lost = text(Crash(lines=(line("ptrace: Operation not permitted."),)))
    assert "/proc/sys/kernel/yama/ptrace_scope" in lost
    dumped = text(Crash(lines=(line("Aborted (core dumped)"),)))
    assert "core_pattern" in dumped
    assert "systemd-coredump" in dumped
    assert "ulimit -c" not in dumped, "the limit was not what kept it"
    assert "core_pattern" not in text(
        Crash(threads=(HOST,), lines=(line("Aborted (core dumped)"),))
    )


def test_the_lines_that_are_clues_are_kept() -> None:
    assert "ptrace: operation not permitted" in clue_literals()
    found = Analyzer(Options()).read_text(
        "Could not attach to process.  If your uid matches\nptrace: Operation not permitted.\n"
        "GGML_ASSERT(a != b) failed\n"
    )
    assert any("ptrace" in kept.text for kept in found.lines)


def test_where_only_consequences_are_known_the_first_error_is_asked_for() -> None:
    dead = ErrorRecord(api="python", name="EngineDeadError", role=Role.CONSEQUENCE)
    crash = Crash(errors=(dead,), engine=Engine(name="vllm"))
    assert "VLLM_LOGGING_LEVEL=DEBUG" in text(crash)
    assert "Traceback" in text(crash)
    assert "VLLM_LOGGING_LEVEL" not in text(Crash(errors=(dead, ILLEGAL), engine=crash.engine))


def test_the_program_s_name_stands_in_every_command() -> None:
    crash = Crash(
        signal=Signal(name="SIGABRT"), environment=Environment(command_line=("/opt/server", "-m"))
    )
    assert "PROGRAM" not in text(crash, {"piece": "gpu-core"})
    assert "/opt/server ARGUMENTS" in text(crash, {"piece": "gpu-core"})
    assert to_text(Advice(text="t", command="a PROGRAMS")) == "t\na PROGRAMS"


def test_every_piece_says_what_and_how() -> None:
    assert len(pieces()) > 10
    for name, piece in pieces().items():
        assert re.fullmatch(r"[a-z-]+", name)
        assert piece.text
        assert piece.command
        assert all(c.startswith("*") and c.endswith("*") for c in piece.clues)
