"""Joins what was read from every input into one crash: which thread failed, and where."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from itertools import islice
from typing import Any

from triage.frames.names import plain_name
from triage.frames.noise import mark_noise
from triage.frames.waits import group_threads
from triage.hoststack import late_error, late_stack, waits_for_gpu
from triage.incident.lineup import line_up
from triage.incident.model import quantization_in, without_other_models
from triage.knowledge import NoiseList, known_error, wait_list
from triage.model.crash import (
    BlamedFrame,
    Crash,
    Engine,
    Environment,
    ErrorRecord,
    Fragment,
    LogLine,
    ModelFile,
    ReportWarning,
    Signal,
)
from triage.model.stack import Frame, FrameKind, Thread, ThreadKind, Trust, with_crashed
from triage.overflow import overflow_signal
from triage.repeats import without_repeats
from triage.xids import with_roles

MAX_THREADS = 2_048
"""Stack traces that a report holds."""

_DIGITS = re.compile(r"\d+")
_WAITS = re.compile(
    r"(?:cuda|cu|hip)[A-Z]\w*Synchronize|(?:cuda|cu|hip)Memcpy|(?:cuda|hip)Launch|cuLaunch"
)
_LONGEST_FUNCTION = 1 << 18
_DRIVER_NOISE = ("cuda", "hip")
# What a thread has called that ends the process on purpose.
_ENDS = frozenset(
    (
        "__assert", "__assert_fail", "__assert_fail_base", "__assert_rtn", "__fortify_fail",
        "__GI_abort", "__libc_fatal", "__libc_message", "__stack_chk_fail", "abort", "ggml_abort",
        "rust_panic", "std::terminate",
    )
)  # fmt: skip


def join(
    fragments: Sequence[Fragment], lines: Iterable[LogLine], noise: Sequence[NoiseList]
) -> Crash:
    """Return the one crash that all fragments are parts of.

    Of two accounts of one fact, the one in the earlier fragment counts.
    """
    lined_up = line_up(fragments, lines)
    fragments, other_models = without_other_models(lined_up.fragments)
    fragments = without_repeats(fragments)
    found = [thread for f in fragments for thread in f.threads]
    threads = tuple(mark_noise(thread, noise) for thread in _bounded(found))
    crashed = crashed_thread(threads)
    threads = with_crashed(threads, crashed)
    signal, errors = _signal(fragments), _errors(fragments)
    derived = None if signal else overflow_signal(threads, crashed, errors, _ENDS)
    signal = derived[0] if derived else signal
    environment = _environment(fragments)
    snapshot = not signal and not errors and any(f.snapshot for f in fragments)
    late = late_error(errors, environment, lined_up.lines)
    return Crash(
        engine=_engine(fragments),
        signal=signal,
        errors=errors,
        threads=threads,
        crashed_thread=crashed,
        blamed_frame=blamed_frame(threads, crashed, late),
        modules=tuple(module for f in fragments for module in f.modules),
        environment=environment,
        lines=lined_up.lines,
        snapshot=snapshot,
        dumped=any(f.dumped for f in fragments),
        thread_groups=group_threads(threads, wait_list(), blame) if snapshot else (),
        warnings=(
            *(w for f in fragments for w in f.warnings),
            *lined_up.warnings,
            *other_models,
            *_left_out(len(found)),
            *(derived[1:] if derived else ()),
            *late_stack(errors, threads, late),
        ),
    )


def _bounded(threads: Sequence[Thread]) -> Sequence[Thread]:
    """Return the threads, or of very many those that crashed and the first ones, in order."""
    if len(threads) <= MAX_THREADS:
        return threads
    kept = [n for n, thread in enumerate(threads) if thread.crashed][:MAX_THREADS]
    others = (n for n, thread in enumerate(threads) if not thread.crashed)
    kept += islice(others, MAX_THREADS - len(kept))
    return [threads[n] for n in sorted(kept)]


def _left_out(count: int) -> tuple[ReportWarning, ...]:
    if count <= MAX_THREADS:
        return ()
    message = f"{count:,} stack traces were found; {MAX_THREADS:,} of them are in the report"
    return (ReportWarning(code="threads-cut", message=message),)


def crashed_thread(threads: Sequence[Thread]) -> int | None:
    """Return the thread that failed, which is not always the one that got the signal.

    A device exception comes first, and a process before the kernel that reports its end. Where the
    marked thread has no frame to blame, another speaks for it: a driver's helper thread aborts the
    process for the thread that waits in a call of that driver; a runtime that ends all threads, as
    Go's does, gets the last signal in any of them, and the failure is in the one that called abort.
    """
    marked = [n for n, t in enumerate(threads) if t.crashed and t.frames]
    gpu = [n for n in marked if threads[n].kind is ThreadKind.GPU]
    if gpu:
        return next((n for n in gpu if blame(threads[n]) is not None), gpu[0])
    if not marked:
        return None
    first = min(marked, key=lambda n: _standing(threads[n]))
    return first if blame(threads[first]) is not None else _spoken_for(threads, first)


def _spoken_for(threads: Sequence[Thread], marked: int) -> int:
    """Return the thread that failed where the marked one is plumbing from end to end."""
    frames = threads[marked].frames
    to_blame = [n for n, t in enumerate(threads) if blame(t) is not None]
    if any(frame.noise in _DRIVER_NOISE for frame in frames):
        return next((n for n in to_blame if _waits(threads[n])), marked)
    if _ends(threads[marked]):
        return marked
    return next((n for n in to_blame if _ends(threads[n])), marked)


def _ends(thread: Thread) -> bool:
    return any(f.function and plain_name(f.function) in _ENDS for f in thread.frames)


def _standing(thread: Thread) -> tuple[bool, bool]:
    """Return how little a thread tells of the failure: a kernel's, or one of addresses alone."""
    return (
        thread.frames[0].kind is FrameKind.KERNEL,
        all(frame.trust is Trust.ADDRESS_ONLY for frame in thread.frames),
    )


