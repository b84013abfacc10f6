"""IPython's and Jupyter's tracebacks.

What is odd about it: the exception's name stands above the frames, old versions give a frame's
line only by the arrow in the code below it, and cells are files.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from triage.formats._base import Format, Item, Region, number, reading
from triage.formats._tracebacks import Tracebacks
from triage.model.crash import Fragment
from triage.text.late import late

_LINK = late(
    r"\[([^\[\]\n]{1,500}(?:\[\d{1,6}\][^\[\]\n]{0,40})?)\]\((?:https?|file|vscode)[^)\n]{0,1000}\)"
)
_CALL = late(r"(?P<name>[^\s(]{1,300})(?:\((?P<args>.{0,2900})\))?\s*$")
_CELL_NAME = late(r"<cell line: (?P<line>\d{1,9})>\(\)")
_USUAL_NAME = late(r"(?:.{0,500}\.)?[A-Z]\w{0,80}(?:Error|Exception|Interrupt|Exit|Warning)$")


@dataclass(slots=True)
class _State:
    stacks: Tracebacks = field(default_factory=Tracebacks)
    head: str | None = None
    needs_line: bool = False


def _read(region: Region) -> Fragment:
    state = _State()
    stacks = state.stacks
    lines = tuple(
        replace(line, text=_LINK.sub(r"\1", line.text)) if "](" in line.text else line
        for line in region.lines
    )
    source = reading(replace(region, lines=lines), "ipython")
    for item in source.items():
        if not _take(state, item):
            source.claimed.discard(item.at.line or 0)
    return stacks.fragment("ipython", source.claimed)


def _take(state: _State, item: Item) -> bool:
    stacks = state.stacks
    if item.kind in ("heading", "plain_heading"):
        stacks.begin(item.at)
        state.head, state.needs_line = item.fields.get("head"), False
        return item.kind == "heading"
    if item.kind in ("place", "cell", "old_place"):
        _add(state, item)
        return True
    if item.kind == "arrow":
        _arrow(state, item)
        return bool(stacks.frames)
    if item.kind == "chained":
        had = bool(stacks.threads or stacks.frames)
        stacks.chain()
        return had
    if item.kind == "exception" and stacks.frames:
        name = item.fields["exception"]
        if (
            _USUAL_NAME.match(name)
            or name.rpartition(".")[2] == (state.head or "").rpartition(".")[2]
        ):
            stacks.fail(name, item.fields.get("message"), item.at)
            state.head = None
            return True
    return stacks.continue_message(item.text, item.at, prefixed=False)


def _add(state: _State, item: Item) -> None:
    fields = item.fields
    kind = {"place": "", "cell": "cell_", "old_place": "old_"}[item.kind]
    call = fields.get(f"{kind}function", "").strip()
    line = number(fields.get(f"{kind}line") or fields.get("vscode_line"))
    function, args = None, None
    if cell := _CELL_NAME.match(call):
        function, line = "<cell line>", line or None
        function = cell[0].removesuffix("()")
    elif match := _CALL.match(call):
        function, args = match["name"], match["args"]
    file = fields["cell"] if item.kind == "cell" else fields[f"{kind}file"]
    state.needs_line = line is None
    state.stacks.add(function, file, line, item.at, args=args or None)


def _arrow(state: _State, item: Item) -> None:
    frames = state.stacks.frames
    if state.needs_line and frames:
        frames[-1] = replace(frames[-1], line=number(item.fields["arrow"]))
        state.needs_line = False


FORMAT = Format(
    name="ipython",
    title="IPython's and Jupyter's tracebacks",
    anchors=(
        "Traceback (most recent call last)",
        "Cell In",
        "Input In",
        "<ipython-input-",
        "File ~",
        "File /",
        "](https://localhost:",
    ),
    opens=late(
        r"[A-Za-z_][\w.]{0,200} {2,80}Traceback \(most recent call last\)$"
        r"| {0,4}(?:Cell In|Input In) {0,2}\[\d{1,6}\](?:,|\s*$)|<ipython-input-[\w-]{1,80}> in "
        r"|\[[/<][^\]\n]{1,500}\]\(https://localhost:\d{1,5}/#\) in "
        r"| {0,4}File (?:~|/|<string>|[A-Za-z]:\\)[^\n\":]{0,1000}:\d{1,9}(?:$|,? in )"
    ),
    read=_read,
    before=1,
    after=40,
    reach=120,
)
