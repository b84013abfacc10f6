"""From inputs to one crash: every input by its kind, every text by every format."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import accumulate, islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from triage.crash import join
from triage.damage import with_damages
from triage.errors import InputError
from triage.incident.order import Piece, in_order
from triage.intake.literals import Literals, looked_for, rows_of
from triage.intake.load import expand, load
from triage.intake.loaded import Loaded
from triage.intake.spool import Spool
from triage.knowledge import noise_lists
from triage.model.crash import Crash, ErrorRecord, Fragment, LogLine, ReportWarning, Signal
from triage.model.position import Origin, Position, in_member
from triage.model.report import Input, InputKind
from triage.model.stack import Thread
from triage.text.decode import clean
from triage.text.line import NO_PREFIX, Line
from triage.text.locate import runs
from triage.text.mention import is_mention, quotes_first
from triage.text.prefix import to_line
from triage.text.quoted import Talk, talk_in
from triage.text.renumber import renumbered
from triage.text.streams import separate

if TYPE_CHECKING:
    from triage.debugger.early import EarlyRead
    from triage.debugger.pool import GdbPool
    from triage.debugger.prepare import CoreRequest
    from triage.formats import Format

Marked = TypeVar("Marked", ErrorRecord, Signal, Thread)
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
    return assemble(_parse_loaded(loaded, options))


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
    ordered = in_order(pieces)
    lines = islice((line for piece in ordered for line in piece.lines), MAX_LOG_LINES)
    fragments = [fragment for piece in ordered for fragment in piece.fragments]
    crash = join(fragments, lines, noise_lists())
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


def _parse_loaded(loaded: Iterable[Loaded], options: ReadOptions) -> Iterator[Parsed]:
    for item in loaded:
        text = Text(item.lines, anchors(options.log_literals)) if item.lines else None
        found = _log_lines(text, options.log_literals, item) if text else ()
        yield Parsed(
            input=item.input,
            name=item.name,
            lines=item.lines,
            fragments=(
                Fragment(dialect="", warnings=item.warnings),
                *_fragments(item, text, options),
            ),
            log_lines=tuple(
                sorted(islice(found, MAX_LOG_LINES), key=lambda line: line.at.line or 0)
            ),
        )


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
    return loaded


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
        fragment = _gpu_core_fragment(item, item.path)
        yield in_member(fragment, item.member) if item.member else fragment
    elif item.fragment is not None:
        yield item.fragment
    elif text:
        yield from read_lines(text, item.input.id, item.member)


def _core_fragment(item: Loaded, path: Path, options: ReadOptions) -> Fragment:
    early = options.early
    if early is not None and item is options.opened:
        return early.result(options.variables)
    from triage.debugger.coredump import read_core_dump  # logs do not need it
    from triage.debugger.prepare import CoreRequest

    return read_core_dump(
        path,
        options.core or CoreRequest(),
        name=shlex.quote(item.name),
        input_id=item.input.id,
        known_variables=options.variables,
        pool=options.pool,
    )


def _gpu_core_fragment(item: Loaded, path: Path) -> Fragment:
    from triage.debugger.files import open_regular  # logs do not need it
    from triage.gpucore.fragment import read_gpu_core

    try:
        with open_regular(path) as stream:
            return read_gpu_core(stream, path.stat().st_size, item.input.id)
    except (OSError, InputError) as error:
        at = Position(input=item.input.id)
        hint = f" ({error.hint})" if isinstance(error, InputError) and error.hint else ""
        warning = ReportWarning(
            code="input-unreadable", message=f"{item.name}: {error}{hint}", at=at
        )
        return Fragment(dialect="", warnings=(warning,))


def read_lines(text: Text, input_id: int, member: str | None = None) -> Iterator[Fragment]:
    """Yield what every format finds in a text; `member` is its name in an archive."""
    from triage.formats import formats  # Lark, which a core dump does not need

    claimed: dict[str, set[int]] = {}
    for form in formats():
        taken: set[int] = set().union(*(claimed.get(name, set()) for name in form.yields_to))
        mine = claimed.setdefault(form.name, set())
        for fragment in _read_format(form, text, taken, (input_id, member)):
            mine.update(fragment.claimed)
            yield fragment


def _read_format(
    form: Format, text: Text, taken: set[int], source: tuple[int, str | None]
) -> Iterator[Fragment]:
    from triage.formats import Region

    if not text.has(form.anchors):
        return
    talk = text.talk(form.opens)
    lines = _without(text.lines, taken, talk) if taken or talk else text.lines
    places = runs(lines, form.opens, before=form.before, after=form.after, reach=form.reach)
    for begin, end in places:
        part = lines[begin:end]
        if text.parted:
            fragment = renumbered(form.read(Region(_counted(part), *source)), part)
        else:
            fragment = form.read(Region(tuple(part), *source))
        span = (min(line.number for line in part), max(line.number for line in part))
        fragment = with_damages(fragment, part, at_end=end == len(lines))
        yield _with_origins(_without_mentions(replace(fragment, span=span), part), part)


def _without_mentions(fragment: Fragment, lines: Sequence[Line]) -> Fragment:
    """Return the fragment without what a sentence only quotes."""
    if not fragment.errors and not fragment.signal:
        return fragment
    texts = {line.number: line.text for line in lines if "`" in line.text or '"' in line.text}
    if not texts:
        return fragment
    errors = tuple(
        e
        for e in fragment.errors
        if not is_mention(texts.get(e.at.line or 0, "") if e.at else "", e.message or e.name or "")
    )
    signal = fragment.signal
    if signal and signal.at and quotes_first(texts.get(signal.at.line or 0, "")):
        signal = None
    return replace(fragment, errors=errors, signal=signal)


def _counted(lines: Sequence[Line]) -> tuple[Line, ...]:
    """Return one writer's lines with numbers that follow each other, as they do for a format."""
    return tuple(replace(line, number=n) for n, line in enumerate(lines, 1))


