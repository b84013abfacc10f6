"""Names of mangled symbols."""

import timeit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.frames.demangle import MAX_LENGTH, demangle


@pytest.mark.parametrize(
    ("symbol", "name"),
    [
        ("_Z1fv", "f"),
        ("_ZN1a1b1cEv", "a::b::c"),
        ("__ZN1a1bEv", "a::b"),
        ("_ZNK1a1bIiSt6vectorIiSaIiEEE1cEv", "a::b::c"),
        ("_ZNSt6vectorIiSaIiEE9push_backEOi", "std::vector::push_back"),
        ("_ZSt9terminatev", "std::terminate"),
        ("_ZNSs6appendEPKc", "std::basic_string::append"),
        (
            "_ZNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEC1Ev",
            "std::__cxx11::basic_string::basic_string",
        ),
        ("_ZN1AC2ERKS_", "A::A"),
        ("_ZN1a1AD0Ev", "a::A::~A"),
        ("_ZN1AI1BEC1Ev", "A::A"),
        ("_ZN1AplERKS_", "A::operator+"),
        ("_ZN1AclEv", "A::operator()"),
        ("_ZNK1AcvbEv", "A::operator bool"),
        ("_Znwm", "operator new"),
        ("_ZdaPv", "operator delete"),
        ("_Zli2_xPKc", 'operator""_x'),
        ("_ZN12_GLOBAL__N_11fEv", "{anonymous}::f"),
        ("_ZZ4mainENKUlvE_clEv", "main::{lambda#1}::operator()"),
        ("_ZZN1a1bEiENKUliE0_clEi", "a::b::{lambda#2}::operator()"),
        ("_ZZ1fvE1x", "f::x"),
        ("_ZZ1fvEs", "f"),
        ("_ZN1aUt_1bEv", "a::{unnamed#1}::b"),
        ("_ZL6statici", "static"),
        ("_Z1fB5cxx11v", "f"),
        ("_ZThn8_N1A1fEv", "A::f"),
        ("_ZTv0_n24_N1A1fEv", "A::f"),
        ("_ZTV1A", "A"),
        ("_ZGVZ1fvE1x", "f::x"),
        ("_ZGTtN1A1fEv", "A::f"),
        ("_Z1fIXplLi1ELi2EEEvv", "f"),
        ("_Z1fIXadL_Z1gvEEEvv", "f"),
        ("_ZN1a1fIbEENSt9enable_ifIXsr1bIT_E5valueEvE4typeEv", "a::f"),
        ("_Z1fIJiiEEvDpT_", "f"),
        ("_Z1fM1AFivEPA3_i", "f"),
        ("_ZNK1AI1BEcvS0_Ev", None),
        # Rust
        ("_ZN4core9panicking5panic17h0123456789abcdefE", "core::panicking::panic"),
        (
            "_ZN60_$LT$alloc..string..String$u20$as$u20$core..fmt..Display$GT$3fmt17h0123456789abcdefE",
            "<alloc::string::String as core::fmt::Display>::fmt",
        ),
        ("_RNvC6_123foo3bar", "123foo::bar"),
        ("_RNvNtCsgEmfK2I1SDS_4core9panicking5panic", "core::panicking::panic"),
        ("_RNCNCNvCs6GmmlP4bgsG_1r4main00B5_", "r::main::{closure#0}::{closure#0}"),
        ("_RNvMs_NtCs1_1a1bNtB4_1C1f", "<a::b::C>::f"),
        ("_RNvXs8_Cs1_1ahNtB5_1D1f", "<u8 as a::D>::f"),
        ("_RINvNtCs1_4core3ptr13drop_in_placeTllEECs2_1r", "core::ptr::drop_in_place"),
        ("_RNvXCs1_1aQShNtB2_1T1f", "<&mut [u8] as a::T>::f"),
        # none
        ("main", None),
        ("_Z", None),
        ("_ZN", None),
        ("_ZNE", None),
        ("_Z9short", None),
        ("_Z²a", None),
        ("_R", None),
        ("_RNvC9", None),
        ("_Zebra", None),
    ],
)
def test_names(symbol, name) -> None:
    assert demangle(symbol) == name


def _doubling(count: int) -> str:
    """Return a symbol each of whose types holds the one before it twice."""
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    names = [f"S{'' if n == 0 else _base36(n - 1, digits)}_" for n in range(count + 2)]
    return "_Z1f1AIiiE" + "".join(f"S_I{names[n]}{names[n]}E" for n in range(1, count))


def _base36(number: int, digits: str) -> str:
    high, low = divmod(number, 36)
    return (digits[high] if high else "") + digits[low]


def test_types_that_double_are_read_over() -> None:
    assert demangle(_doubling(300)) == "f"


@pytest.mark.parametrize(
    "symbol",
    [
        "_ZN1a1fI" + "1AI" * 100 + "i" + "E" * 101 + "Ev",
        "_ZN1a1fIX" + "ng" * 100 + "Li1EEEEvv",
        "_Z" + "Z" * 100 + "1fv" + "E1x" * 100,
        "_RNvMC1a" + "S" * 100 + "h1f",
        "_ZN500" + "a" * 500 + "C1" * 1000 + "E",
        "_ZN1a1bE" + "v" * MAX_LENGTH,
    ],
)
def test_what_is_too_deep_or_long_is_refused(symbol) -> None:
    assert demangle(symbol) is None


def _doubling_tuples(levels: int) -> str:
    """Return a Rust method of a tuple that holds two tuples that hold two tuples..."""
    head, digits = "NvMC1a", "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    behind = "".join(f"B{digits[len(head) + n - 1]}_E" for n in range(levels - 1, 0, -1))
    return f"_R{head}{'T' * levels}llE{behind}1f"


def test_tuples_that_double_are_refused() -> None:
    assert demangle(_doubling_tuples(2)) == "<((i32, i32), (i32, i32))>::f"
    assert demangle(_doubling_tuples(40)) is None


@pytest.mark.parametrize(
    "part", ["N", "Z", "I", "X", "T", "P", "F", "S_", "1a", "C1", "B2_", "L", "Y"]
)
@pytest.mark.parametrize("head", ["_Z", "_ZN", "_Z1fI", "_ZN1a1fIX", "_R", "_RM", "_RNv"])
def test_time_is_linear(head, part) -> None:
    symbol = head + part * ((MAX_LENGTH - len(head)) // len(part))
    assert min(timeit.repeat(lambda: demangle(symbol), number=1, repeat=2)) < 0.2


_PARTS = st.lists(st.from_regex(r"[a-z]\w{0,12}", fullmatch=True).filter(str.isascii), min_size=1)


@given(_PARTS, st.sampled_from(["", "IiE", "ISt6vectorIiSaIiEEE", "ILi3EE"]))
def test_property_a_nested_name_is_read_back(parts, args) -> None:
    symbol = "_ZN" + "".join(f"{len(part)}{part}{args}" for part in parts) + "Ev"
    assert demangle(symbol) == "::".join(parts)


@given(
    st.sampled_from(["_Z", "_ZN", "_ZZ", "_R", "_RNv", "__Z"]),
    st.text(st.sampled_from("NZIXELJTSDPRKFMACUBCYQ_0123asv$.²lprcdts"), max_size=80),
)
def test_property_any_text_is_taken(head, rest) -> None:
    name = demangle(head + rest)
    assert name is None or 0 < len(name) <= 2 * MAX_LENGTH
