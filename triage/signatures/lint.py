"""What is doubtful about signatures that are well-formed.

Examples come in already read: a signature is tried on its own and on those of all others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from triage.model.crash import Crash
from triage.signatures.anchors import signature_anchors
from triage.signatures.facts import Facts
from triage.signatures.fields import Op
from triage.signatures.literal import MIN_LITERAL, value_literal
from triage.signatures.match import confidence_of, level_of, match_signature
from triage.signatures.problems import nearest
from triage.signatures.rule import Example, Pack, Signature, plain_conditions


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
    found += _anchors(mine, examples)
    found += _overlaps(pack, examples, wanted)
    return [f"{pack.where.get(f'signature {i}', i)}: {text}" for i, text in found]


def _alone(signature: Signature, pack: Pack) -> Iterator[tuple[str, str]]:
    own = signature.id
    families = {family.id for family in pack.families}
    if signature.family not in families:
        near = nearest(signature.family, families)
        hint = f"did you mean {near!r}?" if near else f"write families/{signature.family}.toml"
        yield own, f"family: there is no family {signature.family!r}; {hint}"
    for expect, matches in (("match", True), ("no-match", False)):
        if not any(e.matches is matches for e in signature.examples):
            yield own, f"example: none with expect = {expect!r}; add one"
    engines = {e.id for e in pack.engines} | {inner for e in pack.engines for inner in e.embeds}
    for name in signature.engines:
        if name not in engines:
            near = nearest(name, engines)
            hint = f"did you mean {near!r}?" if near else f"write engines/{name}.toml"
            yield own, f"engine: there is no engine {name!r}; {hint}"
    ids = {s.id for s in pack.signatures}
    for other in signature.also:
        if other not in ids:
            near = nearest(other, ids)
            hint = f"did you mean {near!r}?" if near else "remove it"
            yield own, f"also: there is no signature {other!r}; {hint}"
    names = [e.name for e in signature.examples]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield own, f"example: two are called {name!r}; rename one"
    best = confidence_of(signature.base, [w.weight for w in signature.supports], ())
    if level_of(best, signature.level) is not signature.level:
        text = (
            f"level: {signature.level.value!r} is never reached, the confidence goes up to "
            f"{best:.2f}; raise base, add [[supports]], or lower the level"
        )
        yield own, text
    if not signature.sources:
        yield own, "sources: none; say where this is known from"


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
            listed = ", ".join(sorted(anchors))
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
            if match:
                seen.add(pair)
                text = (
                    f"also: matches the example {read.example.name!r} of {pair[0]} too "
                    f"({match.level.value}, {match.confidence:.2f}); make it more exact, or "
                    f"declare it: also = [{pair[0]!r}]"
                )
                yield other.id, text


def _declared(one: Signature, other: Signature) -> bool:
    return one.id == other.id or other.id in one.also or one.id in other.also