def _waits(thread: Thread) -> bool:
    return any(frame.function and _WAITS.search(frame.function) for frame in thread.frames)


def blame(thread: Thread) -> int | None:
    """Return the first frame that is nobody's plumbing; None where there is none.

    Frames above a signal handler belong to the handler and are passed over.
    """
    begin = 0
    for n, frame in enumerate(thread.frames):
        if frame.kind is FrameKind.SIGNAL_HANDLER:
            begin = n + 1
    stretched = _stretched(thread.frames)
    for n in range(begin, len(thread.frames)):
        frame = thread.frames[n]
        named = frame.function and (frame.module, frame.function) not in stretched
        if frame.noise is None and named and not _doubtful(frame):
            return n
    return None


def _stretched(frames: Sequence[Frame]) -> frozenset[tuple[str | None, str | None]]:
    """Return the names that stand for code too far apart to be one function.

    Where a library has no symbols but those that it exports, a frame gets the name of the nearest
    one in front of it.
    """
    places: dict[tuple[str | None, str | None], list[int]] = {}
    for frame in frames:
        if frame.module and frame.function and frame.line is None:
            address = _number(frame.address or frame.offset)
            if address is not None:
                places.setdefault((frame.module, frame.function), []).append(address)
    return frozenset(
        name for name, found in places.items() if max(found) - min(found) > _LONGEST_FUNCTION
    )


def _number(text: str | None) -> int | None:
    try:
        return int(text, 16) if text else None
    except ValueError:
        return None


def _doubtful(frame: Frame) -> bool:
    """Tell whether a frame has no name, or is one that the kernel marks as a guess."""
    guess = frame.kind is FrameKind.KERNEL and frame.trust is Trust.TEXT
    return guess or frame.trust is Trust.ADDRESS_ONLY


def blamed_frame(
    threads: Sequence[Thread], crashed: int | None, late: ErrorRecord | None = None
) -> BlamedFrame | None:
    """Return the frame of the crashed thread that a maintainer would look at first.

    After an error that is reported late, a host frame can only have noticed what failed.
    """
    if crashed is None:
        return None
    frame = blame(threads[crashed])
    if frame is None:
        return None
    if threads[crashed].kind is ThreadKind.GPU:
        why = "the device function that the exception was raised in"
    elif late or waits_for_gpu(threads[crashed], frame):
        reason = f"{late.name or late.api} is reported late" if late else "it waits for the GPU"
        why = f"it noticed, and need not have failed: {reason}"
        return BlamedFrame(thread=crashed, frame=frame, why=why, provisional=True)
    elif frame == 0:
        why = "the innermost frame, and no plumbing"
    else:
        why = "first frame that is not abort, allocator, driver or thread plumbing"
    return BlamedFrame(thread=crashed, frame=frame, why=why)


