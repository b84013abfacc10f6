"""Frames as the LLVM symbolizer and its relatives print them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.frames.symbolized import last_bracket, split_source, split_symbolized

ADDRESS = "0x55aa"


def parts(text: str) -> tuple[object, ...]:
    found = split_symbolized(text)
    return found.function, found.file, found.line, found.column, found.module, found.offset


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0x55aa in main /src/a.c:12:3", ("main", "/src/a.c", 12, 3, None, None)),
        ("0x55aa in main a.c:12", ("main", "a.c", 12, None, None, None)),
        ("0x55aa in f(int, char*) const ../a b.cc:1:2",
         ("f(int, char*) const", "../a b.cc", 1, 2, None, None)),
        ("0x55aa in main (/opt/claw+0x12) (BuildId: 00ff)",
         ("main", None, None, None, "/opt/claw", "0x12")),
        ("0x55aa  (/lib/libc.so.6+0x29d90)", (None, None, None, None, "/lib/libc.so.6", "0x29d90")),
        ("0x55aa  (<unknown module>)", (None, None, None, None, None, None)),
        ("0x55aa (<unknown module>)", (None, None, None, None, None, None)),
        ("0x55aa  (/lib/ld.so)", (None, None, None, None, "/lib/ld.so", None)),
        ("0x55aa", (None, None, None, None, None, None)),
        ("0x55aa <unknown>", (None, None, None, None, None, None)),
        ("0x55aa  /build/string/memmove.S:345", (None, "/build/string/memmove.S", 345, None, None,
                                                 None)),
        ("0x55aa in linux-gate.so.1", ("linux-gate.so.1", None, None, None, None, None)),
        ("0x55aa in start_thread ??:0:0", ("start_thread", "??", 0, None, None, None)),
        ("0x55aa in ?? ??:0", (None, "??", 0, None, None, None)),
        ("0x55aa in f /src/a.c:9 (discriminator 3)", ("f", "/src/a.c", 9, None, None, None)),
        ("0x55aa in f /src/a.c", ("f", "/src/a.c", None, None, None, None)),
        ("0x55aa in f(int) const /src/cut-her", ("f(int) const /src/cut-her", None, None, None,
                                                 None, None)),
        ("0x55aa in f(std::vec... /src/a.c:9", ("f(std::vec...", "/src/a.c", 9, None, None, None)),
        # What Windows has: drives, spaces, brackets in a folder's name, quoted scopes.
        ("0x55aa in `anonymous namespace'::f C:\\b\\a.cc:3:4",
         ("`anonymous namespace'::f", "C:\\b\\a.cc", 3, 4, None, None)),
        ("0x55aa in f C:\\Program Files (x86)\\a.c:3", ("f", "C:\\Program Files (x86)\\a.c", 3,
                                                        None, None, None)),
        ("0x55aa in f (C:\\Program Files (x86)\\K.DLL+0x18)",
         ("f", None, None, None, "C:\\Program Files (x86)\\K.DLL", "0x18")),
        ("0x55aa in g<T,`lambda at ../../a/b.cc:212:28'> a/b.cc:12",
         ("g<T,`lambda at ../../a/b.cc:212:28'>", "a/b.cc", 12, None, None, None)),
        ("0x55aa in f D:\\a.c(12,3)", ("f", "D:\\a.c", 12, 3, None, None)),
        # Lambdas and other names with blanks and brackets.
        ("0x55aa in run<(lambda at ../x.cc:3:9)> base/t.h:74:5",
         ("run<(lambda at ../x.cc:3:9)>", "base/t.h", 74, 5, None, None)),
        ("0x55aa in f()::{lambda(int, A)#1}::operator()(int) const /a.cc:1",
         ("f()::{lambda(int, A)#1}::operator()(int) const", "/a.cc", 1, None, None, None)),
        ("0x55aa in f('lambda'(int, int)) /a.cc:1", ("f('lambda'(int, int))", "/a.cc", 1, None,
                                                    None, None)),
        ("0x55aa in core::fmt::write::h0123 /rustc/00/library/core/src/fmt/mod.rs:14:5",
         ("core::fmt::write::h0123", "/rustc/00/library/core/src/fmt/mod.rs", 14, 5, None, None)),
        # ThreadSanitizer has no address; macOS has the architecture in the module.
        ("f a.c:1 (libx.dylib:arm64+0x9e)", ("f", "a.c", 1, None, "libx.dylib", "0x9e")),
        ("f <null> (libtsan.so.2+0x5e686)", ("f", None, None, None, "libtsan.so.2", "0x5e686")),
        ("<null> <null> (a.out+0x1)", (None, None, None, None, "a.out", "0x1")),
        ("0x1 in __asan_memmove+0xe0 (x.dylib:x86_64h+0x472e0)",
         ("__asan_memmove+0xe0", None, None, None, "x.dylib", "0x472e0")),
        # Fuchsia's symbolizer, glibc's backtrace.
        ("0x55aa in f(int) ../../a.cc:41 <app>+0xe1b", ("f(int)", "../../a.cc", 41, None, "app",
                                                       "0xe1b")),
        ("0x55aa in f <<VMO#38=ld.so>>+0x12", ("f", None, None, None, "VMO#38=ld.so", "0x12")),
        ("./a.out(_Z1fv+0x12) [0x55aa]", ("_Z1fv", None, None, None, "./a.out", "0x12")),
        ("./a.out(+0x12) [0x55aa]", (None, None, None, None, "./a.out", "0x12")),
        ("./a.out [0x55aa]", (None, None, None, None, "./a.out", None)),
        ("", (None, None, None, None, None, None)),
    ],
)  # fmt: skip
def test_frame(text: str, expected: tuple[object, ...]):
    assert parts(text) == expected
    if ADDRESS in text:
        assert split_symbolized(text).address == ADDRESS


def test_place_that_may_stand_alone():
    assert split_source("a.c:12", named=False) == (None, "a.c", 12, None)
    assert split_source("operator new[](unsigned long)")[0] == "operator new[](unsigned long)"


@pytest.mark.parametrize(
    ("text", "place"),
    [("f(a)", 1), ("f(a(b)c)", 1), ("(a) (b)", 4), ("a)", -1), ("(a", -1), ("", -1)],
)
def test_last_bracket(text: str, place: int):
    assert last_bracket(text) == place


_NAMES = st.sampled_from(
    ["main", "f(int, char const*)", "a::b<c, d>::operator()(int) const", "operator new(unsigned)",
     "(anonymous namespace)::f()", "run<(lambda at ../x.cc:3:9)>"]
)  # fmt: skip
_FILES = st.sampled_from(["/src/a.c", "../a b/c.cc", "a.rs", "C:\\b c\\d.cc", "/usr/include/tuple"])


@given(_NAMES, _FILES, st.integers(1, 10**6), st.integers(1, 999), st.integers(1, 2**64 - 1))
def test_property_what_was_printed_is_read(
    name: str, file: str, line: int, column: int, address: int
):
    found = split_symbolized(f"{address:#x} in {name} {file}:{line}:{column}")
    assert (found.function, found.file, found.line, found.column) == (name, file, line, column)
    assert found.address == hex(address)
