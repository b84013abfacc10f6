"""Executables and libraries: build ids and symbols."""

import io
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from triage.elf.image import Image, read_image
from triage.elf.notes import find_build_id, iterate_notes
from triage.errors import InputError

SECTION = "<IIQQQQIIQQ"


def read(data: bytes) -> Image:
    return read_image(io.BytesIO(data))


def with_sections(elf, *sections: tuple[str, int, bytes]) -> bytes:
    """Build a library with these sections: name, kind and bytes."""
    names = b"\0.names\0"
    at, bodies, rows = 64, b"", [struct.pack(SECTION, *[0] * 10)]
    for name, kind, data in sections:
        rows.append(struct.pack(SECTION, len(names), kind, 0, 0, at, len(data), 0, 0, 4, 0))
        names += name.encode() + b"\0"
        bodies += data
        at += len(data)
    rows.append(struct.pack(SECTION, 1, 3, 0, 0, at, len(names), 0, 0, 1, 0))
    data = bytearray(elf.builder(file_type=3).header(0) + bodies + names + b"".join(rows))
    struct.pack_into("<Q", data, 40, at + len(names))
    struct.pack_into("<HHH", data, 58, 64, len(rows), len(rows) - 1)
    return bytes(data)


def symbols(defined: int, imported: int) -> bytes:
    row = "<IBBHQQ"
    first = struct.pack(row, 0, 0, 0, 0, 0, 0)
    return (
        first
        + struct.pack(row, 1, 0x12, 0, 5, 0x1000, 8) * defined
        + struct.pack(row, 1, 0x12, 0, 0, 0, 0) * imported
    )


def build_id_note(elf, value: bytes = b"\x12\x34" * 10) -> bytes:
    return elf.note(3, value, owner=b"GNU")


class TestImage:
    def test_build_id_from_a_segment(self, elf):
        data = elf.builder(file_type=2).notes(build_id_note(elf)).build()
        assert read(data).build_id == "1234" * 10

    def test_build_id_from_a_section(self, elf):
        data = with_sections(elf, (".note.gnu.build-id", 7, build_id_note(elf)))
        assert read(data).build_id == "1234" * 10

    def test_build_id_behind_other_notes(self, elf):
        others = elf.note(1, bytes(16), owner=b"GNU") + elf.note(3, b"xyz", owner=b"stapsdt")
        data = elf.builder(file_type=2).notes(others + build_id_note(elf)).build()
        assert read(data).build_id == "1234" * 10

    def test_no_build_id(self, elf):
        assert read(elf.builder(file_type=3).build()).build_id is None

    def test_overlong_build_id_is_none(self, elf):
        data = elf.builder(file_type=2).notes(build_id_note(elf, bytes(1000))).build()
        assert read(data).build_id is None

    @pytest.mark.parametrize(
        ("sections", "has_symbols", "has_debug_info", "debug_link"),
        [
            ([], False, False, None),
            ([(".symtab", 2, symbols(1, 0))], True, False, None),
            ([(".symtab", 2, symbols(0, 0))], False, False, None),
            ([(".dynsym", 11, symbols(3, 500))], False, False, None),
            ([(".dynsym", 11, symbols(50, 0))], True, False, None),
            ([(".debug_info", 1, b"x")], False, True, None),
            # A file of debug information keeps the names of the sections that it lacks.
            ([(".debug_info", 8, b"")], False, False, None),
            ([(".gnu_debuglink", 1, b"x")], False, False, "x"),
        ],
    )
    def test_symbols(self, elf, sections, has_symbols, has_debug_info, debug_link):
        image = read(with_sections(elf, *sections))
        assert image.has_symbols is has_symbols
        assert image.has_debug_info is has_debug_info
        assert image.debug_link == debug_link

    @pytest.mark.parametrize("data", [b"", b"text", b"\x7fELF", b"\x7fELF" + bytes(100)])
    def test_no_elf_file(self, data: bytes):
        with pytest.raises(InputError, match="not an ELF file"):
            read(data)

    def test_core_dump(self, elf):
        with pytest.raises(InputError, match="a core dump"):
            read(elf.builder().build())

    def test_tables_beyond_the_end(self, elf):
        data = bytearray(elf.builder(file_type=3).build())
        struct.pack_into("<QQ", data, 32, 2**63 + 5, 2**64 - 1)
        struct.pack_into("<HHHHHH", data, 52, 64, 56, 0xFFFF, 64, 0xFFFF, 0xFFFF)
        assert read(bytes(data)).build_id is None

    def test_running_interpreter_as_readelf_sees_it(self):
        if shutil.which("readelf") is None:
            pytest.skip("needs readelf")
        path = Path(sys.executable).resolve()
        notes = subprocess.check_output(["readelf", "-n", path], text=True)
        with path.open("rb") as stream:
            image = read_image(stream)
        assert (f"Build ID: {image.build_id}" in notes) is ("Build ID" in notes)


class TestNotes:
    def test_alignment_of_eight(self):
        head = struct.pack("<III", 4, 5, 3) + b"GNU\0" + b"\1\2\3\4\5" + bytes(3)
        data = head + struct.pack("<III", 4, 4, 3) + b"GNU\0" + b"\6\7\x08\x09"
        assert [n.data for n in iterate_notes(data, "<", 8)] == [b"\1\2\3\4\5", b"\6\7\x08\x09"]

    def test_sizes_that_do_not_fit_end_the_notes(self):
        good = struct.pack("<III", 4, 4, 3) + b"GNU\0abcd"
        for bad in ((2**32 - 1, 4, 3), (4, 2**32 - 1, 3), (2**32 - 1, 2**32 - 1, 3)):
            data = good + struct.pack("<III", *bad) + b"GNU\0"
            assert len(list(iterate_notes(data, "<"))) == 1

    def test_big_endian(self):
        data = struct.pack(">III", 4, 2, 3) + b"GNU\0\xab\xcd"
        assert find_build_id(data, ">") == "abcd"
