"""Reads a core dump's own account of a crash: signal, threads, files, arguments, environment."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from triage.elf.facts import CoreFacts, CoreThread, FileMapping, Startup, find_mapping
from triage.elf.layout import (
    MAX_SEGMENTS,
    FileType,
    Header,
    Segment,
    SegmentType,
    parse_header,
    read_at,
    read_segments,
    segment_count,
)
from triage.elf.linkmap import read_link_map
from triage.elf.machine import Machine, machine_of
from triage.elf.memory import Memory
from triage.elf.modules import read_modules
from triage.elf.notes import Note, NoteType, iterate_notes
from triage.elf.process import (
    AT_ENTRY,
    AT_EXECFN,
    AT_PHDR,
    AT_RANDOM,
    read_auxiliary,
    read_mappings,
    read_names,
    read_signal,
    read_thread,
)
from triage.elf.signals import STOPPING
from triage.elf.startup import MAX_VALUE, read_startup
from triage.elf.unsuitable import refuse
from triage.model.crash import ReportWarning

MAX_NOTES: Final = 64 << 20
_MAX_THREADS: Final = 65_536
_OWNERS: Final = frozenset({b"CORE", b"LINUX"})


@dataclass(slots=True)
class _Notes:
    """The notes of a core dump by what they are for; the first of a kind counts."""

    threads: list[bytes] = field(default_factory=list)
    others: dict[int, bytes] = field(default_factory=dict)

    def add(self, note: Note) -> None:
        if note.owner not in _OWNERS:
            return
        if note.kind == NoteType.PRSTATUS:
            if len(self.threads) < _MAX_THREADS:
                self.threads.append(note.data)
        else:
            self.others.setdefault(note.kind, note.data)


def read_core(stream: BinaryIO, size: int) -> CoreFacts:
    """Read a core dump of `size` bytes.

    What is missing or wrong in it becomes a warning. Raises InputError where the stream is no
    core dump at all.
    """
    header = parse_header(read_at(stream, 0, 64))
    if header is None or header.file_type != FileType.CORE:
        refuse(read_at(stream, 0, 4096), size)
    count = segment_count(stream, header)
    segments = read_segments(stream, header, count)
    facts = _frame(header, segments, size)
    notes_size = sum(s.file_size for s in segments if s.kind == SegmentType.NOTE)
    oversized = count > MAX_SEGMENTS or notes_size > MAX_NOTES
    facts = dataclasses.replace(facts, oversized=oversized)
    warnings = _count_warnings(count, len(segments))
    if not facts.supported:
        warnings.append(_unsupported(facts))
        return dataclasses.replace(facts, warnings=(*facts.warnings, *warnings))
    notes = _read_notes(stream, header, segments, warnings)
    machine = machine_of(header.machine, bits=header.bits)
    facts = _describe(facts, machine, notes, Memory(stream, segments))
    if not facts.threads:
        warnings.append(_warn("core-without-threads", "the core dump names no threads"))
    if facts.snapshot:
        message = "no thread crashed: this is a snapshot of a process that lived on (gcore)"
        warnings.append(_warn("live-snapshot", message))
    return dataclasses.replace(facts, warnings=(*facts.warnings, *warnings))


def _frame(header: Header, segments: list[Segment], size: int) -> CoreFacts:
    machine = machine_of(header.machine, bits=header.bits)
    wanted = max((s.offset + s.file_size for s in segments), default=0)
    table_end = header.segments_at + header.segment_size * header.segment_count
    missing = max(wanted - size, 0 if segments else table_end - size, 0)
    return CoreFacts(
        arch=machine.name,
        bits=header.bits,
        byte_order=header.byte_order,
        size=size,
        supported=machine.readable and header.byte_order == "little",
        missing_bytes=missing,
        warnings=_truncation(missing, size),
    )


def _truncation(missing: int, size: int) -> tuple[ReportWarning, ...]:
    if not missing:
        return ()
    message = (
        f"the core dump is truncated: {missing} bytes are missing after {size}; "
        "stacks and variables may be wrong (check the disk space and `ulimit -c`)"
    )
    return (_warn("core-truncated", message),)


def _count_warnings(stated: int, found: int) -> list[ReportWarning]:
    if stated > MAX_SEGMENTS:
        message = (
            f"the core dump states {stated} segments; only {MAX_SEGMENTS} were read, "
            "and gdb was not run"
        )
        return [_warn("core-segments-too-many", message)]
    if found < stated or not found:
        return [_warn("core-segments-missing", f"{found} of {stated} segments can be read")]
    return []


def _unsupported(facts: CoreFacts) -> ReportWarning:
    return _warn(
        "unsupported-arch",
        f"the core dump is from {facts.arch} ({facts.bits}-bit, {facts.byte_order}-endian); "
        "its threads can be read for x86_64 and aarch64 only",
    )


def _read_notes(
    stream: BinaryIO, header: Header, segments: list[Segment], warnings: list[ReportWarning]
) -> _Notes:
    notes = _Notes()
    left = MAX_NOTES
    for segment in (s for s in segments if s.kind == SegmentType.NOTE):
        if segment.file_size > left:
            message = (
                f"the core dump's notes exceed {MAX_NOTES >> 20} MiB; the rest was not read, "
                "and gdb was not run"
            )
            warnings.append(_warn("core-notes-too-large", message))
            break
        left -= segment.file_size
        data = read_at(stream, segment.offset, segment.file_size)
        for note in iterate_notes(data, header.prefix, segment.align):
            notes.add(note)
    return notes


def _describe(facts: CoreFacts, machine: Machine, notes: _Notes, memory: Memory) -> CoreFacts:
    threads = [read_thread(data, machine) for data in notes.threads]
    pid, name, arguments = read_names(notes.others.get(NoteType.PRPSINFO, b""))
    mappings = read_mappings(notes.others.get(NoteType.FILE, b""), "<", 8)
    auxiliary_bytes = notes.others.get(NoteType.AUXV, b"")
    auxiliary = read_auxiliary(auxiliary_bytes)
    path = _executable(mappings, auxiliary, memory) or (arguments or "").partition(" ")[0] or None
    modules = read_modules(memory, mappings)
    build_ids = {m.path: m.build_id for m in modules}
    signal = read_signal(notes.others.get(NoteType.SIGINFO), next(iter(notes.threads), None))
    snapshot = signal is not None and signal.number in STOPPING
    return dataclasses.replace(
        facts,
        signal=None if snapshot else signal,
        snapshot=snapshot,
        threads=_distinct(threads),
        pid=pid,
        process_name=name,
        process_arguments=arguments,
        executable=path,
        executable_build_id=build_ids.get(path or ""),
        startup=_startup(memory, auxiliary_bytes, auxiliary),
        mappings=mappings,
        modules=modules,
        libraries=read_link_map(memory, auxiliary),
    )


def _distinct(threads: list[CoreThread | None]) -> tuple[CoreThread, ...]:
    by_tid: dict[int, CoreThread] = {}
    for thread in threads:
        if thread is not None:
            by_tid.setdefault(thread.tid, thread)
    return tuple(by_tid.values())


def _startup(memory: Memory, auxiliary_bytes: bytes, auxiliary: dict[int, int]) -> Startup:
    address = auxiliary.get(AT_EXECFN) or auxiliary.get(AT_RANDOM)
    return read_startup(memory, auxiliary_bytes, address) if address else Startup()


def _executable(
    mappings: tuple[FileMapping, ...], auxiliary: dict[int, int], memory: Memory
) -> str | None:
    """Return the file that holds the program's own headers, else the name it was started by."""
    for key in (AT_PHDR, AT_ENTRY):
        mapping = find_mapping(mappings, auxiliary.get(key, 0))
        if mapping is not None:
            return mapping.path
    return memory.text(auxiliary.get(AT_EXECFN, 0), MAX_VALUE) or None


def _warn(code: str, message: str) -> ReportWarning:
    return ReportWarning(code=code, message=message)
