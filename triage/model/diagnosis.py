"""What is concluded from a crash."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from triage.model.evidence import Evidence
from triage.model.position import Position


class Verdict(StrEnum):
    """The one-word outcome of an analysis."""

    KNOWN = "known"
    UNKNOWN = "unknown"
    NO_CRASH = "no-crash"


class Level(StrEnum):
    """How sure a diagnosis is."""

    CERTAIN = "certain"
    LIKELY = "likely"
    HINT = "hint"


class Action(StrEnum):
    """The one thing to do first."""

    FIX_CONFIGURATION = "fix-configuration"
    CHANGE_MODEL = "change-model"
    UPDATE_ENGINE = "update-engine"
    UPDATE_DRIVER = "update-driver"
    RESTART_PROCESS = "restart-process"
    RESET_GPU = "reset-gpu"
    REBOOT_HOST = "reboot-host"
    DRAIN_AND_REPLACE = "drain-and-replace"
    REPORT_UPSTREAM = "report-upstream"
    COLLECT_MORE = "collect-more"


class StepStatus(StrEnum):
    """How much is known of a step: it worked for someone, it was merged, or it was advised."""

    CONFIRMED = "confirmed"
    MERGED = "merged"
    ADVICE = "advice"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a remedy: commands, or a text before and after the change.

    `source` is where its standing is known from, such as `llama.cpp#4680`.
    """

    title: str
    why: str | None = None
    commands: tuple[str, ...] = ()
    before: str | None = None
    after: str | None = None
    status: StepStatus | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A command that proves the remedy worked, and what it must show."""

    title: str
    command: str
    expect: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One number in a calculation and where it came from; `at` is None for an assumption."""

    name: str
    value: str
    source: str
    at: Position | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Calculation:
    """A figure worked out from the crash's own numbers."""

    name: str
    formula: str
    result: str
    terms: tuple[Term, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """What to do about a diagnosis, and how to see that it worked."""

    summary: str
    steps: tuple[Step, ...] = ()
    verify: tuple[Check, ...] = ()
    references: tuple[str, ...] = ()
    calculations: tuple[Calculation, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """How many reports people said a diagnosis was right and wrong in."""

    right: int = 0
    wrong: int = 0

    @property
    def words(self) -> str:
        """Return it as `of 14 reports 12 said right`."""
        count = self.right + self.wrong
        return f"of {count} report{'s' * (count != 1)} {self.right} said right"


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """One signature that matches the crash, with everything that speaks for and against it.

    `own` says that the signature is the team's, not one that ships with clawtriage.
    """

    signature: str
    family: str
    title: str
    confidence: float
    level: Level
    action: Action | None = None
    cause: str | None = None
    evidence: tuple[Evidence, ...] = ()
    against: tuple[Evidence, ...] = ()
    remedy: Remedy | None = None
    own: bool = False
    feedback: Feedback | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """The computed identity of a crash, with what it was computed from."""

    value: str
    title: str
    algorithm: int
    inputs: tuple[str, ...]
