"""Turns the frames of gdb's machine interface into frames of the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from triage.debugger.libraries import Libraries
from triage.debugger.linkernames import SourceNames
from triage.debugger.precheck import module_offset
from triage.debugger.records import as_list, as_mapping, as_number, as_text
from triage.elf.facts import CoreFacts
from triage.model.position import Position
from triage.model.stack import Frame, FrameKind, Trust

_SIGNAL_HANDLER: Final = "<signal handler called>"
_UNNAMED: Final = "??"
_OPTIMIZED_OUT: Final = "<optimized out>"
_ERROR: Final = "<error"
_AT_ENTRY: Final = "@entry"
_MAX_NAME: Final = 4096
_LOWEST_CODE: Final = 0x1000


class FrameReader:
    """Builds the frames of one core dump.

    `program_known` says whether gdb was given the program's own file.
    """

    def __init__(
        self,
        facts: CoreFacts,
        libraries: Libraries,
        names: SourceNames,
        *,
        program_known: bool,
        input_id: int,
    ) -> None:
        self._facts = facts
        self._libraries = libraries
        self._names = names
        self._program_known = program_known
        self._at = Position(input=input_id)

    def read(self, raw: Mapping[str, Any], *, args: str | None, inlined: bool) -> Frame:
        """Build one frame from what gdb says of it."""
        address = as_number(raw.get("addr"))
        function = self._function(raw, address)
        known = function is not None
        file = as_text(raw.get("file")) if known else None
        if function is not None:
            function = self._names.of_function(function, from_debug_info=file is not None)
            function = function[:_MAX_NAME]
        line = as_number(raw.get("line")) if file else None
        return Frame(
            index=as_number(raw.get("level")) or 0,
            function=None if function == _SIGNAL_HANDLER else function,
            args=args if known else None,
            file=file,
            line=line or None,
            module=self._module(raw, address),
            offset=None if known or address is None else module_offset(self._facts, address),
            address=as_text(raw.get("addr")),
            inlined=inlined,
            kind=FrameKind.SIGNAL_HANDLER if function == _SIGNAL_HANDLER else FrameKind.HOST,
            trust=_trust(function, file),
            at=self._at,
        )

    def reliable(self, frames: Sequence[Frame]) -> int:
        """Return how many frames were found by unwinding and not by guessing.

        A frame in a file that gdb does not have is sound when its callee is, but what lies beyond
        it is not: there is no unwind information. The innermost frame may be outside all code,
        after a call to a wrong address; there gdb takes the caller from the stack.
        """
        for place, frame in enumerate(frames):
            address = as_number(frame.address) or 0
            if place and address < _LOWEST_CODE:
                return place
            if not self._is_covered(frame, address) and (place or frame.module is not None):
                return place + 1
        return len(frames)

    def _is_covered(self, frame: Frame, address: int) -> bool:
        library = self._libraries.at(address)
        if library is not None:
            return library.matches
        if frame.function is not None or frame.kind is FrameKind.SIGNAL_HANDLER:
            return True
        mapping = self._facts.mapping_at(address)
        if not self._program_known:
            return False
        return not self._facts.mappings or (
            mapping is not None and mapping.path == self._facts.executable
        )

    def _function(self, raw: Mapping[str, Any], address: int | None) -> str | None:
        function = as_text(raw.get("func"))
        if function is None or function == _UNNAMED:
            return None
        library = None if address is None else self._libraries.at(address)
        if library is not None and not library.matches:
            return None
        return function

    def _module(self, raw: Mapping[str, Any], address: int | None) -> str | None:
        stated = as_text(raw.get("from"))
        if stated is not None:
            return stated.rpartition("/")[2]
        if address is None:
            return None
        library = self._libraries.at(address)
        if library is not None:
            return library.name
        mapping = self._facts.mapping_at(address)
        return mapping.name if mapping else None


def read_arguments(
    raw: Mapping[str, Any], limit: int, names: SourceNames | None = None
) -> str | None:
    """Return a frame's arguments as text, cut at `limit` characters."""
    values: dict[str, str | None] = {}
    for entry in map(as_mapping, as_list(raw.get("args"))):
        name = as_text(entry.get("name"))
        if name is not None:
            values[name] = as_text(entry.get("value"))
    for name in [n for n in values if n.endswith(_AT_ENTRY)]:
        at_entry = values.pop(name)
        plain = name.removesuffix(_AT_ENTRY)
        readable = at_entry is not None and not at_entry.startswith(_ERROR)
        if readable and values.get(plain) in (None, _OPTIMIZED_OUT):
            values[plain] = at_entry
    text = ", ".join(f"{name}={_simple(value)}" for name, value in values.items())
    text = names.in_text(text) if names else text
    return (text if len(text) <= limit else text[: limit - 1] + "…") or None


def _simple(value: str | None) -> str:
    # gdb shows the whole object behind a reference.
    if value is None or value.startswith("{"):
        return "..."
    return value.partition(": {")[0] if value.startswith("@") else value


def _trust(function: str | None, file: str | None) -> Trust:
    if file is not None:
        return Trust.DEBUG_INFO
    return Trust.ADDRESS_ONLY if function is None else Trust.SYMBOL
