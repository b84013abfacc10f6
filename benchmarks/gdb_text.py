"""Times the reading of gdb's text beside ClusterFuzz's StackParser on the same text.

The text is `thread apply all bt` of a big program: frames of recorded crashes and C++ names of
every kind, in one-line and in wrapped form. ClusterFuzz is run where a Python that has it is named
in CLUSTERFUZZ_PYTHON (`python -m venv X && X/bin/pip install clusterfuzz`, then X/bin/python).
"""

from __future__ import annotations

import os
import random
import re
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FRAMES = 40_000
RUNS = 3
DOCUMENTED = 0.95
"""MB a second of CPU time that ClusterFuzz's StackParser was measured at, where it is not here."""

BAR = 10.0
_NAMES = (
    "llm::engine::gguf_tensor_remap<long> (this=0x7ffd, shape=..., q=quant_t::Q5_K_M)",
    "std::vector<std::pair<int, float>, std::allocator<std::pair<int, float> > >::at (this=0x55)",
    "decode(llm::context*, llm::batch) (ctx=0x555, batch=...)",
    "std::_Function_handler<void (int), llm::pool::run()::{lambda(int)#1}>::_M_invoke(int&&) ()",
    "std::thread::_State_impl<std::thread::_Invoker<std::tuple<llm::worker> > >::_M_run() ()",
    'llm::(anonymous namespace)::cuda_backend::remap (this=0x1, name=0x55 "blk.0.attn (q)")',
    "operator() (__closure=0x7f)",
    "llm::graph::compute_forward(llm::params const*) [clone .cold] ()",
    "pthread_cond_wait@@GLIBC_2.3.2 ()",
    "main (argc=7, argv=0x7ffd)",
)
_REFERENCE = """
import sys, time
from clusterfuzz import stacktraces
text = open(sys.argv[1]).read()
begin = time.process_time()
stacktraces.StackParser().parse(text)
print(time.process_time() - begin)
"""


def recorded_frames() -> list[str]:
    """Return the frames of the recorded crashes, without their numbers."""
    folder = ROOT / "fixtures/recordings"
    files = sorted((*folder.rglob("gdb-*.txt"), *folder.rglob("*.cudagdb.txt")))
    texts = [file.read_text(errors="replace") for file in files]
    return [frame for text in texts for frame in re.findall(r"^#\d+ +(\S.*)$", text, re.MULTILINE)]


def make_text(frames: int = FRAMES, *, full: bool = False, wrapped: bool = False) -> str:
    """Return what gdb prints of a program with many threads; the same at every call."""
    chance = random.Random(1)  # noqa: S311 - nothing secret is drawn
    recorded = recorded_frames()
    lines: list[str] = []
    count, thread = 0, frames
    while count < frames:
        thread -= 1
        lines += ["", f'Thread {thread} (Thread 0x7f{thread:010x} (LWP {thread}) "claw_worker"):']
        for index in range(chance.randrange(5, 40)):
            if recorded and chance.random() < 0.4:
                frame = chance.choice(recorded)
            else:
                place = f"at /src/llm/llm_engine.cpp:{chance.randrange(1, 4000)}"
                frame = f"0x{chance.randrange(2**47):016x} in {chance.choice(_NAMES)} {place}"
            line = f"#{index:<3}{frame}"
            if wrapped and len(line) > 80:
                line = re.sub(r"\) (at|from) (\S+)$", r")\n    \1 \2", line)
            lines.append(line)
            count += 1
            if full:
                value = chance.randrange(10**9)
                lines += [f"        v{n} = {{x = {value}, y = 0x{value:x}}}" for n in range(3)]
    return "\n".join(lines) + "\n"


def seconds(text: str) -> float:
    """Return the CPU time from lines of text to threads and frames, at best."""
    from triage.formats import Region, formats
    from triage.text.line import Line

    read = next(form.read for form in formats() if form.name == "gdb")
    region = Region(tuple(Line(n, line) for n, line in enumerate(text.split("\n"), 1)))
    best = float("inf")
    for _ in range(RUNS):
        begin = time.process_time()
        read(region)
        best = min(best, time.process_time() - begin)
    return best


def reference_seconds(text: str) -> float | None:
    """Return ClusterFuzz's CPU time; None where it is not installed."""
    python = os.environ.get("CLUSTERFUZZ_PYTHON")
    if not python:
        return None
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(text)
        file.flush()
        command = [python, "-c", _REFERENCE, file.name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    return float(done.stdout) if done.returncode == 0 and done.stdout.strip() else None


def gdb_text(row: Callable[[str, str, str, bool | None], None]) -> None:
    """Print how fast gdb's text is read."""
    text = make_text()
    ours = len(text) / 1e6 / seconds(text)
    sample = text[: len(text) // 10]
    taken = reference_seconds(sample)
    theirs = len(sample) / 1e6 / taken if taken else DOCUMENTED
    ratio = ours / theirs
    name = "gdb text, MB/s beside ClusterFuzz's StackParser"
    figure = f"{ratio:.1f} ({ours:.1f}/{theirs:.2f} MB/s)"
    row(name if taken else f"{name} (documented)", figure, f">= {BAR:.0f}", ratio >= BAR)
    for what, other in (("wrapped", make_text(wrapped=True)), ("bt full", make_text(full=True))):
        row(f"the same, {what}", f"{len(other) / 1e6 / seconds(other):.1f} MB/s", "", None)


if __name__ == "__main__":
    gdb_text(lambda *cells: print(*cells, sep="  "))