def _with_origins(fragment: Fragment, lines: Sequence[Line]) -> Fragment:
    """Return the fragment with the columns that stood in front of what it is made of."""
    columns = {line.number: line.prefix for line in lines if line.prefix is not NO_PREFIX}
    if not columns:
        return fragment

    def marked(thing: Marked) -> Marked:
        prefix = columns.get(thing.at.line or 0) if thing.at else None
        return replace(thing, origin=_joined(thing.origin, prefix.origin())) if prefix else thing

    return replace(
        fragment,
        threads=tuple(map(marked, fragment.threads)),
        errors=tuple(map(marked, fragment.errors)),
        signal=fragment.signal and marked(fragment.signal),
        deaths=tuple(map(marked, fragment.deaths)),
    )


def _joined(own: Origin | None, columns: Origin | None) -> Origin | None:
    """Return the columns, but what the message itself says of its process where it does."""
    if own is None or columns is None:
        return own or columns
    about = own if own.process is not None or own.pid is not None else columns
    joined = replace(columns, process=about.process, pid=about.pid, device=own.device)
    return replace(joined, time=columns.time or own.time)


def _without(lines: Sequence[Line], taken: set[int], talk: set[int]) -> Sequence[Line]:
    """Return the lines with those that are spoken for, and rows of talk, made empty."""
    return [
        replace(line, text="") if line.number in taken or row in talk else line
        for row, line in enumerate(lines)
    ]


class Text:
    """The lines of a text, each writer's together, and where the anchors are in them."""

    def __init__(self, lines: Sequence[Line], literals: Literals) -> None:
        self.lines = separate(lines)
        self.parted = self.lines is not lines
        # The first line begins behind a line end, too, as some anchors ask for.
        encoded = [line.text.encode() for line in self.lines]
        self._starts = list(accumulate((len(raw) + 1 for raw in encoded), initial=0))[:-1]
        self._places = literals.places(b"\n" + b"\n".join(encoded))

    def has(self, literals: Iterable[str]) -> bool:
        """Tell whether any of some literals may be in the text."""
        return any(looked_for(literal) in self._places for literal in literals)

    def talk(self, opens: re.Pattern[str]) -> set[int]:
        """Return the rows that a pattern confirms for what they quote alone."""
        lines = self.lines
        return {
            row for row, talk in self._talk if opens.match(lines[row].text) and talk.explains(opens)
        }

    @cached_property
    def _talk(self) -> list[tuple[int, Talk]]:
        return [(n, talk) for n, line in enumerate(self.lines) if (talk := talk_in(line.text))]

    def rows(self, beginnings: Mapping[bytes, Sequence[str]]) -> dict[int, set[str]]:
        """Return the rows in which literals are, in whatever case, and which may be in each.

        `beginnings` has the literals by the part that was looked for.
        """
        found: dict[int, set[str]] = {}
        for beginning, ends in self._places.items():
            for literals in (beginnings[beginning],) if beginning in beginnings else ():
                for row in rows_of([end - 1 for end in ends], self._starts):
                    found.setdefault(row, set()).update(literals)
        return dict(sorted(found.items()))


@lru_cache(maxsize=8)
def _beginnings(literals: tuple[str, ...]) -> Mapping[bytes, Sequence[str]]:
    found: dict[bytes, list[str]] = {}
    for literal in literals:
        found.setdefault(looked_for(literal, any_case=True), []).append(literal)
    return found


def _log_lines(text: Text, literals: tuple[str, ...], item: Loaded) -> Iterator[LogLine]:
    for row, possible in text.rows(_beginnings(literals)).items():
        line = text.lines[row]
        lower = line.text.casefold()
        found = frozenset(literal for literal in possible if literal in lower)
        if found:
            at = Position(input=item.input.id, line=line.number, member=item.member)
            yield LogLine(text=line.text, at=at, literals=found)
