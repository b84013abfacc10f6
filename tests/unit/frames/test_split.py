"""Printed frames, taken apart."""

import timeit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.frames import split
from triage.frames.split import split_frame


@pytest.mark.parametrize(
    ("text", "function", "args", "place"),
    [
        (
            "main (argc=3, argv=0x7ffd) at main.cpp:25",
            "main",
            "argc=3, argv=0x7ffd",
            ("main.cpp", 25),
        ),
        ("0x0000 in ?? () from /usr/lib/libcuda.so.1", None, "", "/usr/lib/libcuda.so.1"),
        (
            "std::function<void (int)>::operator()(int) const (this=0x1) at f.h:590",
            "std::function<void (int)>::operator()(int) const",
            "this=0x1",
            ("f.h", 590),
        ),
        (
            "log (s=0x2 \"foo) at bar.c:1 (\", c=41 ')') at /usr/x.h:5",
            "log",
            "s=0x2 \"foo) at bar.c:1 (\", c=41 ')'",
            ("/usr/x.h", 5),
        ),
        (
            "0x1 in void (anonymous namespace)::f<int>(int) ()",
            "void (anonymous namespace)::f<int>(int)",
            "",
            None,
        ),
        ("a::operator<< <int> (x=...) at f:1", "a::operator<< <int>", "x=...", ("f", 1)),
        ("operator new (sz=1) from /lib/x.so", "operator new", "sz=1", "/lib/x.so"),
        (
            "ns::f(int (*)(char)) (cb=0x1) at my dir/a b.c:7",
            "ns::f(int (*)(char))",
            "cb=0x1",
            ("my dir/a b.c", 7),
        ),
        ("foo", "foo", None, None),
        ("wait4 () from C:\\lib\\x.dll", "wait4", "", "C:\\lib\\x.dll"),
        (
            "f (a=<error: Cannot access memory at 0x1>) at f.c:2",
            "f",
            "a=<error: Cannot access memory at 0x1>",
            ("f.c", 2),
        ),
        # lambdas and operators, as gdb and as the demangler name them
        (
            "0x1 in operator() (__closure=0x2) at llm_engine.cpp:243",
            "operator()",
            "__closure=0x2",
            ("llm_engine.cpp", 243),
        ),
        (
            "llm::engine::generate()::<lambda(int)>::operator()(int) const (this=0x1) at e.cpp:9",
            "llm::engine::generate()::<lambda(int)>::operator()(int) const",
            "this=0x1",
            ("e.cpp", 9),
        ),
        (
            "std::__invoke_impl<void, llm::engine::generate()::<lambda()> > (__f=...) at i.h:61",
            "std::__invoke_impl<void, llm::engine::generate()::<lambda()> >",
            "__f=...",
            ("i.h", 61),
        ),
        (
            "A::operator->() const (this=0x1) at a.h:3",
            "A::operator->() const",
            "this=0x1",
            ("a.h", 3),
        ),
        ("A::operator() (x=1) at a.h:3", "A::operator()", "x=1", ("a.h", 3)),
        ("A::operator< (b=...) at a.h:3", "A::operator<", "b=...", ("a.h", 3)),
        ("A::operator bool (this=0x1) at a.h:3", "A::operator bool", "this=0x1", ("a.h", 3)),
        ("my_operator () at a.c:3", "my_operator", "", ("a.c", 3)),
        ("my_operator (x=1) at a.c:3", "my_operator", "x=1", ("a.c", 3)),
        (
            "std::map<int, std::function<void (int)>, std::less<int> >::at (k=1) at m.h:2",
            "std::map<int, std::function<void (int)>, std::less<int> >::at",
            "k=1",
            ("m.h", 2),
        ),
        (
            "llm::(anonymous namespace)::cuda_backend::remap (this=0x1) at c.cu:211",
            "llm::(anonymous namespace)::cuda_backend::remap",
            "this=0x1",
            ("c.cu", 211),
        ),
        # what compilers and linkers add
        ("0x1 in f(int) [clone .cold] () at a.c:3", "f(int) [clone .cold]", "", ("a.c", 3)),
        ("0x1 in f.part.0 () from /l.so", "f.part.0", "", "/l.so"),
        (
            "0x1 in pthread_cond_wait@@GLIBC_2.3.2 () from /lib/libc.so.6",
            "pthread_cond_wait@@GLIBC_2.3.2",
            "",
            "/lib/libc.so.6",
        ),
        # values
        (
            "f (a={x = 1, y = {2, 3}}, b=0x1 <g(int)>) at a.c:3",
            "f",
            "a={x = 1, y = {2, 3}}, b=0x1 <g(int)>",
            ("a.c", 3),
        ),
        (
            'f (s="it\'s (", c=39 \'\\\'\', t="\\"") at a.c:3',
            "f",
            's="it\'s (", c=39 \'\\\'\', t="\\""',
            ("a.c", 3),
        ),
        (
            "f (op=@0x1: {<No data fields>}, n=-1) at a.c:3",
            "f",
            "op=@0x1: {<No data fields>}, n=-1",
            ("a.c", 3),
        ),
        ("f (a=it's, b=(it's)) at a.c:3", "f", "a=it's, b=(it's)", ("a.c", 3)),
        # places
        ("f () at ../sysdeps/x/raise.c:26", "f", "", ("../sysdeps/x/raise.c", 26)),
        ("f () at a.cpp:3:17", "f", "", ("a.cpp", 3)),
        ("f (x=1) at C:\\src\\a b.cpp:3", "f", "x=1", ("C:\\src\\a b.cpp", 3)),
        ("f at a.cpp:3", "f", None, ("a.cpp", 3)),
        ("f from /l.so", "f", None, "/l.so"),
    ],
)
def test_parts(text, function, args, place) -> None:
    frame = split_frame(text)
    assert (frame.function, frame.args) == (function, args)
    found = (frame.file, frame.line) if frame.file else frame.module
    assert found == place
    assert frame.complete


