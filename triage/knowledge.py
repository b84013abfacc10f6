"""What everybody knows: error codes by name, and frames that are never to blame.

Both are text in `signatures/errors` and `signatures/noise`, so that adding one is a line.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from triage.errors import PackError
from triage.model.crash import Timing
from triage.tables import entries, lists, table_files

_COLUMNS = 6
_RULE_COLUMNS = 5
_SHORT = 8
_TIMINGS = {**{timing.value: timing for timing in Timing}, "-": None}
_STICKY = {"sticky": True, "clear": False, "-": None}


class HostStack(StrEnum):
    """What the host stack of a call that reports an error tells of its cause."""

    CALLER = "caller"
    LATE = "late"
    ELSEWHERE = "elsewhere"


_STACKS = {**{stack.value: stack for stack in HostStack}, "-": None}


@dataclass(frozen=True, slots=True)
class KnownError:
    """One error code of one API; `timing`, `sticky` and `stack` are None where it depends.

    `stack` is CALLER where the call that reports the error is the one that failed, LATE where an
    earlier operation did, ELSEWHERE where the cause is outside of the process.
    """

    api: str
    code: int
    name: str
    text: str
    timing: Timing | None
    sticky: bool | None
    stack: HostStack | None = None


@dataclass(frozen=True, slots=True)
class ErrorTable:
    """The known errors of every API, by name and by number."""

    by_name: dict[str, KnownError]
    by_code: dict[tuple[str, int], KnownError]


@dataclass(frozen=True, slots=True)
class NoiseList:
    """Globs of functions, modules and files whose frames are plumbing."""

    name: str
    functions: tuple[str, ...]
    modules: tuple[str, ...]
    files: tuple[str, ...]


@cache
def known_errors() -> ErrorTable:
    """Return every error code in `signatures/errors/*.tsv`."""
    table = ErrorTable({}, {})
    for path in table_files("errors", "tsv"):
        for number, line in entries(path):
            cells = line.split("\t")
            if len(cells) != _COLUMNS or not cells[0].lstrip("-").isdigit():
                raise PackError([f"{path.name}:{number}: six columns are wanted, code first"])
            code, name, timing, sticky, stack, text = cells
            if timing not in _TIMINGS or sticky not in _STICKY or stack not in _STACKS:
                words = f"one of {timing}, {sticky} and {stack}"
                raise PackError([f"{path.name}:{number}: {words} is not known here"])
            known = KnownError(
                api=path.stem,
                code=int(code),
                name=name,
                text=text,
                timing=_TIMINGS[timing],
                sticky=_STICKY[sticky],
                stack=_STACKS[stack],
            )
            table.by_name[name] = known
            table.by_code.setdefault((path.stem, int(code)), known)
    return table


def known_error(api: str, name: str | None, code: int | None) -> KnownError | None:
    """Return what is known of an error by its name, else by the number that its API gives it."""
    table = known_errors()
    known = table.by_name.get(name or "")
    if known is None and code is not None:
        known = table.by_code.get((api, code))
    return known


def error_by_text(api: str, text: str) -> KnownError | None:
    """Return the error that an API describes in these words."""
    lowered = text.casefold()
    for known in known_errors().by_name.values():
        if (
            known.api == api
            and len(known.text) > _SHORT
            and lowered.startswith(known.text.casefold())
        ):
            return known
    return None


@cache
def noise_lists() -> tuple[NoiseList, ...]:
    """Return every list in `signatures/noise/*.txt`, in order of name.

    A line is a glob of function names, or `module GLOB` or `file GLOB`; `#` starts a comment.
    """
    lists = []
    for path in table_files("noise", "txt"):
        kinds: dict[str, list[str]] = {"function": [], "module": [], "file": []}
        for _, raw in entries(path):
            line = raw.split("#", 1)[0].strip()
            if line:
                kind, _, glob = line.partition(" ")
                if kind in ("module", "file") and glob:
                    kinds[kind].append(glob.strip())
                else:
                    kinds["function"].append(line)
        lists.append(
            NoiseList(
                path.stem, tuple(kinds["function"]), tuple(kinds["module"]), tuple(kinds["file"])
            )
        )
    return tuple(lists)


WaitList = tuple[tuple[str, tuple[str, ...]], ...]
"""What threads wait for, each with the globs of the functions in which they do."""


@cache
def wait_list() -> WaitList:
    """Return the lines of `signatures/waits/*.txt`: words, a colon, globs; `#` starts a comment."""
    return tuple((words, tuple(globs)) for words, globs in lists("waits"))


@cache
def engine_programs() -> dict[str, tuple[str, ...]]:
    """Return the names of an engine's processes, as globs, for engines that are programs.

    They are the lines of `signatures/programs/*.txt`: an engine, a colon, globs; `#` starts a
    comment.
    """
    return {engine: tuple(globs) for engine, globs in lists("programs")}


@dataclass(frozen=True, slots=True)
class ConsequenceRule:
    """Words that tell of a failure which something else brought about.

    `api`, `name` and `message` are globs; `beside` says what else must be in the crash, and is "-"
    where nothing has to be.
    """

    api: str
    name: str
    message: str
    beside: str
    why: str


BESIDE = frozenset({"-", "other", "earlier", "sticky", "gpu", "hardware"})
"""What a rule about consequences can ask for."""


@cache
def consequence_rules() -> tuple[ConsequenceRule, ...]:
    """Return the lines of `signatures/consequences/*.tsv`; `#` starts a comment."""
    rules = []
    for path in table_files("consequences", "tsv"):
        for number, line in entries(path):
            cells = line.split("\t")
            if len(cells) != _RULE_COLUMNS or cells[3] not in BESIDE:
                raise PackError(
                    [f"{path.name}:{number}: api, name, message, one of {sorted(BESIDE)}, why"]
                )
            rules.append(ConsequenceRule(*cells))
    return tuple(rules)


@cache
def refusals() -> tuple[str, ...]:
    """Return globs of what servers say of a request that they refuse: `signatures/refusals/*.txt`.

    `#` starts a line that is a comment.
    """
    return tuple(
        line for path in table_files("refusals", "txt") for _, line in entries(path) if line.strip()
    )


@cache
def synchronous_settings() -> dict[str, tuple[tuple[str, str], ...]]:
    """Return, by API, the variables and values that make its errors come from the call that failed.

    A line of `signatures/stacks/*.txt` is APIs, a colon, settings; `#` starts a comment.
    """
    found: dict[str, tuple[tuple[str, str], ...]] = {}
    for apis, settings in lists("stacks"):
        pairs = [setting.partition("=") for setting in settings]
        entry = tuple((name, value) for name, _, value in pairs)
        found.update(dict.fromkeys(apis.split(), entry))
    return found


@dataclass(frozen=True, slots=True)
class Piece:
    """Something to collect: what it tells, the commands, and globs of lines that say it is lost."""

    text: str
    command: str
    clues: tuple[str, ...]


@cache
def pieces() -> dict[str, Piece]:
    """Return every piece in `signatures/pieces/*.toml` by its id."""
    import tomllib  # a store that is opened needs no piece

    found: dict[str, Piece] = {}
    for path in table_files("pieces", "toml"):
        try:
            tables = tomllib.loads(path.read_text(encoding="utf-8"))["piece"]
            for table in tables:
                found[table["id"]] = Piece(
                    table["text"], table["command"].strip("\n"), tuple(table.get("clues", ()))
                )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            problem = f"{path.name}: a piece has an id, a text and a command: {error}"
            raise PackError([problem]) from error
    return found


@cache
def clue_literals() -> tuple[str, ...]:
    """Return a literal of every line that is a clue, in lower case."""
    return tuple(clue.strip("*").casefold() for piece in pieces().values() for clue in piece.clues)
