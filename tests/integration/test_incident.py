"""One incident of many pieces: every subset of them, in every order."""

from __future__ import annotations

import itertools
import os
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.frames.demangle import demangle
from triage.model.crash import Role
from triage.model.diagnosis import Action, Level, Verdict
from triage.model.report import Report
from triage.model.stack import ThreadKind
from triage.pipeline import Analyzer, Options
from triage.read import Parsed, ReadOptions, assemble, parse, read_text

RECORDINGS = Path(__file__).resolve().parents[2] / "fixtures/recordings/gpu"
SHARED = (
    Path(
        os.environ.get(
            "CLAWTRIAGE_RECORDINGS", Path(__file__).resolve().parents[3] / "shared/recordings"
        )
    )
    / "h200"
)
SPECIFIC = "unsupported-quant-or-model"
GENERAL = "gpu-illegal-access"


@dataclass(frozen=True)
class Incident:
    """Recordings of one failure; `place` is the function and line that a person found.

    `families` go from what says nothing about the class of the failure to what names it.
    """

    folder: Path
    pieces: tuple[str, ...]
    place: tuple[str, str, int]
    xids: int = 0
    families: tuple[str | None, ...] = (None, GENERAL, SPECIFIC)


QUANT = Incident(
    RECORDINGS,
    (
        "quant.rel.log",
        "quant.rel.nvcudmp.xz",
        "quant.rel.gpucoredump.cpucore.txt",
        "dmesg-xid.txt",
        "nvidia-smi.txt",
    ),
    ("store_unit", "claw_cuda_backend.cu", 26),
    3,
)
ILLEGAL = Incident(
    SHARED,
    ("illegal.rel.log", "illegal.rel.nvcudmp.xz", "illegal.rel.cpucore.txt", "dmesg-xid.txt"),
    ("store_row", "claw_cuda_backend.cu", 8),
    3,
)
WITH_TEXT = Incident(
    RECORDINGS,
    ("quant.rel.log", "quant.rel.gpucore.txt", "quant.rel.gpucoredump.cpucore.txt"),
    ("store_unit", "claw_cuda_backend.cu", 26),
)
ASSERT = Incident(
    RECORDINGS,
    (
        "assert.rel.log",
        "assert.rel.nvcudmp.xz",
        "assert.rel.gpucoredump.cpucore.txt",
        "assert.rel.memcheck.txt",
        "dmesg-xid.txt",
    ),
    ("embed_kernel", "claw_cuda_backend.cu", 41),
    families=(None, GENERAL, "assertion-bug"),
)
MEMORY = Incident(
    RECORDINGS,
    ("oom.rel.log", "oom.rel.cpucore.txt", "dmesg-xid.txt", "nvidia-smi.txt"),
    ("llm::", "claw_cuda_backend.cu", 191),
    families=(None, GENERAL, "gpu-out-of-memory"),
)
INCIDENTS = [
    pytest.param(QUANT, id="quant"),
    pytest.param(WITH_TEXT, id="cuda-gdb's text"),
    pytest.param(
        ILLEGAL,
        id="illegal",
        marks=pytest.mark.skipif(not SHARED.is_dir(), reason="recordings are not here"),
    ),
]
ALL = [*INCIDENTS, pytest.param(ASSERT, id="assert"), pytest.param(MEMORY, id="memory")]


@cache
def analyzer() -> Analyzer:
    return Analyzer(Options(redact=False))


@cache
def parsed(incident: Incident) -> dict[str, list[Parsed]]:
    """Return what was read of each piece, by its name."""
    names = [str(incident.folder / piece) for piece in incident.pieces]
    options = ReadOptions(
        variables=analyzer().store.variables(), log_literals=analyzer().store.log_literals()
    )
    items: dict[str, list[Parsed]] = {piece: [] for piece in incident.pieces}
    for item in parse(names, options):
        items[incident.pieces[item.input.id]].append(item)
    return items


@cache
def report(incident: Incident, pieces: tuple[str, ...]) -> Report:
    found = parsed(incident)
    return analyzer().report(assemble([item for piece in pieces for item in found[piece]]))


def subsets(pieces: Sequence[str]) -> list[tuple[str, ...]]:
    sizes = range(1, len(pieces) + 1)
    return [chosen for size in sizes for chosen in itertools.combinations(pieces, size)]


def blamed(report: Report) -> tuple[str, str, int | None] | None:
    if report.blamed_frame is None:
        return None
    frame = report.threads[report.blamed_frame.thread].frames[report.blamed_frame.frame]
    name = frame.function or ""
    return (
        (demangle(name) or name).split("(")[0],
        (frame.file or "").rpartition("/")[2],
        frame.line,
    )


