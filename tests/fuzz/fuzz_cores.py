"""Changes core dumps and programs at random and reads them, for longer than a test run has time.

    python tests/fuzz/fuzz_cores.py                     2,000 each: core dumps, programs, GPU cores
    python tests/fuzz/fuzz_cores.py --seed 7 --gdb 0.2  others, every fifth of them with gdb as well
    python tests/fuzz/fuzz_cores.py --only binary:1337  one of them again

Case and seed alone decide what is changed. A case fails where reading it takes longer than its
limit, raises what is no error of an input, leaves a process or a file, or tells a byte of a file
that the process had mapped: every core dump names one, and that is not the reader's to open.
"""

from __future__ import annotations

import argparse
import lzma
import multiprocessing
import os
import random
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.system import hostile
from triage.debugger.limits import GdbLimits
from triage.debugger.prepare import CoreRequest
from triage.elf.image import read_image
from triage.errors import TriageError
from triage.pipeline import Analyzer, Options
from triage.render import RenderOptions, renderers

SOURCES = Path(__file__).resolve().parents[1] / "system" / "core_programs"
RECORDINGS = Path(__file__).resolve().parents[2] / "fixtures" / "recordings"
GPU_CORES = tuple(
    f"gpu_cores/{name}.nvcudmp"
    for name in ("scatter.rel", "cluster.rel", "recursion.dbg", "graph.rel", "triton")
)
MODES = (("map", "{canary}"), ("threads", "4"), ("say", "text"))
GPU_CUBIN = 0x8000_0007
GPU_MEMORY = frozenset({8, *(0x8000_0000 + n for n in (1, 2, 3, 4, 5, 6, 17, 18, 19, 20, 21, 23))})
ALONE, WITH_GDB = 5.0, 10.0
MAX_MEMORY = 1 << 30
WORDS = (0, 1, 2, 7, 0x7F, 0xFF, 0xFFFF, 0xFFFF_FFFF, 1 << 31, 1 << 32, 1 << 40, 1 << 62, 1 << 63)
RENDERED = ("json", "text", "markdown")


class HangError(Exception):
    """Reading took longer than its limit."""


@dataclass(frozen=True)
class Corpus:
    """What is changed: real core dumps, the program that left them, recorded GPU core dumps."""

    binary: Path
    cores: tuple[Path, ...]
    gpu: tuple[Path, ...]

    def sources(self, kind: str) -> tuple[Path, ...]:
        return {"core": self.cores, "binary": (self.binary,), "gpu": self.gpu}[kind]


@dataclass(frozen=True)
class Case:
    """One input to make and read."""

    kind: str
    number: int
    seed: int
    gdb: bool

    @property
    def name(self) -> str:
        return f"{self.kind}:{self.number}"


@dataclass
class Outcome:
    """What became of one case; `problem` is None where all is well."""

    case: Case
    seconds: float
    result: str
    problem: str | None = None
    codes: set[str] = field(default_factory=set)


def make_corpus(folder: Path) -> Corpus:
    """Build the program and let it crash; the file that it maps holds the canary."""
    binary = folder / "program"
    words = ["g++", "-O0", "-g", "-pthread", "-Wl,--build-id", "-o", binary]
    subprocess.run([*words, SOURCES / "hostile.cpp"], check=True)
    canary = folder / "canary"
    canary.write_text(f"{hostile.CANARY}\n" * 400)
    cores = []
    for name, *arguments in MODES:
        place = folder / name
        place.mkdir()
        given = [a.format(canary=canary) for a in arguments]
        subprocess.run([binary, name, *given], cwd=place, preexec_fn=allow_dumps, check=False)
        cores.append(next(place.glob("core*")))
    gpu = []
    for name in GPU_CORES:
        gpu.append(folder / Path(name).stem)
        gpu[-1].write_bytes(lzma.decompress((RECORDINGS / f"{name}.xz").read_bytes()))
    return Corpus(binary=binary, cores=tuple(cores), gpu=tuple(gpu))


def allow_dumps() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))


