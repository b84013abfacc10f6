"""Java's exceptions, with the stacks of what caused them.

What is odd about it: the cause is printed last, and only down to where its stack joins the one
above it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from triage.formats._base import Format, Item, Region, reading
from triage.formats._stacks import MAX_FRAMES
from triage.model.crash import ErrorRecord, Fragment, Role
from triage.model.position import Position
from triage.model.stack import Frame, Thread, ThreadKind, Trust
from triage.text.late import late

_PLACE = late(r"(?P<file>[^:\n]{1,200})(?::(?P<line>\d{1,9}))?$")
_NOWHERE = ("Native Method", "Unknown Source")
_MESSAGE_LINES = 8  # lines that a message may have below its first


@dataclass(slots=True)
class _Block:
    """One exception and its stack."""

    at: Position
    name: str | None = None
    message: str | None = None
    thread: str | None = None
    kind: str = "plain"
    until: int = 0
    frames: list[Frame] = field(default_factory=list)
    omitted: int = 0


@dataclass(slots=True)
class _State:
    """The exceptions read so far; a chain is one exception with its causes."""

    chains: list[list[_Block]] = field(default_factory=list)
    block: _Block | None = None


def _read(region: Region) -> Fragment:
    state = _State()
    source = reading(region, "java")
    for item in source.items():
        _HANDLERS[item.kind](state, item)
    chains = [kept for chain in state.chains if (kept := [b for b in chain if _counts(b)])]
    if not chains:
        return Fragment(dialect="java")
    threads: list[Thread] = []
    errors: list[ErrorRecord] = []
    for n, chain in enumerate(chains):
        failed = _root(chain)
        threads += [_thread(b, crashed=n == 0 and b is failed) for b in chain if b.frames]
        alone = len([b for b in chain if b.kind != "suppressed"]) == 1
        errors += [_error(b, None if alone else b is failed) for b in chain if b.name]
    return Fragment(
        dialect="java",
        threads=tuple(threads),
        errors=tuple(errors),
        claimed=frozenset(source.claimed),
    )


def _counts(block: _Block) -> bool:
    """Tell whether an exception is more than a mention of one."""
    return bool(block.frames) or (block.kind == "uncaught" and block.thread is not None)


def _root(chain: list[_Block]) -> _Block | None:
    """Return the exception that the others were raised for: the last cause with a stack."""
    stacks = [b for b in chain if b.frames and b.kind != "suppressed"]
    return stacks[-1] if stacks else None


def _thread(block: _Block, *, crashed: bool) -> Thread:
    return Thread(
        name=block.thread,
        kind=ThreadKind.JAVA,
        crashed=crashed,
        frames=tuple(block.frames),
        frames_omitted=block.omitted,
        at=block.at,
    )


def _error(block: _Block, cause: bool | None) -> ErrorRecord:
    role = Role.UNCLEAR
    if cause is not None:
        role = Role.CAUSE if cause else Role.CONSEQUENCE
    return ErrorRecord(api="java", name=block.name, message=block.message, role=role, at=block.at)


def _begin(state: _State, item: Item, kind: str, *, new_chain: bool) -> None:
    fields = item.fields
    thread = fields.get("thread")
    if not new_chain and state.chains:
        thread = state.chains[-1][0].thread
    state.block = _Block(
        at=item.at,
        name=fields[kind].replace("/", "."),
        message=(fields.get(f"{kind}_message") or "").strip() or None,
        thread=thread,
        kind=kind,
        until=(item.at.line or 0) + min(len(item.rest), _MESSAGE_LINES) + 1,
    )
    if new_chain or not state.chains:
        state.chains.append([])
    state.chains[-1].append(state.block)


def _uncaught(state: _State, item: Item) -> None:
    _begin(state, item, "uncaught", new_chain=True)


def _plain(state: _State, item: Item) -> None:
    _begin(state, item, "plain", new_chain=True)


def _caused(state: _State, item: Item) -> None:
    _begin(state, item, "caused", new_chain=False)


def _suppressed(state: _State, item: Item) -> None:
    _begin(state, item, "suppressed", new_chain=False)


def _frame(state: _State, item: Item) -> None:
    row = item.at.line or 0
    block = state.block
    if block is None or row > block.until + 1:
        block = state.block = _Block(at=item.at)
        state.chains.append([block])
    block.until = row + 1
    if len(block.frames) >= MAX_FRAMES:
        block.omitted += 1
        return
    place = item.fields["place"]
    known = None if place in _NOWHERE else _PLACE.match(place)
    block.frames.append(
        Frame(
            index=len(block.frames),
            function=item.fields["function"],
            file=known["file"] if known else None,
            line=int(known["line"]) if known and known["line"] else None,
            trust=Trust.DEBUG_INFO if known else Trust.SYMBOL,
            at=item.at,
        )
    )


def _more(state: _State, item: Item) -> None:
    if state.block:
        state.block.omitted += int(item.fields["more"])


_HANDLERS = {
    "uncaught": _uncaught,
    "plain": _plain,
    "caused": _caused,
    "suppressed": _suppressed,
    "frame": _frame,
    "more": _more,
}

FORMAT = Format(
    name="java",
    title="Java's exceptions",
    anchors=(
        ".java:",
        ".java)",
        ".kt:",
        ".scala:",
        "(Native Method)",
        "(Unknown Source)",
        "Exception in thread ",
        "== Java Exception: ",
    ),
    opens=late(
        r"[ \t]{0,40}at [\w$.<>@/-]{3,800}\((?:Native Method|Unknown Source"
        r"|[\w$-]{1,200}\.(?:java|kt|scala|groovy|clj)(?::\d{1,9})?)\)"
        r'|[^\n]{0,200}?(?:Exception in thread "[^"\n]{1,200}" [\w$.]|== Java Exception: )'
    ),
    read=_read,
    before=6,
    after=6,
    reach=16,
    yields_to=("art",),
)
