"""Times what many signatures and fingerprints cost: 10,000 and 1,000,000 beside the shipped ones.

Prints medians of two stores that are asked in turn, and their difference, which is what the
signatures and fingerprints add to one crash. Nothing here passes or fails a build.
"""

from __future__ import annotations

import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from triage.diagnose import diagnose
from triage.pipeline import Analyzer, Options
from triage.store.packs import example_text, load_packs

ROOT = Path(__file__).resolve().parent.parent
LOG = ROOT / "fixtures/recordings/cpu/quant-q5_k_m-cuda/engine.log"
SIGNATURES = 10_000
FINGERPRINTS = 1_000_000
RUNS = 41
_NOUNS = ("tensor", "kernel", "stream", "cache", "batch", "layer", "buffer", "graph", "token")
_VERBS = ("failed", "is missing", "was lost", "is too large", "cannot be mapped", "is not aligned")
# As in the shipped packs: some ask for an error, some for a frame, some for a part of a line.
_CONDITIONS = (
    'error.name = "ERR_{noun}_{n}"',
    'frame.function = ["{noun}_step_{n}*", "run_{noun}_{n}"]',
    'log.line = "*{noun} {n} {verb}*"',
    'error.message = "*{noun}{n}*{verb}*"',
    'error.api = "cuda"\nerror.code = {n}',
)


def main() -> int:
    """Build both stores, time them, and print the table."""
    with tempfile.TemporaryDirectory() as folder:
        big = Path(folder, "big.db")
        pack = write_pack(Path(folder, "synthetic"))
        few = Analyzer(Options(db=Path(folder, "few.db")))
        begin = time.perf_counter()
        many = Analyzer(Options(db=big, packs=(pack,)))
        print(f"compiling {SIGNATURES} signatures once: {time.perf_counter() - begin:.1f} s")
        many.store.close()
        add_fingerprints(big)
        many = Analyzer(Options(db=big, packs=(pack,)))
        analyzers = {"shipped": few, "shipped + synthetic": many}
        report("analysis of a small log", {n: reading(a) for n, a in analyzers.items()})
        report("matching alone", {n: matching(a) for n, a in analyzers.items()})
        report_examples(few)
        report(
            "opening the store",
            {"shipped": opening(None, ()), "+ synthetic": opening(big, (pack,))},
        )
    return 0


def write_pack(folder: Path) -> Path:
    """Write a pack of synthetic signatures."""
    folder.mkdir()
    Path(folder, "pack.toml").write_text("schema = 1\n")
    for n in range(SIGNATURES):
        noun, verb = _NOUNS[n % len(_NOUNS)], _VERBS[n % len(_VERBS)]
        when = _CONDITIONS[n % len(_CONDITIONS)].format(n=n + 1000, noun=noun, verb=verb)
        Path(folder, f"s{n}.toml").write_text(
            f'schema = 1\nid = "synthetic/s{n}"\ntitle = "The {noun} {verb} ({n})"\n'
            f'family = "other"\nlevel = "likely"\nbase = 0.7\ncause = "c"\n\n'
            f'[[when]]\n{when}\n\n[remedy]\nsummary = "r"\n'
        )
    return folder


def add_fingerprints(path: Path) -> None:
    """Put a table of fingerprints beside the signatures, as a history has."""
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE seen (fingerprint TEXT PRIMARY KEY, count INTEGER)")
        connection.executemany("INSERT INTO seen VALUES (?, 1)", fingerprints())


def fingerprints() -> Iterator[tuple[str]]:
    """Yield distinct fingerprints."""
    return ((f"{n * 0x9E3779B97F4A7C15 % (1 << 64):016x}",) for n in range(FINGERPRINTS))


def reading(analyzer: Analyzer) -> Callable[[], object]:
    """Return an analysis of a log from reading to report, the process being warm."""
    return lambda: analyzer.analyze([str(LOG)])


def matching(analyzer: Analyzer) -> Callable[[], object]:
    """Return the diagnosis of a crash that is read."""
    crash = analyzer.read([str(LOG)]).crash
    return lambda: diagnose(analyzer.completed(crash), analyzer.store)


def report_examples(analyzer: Analyzer) -> None:
    """Print what matching takes of the processor, over every crash in the shipped packs."""
    pack = load_packs(())
    times = []
    for signature in pack.signatures:
        for example in signature.examples:
            text = example_text(example, pack.where[f"signature {signature.id}"])
            crash = analyzer.read_text(text)
            diagnose(crash, analyzer.store)
            begin = time.process_time()
            diagnose(crash, analyzer.store)
            times.append(1000 * (time.process_time() - begin))
    times.sort()
    middle, most = times[len(times) // 2], times[len(times) * 99 // 100]
    what = f"{len(pack.signatures)} signatures, {len(times)} crashes"
    print(f"matching one crash         {what}: median {middle:.2f} ms, 99 % below {most:.2f} ms")


def opening(db: Path | None, packs: tuple[Path, ...]) -> Callable[[], object]:
    """Return the opening of a store whose signatures are compiled."""

    def run() -> None:
        Analyzer(Options(db=db, packs=packs)).store.close()

    return run


def report(what: str, runs: dict[str, Callable[[], object]]) -> None:
    """Print the medians of runs that are made in turn."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()
    for _ in range(RUNS):
        for name, run in runs.items():
            begin = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - begin)
    medians = {name: 1000 * statistics.median(values) for name, values in times.items()}
    first, *rest = medians
    print(f"{what:<26} {first}: {medians[first]:8.2f} ms")
    for name in rest:
        print(f"{'':<26} {name}: {medians[name]:8.2f} ms, {medians[name] - medians[first]:+.2f} ms")


if __name__ == "__main__":
    sys.exit(main())
