"""Times the reading of GPU core dumps, beside cuda-gdb where it is installed.

Nothing here passes or fails a build: the machine may be busy. Bars are printed to compare with.
"""

from __future__ import annotations

import lzma
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.cores import row, seconds  # noqa: E402
from tests.unit.gpucore.synthetic import full, write_with_memory  # noqa: E402
from triage.gpucore.fragment import read_gpu_core  # noqa: E402

RECORDINGS = ROOT / "fixtures" / "recordings" / "gpu_cores"
RUNS = 9


def main() -> int:
    """Print the table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        small = unpack(folder, "scatter.rel")
        torch = unpack(folder, "torch-copy").read_bytes()
        medium = write_with_memory(folder / "torch.nvcudmp", torch, (50 << 20) - len(torch))
        large = write_with_memory(folder / "large.nvcudmp", torch, 80 << 30)
        busy = folder / "full.nvcudmp"
        busy.write_bytes(full(132, 64))
        read("a small kernel's", small, 0.15)
        read("a PyTorch process's, 50 MB", medium, 1)
        read("the same with 80 GiB of memory (a hole)", large, 1)
        read("270,336 lanes, a full device's", busy, 1)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        row("memory of all of this", f"{peak} MiB", 200, peak)
        against_cuda_gdb(small)
    return 0


def unpack(folder: Path, name: str) -> Path:
    """Unpack a recording."""
    path = folder / f"{name}.nvcudmp"
    path.write_bytes(lzma.decompress((RECORDINGS / f"{name}.nvcudmp.xz").read_bytes()))
    return path


def read(what: str, path: Path, bar: float) -> None:
    """Time the reading of one core dump by ourselves alone."""

    def once() -> None:
        with path.open("rb") as stream:
            read_gpu_core(stream, path.stat().st_size, 0)

    spent = statistics.median(seconds(once) for _ in range(RUNS))
    row(f"own reading: {what}", f"{spent * 1000:.1f} ms", bar, spent)


def against_cuda_gdb(path: Path) -> None:
    """Compare `clawtriage core` with cuda-gdb, run in turn, or with what it took when recorded."""
    debugger = shutil.which("cuda-gdb")
    commands: dict[str, list[object]] = {
        "ours": [sys.executable, "-m", "triage.cli.main", "core", path]
    }
    if debugger is not None:
        target = f"target cudacore {path}"
        commands["theirs"] = [debugger, "-nx", "-batch", "-ex", target, "-ex", "bt"]
    env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    env["PYTHONPATH"] = str(ROOT)
    times: dict[str, list[float]] = {name: [] for name in commands}
    for n in range(RUNS + 1):
        for name, command in commands.items():
            begin = time.perf_counter()
            subprocess.run(command, capture_output=True, env=env)
            if n:  # the first of each is to warm the caches
                times[name].append(time.perf_counter() - begin)
    mine = statistics.median(times["ours"])
    where, other = "here", statistics.median(times.get("theirs", [0]))
    if debugger is None:
        where, other = "where the core was recorded", recorded(path.name.removesuffix(".nvcudmp"))
    what = f"core / cuda-gdb -batch ({other:.2f} s {where})"
    row(what, f"{mine / other:.2f}", 1, mine / other)


def recorded(name: str) -> float:
    """Return how long cuda-gdb took for a core where that was recorded."""
    lines = (RECORDINGS / "cuda-gdb-times.tsv").read_text().splitlines()
    return next(float(line.split("\t")[1]) for line in lines if line.startswith(f"{name}\t"))


if __name__ == "__main__":
    sys.exit(main())
