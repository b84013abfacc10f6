"""Recorded GPU core dumps, unpacked, and what cuda-gdb said of them."""

from __future__ import annotations

import lzma
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path

import pytest

from triage.crash import join
from triage.gpucore.fragment import read_gpu_core
from triage.knowledge import noise_lists
from triage.model.crash import Crash, Fragment

RECORDINGS = Path(__file__).resolve().parents[3] / "fixtures" / "recordings"
FOLDERS = [RECORDINGS / "gpu", RECORDINGS / "gpu_cores"]
if "CLAWTRIAGE_GPU_CORES" in os.environ:
    FOLDERS += [Path(name) for name in os.environ["CLAWTRIAGE_GPU_CORES"].split(os.pathsep)]


@dataclass(frozen=True)
class Recording:
    """A GPU core dump and cuda-gdb's reading of it."""

    path: Path

    @property
    def name(self) -> str:
        return f"{self.path.parent.name}/{self.path.name.partition('.nvcudmp')[0]}"

    @property
    def data(self) -> bytes:
        return _data(self.path)

    @property
    def text(self) -> str:
        name = self.path.name.partition(".nvcudmp")[0]
        return (self.path.parent / f"{name}.gpucore.txt").read_text(errors="replace")


@cache
def _data(path: Path) -> bytes:
    raw = path.read_bytes()
    return lzma.decompress(raw) if path.suffix == ".xz" else raw


def _recordings() -> list[Recording]:
    found = [Recording(path) for folder in FOLDERS for path in sorted(folder.glob("*.nvcudmp*"))]
    return [r for r in found if r.path.with_name(f"{r.name.split('/')[1]}.gpucore.txt").exists()]


ALL = _recordings()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "recording" in metafunc.fixturenames:
        metafunc.parametrize("recording", ALL, ids=lambda r: r.name)


@pytest.fixture(scope="session")
def core() -> Callable[[str], bytes]:
    """Return a function that gives the bytes of a recorded core dump."""
    return lambda name: _data(RECORDINGS / f"{name}.nvcudmp.xz")


def fragment(data: bytes) -> Fragment:
    return read_gpu_core(BytesIO(data), len(data), 0)


@pytest.fixture(scope="session")
def fragment_of() -> Callable[[bytes], Fragment]:
    return fragment


@pytest.fixture(scope="session")
def crash_of() -> Callable[[bytes], Crash]:
    return lambda data: join([fragment(data)], (), noise_lists())
