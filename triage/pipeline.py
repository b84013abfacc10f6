"""The order of the stages, once: read, match, judge, report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from triage.diagnose import Diagnosed, detect_engine, diagnose
from triage.errors import StoreError
from triage.fingerprint import fingerprint
from triage.incident.roles import first_cause
from triage.knowledge import clue_literals
from triage.model.crash import Crash, ReportWarning
from triage.model.diagnosis import Feedback, Verdict
from triage.model.report import Report
from triage.read import ReadOptions, ReadResult, parse, read, read_text
from triage.store.feedback import read_feedback
from triage.store.signatures import SignatureStore, open_store
from triage.text.redact import redact_record, redact_report

if TYPE_CHECKING:
    from triage.debugger.early import EarlyRead
    from triage.debugger.pool import GdbPool
    from triage.debugger.prepare import CoreRequest
    from triage.intake.loaded import Loaded
    from triage.render import RenderOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What an analysis can be told; `packs` are folders of further signatures."""

    packs: tuple[Path, ...] = ()
    db: Path | None = None
    core: CoreRequest | None = None
    early: EarlyRead | None = None
    pool: GdbPool | None = None
    tmp: Path | None = None
    redact: bool = True


class Analyzer:
    """Analyses any number of incidents with one set of signatures."""

    def __init__(self, options: Options) -> None:
        """Open the signatures; raises PackError or StoreError where they cannot be used."""
        self.options = options
        self.store: SignatureStore = open_store(options.packs, options.db)
        self._feedback, self._warnings = _feedback_of(options.db)
        self._read_options = ReadOptions(
            core=options.core,
            early=options.early,
            pool=options.pool,
            tmp=options.tmp,
            variables=self.store.variables(),
            log_literals=(*self.store.log_literals(), *clue_literals()),
        )

    def read(self, names: Sequence[str], opened: Loaded | None = None) -> ReadResult:
        """Read inputs that are evidence of one incident; raises InputError if none can be read.

        `opened` is the first of them where it was opened before.
        """
        return read(names, replace(self._read_options, opened=opened))

    def read_text(self, text: str) -> Crash:
        """Read a text that is already in memory."""
        return self.completed(read_text(text, self._read_options).crash)

    def completed(self, crash: Crash) -> Crash:
        """Return the crash with its first cause and its engine, where anything tells them."""
        crash = first_cause(crash)
        return replace(crash, engine=detect_engine(crash, self.store))

    def analyze(self, names: Sequence[str], opened: Loaded | None = None) -> Report:
        """Return the report on inputs that are evidence of one incident.

        `opened` is the first of them where it was opened before. Raises InputError where none of
        them can be read.
        """
        return self.report(self.read(names, opened))

    def explain_parse(self, names: Sequence[str], options: RenderOptions) -> str:
        """Return a page on what was read from which line of the inputs.

        Raises InputError where none of them can be read.
        """
        from triage.render._parsing import explain_parsing, render_parsing  # an analysis does not

        pages = [
            explain_parsing(replace(item.input, name=item.name), item.lines, item.fragments)
            for item in parse(names, self._read_options)
        ]
        return render_parsing(
            [redact_record(p) for p in pages] if self.options.redact else pages, options
        )

    def report(self, result: ReadResult) -> Report:
        """Return the report on what was read."""
        crash = self.completed(result.crash)
        judged = diagnose(crash, self.store, self._feedback)
        report = _report(replace(result, crash=crash), judged)
        if self._warnings:
            report = replace(report, warnings=(*report.warnings, *self._warnings))
        return redact_report(report) if self.options.redact else report


def _feedback_of(
    db: Path | None,
) -> tuple[Mapping[str, Feedback], tuple[ReportWarning, ...]]:
    """Return what people said of diagnoses; an analysis goes on where that cannot be read."""
    try:
        return read_feedback(db), ()
    except StoreError as error:
        message = f"what was said of earlier reports cannot be read: {error}"
        return {}, (ReportWarning(code="feedback-unreadable", message=message),)


def _report(result: ReadResult, judged: Diagnosed) -> Report:
    crash = result.crash
    return Report(
        verdict=judged.verdict,
        inputs=result.inputs,
        engine=crash.engine,
        signal=crash.signal,
        errors=crash.errors,
        threads=crash.threads,
        crashed_thread=crash.crashed_thread,
        blamed_frame=crash.blamed_frame,
        thread_groups=crash.thread_groups,
        modules=crash.modules,
        environment=crash.environment,
        fingerprint=None
        if crash.mixed or judged.verdict is Verdict.NO_CRASH
        else fingerprint(crash),
        diagnoses=judged.diagnoses,
        family=judged.family,
        family_evidence=judged.family_evidence,
        action=judged.action,
        next_evidence=judged.next_evidence,
        warnings=crash.warnings,
    )
