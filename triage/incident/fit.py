"""Finds pieces that are of different crashes, so that no verdict rests on both.

Pieces fit unless a fact of one contradicts a fact of the other; what is not known contradicts
nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from triage.frames.names import file_name
from triage.incident.model import quantization_in
from triage.incident.order import Piece
from triage.incident.process import KERNEL_DIALECTS, named_programs, short_name
from triage.knowledge import engine_programs, known_error
from triage.model.crash import Engine, Fragment, ReportWarning
from triage.model.evidence import Evidence
from triage.model.position import Position
from triage.model.stack import ThreadKind
from triage.text.glob import glob_match

RAISED: Final[dict[int, frozenset[int]]] = {
    2: frozenset(),
    700: frozenset({1, 4, 5, 10, 14, 17, 30}),
    710: frozenset({12}),
    714: frozenset({2, 3, 9, 35}),
    715: frozenset({4, 25, 26, 27, 28, 29}),
    716: frozenset({6, 11}),
    717: frozenset({7}),
    718: frozenset({8, 23, 24}),
}
"""The exceptions of a device that end in each error of CUDA; any may end in one that is not here.

Sources: NVIDIA, CUDA Runtime API (cudaError) and cuda-gdb (CUDA exception codes).
"""

_ENDS = frozenset({"SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGSEGV"})
_DEBUGGER = 1
_SHOWN = 4
_GPU, _HOST, _LOG, _HEALTHY = range(4)


@dataclass(frozen=True, slots=True)
class Fact:
    """What a piece says, and where."""

    text: str
    value: str | int
    at: Position | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What can contradict another piece; `rank` says how directly it saw the crash, 0 most."""

    piece: Piece
    rank: int
    exceptions: tuple[Fact, ...] = ()
    codes: tuple[Fact, ...] = ()
    end: Fact | None = None
    program: Fact | None = None
    globs: tuple[str, ...] = ()
    engine: Fact | None = None
    model: Fact | None = None
    quantization: Fact | None = None
    options: tuple[Fact, ...] = ()
    finished: Fact | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """The pieces that fit together; `mixed` says that nothing tells which of them to believe."""

    pieces: tuple[Piece, ...]
    warnings: tuple[ReportWarning, ...] = ()
    mixed: bool = False


@dataclass(frozen=True, slots=True)
class _Clash:
    """Two facts that cannot both be of one crash, the more direct piece's first."""

    first: Facts
    one: Fact
    second: Facts
    other: Fact
    programs: bool = False


def fitting(pieces: Sequence[Piece]) -> Fitted:
    """Return the pieces without those that contradict one that saw the crash more directly.

    Where both saw it alike, or are of different programs, none of them is to be believed.
    """
    known = [facts for piece in pieces if (facts := _facts(piece)) is not None]
    if len(known) < 2:
        return Fitted(pieces=tuple(pieces))
    kept: list[Facts] = []
    clashes: list[_Clash] = []
    mixed = False
    for facts in sorted(known, key=lambda f: f.rank):
        found = [clash for other in kept if (clash := _clash(other, facts)) is not None]
        if not found:
            kept.append(facts)
            continue
        clashes += found
        decided = any(clash.first.rank < facts.rank for clash in found)
        mixed = mixed or not decided or any(clash.programs for clash in found)
    gone = {id(clash.second.piece) for clash in clashes}
    return Fitted(
        pieces=tuple(_emptied(p) if id(p) in gone else p for p in pieces),
        warnings=(_warning(clashes, mixed=mixed),) if clashes else (),
        mixed=mixed,
    )


def _emptied(piece: Piece) -> Piece:
    """Return a piece of which only what was warned of is left."""
    warnings = tuple(w for f in piece.fragments for w in f.warnings)
    return replace(piece, fragments=(Fragment(dialect="", warnings=warnings),), lines=())


def _warning(clashes: Sequence[_Clash], *, mixed: bool) -> ReportWarning:
    told = [
        f"{_said(clash.first, clash.one)}, but {_said(clash.second, clash.other)}"
        for clash in clashes[:_SHOWN]
    ]
    more = f" and {len(clashes) - _SHOWN} more" if len(clashes) > _SHOWN else ""
    gone = ", ".join(dict.fromkeys(clash.second.piece.name for clash in clashes[:_SHOWN]))
    end = "give the pieces of one crash" if mixed else f"left out: {gone}"
    return ReportWarning(
        code="pieces-differ",
        message=f"these pieces do not fit together: {'; '.join(told)}{more}; {end}",
        at=clashes[0].other.at,
    )


