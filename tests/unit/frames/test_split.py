"""Printed frames, taken apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


def test_a_cut_argument_list_is_incomplete() -> None:
    frame = split_frame('0x1 in foo (bar=1, text=0x2 "never clo')
    assert frame.function == "foo"
    assert not frame.complete


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
