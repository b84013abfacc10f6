"""From inputs to one crash: every input by its kind, every text by every format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from triage.crash import join
from triage.dumps import core_fragment, gpu_core_fragment, with_programs, without_programs
from triage.errors import InputError
from triage.incident.fit import fitting
from triage.incident.order import Piece, in_order
from triage.incident.runs import Chosen, choose, runs_of
from triage.intake.literals import Literals
from triage.intake.load import expand, load
from triage.intake.loaded import Loaded
from triage.intake.spool import Spool
from triage.knowledge import noise_lists
from triage.model.crash import Crash, Fragment, LogLine, ReportWarning
from triage.model.position import Position, in_member
from triage.model.report import Input, InputKind
from triage.regions import Text, log_lines, read_lines
from triage.text.decode import clean
from triage.text.line import Line
from triage.text.prefix import to_line

if TYPE_CHECKING:
    from triage.debugger.early import EarlyRead
    from triage.debugger.pool import GdbPool
    from triage.debugger.prepare import CoreRequest

MAX_LOG_LINES = 2_000
"""Lines that are kept for signatures that ask about lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """What a reader needs beside the inputs.

    `core` says what is wanted of core dumps. `opened` is the first input
    where it was opened before, `early` the reading of it where that is a core dump and has begun;
    `pool` has gdbs for more than one core dump. `tmp` is the folder in which packed dumps are
    unpacked while they are read. `variables` are the environment variables that signatures ask
    about; `log_literals` (lower case) mark the lines that they ask about.
    """

    core: CoreRequest | None = None
    opened: Loaded | None = None
    early: EarlyRead | None = None
    pool: GdbPool | None = None
    tmp: Path | None = None
    variables: frozenset[str] = frozenset()
    log_literals: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadResult:
    """The inputs as they were read and the crash that they are evidence of."""

    inputs: tuple[Input, ...]
    crash: Crash


def read(names: Sequence[str], options: ReadOptions) -> ReadResult:
    """Read every input; one that cannot be read is a warning as long as another can.

    Raises InputError where no input can be read.
    """
    with Spool(options.tmp) as spool:
        return read_loaded(_load_all(expand(names), options, spool), options)


def read_loaded(loaded: Iterable[Loaded], options: ReadOptions) -> ReadResult:
    """Read inputs that were opened before."""
    return assemble(_parse_loaded(list(loaded), options))


def assemble(parsed: Iterable[Parsed]) -> ReadResult:
    """Make one incident of inputs that were parsed; their order makes no difference to it."""
    inputs: dict[int, Input] = {}
    pieces: list[Piece] = []
    for item in parsed:
        found = tuple(f.dialect for f in item.fragments if _says_something(f))
        known = inputs.setdefault(item.input.id, item.input)
        inputs[item.input.id] = replace(
            known,
            dialects=tuple(dict.fromkeys((*known.dialects, *found))),
            truncated=known.truncated
            or item.input.truncated
            or any(f.truncated for f in item.fragments),
        )
        pieces.append(Piece(name=item.name, fragments=item.fragments, lines=item.log_lines))
    fitted = fitting(in_order(pieces))
    ordered = fitted.pieces
    lines = islice((line for piece in ordered for line in piece.lines), MAX_LOG_LINES)
    fragments = [fragment for piece in ordered for fragment in piece.fragments]
    crash = join(fragments, lines, noise_lists())
    if fitted.warnings:
        warnings = (*fitted.warnings, *crash.warnings)
        crash = replace(crash, warnings=warnings, mixed=fitted.mixed)
    return ReadResult(inputs=tuple(inputs.values()), crash=crash)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """One input, or a member of one, with everything that was found in it."""

    input: Input
    name: str
    lines: tuple[Line, ...]
    fragments: tuple[Fragment, ...]
    log_lines: tuple[LogLine, ...] = ()


def parse(names: Sequence[str], options: ReadOptions) -> Iterator[Parsed]:
    """Yield each input as it was parsed, before the crash is made of all of them.

    Raises InputError where no input can be read.
    """
    with Spool(options.tmp) as spool:
        yield from _parse_loaded(_load_all(expand(names), options, spool), options)