def test_launch_geometry_is_not_part_of_the_name() -> None:
    frame = split_frame("remap_kernel<float, 0><<<(4,1,1),(128,1,1)>>> () at b.cu:20")
    assert frame.function == "remap_kernel<float, 0>"
    assert frame.launch == "<<<(4,1,1),(128,1,1)>>>"
    assert (frame.file, frame.line) == ("b.cu", 20)


@pytest.mark.parametrize(
    ("text", "function"),
    [
        ('0x1 in foo (bar=1, text=0x2 "never clo', "foo"),
        ("foo (this=0x1,", "foo"),
        ("foo (a={b = (c", "foo"),
        ("ns::f<int> (", "ns::f<int>"),
        ("f (a=1) (b=2", "f (a=1)"),
        ("f (a=1) something else", "f (a=1) something else"),
        ("", None),
        ("?? ()", None),
        ("0x1 in ??", None),
        (")>]} (", ")>]}"),
    ],
)
def test_what_is_cut_or_unbalanced(text, function) -> None:
    frame = split_frame(text)
    assert frame.function == function
    assert (frame.file, frame.line, frame.module) == (None, None, None)
    assert frame.complete is (text in ("", "?? ()", "0x1 in ??", "f (a=1) something else"))


@pytest.mark.parametrize(
    ("text", "function"),
    [
        ("0x1 in ns::T<int, a<b> >::f(ns::T<int> const&, std::pair<", "ns::T<int, a<b> >::f"),
        ("0x1 in ns::f(int", "ns::f"),
        ("0x1 in std::map<int, st", None),
        ("0x1 in llm::(anonymous name", None),
        ("0x1 in A::operator(", None),
        ("0x1 in void (", None),
        ("0x1 in f(int)::{lambda(in", None),
    ],
)
def test_of_a_name_that_is_cut_off_the_sure_part_is_kept(text, function) -> None:
    frame = split_frame(text)
    assert (frame.function, frame.complete) == (function, False)


