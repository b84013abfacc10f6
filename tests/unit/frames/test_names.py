"""Function names as rules write them."""

import pytest

from triage.frames.names import base_name, file_name, plain_name


@pytest.mark.parametrize(
    ("function", "plain"),
    [
        ("void llm::engine::remap<long>(int) [clone .cold]", "llm::engine::remap"),
        ("std::function<void (int)>::operator()(int) const", "std::function::operator()"),
        ("(anonymous namespace)::foo", "{anonymous}::foo"),
        ("operator new", "operator new"),
        ("pthread_cond_wait@@GLIBC_2.3.2", "pthread_cond_wait"),
        ("llm::engine::gguf_tensor_remap<long>", "llm::engine::gguf_tensor_remap"),
        ("a::operator<< <int>", "a::operator<<"),
        ("main", "main"),
        ("f.part.0", "f"),
    ],
)
def test_plain_name(function, plain) -> None:
    assert plain_name(function) == plain


def test_base_name() -> None:
    assert base_name("void llm::engine::load_model(std::string const&)") == "load_model"


@pytest.mark.parametrize("path", ["/a/b/c.cpp", "c.cpp", "D:\\x\\c.cpp"])
def test_file_name(path) -> None:
    assert file_name(path) == "c.cpp"
