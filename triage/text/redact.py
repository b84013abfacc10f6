"""Takes secrets and personal data out of a report before anyone else sees it.

Each is replaced by a placeholder such as `<hf-token:1>`; the same value has the same number all
through a report, so that the reader can still tell which belong together. What only its name gives
away (`CLAW_PASSWORD=…`) is then looked for everywhere else, too.
"""

from __future__ import annotations

import dataclasses
import re
import typing
from collections import Counter
from collections.abc import Mapping
from functools import cache, partial
from typing import Any, TypeVar

from triage.model.evidence import Evidence
from triage.model.report import Report
from triage.text.secrets import (
    RULES,
    Context,
    Rule,
    is_secret,
    is_secret_name,
    unquote,
    worth_finding,
)

T = TypeVar("T")

_PROMPTS = frozenset(("prompt", "p", "system-prompt", "sys", "negative-prompt"))
_NO_PROMPT = re.compile(r"[-\d:.]*\Z|<prompt:")
_CONTEXTS = dict.fromkeys(
    ("remedy", "title", "cause", "next_evidence", "why"), Context.OURS
) | dict.fromkeys(
    ("version", "driver", "driver_cuda", "cuda_runtime", "cuda_toolkit", "os"), Context.VERSION
)
_SETTINGS = frozenset(("variables", "options"))
_NOT_SET = " is not set"
_MOST_KNOWN = 256
_NEEDLES = {
    context: tuple(
        (x, n) for n, rule in enumerate(RULES) if context in rule.contexts for x in rule.needles
    )
    for context in Context
}


def redact_report(report: Report) -> Report:
    """Return the report with secrets and personal data replaced, and how often by kind."""
    redactor = _Redactor({})
    redacted: Report = redactor.record(report, Context.CRASH)
    if redactor.named:
        redactor = _Redactor(redactor.named)
        redacted = redactor.record(report, Context.CRASH)
    if not redactor.counts:
        return report
    total = Counter(report.redactions) + redactor.counts
    return dataclasses.replace(redacted, redactions=dict(sorted(total.items())))


def redact_record(record: T) -> T:
    """Return any record of a crash with secrets and personal data replaced."""
    redactor = _Redactor({})
    redacted: T = redactor.record(record, Context.CRASH)
    if redactor.named:
        redacted = _Redactor(redactor.named).record(record, Context.CRASH)
    return redacted


