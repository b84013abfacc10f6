"""Whatever the bytes are, reading them ends soon, with a result or an InputError."""

import contextlib
import io
import struct
import time

from hypothesis import given, settings
from hypothesis import strategies as st

from triage.elf.corefile import read_core
from triage.elf.image import read_image
from triage.errors import InputError

WORDS = st.sampled_from([0, 1, 7, 0xFF, 0xFFFF, 2**31, 2**32 - 1, 2**62, 2**63, 2**64 - 1])


def sample(elf) -> bytes:
    base = 0x7FFD_0000
    auxiliary = elf.auxiliary({3: 0x4000_0040, 31: base + 8})
    image = elf.builder(file_type=3).notes(elf.note(3, b"\xab" * 20, owner=b"GNU")).build()
    return (
        elf.builder()
        .notes(
            elf.status(1, pc=0x4000_0010, sp=base, signal=11),
            elf.process(1, "claw", "claw -m x"),
            elf.siginfo(11, 1, 8),
            elf.note(6, auxiliary),
            elf.files((0x4000_0000, 0x4000_1000, 0, "/opt/claw")),
            elf.status(2),
        )
        .load(0x4000_0000, image.ljust(4096, b"\0"), flags=5)
        .load(base, elf.stack(base, ["claw", "-m"], ["CLAW_A=1", "B=2"], auxiliary))
        .build()
    )


def both(data: bytes) -> None:
    start = time.perf_counter()
    with contextlib.suppress(InputError):
        read_core(io.BytesIO(data), len(data))
    with contextlib.suppress(InputError):
        read_image(io.BytesIO(data))
    assert time.perf_counter() - start < 2


def test_sample_is_read_whole(elf):
    data = sample(elf)
    facts = read_core(io.BytesIO(data), len(data))
    assert facts.warnings == ()
    assert facts.executable_build_id == "ab" * 20
    assert facts.startup.variables == {"CLAW_A": "1"}


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=600))
def test_any_bytes(data: bytes):
    both(data)


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=600), head=st.sampled_from([(4, 62), (4, 183), (3, 62), (2, 3)]))
def test_any_bytes_behind_a_good_start(data: bytes, head: tuple[int, int]):
    both(b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HH", *head) + data)


@settings(max_examples=500, deadline=None)
@given(
    changes=st.lists(
        st.tuples(st.integers(0, 6000), WORDS | st.integers(0, 2**64 - 1), st.sampled_from("BHIQ")),
        min_size=1,
        max_size=6,
    ),
    end=st.integers(64, 8000),
    file_type=st.sampled_from([None, 2, 3]),
)
def test_changed_fields(elf, changes, end: int, file_type: int | None):
    data = bytearray(sample(elf))
    for at, value, form in changes:
        size = struct.calcsize(form)
        place = at % (len(data) - size)
        data[place : place + size] = (value % 2 ** (8 * size)).to_bytes(size, "little")
    if file_type is not None:
        struct.pack_into("<H", data, 16, file_type)
    both(bytes(data[:end]))


@settings(max_examples=200, deadline=None)
@given(at=st.integers(0, 64 + 3 * 56 - 1), value=WORDS, form=st.sampled_from("HIQ"))
def test_changed_headers(elf, at: int, value: int, form: str):
    data = bytearray(sample(elf))
    size = struct.calcsize(form)
    data[at : at + size] = (value % 2 ** (8 * size)).to_bytes(size, "little")
    both(bytes(data))
