"""What is doubtful about signatures that are well-formed.

Examples come in already read: a signature is tried on its own and on those of all others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from triage.model.crash import Crash
from triage.model.diagnosis import Level, StepStatus
from triage.signatures.anchors import signature_anchors
from triage.signatures.facts import Facts
from triage.signatures.fields import Op
from triage.signatures.literal import MIN_LITERAL, value_literal
from triage.signatures.match import confidence_of, level_of, match_signature
from triage.signatures.problems import nearest
from triage.signatures.rule import Example, Pack, Signature, plain_conditions

_SOURCED = (StepStatus.CONFIRMED, StepStatus.MERGED)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadExample:
    """An example of a signature with the crash that its text was read as."""

    signature: Signature
    example: Example
    crash: Crash


def lint(pack: Pack, examples: Sequence[ReadExample], chosen: Iterable[str]) -> list[str]:
    """Return the problems of the chosen signatures, each as `path: key: what, and what to do`.

    `pack` and `examples` are everything that is known, so that overlaps with it are found.
    """
    wanted = frozenset(chosen)
    mine = [s for s in pack.signatures if s.id in wanted]
    found = [problem for s in mine for problem in _alone(s, pack)]
    found += _twins(pack, wanted)
    found += _anchors(mine, examples)
    found += _overlaps(pack, examples, wanted)
    return [f"{pack.where.get(f'signature {i}', i)}: {text}" for i, text in found]


def _alone(signature: Signature, pack: Pack) -> Iterator[tuple[str, str]]:
    parts = (_names(signature, pack), _left(signature), _examples(signature), _claims(signature))
    for text in (text for part in parts for text in part):
        yield signature.id, text


def _names(signature: Signature, pack: Pack) -> Iterator[str]:
    """Yield what a signature names and nobody has."""
    engines = {e.id for e in pack.engines} | {inner for e in pack.engines for inner in e.embeds}
    asked = (
        ("family", {f.id for f in pack.families}, (signature.family,), "write families/{}.toml"),
        ("engine", engines, signature.engines, "write engines/{}.toml"),
        ("also", {s.id for s in pack.signatures}, signature.also, "remove it"),
    )
    for key, known, names, way_out in asked:
        for name in names:
            if name not in known:
                near = nearest(name, known)
                hint = f"did you mean {near!r}?" if near else way_out.format(name)
                kind = "signature" if key == "also" else key
                yield f"{key}: there is no {kind} {name!r}; {hint}"


def _left(signature: Signature) -> Iterator[str]:
    """Yield where a draft still says TODO."""
    remedy = signature.remedy
    texts = {
        "title": (signature.title,),
        "cause": (signature.cause or "",),
        "sources": signature.sources,
        "remedy.summary": (remedy.summary,) if remedy else (),
        "remedy.step": tuple(t for s in remedy.steps for t in (s.title, *s.commands))
        if remedy
        else (),
        "remedy.verify": tuple(t for v in remedy.verify for t in (v.title, v.command))
        if remedy
        else (),
        "example": tuple(
            t for e in signature.examples for t in (e.name, (e.log or "").strip()[:4])
        ),
    }
    for key, found in texts.items():
        if any(text.startswith("TODO") for text in found):
            yield f"{key}: says TODO; write what it asks for"


def _examples(signature: Signature) -> Iterator[str]:
    for expect, matches in (("match", True), ("no-match", False)):
        if not any(e.matches is matches for e in signature.examples):
            yield f"example: none with expect = {expect!r}; add one"
    names = [e.name for e in signature.examples]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"example: two are called {name!r}; rename one"


def _claims(signature: Signature) -> Iterator[str]:
    """Yield what a signature says without saying why it may."""
    best = confidence_of(signature.base, [w.weight for w in signature.supports], ())
    if level_of(best, signature.level) is not signature.level:
        yield (
            f"level: {signature.level.value!r} is never reached, the confidence goes up to "
            f"{best:.2f}; raise base, add [[supports]], or lower the level"
        )
    if not signature.sources:
        yield "sources: none; say where this is known from"
    for step in signature.remedy.steps if signature.remedy else ():
        if step.status in _SOURCED and not step.source:
            yield (
                f"remedy.step: {step.title!r} is {step.status.value} by nobody; add its `source`"
            )


def _twins(pack: Pack, wanted: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Yield signatures that ask the very same of a crash as another one does."""
    first: dict[object, str] = {}
    for signature in pack.signatures:
        asked = (signature.when, signature.unless, signature.engines)
        twin = first.setdefault(asked, signature.id)
        if twin != signature.id and wanted & {twin, signature.id}:
            yield signature.id, f"when: asks just what {twin} asks; remove one of them"


def _anchors(
    signatures: Iterable[Signature], examples: Sequence[ReadExample]
) -> Iterator[tuple[str, str]]:
    words: dict[str, set[str]] = {}
    for read in examples:
        if read.example.matches:
            words.setdefault(read.signature.id, set()).update(Facts(read.crash).words())
    for signature in signatures:
        anchors = signature_anchors(signature)
        if not anchors and not _has_literal(signature):
            text = (
                f"when: no condition names {MIN_LITERAL} characters of a text, so it says little "
                "and is tried on every crash; add one that does"
            )
            yield signature.id, text
        elif anchors and signature.id in words and not anchors & words[signature.id]:
            listed = ", ".join(sorted(anchor.lstrip("^$~=") for anchor in anchors))
            yield signature.id, f"when: none of its examples has one of the words {listed}"


def _has_literal(signature: Signature) -> bool:
    """Tell whether a text is asked for, if not by whole words."""
    return any(
        len(value_literal(test.op, str(value))) >= MIN_LITERAL
        for condition in plain_conditions(signature.when)
        for test in condition.tests
        if test.op in (Op.FITS, Op.REGEX, Op.SEQUENCE)
        for value in test.values
        if isinstance(value, str)
    )


def _overlaps(
    pack: Pack, examples: Sequence[ReadExample], wanted: frozenset[str]
) -> Iterator[tuple[str, str]]:
    seen: set[tuple[str, str]] = set()
    for read in examples:
        if not read.example.matches:
            continue
        facts = Facts(read.crash, pack.engines)
        for other in pack.signatures:
            pair = (read.signature.id, other.id)
            if pair in seen or not wanted & set(pair) or _declared(read.signature, other):
                continue
            match = match_signature(other, facts)
            if match is None:
                continue
            seen.add(pair)
            said = f"({match.level.value}, {match.confidence:.2f})"
            if other.id in wanted:
                yield (
                    other.id,
                    (
                        f"also: matches the example {read.example.name!r} of {pair[0]} too {said}; "
                        f"make it more exact, or declare it: also = [{pair[0]!r}]"
                    ),
                )
            elif match.level is not Level.HINT:  # a hint stands behind what says more
                yield (
                    read.signature.id,
                    (
                        f"also: {other.id} matches the example {read.example.name!r} too {said}; "
                        f"declare it: also = [{other.id!r}]"
                    ),
                )


def _declared(one: Signature, other: Signature) -> bool:
    return one.id == other.id or other.id in one.also or one.id in other.also