def _said(facts: Facts, fact: Fact) -> str:
    line = fact.at.line if fact.at else None
    return f"{facts.piece.name}{f':{line}' if line else ''} says {fact.text}"


# ---- what contradicts what ----------------------------------------------------------------


def _clash(one: Facts, other: Facts) -> _Clash | None:
    """Return the first contradiction of two pieces, of which the first is the more direct one."""
    programs = next(_programs(one, other), None)
    if programs:
        return _Clash(one, programs[0], other, programs[1], programs=True)
    for rule in (_classes, _ends, _health, _starts):
        found = next(rule(one, other), None)
        if found:
            return _Clash(one, found[0], other, found[1])
    return None


_Pairs = Iterator[tuple[Fact, Fact]]


def _programs(one: Facts, other: Facts) -> _Pairs:
    """Yield a program that is none of those that the other piece's engine runs as."""
    for mine, its, turned in ((one, other, False), (other, one, True)):
        if mine.program and its.engine and its.globs and not mine.globs:
            name = short_name(str(mine.program.value))
            if not any(glob_match(glob, name) for glob in its.globs):
                yield (its.engine, mine.program) if turned else (mine.program, its.engine)


def _classes(one: Facts, other: Facts) -> _Pairs:
    """Yield errors of which neither can have brought about the other."""
    for mine, its in ((one.exceptions, other.exceptions), (one.codes, other.codes)):
        a, b = _errors_of(mine), _errors_of(its)
        alone = bool(one.exceptions) or bool(one.globs and other.globs)
        if mine and its and alone and a and b and not a & b:
            yield mine[0], its[0]
    if not one.exceptions or other.exceptions or not other.codes:
        return
    may = [RAISED.get(int(code.value)) for code in other.codes]
    raised = {int(exception.value) for exception in one.exceptions}
    if all(known is not None and not known & raised for known in may):
        yield one.exceptions[0], other.codes[0]


def _errors_of(facts: Iterable[Fact]) -> set[int]:
    """Return the errors of CUDA that codes are, or that exceptions end in; none where unclear."""
    found: set[int] = set()
    for fact in facts:
        number = int(fact.value)
        if number in RAISED:
            found.add(number)
            continue
        of = {code for code, raised in RAISED.items() if number in raised}
        if not of:
            return set()
        found |= of
    return found


def _ends(one: Facts, other: Facts) -> _Pairs:
    """Yield ends of one process that it cannot have had both.

    A driver that writes a GPU core dump aborts the process. Where an engine is more than one
    process, each has its own end.
    """
    if not (one.globs or other.globs):
        return
    if one.end and other.end and one.end.value != other.end.value:
        yield one.end, other.end
    late = other.end and other.end.value != "SIGABRT" and not other.codes and not other.exceptions
    if one.exceptions and other.end and late:
        yield one.exceptions[0], other.end


def _health(one: Facts, other: Facts) -> _Pairs:
    if other.finished:
        failure = next(iter((*one.exceptions, *one.codes)), None) or one.end
        if failure:
            yield failure, other.finished


def _starts(one: Facts, other: Facts) -> _Pairs:
    """Yield what an engine cannot have been started with both."""
    if not (one.globs or other.globs):
        return
    if one.model and other.model and not _one_name(str(one.model.value), str(other.model.value)):
        yield one.model, other.model
    a, b = one.quantization, other.quantization
    if a and b and a.value != b.value:
        yield a, b
    if one.engine and other.engine:
        its = {fact.value: fact for fact in other.options}
        names = {str(value).partition(" ")[0]: fact for value, fact in its.items()}
        for mine in one.options:
            fact = names.get(str(mine.value).partition(" ")[0])
            if fact and fact.value != mine.value:
                yield mine, fact


def _one_name(one: str, other: str) -> bool:
    """Tell whether two names may be of one file: a debugger cuts what it prints."""
    return one.startswith(other) or other.startswith(one)


# ---- what a piece says --------------------------------------------------------------------


