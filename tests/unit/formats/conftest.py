"""Recordings, and what was read from them in a form for people."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from triage.model.crash import Crash, ErrorRecord
from triage.model.stack import Frame
from triage.read import ReadOptions, read_text

RECORDINGS = Path(__file__).resolve().parents[3] / "fixtures" / "recordings"


@cache
def _text(name: str) -> str:
    return (RECORDINGS / name).read_text()


@cache
def _crash(name: str) -> Crash:
    return read_text(_text(name), ReadOptions()).crash


@pytest.fixture(scope="session")
def text_of() -> Callable[[str], str]:
    return _text


@pytest.fixture(scope="session")
def crash_of() -> Callable[[str], Crash]:
    return _crash


@pytest.fixture(scope="session")
def listing() -> Callable[[Crash], str]:
    return lambda crash: "\n".join(_lines(crash)) + "\n"


def _lines(crash: Crash) -> Iterator[str]:
    if crash.engine:
        yield f"engine {crash.engine.name} {crash.engine.version}"
    if crash.signal:
        yield f"signal {crash.signal.name} {crash.signal.number}{_at(crash.signal)}"
    for error in crash.errors:
        yield _error(error)
    environment = crash.environment
    for field in (
        "driver",
        "driver_cuda",
        "cuda_runtime",
        "cuda_toolkit",
        "command_line",
        "container",
    ):
        if getattr(environment, field):
            yield f"{field} {getattr(environment, field)}"
    yield from (f"gpu {gpu}" for gpu in environment.gpus)
    if environment.model:
        yield f"{environment.model}"
    for table in (environment.options, environment.variables):
        yield from (f"{name} = {value}" for name, value in sorted(table.items()))
    yield from (
        f"{what} is said in line {at.line}" for what, at in sorted(environment.where.items())
    )
    for n, thread in enumerate(crash.threads):
        words = [f"thread {thread.id}", thread.kind, f"tid {thread.tid}", repr(thread.name)]
        yield " ".join(words) + _at(thread) + " CRASHED" * (n == crash.crashed_thread)
        yield from (f"  {_frame(frame)}" for frame in thread.frames)


def _error(error: ErrorRecord) -> str:
    place = f" {error.file}:{error.line}" if error.file else ""
    return (
        f"error {error.api} {error.code} {error.name}: {error.message}{place}"
        f" {error.role} x{error.count}{_at(error)}"
    )


def _frame(frame: Frame) -> str:
    parts = [f"#{frame.index}", frame.function or "??"]
    if frame.launch:
        parts.append(frame.launch)
    if frame.args:
        parts.append(f"({frame.args})" if len(frame.args) < 60 else f"({frame.args[:60]}…)")
    if frame.file:
        parts.append(f"at {frame.file}:{frame.line}")
    if frame.module:
        parts.append(f"from {frame.module}")
    flags = [frame.trust.value, *(["inlined"] if frame.inlined else [])]
    return f"{' '.join(parts)} [{' '.join(flags)}]{_at(frame)}"


def _at(thing: object) -> str:
    at = getattr(thing, "at", None)
    return f" @{at.line}" if at else ""
