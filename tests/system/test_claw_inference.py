"""The miniature engine crashes for real, in every way it knows; each crash gets its cause."""

import fcntl
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from triage.debugger.prepare import CoreRequest
from triage.elf.corefile import read_core
from triage.frames.names import plain_name
from triage.model.diagnosis import Verdict
from triage.model.report import Report
from triage.pipeline import Analyzer, Options

SOURCE = Path(__file__).resolve().parents[2] / "fixtures" / "claw_inference"

# What may stand first in the report, by scenario. The second table is for a core alone, where the
# log's facts are not to be had: it adds to the first.
QUANT = {"unsupported-quant"}
QUANT_LOG = {"unsupported-quant", "unsupported-quant-at-load"}
CAUSES = {
    "quant-q5_k_m-cuda": QUANT,
    "quant-q5_k_m-cuda-quiet": QUANT,
    "quant-q5_k_m-cuda-signal": QUANT_LOG,
    "quant-q5_k_m-cpu": QUANT_LOG,
    "quant-q5_k_m-cpu-stripped": QUANT_LOG,
    "quant-iq2_xxs-cuda": QUANT,
    "quant-tq1_0-cpu": QUANT_LOG,
    "vram-layers": {"vram-layers"},
    "vram-fragmentation": {"vram-fragmentation"},
    "skew-old-driver": {"driver-too-old"},
    "skew-old-toolkit": {"toolkit-older-than-driver"},
    "flash-attn-toolkit": {"flash-attention-old-toolkit"},
    "opencl-queue": {"opencl-queue"},
    "kv-overflow": {"kv-cache-overflow"},
    "kv-race": {"kv-cache-race"},
    "gguf-tensor-count": {"corrupt-gguf"},
    "gguf-truncated": {"corrupt-gguf"},
    "gguf-offset": {"corrupt-gguf"},
    "dtype-i8-cuda": {"dtype-mismatch"},
    "dtype-i8-cpu": {"dtype-mismatch"},
    "no-device": {"missing-nvidiactl"},
    "hip-no-binary": {"hip-arch-mismatch"},
    # No cause that the engine's guide has, but an assertion of a program all the same.
    "device-assert": {"c-assertion"},
}
CORE_ALONE = {
    # The same cause, seen where the stack was smashed: the core does not state the versions.
    "skew-old-toolkit": {"toolkit-skew-stack-smash"},
}
# What failed is said in the log alone.
BY_WORDS = ("device-assert",)
RACES = 20
# What the scenarios run, as words for make: fewer than `make variants`.
BUILDS = (
    ("all", "stripped"),
    ("TOOLKIT=12.4", "NAME=claw_inference-toolkit-12.4"),
    ("VERSION=1.0.0-rc1", "NAME=claw_inference-1.0.0-rc1"),
)
# The function that a maintainer would look at first, by scenario.
REMAP = "llm::engine::gguf_tensor_remap"
BLAMED = {
    "quant-q5_k_m-cuda": REMAP,
    "quant-q5_k_m-cuda-quiet": REMAP,
    "quant-q5_k_m-cuda-signal": "store_unit",
    "quant-q5_k_m-cpu": REMAP,
    "quant-q5_k_m-cpu-stripped": None,
    "quant-iq2_xxs-cuda": REMAP,
    "quant-tq1_0-cpu": REMAP,
    "vram-layers": "llm::{anonymous}::cuda_backend::allocate",
    "vram-fragmentation": "llm::{anonymous}::cuda_backend::allocate",
    "skew-old-toolkit": "cudaGetDeviceProperties",
    "flash-attn-toolkit": "llm::{anonymous}::cuda_backend::attention",
    "opencl-queue": "{anonymous}::opencl_backend::dispatch",
    "kv-overflow": "llm::kv_cache::store",
    "kv-race": "llm::",  # wherever the damage shows first
    "gguf-tensor-count": "llm::gguf_file::read_tensor_infos",
    "gguf-truncated": "llm::gguf_file::read_tensor",
    "gguf-offset": "llm::gguf_file::read_tensor",
    "dtype-i8-cuda": REMAP,
    "dtype-i8-cpu": "llm::engine::load_tensor",
    "hip-no-binary": "{anonymous}::hip_backend::init",
    "device-assert": "embed_kernel",
}
# Builds other than that of the Makefile, and the scenarios that are run with them.
OTHER_BUILDS = {"O0": "-O0 -fno-omit-frame-pointer", "O2": "-O2 -fomit-frame-pointer"}
IN_OTHER_BUILDS = (
    "quant-q5_k_m-cuda",
    "quant-q5_k_m-cuda-signal",
    "quant-q5_k_m-cpu",
    "vram-layers",
    "opencl-queue",
    "kv-overflow",
    "gguf-tensor-count",
    "gguf-truncated",
    "dtype-i8-cpu",
    "hip-no-binary",
    "device-assert",
)
NO_CAUSE = ("quant-q5_k_m-fixed",)


