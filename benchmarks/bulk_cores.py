"""Times many core dumps of one program beside a gdb for each of them, and prints the ratios.

    bulk_cores.py [COUNT]

Nothing here passes or fails a build: the machine may be busy. The bar is printed to compare with.
"""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "tests/system/core_programs/crash.cpp"
CLAWTRIAGE = (sys.executable, "-c", "from triage.cli.main import main; main()")
MODES = ("null", "threads", "divide", "abort-in-thread", "handler", "bounce")
ROUNDS = 3
FEW = 10
BAR = 0.35


def main(count: int) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        program = folder / "crash"
        words = ["-O2", "-g", "-pthread", "-Wl,--build-id", str(SOURCE), "-o", str(program)]
        subprocess.run(["g++", *words], check=True)
        cores = [crash(program, folder, MODES[n % len(MODES)], n) for n in range(count)]
        compare(program, cores, folder)


def crash(program: Path, folder: Path, mode: str, number: int) -> Path:
    """Crash the program and return the core dump."""
    place = folder / f"run{number}"
    place.mkdir()
    subprocess.run(
        [program, mode], cwd=place, preexec_fn=allow_dumps, capture_output=True, check=False
    )
    (core,) = place.glob("core*")
    return core.rename(folder / f"core.{number:04}")


def allow_dumps() -> None:
    """Let the kernel write a core dump of any size."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))


def compare(program: Path, cores: Sequence[Path], folder: Path) -> None:
    """Time every way in turn."""
    names = [str(core) for core in cores]
    triage = [*CLAWTRIAGE, "core", "--binary", str(program), "--format", "jsonl"]
    sample = names[:FEW]
    times: dict[str, list[float]] = {"gdb": [], "few": [], "all": [], "eu-stack": []}
    run([*triage, *names], folder)
    for _ in range(ROUNDS):
        times["gdb"].append(
            sum(run(gdb_words(program, core), folder) for core in sample) / len(sample)
        )
        times["few"].append(run([*triage, *sample], folder))
        times["all"].append(run([*triage, *names], folder))
        if shutil.which("eu-stack"):
            stack = ["eu-stack", "-m", "-e", str(program)]
            times["eu-stack"].append(
                sum(run([*stack, "--core", core], folder) for core in sample) / len(sample)
            )
    median = {name: statistics.median(values) for name, values in times.items() if values}
    each = median["all"] / len(cores)
    extra = (median["all"] - median["few"]) / (len(cores) - FEW)
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, medians of {ROUNDS} rounds")
    print(f"gdb -batch -ex 'thread apply all bt', one core dump   {median['gdb'] * 1e3:8.1f} ms")
    print(f"clawtriage core, {len(cores)} core dumps, each                {each * 1e3:8.1f} ms")
    ratio = each / median["gdb"]
    print(f"  beside gdb (bar {BAR})                              {ratio:8.2f}")
    print(f"clawtriage core, an extra core dump (bar 25-50 ms)    {extra * 1e3:8.1f} ms")
    if "eu-stack" in median:
        each = median["eu-stack"]
        print(f"eu-stack, one core dump                               {each * 1e3:8.1f} ms")


def gdb_words(program: Path, core: str) -> list[str]:
    """Return the command that everybody types."""
    return ["gdb", "-batch", "-nx", "-ex", "thread apply all bt", str(program), core]


def run(command: Sequence[str], folder: Path) -> float:
    """Return the wall time of one run."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "CLAWTRIAGE_CACHE_DIR": str(folder / "cache")}
    env["PYTHONPATH"] += f":{os.environ.get('PYTHONPATH', '')}"
    begin = time.perf_counter()
    subprocess.run(command, env=env, cwd=folder, capture_output=True, check=False)
    return time.perf_counter() - begin


if __name__ == "__main__":
    main(max(FEW + 1, int(sys.argv[1])) if sys.argv[1:] else 50)
