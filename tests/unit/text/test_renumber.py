"""What was read of one writer's lines stands at their own numbers."""

from triage.model.crash import Engine, Environment, ErrorRecord, Fragment, Signal
from triage.model.evidence import Evidence
from triage.model.position import Position
from triage.model.stack import Frame, Thread
from triage.text.line import Line
from triage.text.renumber import renumbered

LINES = [Line(5, "a"), Line(9, "b"), Line(30, "c")]


def at(line: int | None) -> Position:
    return Position(input=2, line=line)


def test_every_position_is_moved_and_nothing_else():
    def fragment(*n: int) -> Fragment:
        a, b, c = n
        return Fragment(
            dialect="x",
            threads=(Thread(id="1", at=at(a), frames=(Frame(index=0, line=1, at=at(b)),)),),
            errors=(ErrorRecord(api="cuda", code=2, line=3, at=at(c)),),
            signal=Signal(name="SIGSEGV", number=11, at=at(None)),
            engine=Engine(
                name="y", evidence=(Evidence(field="f", text="t", weight=0.5, at=at(a)),)
            ),
            environment=Environment(where={"os": at(b)}),
            claimed=frozenset({a, c}),
        )

    assert renumbered(fragment(1, 2, 3), LINES) == fragment(5, 9, 30)
