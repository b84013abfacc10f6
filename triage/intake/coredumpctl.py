"""Asks systemd for the core dumps that it keeps, through its own program."""

from __future__ import annotations

import datetime
import io
import json
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, BinaryIO, Final, cast

from triage.elf.signals import SIGNALS
from triage.errors import InputError
from triage.intake.core import load_open
from triage.intake.loaded import Loaded, Source
from triage.intake.spool import Spool
from triage.model.crash import ReportWarning
from triage.model.position import Position
from triage.model.report import Input, InputKind

_PROGRAM: Final = "coredumpctl"
_PATIENCE: Final = 60
_MAX_COMMAND_NAME: Final = 15
_READABLE: Final = ("present", "journal", "truncated")
_HELD_BY: Final = {
    "missing": "systemd has removed its core dump since: see Storage= and MaxUse= in coredump.conf",
    "none": "its core dump was not kept: see Storage= and ProcessSizeMax= in coredump.conf",
    "error": "its core dump may not be read by this user: try it with sudo",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptCrash:
    """A crash that systemd keeps; `time` is in UTC, `state` is systemd's word for the core dump."""

    pid: int
    time: datetime.datetime
    signal: str
    executable: str
    state: str
    size: int | None = None

    @property
    def readable(self) -> bool:
        """Whether the core dump is there."""
        return self.state in _READABLE


def list_crashes(match: str | None = None) -> list[KeptCrash]:
    """Return the crashes that systemd keeps, oldest first: all, or those of a program or a process.

    `match` is a process id, the path of a program or its name. Raises InputError where systemd
    keeps none or cannot be asked.
    """
    words = [] if match is None else [_match_word(match)]
    done = _run(["list", "--json=short", "--no-pager", *words])
    if done.returncode != 0:
        of = f" of {match}" if match else ""
        said = done.stderr.decode("utf-8", "replace").strip()
        raise InputError(
            f"systemd keeps no core dump{of}: {said or 'coredumpctl failed'}",
            hint="clawtriage core --list shows all of them",
        )
    try:
        rows = json.loads(done.stdout)
    except ValueError as error:
        raise InputError(
            "coredumpctl cannot list as JSON, which systemd 248 and later can",
            hint="fetch the core dump by hand: coredumpctl dump -o core PID",
        ) from error
    found = [crash for row in rows if isinstance(row, dict) and (crash := _crash(row)) is not None]
    return sorted(found, key=lambda crash: crash.time)


def last_crash(match: str | None = None) -> KeptCrash:
    """Return the last crash of a program that has a core dump; raises InputError for none."""
    crashes = list_crashes(match)
    readable = [crash for crash in crashes if crash.readable]
    if readable:
        return readable[-1]
    why = _HELD_BY.get(crashes[-1].state, "its core dump is not there") if crashes else ""
    of = f" of {match}" if match else ""
    raise InputError(
        f"systemd has no core dump{of} that can be read",
        hint=f"the last crash is that of process {crashes[-1].pid}; {why}" if crashes else None,
    )


def load_crash(crash: KeptCrash, spool: Spool) -> Loaded:
    """Fetch the core dump of a crash into the spool; raises InputError where it cannot be had."""
    info = Input(id=0, name=f"core.{crash.pid}", kind=InputKind.ELF_CORE, size=crash.size)
    with tempfile.TemporaryFile() as complaints:
        process = subprocess.Popen(  # noqa: S603 - a number is all that is put in
            [_find(), "dump", "--no-pager", str(crash.pid)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=complaints,
        )
        stream = cast("BinaryIO", process.stdout)
        try:
            head = cast("io.BufferedReader", stream).peek(1)
            loaded = load_open(Source(input=info, stream=stream), spool) if head else None
            whole = not stream.read(1)
            stream.close()
            status = process.wait(timeout=_PATIENCE)
        finally:
            process.kill()
            stream.close()
            process.wait()
        said = _last_line(complaints)
    if loaded is None:
        raise InputError(
            f"coredumpctl hands out no core dump of process {crash.pid}: {said}",
            hint=f"see what it says: coredumpctl dump -o core {crash.pid}",
        )
    if status and whole:
        message = f"coredumpctl did not hand out the whole core dump: {said}"
        at = Position(input=0)
        warning = ReportWarning(code="input-damaged", message=message, at=at)
        loaded = replace(loaded, warnings=(*loaded.warnings, warning))
    return loaded


def _last_line(file: IO[bytes]) -> str:
    file.seek(max(0, file.seek(0, os.SEEK_END) - 4096))
    text = file.read().decode("utf-8", "replace").strip()
    return text.rpartition("\n")[2] or "it says nothing"


def _find() -> str:
    path = shutil.which(_PROGRAM)
    if path is None:
        raise InputError(
            "coredumpctl is not installed, so systemd cannot be asked for core dumps",
            hint="apt-get install systemd-coredump; or give the core dump itself: "
            "cat /proc/sys/kernel/core_pattern says where the kernel writes it",
        )
    return path


def _run(words: list[str]) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(  # noqa: S603 - words of our own, and a match that is no option
            [_find(), *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
            env={**os.environ, "SYSTEMD_COLORS": "0", "LC_ALL": "C.UTF-8"},
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InputError(
            f"coredumpctl cannot be run: {error}", hint="try it by hand: coredumpctl list"
        ) from error


def _match_word(match: str) -> str:
    """Return what coredumpctl takes for a program: a number, a whole path, or a short name."""
    if match.startswith("-") or "=" in match:
        raise InputError(
            f"{match} names no program", hint="give its name, its path or a process id"
        )
    if "/" in match:
        return str(Path(match).resolve())
    return match[:_MAX_COMMAND_NAME]


def _crash(row: dict[str, Any]) -> KeptCrash | None:
    pid, time, number = row.get("pid"), row.get("time"), row.get("sig")
    if not isinstance(pid, int) or not isinstance(time, int):
        return None
    size = row.get("size")
    return KeptCrash(
        pid=pid,
        time=datetime.datetime.fromtimestamp(time / 1e6, datetime.UTC),
        signal=SIGNALS.get(number, str(number)) if isinstance(number, int) else "-",
        executable=str(row.get("exe") or ""),
        state=str(row.get("corefile") or "none"),
        size=size if isinstance(size, int) else None,
    )
