"""Damage of texts with stacks is named, whatever the dialect."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.damage import DAMAGES, with_damages
from triage.formats import formats
from triage.model.crash import Fragment
from triage.model.position import Position
from triage.model.stack import Frame, Thread
from triage.read import ReadOptions, read_text
from triage.text.line import Line

PYTHON = """\
Traceback (most recent call last):
  File "/src/chat.py", line 7, in main
    run()
  File "/src/engine/run.py", line 99, in run
    step()
"""
KERNEL = """\
[   52.0] BUG: kernel NULL pointer dereference, address: 0000000000000018
[   52.0] Call Trace:
[   52.0]  queue_job+0x9d/0x1a0 [gpu]
[   52.0]  job_ioctl+0x88/0xd0 [gpu]
"""
VALGRIND = """\
==77== Invalid read of size 4
==77==    at 0x1091A3: load (load.c:7)
==77==    by 0x1091C3: main (main.c:9)
"""
SANITIZER = """\
==77==ERROR: AddressSanitizer: heap-use-after-free on address 0x602000000010 at pc 0x55d0a1b2c400
    #0 0x55d0a1b2c400 in load(char const*) /src/load.cpp:99:7
    #1 0x55d0a1b2c500 in main /src/main.cpp:5:3
"""
JAVA = """\
Exception in thread "main" java.lang.IllegalStateException: no model is open
\tat org.example.Session.ask(Session.java:88)
\tat org.example.Main.main(Main.java:41)
"""
GLOG = """\
*** SIGSEGV (@0x8) received by PID 6946 (TID 0x7eff66c3ae40) from PID 8; stack trace: ***
    @     0x561d05f1e266 load_layer()
    @     0x561d05f1e314 load_model()
"""
ALL = {
    "python": PYTHON, "kernel": KERNEL, "valgrind": VALGRIND, "sanitizer": SANITIZER, "java": JAVA,
    "glog": GLOG,
}  # fmt: skip


def codes(text: str) -> set[str]:
    return {w.code for w in read_text(text, ReadOptions()).crash.warnings}


@pytest.mark.parametrize("text", ALL.values(), ids=ALL)
def test_a_whole_text_has_none(text: str):
    assert codes(text) == set()


@pytest.mark.parametrize(
    "text",
    [
        PYTHON + '  File "/src/engi',
        PYTHON + '  File "/src/engine/step.py", li',
        KERNEL + "[   52.0]  __x64_sys_ioctl+0x9",
        VALGRIND + "==77==    by 0x10",
        SANITIZER + "    #2 0x7f0011",
        JAVA + "\tat org.example.Boot.st",
        JAVA + "\tat org.example.Boot.start(Boo",
        GLOG + "    @     0x561d05f1",
    ],
)
def test_cut_within_a_frame(text: str):
    assert codes(text) == {"frame-truncated"}
    assert "frame-truncated" not in codes(text + "\nand the log goes on\n" * 3)


@pytest.mark.parametrize(
    "line", ["--More--", "--More--(42%)", "lines 1-42", "lines 1-42/42 (END)", "(END)"]
)
@pytest.mark.parametrize("text", ALL.values(), ids=ALL)
def test_a_pager(text: str, line: str):
    first, rest = text.rstrip("\n").rsplit("\n", 1)
    assert "pager-prompt" in codes(f"{first}\n{line}\n{rest}\n")


@pytest.mark.parametrize("line", ["INFO: loaded", "[W0102 03:04:05 x.cpp:7] careful", "DEBUG x"])
@pytest.mark.parametrize("name", ["sanitizer", "valgrind", "kernel"])
def test_other_output_between_frames(name: str, line: str):
    first, rest = ALL[name].rstrip("\n").rsplit("\n", 1)
    assert "text-interleaved" in codes(f"{first}\n{line}\n{rest}\n")
    assert "text-interleaved" not in codes(f"{line}\n{ALL[name]}{line}\n")


def test_missing_numbers():
    text = SANITIZER.replace("#1", "#4")
    assert codes(text) == {"frames-missing"}


def test_lines_of_one_width():
    width = 84
    lines = [
        f"    #{n} 0x55d0a1b2c40{n} in engine::Cache::a_function_with_a_long_name_{n}(int, int) "
        f"/home/ada/engine/src/cache/blocks/cache_block_{n}.cpp:10{n}"
        for n in range(6)
    ]
    text = SANITIZER.splitlines()[0] + "\n"
    for line in lines:
        text += f"{line[:width]}\n{line[width:]}\n"
    assert "frame-wrapped" in codes(text)


LINES = st.lists(
    st.sampled_from(
        ["#0 0x1", "--More--", "INFO: x", "", "(END)", 'File "', "  at x", "f+0x1", "x" * 70]
    ),
    max_size=12,
)


@given(LINES, st.data())
def test_positions_lie_in_the_text(texts: list[str], data: st.DataObject):
    lines = [Line(n, text) for n, text in enumerate(texts, 10)]
    numbers = [line.number for line in lines]
    frames = (
        tuple(
            Frame(index=k, at=Position(line=n))
            for k, n in enumerate(sorted(data.draw(st.sets(st.sampled_from(numbers)))))
        )
        if numbers
        else ()
    )
    fragment = Fragment(dialect="x", threads=(Thread(frames=frames),))
    found = with_damages(fragment, lines, at_end=data.draw(st.booleans()))
    assert found.threads == fragment.threads
    assert all(w.at and w.at.line in numbers for w in found.warnings)
    assert len({w.code for w in found.warnings}) == len(found.warnings)


def test_codes_are_of_the_table():
    assert {damage.code for damage in DAMAGES} == {
        "frame-truncated", "pager-prompt", "text-interleaved",
    }  # fmt: skip
    assert "gdb" in {form.name for form in formats()}
