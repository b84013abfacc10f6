"""Parts a log at the starts of an engine: one log can hold many runs, and one of them crashed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from triage.model.crash import Fragment, ReportWarning
from triage.model.position import Position
from triage.text.late import late
from triage.text.line import Line

MAX_RUNS = 64
"""Runs that are read one by one, the last first; what is before them is read as one."""

_SHOWN = 4
# What a shell shows of the command whose first words come next.
_COMMAND = late(r"(?:[\w.@:~/\[\]()-]{1,60}[ ]?){0,3}[$#%>+] {1,4}[\w./~]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The lines of one run; `first` is the line of the engine's start."""

    lines: Sequence[Line]
    first: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The run that a log is about, and what was found in it."""

    lines: Sequence[Line]
    fragments: tuple[Fragment, ...]
    warnings: tuple[ReportWarning, ...] = ()


def runs_of(lines: Sequence[Line], starts: Iterable[re.Pattern[str]]) -> list[Run]:
    """Return the runs of one engine; what stands before the first is of no run.

    None where there are less than two, and where the lines of two of them are mixed: then they are
    of programs that ran beside each other.
    """
    for start in starts:
        begins = [n for n, line in enumerate(lines) if start.match(line.text)]
        if len(begins) > 1 and _one_after_another(lines, begins):
            cuts = [_with_command(lines, n) for n in begins]
            ends = [*cuts[1:], len(lines)]
            return [
                Run(lines=lines[cut:end], first=lines[n].number)
                for cut, end, n in zip(cuts, ends, begins, strict=True)
            ]
    return []


def _with_command(lines: Sequence[Line], begin: int) -> int:
    above = lines[begin - 1].text if begin else ""
    return begin - 1 if _COMMAND.match(above) else begin


def _one_after_another(lines: Sequence[Line], begins: Sequence[int]) -> bool:
    writers = {(p.host, p.service, p.process, p.rank) for p in (lines[n].prefix for n in begins)}
    if len(writers) > 1:
        return False
    pids = [lines[n].prefix.pid for n in begins]
    owner = {pid: run for run, pid in enumerate(pids) if pid is not None}
    for run, (begin, end) in enumerate(zip(begins, [*begins[1:], len(lines)], strict=True)):
        for line in lines[begin:end]:
            pid = line.prefix.pid
            if pid in owner and pid != pids[run]:
                return False
    return True


def choose(
    lines: Sequence[Line],
    runs: Sequence[Run],
    read: Callable[[Sequence[Line]], tuple[Fragment, ...]],
    at: Position,
) -> Chosen:
    """Return the last run that failed, else the last one; `read` tells what is in some lines."""
    before = lines[: len(lines) - sum(len(run.lines) for run in runs)]
    known = read(before)
    known = () if any(map(failed, known)) else known
    parts = list(runs[-MAX_RUNS:])
    if len(runs) > len(parts):
        rest = [line for run in runs[: -len(parts)] for line in run.lines]
        parts.insert(0, Run(lines=rest, first=runs[0].first))
    for run in reversed(parts):
        found = read(run.lines)
        if any(map(failed, found)):
            warning = _warning(runs, run, at)
            kept = (*before, *run.lines) if known else run.lines
            return Chosen(lines=kept, fragments=(*known, *found), warnings=(warning,))
    last = read(runs[-1].lines)
    return Chosen(lines=runs[-1].lines, fragments=(*known, *last))


def failed(fragment: Fragment) -> bool:
    """Tell whether a fragment says that anything failed."""
    threads = fragment.threads and not fragment.snapshot
    return bool(fragment.errors or fragment.signal or threads)


def _warning(runs: Sequence[Run], chosen: Run, at: Position) -> ReportWarning:
    end = next((line.number for line in reversed(chosen.lines) if line.text), chosen.first)
    others = [run.first for run in runs if run.first != chosen.first]
    shown = ", ".join(f"{n:,}" for n in others[:_SHOWN]) + (", ..." if others[_SHOWN:] else "")
    message = (
        f"{len(runs):,} runs of the engine are in this log; the last that failed is reported, "
        f"lines {chosen.first:,} to {end:,}; left out are those that start at line {shown}"
    )
    if chosen.first < runs[-1].first:
        message += f". The last one, from line {runs[-1].first:,}, shows no failure"
    where = Position(input=at.input, line=chosen.first, member=at.member)
    return ReportWarning(code="several-runs", message=message, at=where)
