"""NVIDIA's compute-sanitizer (memcheck, racecheck, initcheck, synccheck) and cuda-memcheck.

What is odd about it: one finding has a device stack, which is where it failed, and the host stack
that launched the kernel; the same finding is printed for every thread of the device; and place,
name and offset of a frame have changed their order between versions.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from triage.formats._base import Format, Item, Region, number, reading
from triage.formats._stacks import MAX_FRAMES, Stacks
from triage.frames.symbolized import last_bracket
from triage.model.crash import ErrorRecord, Fragment, Role
from triage.model.position import Position
from triage.model.stack import Frame, FrameKind, Thread, Trust, with_crashed
from triage.text.late import late

_HAZARDS = late(r" \[[\d,]{1,20} hazards?\]$")
_OFFSET_FIRST = late(r"(?P<offset>0x[0-9a-fA-F]{1,16}) in (?=\S)")
_OFFSET_LAST = late(r"\+(?P<offset>0x[0-9a-fA-F]{1,16})$")
_PLACE_FIRST = late(
    r"(?P<file>(?:[A-Za-z]:)?[^:\n]{1,1000}):(?P<line>\d{1,9}):(?P<function>\S[^\n]*)$"
)
_PLACE = late(r"(?P<file>[^\n]{1,4096}):(?P<line>\d{1,9})$")
_IN_MODULE = late(r"(?:^|[ \t])\[(?P<offset>0x[0-9a-fA-F]{1,16})\](?: in (?P<module>\S[^\n]*))?$")
_OLD_SYMBOL = late(r"(?P<function>\S[^\n]{0,4000}) \+ (?P<offset>0x[0-9a-fA-F]{1,16})$")
_CHECKS = (
    ("Uninitialized", "initcheck"),
    ("Host API uninit", "initcheck"),
    ("Unused memory", "initcheck"),
    ("Barrier", "synccheck"),
    ("Potential", "racecheck"),
    ("Race", "racecheck"),
)


@dataclass(slots=True)
class _State:
    """What was read so far.

    `frames` is the stack being read, `name` the device thread that it is of, `at` its place.
    """

    stacks: Stacks = field(default_factory=Stacks)
    errors: list[ErrorRecord] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    name: str | None = None
    at: Position | None = None
    found: bool = False

    def flush(self) -> None:
        """Close the stack that is being read."""
        if self.frames and self.at:
            self.stacks.begin(thread_id=None, tid=None, name=self.name, at=self.at)
            for frame in self.frames:
                self.stacks.add(frame)
            self.stacks.finish()
        self.frames, self.name, self.at = [], None, None

    def add(self, frame: Frame) -> None:
        """Add a frame to the stack that is being read."""
        self.at = self.at or frame.at
        if len(self.frames) < MAX_FRAMES:
            self.frames.append(frame)


def _read(region: Region) -> Fragment:
    state = _State()
    source = reading(region, "compute_sanitizer")
    for item in source.items():
        _HANDLERS[item.kind](state, item)
    state.flush()
    threads = state.stacks.threads()
    crashed = _crashed(threads)
    return Fragment(
        dialect="compute_sanitizer",
        threads=with_crashed(threads, crashed),
        errors=tuple(state.errors),
        claimed=frozenset(source.claimed),
    )


def _crashed(threads: tuple[Thread, ...]) -> int | None:
    """Return the device's first stack, else the host's."""
    device = (n for n, t in enumerate(threads) if t.frames[0].kind is FrameKind.GPU)
    return next(device, 0 if threads else None)


def _finding(state: _State, item: Item) -> None:
    state.flush()
    text = item.fields["finding"].rstrip(" :")
    _found(state, text, item.at)


def _found(state: _State, text: str, at: Position) -> None:
    name = next((check for start, check in _CHECKS if text.startswith(start)), "memcheck")
    state.errors.append(
        ErrorRecord(api="sanitizer", name=name, message=text, role=Role.CAUSE, at=at)
    )
    state.found = True


def _race(state: _State, item: Item) -> None:
    state.flush()
    _found(state, item.fields["race"], item.at)
    _device(state, item.fields["race_at"], item.at)
    state.name = item.fields["race_kind"]


def _access(state: _State, item: Item) -> None:
    state.flush()
    _device(state, item.fields["access_at"], item.at)
    state.name = item.fields["access_kind"]


def _hit(state: _State, item: Item) -> None:
    """Read the error of a call; behind a finding it is what came of that."""
    state.flush()
    fields = item.fields
    name = fields["hit"]
    known = name.startswith(("cuda", "CUDA_ERROR", "hip"))
    api = "cuda-driver" if name.startswith("CUDA_ERROR") else "hip" if name[:3] == "hip" else "cuda"
    state.errors.append(
        ErrorRecord(
            api=api,
            code=number(fields.get("hit_code")),
            name=name if known else None,
            message=fields.get("hit_text") or (None if known else name),
            role=Role.CONSEQUENCE if state.found else Role.UNCLEAR,
            at=item.at,
        )
    )


def _at(state: _State, item: Item) -> None:
    state.flush()
    _device(state, item.fields["at"], item.at)


def _frame(state: _State, item: Item) -> None:
    if state.frames and state.frames[0].kind is not FrameKind.GPU:
        state.flush()
    text = item.fields["device"]
    start = last_bracket(text)
    if start > 0 and text[start - 1] == " " and " : 0x" in text[start:]:
        text = text[: start - 1]  # cuda-memcheck repeats the name, with the offset
    _device(state, text, item.at)


def _device(state: _State, text: str, at: Position) -> None:
    frame = device_frame(len(state.frames), _HAZARDS.sub("", text.strip()), at)
    last = state.frames[-1] if state.frames else None
    if last and (last.function, last.file, last.line) == (frame.function, frame.file, frame.line):
        return
    state.add(frame)
    if len(state.frames) == 1 and state.errors and state.errors[-1].api == "sanitizer":
        error = state.errors[-1]
        if error.file is None:
            state.errors[-1] = replace(error, file=frame.file, line=frame.line)


def device_frame(index: int, text: str, at: Position) -> Frame:
    """Return the frame of a device function: `F+0x1 in FILE:LINE`, `0x1 in FILE:LINE:F`."""
    function, file, line, offset = text, None, None, None
    if match := _OFFSET_FIRST.match(text):
        offset, function = match["offset"], text[match.end() :]
        if place := _PLACE_FIRST.match(function):
            file, line, function = place["file"], int(place["line"]), place["function"]
    elif place := _PLACE_FIRST.match(text):
        file, line, function = place["file"], int(place["line"]), place["function"]
    else:
        head, middle, tail = text.rpartition(" in ")
        place = _PLACE.match(tail) if middle else None
        if place:
            file, line, function = place["file"], int(place["line"]), head
        if match := _OFFSET_LAST.search(function):
            offset, function = match["offset"], function[: match.start()]
    return Frame(
        index=index,
        function=function or None,
        file=file,
        line=line,
        offset=offset,
        kind=FrameKind.GPU,
        trust=_trust(function or None, file),
        at=at,
    )


def _by(state: _State, item: Item) -> None:
    state.name = item.fields["by"]


def _host(state: _State, item: Item) -> None:
    if state.frames and state.frames[0].kind is FrameKind.GPU:
        state.flush()
    state.add(host_frame(len(state.frames), item.fields["host"], item.at))


def host_frame(index: int, text: str, at: Position) -> Frame:
    """Return the frame of a host function.

    Reads `F in FILE:LINE [0x1] in MODULE` and, as older versions print, `MODULE (F + 0x2) [0x1]`.
    """
    new = text.startswith((" ", "\t"))
    text = text.strip()
    function: str | None = text
    file = line = module = offset = None
    if match := _IN_MODULE.search(text):
        offset, function = match["offset"], text[: match.start()].strip()
        module = match["module"]
    if not new and module is None and function:
        module, function = _old_host(function)
    elif function:
        head, middle, tail = function.rpartition(" in ")
        place = _PLACE.match(tail) if middle else None
        if place:
            file, line, function = place["file"], int(place["line"]), head
    return Frame(
        index=index,
        function=function or None,
        file=file,
        line=line,
        module=module,
        offset=offset,
        trust=_trust(function or None, file),
        at=at,
    )


def _old_host(text: str) -> tuple[str, str | None]:
    start = last_bracket(text)
    match = _OLD_SYMBOL.match(text[start + 1 : -1]) if start > 0 else None
    return (text[:start].rstrip(), match["function"]) if match else (text, None)


def _trust(function: str | None, file: str | None) -> Trust:
    if function is None:
        return Trust.ADDRESS_ONLY
    return Trust.DEBUG_INFO if file else Trust.SYMBOL


def _fault(state: _State, item: Item) -> None:
    """Say what is wrong with the address; its value is another one on each device thread."""
    if state.errors and state.errors[-1].api == "sanitizer":
        error, what = state.errors[-1], item.fields["fault"]
        state.errors[-1] = replace(error, message=f"{error.message}; {what}")


def _close(state: _State, _: Item) -> None:
    state.flush()


_HANDLERS = {
    "at": _at,
    "by": _by,
    "frame": _frame,
    "host": _host,
    "backtrace": _close,
    "hit": _hit,
    "race": _race,
    "access": _access,
    "finding": _finding,
    "fault": _fault,
    "end": _close,
}

FORMAT = Format(
    name="compute_sanitizer",
    title="compute-sanitizer and cuda-memcheck",
    anchors=(
        "=====     at ",
        "Host Frame:",
        "Device Frame:",
        "Invalid __",
        "= Program hit ",
        "Race reported between ",
        "hazard detected at ",
        "Barrier error detected",
        "Uninitialized __",
        "= Leaked ",
        "Malloc/Free ",
        "= Fatal UVM ",
    ),
    opens=late(
        r"[^\n=]{0,100}={9}(?:     at \S|[ \t]{2,32}(?:Host|Device) Frame:| (?:\w{4,7}: ?)?"
        r"(?:Invalid __|Race reported between |Potential [^\n]{0,12}hazard detected at "
        r"|Barrier error detected|Uninitialized __|Malloc/Free )"
        r"| (?:Program hit |Leaked \d|Fatal UVM ))"
    ),
    read=_read,
    before=2,
    after=6,
    reach=200,
)
