"""Function names as rules write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.frames.names import base_name, file_name, plain_name


@pytest.mark.parametrize(
    ("function", "plain"),
    [
        ("main", "main"),
        ("  main  ", "main"),
        ("void llm::engine::remap<long>(int) [clone .cold]", "llm::engine::remap"),
        ("llm::engine::gguf_tensor_remap<long>", "llm::engine::gguf_tensor_remap"),
        ("std::vector<std::pair<int, char> >::push_back(int&&)", "std::vector::push_back"),
        ("std::unique_ptr<A>* ns::make(int)", "ns::make"),
        ("ns::f(int (*)(char)) const", "ns::f"),
        ("(anonymous namespace)::foo", "{anonymous}::foo"),
        (
            "llm::(anonymous namespace)::cuda_backend::remap",
            "llm::{anonymous}::cuda_backend::remap",
        ),
        ("llm::engine::run_sequence[abi:cxx11](llm::kv_cache&, int)", "llm::engine::run_sequence"),
        # operators
        ("operator new", "operator new"),
        ("operator new[](unsigned long)", "operator new"),
        ("void* operator new(unsigned long, std::nothrow_t const&)", "operator new"),
        ("a::operator<< <int>", "a::operator<<"),
        ("std::ostream& operator<<(std::ostream&, A const&)", "operator<<"),
        ("bool A::operator<(A const&) const", "A::operator<"),
        ("A::operator->() const", "A::operator->"),
        ("A::operator bool() const", "A::operator bool"),
        ("A::operator ()(int)", "A::operator()"),
        ("std::function<void (int)>::operator()(int) const", "std::function::operator()"),
        ("my_operator(int)", "my_operator"),
        ("ns::operators::run(int)", "ns::operators::run"),
        ("call<&A::operator()>(int)", "call"),
        ("apply(bool (A::*)(int), A::operator==)", "apply"),
        # lambdas
        ("f(int)::{lambda(int)#1}::operator()(int) const", "f::{lambda#1}::operator()"),
        (
            "A::operator()(int)::{lambda(int)#2}::operator()(int) const",
            "A::operator()::{lambda#2}::operator()",
        ),
        ("llm::engine::generate()::<lambda()>", "llm::engine::generate::{lambda}"),
        ("f(int)::<lambda(A<int>)>::operator()(A<int>) const", "f::{lambda}::operator()"),
        ("f()::(anonymous class)::operator()(int) const", "f::{anonymous}::operator()"),
        ("f()::'lambda'(int)::operator()(int) const", "f::'lambda'::operator()"),
        # what compilers and linkers add
        ("f.part.0", "f"),
        ("f.isra.0.cold", "f"),
        ("f.constprop.12", "f"),
        ("f.llvm.1234567890", "f"),
        ("f(int) [clone .isra.3] [clone .cold]", "f"),
        ("pthread_cond_wait@@GLIBC_2.3.2", "pthread_cond_wait"),
        ("memcpy@GLIBC_2.14", "memcpy"),
        ("core::panicking::panic::h0123456789abcdef", "core::panicking::panic"),
        # odd input
        ("", ""),
        ("<signal handler called>", ""),
        ("unbalanced<int", "unbalanced"),
        ("unbalanced>) f", "f"),
        ("a<b(c", "a"),
    ],
)
def test_plain_name(function, plain) -> None:
    assert plain_name(function) == plain


def test_base_name() -> None:
    assert base_name("void llm::engine::load_model(std::string const&)") == "load_model"
    assert base_name("std::function<void (a::b)>::operator()(a::b) const") == "operator()"
    assert base_name("main") == "main"


@pytest.mark.parametrize("path", ["/a/b/c.cpp", "c.cpp", "D:\\x\\c.cpp", "./c.cpp", "a/b\\c.cpp"])
def test_file_name(path) -> None:
    assert file_name(path) == "c.cpp"


_WORDS = st.from_regex(r"[a-z_]\w{0,8}", fullmatch=True).filter(lambda w: w != "operator")
_GROUPS = st.sampled_from(["", "<int>", "<A::B<char>, 3>", "<void (*)(int)>"])


@given(
    st.lists(st.tuples(_WORDS, _GROUPS), min_size=1, max_size=4),
    st.sampled_from(["", "(int)", "(std::pair<int, int (*)(A)>) const", "() [clone .cold]"]),
    st.sampled_from(["", "void ", "std::vector<int>& ", "A<int, B>::C "]),
)
def test_property_decoration_does_not_change_a_name(parts, arguments, returns) -> None:
    decorated = returns + "::".join(word + group for word, group in parts) + arguments
    assert plain_name(decorated) == "::".join(word for word, _ in parts)


@given(st.text(st.sampled_from("ab:<>()[]{}' ,.&*-~@#operator"), max_size=60))
def test_property_a_plain_name_is_short_and_stays(text) -> None:
    plain = plain_name(text)
    assert len(plain) <= len(text) + len("{anonymous}")
    assert base_name(text) == plain.rsplit("::", 1)[-1]
