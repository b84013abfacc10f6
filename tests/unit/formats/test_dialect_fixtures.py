"""Every dialect has a text of its own, and what is read of it is written down in every detail."""

from collections.abc import Callable
from pathlib import Path

import pytest

from triage.formats import formats
from triage.model.crash import Crash
from triage.read import ReadOptions, read

FIXTURES = Path(__file__).resolve().parents[3] / "fixtures"
DIALECTS = FIXTURES / "dialects"
TEXTS = sorted(str(path.relative_to(DIALECTS)) for path in DIALECTS.rglob("*.txt"))
RECORDED = sorted(
    str(path.relative_to(FIXTURES))
    for name in ("glog", "ucx")
    for path in (FIXTURES / "recordings" / name).glob("*.stderr")
)


@pytest.mark.parametrize("name", [*(f"dialects/{name}" for name in TEXTS), *RECORDED])
def test_in_every_detail(name: str, listing: Callable[[Crash], str], golden):
    found = read([str(FIXTURES / name)], ReadOptions())
    assert name.split("/")[-2] in found.inputs[0].dialects
    golden(f"fixture-{'-'.join(name.split('/')[-2:])}", listing(found.crash))


@pytest.mark.parametrize("name", TEXTS)
def test_cut_at_any_line(name: str, tmp_path: Path):
    lines = (DIALECTS / name).read_bytes().splitlines(keepends=True)
    path = tmp_path / "cut.txt"
    whole = read([str(DIALECTS / name)], ReadOptions()).crash
    functions = {f.function for t in whole.threads for f in t.frames}
    for end in range(1, len(lines)):
        path.write_bytes(b"".join(lines[:end]))
        crash = read([str(path)], ReadOptions()).crash
        read_of_it = {f.function for t in crash.threads for f in t.frames} - functions
        text = path.read_text()
        assert all(function is None or function in text for function in read_of_it)


def test_every_dialect_has_a_text():
    named = {path.name for path in DIALECTS.iterdir()}
    named |= {path.name for path in (FIXTURES / "recordings").iterdir()}
    # What the engine and the GPU's tools print is recorded by scenario.
    named |= {"openclaw", "compute_sanitizer", "container", "gpu_api", "hotspot", "nvidia_smi"}
    assert {form.name for form in formats()} <= named
