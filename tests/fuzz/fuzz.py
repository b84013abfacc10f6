"""Feeds mutated bytes to one format, guided by coverage: `fuzz.py FORMAT [libFuzzer options]`.

Anything that is raised, a position outside the input, or more than 2 s a MiB is a finding;
libFuzzer leaves the input that made it in the folder `fuzz/FORMAT`, and takes it as an argument
to try again.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["triage"]):
    from triage.formats import Region, formats
    from triage.model.crash import Fragment
    from triage.text.decode import MAX_LINE, clean, to_text
    from triage.text.locate import runs
    from triage.text.prefix import to_line

ROOT = Path(__file__).resolve().parents[2]
SLOWEST = 2.0 / (1 << 20)
"""Seconds a byte."""

START = 1.0
"""Seconds that any input may take: instrumented code is slow, and the machine may be busy."""


def fuzz_format(name: str) -> None:
    """Fuzz until an option of libFuzzer ends it."""
    form = next(f for f in formats() if f.name == name)
    folder = ROOT / "fuzz" / name
    (folder / "corpus").mkdir(parents=True, exist_ok=True)
    words = folder / "words.txt"
    words.write_text("".join(f'"{_escaped(anchor)}"\n' for anchor in form.anchors))
    seeds = _seeds(folder / "seeds", form.anchors)

    def one(data: bytes) -> None:
        texts = clean(to_text(data, "utf-8")).split("\n")
        lines = [to_line(n, text[:MAX_LINE]) for n, text in enumerate(texts, 1)]
        begin = time.process_time()
        for first, last in runs(
            lines, form.opens, before=form.before, after=form.after, reach=form.reach
        ):
            _check(form.read(Region(tuple(lines[first:last]))), len(lines))
        taken = time.process_time() - begin
        if taken > START + 5 * SLOWEST * len(data):
            raise TimeoutError(f"{taken:.2f} s for {len(data)} bytes")

    options = [f"-dict={words}", f"-artifact_prefix={folder}/", "-max_len=20000", "-timeout=30"]
    atheris.Setup([sys.argv[0], *options, *sys.argv[2:], str(folder / "corpus"), str(seeds)], one)
    atheris.Fuzz()


def _check(fragment: Fragment, lines: int) -> None:
    things = [fragment.signal, *fragment.errors, *fragment.threads, *fragment.warnings]
    things += [frame for thread in fragment.threads for frame in thread.frames]
    places = [thing.at for thing in things if thing and thing.at]
    places += fragment.environment.where.values()
    if not all(1 <= (at.line or 0) <= lines for at in places):
        raise IndexError("a position outside the input")
    if not all(1 <= number <= lines for number in fragment.claimed):
        raise IndexError("a claimed line outside the input")


def _escaped(text: str) -> str:
    """Return a text as libFuzzer's dictionaries want it, byte by byte."""
    return "".join(
        chr(byte) if 0x20 <= byte < 0x7F and chr(byte) not in '"\\' else f"\\x{byte:02x}"
        for byte in text.encode()
    )


def _seeds(folder: Path, anchors: tuple[str, ...]) -> Path:
    """Copy what was recorded of a format, as far as it is small."""
    folder.mkdir(exist_ok=True)
    for path in sorted((ROOT / "fixtures").rglob("*")):
        if path.suffix in (".txt", ".log", ".stderr", ".out") and path.stat().st_size < 100_000:
            text = path.read_text(errors="replace")
            if any(anchor in text for anchor in anchors):
                (folder / "-".join(path.parts[-2:])).write_text(text[:20_000])
    return folder


if __name__ == "__main__":
    names = [f.name for f in formats()]
    if len(sys.argv) < 2 or sys.argv[1] not in names:
        sys.exit(f"usage: fuzz.py FORMAT [libFuzzer options]; formats: {' '.join(names)}")
    fuzz_format(sys.argv[1])
