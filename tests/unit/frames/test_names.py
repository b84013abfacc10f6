"""Function names as rules write them."""

import time
import timeit
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.frames.names import base_name, file_name, full_forms, name_forms, plain_name


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
        ("f()::'lambda'(int)::operator()(int) const", "f::{lambda#1}::operator()"),
        ("f()::'lambda0'(int)::operator()(int) const", "f::{lambda#2}::operator()"),
        ("A::f() const::{lambda()#1}::operator()() const", "A::f::{lambda#1}::operator()"),
        ("A::f() const &::x", "A::f::x"),
        ("f()::$_2::operator()(int) const", "f::{lambda}::operator()"),
        ("f()::<lambda_1>::operator()", "f::{lambda}::operator()"),
        ("f::<lambda_0123456789abcdef0123>::operator()", "f::{lambda}::operator()"),
        ("f(int)::{unnamed type#1}::g()", "f::{unnamed#1}::g"),
        # what compilers and linkers add
        ("f.part.0", "f"),
        ("f.isra.0.cold", "f"),
        ("f.constprop.12", "f"),
        ("f.llvm.1234567890", "f"),
        ("f(int) [clone .isra.3] [clone .cold]", "f"),
        ("pthread_cond_wait@@GLIBC_2.3.2", "pthread_cond_wait"),
        ("memcpy@GLIBC_2.14", "memcpy"),
        ("core::panicking::panic::h0123456789abcdef", "core::panicking::panic"),
        ("f.cold.123", "f"),
        ("f.part.1.constprop.0.isra.0", "f"),
        ("f.lto_priv.0", "f"),
        ("f.__uniq.123.llvm.456", "f"),
        ("f(int) (.resume)", "f"),
        ("f._omp_fn.0", "f"),
        ("package.part.run", "package.part.run"),
        ("malloc@plt", "malloc"),
        ("A::f() const &", "A::f"),
        ("A::f() volatile &&", "A::f"),
        ("void f(T) [with T = int]", "f"),
        ("non-virtual thunk to A::f(int)", "A::f"),
        ("virtual thunk to A::f()", "A::f"),
        ("guard variable for f()::x", "f::x"),
        ("vtable for A", "A"),
        ("void (*f<int>(int))(char)", "f"),
        ("decltype(auto) ns::f<int>(int)", "ns::f"),
        ("A<(B)0>::f<&C::operator< >(int)", "A::f"),
        ("a::operator+<char>(char)", "a::operator+"),
        ("std::__1::vector<int>::push_back(int const&)", "std::vector::push_back"),
        ("std::__ndk1::thread::join()", "std::thread::join"),
        # no name of their own
        ("`anonymous namespace'::f", "{anonymous}::f"),
        ("ns::<unnamed>::f", "ns::{anonymous}::f"),
        ("ns::{anonymous}::f", "ns::{anonymous}::f"),
        ("_GLOBAL__N__5a1b2c3d_7_foo_cu_abc::f", "{anonymous}::f"),
        # CUDA
        ("kernel<float, 0><<<(4,1,1),(128,1,1)>>>", "kernel"),
        ("_INTERNAL_5a1b2c3d_7_foo_cu_abc::f<int>(int)", "f"),
        ("$_Z6kernelPf$_Z3devf", "dev"),
        ("$kernel$__internal_0_$__cuda_sm3x_div_rn", "__cuda_sm3x_div_rn"),
        ("_Z25__device_stub__Z6kernelPfPf", "kernel"),
        ("__device_stub__Z6kernelPf(float*)", "kernel"),
        ("__device_stub__kernel", "kernel"),
        ("__wrapper__device_stub_kernel", "kernel"),
        ("__nv_static_47__39_tmpxft_00_8_main_cpp1_ii_main__Z6kernelPf", "kernel"),
        # other systems
        ("_func@8", "func"),
        ("ntdll!RtlUserThreadStart", "RtlUserThreadStart"),
        ("llama!ggml::f<int>+0x12", "ggml::f"),
        ("A::operator!=(A)", "A::operator!="),
        ("libsystem_kernel.dylib`__pthread_kill", "__pthread_kill"),
        ("do_syscall_64+0x5b/0x80", "do_syscall_64"),
        (".raise", "raise"),
        ("*__GI_raise", "__GI_raise"),
        ("std::`dynamic initializer for 'x''", "std::`dynamic initializer for 'x''"),
        ("?func@ns@@YAXXZ", "?func@ns@@YAXXZ"),
        ("$s4main3fooyyF", "$s4main3fooyyF"),
        ("-[NSObject foo:]", "-[NSObject foo:]"),
        ("__32-[Foo bar:]_block_invoke", "__32-[Foo bar:]_block_invoke"),
        # other languages
        ("main.(*Server).handle", "main.(*Server).handle"),
        ("main.(*Server).handle(0xc000, 0x1)", "main.(*Server).handle"),
        ("a.io/x/y.(*Context[go.shape.int]).Decode(...)", "a.io/x/y.(*Context).Decode"),
        ("slices.SortFunc[go.shape.int]", "slices.SortFunc"),
        ("main.(*T).M-fm", "main.(*T).M"),
        ("runtime.gopanic.func2", "runtime.gopanic.func2"),
        ("java.lang.Thread.run(Thread.java:10)", "java.lang.Thread.run"),
        ("com.foo.Bar.<init>", "com.foo.Bar.<init>"),
        ("<module>", "<module>"),
        ("Outer.method.<locals>.<lambda>", "Outer.method.<locals>.<lambda>"),
        ("f::{closure#0}", "f::{closure#0}"),
        ("f::{{closure}}", "f::{{closure}}"),
        (
            "<alloc::boxed::Box<F,A> as core::ops::function::FnOnce<Args>>::call_once",
            "<alloc::boxed::Box as core::ops::function::FnOnce>::call_once",
        ),
        (
            "<<std::thread::Builder>::spawn_<c::main::{closure#2}, ()>::{closure#1} as A<()>>::f",
            "<std::thread::Builder::spawn_::{closure#1} as A>::f",
        ),
        (
            "<std::thread::Builder>::spawn_::<A, ()>::{closure#1}",
            "std::thread::Builder::spawn_::{closure#1}",
        ),
        ("core[c1f1a4ba060b9bfa]::fmt::write", "core::fmt::write"),
        ("<&[u8] as a::B>::f", "<&[u8] as a::B>::f"),
        (
            "core::fmt::impls::<impl core::fmt::Display for u32>::fmt",
            "core::fmt::impls::<impl core::fmt::Display for u32>::fmt",
        ),
        # symbols
        ("_ZN3foo3barEv", "foo::bar"),
        ("__ZN3foo3barEv", "foo::bar"),
        ("_ZN3foo3barEv+0x12", "foo::bar"),
        ("_ZN3foo3barEv.cold", "foo::bar"),
        ("_ZN3foo3barEv@plt", "foo::bar"),
        ("_ZNO3foo3barEv.part.0 (a=1)", "foo::bar"),
        ("_ZBAD.cold", "_ZBAD"),
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