def mutate(data: bytes, rng: random.Random, places: list[tuple[int, int, int]]) -> bytes:
    """Change some places of a file: each is a range and the size of what stands in it."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8, 40))):
        begin, end, step = rng.choice(places)
        at = begin + rng.randrange(max((end - begin) // step, 1)) * step
        size = min(step if step > 1 else rng.choice((1, 1, 2, 4, 8)), max(len(changed) - at, 0))
        changed[at : at + size] = value(rng, size, bytes(changed[at : at + size]))
    if rng.random() < 0.1:
        del changed[rng.randrange(len(changed)) :]
    return bytes(changed)


def value(rng: random.Random, size: int, old: bytes) -> bytes:
    """Return other bytes: an extreme number, the old one moved a little, anything."""
    choice = rng.random()
    limit = 1 << 8 * size
    if choice < 0.5:
        return (rng.choice(WORDS) % limit).to_bytes(size, "little")
    if choice < 0.8:
        moved = int.from_bytes(old, "little") + rng.choice((-4096, -8, -1, 1, 4, 8, 4096))
        return (moved % limit).to_bytes(size, "little")
    return rng.randbytes(size)


def places_of(data: bytes, kind: str) -> list[tuple[int, int, int]]:
    """Return the ranges of a file that are worth a change, the tables more often than the rest."""
    if kind == "gpu":
        return gpu_places(data)
    table, count = hostile.segment_table(data)
    header = [(16, 24, 2), (24, 48, 8), (48, 64, 2), (0, 16, 1)]
    segments = [(table, table + 56 * count, 8), (table, table + 56 * count, 4)]
    rest = [(64, len(data), 1)]
    if kind == "core":
        notes = list(hostile.note_ranges(data))
        inside = [(a, b, step) for a, b in notes for step in (1, 4, 4, 8, 8)]
        return header + segments * 2 + inside * 2 + rest
    at, number = struct.unpack_from("<Q", data, 40)[0], struct.unpack_from("<H", data, 60)[0]
    sections = [(at, at + 64 * number, 8), (at, at + 64 * number, 4)]
    contents = []
    for n in range(number):
        _, form, _, _, offset, size, *_ = struct.unpack_from("<IIQQQQIIQQ", data, at + 64 * n)
        if form not in (0, 8) and size:
            contents.append((offset, offset + size, 1))
    return header + segments + sections * 8 + contents + rest


def gpu_places(data: bytes, base: int = 0) -> list[tuple[int, int, int]]:
    """Return the ranges of a GPU core dump, or of a cubin in one, that are worth a change."""
    at, number = struct.unpack_from("<Q", data, 40)[0], struct.unpack_from("<H", data, 60)[0]
    places = [(16, 24, 2), (40, 48, 8), (58, 64, 2)]
    for n in range(number):
        place = at + 64 * n
        _, form, _, _, offset, size, *_ = struct.unpack_from("<IIQQQQIIQQ", data, place)
        if form in GPU_MEMORY or not size:
            continue
        places += [(place, place + 64, 8), (place, place + 64, 4)]
        if form == GPU_CUBIN:
            places += gpu_places(data[offset : offset + size], offset)
        else:
            places += [(offset, offset + size, step) for step in (1, 4, 8)]
    return [(base + begin, base + end, step) for begin, end, step in places]


def read_case(core: Path, binary: Path | None) -> tuple[str, set[str]]:
    """Read a core dump, print the report in every form, and return verdict and warnings."""
    limits = GdbLimits(wall=WITH_GDB / 2, cpu=int(WITH_GDB / 2), output=4 << 20)
    analyzer = Analyzer(
        Options(core=CoreRequest(binaries=(binary,) if binary else (), limits=limits))
    )
    report = analyzer.analyze([str(core)])
    shown = renderers()
    for form in RENDERED:
        text = shown[form].render(report, RenderOptions(verbose=True))
        if hostile.CANARY[:10] in text:
            raise AssertionError(f"the canary is in the report as {form}")
    return str(report.verdict), {w.code for w in report.warnings}


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise HangError(f"not done in {seconds:g} s")

    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def run_case(case: Case, corpus: Corpus, kept: Path | None) -> Outcome:
    """Make and read one case; nothing that it does ends the run."""
    rng = random.Random(f"{case.seed}/{case.name}")
    source = rng.choice(corpus.sources(case.kind))
    data = source.read_bytes()
    data = mutate(data, rng, places_of(data, case.kind))
    hostile.adopt_orphans()
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / case.kind
        made.write_bytes(data)
        scratch = Path(folder) / "tmp"
        scratch.mkdir()
        os.environ["TMPDIR"] = str(scratch)
        outcome = _read_made(case, corpus, made)
        if outcome.problem is None:
            if not hostile.gone(set()):
                outcome.problem = "a process was left behind"
            elif list(scratch.iterdir()):
                outcome.problem = f"files were left behind: {list(scratch.iterdir())}"
            elif resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > MAX_MEMORY >> 10:
                outcome.problem = "it took more than a GiB of memory"
        if outcome.problem and kept:
            shutil.copy(made, kept / case.name.replace(":", "-"))
    return outcome


def _read_made(case: Case, corpus: Corpus, made: Path) -> Outcome:
    start = time.monotonic()
    result, problem, codes = "", None, set[str]()
    job: Callable[[], tuple[str, set[str]]]
    if case.kind == "gpu":
        job = partial(read_case, made, None)
    elif case.kind == "core":
        job = partial(read_case, made, corpus.binary if case.gdb else None)
    elif case.gdb:
        job = partial(read_case, corpus.cores[0], made)
    else:
        job = partial(examine, made)
    try:
        with limited(ALONE + (2 * WITH_GDB if case.gdb else 0)):
            result, codes = job()
    except TriageError as error:
        result = f"refused ({type(error).__name__})"
    except (Exception, HangError) as error:
        import traceback

        result = "failed"
        problem = "".join(traceback.format_exception(error)[-4:])
    return Outcome(case, time.monotonic() - start, result, problem, codes)


def examine(binary: Path) -> tuple[str, set[str]]:
    """Read a program as it is read before a debugger gets it."""
    with binary.open("rb") as stream:
        image = read_image(stream)
    return "read" if image.build_id else "read, no build id", set()


def cases(options: argparse.Namespace) -> list[Case]:
    """Return the cases; of `gdb` of them the program reads with the debugger, evenly spread."""
    if options.only:
        kind, _, number = options.only.partition(":")
        return [Case(kind, int(number), options.seed, gdb=kind != "gpu")]
    found = []
    counts = (("core", options.cores), ("binary", options.binaries), ("gpu", options.gpu_cores))
    for kind, count in counts:
        for n in range(count):
            gdb = kind != "gpu" and int((n + 1) * options.gdb) > int(n * options.gdb)
            found.append(Case(kind, n, options.seed, gdb=gdb))
    return found


def summarize(outcomes: list[Outcome], seconds: float) -> None:
    for kind in ("core", "binary", "gpu"):
        for gdb in (False, True):
            some = [o for o in outcomes if o.case.kind == kind and o.case.gdb is gdb]
            if not some:
                continue
            slowest = max(some, key=lambda o: o.seconds)
            print(f"{len(some)} x {kind}{' with gdb' if gdb else ''}: "
                  f"{dict(Counter(o.result for o in some))}, "
                  f"slowest {slowest.case.name} {slowest.seconds:.2f} s")  # fmt: skip
            codes = Counter(c for o in some for c in o.codes)
            print(f"    warnings: {dict(codes.most_common())}")
    failed = [o for o in outcomes if o.problem]
    for outcome in failed:
        print(f"FAILED {outcome.case.name}{' with gdb' if outcome.case.gdb else ''}")
        print("    " + (outcome.problem or "").rstrip().replace("\n", "\n    "))
    print(f"{len(outcomes)} cases, {len(failed)} failed, {seconds:.0f} s")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cores", type=int, default=2000, help="how many core dumps")
    parser.add_argument("--binaries", type=int, default=2000, help="how many programs")
    parser.add_argument("--gpu-cores", type=int, default=2000, help="how many GPU core dumps")
    parser.add_argument("--gdb", type=float, default=0.05, help="share that gdb reads, too")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", metavar="KIND:N", help="one case, with gdb")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="where to put what failed")
    options = parser.parse_args()
    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        corpus = make_corpus(Path(folder))
        job = partial(run_case, corpus=corpus, kept=options.keep)
        with multiprocessing.get_context("fork").Pool(options.jobs) as pool:
            outcomes = list(pool.imap_unordered(job, cases(options), chunksize=8))
    summarize(outcomes, time.monotonic() - start)
    return int(any(o.problem for o in outcomes))


if __name__ == "__main__":
    sys.exit(main())
