"""What the templates are given: the report in the words of a page, nothing left to decide.

Texts are empty where there is nothing to say. They are as the crash has them: the templates'
environment makes every one of them safe.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Part(Generic[T]):
    """The part of a list that there is room for, and how many are left out."""

    shown: tuple[T, ...] = ()
    more: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FactView:
    """One fact: where it stands, what it is about, what it says."""

    place: str
    about: str
    text: str
    weight: str = ""
    why: str = ""
    against: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorView:
    """One error: its name, its message, and what its timing means."""

    name: str
    message: str
    remark: str
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameView:
    """One frame of the stack that is shown."""

    number: int
    function: str
    args: str
    short_place: str
    place: str
    blamed: bool
    noise: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StackView:
    """The stack that the report is about; `before` and `after` count the frames left out."""

    title: str
    frames: tuple[FrameView, ...]
    before: int
    after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StepView:
    """One step of the fix, with the texts cut to what there is room for."""

    number: int
    title: str
    why: str
    status: str
    commands: tuple[str, ...]
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckView:
    """One proof that the fix worked."""

    title: str
    command: str
    expect: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CalculationView:
    """One figure and the numbers that it comes from."""

    line: str
    terms: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherView:
    """Another signature that matches."""

    odds: str
    signature: str
    title: str
    said: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NextView:
    """Something to collect, with the commands that collect it."""

    text: str
    commands: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportView:
    """The report as a page."""

    verdict: str
    tone: str
    title: str
    odds: str
    signature: str
    family: str
    action: str
    engine: str
    cause: str
    said: str
    signal: str
    blamed: str
    blamed_label: str
    blamed_why: str
    host_stack: str
    errors: Part[ErrorView]
    evidence: Part[FactView]
    summary: str
    steps: Part[StepView]
    calculations: tuple[CalculationView, ...]
    checks: Part[CheckView]
    references: tuple[str, ...]
    others: Part[OtherView]
    warnings: Part[FactView]
    next_evidence: Part[NextView]
    stack: StackView | None
    groups: Part[str]
    environment: tuple[FactView, ...]
    inputs: tuple[str, ...]
    fingerprint: str
    redacted: str
    left_out: str
