"""The Windows event log's records of crashes, and those of Windows Error Reporting.

What is odd about it: they are in the language of the system, so that all but a few are told by
their punctuation: two files, each with a version and a time stamp, then a code, then an offset.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from triage.formats._base import Format, Item, Region, named_signal, reading
from triage.formats._ntstatus import FAIL_FAST, FATAL_APP_EXIT, Exceptions, status_of
from triage.model.crash import Fragment
from triage.model.position import Position
from triage.model.stack import Frame, Thread, Trust
from triage.text.late import late

_RANK = 2
_COLON, _COMMA = r":\uff1a", r",\uff0c\u3001"
_STAMPED = (
    rf"[{_COMMA}] ?[^{_COLON}{_COMMA}\n]{{2,40}}[{_COLON}] ?\d[\d.]{{2,40}}"
    rf"[{_COMMA}] ?[^{_COLON}{_COMMA}\n]{{2,40}}[{_COLON}] ?0x[0-9a-fA-F]{{8}}"
)
_STAMP = late(_STAMPED)
_ENDS = (".exe", ".EXE", ".dll", ".DLL", ".sys", ".pyd", ".node")
_CODE = late(rf"[{_COLON}] ?(0x[c8e4][0-9a-f]{{7}})(?![0-9a-f])", re.IGNORECASE)
_OFFSET = late(rf"[{_COLON}] ?(0x[0-9a-fA-F]{{8,16}})(?![0-9a-fA-F])")
_DATA = late(r"<Data(?: Name=[\"'](\w{1,60})[\"'])?>([^<]{0,400})</Data>")
_FIELDS = {
    "Application Name": "program",
    "Fault Module Name": "module",
    "Exception Offset": "offset",
    "Exception Data": "data",
    "Faulting application": "program",
    "Faulting module": "module",
    "Fault offset": "offset",
    "Faulting offset": "offset",
}
_XML = {
    "AppName": "program",
    "ModuleName": "module",
    "ExceptionCode": "code",
    "FaultingOffset": "offset",
}
_PLACES = {0: "program", 3: "module", 6: "code", 7: "offset"}
_APPCRASH = {1: "program", 4: "module", 7: "code", 8: "offset"}
_BEX = {1: "program", 4: "module", 7: "offset", 8: "code", 9: "data"}


@dataclass(slots=True)
class _Event:
    """One record; what it does not say is None. `numbers` tells what the numbered lines hold."""

    program: str | None = None
    module: str | None = None
    code: str | None = None
    offset: str | None = None
    data: str | None = None
    at: Position | None = None
    numbers: dict[int, str] | None = None
    files: int = 0
    values: int = 0

    def take(self, item: Item) -> None:
        """Take one line."""
        kind, fields = item.kind, item.fields
        if kind == "event_file":
            self._stamped(item)
        elif kind == "event_hex":
            self._hex(fields["event_hex"], item.at)
        elif kind == "event_code":
            self._set("code", fields["event_code"], item.at)
        elif kind == "wer_event":
            crash = "CRASH" in fields["wer_event"].upper()
            self.numbers = _APPCRASH if crash else _BEX
        elif kind == "wer_field":
            self._field(fields["wer_field"].removesuffix(" name"), fields["wer_value"], item.at)
        elif kind == "wer_number" and self.numbers is not None:
            name = self.numbers.get(int(fields["wer_number"]))
            self._set(name, fields["wer_number_value"].strip(), item.at)
        elif kind == "xml_data":
            for name, value in _DATA.findall(item.text):
                self._set(_XML.get(name) if name else _PLACES.get(self.values), value, item.at)
                self.values += not name

    def _set(self, name: str | None, value: str, at: Position) -> None:
        if name and value and getattr(self, name) is None:
            setattr(self, name, value)
            if name == "code":
                self.at = at

    def _field(self, name: str, value: str, at: Position) -> None:
        place = _FIELDS[name]
        if place in ("module", "program"):  # a version may follow
            value = re.sub(r"(\.\w{2,4}) .*", r"\1", value)
        if place != "data" or self.numbers is not None:
            self._set(place, value.strip(), at)

    def _stamped(self, item: Item) -> None:
        """Take one or, where a record is printed in one line, several files."""
        end = 0
        for match in _STAMP.finditer(item.text):
            head = item.text[end : match.start()][-300:].strip()
            file = re.split(rf"[{_COLON}] ?", head)[-1].strip()
            if file == head:  # some languages have no colon before the name
                file = file.rsplit(" ", 1)[-1]
            self._set("program" if self.files == 0 else "module", file, item.at)
            self.files += 1
            end = match.end()
        if self.files > 1 and (code := _CODE.search(item.text, end)):
            self._set("code", code[1], item.at)
            if offset := _OFFSET.search(item.text, code.end()):
                self._set("offset", offset[1], item.at)

    def _hex(self, value: str, at: Position) -> None:
        if self.files < 2:
            return
        if self.code is None and len(value) == 8:
            self._set("code", value, at)
        elif self.code is not None:
            self._set("offset", value, at)

    def fragment(self, claimed: frozenset[int]) -> Fragment:
        """Return what the record says."""
        status = status_of(f"0x{_digits(self.code)}") if self.code else None
        if status is None or self.at is None:
            return Fragment(dialect="windows_event")
        found = Exceptions()
        words = " in ".join(filter(None, (self.program, self.module))) or None
        found.status(status, self.at, _RANK, words=words)
        if status == FAIL_FAST and int(_digits(self.data), 16) == FATAL_APP_EXIT:
            found.signalled(named_signal("SIGABRT", self.at), _RANK)
        return Fragment(
            dialect="windows_event",
            threads=self._threads(),
            errors=tuple(found.errors),
            signal=found.signal,
            signal_rank=found.rank,
            claimed=claimed,
        )

    def _threads(self) -> tuple[Thread, ...]:
        """Return the one frame that a record knows as a stack."""
        if not self.module or not self.offset or self.module.lower() == "unknown":
            return ()
        offset = f"0x{_digits(self.offset)}"
        frame = Frame(
            index=0, module=self.module, offset=offset, trust=Trust.ADDRESS_ONLY, at=self.at
        )
        return (Thread(frames=(frame,), crashed=True, at=self.at),)


def _digits(text: str | None) -> str:
    digits = (text or "").lower().removeprefix("0x")
    return digits if re.fullmatch(r"[0-9a-f]{1,16}", digits) else "0"


def _read(region: Region) -> Fragment:
    source = reading(region, "windows_event")
    event = _Event()
    for item in source.items():
        event.take(item)
    return event.fragment(frozenset(source.claimed))


FORMAT = Format(
    name="windows_event",
    title="the Windows event log and Windows Error Reporting",
    anchors=(
        *(f"{end}{comma}" for end in _ENDS for comma in ",\uff0c\u3001"),
        "xception code",
        "xception Code",
        "APPCRASH",
        "MoAppCrash",
        " BEX",
        "\tBEX",
        ">BEX",
        "BEX64",
        "\nBEX",
        "<Data",
    ),
    opens=late(
        r"\A(?:"
        rf"[^{_COMMA}\n]{{3,220}}{_STAMPED}"
        r"|[ \t*>-]{0,8}Exception [Cc]ode\*{0,2}:[ \t*`]{0,8}(?:0x)?[0-9a-fA-F]{8}(?![0-9a-fA-F])"
        rf"|[^\n{_COLON}]{{2,60}}[{_COLON}][ \t]{{0,4}}(?:APPCRASH|MoAppCrash|BEX64|BEX|MoBEX)"
        r"[ \t]*$"
        r"|[^\n<]{0,40}<Data(?: Name=[\"'](?:AppName|ExceptionCode)[\"'])?>[^<\n]{1,200}"
        r"(?:\.exe|(?<=>)[c8e][0-9a-f]{7})</Data>"
        r")"
    ),
    read=_read,
    before=8,
    after=20,
    reach=28,
)
