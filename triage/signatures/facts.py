"""A crash as the things that conditions ask about, each value with its place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property, lru_cache
from zlib import crc32

from triage.frames.names import name_forms
from triage.incident.roles import consequence_places, noticing_places
from triage.model.crash import Crash, Environment
from triage.model.position import Position
from triage.model.stack import Thread
from triage.signatures.fields import find_field
from triage.signatures.rule import EngineRule
from triage.xids import xid_of

Value = str | int | float | None
_WORD = re.compile(r"\w+")
ENDS = (4, 8, 12, 16)
"""Lengths of the beginnings and ends of words that anchors are made of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """One frame, one error, one line …: the values that are known of it.

    A value of None is known to be missing. Frames have their thread, their place in it, and their
    rank among the frames that are not noise, which is None for noise.
    """

    kind: str
    values: Mapping[str, Value]
    at: Position | None = None
    places: Mapping[str, Position] = field(default_factory=dict)
    thread: int = -1
    index: int = -1
    rank: int | None = None

    def place(self, name: str) -> Position | None:
        """Return where a value stands."""
        return self.places.get(name, self.at)


class Facts:
    """The things of one crash, made when they are first asked for."""

    def __init__(self, crash: Crash, engines: Sequence[EngineRule] = ()) -> None:
        """Take the crash, and the engines that are known, of which some are inside others."""
        self.crash = crash
        self._engines = engines
        self._things: dict[str, tuple[Thing, ...]] = {}
        self._threads: dict[int, tuple[Thing, ...]] = {}
        self._words: frozenset[str] | None = None

    def things(self, kind: str, *, any_thread: bool = False) -> tuple[Thing, ...]:
        """Return the things of a kind in the order of the crash, those that crashed first."""
        if kind in ("frame", "thread"):
            return self._of_threads(kind, any_thread)
        if kind not in self._things:
            self._things[kind] = tuple(_MAKERS[kind](self.crash))
        return self._things[kind]

    def frames(self, thread: int) -> tuple[Thing, ...]:
        """Return the frames of one thread, innermost first."""
        if thread not in self._threads:
            self._threads[thread] = tuple(_frames(self.crash.threads[thread], thread))
        return self._threads[thread]

    def value(self, name: str) -> Value:
        """Return the first value of a field such as `environment.driver`, None if not known."""
        kind, _, rest = name.partition(".")
        for thing in self.things(kind):
            found = thing.values.get(rest)
            if found is not None:
                return found
        return None

    def place(self, name: str) -> Position | None:
        """Return where the value that `value` returns stands."""
        kind, _, rest = name.partition(".")
        for thing in self.things(kind):
            if thing.values.get(rest) is not None:
                return thing.place(rest)
        return None

    def every(self, name: str) -> tuple[Value, ...]:
        """Return the value of a field of each thing that states it, such as of every GPU."""
        kind, _, rest = name.partition(".")
        values = (thing.values.get(rest) for thing in self.things(kind))
        return tuple(value for value in values if value is not None)

    @cached_property
    def engine_names(self) -> frozenset[str]:
        """Return the names, in lower case, of the crash's engine and of all that are inside it."""
        embeds = {rule.id.casefold(): rule.embeds for rule in self._engines}
        names: set[str] = set()
        open_names = [self.crash.engine.name.casefold()] if self.crash.engine else []
        while open_names:
            name = open_names.pop()
            if name not in names:
                names.add(name)
                open_names += [inner.casefold() for inner in embeds.get(name, ())]
        return frozenset(names)

    @cached_property
    def noticed(self) -> frozenset[Position]:
        """The lines of host frames that only noticed the failure."""
        return noticing_places(self.crash)

    @cached_property
    def consequences(self) -> frozenset[Position]:
        """The lines that tell of consequences alone."""
        return consequence_places(self.crash)

    def words(self) -> frozenset[str]:
        """Return what anchors are compared with: words, parts of them, the literals of lines.

        Words are in lower case; `^`, `$` and `~` mark the beginning, the end and another part of
        a longer one, `=` a literal.
        """
        if self._words is None:
            words = {word for text in self._texts() for word in words_of(text)}
            words.update([part for word in words for part in parts_of(word)])
            words.update(f"={literal}" for literal in self._by_literal or ())
            self._words = frozenset(words)
        return self._words

    def lines_with(self, literal: str) -> Sequence[Thing]:
        """Return the lines that a literal may be in: all where nobody has looked for literals."""
        if self._by_literal is None:
            return self.things("log")
        return self._by_literal.get(literal, ())

    @cached_property
    def _by_literal(self) -> Mapping[str, Sequence[Thing]] | None:
        found: dict[str, list[Thing]] = {}
        for line, thing in zip(self.crash.lines, self.things("log"), strict=True):
            if line.literals is None:
                return None
            for literal in line.literals:
                found.setdefault(literal, []).append(thing)
        return found

    def _crashed(self) -> tuple[int, ...]:
        threads = self.crash.threads
        if self.crash.crashed_thread is not None:
            return (self.crash.crashed_thread,)
        crashed = tuple(n for n, thread in enumerate(threads) if thread.crashed)
        return crashed or ((0,) if len(threads) == 1 else ())

    def _of_threads(self, kind: str, any_thread: bool) -> tuple[Thing, ...]:
        key = f"{kind} {any_thread}"
        if key not in self._things:
            chosen = list(self._crashed())
            if any_thread:
                chosen += [n for n in range(len(self.crash.threads)) if n not in chosen]
            if kind == "frame":
                self._things[key] = tuple(thing for n in chosen for thing in self.frames(n))
            else:
                self._things[key] = tuple(_thread(self.crash.threads[n], n) for n in chosen)
        return self._things[key]

    def _texts(self) -> set[str]:
        texts: set[str] = set()
        for kind in ("frame", "thread", *(kind for kind in _MAKERS if kind != "log")):
            for thing in self.things(kind, any_thread=True):
                for name, value in thing.values.items():
                    if kind in ("variable", "option", "fact"):
                        texts.add(name)
                    if value is None:
                        continue
                    texts.add(str(value))
                    if kind == "frame" and name == "function":
                        texts.update(name_forms(str(value)))
        return texts