def verdict(report: Report) -> tuple[object, ...]:
    return report.verdict, report.family, report.action, blamed(report), report.fingerprint


# ---- the whole incident -------------------------------------------------------------------


@pytest.mark.parametrize("incident", INCIDENTS)
def test_the_whole_names_the_device_function_and_line(incident: Incident) -> None:
    found = report(incident, incident.pieces)
    assert blamed(found) == incident.place
    assert not found.blamed_frame.provisional
    assert found.threads[found.crashed_thread].kind is ThreadKind.GPU
    assert (found.verdict, found.family) == (Verdict.KNOWN, SPECIFIC)
    assert found.action is found.diagnoses[0].action is Action.CHANGE_MODEL


@pytest.mark.parametrize("incident", INCIDENTS)
def test_the_whole_says_that_the_host_s_stack_is_late(incident: Incident) -> None:
    found = report(incident, incident.pieces)
    (warning,) = [w for w in found.warnings if w.code == "host-stack-late"]
    assert "cudaErrorIllegalAddress is reported late" in warning.message
    assert "GPU's stack" in warning.message


@pytest.mark.parametrize("incident", INCIDENTS)
def test_the_whole_counts_the_xids_as_consequences(incident: Incident) -> None:
    found = report(incident, incident.pieces)
    xids = [e for e in found.errors if e.api == "xid"]
    assert len(xids) == incident.xids
    assert {e.role for e in xids} <= {Role.CONSEQUENCE}
    assert all(e.count > 1 for e in xids)
    assert [e.code for e in found.errors if e.role is Role.CAUSE] == [14]


def test_lines_of_other_programs_are_left_out() -> None:
    if not SHARED.is_dir():
        pytest.skip("recordings are not here")
    found = report(ILLEGAL, ILLEGAL.pieces)
    left_out = [w.message for w in found.warnings if w.code == "kernel-lines-unrelated"]
    assert [m.partition(" (")[2].partition(")")[0] for m in left_out] == [
        "claw_dbg",
        "claw_strip",
        "python3",
    ]


# ---- every part of it ---------------------------------------------------------------------


@pytest.mark.parametrize("incident", ALL)
def test_a_further_piece_never_makes_the_answer_worse(incident: Incident) -> None:
    for pieces in subsets(incident.pieces):
        before = report(incident, pieces)
        for piece in incident.pieces:
            if piece in pieces:
                continue
            after = report(incident, tuple(p for p in incident.pieces if p in (*pieces, piece)))
            assert incident.families.index(after.family) >= incident.families.index(
                before.family
            ), (pieces, piece)
            if not any(w.code == "kernel-pids-differ" for w in after.warnings):
                assert not (before.verdict is Verdict.KNOWN and after.verdict is not Verdict.KNOWN)
            if before.blamed_frame and not before.blamed_frame.provisional:
                assert blamed(after) == blamed(before), (pieces, piece)


@pytest.mark.parametrize("incident", ALL)
def test_every_part_has_one_action_and_does_not_contradict_the_whole(incident: Incident) -> None:
    for pieces in subsets(incident.pieces):
        found = report(incident, pieces)
        assert (found.action is None) == (found.verdict is Verdict.NO_CRASH), pieces
        assert found.family in incident.families, pieces
        if found.blamed_frame and not found.blamed_frame.provisional:
            assert blamed(found) == incident.place, pieces


@pytest.mark.parametrize("incident", INCIDENTS)
def test_the_gpu_s_stack_decides_wherever_it_is(incident: Incident) -> None:
    dump = next(piece for piece in incident.pieces if "nvcudmp" in piece or "gpucore.txt" in piece)
    for pieces in subsets(incident.pieces):
        if dump in pieces:
            assert blamed(report(incident, pieces)) == incident.place, pieces


@pytest.mark.parametrize("incident", ALL)
def test_nothing_is_asked_for_that_is_there(incident: Incident) -> None:
    asks = {
        "CUDA_ENABLE_COREDUMP_ON_EXCEPTION": ("nvcudmp", "gpucore.txt"),
        "dmesg -T": ("dmesg",),
        "nvidia-smi > ": ("nvidia-smi",),
        "gdb -batch -ex run": ("cpucore",),
    }
    for pieces in subsets(incident.pieces):
        text = "\n".join(report(incident, pieces).next_evidence)
        for ask, answers in asks.items():
            if any(answer in piece for answer in answers for piece in pieces):
                assert ask not in text, (pieces, ask)


