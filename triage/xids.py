"""What the numbers mean that NVIDIA's driver prints as Xid, and NVSwitch's as SXid.

Both are text in `signatures/xids`, so that adding one is a line.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache

from triage.errors import PackError
from triage.model.crash import ErrorRecord, Role
from triage.model.diagnosis import Action
from triage.tables import entries, table_files

_COLUMNS = 8
_FIRST_SXID = 10_000
_NON_FATAL = re.compile(r"\bnon-?fatal\b", re.IGNORECASE)


class XidClass(StrEnum):
    """Who is to blame for an Xid, as a rule."""

    APPLICATION = "application"
    DRIVER = "driver"
    HARDWARE = "hardware"
    LINK = "link"
    CLEAN_UP = "clean-up"
    NOTICE = "notice"


_FAULTS = frozenset((XidClass.DRIVER, XidClass.HARDWARE, XidClass.LINK))


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownXid:
    """One number: what it means and what to do.

    `alone` is its part where nothing else is reported; `each` says that every line counts, where
    otherwise many lines are one event; `repeat` is who is to blame when it comes back on one GPU
    with other programs or after restarts, None where that changes nothing.
    """

    kind: str
    code: int
    name: str
    blame: XidClass
    alone: Role
    each: bool
    repeat: XidClass | None
    action: Action
    text: str


@cache
def known_xids() -> dict[tuple[str, int], KnownXid]:
    """Return every number in `signatures/xids/*.tsv` by its kind, `xid` or `sxid`."""
    table: dict[tuple[str, int], KnownXid] = {}
    for path in table_files("xids", "tsv"):
        for number, line in entries(path):
            known = _entry(path.stem, line.split("\t"), f"{path.name}:{number}")
            table[known.kind, known.code] = known
    return table


def _entry(kind: str, cells: Sequence[str], where: str) -> KnownXid:
    if len(cells) != _COLUMNS or not cells[0].isdigit():
        raise PackError([f"{where}: {_COLUMNS} columns are wanted, code first"])
    code, name, blame, alone, burst, repeat, action, text = cells
    if burst not in ("one", "each"):
        raise PackError([f"{where}: burst is 'one' or 'each', not {burst!r}"])
    try:
        return KnownXid(
            kind=kind,
            code=int(code),
            name=name,
            blame=XidClass(blame),
            alone=Role(alone),
            each=burst == "each",
            repeat=None if repeat == "-" else XidClass(repeat),
            action=Action(action),
            text=text,
        )
    except ValueError as error:
        raise PackError([f"{where}: {error}"]) from error


def xid_of(error: ErrorRecord) -> KnownXid | None:
    """Return what is known of the number that an error of api `xid` has."""
    if error.api != "xid" or error.code is None:
        return None
    kind = "sxid" if error.code >= _FIRST_SXID else "xid"
    return known_xids().get((kind, error.code))


def with_roles(errors: Sequence[ErrorRecord]) -> tuple[ErrorRecord, ...]:
    """Return the errors with what each Xid means, and the part that it plays among the Xids.

    A role that is set stays. Clean-up is a consequence of any failure beside it; a fault of driver,
    hardware or link leaves open whether an application's fault came of it.
    """
    known = [xid_of(error) for error in errors]
    failed = [k for k in known if k and k.blame not in (XidClass.CLEAN_UP, XidClass.NOTICE)]
    broken = any(k.blame in _FAULTS for k in failed)
    return tuple(
        replace(error, meaning=k.name, role=_role(error, k, failed=bool(failed), broken=broken))
        if k
        else error
        for error, k in zip(errors, known, strict=True)
    )


def _role(error: ErrorRecord, known: KnownXid, *, failed: bool, broken: bool) -> Role:
    if error.role is not Role.UNCLEAR:
        return error.role
    if known.blame in (XidClass.CLEAN_UP, XidClass.NOTICE):
        return Role.CONSEQUENCE if failed else known.alone
    if known.blame is XidClass.LINK and _NON_FATAL.search(error.message or ""):
        return Role.UNCLEAR
    if known.blame is XidClass.APPLICATION and broken:
        return Role.UNCLEAR
    return known.alone
