"""Names addresses in a core dump's cubins: function, file and line, inlined calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO, Final

from triage.frames.names import plain_name
from triage.gpucore.budget import Budget
from triage.gpucore.cubin import Cubin
from triage.gpucore.lines import LineTable
from triage.gpucore.sections import Section
from triage.text.late import late

MAX_CUBINS: Final = 16_384
_INSIDE = late(r"\$(?P<kernel>[^$]{1,4096})\$(?P<function>.{1,4096})")
_NUMBERED = late(r"__internal_\d{1,4}_\$(?=.)")


@dataclass(frozen=True, slots=True)
class Named:
    """One call that an address stands for."""

    function: str | None
    file: str | None = None
    line: int | None = None
    inlined: bool = False


@dataclass(frozen=True, slots=True)
class Code:
    """An address and all that is known of it.

    `start` is where its function begins; `kernel` names the one that the function is inside.
    """

    calls: tuple[Named, ...]
    start: int | None = None
    kernel: str | None = None


def split_symbol(symbol: str) -> tuple[str | None, str]:
    """Return the kernel and the function that a symbol such as `$kernel$function` names."""
    match = _INSIDE.fullmatch(symbol)
    if match is None:
        return None, symbol
    return match["kernel"], _NUMBERED.sub("", match["function"], count=1)


def readable(symbol: str) -> str:
    """Return a symbol's name as people write it."""
    return plain_name(symbol) or symbol


class Symbols:
    """The code of all modules; a cubin is opened where an address may be in it."""

    def __init__(self, stream: BinaryIO, cubins: list[Section]) -> None:
        self._budget = Budget()
        self._cubins = [Cubin(stream, s, self._budget) for s in cubins[:MAX_CUBINS]]
        self._by_section = {s.number: c for s, c in zip(cubins, self._cubins, strict=False)}
        self._tables: dict[Cubin, LineTable] = {}
        self._known: dict[int, Code] = {}
        self._last = self._cubins[0] if self._cubins else None

    def code(self, pc: int, hint: Section | None) -> Code:
        """Return what an address stands for; `hint` is the cubin to look into first."""
        if pc not in self._known:
            self._known[pc] = self._look_up(pc, hint)
        return self._known[pc]

    def same_code(self, pc: int, other: int) -> bool:
        """Tell whether two addresses are in one stretch of code: a kernel and what is inside it."""
        cubin = self._cubin(pc, None)
        stretch = cubin.code_at(pc) if cubin else None
        return stretch is not None and stretch[0] <= other < stretch[1]

    def _cubin(self, pc: int, hint: Section | None) -> Cubin | None:
        if not pc:
            return None
        hinted = self._by_section.get(hint.number) if hint else None
        for cubin in (hinted, self._last):
            if cubin is not None and cubin.holds(pc):
                return cubin
        found = next((c for c in self._cubins if c.holds(pc)), None)
        if found is not None:
            self._last = found
        return found

    def _look_up(self, pc: int, hint: Section | None) -> Code:
        cubin = self._cubin(pc, hint)
        function = cubin.function_at(pc) if cubin else None
        if cubin is None or function is None or not function.symbol:
            return Code((Named(None),))
        kernel, symbol = split_symbol(function.symbol)
        if cubin not in self._tables:
            self._tables[cubin] = LineTable(cubin, self._budget)
        table = self._tables[cubin]
        places = table.places(pc)
        calls = []
        for n, place in enumerate(places):
            last = n == len(places) - 1
            name = symbol if last else place.function
            calls.append(
                Named(
                    function=readable(name) if name else None,
                    file=place.file,
                    line=place.line if 0 < place.line < 1 << 31 else None,
                    inlined=not last,
                )
            )
        return Code(
            calls=tuple(calls) or (Named(readable(symbol)),),
            start=function.address,
            kernel=readable(kernel) if kernel else None,
        )
