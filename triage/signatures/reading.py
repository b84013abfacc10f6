"""How a crash was read, in words: shows an author whether a pattern or the reading is wrong."""

from __future__ import annotations

from collections.abc import Iterator

from triage.model.crash import Crash, Environment

MAX_SHOWN = 8


def reading(crash: Crash) -> Iterator[str]:
    """Yield what was read of a crash, a line for each fact."""
    if not crash.is_crash:
        yield "no crash was found in it"
    if crash.engine:
        yield f"engine: {crash.engine.name} {crash.engine.version or '(version not known)'}"
    if crash.signal:
        yield f"signal: {crash.signal.name} {crash.signal.code or ''}".rstrip()
    for error in crash.errors:
        parts = (error.api, error.code, error.name, error.message, error.file)
        yield "error: " + " ".join(str(part) for part in parts if part is not None)
    yield from _threads(crash)
    yield from _environment(crash.environment)
    for line in crash.lines[:MAX_SHOWN]:
        yield f"log line kept: {line.text}"


def _threads(crash: Crash) -> Iterator[str]:
    if crash.crashed_thread is not None:
        for frame in crash.threads[crash.crashed_thread].frames[:MAX_SHOWN]:
            noise = f"   (noise: {frame.noise})" if frame.noise else ""
            yield f"frame: #{frame.index} {frame.function or frame.address or '?'}{noise}"
    others = len(crash.threads) - (crash.crashed_thread is not None)
    if others:
        yield f"and {others} threads that did not crash"


def _environment(env: Environment) -> Iterator[str]:
    for name, setting in env.variables.items():
        yield f"variable: {name} is not set" if setting is None else f"variable: {name}={setting}"
    for name, value in env.options.items():
        yield f"option: {name} {value}"
    if env.model:
        yield f"model: {env.model.path or '?'} {env.model.quantization or ''}".rstrip()
