import pytest

from triage.debugger.linkernames import SourceNames, without_signature


@pytest.mark.parametrize(
    ("signature", "name"),
    [
        ("main", "main"),
        ("ns::load(char const*, int)", "ns::load"),
        ("void ns::fill<int>(int)", "ns::fill<int>"),
        ("unsigned long ns::sum<a(b)>(int) const", "ns::sum<a(b)>"),
        ("Box::operator()(int) const", "Box::operator()"),
        ("Box::operator bool() const", "Box::operator bool"),
        ("bool operator< <int>(Box<int> const&)", "operator< <int>"),
        ("Box::operator->() const", "Box::operator->"),
        ("operator new(unsigned long)", "operator new"),
        ("(anonymous namespace)::run(int)", "(anonymous namespace)::run"),
        ("run() const::{lambda(int)#1}::operator()(int) const", None),
        ("std::pair<int, int> make<int>(int&&)", "make<int>"),
        ("read() &&", "read"),
        ("Operator::operators(int)", "Operator::operators"),
        (")", ")"),
        ("a)", "a)"),
        ("", ""),
    ],
)
def test_without_signature(signature: str, name: str | None):
    expected = "run() const::{lambda(int)#1}::operator()" if name is None else name
    assert without_signature(signature) == expected


def test_a_name_that_was_not_asked_for_stays():
    names = SourceNames()
    assert names.of_function("_Z1fv", from_debug_info=False) == "_Z1fv"
    assert names.in_text("call=0x1 <_Z1fv+4>") == "call=0x1 <_Z1fv+4>"
    assert names.complete
