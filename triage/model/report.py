"""The report: the one object that every front end hands out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from triage.model.crash import (
    BlamedFrame,
    Engine,
    Environment,
    ErrorRecord,
    Module,
    ReportWarning,
    Signal,
)
from triage.model.diagnosis import Action, Diagnosis, Fingerprint, Verdict
from triage.model.evidence import Evidence
from triage.model.stack import Thread, ThreadGroup

SCHEMA = "clawtriage/report/1"


class InputKind(StrEnum):
    """What an input turned out to be."""

    TEXT = "text"
    ELF_CORE = "elf-core"
    GPU_CORE = "gpu-core"
    MINIDUMP = "minidump"
    GGUF = "gguf"
    PROGRAM = "program"
    ARCHIVE = "archive"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One input as it was read; `size` in bytes."""

    id: int
    name: str
    kind: InputKind
    dialects: tuple[str, ...] = ()
    size: int | None = None
    sha256: str | None = None
    truncated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that is said about one incident."""

    schema: str = SCHEMA
    verdict: Verdict
    inputs: tuple[Input, ...]
    engine: Engine | None = None
    signal: Signal | None = None
    errors: tuple[ErrorRecord, ...] = ()
    threads: tuple[Thread, ...] = ()
    crashed_thread: int | None = None
    blamed_frame: BlamedFrame | None = None
    thread_groups: tuple[ThreadGroup, ...] = ()
    modules: tuple[Module, ...] = ()
    environment: Environment = field(default_factory=Environment)
    fingerprint: Fingerprint | None = None
    diagnoses: tuple[Diagnosis, ...] = ()
    family: str | None = None
    family_evidence: tuple[Evidence, ...] = ()
    action: Action | None = None
    next_evidence: tuple[str, ...] = ()
    redactions: Mapping[str, int] = field(default_factory=dict)
    warnings: tuple[ReportWarning, ...] = ()
