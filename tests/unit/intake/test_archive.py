"""Members of archives are read as streams, hostile ones end early, and no name is ever a path."""

import bz2
import contextlib
import gzip
import io
import random
import struct
import subprocess
import tarfile
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.errors import InputError
from triage.intake import archive as limits
from triage.intake.archive import ArchiveError, Budget, LimitError
from triage.intake.literals import Literals
from triage.intake.load import load
from triage.intake.loaded import Loaded
from triage.intake.spool import Spool
from triage.intake.tar import read_tar
from triage.intake.zipped import read_zip
from triage.model.report import InputKind

Members = dict[str, bytes | bytearray]
CONTENT: Members = {"logs/engine.log": b"one\ntwo\n", "a": b"x" * 1000, "empty": b""}


def tar(members: Members, **more: object) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", **more) as made:  # type: ignore[call-overload]
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            made.addfile(info, io.BytesIO(data))
    return file.getvalue()


def zipped(members: Members, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as made:
        for name, data in members.items():
            made.writestr(name, data)
    return file.getvalue()


def read_back(data: bytes, budget: Budget | None = None, into: Members | None = None) -> Members:
    found = {} if into is None else into
    read = read_zip if data.startswith(b"PK") else read_tar
    for member in read(io.BytesIO(data), budget or Budget()):
        text = found[member.name] = bytearray()
        while piece := member.content.stream.read(1 << 20):
            text += piece
    return found


def load_bytes(folder: Path, data: bytes, name: str = "bundle") -> list[Loaded]:
    path = folder / name
    path.write_bytes(data)
    with Spool(folder) as spool:
        return load(str(path), 0, lambda: Literals(["error"]), spool)


def codes(loaded: list[Loaded]) -> list[str]:
    return [w.code for item in loaded for w in item.warnings]


class TestTar:
    @pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
    def test_members(self, form: int) -> None:
        assert read_back(tar(CONTENT, format=form)) == CONTENT

    @pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
    def test_long_names_and_names_of_any_bytes(self, form: int) -> None:
        name = f"{'folder/' * 20}é"
        assert read_back(tar({name: b"x"}, format=form)) == {name: b"x"}

    def test_a_name_that_is_too_long_keeps_its_end(self) -> None:
        (name,) = read_back(tar({"a" * 5000 + "/engine.log": b"x"}))
        assert name.endswith("a/engine.log")
        assert len(name) == 255

    def test_a_member_that_was_not_read_is_passed_over(self) -> None:
        members = read_tar(io.BytesIO(tar(CONTENT)), Budget())
        assert [member.name for member in members] == list(CONTENT)

    @pytest.mark.parametrize("form", ["gnu", "posix"])
    def test_files_with_holes(self, tmp_path: Path, form: str) -> None:
        path = tmp_path / "core"
        with path.open("wb") as file:
            for at, text in ((0, b"head"), (9 << 20, b"middle"), (20 << 20, b"x" * 9000)):
                file.seek(at)
                file.write(text)
            file.truncate(33 << 20)
        (tmp_path / "last").write_text("last")
        words = ["tar", "-S", f"--format={form}", "-cf", "-", "core", "last"]
        packed = subprocess.run(words, cwd=tmp_path, capture_output=True, check=True).stdout
        assert len(packed) < 1 << 20
        assert read_back(packed) == {"core": path.read_bytes(), "last": b"last"}

    def test_what_is_no_regular_file_is_named_and_not_read(self) -> None:
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode="w") as made:
            for name, kind in (
                ("link", tarfile.SYMTYPE), ("hard", tarfile.LNKTYPE), ("pipe", tarfile.FIFOTYPE),
                ("null", tarfile.CHRTYPE), ("folder", tarfile.DIRTYPE),
            ):  # fmt: skip
                info = tarfile.TarInfo(name)
                info.type, info.linkname = kind, "/etc/passwd"
                made.addfile(info)
        budget = Budget()
        assert read_back(file.getvalue(), budget) == {}
        assert budget.skipped == [
            "link (a link)", "hard (a link)", "pipe (a pipe)", "null (a device)",
        ]  # fmt: skip

    @pytest.mark.parametrize("cut", [100, 600, 1100, 2000])
    def test_a_cut_archive_ends_with_what_is_there(self, cut: int) -> None:
        data = tar({"a": b"x" * 700, "b": b"y" * 700})[:cut]
        found: Members = {}
        with pytest.raises(ArchiveError, match="middle"):
            read_back(data, into=found)
        assert all(text == (b"x" if n == "a" else b"y") * len(text) for n, text in found.items())

    def test_negative_size_does_not_loop(self) -> None:
        # A size of -1 in base 256 leads a reader that seeks back to the same header for ever.
        header = bytearray(tar({"a": b""})[:512])
        header[124:136] = b"\xff" * 12
        header[148:156] = b" " * 8
        header[148:156] = b"%06o\0 " % sum(header)
        begin = time.monotonic()
        with pytest.raises(ArchiveError, match="negative"):
            read_back(bytes(header) * 4)
        assert time.monotonic() - begin < 1

    @pytest.mark.parametrize("kind", [b"L", b"x"])
    def test_a_name_of_gigabytes_is_not_read_into_memory(self, kind: bytes) -> None:
        header = bytearray(tar({"a": b""})[:512])
        header[124:136] = b"77777777777\0"
        header[156:157] = kind
        header[148:156] = b" " * 8
        header[148:156] = b"%06o\0 " % sum(header)
        with pytest.raises(ArchiveError, match="a name of"):
            read_back(bytes(header) + bytes(4096))

    def test_endless_extensions_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        header = bytearray(tar({"a": b""})[:512])
        header[156:157] = b"g"
        header[148:156] = b" " * 8
        header[148:156] = b"%06o\0 " % sum(header)
        with pytest.raises(LimitError, match="members"):
            read_back(bytes(header) * 20_000)

    @settings(max_examples=300, deadline=None)
    @given(st.integers(0, 2**32), st.integers(1, 6))
    def test_damage_of_any_kind_is_an_archive_error(self, seed: int, count: int) -> None:
        dice = random.Random(seed)
        data = bytearray(tar(CONTENT, format=tarfile.PAX_FORMAT))
        for _ in range(count):
            data[dice.randrange(len(data))] = dice.randrange(256)
            if dice.random() < 0.5:  # a checksum that fits, so that more is looked at
                at = dice.randrange(len(data) // 512) * 512
                data[at + 148 : at + 156] = b" " * 8
                data[at + 148 : at + 156] = b"%06o\0 " % sum(data[at : at + 512])
        with contextlib.suppress(ArchiveError):
            read_back(bytes(data))


class TestZip:
    @pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    def test_members(self, method: int) -> None:
        assert read_back(zipped(CONTENT, method)) == CONTENT

    def test_members_that_overlap_are_refused(self) -> None:
        # Both entries of the table of contents name the same bytes.
        data = bytearray(zipped({"a": b"x" * 500, "b": b"x" * 500}))
        first = data.find(b"PK\x01\x02")
        second = data.find(b"PK\x01\x02", first + 4)
        data[second + 42 : second + 46] = data[first + 42 : first + 46]
        with pytest.raises(ArchiveError, match="overlap"):
            read_back(bytes(data))

    def test_a_lying_size_is_damage(self) -> None:
        data = bytearray(zipped({"a": b"x" * 5000}))
        entry = data.find(b"PK\x01\x02")
        data[entry + 24 : entry + 28] = struct.pack("<I", 100)
        for member in read_zip(io.BytesIO(bytes(data)), Budget()):
            assert len(member.content.stream.read()) <= 100
            assert "CRC" in (member.content.damage or "")

    def test_links_and_secrets_and_rare_methods_are_named(self) -> None:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as made:
            link = zipfile.ZipInfo("link")
            link.external_attr = 0o120777 << 16
            made.writestr(link, "/etc/passwd")
            made.writestr("rare", "x", zipfile.ZIP_LZMA)
            made.writestr("folder/", "")
        budget = Budget()
        assert read_back(file.getvalue(), budget) == {}
        assert budget.skipped == ["link (a link)", "rare (packed in an unusual way)"]

    def test_a_large_table_of_contents_is_not_read(self) -> None:
        # The end record says that the table of contents is all of a large file.
        body = bytes(20 << 20)
        end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 60_000, 60_000, len(body), 0, 0)
        tracemalloc.start()
        with pytest.raises(ArchiveError, match="table of contents"):
            read_back(b"PK\3\4" + body[4:] + end)
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
        tracemalloc.stop()

    @settings(max_examples=200, deadline=None)
    @given(st.integers(0, 2**32), st.integers(1, 5))
    def test_damage_of_any_kind_is_an_archive_error(self, seed: int, count: int) -> None:
        dice = random.Random(seed)
        data = bytearray(zipped(CONTENT))
        for _ in range(count):
            data[dice.randrange(4, len(data))] = dice.randrange(256)
        with contextlib.suppress(ArchiveError):
            read_back(bytes(data))


