"""The order of the pieces does not depend on how they were given."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.incident.order import Piece, in_order
from triage.model.crash import Engine, ErrorRecord, Fragment, Signal
from triage.model.stack import Frame, Thread, ThreadKind
from triage.text.pci import pci_address

HOST = Thread(frames=(Frame(index=0, function="f"),))
PIECES = [
    Piece(name="z.log", fragments=(Fragment(dialect="openclaw", engine=Engine(name="openclaw")),)),
    Piece(
        name="y.nvcudmp", fragments=(Fragment(dialect="g", threads=(Thread(kind=ThreadKind.GPU),)),)
    ),
    Piece(name="b.txt", fragments=(Fragment(dialect="gdb", threads=(HOST,)),)),
    Piece(name="c.txt", fragments=(Fragment(dialect="gdb", threads=(HOST,)),)),
    Piece(name="x.txt", fragments=(Fragment(dialect="p", signal=Signal(name="SIGABRT")),)),
    Piece(name="a.txt", fragments=(Fragment(dialect="kernel", errors=(ErrorRecord(api="xid"),)),)),
    Piece(name="0.gguf", fragments=()),
]


@given(order=st.permutations(PIECES))
def test_what_tells_most_of_the_program_comes_first(order: list[Piece]) -> None:
    assert in_order(order) == PIECES


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("PCI:0000:00:06", "0000:00:06"),
        ("00000000:3B:00.0", "0000:3b:00"),
        ("00:06.0", "0000:00:06"),
        ("GPU 0001:82:00.0: RmInitAdapter failed", "0001:82:00"),
        ("GPU at PCI:0000:c1:00: GPU-5d1e", "0000:c1:00"),
        ("at 12:30:59", None),
        ("", None),
        (None, None),
    ],
)
def test_pci_addresses_have_one_form(text: str | None, address: str | None) -> None:
    assert pci_address(text) == address