class _Redactor:
    """Replaces what must not be read in the values of a report.

    `known` are values to look for everywhere, with their kinds; `named` collects them.
    """

    def __init__(self, known: Mapping[str, str]) -> None:
        self.counts: Counter[str] = Counter()
        self.named: dict[str, str] = {}
        self._known = known
        longest_first = sorted(known, key=len, reverse=True)
        self._search = re.compile("|".join(map(re.escape, longest_first))) if known else None
        self._numbers: dict[str, dict[str, int]] = {}
        self._done: dict[tuple[Context, str], tuple[str, tuple[str, ...]]] = {}

    def record(self, record: Any, context: Context) -> Any:
        """Return a record with its fields redacted; the record itself where none changed."""
        changed = {}
        for name in _names(record.__class__):
            old = getattr(record, name)
            if old is None:
                continue
            new = self._field(name, old, context)
            if new is not old:
                changed[name] = new
        return dataclasses.replace(record, **changed) if changed else record

    def _evidence(self, evidence: Evidence) -> Evidence:
        """Redact the value of a setting, which is named by the field that the evidence is on."""
        thing, _, name = evidence.field.partition(".")
        if thing in ("option", "variable") and not evidence.text.endswith(_NOT_SET):
            text = self._setting(name, evidence.text)
            return evidence if text == evidence.text else dataclasses.replace(evidence, text=text)
        return evidence

    def _field(self, name: str, value: Any, context: Context) -> Any:
        if isinstance(value, str):
            return self.text(value, _context(name, context))
        if name in _SETTINGS:
            return self._settings(value)
        if name == "command_line":
            return self._arguments(value)
        return self._value(value, _context(name, context))

    def _value(self, value: Any, context: Context) -> Any:
        if isinstance(value, str):
            return self.text(value, context)
        if isinstance(value, tuple):
            items = tuple([self._value(item, context) for item in value])
            return items if _differ(items, value) else value
        if isinstance(value, Mapping):
            table = {k: self._value(v, context) for k, v in value.items()}
            return table if _differ(table.values(), value.values()) else value
        if isinstance(value, Evidence):
            value = self._evidence(value)
        return self.record(value, context) if dataclasses.is_dataclass(value) else value

    def _settings(self, table: Mapping[str, str | None]) -> Mapping[str, str | None]:
        new = {k: None if v is None else self._setting(k, v) for k, v in table.items()}
        return new if new != table else table

    def _setting(self, name: str, value: str) -> str:
        """Redact a value whose name is known."""
        if _is_prompt(name) and not _NO_PROMPT.match(value):
            return self._replace("prompt", value)
        redacted = self.text(value, Context.CRASH)
        if redacted == value and is_secret_name(name):
            password = "pass" in name.lower()
            return self._replace("secret", value) if is_secret(value, password=password) else value
        return redacted

    def _arguments(self, arguments: tuple[str, ...]) -> tuple[str, ...]:
        new = []
        option = ""
        for argument in arguments:
            name, equals, value = argument.partition("=")
            if argument.startswith("-") and equals and not _is_private(option):
                new.append(f"{name}={self._setting(name, value)}")
            else:
                new.append(self._setting(option, argument))
            option = argument if argument.startswith("-") and not equals else ""
        result = tuple(new)
        return result if result != arguments else arguments

    def text(self, text: str, context: Context) -> str:
        """Return a text redacted; what was done to a text before is done again from memory."""
        found = self._done.get((context, text))
        if found is None:
            found = self._done[context, text] = self._redact(text, context)
        for kind in found[1]:
            self.counts[kind] += 1
        return found[0]

    def _redact(self, text: str, context: Context) -> tuple[str, tuple[str, ...]]:
        before = self.counts
        self.counts = Counter()
        new = text
        if self._search:
            new = self._search.sub(lambda m: self._replace(self._known[m[0]], m[0]), new)
        lower = new.lower()
        for n in sorted({n for needle, n in _NEEDLES[context] if needle in lower}):
            new = RULES[n].pattern.sub(partial(self._match, RULES[n], context), new)
        kinds = tuple(self.counts.elements())
        self.counts = before
        return new, kinds

    def _match(self, rule: Rule, context: Context, match: re.Match[str]) -> str:
        if not rule.real(match):
            return match[0]
        value = unquote(match["secret"])
        new = self._replace(rule.kind, value, named=rule.named)
        if rule.kind == "home-path" and context is Context.OURS:
            new = "$HOME"
        start = match.start("secret") - match.start()
        if value != match["secret"]:
            start += 1
        return match[0][:start] + new + match[0][start + len(value) :]

    def _replace(self, kind: str, value: str, *, named: bool = True) -> str:
        """Return the placeholder of a value and count it."""
        self.counts[kind] += 1
        if named and len(self.named) < _MOST_KNOWN and worth_finding(kind, value):
            self.named.setdefault(value, kind)
        if kind == "prompt":
            return f"<prompt:{len(value)} characters>"
        numbers = self._numbers.setdefault(kind, {})
        return f"<{kind}:{numbers.setdefault(value, len(numbers) + 1)}>"


def _context(name: str, context: Context) -> Context:
    """Return whose words a field of a record holds."""
    if context is not Context.CRASH:
        return context
    return _CONTEXTS.get(name, context)


def _is_prompt(option: str) -> bool:
    return option.lstrip("-").lower() in _PROMPTS


def _is_private(option: str) -> bool:
    return _is_prompt(option) or is_secret_name(option.lstrip("-"))


def _differ(new: Any, old: Any) -> bool:
    return any(a is not b for a, b in zip(new, old, strict=True))


@cache
def _names(kind: type) -> tuple[str, ...]:
    """Return the fields of a record that can hold a text."""
    hints = typing.get_type_hints(kind)
    return tuple(name for name, hint in hints.items() if _holds_text(hint))


def _holds_text(hint: Any) -> bool:
    parts = typing.get_args(hint)
    if parts:
        return any(map(_holds_text, parts))
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return bool(_names(hint))
    return hint is str
