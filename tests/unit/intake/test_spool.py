"""A spool keeps holes, keeps to its limits, and leaves nothing behind."""

import io
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.errors import InputError
from triage.intake import spool as module
from triage.intake.spool import PREFIX, Spool, SpoolLimits

MIB = 1 << 20


def folders(parent: Path) -> list[Path]:
    return sorted(parent.glob(f"{PREFIX}*"))


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with Spool(tmp_path) as made:
        yield made


def test_a_file_is_private_and_goes_with_the_spool(tmp_path: Path) -> None:
    with Spool(tmp_path) as spool:
        stored = spool.store(io.BytesIO(b"secret"))
        assert stored.path.read_bytes() == b"secret"
        assert stat.S_IMODE(stored.path.stat().st_mode) == 0o600
        assert stat.S_IMODE(stored.path.parent.stat().st_mode) == 0o700
        assert stored.path.parent.parent == tmp_path
    assert folders(tmp_path) == []


def test_without_a_file_there_is_no_folder(tmp_path: Path) -> None:
    with Spool(tmp_path):
        assert folders(tmp_path) == []


def test_zeros_are_holes(spool: Spool) -> None:
    data = b"a" * 5000 + bytes(40 * MIB) + b"b" * 5000 + bytes(9 * MIB)
    stored = spool.store(io.BytesIO(data))
    assert stored.size == len(data)
    assert stored.path.read_bytes() == data
    assert stored.path.stat().st_blocks * 512 <= 32 << 10


pieces = st.lists(
    st.tuples(st.sampled_from([0, 1, 255]), st.sampled_from([1, 4095, 4096, 4097, 8192, MIB])),
    max_size=8,
)


@given(pieces)
def test_what_is_written_is_what_was_read(runs: list[tuple[int, int]]) -> None:
    data = b"".join(bytes([value]) * count for value, count in runs)
    with Spool() as spool:
        assert spool.store(io.BytesIO(data)).path.read_bytes() == data


@pytest.mark.parametrize(
    ("limits", "size", "words"),
    [
        (SpoolLimits(apparent=3 * MIB), 3 * MIB, "larger than 3,145,728 bytes"),
        (SpoolLimits(allocated=2 * MIB), 2 * MIB, "takes more than 2,097,152 bytes on disk"),
    ],
)
def test_limits(tmp_path: Path, limits: SpoolLimits, size: int, words: str) -> None:
    with Spool(tmp_path, limits) as spool:
        stored = spool.store(io.BytesIO(b"x" * (10 * MIB)))
        assert (stored.size, stored.path.stat().st_size) == (size, size)
        assert words in (stored.stopped or "")
        assert stored.path.stat().st_blocks * 512 <= size + MIB


def test_a_file_of_just_the_limit_is_whole(tmp_path: Path) -> None:
    with Spool(tmp_path, SpoolLimits(apparent=MIB)) as spool:
        assert spool.store(io.BytesIO(b"x" * MIB)).stopped is None


def test_holes_count_as_size_and_not_as_room(tmp_path: Path) -> None:
    with Spool(tmp_path, SpoolLimits(apparent=20 * MIB, allocated=MIB)) as spool:
        assert spool.store(io.BytesIO(bytes(20 * MIB))).stopped is None
        assert "larger" in (spool.store(io.BytesIO(bytes(21 * MIB))).stopped or "")


def test_all_files_share_the_room(tmp_path: Path) -> None:
    with Spool(tmp_path, SpoolLimits(allocated=3 * MIB)) as spool:
        stopped = [spool.store(io.BytesIO(b"x" * 2 * MIB)).stopped for _ in range(2)]
    assert stopped[0] is None
    assert "on disk" in (stopped[1] or "")


def test_a_full_disk_is_left_some_room(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    full = SimpleNamespace(f_blocks=1 << 20, f_frsize=4096, f_bavail=100)
    monkeypatch.setattr(module.os, "fstatvfs", lambda _: full)
    stored = spool.store(io.BytesIO(b"x" * MIB))
    assert (stored.size, stored.path.stat().st_blocks) == (0, 0)
    assert "no more room" in (stored.stopped or "")


def test_a_disk_that_fills_up_ends_the_file(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(module.os, "pwrite", full)
    assert "no more room" in (spool.store(io.BytesIO(b"x")).stopped or "")


def test_no_folder_can_be_made(tmp_path: Path) -> None:
    with Spool(tmp_path / "missing") as spool, pytest.raises(InputError) as caught:
        spool.store(io.BytesIO(b"x"))
    assert "--tmp" in (caught.value.hint or "")


_HOLD = """
import io, sys, time
from pathlib import Path
from triage.intake.spool import Spool
spool = Spool(Path(sys.argv[1]))
spool.store(io.BytesIO(b"x"))
print("ready", flush=True)
time.sleep(60)
"""


def test_what_a_killed_process_left_goes_with_the_next_spool(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD, tmp_path], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "ready\n"
    with Spool(tmp_path) as spool:
        spool.store(io.BytesIO(b"y"))
        assert len(folders(tmp_path)) == 2  # it lives: its folder is left alone
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    holder.stdout.close()
    assert len(folders(tmp_path)) == 1
    with Spool(tmp_path) as spool:
        spool.store(io.BytesIO(b"y"))
        assert len(folders(tmp_path)) == 1
    assert folders(tmp_path) == []


def test_what_looks_like_a_spool_and_is_a_link_is_not_followed(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("x")
    (tmp_path / f"{PREFIX}link").symlink_to(kept)
    with Spool(tmp_path) as spool:
        spool.store(io.BytesIO(b"y"))
    assert (kept / "file").exists()


def test_many_zeros_take_little_time(spool: Spool) -> None:
    class Zeros(io.RawIOBase):
        left = 2 << 30

        def readable(self) -> bool:
            return True

        def readinto(self, buffer) -> int:
            count = min(len(buffer), self.left)
            buffer[:count] = bytes(count)
            self.left -= count
            return count

    begin = time.monotonic()
    stored = spool.store(io.BufferedReader(Zeros(), MIB))
    assert stored.size == 2 << 30
    assert stored.path.stat().st_blocks == 0
    assert time.monotonic() - begin < 10
