"""nvidia-smi's table and its list."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from triage.model.crash import Environment, Gpu
from triage.read import ReadOptions, read_text

RECORDED = Path(__file__).resolve().parents[3] / "fixtures/recordings/gpu/nvidia-smi.txt"
LIST = """\
    ==============NVSMI LOG==============

    Timestamp                                 : Tue Nov 24 09:16:00 2026
    Driver Version                            : 580.159.04
    CUDA Version                              : 13.0

    Attached GPUs                             : 2
    GPU 00000000:00:06.0
        Product Name                          : NVIDIA H100 80GB HBM3
        FB Memory Usage
            Total                             : 81559 MiB
            Free                              : 81008 MiB
        BAR1 Memory Usage
            Total                             : 131072 MiB
    GPU 00000001:3B:00.0
        Product Name                          : NVIDIA L4
        FB Memory Usage
            Total                             : 23034 MiB
"""
OLDER = """\
    | NVIDIA-SMI 470.82.01    Driver Version: 470.82.01    CUDA Version: 11.4     |
    |-------------------------------+----------------------+----------------------+
    |   0  Tesla T4            Off  | 00000000:00:1E.0 Off |                    0 |
    | N/A   34C    P8     9W /  70W |      3MiB / 15109MiB |      0%      Default |
"""


def environment(text: str) -> Environment:
    return read_text(text, ReadOptions()).crash.environment


def test_the_table_that_was_recorded() -> None:
    found = environment(RECORDED.read_text())
    assert found.gpus == (Gpu(name="NVIDIA H100 80GB HBM3", memory_total=81559, pci="00:06.0"),)
    assert (found.driver, found.driver_cuda) == ("580.159.04", "13.0")
    assert (found.where["driver"].line, found.where["gpus"].line) == (3, 9)


def test_the_list_with_several_gpus() -> None:
    found = environment(textwrap.dedent(LIST))
    assert found.gpus == (
        Gpu(name="NVIDIA H100 80GB HBM3", memory_total=81559, pci="00:06.0"),
        Gpu(name="NVIDIA L4", memory_total=23034, pci="00000001:3b:00.0"),
    )
    assert (found.driver, found.driver_cuda) == ("580.159.04", "13.0")


def test_an_older_table() -> None:
    found = environment(textwrap.dedent(OLDER))
    assert found.gpus == (Gpu(name="Tesla T4", memory_total=15109, pci="00:1e.0"),)
    assert found.driver == "470.82.01"


def test_it_is_no_crash_and_says_nothing_of_what_was_free() -> None:
    crash = read_text(RECORDED.read_text(), ReadOptions()).crash
    assert not crash.is_crash
    assert crash.environment.gpus[0].memory_free is None


@pytest.mark.parametrize("rows", range(0, 27, 2))
def test_cut_off_anywhere(rows: int) -> None:
    text = "\n".join(RECORDED.read_text().split("\n")[:rows])
    assert len(environment(text).gpus) <= 1
