"""Words that find the signatures worth trying on a crash.

Every crash that a signature holds for contains one of its anchors; a signature without anchors has
to be tried always.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import log2

from triage.signatures.facts import ENDS, pieces_of, words_of
from triage.signatures.fields import FieldType, Op
from triage.signatures.literal import MIN_LITERAL, value_literal
from triage.signatures.rule import Condition, Rule, Signature, Test, Value, plain_conditions
from triage.text.glob import literal_ends, literal_words

_GOOD_LENGTH = 12
_SHARING = 2  # letters that a word has to be longer for when twice as many share it
_OPEN = ("variable", "option")
# Every crash has such words, so they find nothing.
_COMMON = frozenset({"host", "gpu", "cause", "unclear", "consequence", "linux", "cuda", "x86_64"})


def signature_anchors(
    signature: Signature, shared: Mapping[str, int] | None = None
) -> frozenset[str]:
    """Return the anchors of a signature: those of its best test, none where it has none.

    `shared` tells how many signatures could have an anchor; what few have finds fewer.
    """
    return condition_anchors(signature.when, shared or {})


def possible_anchors(signature: Signature) -> frozenset[str]:
    """Return all that could be anchors of a signature."""
    plain = plain_conditions(signature.when)
    words = (w for c in plain for test in c.tests for option in _options(test) for w in option)
    return frozenset().union(*words)


def condition_anchors(conditions: Iterable[Condition], shared: Mapping[str, int]) -> frozenset[str]:
    """Return the best set of anchors that conditions have which must all hold."""
    choices = [anchors for c in conditions for anchors in _choices(c, shared) if anchors]
    return max(choices, key=lambda anchors: _worth(anchors, shared), default=frozenset())


def _choices(condition: Condition, shared: Mapping[str, int]) -> Iterable[frozenset[str]]:
    """Yield sets of anchors that would do for one condition; of alternatives each needs its own."""
    if condition.options:
        sets = [condition_anchors([option], shared) for option in condition.options]
        if all(sets):
            yield frozenset().union(*sets)
    for test in condition.tests:
        for option in _options(test):
            if option and all(option):
                yield frozenset(max(words, key=lambda w: (_rate(w, shared), w)) for words in option)


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


def _options(test: Test) -> Iterator[tuple[frozenset[str], ...]]:
    """Yield sets of words: what the test holds for has a word of each, whichever is chosen."""
    if test.thing in _OPEN:
        yield (frozenset(words_of(test.name)),)
    if test.thing == "log":
        if test.op in (Op.FITS, Op.REGEX):
            yield tuple(_literal(test.op, str(value)) for value in test.values)
    elif test.op is Op.SEQUENCE:
        for pattern in test.values:
            yield (_text_words(str(pattern)),)
    elif test.op is Op.REGEX:
        yield (_text_words(f"*{value_literal(test.op, str(test.values[0]))}*"),)
    elif test.op is Op.FITS:
        yield tuple(_pattern_words(value, test.type) for value in test.values)


def _literal(op: Op, value: str) -> frozenset[str]:
    literal = value_literal(op, value)
    return frozenset({f"={literal}"} if len(literal) >= MIN_LITERAL else ())


def _pattern_words(value: Value, kind: FieldType) -> frozenset[str]:
    if isinstance(value, str):
        return _text_words(value)
    # The sign of a number is no part of a word: -5 is found by 5.
    number = kind is FieldType.NUMBER and isinstance(value, int)
    return frozenset({str(abs(value))} if number else ())


def _text_words(pattern: str) -> frozenset[str]:
    """Return the words of a pattern, and what there is of those that may go on in a text."""
    begins, ends, inner = literal_ends(pattern)
    return literal_words(pattern).union(
        (f"^{word[:length]}" for word in begins if (length := _longest(word))),
        (f"${word[-length:]}" for word in ends if (length := _longest(word))),
        *map(pieces_of, inner),
    )


def _longest(word: str) -> int:
    return max((length for length in ENDS if length <= len(word)), default=0)


def _worth(anchors: frozenset[str], shared: Mapping[str, int]) -> tuple[float, int, list[str]]:
    """Return how rarely an anchor set will be found where it should not: rare words, few."""
    return min(_rate(word, shared) for word in anchors), -len(anchors), sorted(anchors)


def _rate(word: str, shared: Mapping[str, int]) -> float:
    """Return how telling a word is: a long one, that few signatures could be found by."""
    if word in _COMMON:
        return -_GOOD_LENGTH
    length = _GOOD_LENGTH + 1 if word[0] == "=" else min(len(word), _GOOD_LENGTH)
    return length - _SHARING * log2(shared.get(word, 1))
