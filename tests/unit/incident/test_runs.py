"""Logs of many runs: the last that failed is the crash."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from triage.incident.runs import runs_of
from triage.model.crash import Crash
from triage.read import ReadOptions, read_text
from triage.text.late import late
from triage.text.prefix import to_line

RECORDINGS = Path(__file__).resolve().parents[3] / "fixtures/recordings/gpu"
NAMES = ("oom", "ok", "quant", "kv-race")
LOGS = {name: (RECORDINGS / f"{name}.rel.log").read_text() for name in NAMES}
BANNER = "[INFO] OpenClaw claw_inference 0.9.2, toolkit 11.8, CUDA"
STARTS = [late(r"\[INFO\] OpenClaw claw_inference v?\d")]


def crash_of(text: str) -> Crash:
    return read_text(text, ReadOptions()).crash


def of_runs(*names: str) -> Crash:
    return crash_of("".join(LOGS[name] for name in names))


def several(crash: Crash) -> list[str]:
    return [w.message for w in crash.warnings if w.code == "several-runs"]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("oom", "ok", "quant"), "lines 27 to 38; left out are those that start at line 1, 13"),
        (("quant", "oom"), "lines 13 to 24; left out are those that start at line 1"),
        (("ok", "quant"), "left out are those that start at line 1"),
        (("oom", "oom"), "2 runs"),
    ],
)
def test_the_last_run_that_failed_is_the_crash(names: tuple[str, ...], said: str) -> None:
    alone, found = of_runs(names[-1]), of_runs(*names)
    assert [(e.api, e.code, e.count) for e in found.errors] == [
        (e.api, e.code, e.count) for e in alone.errors
    ]
    assert found.environment.model == alone.environment.model
    assert found.environment.options == alone.environment.options
    (message,) = several(found)
    assert said in message
    assert "shows no failure" not in message


def test_a_healthy_last_run_is_said() -> None:
    found = of_runs("quant", "oom", "ok")
    assert found.environment.options["ctx-size"] == "8388608"
    assert found.environment.model.quantization == "Q8_0"
    (message,) = several(found)
    assert "The last one, from line 25, shows no failure" in message


def test_runs_that_all_end_well_are_no_crash() -> None:
    found = of_runs("ok", "ok")
    assert not found.is_crash
    assert not several(found)


def test_one_run_is_as_it_was() -> None:
    assert several(of_runs("quant")) == []
    assert runs_of([to_line(1, BANNER)], STARTS) == []


def test_places_are_those_of_the_whole_log() -> None:
    found = of_runs("oom", "quant")
    (error,) = [e for e in found.errors if e.code == 700]
    assert error.at.line == 12 + 10


def test_what_stands_before_the_first_run_is_kept_where_nothing_failed_there() -> None:
    smi = (RECORDINGS / "nvidia-smi.txt").read_text()
    assert "driver_cuda" not in crash_of(LOGS["kv-race"].replace("driver", "")).environment.where
    runs = (LOGS["oom"] + LOGS["kv-race"]).replace("driver", "")
    assert crash_of(smi + runs).environment.driver_cuda == "13.0"
    tail = "[FATAL] CUDA error 999 (cudaErrorUnknown): unknown error\n"
    codes = [e.code for e in crash_of(tail + LOGS["oom"] + LOGS["quant"]).errors]
    assert 999 not in codes


def test_a_command_goes_with_the_run_that_it_starts() -> None:
    texts = ["$ claw_inference --a", BANNER, "x", "user@host:~$ ./claw_inference --b", BANNER, "y"]
    lines = [to_line(n, text) for n, text in enumerate(texts, 1)]
    assert [[line.number for line in run.lines] for run in runs_of(lines, STARTS)] == [
        [1, 2, 3],
        [4, 5, 6],
    ]


def test_programs_beside_each_other_are_not_parted() -> None:
    def logged(*parts: tuple[int, str]) -> list[object]:
        rows = [f"Nov 24 03:10:00 host claw[{pid}]: {text}" for pid, text in parts]
        return runs_of([to_line(n, row) for n, row in enumerate(rows, 1)], STARTS)

    assert logged((1, BANNER), (2, BANNER), (1, "x"), (2, "y")) == []
    assert len(logged((1, BANNER), (1, "x"), (2, BANNER), (2, "y"))) == 2
    assert len(logged((1, BANNER), (1, "x"), (1, BANNER), (1, "y"))) == 2


def test_very_many_runs_are_read_in_linear_time() -> None:
    def seconds(count: int) -> float:
        text = LOGS["oom"] + LOGS["ok"] * count
        before = time.process_time()
        assert several(crash_of(text))
        return time.process_time() - before

    crash_of(LOGS["oom"])
    assert seconds(800) < 10 * (seconds(200) + 0.1)
