"""What is read of a GPU core dump is what cuda-gdb reads of it.

cuda-gdb itself fails on some (`Fatal signal`): those texts end early, and say less to compare with.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BytesIO

from triage.fingerprint import fingerprint
from triage.frames.names import plain_name
from triage.gpucore import tables
from triage.gpucore.sections import Kind, Section, Sections, read_header, read_sections
from triage.gpucore.tables import Block, Lane, Sm, Warp
from triage.model.crash import Crash
from triage.model.stack import Frame, Thread
from triage.read import ReadOptions, read_text

_SM = re.compile(r"^[* ] {1,3}(\d+) (0x[0-9a-f]{16}) *$", re.MULTILINE)
_WARP = re.compile(
    r"^[* ] +(\d+) +(0x[0-9a-f]{8}) +(0x[0-9a-f]{8}) +0x([0-9a-f]{16}) +\d+"
    r" +\(([\d,]+)\) +\(([\d,]+)\) *$",
    re.MULTILINE,
)
_LANE = re.compile(
    r"^[* ] +(\d+) +(active|divergent) +0x([0-9a-f]{16}) +\(([\d,]+)\) +(\S.*?) *$", re.MULTILINE
)
_FOCUS = re.compile(r"sm (\d+), warp (\d+), lane (\d+)\]")


def crashed(crash: Crash) -> Thread:
    assert crash.crashed_thread is not None
    return crash.threads[crash.crashed_thread]


def numbers(text: str) -> tuple[int, ...]:
    return tuple(int(n) for n in text.split(","))


def walk(data: bytes) -> Iterator[tuple[Sm, Block, Warp, list[Lane]]]:
    """Yield every warp of the first device."""
    stream = BytesIO(data)
    sections = read_sections(stream, read_header(stream))
    (devices,) = sections.of(Kind.DEVICES)
    for sm, blocks in below(stream, sections, tables.SMS, devices, 0, Kind.BLOCKS):
        for block, warps in below(stream, sections, tables.BLOCKS, blocks, None, Kind.WARPS):
            for warp, lanes in below(stream, sections, tables.WARPS, warps, None, Kind.LANES):
                yield sm, block, warp, tables.LANES.rows(stream, lanes) if lanes else []


def below(stream, sections: Sections, table, section: Section | None, row: int | None, kind: Kind):
    if row is not None:
        section = sections.child(table.kind, section, row)
    if section is not None:
        for n, each in enumerate(table.rows(stream, section)):
            yield each, sections.child(kind, section, n)


def places(thread: Thread) -> list[tuple[str, str | None, int | None]]:
    return [place(frame) for frame in thread.frames]


def place(frame: Frame) -> tuple[str, str | None, int | None]:
    file = frame.file.rpartition("/")[2] if frame.file else None
    return plain_name(frame.function or "??"), file, frame.line


def test_exception(recording, crash_of):
    mine, theirs = crash_of(recording.data), read_text(recording.text, ReadOptions()).crash
    assert mine.signal is None or mine.signal.name == theirs.signal.name
    for error in (e for e in theirs.errors if e.api == "cuda-exception"):
        (same,) = [e for e in mine.errors if e.code == error.code]
        message, _, detail = same.message.partition(": ")
        assert (same.api, same.name, message) == (error.api, error.name, error.message)
        assert detail in recording.text
        if error.line is not None:
            assert (same.file or "").rpartition("/")[2] == error.file.rpartition("/")[2]
            assert same.line == error.line
    assert theirs.errors or mine.signal


def test_stack(recording, crash_of):
    """Every frame of cuda-gdb's is there, in order; it names fewer that were inlined."""
    mine = crashed(crash_of(recording.data))
    theirs = read_text(recording.text, ReadOptions()).crash
    stack = crashed(theirs).frames
    left = iter(places(mine))
    caller = False
    for frame in stack:
        name, file, line = place(frame)
        inside = file is not None and not frame.inlined and is_inlined(recording.text, file, line)
        # What an inlined call stands in has the line of that call, not where the lane is by now.
        found = next((p for p in left if p[0] == name), None)
        assert found is not None, name
        assert caller or inside or file is None or found == (name, file, line)
        caller = frame.inlined and frame.function.startswith("_Z")
    if stack[0].address:
        assert int(mine.frames[0].address, 16) == int(stack[0].address, 16)
    launches = [f.launch for f in stack if f.launch]
    if "Fatal signal" not in recording.text:
        assert launches == [f.launch for f in mine.frames if f.launch]


