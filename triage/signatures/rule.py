"""What signatures, families and engine rules are, once their files have been read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from triage.model.diagnosis import Action, Level, Remedy
from triage.signatures.fields import FieldType, Op

Value = str | int | float
Comparison = tuple[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """One question about one field.

    `values` are the patterns of FITS, NOT and SEQUENCE, the text of VERSION and REGEX, the other
    field of ABOVE and BELOW; `comparisons` belong to COMPARE and `wanted` to SET.
    """

    __test__ = False  # pytest collects what is called Test

    thing: str
    name: str
    type: FieldType
    op: Op
    values: tuple[Value, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    wanted: bool = True

    @property
    def field(self) -> str:
        """Return the full name of the field."""
        return f"{self.thing}.{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Tests that must all hold for the same thing, or alternatives of which one must hold.

    `options` are the alternatives; `thing` is then "any" and there are no tests.
    """

    thing: str
    tests: tuple[Test, ...]
    options: tuple[Condition, ...] = ()
    why: str | None = None
    within: int | None = None
    any_thread: bool = False


def plain_conditions(conditions: Iterable[Condition]) -> Iterator[Condition]:
    """Yield conditions with tests: those themselves, or their alternatives."""
    for condition in conditions:
        yield from condition.options or (condition,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighted:
    """A condition that moves the confidence by a share of what is left."""

    condition: Condition
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A crash text that a signature must match, or must not; `file` where it lies beside it."""

    name: str
    matches: bool
    log: str | None = None
    file: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What is known about one kind of crash; `own` where it is the team's, not a shipped one."""

    id: str
    title: str
    family: str
    level: Level
    base: float
    when: tuple[Condition, ...]
    supports: tuple[Weighted, ...] = ()
    against: tuple[Weighted, ...] = ()
    unless: tuple[Condition, ...] = ()
    engines: tuple[str, ...] = ()
    action: Action | None = None
    cause: str | None = None
    sources: tuple[str, ...] = ()
    notes: str | None = None
    also: tuple[str, ...] = ()
    remedy: Remedy | None = None
    calculate: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()
    own: bool = False

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """Return every condition, whatever it is for."""
        weighted = (w.condition for w in (*self.supports, *self.against))
        return (*self.when, *weighted, *self.unless)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Conditions that must all hold, and how much it then says."""

    weight: float
    when: tuple[Condition, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """Something to collect, and the command that does it.

    `piece` names what it is, so that it is not asked for where it is there.
    """

    text: str
    command: str | None = None
    piece: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A class of failure, with what to do where nothing more exact is known."""

    id: str
    title: str
    explanation: str | None = None
    action: Action | None = None
    next_evidence: tuple[Advice, ...] = ()
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineRule:
    """How to tell that a crash is one of this engine, and which engines are inside it."""

    id: str
    title: str
    embeds: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """Everything that was read from one or more folders.

    `where` names the file of each id, `packs` has what each `pack.toml` says, by pack.
    """

    signatures: tuple[Signature, ...] = ()
    families: tuple[Family, ...] = ()
    engines: tuple[EngineRule, ...] = ()
    where: Mapping[str, str] = field(default_factory=dict)
    packs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