class TestBudget:
    @pytest.mark.parametrize("pack", [tar, zipped])
    def test_members(self, pack: Callable[[Members], bytes]) -> None:
        data = pack({f"f{n}": b"" for n in range(30)})
        with pytest.raises(LimitError, match="members"):
            read_back(data, Budget(members=20))

    @pytest.mark.parametrize("pack", [tar, zipped])
    def test_bytes(self, pack: Callable[[Members], bytes]) -> None:
        found: Members = {}
        data = pack({"a": bytes(9 << 20), "b": b"x"})
        with pytest.raises(LimitError):
            read_back(data, Budget(bytes=1 << 20), found)
        assert [name for name in found if len(found[name]) <= 2 << 20] == ["a"]

    def test_holes_count(self, tmp_path: Path) -> None:
        path = tmp_path / "core"
        with path.open("wb") as file:
            file.truncate(9 << 30)
        words = ["tar", "-S", "-cf", "-", "core"]
        packed = subprocess.run(words, cwd=tmp_path, capture_output=True, check=True).stdout
        found: Members = {}
        with pytest.raises(LimitError):
            read_back(packed + tar({"b": b"x"}), Budget(bytes=64 << 20), found)
        assert len(found["core"]) <= 65 << 20


class TestLoad:
    """Archives as inputs."""

    @pytest.mark.parametrize(
        "pack", [tar, zipped, lambda m: gzip.compress(tar(m)), lambda m: bz2.compress(tar(m))]
    )
    def test_texts(self, tmp_path: Path, pack: Callable[[Members], bytes]) -> None:
        loaded = load_bytes(tmp_path, pack({"a/engine.log": b"x\nerror\n", "dmesg": b"y\n"}))
        texts = [item for item in loaded if item.lines]
        assert [item.member for item in texts] == ["a/engine.log", "dmesg"]
        assert [line.text for line in texts[0].lines] == ["x", "error"]
        assert {item.input.id for item in loaded} == {0}
        assert {item.input.kind for item in loaded} == {InputKind.ARCHIVE}
        assert codes(loaded) == []

    def test_packed_members_and_an_archive_in_an_archive(self, tmp_path: Path) -> None:
        inner = gzip.compress(tar({"deep.log": b"deep\n"}))
        loaded = load_bytes(tmp_path, tar({"a.log.gz": gzip.compress(b"a\n"), "in.tgz": inner}))
        texts = {item.member: item.lines[0].text for item in loaded if item.lines}
        assert texts == {"a.log.gz": "a", "in.tgz/deep.log": "deep"}

    def test_archives_nested_too_deep_are_named(self, tmp_path: Path) -> None:
        data = tar({"x.log": b"x\n"})
        for n in range(3):
            data = tar({f"{n}.tar": data, "note": b"note\n"})
        loaded = load_bytes(tmp_path, data)
        assert "members-skipped" in codes(loaded)
        assert not any(item.member == "2.tar/1.tar/0.tar/x.log" for item in loaded)

    def test_names_are_data(self, tmp_path: Path) -> None:
        outside = tmp_path / "outside"
        folder = tmp_path / "in"
        folder.mkdir()
        names = ["../outside", str(outside), "a/../../outside", "x\n\x1b[2J"]
        loaded = load_bytes(folder, tar(dict.fromkeys(names, b"x\n")))
        assert [item.member for item in loaded if item.lines] == names
        assert sorted(tmp_path.rglob("*")) == [folder, folder / "bundle"]

    def test_what_cannot_be_read_is_named(self, tmp_path: Path) -> None:
        members = {"a.log": b"x\n", "b.bin": bytes(range(256)), "prog": b"\x7fELF" + bytes(60)}
        loaded = load_bytes(tmp_path, tar(members))
        (warning,) = [w for item in loaded for w in item.warnings]
        assert warning.code == "members-skipped"
        assert "b.bin (binary data" in warning.message
        assert "prog (an ELF file, but neither" in warning.message

    def test_nothing_in_it_can_be_read(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"b\.bin"):
            load_bytes(tmp_path, zipped({"b.bin": bytes(range(256))}))
        with pytest.raises(InputError, match="no files in it"):
            load_bytes(tmp_path, zipped({}))

    @pytest.mark.parametrize("pack", [tar, lambda m: gzip.compress(tar(m)), zipped])
    def test_a_damaged_archive_is_read_up_to_the_damage(
        self, tmp_path: Path, pack: Callable[[Members], bytes]
    ) -> None:
        dice = random.Random(1)
        log = b"error 1\n" * 100
        data = pack({"a.log": log, "b.log": dice.randbytes(200_000).hex().encode()})
        cut = data[: len(data) * 2 // 3]
        if data.startswith(b"PK"):
            with pytest.raises(InputError, match="nothing in it can be read"):
                load_bytes(tmp_path, cut)
            return
        loaded = load_bytes(tmp_path, cut)
        assert loaded[0].member == "a.log"
        assert len(loaded[0].lines) == 100
        assert codes(loaded).count("input-damaged") >= 1
        assert any(item.input.truncated for item in loaded)

    def test_texts_beyond_the_memory_for_them_are_named(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("triage.intake.load.MAX_KEPT", 1000)
        loaded = load_bytes(tmp_path, tar({f"{n}.log": b"x\n" * 100 for n in range(5)}))
        assert [item.member for item in loaded if item.lines] == ["0.log"]
        assert "members-skipped" in codes(loaded)

    def test_more_members_than_are_allowed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("triage.intake.load.Budget", lambda: Budget(members=3))
        loaded = load_bytes(tmp_path, tar({f"{n}.log": b"x\n" for n in range(9)}))
        assert len([item for item in loaded if item.lines]) == 3
        assert "input-cut" in codes(loaded)

    def test_seven_zip_is_refused_with_a_way_out(self, tmp_path: Path) -> None:
        with pytest.raises(InputError) as caught:
            load_bytes(tmp_path, b"7z\xbc\xaf\x27\x1c" + bytes(100))
        assert caught.value.hint == "unpack it first and give the files in it"

    def test_a_file_that_is_packed_twice(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="twice"):
            load_bytes(tmp_path, gzip.compress(gzip.compress(b"x\n")))


def test_the_limits_are_those_of_the_documentation() -> None:
    assert (limits.MAX_MEMBERS, limits.MAX_BYTES, limits.MAX_DEPTH) == (10_000, 96 << 30, 2)
