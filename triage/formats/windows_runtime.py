"""What runtimes on Windows say of an exception, and the exit statuses of processes.

What is odd about it: one status has many spellings, in hexadecimal, as a negative number and as
a number of 32 or 64 bits; and 0xC0000409 is abort() as well as a failed security check.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from triage.formats._base import (
    Format,
    Item,
    Region,
    failed_assertion,
    named_signal,
    reading,
)
from triage.formats._ntstatus import Exceptions, status_by_name, status_of
from triage.model.crash import ErrorRecord, Fragment
from triage.model.position import Position
from triage.text.late import late

_WORDS_RANK, _STATUS_RANK = 3, 4
_LOCATION = late(r"(?:location|address) (?:0x)?([0-9A-Fa-f]{6,16})")
_ACCESS = 0xC0000005
# A status of 64 bits that passed through a floating-point number: which one is no longer said.
_ROUNDED = late(r"184467440726\d{5}000\Z")
_PYTHON = {
    "access violation": 0xC0000005,
    "float divide by zero": 0xC000008E,
    "float overflow": 0xC0000091,
    "int divide by zero": 0xC0000094,
    "integer overflow": 0xC0000095,
    "page error": 0xC0000006,
    "stack overflow": 0xC00000FD,
}


@dataclass(slots=True)
class _Reader:
    """One region while it is being read."""

    found: Exceptions = field(default_factory=Exceptions)
    window: dict[str, str] = field(default_factory=dict)
    window_at: Position | None = None

    def take(self, item: Item) -> None:
        """Take one item."""
        kind, at, fields = item.kind, item.at, item.fields
        if kind == "crt_assert":
            self.window_at = at
        elif kind == "crt_field":
            self.window.setdefault(fields["crt_field"], fields["crt_value"].strip())
        elif kind == "crt_abort":
            self.found.signalled(named_signal("SIGABRT", at), _WORDS_RANK)
        elif kind == "status":
            self._status(item)
        elif kind == "python":
            self._fault_handler(fields["py_words"].strip(), at)
        else:
            code, words, address = _exception(kind, fields)
            self.found.status(code, at, _WORDS_RANK, words=words, address=address)

    def _fault_handler(self, words: str, at: Position) -> None:
        code = status_of(words[5:]) if words.startswith("code 0x") else _PYTHON.get(words)
        self.found.status(code, at, _WORDS_RANK, words=words)

    def _status(self, item: Item) -> None:
        text = item.fields.get("status_hex") or item.fields["status_number"]
        words = item.fields.get("status_words", "").strip(': "\\')
        code = status_of(text)
        if _ROUNDED.match(text):
            code = None
            self.found.errors.append(
                ErrorRecord(api="ntstatus", message=f"exit code {text}", at=item.at)
            )
        self.found.status(code, item.at, _STATUS_RANK, words=words or None)

    def fragment(self, claimed: frozenset[int]) -> Fragment:
        """Return what was read."""
        found = self.found
        if self.window_at is not None:
            text = self.window.get("Expression") or None
            file, line = self.window.get("File"), self.window.get("Line")
            found.errors.append(failed_assertion(text, file, line, self.window_at))
        if not (found.errors or found.signal):
            return Fragment(dialect="windows_runtime")
        return Fragment(
            dialect="windows_runtime",
            errors=tuple(found.errors),
            signal=found.signal,
            signal_rank=found.rank,
            claimed=claimed,
        )


def _exception(kind: str, fields: dict[str, str]) -> tuple[int | None, str | None, str | None]:
    """Return the status that a line names, the line's own words for it, and an address."""
    match kind:
        case "bare_status" | "dialog":
            text = fields.get("dialog") or fields["bare_status"]
            return status_of(text if text.startswith(("-", "0x")) else f"0x{text}"), None, None
        case "memory":
            return _ACCESS, f"memory could not be {fields['memory_verb']}", fields["memory"]
        case "ctypes":
            return _ACCESS, f"access violation {fields['ct_verb']}", fields["ct_address"]
        case "winerror":
            words = fields.get("winerror_words", "").strip()
            return status_of(fields["winerror"]), words or None, None
        case "go":
            code = status_of(fields["go_code"])
            return code, None, fields["go_address"] if code == _ACCESS else None
        case _:
            place = _LOCATION.search(fields.get("named_rest", ""))
            address = f"0x{place[1]}" if place else None
            return status_by_name(fields["named"]), fields["named"], address


def _read(region: Region) -> Fragment:
    source = reading(region, "windows_runtime")
    reader = _Reader()
    for item in source.items():
        reader.take(item)
    return reader.fragment(frozenset(source.claimed))


_STATUS = (
    r"(?:0x[c48eC8E][0-9a-fA-F]{7}(?![0-9a-fA-F])|-\d{9,10}(?!\d)|[1-4]\d{9}(?!\d)"
    r"|18446744\d{12}(?!\d))"
)
FORMAT = Format(
    name="windows_runtime",
    title="runtimes on Windows and exit statuses",
    anchors=(
        "Windows fatal exception",
        "exception: access violation",
        "[WinError -",
        "Exception 0x",
        "xception: EXCEPTION_",
        "xception code: EXCEPTION_",
        "unable to start correctly (",
        "unknown target exception",
        "Critical error detected",
        "exception (0x",
        "he instruction at ",
        "abort() has been called",
        "requested the Runtime to terminate",
        "ssertion Failed!",
        "Assertion failed!",
        "0xc0000",
        "0xC0000",
        "0xc0010",
        "0xC0010",
        "0xe06d7363",
        "0xE06D7363",
        "0xe0434352",
        "0xE0434352",
        "0x8000000",
        "0x4000001",
        "0x4001000",
        "-10737",
        "-10736",
        "-529697949",
        "-532462766",
        "-21474836",
        "322122",
        "322129",
        "3765269347",
        "3762504530",
        "21474836",
        "10737418",
        "10738073",
        "18446744",
    ),
    # Alternatives are tried where a word begins or ends, which is a fraction of all places.
    opens=late(
        r"\A(?:"
        r"[^\n]{0,400}?\b(?:Windows fatal exception: "
        r"|exception: access violation (?:read|writ|execut)ing 0x|WinError -\d{6,10}\]"
        r"|[Ee]xception(?: code| caught| thrown)?(?: is)?[:=] {0,3}EXCEPTION_[A-Z]"
        r"|abort\(\) has been called|This application has requested the Runtime to"
        r"|unable to start correctly \(0x|unknown target exception 0x|Critical error detected [c8]"
        r"|exception [\w ]{0,60}\(0x[c8e]|\u5f02\u5e38 [^\n(\uff08]{0,60}[(\uff08]0x[c8e]"
        r"|[Tt]he instruction at ['\"]?0x"
        r"|(?:[Ee]xit|EXIT|ERRORLEVEL|errorlevel|LASTEXIT|terminated with|[Rr]et(?:urn)?code"
        r"|returned|RETURN|[Ss]tatus|crash|[Ff]ailed)[^\n\d]{0,30}[ =:(\"'-]" + _STATUS + r")"
        r"|Exception 0x[0-9a-f]{8} 0x[0-9a-f]{1,16} 0x[0-9a-f]{1,16} 0x"
        r"|(?:Debug Assertion Failed!|Assertion failed!)[ \t]*$"
        r"|[ \t]{0,4}-1073[67]\d{5}[ \t]{0,4}$"
        r")"
    ),
    read=_read,
    after=8,
    reach=8,
)
