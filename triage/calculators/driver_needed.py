"""Which driver the program's CUDA release needs, and whether the crash's serves it."""

from __future__ import annotations

import re

from triage.calculators._sheet import Calculator, Figure, Sheet
from triage.calculators._tables import Table, table
from triage.text.version import Version

_RELEASE = re.compile(r"(\d{1,2})\.(\d{1,2})")
_NEEDS = ("environment.cuda_runtime", "fact.cuda-needed", "environment.cuda_toolkit")
_NONE = "-"
# Branches that are kept up for long, which distributions have packages of.
_BRANCHES = (470, 535, 550, 570, 580, 590)


def _work(sheet: Sheet) -> Figure:
    drivers = table("cuda-drivers", 4)
    needed = sheet.text(*_NEEDS)
    driver = sheet.text("environment.driver")
    serves = sheet.text("environment.driver_cuda")
    if needed is None:
        sheet.lack(_NEEDS[0])
        return sheet.unknown()
    row = _row(drivers, needed)
    if row is None:
        return sheet.done(f"not known: the table has no CUDA {needed}")
    windows = "windows" in str(sheet.peek("environment.os") or "").casefold()
    oldest = row[2] if windows and row[2] != _NONE else row[1]
    sheet.cite(f"driver of CUDA {row[0]}", oldest, drivers.source)
    least = row[3] if row[3] != _NONE and not windows else None
    if least and least != oldest:
        sheet.cite(f"driver of CUDA {row[0].partition('.')[0]}", least, drivers.source)
    words = f"CUDA {row[0]} needs driver {oldest} or newer"
    return sheet.done(f"{words}{_verdict(row[0], oldest, least, driver, serves)}", _branch(oldest))


def _verdict(
    release: str, oldest: str, least: str | None, driver: str | None, serves: str | None
) -> str:
    """Return how the driver that is there compares with what is needed."""
    if driver and _known(driver):
        if Version(driver) >= Version(oldest):
            return f"; {driver} serves it"
        if least and Version(driver) >= Version(least):
            return f"; {driver} is older: it runs what was compiled for the card, and no PTX"
        return f"; {driver} is too old"
    if serves and _known(serves):
        if Version(serves) >= Version(release):
            return f"; the driver serves CUDA {serves}"
        same = serves.partition(".")[0] == release.partition(".")[0]
        part = ": it runs what was compiled for the card, and no PTX" if same else ": it is too old"
        return f"; the driver serves CUDA {serves}{part}"
    return "; the crash does not state environment.driver"


def _branch(version: str) -> str:
    """Return the first branch that is kept up and no older than a version."""
    first = int(version.partition(".")[0])
    return str(next((branch for branch in _BRANCHES if branch >= first), first))


def _known(text: str) -> bool:
    return text[:1].isdigit()


def _row(drivers: Table, release: str) -> tuple[str, ...] | None:
    match = _RELEASE.match(release)
    return drivers.find(f"{int(match[1])}.{int(match[2])}") if match else None


CALCULATOR = Calculator(
    name="driver-needed",
    formula="the driver of the CUDA release of the program, by NVIDIA's table",
    doc="the driver branch that the program's CUDA release needs, and whether the crash's driver "
    "serves it",
    work=_work,
)
