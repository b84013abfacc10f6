"""Bytes become text that can be trusted on a terminal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.text.decode import clean, detect_encoding, looks_binary, to_text


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("mark", [True, False])
def test_utf_16_is_told_with_and_without_a_mark(encoding, mark) -> None:
    text = ("\ufeff" if mark else "") + "[ERROR] clw-llm-crash: LLM backend failed\n"
    data = text.encode(encoding)
    found, skip = detect_encoding(data)
    assert found == encoding
    assert to_text(data[skip:], found) == text.lstrip("\ufeff")


def test_bytes_of_no_encoding_stay_visible() -> None:
    assert to_text(b"caf\xe9", "utf-8") == "caf\\xe9"


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("a\r\nb\r\n", "a\nb\n"),
        ("10%\r50%\r100%\nnext", "100%\nnext"),
        ("nul\x00s\x07 and bells", "nuls and bells"),
        ("tab\tstays", "tab\tstays"),
        ("c1 \x9b31m", "c1 31m"),
    ],
)
def test_clean(raw, cleaned) -> None:
    assert clean(raw) == cleaned


@given(st.text(max_size=500))
def test_property_no_control_survives_and_no_line_is_lost(text) -> None:
    result = clean(text)
    assert not {c for c in result if ord(c) < 32} - {"\n", "\t"}
    assert "\x1b" not in result
    if "\x1b" not in text:
        assert result.count("\n") == text.count("\n")


def test_binary_is_told_from_text() -> None:
    assert looks_binary(bytes(range(256)) * 40)
    assert not looks_binary("ein Protokoll mit Umlauten äöü\n".encode() * 40)
    assert not looks_binary(b"line\n" * 100 + b"\0" * 4096 + b"line\n")
    assert not looks_binary(b"")