def _facts(piece: Piece) -> Facts | None:
    """Return what a piece says of a crash; None where it is of the machine or of a file."""
    told = [f for f in piece.fragments if f.dialect not in KERNEL_DIALECTS]
    codes = tuple(_codes(told))
    end = next(_end(told), None)
    engine = next((f.engine for f in told if f.engine), None)
    finished = next((f.finished for f in told if f.finished), None)
    rank = _rank(told, said=bool(codes or end), engine=engine, finished=finished)
    if rank is None:
        return None
    facts = Facts(
        piece=piece,
        rank=rank,
        exceptions=tuple(_exceptions(told)),
        codes=codes,
        end=end,
        program=next(_program(told), None),
        globs=engine_programs().get(engine.name.casefold(), ()) if engine else (),
        engine=_engine(engine) if engine else None,
        options=tuple(_options(told)),
        finished=Fact("that the run ended well", "", finished) if finished else None,
    )
    return _with_model(facts, told)


def _rank(
    told: Sequence[Fragment], *, said: bool, engine: Engine | None, finished: Position | None
) -> int | None:
    """Return how directly the crash was seen; None where nothing is said of one."""
    if any(t.kind is ThreadKind.GPU for f in told for t in f.threads):
        return _GPU
    if any(f.threads and f.signal_rank <= _DEBUGGER for f in told):
        return _HOST
    if engine or said:
        return _HEALTHY if finished and not said else _LOG
    return None


def _program(told: Iterable[Fragment]) -> Iterator[Fact]:
    for name, at in (named for f in told for named in named_programs(f)):
        yield Fact(f"the program {file_name(name)}", name, at)


def _engine(engine: Engine) -> Fact:
    return Fact(f"the engine {engine.name}", engine.name, _first_place(engine.evidence))


def _options(told: Sequence[Fragment]) -> Iterator[Fact]:
    where = _where(told)
    for f in told:
        for key, value in f.environment.options.items() if f.engine else ():
            yield Fact(f"{key} {value}", f"{key} {value}", where.get(f"option.{key}"))


def _with_model(facts: Facts, told: Sequence[Fragment]) -> Facts:
    """Return the facts with the model's name and the quantization of its weights."""
    models = [f.environment.model for f in told if f.environment.model]
    path = next((model.path for model in models if model.path), None)
    weights = next((model.quantization for model in models if model.quantization), None)
    name, where = file_name(path) if path else "", _where(told)
    return replace(
        facts,
        model=Fact(f"the model {name}", name, where.get("model.path")) if name else None,
        quantization=_quantization(weights, name, where),
    )


def _where(told: Iterable[Fragment]) -> dict[str, Position]:
    return {key: at for f in told for key, at in f.environment.where.items()}


def _quantization(stated: str | None, name: str, where: dict[str, Position]) -> Fact | None:
    found = stated.upper() if stated else quantization_in(name)
    at = where.get("model.quantization" if stated else "model.path")
    return Fact(f"the quantization {found}", found, at) if found else None


def _first_place(evidence: Iterable[Evidence]) -> Position | None:
    return next((e.at for e in evidence if e.at), None)


def _exceptions(told: Iterable[Fragment]) -> Iterator[Fact]:
    for error in (e for f in told for e in f.errors):
        if error.api == "cuda-exception" and error.code is not None:
            yield Fact(f"exception {error.code} ({error.message})", error.code, error.at)


def _codes(told: Iterable[Fragment]) -> Iterator[Fact]:
    for error in (e for f in told for e in f.errors):
        if error.api not in ("cuda", "cuda-driver"):
            continue
        known = known_error(error.api, error.name, error.code)
        code = error.code if error.code is not None else known.code if known else None
        if code is not None:
            name = error.name or (known.name if known else "")
            yield Fact(f"CUDA error {code} {name}".rstrip(), code, error.at)


def _end(told: Iterable[Fragment]) -> Iterator[Fact]:
    """Yield the signal that a debugger, a core dump or a shell saw at the end."""
    for f in told:
        seen = f.signal_rank <= _DEBUGGER or f.dialect == "process_end"
        if seen and f.signal and f.signal.name in _ENDS:
            yield Fact(f.signal.name, f.signal.name, f.signal.at)
