"""Reads a GPU core dump into what every format gives: errors, threads, the environment."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import BinaryIO

from triage.errors import InputError
from triage.gpucore.exceptions import exception_name
from triage.gpucore.sections import MAX_KEPT, Kind, Sections, Strings, read_header, read_sections
from triage.gpucore.stacks import MAX_THREADS, StackMaker
from triage.gpucore.state import LostException, Shared, State, read_state
from triage.gpucore.symbols import Symbols
from triage.gpucore.tables import Device
from triage.model.crash import (
    Environment,
    ErrorRecord,
    Fragment,
    Gpu,
    ReportWarning,
    Role,
    Signal,
)
from triage.model.position import Position
from triage.model.stack import Thread, with_crashed

DIALECT = "gpu-core"
_LARGEST = 1 << 50
"""Bytes that no core dump has: the memory of all GPUs of a machine is far less."""

_SMALL = (
    "CUDA_COREDUMP_GENERATION_FLAGS=skip_global_memory,skip_shared_memory,skip_local_memory,"
    "skip_constbank_memory"
)


def read_gpu_core(stream: BinaryIO, size: int, input_id: int) -> Fragment:
    """Read a GPU core dump of `size` bytes.

    What is missing or wrong in it becomes a warning. Raises InputError where the stream is no GPU
    core dump at all.
    """
    header = read_header(stream)
    if header is None:
        raise InputError(
            "this is not a GPU core dump that can be read",
            hint="give the file that CUDA_COREDUMP_FILE names",
        )
    sections = read_sections(stream, header)
    state = read_state(stream, sections)
    at = Position(input=input_id)
    table_end = header.sections_at + sections.stated * header.section_size
    missing = max(sections.end, table_end) - size
    strings = Strings(stream, sections.strings)
    found = _Found(state, Symbols(stream, state.cubins), strings, at)
    warnings = [*_damage(sections, missing, size), *_doubts(state, found)]
    return Fragment(
        dialect=DIALECT,
        threads=found.threads,
        errors=found.errors,
        signal=found.signal,
        signal_rank=1,
        snapshot=found.snapshot,
        environment=_environment(state, strings, at),
        warnings=tuple(replace(w, at=at) for w in warnings),
        truncated=missing > 0,
    )


class _Found:
    """The stacks in order, the one that failed first, and the errors that they stand for."""

    def __init__(self, state: State, symbols: Symbols, strings: Strings, at: Position) -> None:
        stacks = sorted(state.stacks.values(), key=_standing)
        maker = StackMaker(state, symbols, at)
        threads = [maker.thread(shared) for shared in stacks[:MAX_THREADS]]
        self.left_out = len(stacks) - len(threads)
        errors: list[tuple[int, Thread]] = [
            (shared.where.exception, thread)
            for shared, thread in zip(stacks, threads, strict=False)
            if shared.where.exception
        ]
        lost = [
            (exception.exception, maker.lost(exception, count))
            for exception, count in _lost(state, stacks)
        ]
        errors += lost
        if lost and not any(shared.where.exception for shared in stacks):
            threads = [thread for _, thread in lost] + threads
        else:
            threads += [thread for _, thread in lost]
        failed = bool(errors) or any(shared.where.broken for shared in stacks)
        self.threads = with_crashed(threads, 0 if failed and threads else None)
        found: dict[tuple[object, ...], ErrorRecord] = {}
        for code, thread in errors:
            error = replace(_error(code, thread, _detail(state, strings, thread)), at=at)
            found.setdefault((code, error.file, error.line), error)
        self.errors = tuple(found.values())
        # A trap is no exception: the debugger calls it by the signal of a breakpoint.
        trapped = failed and not errors
        self.signal = Signal(name="SIGTRAP", number=5, at=at) if trapped else None
        self.snapshot = bool(threads) and not failed


def _standing(shared: Shared) -> tuple[int, tuple[object, ...]]:
    """Return the place of a stack in the list: exceptions, then traps, then the coordinates."""
    rank = 0 if shared.where.exception else 1 if shared.where.broken else 2
    return rank, tuple(shared.first)


def _lost(state: State, stacks: list[Shared]) -> list[tuple[LostException, int]]:
    """Return the exceptions that no lane has any more, each with the number of its SMs."""
    live = {(s.where.device, s.where.exception, s.where.error_pc) for s in stacks}
    counts: Counter[tuple[int, int, int]] = Counter()
    first: dict[tuple[int, int, int], LostException] = {}
    for lost in state.lost:
        key = (lost.device, lost.exception, lost.error_pc)
        if key not in live:
            counts[key] += 1
            first.setdefault(key, lost)
    return [(first[key], count) for key, count in counts.items()][:MAX_THREADS]


def _detail(state: State, strings: Strings, thread: Thread) -> str:
    """Return what the driver adds to the exception of a multiprocessor; empty for nothing."""
    lanes = thread.lanes
    sm = state.failed.get((lanes.device or 0, lanes.sm or 0)) if lanes else None
    if sm is None:
        return ""
    parts = [strings.at(sm.text) or ""]
    if sm.target_valid:
        parts.append(f"asked of block ({sm.target_x},{sm.target_y},{sm.target_z})")
    return "; ".join(part for part in parts if part)


def _error(code: int, thread: Thread, detail: str) -> ErrorRecord:
    frame = thread.frames[0] if thread.frames else None
    return ErrorRecord(
        api="cuda-exception",
        code=code,
        name=f"CUDA_EXCEPTION_{code}",
        message=": ".join(part for part in (exception_name(code), detail) if part),
        file=frame.file if frame else None,
        line=frame.line if frame else None,
        role=Role.CAUSE,
    )


def _environment(state: State, strings: Strings, at: Position) -> Environment:
    gpus = tuple(_gpu(device, strings) for device in state.devices)
    meta = state.metadata
    driver = cuda = None
    if meta is not None and meta.driver_major:
        driver = f"{meta.driver_major}.{meta.driver_minor}"
    if meta is not None and meta.cuda_major:
        cuda = f"{meta.cuda_major}.{meta.cuda_minor}"
    known = {"gpus": gpus, "driver": driver, "driver_cuda": cuda}
    return Environment(
        gpus=gpus,
        driver=driver,
        driver_cuda=cuda,
        where={name: at for name, value in known.items() if value},
    )


def _gpu(device: Device, strings: Strings) -> Gpu:
    known = 0 < device.major < 1000 and device.minor < 1000
    return Gpu(
        name=strings.at(device.name),
        compute_capability=f"{device.major}.{device.minor}" if known else None,
        pci=f"{device.pci_bus:02x}:{device.pci_device:02x}.0",
    )


def _damage(sections: Sections, missing: int, size: int) -> list[ReportWarning]:
    warnings = []
    if missing > _LARGEST:
        message = (
            "the header of the GPU core dump or its table of contents is damaged: they tell of "
            "more bytes than any file has, so what was found may be wrong; copy the file again"
        )
        warnings.append(ReportWarning(code="gpu-core-damaged", message=message))
    elif missing > 0:
        what = (
            "so nothing else of it can be found" if not sections.found else "so parts are missing"
        )
        message = (
            f"the GPU core dump is truncated: {missing} bytes are missing after {size}, and its "
            f"table of contents stands at the end, {what}; check the disk space, give the driver "
            f"time to write it, and make it small: {_SMALL}"
        )
        warnings.append(ReportWarning(code="core-truncated", message=message))
    elif not sections.of(Kind.DEVICES):
        message = "the GPU core dump has no table of devices, so nothing else in it can be found"
        warnings.append(ReportWarning(code="gpu-core-damaged", message=message))
    if sections.cut:
        message = f"the GPU core dump has too many sections; {MAX_KEPT:,} tables of it were read"
        warnings.append(ReportWarning(code="gpu-core-cut", message=message))
    return warnings


def _doubts(state: State, found: _Found) -> list[ReportWarning]:
    warnings = []
    if state.odd:
        kinds = ", ".join(sorted(kind.name.lower().replace("_", " ") for kind in state.odd))
        message = (
            f"these tables of the GPU core dump have rows of an unknown size and were not read: "
            f"{kinds}"
        )
        warnings.append(ReportWarning(code="gpu-core-layout", message=message))
    if state.cut or found.left_out:
        message = "the GPU core dump holds more stacks than were read; the counts are lower bounds"
        warnings.append(ReportWarning(code="gpu-core-cut", message=message))
    crashed = next((t for t in found.threads if t.crashed), None)
    if crashed is not None and crashed.frames:
        warnings += _unnamed(crashed)
    return warnings


def _unnamed(thread: Thread) -> list[ReportWarning]:
    frame = thread.frames[0]
    if frame.function is None:
        message = "no cubin in the GPU core dump holds the address of the fault: no function name"
        return [ReportWarning(code="gpu-code-missing", message=message)]
    if frame.line is None:
        message = (
            f"the code of {frame.function} has no line table; build it with `nvcc -lineinfo` "
            "(Triton: leave TRITON_DISABLE_LINE_INFO unset) and the next core dump names the line"
        )
        return [ReportWarning(code="gpu-lines-missing", message=message)]
    return []
