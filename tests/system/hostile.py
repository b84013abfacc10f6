"""Recipes for inputs that attack whoever opens them: core dumps and programs, made or changed."""

from __future__ import annotations

import ctypes
import json
import os
import select
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HEADER, SEGMENT, NOTE = struct.Struct("<16sHHIQQQIHHHHHH"), struct.Struct("<IIQQQQQQ"), "<III"
LOAD, NOTES = 1, 4
X86_64, AARCH64, RISCV, PPC64 = 62, 183, 243, 21
CANARY = "canary-7f3a91-do-not-print"
IN_OPEN = 0x20
PR_SET_CHILD_SUBREAPER = 36


def elf_header(
    machine: int = X86_64, segments: int = 0, *, bits: int = 64, order: int = 1
) -> bytes:
    """Return the header of a core dump whose program headers follow at once."""
    ident = b"\x7fELF" + bytes([bits // 32, order, 1]) + bytes(9)
    return HEADER.pack(ident, 4, machine, 1, 0, 64, 0, 0, 64, SEGMENT.size, segments, 0, 0, 0)


def segment(
    kind: int, offset: int, size: int, address: int = 0, memory: int | None = None
) -> bytes:
    """Return one program header."""
    return SEGMENT.pack(kind, 6, offset, address, 0, size, size if memory is None else memory, 4096)


def note(owner: bytes, kind: int, data: bytes) -> bytes:
    """Return one note with its padding."""
    name = owner + b"\0"
    return b"".join(
        (
            struct.pack(NOTE, len(name), len(data), kind),
            name + bytes(-len(name) % 4),
            data + bytes(-len(data) % 4),
        )
    )


def write_sparse(path: Path, start: bytes, size: int) -> Path:
    """Write a file that begins with some bytes and is a hole from there on."""
    path.write_bytes(start)
    os.truncate(path, size)
    return path


def note_bomb(path: Path, size: int) -> Path:
    """Write a core dump that claims notes of `size` bytes; it takes a page on the disk."""
    return write_sparse(path, elf_header(segments=1) + segment(NOTES, 4096, size), 4096 + size)


def segment_bomb(path: Path, count: int) -> Path:
    """Write a core dump with so many segments that their number stands in a section header."""
    table = 64 + 64
    one = segment(LOAD, 0, 0, 0x10000, 4096)
    header = bytearray(elf_header(segments=0xFFFF))
    struct.pack_into("<QQ", header, 32, table, 64)
    struct.pack_into("<HHH", header, 58, 64, 1, 0)
    section = struct.pack("<IIQQQQIIQQ", 0, 0, 0, 0, 0, 0, 0, count, 0, 0)
    path.write_bytes(bytes(header) + section + one * count)
    return path


def large_sparse_core(core: Path, path: Path, size: int) -> Path:
    """Copy a core dump and let it grow by a segment that is nothing but a hole."""
    data = bytearray(core.read_bytes())
    table, count = segment_table(data)
    # The notes of a core dump come first, so the last segment may take the hole.
    at = table + (count - 1) * SEGMENT.size
    kind, flags, _, address, physical, _, _, align = SEGMENT.unpack_from(data, at)
    hole = -(-len(data) // 4096) * 4096
    SEGMENT.pack_into(
        data, at, kind, flags, hole, address, physical, size - hole, size - hole, align
    )
    return write_sparse(path, bytes(data), size)


def segment_table(data: bytes) -> tuple[int, int]:
    """Return where the program headers of a 64-bit file begin and how many there are."""
    return struct.unpack_from("<Q", data, 32)[0], struct.unpack_from("<H", data, 56)[0]


def note_ranges(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield begin and end of the segments with notes."""
    table, count = segment_table(data)
    for n in range(count):
        kind, _, offset, _, _, size, _, _ = SEGMENT.unpack_from(data, table + n * SEGMENT.size)
        if kind == NOTES:
            yield offset, offset + size


def rename_mapping(data: bytes, old: str, new: str) -> bytes:
    """Put another path into the list of mapped files; it takes the room of the old one."""
    wanted = lengthen(new, len(old))
    assert old.encode() in data
    return data.replace(old.encode() + b"\0", wanted.encode() + b"\0")


def lengthen(path: str, length: int) -> str:
    """Return another spelling of an absolute path, of just that length."""
    room = length - len(path)
    assert room >= 0, f"the path is {-room} characters too long"
    folder, slash, name = path.rpartition("/")
    return folder + "/." * (room // 2) + slash * (1 + room % 2) + name


def replace_bytes(data: bytes, old: bytes, new: bytes) -> bytes:
    """Replace a name by one that is not longer; the rest of its room is zeros."""
    assert old in data
    assert len(new) <= len(old)
    return data.replace(old, new.ljust(len(old), b"\0"))


def move_section(data: bytes, name: str, offset: int) -> bytes:
    """Say of a section that it begins elsewhere in the file."""
    form = struct.Struct("<IIQQQQIIQQ")
    at = struct.unpack_from("<Q", data, 40)[0]
    count, names = struct.unpack_from("<HH", data, 60)
    strings = form.unpack_from(data, at + names * form.size)[4]
    changed = bytearray(data)
    for n in range(count):
        place = at + n * form.size
        start = strings + form.unpack_from(data, place)[0]
        if data[start : data.index(b"\0", start)] == name.encode():
            struct.pack_into("<Q", changed, place + 24, offset)
    assert changed != data
    return bytes(changed)


def demangler_bomb(levels: int) -> str:
    """Return a short C++ symbol whose readable form doubles with every level."""
    return "_Z1f1AIiiE1BIS0_S0_E" + "".join(
        f"S1_IS{base36(n)}_S{base36(n)}_E" for n in range(2, 2 + levels)
    )


def base36(number: int) -> str:
    """Return a number as substitutions of mangled names count."""
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    text = ""
    while True:
        number, rest = divmod(number, 36)
        text = digits[rest] + text
        if not number:
            return text


@contextmanager
def watched(paths: Iterable[Path]) -> Iterator[list[Path]]:
    """Note which of some files are opened, by whomever; read the list when the block has ended."""
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    assert descriptor >= 0
    by_watch = {libc.inotify_add_watch(descriptor, bytes(p), IN_OPEN): p for p in paths}
    assert -1 not in by_watch
    opened: list[Path] = []
    try:
        yield opened
        while select.select([descriptor], [], [], 0)[0]:
            data = os.read(descriptor, 4096)
            while data:
                watch, _, _, length = struct.unpack_from("<iIII", data)
                opened.append(by_watch[watch])
                data = data[16 + length :]
    finally:
        os.close(descriptor)


@dataclass(frozen=True)
class Run:
    """How one run of the command ended.

    `peak` is the memory of all its processes in MiB, `work` their processor time in seconds: that
    is what the run takes where no others use the machine.
    """

    status: int
    output: str
    errors: str
    seconds: float
    peak: int
    work: float

    @property
    def report(self) -> dict[str, Any]:
        """The report, where the run printed one as JSON."""
        return json.loads(self.output)

    @property
    def codes(self) -> set[str]:
        """The codes of the report's warnings."""
        return {w["code"] for w in self.report["warnings"]}

    @property
    def crashed(self) -> dict[str, Any]:
        """The crashed thread."""
        report = self.report
        return report["threads"][report["crashed_thread"]]

    @property
    def functions(self) -> list[str | None]:
        """The functions of the crashed thread."""
        return [f["function"] for f in self.crashed["frames"]]


def core_command(
    *words: str | Path, limit: float = 60, path: str | None = None, form: str = "json", **more: str
) -> Run:
    """Run `clawtriage core` and check that it leaves no process, no file and no traceback."""
    command = [sys.executable, "-m", "triage.cli.main", "core", *map(str, words), "--format", form]
    adopt_orphans()
    before = set(children_of(os.getpid()))
    try:
        return _measured(command, limit, path, more, before)
    finally:
        adopt_orphans(False)


def _measured(
    command: list[str], limit: float, path: str | None, more: dict[str, str], before: set[int]
) -> Run:
    with tempfile.TemporaryDirectory() as folder:
        variables = {**os.environ, "TMPDIR": folder, "PATH": path or os.environ["PATH"], **more}
        start = time.monotonic()
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            process = subprocess.Popen(command, stdout=out, stderr=err, env=variables)
            peak = 0
            work: dict[int, float] = {}
            while process.poll() is None:
                tree = list(processes(process.pid))
                peak = max(peak, sum(map(resident, tree)))
                work |= {pid: spent for pid in tree if (spent := processor_time(pid))}
                if time.monotonic() - start > limit:
                    process.kill()
                time.sleep(0.03)
            seconds = time.monotonic() - start
            out.seek(0)
            err.seek(0)
            run = Run(
                process.returncode,
                out.read(),
                err.read(),
                seconds,
                peak >> 20,
                sum(work.values()),
            )
        assert run.seconds < limit, f"still running after {limit} s"
        assert "Traceback" not in run.errors
        assert gone(before), "a process was left behind"
        assert list(Path(folder).iterdir()) == []
    return run


def gone(before: set[int]) -> bool:
    """Wait until nothing that a run started is there any more: the kernel takes a moment."""
    for _ in range(200):
        left = set(children_of(os.getpid())) - before
        for pid in left:
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        if not left:
            return True
        time.sleep(0.01)
    return False


def adopt_orphans(wanted: bool = True) -> None:
    """Become the parent of what a child leaves behind, so that it is found."""
    assert ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, int(wanted), 0, 0, 0) == 0


def children_of(pid: int) -> list[int]:
    """Return the children of a process."""
    found = []
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            text = (task / "children").read_text()
            found += [int(word) for word in text.split()]
    return found


def processes(pid: int) -> Iterator[int]:
    """Yield a process and all that it started."""
    yield pid
    for child in children_of(pid):
        yield from processes(child)


def resident(pid: int) -> int:
    """Return how many bytes of memory a process holds."""
    with suppress(OSError, IndexError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096
    return 0


def processor_time(pid: int) -> float:
    """Return how many seconds of processor time a process has had."""
    with suppress(OSError, IndexError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def plain_gdb(*words: str | Path) -> str:
    """Return what gdb prints that is only kept from scripts: the control of what it would do."""
    flags = ["-batch", "-nx", "-iex", "set auto-load no", "-iex", "set debuginfod enabled off"]
    done = subprocess.run(
        ["gdb", *flags, *map(str, words)], capture_output=True, timeout=60, check=False
    )
    return (done.stdout + done.stderr).decode("utf-8", "replace")