def test_without_the_gpu_s_stack_it_is_what_is_asked_for() -> None:
    text = "\n".join(report(QUANT, ("dmesg-xid.txt",)).next_evidence)
    assert "export CUDA_ENABLE_COREDUMP_ON_EXCEPTION=1" in text
    assert "skip_global_memory" in text
    assert "prompts" in text


@pytest.mark.parametrize("name", ["dtype", "quant", "quant-iq2"])
def test_the_place_alone_is_no_diagnosis_of_the_quantization(name: str) -> None:
    """What gdb kept of the command line ends within the model's name."""
    path = RECORDINGS / f"{name}.rel.cpucore.txt"
    found = analyzer().analyze([str(path)])
    assert found.verdict is Verdict.UNKNOWN
    assert {d.level for d in found.diagnoses} == {Level.HINT}


def test_a_null_pointer_on_the_host_is_no_wrong_layout() -> None:
    frames = (
        "claw_inference[77]: segfault at {} ip 000055d7a8d0c0d9 sp 00007ffc error 6 in claw[1+2]\n"
        "#0  0x000055d7a8d0c0d9 in gguf_tensor_remap (this=0x0) at llm_engine.cpp:1423\n"
        "#1  0x000055d7a8d0478e in main (argc=3, argv=0x7ffd1) at main.cpp:25\n"
    )
    wild, null = (
        analyzer().report(read_text(frames.format(a), ReadOptions()))
        for a in ("7f64e8db3000", "10")
    )
    assert "openclaw/unsupported-quant" in {d.signature for d in wild.diagnoses}
    assert "openclaw/unsupported-quant" not in {d.signature for d in null.diagnoses}
    assert wild.verdict is null.verdict is Verdict.UNKNOWN


# ---- in every order -----------------------------------------------------------------------


@pytest.mark.parametrize("incident", ALL)
def test_order_makes_no_difference_to_a_few(incident: Incident) -> None:
    for pieces in subsets(incident.pieces):
        if len(pieces) <= 3:
            wanted = verdict(report(incident, pieces))
            for order in itertools.permutations(pieces):
                assert verdict(report(incident, order)) == wanted, order


@given(order=st.permutations(QUANT.pieces), count=st.integers(4, len(QUANT.pieces)))
@settings(max_examples=30, deadline=None)
def test_order_makes_no_difference_to_many(order: list[str], count: int) -> None:
    chosen = order[:count]
    wanted = report(QUANT, tuple(p for p in QUANT.pieces if p in chosen))
    assert verdict(report(QUANT, tuple(chosen))) == verdict(wanted)


def test_names_make_no_difference(tmp_path: Path) -> None:
    pieces = [RECORDINGS / piece for piece in QUANT.pieces]
    for n, piece in enumerate(reversed(pieces)):
        (tmp_path / f"{n}").write_bytes(piece.read_bytes())
    renamed = analyzer().analyze([str(tmp_path / f"{n}") for n in range(len(pieces))])
    assert verdict(renamed) == verdict(report(QUANT, QUANT.pieces))


def test_an_archive_is_read_as_its_files(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.tar.gz"
    with tarfile.open(bundle, "w:gz") as archive:
        for piece in reversed(QUANT.pieces):
            archive.add(RECORDINGS / piece, piece)
    packed = analyzer().analyze([str(bundle)])
    assert verdict(packed) == verdict(report(QUANT, QUANT.pieces))
    members = {e.at.member for e in packed.errors}
    assert members == {"quant.rel.log", "quant.rel.nvcudmp.xz", "dmesg-xid.txt"}


def test_a_context_that_no_card_holds_is_the_cause_and_not_the_layers() -> None:
    log = RECORDINGS / "oom.rel.log"
    report = Analyzer(Options()).analyze([str(log)])
    best = report.diagnoses[0]
    assert best.signature == "openclaw/context-beyond-vram"
    commands = [c for s in best.remedy.steps for c in s.commands if "ctx-size" in c]
    assert commands
    assert not any("8388608" in command for command in commands)


def test_the_commands_of_a_fix_are_those_of_the_crashs_own_model() -> None:
    log = RECORDINGS / "quant.rel.log"
    step = Analyzer(Options()).analyze([str(log)]).diagnoses[0].remedy.steps[0]
    assert "tiny-llama-Q5_K_M.gguf --n-gpu-layers 33 " in step.before
    assert "tiny-llama-Q4_K_M.gguf" in step.after
