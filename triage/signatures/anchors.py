"""Words that find the signatures worth trying on a crash.

Every crash that a signature holds for contains one of its anchors; a signature without anchors has
to be tried always.
"""

from __future__ import annotations

from collections.abc import Iterable

from triage.signatures.facts import ENDS, pieces_of, words_of
from triage.signatures.fields import FieldType, Op
from triage.signatures.literal import MIN_LITERAL, value_literal
from triage.signatures.rule import Condition, Rule, Signature, Test, Value, plain_conditions
from triage.text.glob import literal_ends, literal_words

_GOOD_LENGTH = 12
_OPEN = ("variable", "option")
# Every crash has such words, so they find nothing.
_COMMON = frozenset({"host", "gpu", "cause", "unclear", "consequence", "linux", "cuda", "x86_64"})


def signature_anchors(signature: Signature) -> frozenset[str]:
    """Return the anchors of a signature: those of its best test, none where it has none."""
    return condition_anchors(signature.when)


def condition_anchors(conditions: Iterable[Condition]) -> frozenset[str]:
    """Return the best set of anchors that conditions have which must all hold."""
    choices = [anchors for c in conditions for anchors in _choices(c) if anchors]
    return max(choices, key=_worth, default=frozenset())


def _choices(condition: Condition) -> Iterable[frozenset[str]]:
    """Yield sets of anchors that would do for one condition; of alternatives each needs its own."""
    if condition.options:
        sets = [condition_anchors([option]) for option in condition.options]
        if all(sets):
            yield frozenset().union(*sets)
    for test in condition.tests:
        yield from _test_anchors(test)


def log_literals(conditions: Iterable[Condition]) -> frozenset[str]:
    """Return the texts, in lower case, of which every line that conditions ask for has one."""
    return frozenset(
        literal
        for condition in plain_conditions(conditions)
        if condition.thing == "log"
        for test in condition.tests
        for value in test.values
        if len(literal := value_literal(test.op, str(value))) >= MIN_LITERAL
    )


def variables(conditions: Iterable[Condition]) -> frozenset[str]:
    """Return the names of the environment variables that conditions ask about."""
    plain = tuple(plain_conditions(conditions))
    return frozenset(
        test.name for c in plain if c.thing == "variable" for test in c.tests
    ) | frozenset(
        str(test.values[0]).partition(".")[2]
        for c in plain
        for test in c.tests
        if test.op in (Op.ABOVE, Op.BELOW) and str(test.values[0]).startswith("variable.")
    )


def rule_conditions(rules: Iterable[Rule]) -> tuple[Condition, ...]:
    """Return the conditions of all rules."""
    return tuple(condition for rule in rules for condition in rule.when)


def _test_anchors(test: Test) -> Iterable[frozenset[str]]:
    """Yield sets of words such that every value the test holds for contains one of each."""
    if test.thing in _OPEN:
        yield _best_word(words_of(test.name))
    if test.thing == "log" and test.op in (Op.FITS, Op.REGEX):
        literals = [value_literal(test.op, str(value)) for value in test.values]
        if all(len(literal) >= MIN_LITERAL for literal in literals):
            yield frozenset(f"={literal}" for literal in literals)
    elif test.thing == "log":
        return
    elif test.op is Op.SEQUENCE:
        for pattern in test.values:
            yield _best_word(_text_words(str(pattern)))
    elif test.op is Op.REGEX:
        yield _best_word(_text_words(f"*{value_literal(test.op, str(test.values[0]))}*"))
    elif test.op is Op.FITS:
        words = [_pattern_words(value, test.type) for value in test.values]
        if all(words):
            yield frozenset().union(*(_best_word(w) for w in words))


def _pattern_words(value: Value, kind: FieldType) -> Iterable[str]:
    if isinstance(value, str):
        return _text_words(value)
    # The sign of a number is no part of a word: -5 is found by 5.
    return (str(abs(value)),) if kind is FieldType.NUMBER and isinstance(value, int) else ()


def _text_words(pattern: str) -> frozenset[str]:
    """Return the words of a pattern, and what there is of those that may go on in a text."""
    begins, ends, inner = literal_ends(pattern)
    return literal_words(pattern).union(
        (f"^{word[:ENDS]}" for word in begins if len(word) >= ENDS),
        (f"${word[-ENDS:]}" for word in ends if len(word) >= ENDS),
        *map(pieces_of, inner),
    )


def _best_word(words: Iterable[str]) -> frozenset[str]:
    best = max(words, key=lambda word: (_length(word), word), default=None)
    return frozenset({best}) if best else frozenset()


def _worth(anchors: frozenset[str]) -> tuple[int, int, list[str]]:
    """Return how rarely an anchor set will be found where it should not: long words, few."""
    return min(_length(word) for word in anchors), -len(anchors), sorted(anchors)


def _length(word: str) -> int:
    if word in _COMMON:
        return 0
    if word[0] == "=":
        return _GOOD_LENGTH + 1
    return min(len(word), _GOOD_LENGTH)
