"""The grammars as a whole: they build, take every text, and lose no line."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lark import Token

from tests.unit.formats.test_hostile import HEADS
from triage.errors import GrammarError
from triage.formats import formats
from triage.parse import grammar as module
from triage.parse.grammar import load_grammar
from triage.resources import data_dir

NAMES = sorted(path.stem for path in data_dir("grammars").glob("*.lark"))
PIECES = [
    "#0  0x1 in f (a=1) at f.c:3", "Thread 1 (LWP 7):", "CUDA error 700: x", "x: 1 Aborted",
    "[FATAL] CUDA error 2 (cudaErrorMemoryAllocation) x", "NVRM: Xid (PCI:1): 79, x", "text", " ",
    "GGML_ASSERT: a.c:1: x", "Traceback (most recent call last):", "ValueError: x", "  what():  x",
    '  File "a.py", line 1, in f', "==1==ERROR: AddressSanitizer: x", "nvidia-container-cli: x",
    "free(): x", "a.c:1: fatal error", "CUDA error: out", "a.c:1:1: runtime error: x", "", "\t",
    "SUMMARY: AddressSanitizer: x", "Fatal Python error: x", "[INFO] backend cuda: x", "\r",
    "\x0b", "\u2028", "Crash reason:  SIGSEGV", " 0  a!f [a.c : 1 + 0x1]", "0|0|a|f|a.c|1|0x1",
    "Unhandled exception at 0x1 in a.exe: 0xC0000005: x", ">\ta.dll!f() Line 1\tC",
    "00000000`00000000 00000000`00000000 : 00000000`00000000 : a!f+0x1", "[0x0]   a!f",
    "a: a.exe, b: 1.0, c: 0x00000000", "d: 0xc0000005", "<Data>a</Data>", "P1: a",
    "exit status 0xc0000005: x", "Exception 0xc0000005 0x1 0x1 0x1", "exit status 139",
    "wine: Unhandled illegal instruction", "=>0 0x00000000 f in a (0x00000000)",
    "Unhandled exception. A.B: x", "   at A.B() in a.cs:line 1", " ---> A.B: x",
    "zsh: abort  a", "signal: killed", "terminated by signal SIGSEGV", "code=dumped, status=6/ABRT",
    "kernel BUG at a.c:1!", "Stack trace of thread 1:",
]  # fmt: skip
LONG = st.builds(
    lambda head, filler, count, tail: head + filler * count + tail,
    st.sampled_from(PIECES),
    st.sampled_from("x (:"),
    st.integers(90, 2500),
    st.sampled_from(PIECES),
)


@pytest.fixture(autouse=True)
def no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "load_cached", lambda name, read: None)
    monkeypatch.setattr(module, "store_cached", lambda name, write: None)


def tokens_of(tree: object) -> list[Token]:
    if isinstance(tree, Token):
        return [tree]
    return [token for child in tree.children for token in tokens_of(child)]


def test_every_format_has_a_grammar_and_the_other_way_round():
    assert sorted(f.name for f in formats()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_builds_without_the_cache(name: str):
    load_grammar.cache_clear()
    assert load_grammar(name).name == name


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(PIECES), LONG, st.text(max_size=8)), max_size=8))
def test_property_every_line_is_in_one_token(name: str, pieces: list[str]):
    text = "\n".join(pieces)
    tokens = tokens_of(load_grammar(name).parse(text))
    lines = text.split("\n")
    taken = [token.split("\n") for token in tokens]  # gdb's frames are taken by the block
    assert [line for part in taken for line in part if line] == [line for line in lines if line]
    assert all(
        lines[token.line - 1 : token.line - 1 + len(part)] == part
        for token, part in zip(tokens, taken, strict=True)
    )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("filler", ["x", " x", "("])
def test_very_long_line_is_one_token(name: str, filler: str):
    for head in filter(None, PIECES):
        for tail in ("", "#0  f ()", "Thread 1 (LWP 7):", "CUDA error 700: x", "ValueError: x"):
            text = head + filler * 3000 + tail
            assert list(map(str, tokens_of(load_grammar(name).parse(text)))) == [text]


@pytest.mark.parametrize("name", NAMES)
def test_fields_are_parts_of_the_line(name: str):
    grammar = load_grammar(name)
    heads = [head + tail for head in HEADS[name] for tail in ("", "x", "1 (a:1)", "0x1 a (b + 1)")]
    tokens = tokens_of(grammar.parse("\n".join([*PIECES, *heads])))
    has_fields = any(pattern.groupindex for pattern in grammar._patterns.values())
    assert any(grammar.fields(token) for token in tokens) == has_fields
    for token in tokens:
        assert all(value is not None and value in token for value in grammar.fields(token).values())


def test_missing():
    with pytest.raises(GrammarError, match=r"nothing\.lark: no such grammar"):
        load_grammar("nothing")


def test_broken(tmp_path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "broken.lark").write_text("start: A\nA: /(/\n")
    monkeypatch.setattr(module, "data_dir", lambda kind: tmp_path)
    with pytest.raises(GrammarError, match=r"broken\.lark: "):
        load_grammar("broken")


def test_key_changes_with_the_text_and_with_what_is_shared(tmp_path):
    (tmp_path / "common").mkdir()
    shared = tmp_path / "common" / "line.lark"
    shared.write_text("A: /a/")
    first = module._key(tmp_path, "start: A")
    assert module._key(tmp_path, "start: A") == first
    assert module._key(tmp_path, "start: B") != first
    shared.write_text("A: /b/")
    assert module._key(tmp_path, "start: A") != first


WORDS = "%import .common.words (ADDRESS)\nstart: A\nA: /(?P<pc>{{ADDRESS}}) x/\n"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (WORDS.replace("(ADDRESS)", "(ADDRESS, END)"), "END"),
        (WORDS.replace("{{ADDRESS}}", "{{ADDRESS}}{{END}}"), "END"),
        (WORDS.replace("ADDRESS", "NOTHING"), "no such words: NOTHING"),
    ],
)
def test_words_are_imported_by_name(text: str, error: str, tmp_path, monkeypatch):
    shared = data_dir("grammars") / "common"
    (tmp_path / "common").symlink_to(shared)
    (tmp_path / "broken.lark").write_text(text)
    monkeypatch.setattr(module, "data_dir", lambda kind: tmp_path)
    load_grammar.cache_clear()
    with pytest.raises(GrammarError, match=error):
        load_grammar("broken")


def test_a_word_is_a_part_of_a_lines_pattern(tmp_path, monkeypatch):
    (tmp_path / "common").symlink_to(data_dir("grammars") / "common")
    (tmp_path / "good.lark").write_text(WORDS)
    monkeypatch.setattr(module, "data_dir", lambda kind: tmp_path)
    load_grammar.cache_clear()
    grammar = load_grammar("good")
    (token,) = tokens_of(grammar.parse("0x7f00 x"))
    assert grammar.fields(token) == {"pc": "0x7f00"}


def test_no_grammar_writes_a_word_out():
    vocabulary = (data_dir("grammars") / "common" / "words.lark").read_text()
    words = {m["name"]: m["pattern"] for m in module._DEFINITION.finditer(vocabulary)}
    assert len(words) > 8
    for name in ("ADDRESS", "PID", "END", "LED"):
        for path in data_dir("grammars").glob("*.lark"):
            assert words[name] not in path.read_text(), (name, path.name)
