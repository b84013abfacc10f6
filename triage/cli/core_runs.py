"""The ways in which `clawtriage core` comes to core dumps: one, many, the last that systemd has."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from triage.cli.output import emit, exit_code, page_options, preload, show, talk
from triage.errors import ExitCode, InputError, TriageError, UsageError
from triage.text.safe import safe_line

if TYPE_CHECKING:
    from triage.debugger.early import EarlyRead
    from triage.debugger.prepare import CoreRequest
    from triage.intake.coredumpctl import KeptCrash
    from triage.intake.loaded import Loaded
    from triage.model.report import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """How and where reports are printed."""

    form: str
    verbose: bool
    output: Path | None
    color: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreRun:
    """What the command line says besides the core dumps."""

    request: CoreRequest
    logs: tuple[str, ...]
    packs: tuple[Path, ...]
    db: Path | None
    tmp: Path | None
    redact: bool

    def read(self, names: Sequence[str], page: Page) -> int:
        """Report on core dumps: one with its logs, or several, each a crash of its own."""
        if "" in names:
            raise InputError(
                "the name of a core dump is empty", hint="is a variable of the shell not set?"
            )
        if [*names, *self.logs].count("-") > 1:
            raise UsageError("standard input can be read once", hint="give `-` once")
        if len(names) == 1 and not Path(names[0]).is_dir():
            return self._read_one(names[0], page)
        from triage.debugger.bundle import BundledFile
        from triage.intake.core import find_cores

        paths: list[str] = []
        beside: list[BundledFile] = []
        for name in names:
            if not Path(name).is_dir():
                paths.append(name)
                continue
            found = find_cores(Path(name))
            paths += map(str, found.cores)
            beside += (BundledFile(path, str(path)) for path in found.programs)
        if self.logs:
            raise UsageError(
                "a log belongs to one crash, and several core dumps are named",
                hint="clawtriage core CORE --log FILE",
            )
        if page.form == "json" and len(paths) > 1:
            raise UsageError("json is one report", hint="for several: --format jsonl")
        return self._read_many(paths, replace(self.request, bundled=tuple(beside)), page)

    def read_last(self, match: str | None, page: Page) -> int:
        """Report on the last crash that systemd keeps of a program."""
        from triage.intake.coredumpctl import last_crash, load_crash
        from triage.intake.spool import Spool

        with Spool(self.tmp) as spool:
            crash = last_crash(match)
            click.echo(f"clawtriage: {safe_line(_crash_words(crash))}", err=True)
            opened = load_crash(crash, spool)
            request = self.request
            kept = None if request.binaries else _executable(crash, opened)
            if kept is not None:
                request = replace(request, binaries=(kept,))
            return self._read_opened(opened, f"clawtriage core --last {crash.pid}", request, page)

    def list_kept(self, match: str | None, page: Page) -> int:
        """Print the crashes that systemd keeps."""
        from triage.intake.coredumpctl import list_crashes

        rows = [safe_line(_crash_words(crash)) for crash in list_crashes(match)]
        show("".join(f"{row}\n" for row in rows), page.output)
        return 0

    def _read_one(self, core: str, page: Page) -> int:
        from triage.intake.core import load_core
        from triage.intake.spool import Spool

        with Spool(self.tmp) as spool:
            opened = load_core(core, spool)
            return self._read_opened(
                opened, f"clawtriage core {shlex.quote(core)}", self.request, page
            )

    def _read_opened(self, opened: Loaded, command: str, request: CoreRequest, page: Page) -> int:
        from triage.model.report import InputKind

        if opened.kind is InputKind.GPU_CORE:
            return self._analyze(opened, request, page, None)
        from triage.debugger.early import EarlyRead

        # gdb takes longest: it reads the core while the rest is imported, and what prints the
        # report is imported while it still reads.
        path = opened.path or Path(opened.input.name)
        with EarlyRead(path, request, command=command) as early:
            return self._analyze(opened, request, page, early)

    def _analyze(
        self, opened: Loaded, request: CoreRequest, page: Page, early: EarlyRead | None
    ) -> int:
        from triage.pipeline import Analyzer, Options

        options = Options(
            packs=self.packs, db=self.db, tmp=self.tmp, redact=self.redact,
            core=request, early=early,
        )  # fmt: skip
        analyzer = Analyzer(options)
        preload(page.form)
        report = analyzer.analyze([opened.input.name, *self.logs], opened)
        return emit(
            report, form=page.form, verbose=page.verbose, output=page.output, color=page.color
        )

    def _read_many(self, paths: Sequence[str], request: CoreRequest, page: Page) -> int:
        from triage.debugger.pool import GdbPool
        from triage.intake.core import load_core
        from triage.intake.spool import Spool
        from triage.pipeline import Analyzer, Options

        pages: list[str] = []
        codes: set[ExitCode] = set()
        failures: list[TriageError] = []
        with Spool(self.tmp) as shown, GdbPool(shown.folder) as pool:
            options = Options(
                packs=self.packs, db=self.db, tmp=self.tmp, redact=self.redact,
                core=request, pool=pool,
            )  # fmt: skip
            analyzer = Analyzer(options)
            for path in paths:
                try:
                    with Spool(self.tmp) as spool:
                        report = analyzer.analyze([path], load_core(path, spool))
                except TriageError as error:
                    click.echo(f"clawtriage: {safe_line(str(error))}", err=True)
                    failures.append(error)
                    continue
                codes.add(exit_code(report))
                text = _render(report, path, page)
                if page.output is None:
                    show(text, None)
                else:
                    pages.append(text)
                talk(report, page.form)
        if page.output is not None:
            show("".join(pages), page.output)
        if not codes:
            raise failures[0]
        order = (ExitCode.UNKNOWN, ExitCode.KNOWN, ExitCode.NO_CRASH)
        return int(next(code for code in order if code in codes))


def _render(report: Report, path: str, page: Page) -> str:
    from triage.render import renderers

    options = page_options(page.output, page.color, page.verbose)
    text = renderers()[page.form].render(report, options)
    if page.form == "text":
        return f"=== {safe_line(path)}\n{text}\n"
    return text if text.endswith("\n") else f"{text}\n"


def _executable(crash: KeptCrash, opened: Loaded) -> Path | None:
    """Return the program that systemd names, if it still is the one that crashed.

    Its path comes from this machine's journal, not from the core dump; it is opened for its build
    id, and by gdb only where that is the core dump's.
    """
    from triage.debugger.prepare import is_same_program

    path = Path(crash.executable)
    if opened.path is None or not path.is_absolute():
        return None
    try:
        same = is_same_program(opened.path, path)
    except InputError:
        return None
    if same is None:
        message = f"{path} has no build id, so it is not used unasked: --binary {path}"
        click.echo(f"clawtriage: {safe_line(message)}", err=True)
        return None
    return path


def _crash_words(crash: KeptCrash) -> str:
    size = "" if crash.size is None else f"  {crash.size / 1e6:,.1f} MB"
    time = f"{crash.time:%Y-%m-%d %H:%M:%S} UTC"
    return f"{time}  {crash.pid:>7}  {crash.signal:<8} {crash.state:<9} {crash.executable}{size}"
