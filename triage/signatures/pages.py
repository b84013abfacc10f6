"""A pack as a page of Markdown: what it knows, one section a signature."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from triage.model.diagnosis import Remedy, Step, StepStatus
from triage.signatures.placeholders import fill
from triage.signatures.rule import Condition, Pack, Signature
from triage.signatures.wording import describe

_STATUS = {
    StepStatus.CONFIRMED: "confirmed",
    StepStatus.MERGED: "merged",
    StepStatus.ADVICE: "advice",
}


def pack_names(pack: Pack) -> tuple[str, ...]:
    """Return the names of the packs that there are signatures of, in order."""
    return tuple(sorted({s.id.partition("/")[0] for s in pack.signatures}))


def page(pack: Pack, name: str) -> str:
    """Return the page of one pack."""
    signatures = [s for s in pack.signatures if s.id.partition("/")[0] == name]
    lines = [*_head(name, pack.packs.get(name, {}), signatures), *_table(signatures)]
    for signature in signatures:
        lines += _section(signature)
    return "\n".join(lines).rstrip() + "\n"


def _head(name: str, about: Mapping[str, Any], signatures: Sequence[Signature]) -> Iterator[str]:
    yield f"# {_text(str(about.get('title') or name))}"
    yield ""
    if about.get("description"):
        yield _text(" ".join(str(about["description"]).split()))
        yield ""
    version = f" {about['version']}" if about.get("version") else ""
    count = Counter(step.status for s in signatures for step in _steps(s))
    sure = f", {count[StepStatus.CONFIRMED]} of their steps confirmed" * bool(count)
    yield f"Pack `{name}`{version}: {len(signatures)} signatures{sure}."
    yield ""


def _steps(signature: Signature) -> tuple[Step, ...]:
    return signature.remedy.steps if signature.remedy else ()


def _table(signatures: Sequence[Signature]) -> Iterator[str]:
    yield "| signature | level | family | what goes wrong |"
    yield "|---|---|---|---|"
    for s in signatures:
        stem = s.id.partition("/")[2]
        title = _text(s.title).replace("|", "\\|")
        yield f"| [{stem}](#{stem.replace('.', '')}) | {s.level.value} | `{s.family}` | {title} |"
    yield ""


def _section(signature: Signature) -> Iterator[str]:
    yield f"## {signature.id.partition('/')[2]}"
    yield ""
    engines = f" Of {', '.join(f'`{name}`' for name in signature.engines)} alone."
    yield f"{_text(signature.title)}.{engines * bool(signature.engines)}"
    yield ""
    if signature.cause:
        yield f"**Cause.** {_text(signature.cause)}"
        yield ""
    yield f"**Known by** {'all of' if len(signature.when) > 1 else 'this'}:"
    yield ""
    for condition in signature.when:
        yield from _asked(condition)
    for condition in signature.unless:
        yield f"- not where {_code(describe(condition))}"
    yield ""
    if signature.remedy:
        yield from _fix(signature.remedy)
    if signature.sources:
        yield f"**Sources.** {_text('; '.join(signature.sources))}."
        yield ""


def _asked(condition: Condition) -> Iterator[str]:
    if not condition.options:
        yield f"- {_code(describe(condition))}"
        return
    yield "- one of:"
    for option in condition.options:
        yield f"  - {_code(describe(option))}"


def _fix(remedy: Remedy) -> Iterator[str]:
    yield f"**Fix.** {_text(remedy.summary)}"
    yield ""
    for number, step in enumerate(remedy.steps, 1):
        yield f"{number}. {_text(step.title)}{_standing(step)}"
        if step.commands:
            yield ""
            yield "   ```sh"
            yield from (f"   {line}" for c in step.commands for line in _shell(c))
            yield "   ```"
            yield ""
    if remedy.steps and not remedy.steps[-1].commands:
        yield ""


def _standing(step: Step) -> str:
    """Return how much is known of a step, as ` (confirmed: llama.cpp#4680)`."""
    status = _STATUS[step.status] if step.status else ""
    said = ": ".join(part for part in (status, step.source or "") if part)
    return f" ({_text(said)})" if said else ""


def _shell(command: str) -> list[str]:
    """Return a command as it is where the crash states nothing."""
    return fill(command, lambda _: None).splitlines()


def _text(text: str) -> str:
    """Return a text that no reader of Markdown takes for HTML, on one line."""
    return " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")


def _code(text: str) -> str:
    fence = "``" if "`" in text else "`"
    space = " " if "`" in text else ""
    return f"{fence}{space}{text}{space}{fence}"
