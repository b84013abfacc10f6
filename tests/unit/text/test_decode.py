"""Bytes as logs have them, made into text that is safe to read line by line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.text.decode import clean, detect_encoding, looks_binary, to_text

TEXT = "CUDA error 700: an illegal memory access\r\nAborted (core dumped)\r\n"


def decode(data: bytes) -> str:
    encoding, mark = detect_encoding(data)
    return clean(to_text(data[mark:], encoding))


class TestEncoding:
    @pytest.mark.parametrize(
        ("data", "expected"),
        [
            (b"", ("utf-8", 0)),
            (TEXT.encode(), ("utf-8", 0)),
            (b"\xef\xbb\xbf" + TEXT.encode(), ("utf-8", 3)),
            (b"\xff\xfe" + TEXT.encode("utf-16-le"), ("utf-16-le", 2)),
            (b"\xfe\xff" + TEXT.encode("utf-16-be"), ("utf-16-be", 2)),
            (b"\xff\xfe\0\0" + TEXT.encode("utf-32-le"), ("utf-32-le", 4)),
            (TEXT.encode("utf-16-le"), ("utf-16-le", 0)),
            (TEXT.encode("utf-16-be"), ("utf-16-be", 0)),
        ],
    )
    def test_found_by_its_mark_or_by_the_zero_bytes(self, data: bytes, expected: tuple[str, int]):
        assert detect_encoding(data) == expected
        assert decode(data) == TEXT.replace("\r", "")[: len(data)]

    def test_few_nuls_are_no_utf_16(self):
        assert detect_encoding(b"\0" * 3 + b"ordinary text of a log") == ("utf-8", 0)

    def test_what_is_no_utf_8_stays_visible(self):
        assert decode("Gerät: Zugriffsverletzung".encode("latin-1")) == (
            "Ger\\xe4t: Zugriffsverletzung"
        )
        assert decode(b"cut inside \xe2\x82") == "cut inside \\xe2\\x82"

    def test_half_a_utf_16_character_at_the_end(self):
        data = "a line of text\n".encode("utf-16-le")
        assert decode(data + b"x") == "a line of text\n\\x78"


class TestLooksBinary:
    @pytest.mark.parametrize(
        "data",
        [
            b"",
            TEXT.encode(),
            TEXT.encode("utf-16-le"),
            "Gerät äöü: Fehler".encode("latin-1"),
            "エラーが発生しました".encode("shift_jis"),
            b"\x1b[31mred\x1b[0m \x08\x0c\t\n" * 20,
            b"a line\n" + b"\0" * 4096 + b"the line after the power came back\n",
        ],
    )
    def test_logs_do_not(self, data: bytes):
        assert not looks_binary(data)

    @pytest.mark.parametrize(
        "data",
        [
            bytes(range(256)) * 8,
            b"\0\1\2\3",
            b"text and " + bytes(n % 251 for n in range(0, 9000, 7)),
        ],
    )
    def test_data_do(self, data: bytes):
        assert looks_binary(data)


class TestClean:
    @pytest.mark.parametrize(
        ("raw", "expected"),
        [
            ("a\r\nb\r\n", "a\nb\n"),
            ("a\r\r\nb", "a\nb"),
            ("\x1b[31;1mERROR\x1b[0m here", "ERROR here"),
            ("\x1b[2K\x1b[1G50%", "50%"),
            ("\x1b]0;a title\x07text", "text"),
            ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
            ("\x1b]52;c;never closed\nnext", "\nnext"),
            ("\x1b(Bplain\x1b=", "plain"),
            ("bell\x07 nul\0 del\x7f c1\x9b31m", "bell nul del c131m"),
            ("tabs\tand\nlines stay", "tabs\tand\nlines stay"),
            ("vertical\x0btab form\x0cfeed", "verticaltab formfeed"),
        ],
    )
    def test_control_codes(self, raw: str, expected: str):
        assert clean(raw) == expected

    @pytest.mark.parametrize(
        ("raw", "expected"),
        [
            ("1%\r50%\r100%", "100%"),
            ("1%\r50%\r100%\r", "100%"),
            ("Loading: 100%\r       \r", "Loading: 100%"),
            ("1%\r2%\nnext\rlast\n", "2%\nlast\n"),
            ("\r\r\r", ""),
        ],
    )
    def test_progress_bar_leaves_its_last_state(self, raw: str, expected: str):
        assert clean(raw) == expected

    @given(st.text(st.sampled_from("ab\x1b[]0;31mHJ\x07\\()\r\n\0\x9b ")))
    def test_nothing_that_a_terminal_obeys_is_left(self, raw: str):
        text = clean(raw)
        assert not any(c < " " and c not in "\t\n" for c in text)
        assert not any("\x7f" <= c <= "\x9f" for c in text)

    @given(st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\r")))
    def test_number_of_lines_does_not_change(self, raw: str):
        plain = raw.replace("\x1b", "")
        assert clean(plain).count("\n") == plain.count("\n")


@given(st.binary(max_size=400))
def test_any_bytes_become_text(data: bytes):
    text = decode(data)
    text.encode()  # no lone surrogates: every sink takes it
    assert "\0" not in text
    assert "\x1b" not in text