def _signal(fragments: Sequence[Fragment]) -> Signal | None:
    ranked = sorted((f for f in fragments if f.signal), key=lambda f: f.signal_rank)
    return ranked[0].signal if ranked else None


def _engine(fragments: Sequence[Fragment]) -> Engine | None:
    engines = [f.engine for f in fragments if f.engine]
    if not engines:
        return None
    version = next((e.version for e in engines if e.version), None)
    return replace(engines[0], version=version)


def _errors(fragments: Sequence[Fragment]) -> tuple[ErrorRecord, ...]:
    """Return the errors in the order of the texts, each once, with what is known of its code."""
    texts: dict[tuple[int, str | None] | None, int] = {}
    for fragment in fragments:
        for error in fragment.errors:
            texts.setdefault(_text_of(error), len(texts))

    def place(error: ErrorRecord) -> tuple[int, int]:
        return texts[_text_of(error)], (error.at.line or 0) if error.at else 0

    found = sorted((error for f in fragments for error in f.errors), key=place)
    merged: dict[tuple[Any, ...], ErrorRecord] = {}
    for plain in found:
        error = _completed(plain)
        shape = _DIGITS.sub("0", error.message or "") if error.code is None else ""
        key = (error.api, error.code, error.name, shape, error.file, error.line)
        if key in merged:
            merged[key] = replace(merged[key], count=merged[key].count + error.count)
        else:
            merged[key] = error
    return with_roles(tuple(merged.values()))


def _text_of(error: ErrorRecord) -> tuple[int, str | None] | None:
    return (error.at.input, error.at.member) if error.at else None


def _completed(error: ErrorRecord) -> ErrorRecord:
    known = known_error(error.api, error.name, error.code)
    if known is None:
        return error
    return replace(
        error,
        code=error.code if error.code is not None else known.code,
        name=error.name or known.name,
        meaning=None if known.text.casefold() in (error.message or "").casefold() else known.text,
        timing=error.timing or known.timing,
        sticky=error.sticky if error.sticky is not None else known.sticky,
    )


def _environment(fragments: Sequence[Fragment]) -> Environment:
    merged = Environment()
    for fragment in fragments:
        merged = _merge(merged, fragment.environment)
    model = merged.model
    path = (
        (model.path if model else None) or merged.options.get("model") or merged.options.get("-m")
    )
    if path:
        model = _named_model(model or ModelFile(), path)
        where = dict(merged.where)
        if "option.model" in where:
            where.setdefault("model.path", where["option.model"])
        if "model.path" in where and model.quantization:
            where.setdefault("model.quantization", where["model.path"])
        merged = replace(merged, where=where)
    return replace(merged, model=model)


def _named_model(model: ModelFile, path: str) -> ModelFile:
    """Fill in the quantization from the file's name, where nothing states it."""
    quantization = model.quantization or quantization_in(path)
    return replace(model, path=model.path or path, quantization=quantization)


def _merge(a: Any, b: Any) -> Any:
    """Join two values of one model type: what the first does not know, the second may."""
    changes: dict[str, Any] = {}
    for field in fields(a):
        mine, other = getattr(a, field.name), getattr(b, field.name)
        if isinstance(mine, Mapping):
            changes[field.name] = {**other, **mine}
        elif isinstance(mine, ModelFile) and isinstance(other, ModelFile):
            changes[field.name] = _merge(mine, other)
        elif mine is None or mine == ():
            changes[field.name] = other
    return replace(a, **changes)


def frames_from(thread: Thread, start: int) -> tuple[Frame, ...]:
    """Return the frames from one on that can be blamed."""
    return tuple(f for f in thread.frames[start:] if f.noise is None and f.function)