@pytest.mark.parametrize(
    ("text", "function", "module"),
    [
        ("0x00007f42a3b6f7fb __poll", "__poll", None),
        ("0x00007f42a3b6f7fb - 1 std::foo(int) - /usr/bin/x", "std::foo(int)", "/usr/bin/x"),
        ("0x00007f42a3b6f7fb", None, None),
    ],
)
def test_frames_of_eu_stack(text, function, module) -> None:
    frame = split_frame(text)
    assert (frame.address, frame.function, frame.module) == (text[:18], function, module)


@pytest.mark.parametrize(
    "text",
    [
        "<alloc::boxed::Box<F,A> as core::ops::function::FnOnce<Args>>::call_once () at x.rs:3",
        "test::foo::{{closure}} (x=...) at src/main.rs:3",
        "foo<fn(i32) -> (A, B)> (x=...) at x.rs:3",
        "app.foo!(int).bar (this=0x1) at a.d:3",
        "main.(*T).foo (t=0x1) at /x/main.go:3",
        "-[NSFoo bar:baz:] (self=0x1, _cmd=0x2) at a.m:3",
        "pkg.proc (x => 3) at a.adb:3",
    ],
)
def test_names_of_other_languages(text) -> None:
    frame = split_frame(text)
    assert frame.function == text[: text.rindex(" (", 0, text.index(" at "))]
    assert frame.file
    assert frame.line == 3


_PIECES = st.sampled_from(
    [
        "a", "ns::", "operator", "<", ">", "(", ")", " (", ") ", "[", "]", "{", "}", "'", '"',
        " at ", " from ", "x.c:1", "0x1 in ", " ", "<int>", "()", "=", "const", ", ", "/l.so",
        "<<<(1,1,1),(2,1,1)>>>", "[clone .cold]", "{lambda(int)#1}", "std::vector<int, a<b> >",
    ]
)  # fmt: skip


@given(st.lists(_PIECES, min_size=1, max_size=12).map("".join))
def test_property_the_quick_reading_is_that_of_the_walk(text) -> None:
    text = f"f{text} (a=1) at x.c:3"
    match = split._WHOLE.match(text)
    if match:
        assert split._whole(match) == split._walked(text)


def test_address_and_column() -> None:
    assert split_frame("0x00007ffff7a42e07 in raise ()").address == "0x00007ffff7a42e07"
    assert split_frame("main () at a.cpp:3:17").column == 17
    assert split_frame("main () at a.cpp:3").address is None


def test_time_is_linear() -> None:
    def cost(count: int) -> float:
        text = "f (a='(\"<" + "{('a" * count
        return min(timeit.repeat(lambda: split_frame(text), number=1, repeat=5))

    assert cost(40_000) < 40 * cost(4_000)


_NAMES = st.from_regex(
    r"[a-z_]\w{0,10}(::[a-z_]\w{0,10}){0,3}(<(int|long, 2|std::vector<char>)>)?", fullmatch=True
)
_VALUES = st.lists(
    st.tuples(
        st.from_regex(r"[a-z]{1,5}", fullmatch=True),
        st.sampled_from(["1", "0x7f", "<optimized out>", '0x1 "a (b) at c"', "40 '('", "..."]),
    ),
    max_size=4,
)


@given(_NAMES, _VALUES, st.from_regex(r"[\w/.-]{1,20}", fullmatch=True), st.integers(1, 99999))
def test_property_what_gdb_prints_is_read_back(name, values, file, line) -> None:
    args = ", ".join(f"{n}={v}" for n, v in values)
    frame = split_frame(f"0x00007f in {name} ({args}) at {file}:{line}")
    assert (frame.function, frame.args, frame.file, frame.line) == (name, args, file, line)


@given(st.text(max_size=300))
def test_property_any_text_is_taken(text) -> None:
    split_frame(text)
