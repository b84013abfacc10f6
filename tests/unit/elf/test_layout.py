"""Reading at places that an input names."""

from pathlib import Path

import pytest

from triage.elf.layout import read_at


@pytest.mark.parametrize("offset", [-1, 9, 1 << 40, 1 << 45, (1 << 63) - 1, 1 << 63, (1 << 64) - 1])
def test_place_beyond_every_file_holds_nothing(tmp_path: Path, offset: int):
    path = tmp_path / "file"
    path.write_bytes(b"12345678")
    with path.open("rb") as stream:
        assert read_at(stream, offset, 8) == b""
        assert read_at(stream, 4, 8) == b"5678"