def test_forms() -> None:
    assert full_forms("main") == ("main",)
    assert full_forms("a::f(int)") == ("a::f(int)", "a::f")
    assert full_forms("<a::B<T> as c::D>::f")[1:] == ("<a::B as c::D>::f", "a::B::f", "c::D::f")
    assert name_forms("void a::f(int)") == ("void a::f(int)", "a::f", "f")


_HOSTILE = (
    *"<()>[]{}`'@.:$*&",
    *("<(", "a<", "a>", "::<", "<a as ", ">::", "operator", "operator<", ".cold", ".(*a", "a!"),
    *("[clone ", "[abi:", " const", " &", "<unnamed ", "<lambda", "{lambda(", "_INTERNAL_", "$_1"),
    *("_GLOBAL__N", "std::__1::", "+0x1", "__nv_static_1__", "__device_stub_", "$a$", "-[", "`a"),
    *("_Z", "_ZN", "_ZZ", "_R", "__device_stub__Z1", "[with ", "@@A", "::h0123456789abcdef"),
)


@pytest.mark.parametrize("part", _HOSTILE)
def test_time_is_linear(part) -> None:
    def cost(size: int) -> float:
        text = part * (size // len(part))
        work = partial(plain_name.__wrapped__, text)
        return min(timeit.repeat(work, timer=time.process_time, number=1, repeat=3))

    assert cost(8_000) < 30 * cost(1_000) + 0.05


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
