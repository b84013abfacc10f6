"""GPU core dumps that are cut off, of other drivers, or attacks on their reader."""

import random
import struct
import time
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.gpucore.synthetic import write_with_memory
from triage.errors import InputError
from triage.gpucore.sections import Kind
from triage.model.crash import Fragment

NAME = "gpu_cores/scatter.rel"
LINES = b".debug_line"
CELLS = (0, 1, 2, 7, 0xFF, 0xFFFF, 0xFFFF_FFFF, 1 << 31, 1 << 40, 1 << 62, (1 << 64) - 1)


def codes(fragment: Fragment) -> set[str]:
    return {warning.code for warning in fragment.warnings}


def table(data: bytes) -> tuple[int, int]:
    (at,) = struct.unpack_from("<Q", data, 40)
    (count,) = struct.unpack_from("<H", data, 60)
    return at, count


def headers(data: bytes, kind: Kind) -> list[int]:
    """Return where the section headers of a kind stand."""
    at, count = table(data)
    places = [at + 64 * n for n in range(count)]
    return [p for p in places if struct.unpack_from("<I", data, p + 4)[0] == 0x8000_0000 + kind]


def patched(data: bytes, form: str, *changes: tuple[int, int]) -> bytes:
    changed = bytearray(data)
    for place, value in changes:
        struct.pack_into(form, changed, place, value)
    return bytes(changed)


class TestCut:
    def test_without_the_table_of_sections(self, core, fragment_of):
        data = core(NAME)
        found = fragment_of(data[: table(data)[0]])
        assert codes(found) == {"core-truncated"}
        assert found.truncated
        assert not found.threads
        assert not found.errors
        (warning,) = found.warnings
        assert "skip_global_memory" in warning.message

    def test_within_the_table_of_sections(self, core, fragment_of):
        """What stands in front of the cut is read: here all but the last strings."""
        data = core(NAME)
        found = fragment_of(data[:-64])
        assert "core-truncated" in codes(found)
        assert found.threads[0].frames[0].line == 23

    @pytest.mark.parametrize("share", [0, 0.0001, 0.1, 0.5, 0.9, 0.97, 0.99, 0.999])
    def test_anywhere(self, core, fragment_of, share):
        data = core(NAME)
        try:
            found = fragment_of(data[: int(len(data) * share)])
        except InputError:
            assert share < 0.001
        else:
            assert found.truncated
            assert "core-truncated" in codes(found)

    def test_a_table_that_tells_of_more_than_any_file_has(self, core, fragment_of):
        """It is the table that is wrong, and nothing is missing."""
        data = core(NAME)
        first = headers(data, Kind.DEVICES)[0]
        for damaged in (
            patched(data, "<Q", (first + 24, (1 << 64) - 4096)),
            patched(data, "<Q", (40, (1 << 64) - 4096)),
        ):
            found = fragment_of(damaged)
            assert "gpu-core-damaged" in codes(found)
            assert "core-truncated" not in codes(found)
            assert not any("missing" in w.message for w in found.warnings)

    def test_not_a_gpu_core(self, fragment_of):
        for data in (b"", b"\x7fELF", b"\x7fELF\x02\x01\x01" + bytes(60), b"text" * 100):
            with pytest.raises(InputError, match="not a GPU core dump"):
                fragment_of(data)


