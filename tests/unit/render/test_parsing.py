"""The page that says what was read from which line."""

from triage.model.crash import ErrorRecord, Fragment, Signal
from triage.model.position import Position
from triage.model.report import Input, InputKind
from triage.model.stack import Frame, Thread
from triage.render import RenderOptions
from triage.render._parsing import explain_parsing, render_parsing
from triage.text.line import Line

TEXTS = [
    "nothing here", "Thread 1:", "#0 f () at a.c:7", "quoted", "a", "b", "c",
    "boom \x1b[31m\u202e", "end",
]  # fmt: skip
LINES = tuple(Line(n, text) for n, text in enumerate(TEXTS, 1))
ITEM = Input(id=0, name="x.log", kind=InputKind.TEXT)


def at(line: int) -> Position:
    return Position(input=0, line=line)


FRAGMENTS = (
    Fragment(dialect="", warnings=()),
    Fragment(
        dialect="late",
        span=(8, 8),
        errors=(ErrorRecord(api="cuda", code=700, name="cudaErrorX", at=at(8)),),
        signal=Signal(name="SIGABRT", number=6, at=at(8)),
        claimed=frozenset({8}),
    ),
    Fragment(
        dialect="early",
        span=(2, 7),
        threads=(
            Thread(
                id="1",
                crashed=True,
                at=at(2),
                frames=(Frame(index=0, function="f", file="a.c", line=7, at=at(3)),),
            ),
        ),
        claimed=frozenset({2, 3, 4}),
    ),
)


def page(width: int = 100) -> list[str]:
    parsed = explain_parsing(ITEM, LINES, FRAGMENTS)
    return render_parsing([parsed], RenderOptions(width=width)).split("\n")


def test_page():
    assert [" ".join(line.split()) for line in page()] == [
        "x.log: 9 lines looked at, 2 regions, 2 lines in none",
        "",
        "early, lines 2-7",
        "2 thread 1, crashed Thread 1:",
        "3 frame #0 f a.c:7 #0 f () at a.c:7",
        "4 understood quoted",
        "lines 5-7: nothing read",
        "",
        "late, lines 8-8",
        r"8 signal SIGABRT (6) boom \x1b[31m\u202e",
        "error cuda 700 cudaErrorX",
        "",
    ]


def test_no_line_is_wider_than_the_page():
    assert all(len(line) <= 70 for line in page(70))


def test_an_input_without_a_region():
    parsed = explain_parsing(ITEM, LINES[:1], ())
    text = render_parsing([parsed], RenderOptions(width=80))
    assert text == "x.log: 1 line looked at, 0 regions, 1 line in none\n"