def words_of(text: str) -> list[str]:
    """Return the words of a text as `literal_words` finds them in a pattern."""
    return _WORD.findall(text.casefold())


@lru_cache(maxsize=16_384)  # the same words come back in every crash of a program
def parts_of(word: str) -> tuple[str, ...]:
    """Return the beginnings, ends and pieces of a word, as they are marked in anchors."""
    lengths = [length for length in ENDS if length <= len(word)]
    return (
        *(f"^{word[:length]}" for length in lengths),
        *(f"${word[-length:]}" for length in lengths),
        *pieces_of(word),
    )


def pieces_of(word: str) -> tuple[str, ...]:
    """Return some of the pieces of a word, chosen by their own letters alone.

    So what is chosen of a word is chosen of every longer word that it is in.
    """
    size = ENDS[0]
    pieces = (word[n : n + size] for n in range(len(word) - size + 1))
    return tuple(f"~{piece}" for piece in pieces if crc32(piece.encode(errors="replace")) % 2 == 0)


def _known(source: object, kind: str) -> dict[str, Value]:
    """Return the fields of a model value that signatures can name and that are known."""
    values: dict[str, Value] = {}
    for entry in fields(source):  # type: ignore[arg-type]  # every caller passes a dataclass
        if find_field(f"{kind}.{entry.name}"):
            value = getattr(source, entry.name)
            if value is not None:
                values[entry.name] = value
    return values


def _frames(thread: Thread, number: int) -> Iterator[Thing]:
    rank = 0
    for n, frame in enumerate(thread.frames):
        values: dict[str, Value] = {"kind": frame.kind.value, "index": frame.index}
        for name in ("function", "file", "line", "module", "address", "launch"):
            value = getattr(frame, name)
            if value is not None:
                values[name] = value
        yield Thing(
            kind="frame",
            values=values,
            at=frame.at,
            thread=number,
            index=n,
            rank=None if frame.noise else rank,
        )
        rank += not frame.noise


def _thread(thread: Thread, number: int) -> Thing:
    values: dict[str, Value] = {"name": thread.name} if thread.name is not None else {}
    return Thing(kind="thread", values=values, at=thread.at, thread=number)


def _errors(crash: Crash) -> Iterable[Thing]:
    for error in crash.errors:
        values = {**_known(error, "error"), "role": error.role.value}
        if known := xid_of(error):
            values["class"] = known.blame.value
        yield Thing(kind="error", values=values, at=error.at)


def _signal(crash: Crash) -> Iterable[Thing]:
    if crash.signal:
        yield Thing(kind="signal", values=_known(crash.signal, "signal"), at=crash.signal.at)


def _modules(crash: Crash) -> Iterable[Thing]:
    for module in crash.modules:
        yield Thing(kind="module", values={**_known(module, "module"), "name": module.name})


def _engine(crash: Crash) -> Iterable[Thing]:
    if crash.engine:
        at = next((e.at for e in crash.engine.evidence if e.at), None)
        yield Thing(kind="engine", values=_known(crash.engine, "engine"), at=at)


def _environment(crash: Crash) -> Iterable[Thing]:
    env = crash.environment
    values = _known(env, "environment")
    yield Thing(kind="environment", values=values, places=_places(env, "environment", values))


def _gpus(crash: Crash) -> Iterable[Thing]:
    for gpu in crash.environment.gpus:
        values = _known(gpu, "gpu")
        yield Thing(kind="gpu", values=values, places=_places(crash.environment, "gpu", values))


def _model(crash: Crash) -> Iterable[Thing]:
    model = crash.environment.model
    if model:
        values = _known(model, "model")
        yield Thing(kind="model", values=values, places=_places(crash.environment, "model", values))


def _variables(crash: Crash) -> Iterable[Thing]:
    values: dict[str, Value] = dict(crash.environment.variables)
    places = _places(crash.environment, "variable", values)
    yield Thing(kind="variable", values=values, places=places)


def _options(crash: Crash) -> Iterable[Thing]:
    values: dict[str, Value] = dict(crash.environment.options)
    places = _places(crash.environment, "option", values)
    yield Thing(kind="option", values=values, places=places)


def _stated(crash: Crash) -> Iterable[Thing]:
    values: dict[str, Value] = dict(crash.environment.facts)
    places = _places(crash.environment, "fact", values)
    yield Thing(kind="fact", values=values, places=places)


def _lines(crash: Crash) -> Iterable[Thing]:
    for line in crash.lines:
        yield Thing(kind="log", values={"line": line.text}, at=line.at)


def _places(env: Environment, kind: str, names: Iterable[str]) -> dict[str, Position]:
    """Return the place of each name; readers know it by the field, the group or the name."""
    places: dict[str, Position] = {}
    for name in names:
        for key in (f"{kind}.{name}", f"{kind}s.{name}", name, kind):
            if key in env.where:
                places[name] = env.where[key]
                break
    return places


_MAKERS = {
    "error": _errors,
    "signal": _signal,
    "module": _modules,
    "engine": _engine,
    "environment": _environment,
    "gpu": _gpus,
    "model": _model,
    "variable": _variables,
    "option": _options,
    "fact": _stated,
    "log": _lines,
}