class TestDrivers:
    def test_whole(self, core, fragment_of):
        found = fragment_of(core(NAME))
        assert not found.warnings
        assert not found.truncated

    def test_rows_of_an_older_driver(self, core, fragment_of):
        """Before r555 a multiprocessor had no exception of its own: the lanes still have theirs."""
        data = core(NAME)
        whole = fragment_of(data)
        (place,) = headers(data, Kind.SMS)
        offset, size = struct.unpack_from("<QQ", data, place + 24)
        short = bytearray(data)
        for n in range(size // 48):
            short[offset + 8 * n : offset + 8 * n + 8] = data[offset + 48 * n : offset + 48 * n + 8]
        old = patched(bytes(short), "<Q", (place + 56, 8), (place + 32, size // 6))
        found = fragment_of(old)
        assert found.errors == whole.errors
        assert found.threads == whole.threads
        assert not found.warnings

    def test_rows_of_a_newer_driver(self, core, fragment_of):
        """Fields that were added behind the known ones change nothing."""
        data = core(NAME)
        (place,) = headers(data, Kind.DEVICES)
        offset, _, element = struct.unpack_from("<QQ16xQ", data, place + 24)
        row = data[offset : offset + element] + b"\xee" * 40
        longer = data + row
        new = patched(
            longer, "<Q", (place + 24, len(data)), (place + 32, len(row)), (place + 56, len(row))
        )
        assert fragment_of(new) == fragment_of(data)

    @pytest.mark.parametrize("kind", [Kind.LANES, Kind.WARPS, Kind.GRIDS, Kind.DEVICES])
    def test_rows_that_are_too_short(self, core, fragment_of, kind):
        data = core(NAME)
        found = fragment_of(patched(data, "<Q", *((p + 56, 4) for p in headers(data, kind))))
        assert "gpu-core-layout" in codes(found)
        assert kind.name.lower() in next(
            w.message for w in found.warnings if w.code == "gpu-core-layout"
        )

    def test_without_metadata(self, core, fragment_of):
        data = core(NAME)
        (place,) = headers(data, Kind.METADATA)
        found = fragment_of(patched(data, "<I", (place + 4, 0x8000_0077)))
        assert found.environment.driver is None
        assert found.errors == fragment_of(data).errors

    def test_sections_of_an_unknown_kind_are_left_alone(self, core, fragment_of):
        data = core(NAME)
        found = fragment_of(patched(data, "<I", *((p + 4, 0x8000_0099) for p in headers(data, 3))))
        assert found == fragment_of(data)

    def test_without_devices(self, core, fragment_of):
        data = core(NAME)
        (place,) = headers(data, Kind.DEVICES)
        found = fragment_of(patched(data, "<I", (place + 4, 0x8000_0099)))
        assert codes(found) == {"gpu-core-damaged"}

    def test_without_the_cubins(self, core, fragment_of):
        data = core(NAME)
        places = headers(data, Kind.RELOCATED_CUBIN)
        found = fragment_of(patched(data, "<I", *((p + 4, 0x8000_0099) for p in places)))
        assert codes(found) == {"gpu-code-missing"}
        assert found.threads[0].frames[0].address == fragment_of(data).threads[0].frames[0].address
        assert found.threads[0].frames[0].function is None
        assert found.errors[0].code == 14

    def test_without_line_tables(self, core, fragment_of):
        found = fragment_of(core("gpu_cores/scatter.noline"))
        assert codes(found) == {"gpu-lines-missing"}
        assert [f.offset for f in found.threads[0].frames] == ["0x80", "0xc0", "0x90"]


class TestHostile:
    def test_more_sections_than_the_file_has(self, core, fragment_of):
        data = core(NAME)
        at, _ = table(data)
        zero = patched(patched(data, "<H", (60, 0)), "<Q", (at + 32, 1 << 60))
        assert within(2, fragment_of, zero) is not None

    def test_tables_that_are_each_others_parents(self, core, fragment_of):
        data = core(NAME)
        at, count = table(data)
        changes = [(at + 64 * n + 40, n) for n in range(count)]
        within(2, fragment_of, patched(data, "<I", *changes))
        within(2, fragment_of, patched(data, "<I", *((p, 1) for p, _ in changes)))

    @pytest.mark.parametrize("kind", list(Kind))
    @pytest.mark.parametrize("size", [1 << 20, 1 << 40, (1 << 64) - 1])
    def test_sizes_without_end(self, core, fragment_of, kind, size):
        data = core(NAME)
        within(2, fragment_of, patched(data, "<Q", *((p + 32, size) for p in headers(data, kind))))

    @pytest.mark.parametrize("name", [NAME, "gpu_cores/cluster.rel", "gpu/quant-iq2.rel"])
    def test_changes_at_random(self, core, fragment_of, name):
        data = core(name)
        at, count = table(data)
        rng = random.Random(7)
        ranges = [(0, 64), (at, at + 64 * count)]
        for kind in Kind:
            for place in headers(data, kind)[:40]:
                offset, size = struct.unpack_from("<QQ", data, place + 24)
                ranges += [(offset, offset + size), (place, place + 64)]
        for _ in range(250):
            changed = bytearray(data)
            for _ in range(rng.choice((1, 1, 2, 8, 40))):
                begin, end = rng.choice(ranges)
                place = rng.randrange(begin, max(end, begin + 1))
                width = rng.choice((1, 4, 8))
                value = rng.choice(CELLS) if rng.random() < 0.6 else rng.getrandbits(64)
                new = (value & (1 << 8 * width) - 1).to_bytes(8, "little")[:width]
                changed[place : place + width] = new
            within(2, fragment_of, bytes(changed[: len(data)]))

    def test_line_tables_changed_at_random(self, core, fragment_of):
        data = core("gpu_cores/cluster.rel")
        rng = random.Random(8)
        lines = [
            (offset + begin, size)
            for place in headers(data, Kind.RELOCATED_CUBIN)
            for offset, whole in [struct.unpack_from("<QQ", data, place + 24)]
            for begin, size in debug_lines(data[offset : offset + whole])
        ]
        assert lines
        for _ in range(300):
            changed = bytearray(data)
            for begin, size in lines:
                for _ in range(rng.choice((1, 4, 30))):
                    changed[begin + rng.randrange(size)] = rng.choice((0, 1, 0x7F, 0x90, 0xFF))
            within(2, fragment_of, bytes(changed))

    @settings(max_examples=100, deadline=None)
    @given(body=st.binary(max_size=2000), count=st.integers(0, 0xFFFF), at=st.integers(0, 2100))
    def test_any_bytes_behind_a_good_header(self, fragment_of, body, count, at):
        head = b"\x7fELF\x02\x01\x01\x33" + bytes(8) + struct.pack("<HHI", 4, 190, 1)
        head += struct.pack("<QQQIHHHHHH", 0, 0, at, 0, 64, 0, 0, 64, count, 1)
        within(2, fragment_of, head + body)


def debug_lines(cubin: bytes) -> list[tuple[int, int]]:
    """Return the place and size of the line tables of a cubin."""
    at, count = table(cubin)
    rows = [struct.unpack_from("<IIQQQQIIQQ", cubin, at + 64 * n) for n in range(count)]
    (names,) = struct.unpack_from("<H", cubin, 62)
    texts = cubin[rows[names][4] :]
    return [
        (row[4], row[5])
        for row in rows
        if row[5] and texts[row[0] :].startswith((b".debug_line\0", b".debug_str\0"))
    ]


def within(seconds: float, fragment_of, data: bytes) -> Fragment | None:
    start = time.process_time()
    try:
        found = fragment_of(data)
    except InputError:
        found = None
    assert time.process_time() - start < seconds
    return found


def test_reading_does_not_touch_memory(core, fragment_of):
    """What a core holds of the device's memory is passed over, however much there is."""

    class Counting(BytesIO):
        taken = 0

        def read(self, size: int | None = -1, /) -> bytes:
            data = super().read(size)
            self.taken += len(data)
            return data

    from triage.gpucore.fragment import read_gpu_core

    data = core("gpu_cores/torch-copy")
    stream = Counting(data)
    read_gpu_core(stream, len(data), 0)
    assert stream.taken < 2 << 20 < 20 << 20 < len(data)


def test_all_of_the_devices_memory_costs_nothing(core, fragment_of, tmp_path):
    from triage.gpucore.fragment import read_gpu_core

    data = core(NAME)
    path = write_with_memory(tmp_path / "large.nvcudmp", data, 8 << 30)
    start = time.process_time()
    with path.open("rb") as stream:
        found = read_gpu_core(stream, path.stat().st_size, 0)
    assert time.process_time() - start < 2
    assert found == fragment_of(data)
