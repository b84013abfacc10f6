"""Times the reading of core dumps beside gdb, interleaved, and prints medians and ratios.

Nothing here passes or fails a build: the machine may be busy. Bars are printed to compare with.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import bench  # noqa: E402

from tests.system import hostile  # noqa: E402
from triage.elf.corefile import read_core  # noqa: E402

SOURCES = ROOT / "tests" / "system" / "core_programs"
RUNS = 9
STACK = 64 << 20
# Enough functions with debug information that a plain gdb takes a second and more.
FUNCTIONS = 30_000


@dataclass(frozen=True)
class Dump:
    """A core dump with the program that left it."""

    core: Path
    binary: Path


def main() -> int:
    """Print the table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        traps = build(folder / "traps", SOURCES / "hostile.cpp", "-O0")
        crash = build(folder / "crash", SOURCES / "crash.cpp", "-O2")
        small = dump(crash, "threads")
        against_gdb("tiny program, 5 threads", small, RUNS, 1.3)
        made = bench.crash(folder)
        if made is not None:
            program, core = made
            against_gdb("the miniature engine", Dump(core, program), RUNS, 1.3)
        against_gdb("core that takes gdb a second", dump(large_program(folder)), 5, 1.05)
        before_gdb(small, folder)
        one("1,000,000 frames", dump(crash, "recursion", "1000000"), 10, 512)
        one("2,000 threads", dump(traps, "threads", "2000"), 5, None)
    return 0


def build(path: Path, source: Path, *flags: str) -> Path:
    """Build a program with debug information."""
    words = ["g++", "-g", "-pthread", "-Wl,--build-id", *flags, source, "-o", path]
    subprocess.run(words, check=True)
    return path


def large_program(folder: Path) -> Path:
    """Build a program whose debug information takes gdb long."""
    source = folder / "large.cpp"
    body = "\n".join(
        f"struct s{n} {{ int a, b; s{n} *next; int f(int x) const {{ return a + x; }} }};\n"
        f"int g{n}(const s{n} &s, int x) {{ return s.f(x) + s.next->b; }}"
        for n in range(FUNCTIONS)
    )
    source.write_text(f"{body}\nint main() {{ return g0(*(s0 *)0, 1); }}\n")
    return build(folder / "large", source, "-O0")


def dump(binary: Path, *arguments: str) -> Dump:
    """Let a program crash."""
    folder = Path(tempfile.mkdtemp(dir=binary.parent))
    limits = ["prlimit", "--core=unlimited", f"--stack={STACK}:"]
    subprocess.run([*limits, binary, *arguments], cwd=folder, check=False)
    return Dump(next(folder.glob("core*")), binary)


def seconds(run: Callable[[], object]) -> float:
    """Return the wall time of a call."""
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


def against_gdb(what: str, dump: Dump, runs: int, bar: float) -> None:
    """Compare `clawtriage core` with plain gdb, run in turn."""
    ours = [sys.executable, "-m", "triage.cli.main", "core", dump.core, "-b", dump.binary]
    gdb = ["gdb", "-batch", "-nx", "-ex", "thread apply all bt", dump.binary, dump.core]
    # Bytecode is written, as after an ordinary install.
    env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    env["PYTHONPATH"] = str(ROOT)
    times: dict[str, list[float]] = {"ours": [], "gdb": []}
    for n in range(runs + 1):
        for name, command in (("ours", ours), ("gdb", gdb)):
            spent = seconds(partial(subprocess.run, command, capture_output=True, env=env))
            if n:  # the first of each is to warm the caches
                times[name].append(spent)
    mine, theirs = (statistics.median(times[name]) for name in ("ours", "gdb"))
    row(f"{what}: core / gdb -batch ({theirs:.2f} s)", f"{mine / theirs:.2f}", bar, mine / theirs)


def before_gdb(dump: Dump, folder: Path) -> None:
    """Time the reading of a core dump by ourselves alone."""
    large = hostile.large_sparse_core(dump.core, folder / "large.core", 1 << 30)

    def read() -> None:
        with large.open("rb") as stream:
            read_core(stream, large.stat().st_size)

    spent = min(seconds(read) for _ in range(RUNS)) * 1000
    row("own reading of a sparse core of 1 GiB", f"{spent:.1f} ms", 50, spent)


def one(what: str, dump: Dump, limit: float, memory: int | None) -> None:
    """Time one run of the command and measure the memory of all its processes."""
    run = hostile.core_command(dump.core, "-b", dump.binary, limit=120)
    row(what, f"{run.seconds:.1f} s ({run.work:.1f} s of work)", limit, run.seconds)
    if memory is not None:
        row(f"{what}: memory of all processes", f"{run.peak} MiB", memory, run.peak)


def row(what: str, figure: str, bar: float, value: float) -> None:
    """Print one line of the table."""
    verdict = "held" if value <= bar else "MISSED"
    print(f"{what:<62} {figure:>24}  <= {bar:<6g}  {verdict}")


if __name__ == "__main__":
    sys.exit(main())