def _parse_loaded(loaded: Sequence[Loaded], options: ReadOptions) -> Iterator[Parsed]:
    options = replace(options, core=with_programs(options.core, loaded))
    for item in loaded:
        text = Text(item.lines, anchors(options.log_literals)) if item.lines else None
        chosen = _one_run(item, text, options) if text else None
        if chosen:
            text = Text(chosen.lines, anchors(options.log_literals))
        found = log_lines(text, options.log_literals, item.input.id, item.member) if text else ()
        yield Parsed(
            input=item.input,
            name=item.name,
            lines=item.lines,
            fragments=(
                Fragment(dialect="", warnings=item.warnings),
                *(_chosen(chosen) if chosen else _fragments(item, text, options)),
            ),
            log_lines=tuple(
                sorted(islice(found, MAX_LOG_LINES), key=lambda line: line.at.line or 0)
            ),
        )


def _one_run(item: Loaded, text: Text, options: ReadOptions) -> Chosen | None:
    """Return the run that a log of many is about; None where it has no more than one."""
    from triage.formats import formats

    starts = [f.starts for f in formats() if f.starts and text.has(f.anchors)]
    runs = runs_of(item.lines, starts) if starts else []
    if not runs:
        return None

    def read_part(lines: Sequence[Line]) -> tuple[Fragment, ...]:
        part = Text(lines, anchors(options.log_literals))
        return tuple(read_lines(part, item.input.id, item.member))

    at = Position(input=item.input.id, member=item.member)
    return choose(item.lines, runs, read_part, at)


def _chosen(chosen: Chosen) -> tuple[Fragment, ...]:
    return (*chosen.fragments, Fragment(dialect="", warnings=chosen.warnings))


def read_text(text: str, options: ReadOptions, *, name: str = "text") -> ReadResult:
    """Read a text that is already in memory, such as a signature's example."""
    lines = tuple(to_line(n, line) for n, line in enumerate(clean(text).split("\n"), 1))
    info = Input(id=0, name=name, kind=InputKind.TEXT, size=len(text.encode()))
    return read_loaded([Loaded(input=info, lines=lines)], options)


@lru_cache(maxsize=8)
def anchors(log_literals: tuple[str, ...]) -> Literals:
    """Return every literal that makes a line worth a look: the formats' and the signatures'."""
    from triage.formats import formats

    return Literals((a for f in formats() for a in f.anchors), any_case=log_literals)


def _load_all(names: Sequence[str], options: ReadOptions, spool: Spool) -> list[Loaded]:
    loaded: list[Loaded] = []
    failures: list[InputError] = []
    for n, name in enumerate(names):
        if n == 0 and options.opened is not None:
            loaded.append(options.opened)
            continue
        try:
            loaded += load(name, n, lambda: anchors(options.log_literals), spool)
        except InputError as error:
            failures.append(error)
            loaded.append(_unreadable(name, n, error))
    if len(failures) == len(names):
        raise failures[0]
    if options.early is None and any(item.kind is InputKind.ELF_CORE for item in loaded):
        return loaded  # programs are of use
    return without_programs(loaded)


def _unreadable(name: str, n: int, error: InputError) -> Loaded:
    hint = f" ({error.hint})" if error.hint else ""
    return Loaded(
        input=Input(id=n, name=name, kind=InputKind.UNREADABLE),
        kind=InputKind.UNREADABLE,
        warnings=(
            ReportWarning(code="input-unreadable", message=f"{error}{hint}", at=Position(input=n)),
        ),
    )


def _says_something(fragment: Fragment) -> bool:
    return bool(
        fragment.threads
        or fragment.errors
        or fragment.signal
        or fragment.engine
        or fragment.environment.where
    )


def _fragments(item: Loaded, text: Text | None, options: ReadOptions) -> Iterator[Fragment]:
    if item.kind is InputKind.ELF_CORE and item.path:
        fragment = _core_fragment(item, item.path, options)
        yield in_member(fragment, item.member) if item.member else fragment
    elif item.kind is InputKind.GPU_CORE and item.path:
        fragment = gpu_core_fragment(item, item.path)
        yield in_member(fragment, item.member) if item.member else fragment
    elif item.fragment is not None:
        yield item.fragment
    elif text:
        yield from read_lines(text, item.input.id, item.member)


def _core_fragment(item: Loaded, path: Path, options: ReadOptions) -> Fragment:
    if options.early is not None and item is options.opened:
        return options.early.result(options.variables)
    return core_fragment(item, path, options.core, options.variables, options.pool)
