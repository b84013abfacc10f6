"""Only plain words get into a command."""

from __future__ import annotations

import pytest

from triage.signatures.placeholders import fill, is_safe


@pytest.mark.parametrize(
    "value",
    ["/m/a-b_c.gguf", "28", "0.8", "a=b,c:d+e@f%g", "x" * 255],
)
def test_safe(value: str) -> None:
    assert is_safe(value)
    assert fill("x ${model.path:-d} y", lambda _: value) == f"x {value} y"


@pytest.mark.parametrize(
    "value",
    [
        "", " ", "a b", "$(id)", "`id`", "a;b", "a|b", "a&b", "a>b", "'a", '"a', "a\\b", "~a", "*",
        "a\n", "a\nb", "\x1b[2J", "-rf", "--model", "{a}", "(a)", "#a", "!a", "ü", "x" * 256,
    ],
)  # fmt: skip
def test_unsafe(value: str) -> None:
    assert not is_safe(value)
    assert fill("x ${model.path:-d} y", lambda _: value) == "x d y"


@pytest.mark.parametrize(
    "text",
    [
        "${HOME:-/root}",
        "$(nproc)",
        "${model.path}",
        "${unknown.field:-x}",
        "${n:-1}",
        "$model.path",
    ],
)
def test_what_is_the_shells_stays(text: str) -> None:
    assert fill(text, lambda _: "value") == text


def test_names_and_defaults() -> None:
    values = {"option.n-gpu-layers": "35", "layers-that-fit": "28"}
    text = "${option.n-gpu-layers:-1} ${layers-that-fit:-2} ${gpu.name:-} ${model.path:-a b}"
    assert fill(text, values.get) == "35 28  a b"