def is_inlined(text: str, file: str, line: int | None) -> bool:
    return re.search(rf"{re.escape(file)}:{line} in \S+ inlined from", text) is not None


def test_focus(recording, crash_of):
    theirs = read_text(recording.text, ReadOptions()).crash
    if crashed(theirs).lanes is None:
        assert "Fatal signal" in recording.text
        return
    mine, wanted = crashed(crash_of(recording.data)).lanes, crashed(theirs).lanes
    for field in ("device", "sm", "warp", "lane", "grid", "block", "thread"):
        assert getattr(mine, field) == getattr(wanted, field), field


def test_device(recording, crash_of):
    mine, theirs = crash_of(recording.data), read_text(recording.text, ReadOptions()).crash
    if theirs.environment.gpus:
        assert mine.environment.gpus == theirs.environment.gpus
    assert mine.environment.driver.startswith("580.")
    assert mine.environment.driver_cuda == "13.0"


def test_warps_and_lanes(recording):
    walked = list(walk(recording.data))
    warps: dict[int, int] = {}
    for sm, _, warp, _ in walked:
        warps[sm.id] = warps.get(sm.id, 0) | 1 << warp.id
    printed = {int(sm): int(mask, 16) for sm, mask in _SM.findall(recording.text)}
    assert {sm: warps[sm] for sm in printed} == printed
    focus = _FOCUS.search(recording.text)
    if focus is None:
        return
    sm, wp, _ = map(int, focus.groups())
    here = {w.id: (b, w, lanes) for s, b, w, lanes in walked if s.id == sm}
    rows = _WARP.findall(recording.text)
    assert len(rows) == len(here) > 0
    for number, active, divergent, _, block, thread in rows:
        b, w, lanes = here[int(number)]
        assert w.active == int(active, 16)
        assert w.valid & ~w.active == int(divergent, 16)
        assert (b.x, b.y, b.z) == numbers(block)
        first = next(n for n in lanes if w.active >> n.id & 1)
        assert (first.x, first.y, first.z) == numbers(thread)
    lanes = {lane.id: lane for lane in here[wp][2]}
    printed_lanes = _LANE.findall(recording.text)
    assert len(printed_lanes) == len(lanes) > 0
    for number, _, pc, thread, exception in printed_lanes:
        lane = lanes[int(number)]
        assert lane.pc == int(pc, 16)
        assert (lane.x, lane.y, lane.z) == numbers(thread)
        assert (exception == "None") == (lane.exception == 0)


def test_every_lane_is_counted_once(recording, fragment_of):
    walked = list(walk(recording.data))
    threads = fragment_of(recording.data).threads
    counted = [t.lanes for t in threads if t.lanes.count is not None]
    assert sum(lanes.count for lanes in counted) == sum(len(lanes) for *_, lanes in walked)
    for lanes in counted:
        assert lanes.count >= lanes.warps >= lanes.blocks >= 1
        assert lanes.blocks >= lanes.sms >= 1
    assert max(lanes.sms for lanes in counted) <= len({sm.id for sm, *_ in walked})


def test_the_text_has_the_same_fingerprint(recording, crash_of):
    """One crash is one bucket, whether a debugger was at hand or not."""
    theirs = fingerprint(read_text(recording.text, ReadOptions()).crash)
    mine = fingerprint(crash_of(recording.data))
    assert mine is not None
    assert mine.inputs == theirs.inputs