def load_runner() -> ModuleType:
    spec = importlib.util.spec_from_file_location("claw_crash_all", SOURCE / "crash_all.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["claw_crash_all"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


RUNNER = load_runner()
SCENARIOS = {s.name: s for s in RUNNER.load_scenarios()}
WITH_CORE = [s.name for s in SCENARIOS.values() if s.leaves_core]


@dataclass(frozen=True)
class Crashed:
    """What one scenario left behind."""

    log: Path
    core: Path | None
    binary: Path
    problems: list[str]


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the miniature engine, built once for all workers of a test run."""
    for tool in ("g++", "make", "gdb", "strip"):
        if shutil.which(tool) is None:
            pytest.skip(f"needs {tool}")
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "claw_inference"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "built").exists():
            _build(folder)
            (folder / "built").touch()
    return folder


def _build(folder: Path) -> None:
    ignored = shutil.ignore_patterns("build", "__pycache__")
    shutil.copytree(SOURCE, folder, ignore=ignored, dirs_exist_ok=True)
    models = folder / "models"
    if not list(models.glob("*.gguf")):
        pytest.importorskip("gguf")
        subprocess.run([sys.executable, folder / "make_models.py", models], check=True)
    for words in BUILDS:
        make = ["make", "-s", "-j", str(os.cpu_count() or 1), "-C", folder, *words]
        subprocess.run(make, check=True)


@pytest.fixture(scope="session")
def other_build(engine: Path) -> Callable[[str], Path]:
    """Build the engine with other flags, each once for all workers of a test run."""

    def build(name: str) -> Path:
        folder = engine / f"build-{name}"
        with engine.with_suffix(f".{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (folder / "built").exists():
                flags = f"-std=c++17 -g {OTHER_BUILDS[name]} -fstack-protector-strong -pthread -w"
                words = ["-s", "-j", str(os.cpu_count() or 1), "-C", engine, "all"]
                subprocess.run(["make", *words, f"BUILD={folder}", f"CXXFLAGS={flags}"], check=True)
                (folder / "built").touch()
        return folder

    return build


@pytest.fixture(scope="session")
def crashes(engine: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Crashed]:
    """What every scenario leaves."""
    pattern = Path("/proc/sys/kernel/core_pattern").read_text().strip()
    if "/" in pattern or pattern.startswith("|"):
        pytest.skip("core dumps do not go to the working directory")
    base = tmp_path_factory.mktemp("claw")
    found = {}
    for scenario in SCENARIOS.values():
        # A race may well be won: such a run says nothing, and is run again.
        for attempt in range(RACES if scenario.family == "data-race" else 1):
            folder = base / f"{scenario.name}.{attempt}"
            outcome = RUNNER.run(scenario, folder, engine / "build", engine / "models")
            if not outcome.problems:
                break
        binary = engine / "build" / scenario.program
        found[scenario.name] = Crashed(folder / "LOG", outcome.core, binary, outcome.problems)
    return found


def analyze(*inputs: Path, binary: Path | None = None) -> Report:
    return Analyzer(Options(core=CoreRequest(binaries=(binary,) if binary else ()))).analyze(
        [str(p) for p in inputs]
    )


def first(report: Report) -> str | None:
    return report.diagnoses[0].signature.partition("/")[2] if report.diagnoses else None


def blamed(report: Report) -> str | None:
    """Return the plain name of the blamed frame's function."""
    if report.blamed_frame is None:
        return None
    thread = report.threads[report.blamed_frame.thread]
    return plain_name(thread.frames[report.blamed_frame.frame].function or "")


def crashed_tid(report: Report) -> int | None:
    assert report.crashed_thread is not None
    return report.threads[report.crashed_thread].tid


def signalled_tid(core: Path) -> int:
    """Return the thread that the kernel names first: the one that took the signal."""
    with core.open("rb") as stream:
        return read_core(stream, core.stat().st_size).threads[0].tid


def named(report: Report) -> set[str]:
    """Return every function of the report that came from a file of the engine."""
    frames = (f for t in report.threads for f in t.frames)
    return {f.function for f in frames if f.function and "claw" in (f.module or "claw")}


def command(*arguments: str | Path) -> tuple[int, dict[str, Any]]:
    words = [sys.executable, "-m", "triage.cli.main", *arguments, "--format", "json"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert "Traceback" not in done.stderr
    return done.returncode, json.loads(done.stdout)


def test_every_scenario_has_an_expectation():
    expected = {*CAUSES, *NO_CAUSE, *(n for n in SCENARIOS if n.startswith("ok-"))}
    assert expected == set(SCENARIOS)


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_scenario_ends_as_described(crashes, name: str):
    assert crashes[name].problems == []


@pytest.mark.parametrize("name", CAUSES)
def test_cause_by_log(crashes, name: str):
    report = analyze(crashes[name].log)
    assert report.verdict is Verdict.KNOWN
    assert first(report) in CAUSES[name]


@pytest.mark.parametrize("name", [n for n in CAUSES if n in WITH_CORE and n not in BY_WORDS])
def test_cause_by_core(crashes, name: str):
    one = crashes[name]
    report = analyze(one.core, binary=one.binary)
    assert report.verdict is Verdict.KNOWN
    assert first(report) in CAUSES[name] | CORE_ALONE.get(name, set())


@pytest.mark.parametrize("name", [n for n in CAUSES if n in WITH_CORE])
def test_cause_by_core_and_log(crashes, name: str):
    one = crashes[name]
    report = analyze(one.core, one.log, binary=one.binary)
    assert report.verdict is Verdict.KNOWN
    assert first(report) in CAUSES[name]


def test_every_core_has_a_frame_to_blame():
    assert set(BLAMED) == set(WITH_CORE)


class TestThreadAndFrame:
    """Which thread failed and which frame is to blame, from a core alone."""

    @pytest.mark.parametrize("name", BLAMED)
    def test_from_the_program_itself(self, crashes, name: str):
        one = crashes[name]
        report = analyze(one.core, binary=one.binary)
        assert crashed_tid(report) == signalled_tid(one.core)
        found, expected = blamed(report), BLAMED[name]
        assert (found or "").startswith(expected or "")
        assert found == expected or name == "kv-race"

    @pytest.mark.parametrize("name", IN_OTHER_BUILDS)
    @pytest.mark.parametrize("build", OTHER_BUILDS)
    @pytest.mark.slow
    def test_from_a_program_built_otherwise(
        self, other_build, engine: Path, tmp_path: Path, build: str, name: str
    ):
        folder = other_build(build)
        outcome = RUNNER.run(SCENARIOS[name], tmp_path, folder, engine / "models")
        assert outcome.core is not None
        report = analyze(outcome.core, binary=folder / SCENARIOS[name].program)
        assert crashed_tid(report) == signalled_tid(outcome.core)
        assert blamed(report) == BLAMED[name]

    @pytest.mark.parametrize("name", BLAMED)
    def test_from_a_stripped_program(self, crashes, tmp_path: Path, name: str):
        one = crashes[name]
        stripped = tmp_path / one.binary.name
        subprocess.run(["strip", one.binary, "-o", stripped], check=True)
        report = analyze(one.core, binary=stripped)
        assert crashed_tid(report) == signalled_tid(one.core)
        # What the driver exports keeps its name; nothing else has one.
        assert blamed(report) in (None, "cudaGetDeviceProperties")
        whole = analyze(one.core, binary=one.binary)
        # Without the name `main` gdb goes on to what called it.
        assert addresses(report)[: len(addresses(whole))] == addresses(whole)

    @pytest.mark.parametrize("name", BLAMED)
    def test_from_half_a_core(self, crashes, tmp_path: Path, name: str):
        one = crashes[name]
        half = tmp_path / "core"
        half.write_bytes(one.core.read_bytes()[: one.core.stat().st_size // 2])
        report = analyze(half, binary=one.binary)
        assert report.inputs[0].truncated
        assert "core-truncated" in [w.code for w in report.warnings]
        assert crashed_tid(report) == signalled_tid(one.core)
        whole = analyze(one.core, binary=one.binary)
        assert blamed(report) in (None, blamed(whole))
        assert named(report) <= named(whole)
        assert report.signal is not None
        assert whole.signal is not None
        assert report.signal.name == whole.signal.name

    def test_half_a_core_still_blames_a_function_that_failed_by_itself(
        self, crashes, tmp_path: Path
    ):
        one = crashes["kv-overflow"]
        half = tmp_path / "core"
        half.write_bytes(one.core.read_bytes()[: one.core.stat().st_size // 2])
        assert blamed(analyze(half, binary=one.binary)) == BLAMED["kv-overflow"]

    @pytest.mark.parametrize("name", BLAMED)
    def test_from_another_program(self, crashes, engine: Path, name: str):
        one = crashes[name]
        other = "claw_inference-1.0.0-rc1"
        assert one.binary.name != other
        report = analyze(one.core, binary=engine / "build" / other)
        assert "binary-mismatch" in [w.code for w in report.warnings]
        assert crashed_tid(report) == signalled_tid(one.core)
        assert blamed(report) in (None, "cudaGetDeviceProperties")
        whole = analyze(one.core, binary=one.binary)
        assert named(report) <= {n for n in named(whole) if not n.startswith("llm::")}
        assert set(addresses(report)) <= set(addresses(whole))


def addresses(report: Report) -> list[str | None]:
    """Return the addresses of the crashed thread's frames that are calls of their own."""
    assert report.crashed_thread is not None
    frames = report.threads[report.crashed_thread].frames
    return [f.address for f in frames if not f.inlined]


@pytest.mark.parametrize("name", [n for n in SCENARIOS if n.startswith("ok-")])
def test_run_that_ends_well_is_no_crash(crashes, name: str):
    report = analyze(crashes[name].log)
    assert report.verdict is Verdict.NO_CRASH
    assert report.diagnoses == ()


@pytest.mark.parametrize("name", [s.name for s in SCENARIOS.values() if s.cure])
def test_run_after_the_cure_is_no_crash(engine: Path, tmp_path: Path, name: str):
    cured = SCENARIOS[name].cured()
    outcome = RUNNER.run(cured, tmp_path / "cured", engine / "build", engine / "models")
    assert outcome.problems == []
    assert analyze(tmp_path / "cured" / "LOG").verdict is Verdict.NO_CRASH


@pytest.mark.parametrize("name", NO_CAUSE)
def test_cause_that_no_signature_describes_is_unknown_with_a_family(crashes, name: str):
    report = analyze(crashes[name].log)
    assert report.verdict is Verdict.UNKNOWN
    assert report.family is not None


@pytest.mark.parametrize("log", [False, True], ids=["core", "core-and-log"])
def test_core_of_an_assertion_has_its_family(crashes, log: bool):
    one = crashes["device-assert"]
    report = analyze(*[one.core, one.log][: 1 + log], binary=one.binary)
    assert report.verdict is (Verdict.KNOWN if log else Verdict.UNKNOWN)
    assert report.family == "assertion-bug"


@pytest.fixture(scope="module")
def quantized(crashes) -> Report:
    one = crashes["quant-q5_k_m-cuda"]
    return analyze(one.core, binary=one.binary)


class TestQuantizationByCoreAlone:
    def test_verdict(self, quantized: Report):
        assert quantized.verdict is Verdict.KNOWN
        assert quantized.diagnoses[0].signature == "openclaw/unsupported-quant"

    def test_blamed_frame(self, quantized: Report):
        blamed = quantized.blamed_frame
        assert blamed is not None
        frame = quantized.threads[blamed.thread].frames[blamed.frame]
        assert frame.file is not None
        assert frame.file.endswith("llm_engine.cpp")
        assert frame.line == 1423

    def test_environment(self, quantized: Report):
        environment = quantized.environment
        assert environment.command_line
        assert environment.command_line[0].endswith("claw_inference")
        assert "CLAW_VRAM_LIMIT" in environment.variables
        assert environment.variables["CLAW_VRAM_LIMIT"] is None
        assert environment.variables["CLAW_SIM_DEVICE"] == "1"

    def test_evidence_names_the_quantization(self, quantized: Report):
        evidence = quantized.diagnoses[0].evidence
        assert ("model.quantization", "Q5_K_M") in [(e.field, e.text) for e in evidence]

    def test_evidence_names_the_command_line_and_the_variable_that_is_not_set(
        self, quantized: Report
    ):
        evidence = {e.field: e.text for e in quantized.diagnoses[0].evidence}
        assert evidence["option.model"].endswith("/models/tiny-llama-Q5_K_M.gguf")
        assert evidence["variable.CLAW_VRAM_LIMIT"] == "CLAW_VRAM_LIMIT is not set"

    def test_remedy(self, quantized: Report):
        remedy = quantized.diagnoses[0].remedy
        assert remedy is not None
        assert remedy.summary
        assert remedy.steps
        assert all(s.commands or s.before or s.after for s in remedy.steps)
        assert remedy.verify
        assert all(c.command for c in remedy.verify)


class TestCommand:
    def test_analyze_log(self, crashes):
        status, report = command("analyze", crashes["quant-q5_k_m-cuda"].log)
        assert status == 0
        assert report["verdict"] == "known"
        assert report["diagnoses"][0]["signature"] == "openclaw/unsupported-quant"

    def test_core_with_log(self, crashes):
        one = crashes["opencl-queue"]
        status, report = command("core", one.core, "--binary", one.binary, "--log", one.log)
        assert status == 0
        assert report["diagnoses"][0]["signature"] == "openclaw/opencl-queue"
