"""Times clawtriage beside references, interleaved, and prints medians and ratios.

Nothing here passes or fails a build: the machine may be busy. Bars are printed to compare with.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.gdb_text import gdb_text
from triage.formats import formats
from triage.store.signatures import open_store

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
CLAWTRIAGE = str(BIN / "clawtriage")
RUNS = 9
LOG = ROOT / "fixtures/recordings/cpu/quant-q5_k_m-cuda/engine.log"
ENGINE = ROOT / "fixtures/claw_inference"


def environment(cache: Path) -> dict[str, str]:
    """Return the environment of a run: bytecode is written, as after an ordinary install."""
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "CLAWTRIAGE_CACHE_DIR": str(cache)}


def seconds(command: Sequence[str], env: dict[str, str], folder: Path) -> float:
    """Return the wall time of one run."""
    begin = time.perf_counter()
    subprocess.run(command, env=env, cwd=folder, capture_output=True, check=False)
    return time.perf_counter() - begin


def medians(
    commands: dict[str, Sequence[str]], env: dict[str, str], folder: Path
) -> dict[str, float]:
    """Return the median wall time of each command, run in turn."""
    times: dict[str, list[float]] = {name: [] for name in commands}
    for command in commands.values():
        seconds(command, env, folder)  # warm
    for _ in range(RUNS):
        for name, command in commands.items():
            times[name].append(seconds(command, env, folder))
    return {name: statistics.median(values) for name, values in times.items()}


def row(what: str, figure: str, bar: str, held: bool | None) -> None:
    """Print one line of the table."""
    verdict = {True: "held", False: "MISSED", None: ""}[held]
    print(f"{what:<58} {figure:>22}  {bar:>12}  {verdict}".rstrip())


def start_up(env: dict[str, str], folder: Path) -> None:
    """Print how long starting and a small log take."""
    log = folder / "small.log"
    text = LOG.read_text()
    filler = "".join(f"[DEBUG] step {n} decode token {n * 7}\n" for n in range(90))
    log.write_text(filler + text)
    found = medians(
        {
            "click": [sys.executable, "-c", "import click"],
            "version": [CLAWTRIAGE, "--version"],
            "analyze": [CLAWTRIAGE, "analyze", str(log)],
        },
        env,
        folder,
    )
    ratio = found["version"] / found["click"]
    row("clawtriage --version / python -c 'import click'", f"{ratio:.2f}", "<= 2.0", ratio <= 2)
    extra = (found["analyze"] - found["version"]) * 1000
    row("analyze of 100 lines, above --version", f"{extra:.0f} ms", "<= 400 ms", extra <= 400)
    cold = []
    for _ in range(3):
        with tempfile.TemporaryDirectory() as empty:
            cold.append(
                seconds([CLAWTRIAGE, "analyze", str(log)], environment(Path(empty)), folder)
            )
    extra = (statistics.median(cold) - found["version"]) * 1000
    row("the same with an empty cache", f"{extra:.0f} ms", "", None)


def crash(folder: Path) -> tuple[Path, Path] | None:
    """Build and crash the miniature engine; return its program and its core dump."""
    if not shutil.which("g++") or not shutil.which("gdb"):
        return None
    program = ENGINE / "build/claw_inference"
    model = ENGINE / "models/tiny-llama-Q5_K_M.gguf"
    make = ["make", "-s", "-C", str(ENGINE), f"PYTHON={sys.executable}"]
    subprocess.run(make, check=True, capture_output=True)
    if not model.is_file():
        subprocess.run([*make, "models"], check=True, capture_output=True)
    command = f"ulimit -c unlimited; {program} --model {model} --backend cuda --prompt hello"
    env = {**os.environ, "CLAW_SIM_DEVICE": "1"}
    subprocess.run(["sh", "-c", command], cwd=folder, env=env, check=False, capture_output=True)
    cores = sorted(folder.glob("core*"))
    return (program, cores[0]) if cores else None


def core_dump(env: dict[str, str], folder: Path) -> None:
    """Print how long a core dump takes beside gdb alone."""
    made = crash(folder)
    if made is None:
        print("no core dump could be made here (g++, gdb and core_pattern are needed)")
        return
    program, core = map(str, made)
    found = medians(
        {
            "core": [CLAWTRIAGE, "core", core, "--binary", program],
            "gdb": ["gdb", "-batch", "-nx", "-ex", "thread apply all bt", program, core],
        },
        env,
        folder,
    )
    ratio = found["core"] / found["gdb"]
    figure = f"{ratio:.2f} ({found['core']:.2f}/{found['gdb']:.2f} s)"
    row("core / gdb -batch -ex 'thread apply all bt'", figure, "<= 1.3", ratio <= 1.3)


def write_big_log(path: Path, size: int = 1 << 30) -> None:
    """Write a log with 40 lines of interest in it."""
    block = "".join(
        f"[DEBUG] step {n} decode token {n * 31 % 32000} kv cache used {n % 4096} cells\n"
        for n in range(20_000)
    )
    crash = LOG.read_text().splitlines(keepends=True)
    between = "[WARN] CUDA error 2 (cudaErrorMemoryAllocation): retried with a smaller batch\n"
    blocks = size // len(block)
    retries = 40 - len(crash)
    with path.open("w") as file:
        for n in range(blocks):
            file.write(block)
            if n * retries // blocks != (n + 1) * retries // blocks:
                file.write(between)
        file.writelines(crash)


def write_literals(path: Path) -> None:
    """Write every literal that clawtriage itself looks for, one a line."""
    literals = set(open_store((), None).log_literals())
    literals.update(anchor for form in formats() for anchor in form.anchors)
    path.write_text("\n".join(sorted(literal.strip("\n") for literal in literals)) + "\n")


def big_log(env: dict[str, str], folder: Path) -> None:
    """Print how long 1 GiB of log takes, plain and compressed, beside reading and searching it."""
    path, literals = folder / "big.log", folder / "literals.txt"
    write_big_log(path)
    write_literals(literals)
    packed = path.with_suffix(".log.zst")
    subprocess.run(["zstd", "-q", str(path), "-o", str(packed)], check=True)
    search = f"rg -c -F -f {literals}"
    found = medians(
        {
            "analyze": [CLAWTRIAGE, "analyze", str(path)],
            "wc": ["wc", "-l", str(path)],
            "rg": ["sh", "-c", f"{search} {path}"],
            "packed": [CLAWTRIAGE, "analyze", str(packed)],
            "zstd": ["sh", "-c", f"zstd -dc {packed} | {search}"],
        },
        env,
        folder,
    )
    for name, other, words, bar in (
        ("analyze", "rg", "analyze of 1 GiB / rg -c -F with the same literals", 0.6),
        ("analyze", "wc", "analyze of 1 GiB / wc -l", 3.0),
        ("packed", "zstd", "analyze of it as .zst / zstd -dc | rg -c -F", 1.2),
    ):
        ratio = found[name] / found[other]
        figure = f"{ratio:.2f} ({found[name]:.2f}/{found[other]:.2f} s)"
        row(words, figure, f"<= {bar}", ratio <= bar)


def main() -> None:
    """Run every benchmark."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as cache:
        env = environment(Path(cache))
        load, cores = os.getloadavg()[0], os.cpu_count() or 1
        print(f"load {load:.1f} on {cores} cores; medians of {RUNS} interleaved runs, in wall time")
        if load > cores / 2:
            print(
                "the machine is busy: core dumps are read on two cores, so their ratio is too high"
            )
        row("what", "measured", "bar", None)
        start_up(env, Path(folder))
        core_dump(env, Path(folder))
        gdb_text(row)
        if shutil.which("rg") and shutil.which("zstd"):
            big_log(env, Path(folder))
        else:
            print("big logs are timed where rg and zstd are: apt install ripgrep zstd")


if __name__ == "__main__":
    main()
