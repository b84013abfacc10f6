"""Reads the frames of a block of lines: most by one expression, the odd ones by a closer look.

A frame may be wrapped over lines (by gdb at an argument, by a terminal or a mail program
anywhere), cut off, or have another frame behind it on its line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from itertools import islice

from triage.formats._base import Region
from triage.formats._stacks import Stacks
from triage.frames.split import WHOLE, SplitFrame, split_frame
from triage.model.crash import ReportWarning
from triage.model.position import Position
from triage.model.stack import Frame, FrameKind, Trust
from triage.text.decode import MAX_LINE
from triage.text.late import late

SIGNAL_HANDLER = "<signal handler called>"

_PLAIN = late(rf"[ \t]{{0,8}}#(\d{{1,7}})[ \t]{{1,6}}{WHOLE}")
_HEAD = late(r"[ \t]{0,8}#(?P<index>\d{1,7})[ \t]{1,6}(?P<body>\S[^\n]*)")
_SPECIAL = late(r"(?P<address>0x[0-9a-fA-F]{1,16} in )?(?P<name><[a-z][a-z -]{3,40}>)[ \t]*$")
_PLACE = late(r"\s{0,40}(?:at|from) ")
_SURE_PLACE = late(r"\s{0,40}(?:at \S[^\n]*:\d{1,9}|from \S*[/\\]\S+)\s*$")
_LIBRARY = late(r"\.so(?:\.\d{1,6}){0,4}$")
_PLACE_END = late(r"\S{1,400}:\d{1,9}\s*$")
_SECOND = late(r"#\d{1,7} {1,3}0x[0-9a-fA-F]{6,16} in ")
_FOREIGN = late(
    r"[^\n]*(?:\+ ?0x[0-9a-fA-F]{1,16}\)|(?<! at)(?<! from) (?:/|[A-Za-z]:\\)\S+)\s*"
    r"(?:\(BuildId: [0-9a-f]{1,64}\))?$"
)
_NOT_ARGUMENTS = late(r"\S+:\d+(?::\d+)?$|[^\s=]+ ?\+ ?0x[0-9a-fA-F]+$")
_STOP = late(
    r"[ \t]{0,8}#\d{1,7}[ \t]|[ \t]{0,8}Thread \d|\((?:\w{1,8}-)?gdb\)"
    r"|\[(?:Switching|Current|Inferior)"
    r"|No (?:locals|symbol)|Program |Backtrace stopped|\(More stack frames|Core was|CUDA "
    r"|The exception|TID \d|  (?:Kernel|BlockIdx|Dev|SM|Wp|Ln|Id) |\d{1,6}\t"
)
_OTHERS = late(
    r"(?:\S{1,3} )?(?:warning: |\w{3,24} ?: \d{1,6}[ \t])"
    r"|\[(?:New|Thread|Detaching|Attaching|INFO|WARN(?:ING)?|ERROR|DEBUG|FATAL)\b"
    r"|Downloading |(?:INFO|WARNING|ERROR|DEBUG) "
)
_INDENTED = late(r" {4}(?![ \t]|#\d)")
_LOCAL = late(r"(?: {8}|\t)\S{1,80} = ")
_WRAP_LIMIT = 12
_GLUED = 100
_NARROW = 55
_TERMINAL = 74
"""Lengths of a frame's words, without its number, from which on a line may have been cut."""

_DAMAGES = {
    "frame-truncated": "cut off: only the sure part of it was kept",
    "frame-wrapped": "wrapped by a terminal or a mail program and put together again",
    "text-interleaved": "mixed with other output",
}


@dataclass(slots=True)
class FrameBlocks:
    """Reads one region's frames into its stacks, and counts the damage."""

    region: Region
    stacks: Stacks
    claimed: set[int]
    with_arguments: bool = False
    _damage: dict[str, tuple[int, Position]] = field(default_factory=dict)

    def read(self, row: int, text: str) -> None:
        """Read a block of lines that begins with a frame; `row` is the first line's."""
        region, add, claim = self.region, self.stacks.add, self.claimed.add
        lines, plain = region.lines, _PLAIN.match
        source, member = region.input, region.member
        texts = text.split("\n")
        size, n = len(texts), 0
        while n < size:
            match, used = None, 1
            if n + 1 < size and texts[n + 1].startswith("    "):
                match, used = _wrapped(texts, n)
            if match is None:
                match = plain(texts[n])
                if match and not (match["file"] or match["module"]) and _goes_on(texts, n, match):
                    match = None
            if match is None:
                n += self._closely(row + n, texts[n])
                continue
            index, address, function, args, file, line, column, module = match.groups()
            number = lines[row + n].number
            claim(number)
            for k in range(1, used):
                claim(lines[row + n + k].number)
            known = function != "??"
            add(
                Frame(
                    index=int(index),
                    function=function if known else None,
                    args=args,
                    file=file,
                    line=int(line) if file else None,
                    column=int(column) if column else None,
                    module=module,
                    address=address,
                    trust=_trust(known, file),
                    at=Position(input=source, line=number, member=member),
                )
            )
            n += used
        self.with_arguments = True

    def warnings(self) -> tuple[ReportWarning, ...]:
        """Return each kind of damage once, with how often it was met."""
        return tuple(
            ReportWarning(
                code=code,
                message=f"{count} stack frame{'s' * (count > 1)} {_DAMAGES[code]}",
                at=at,
            )
            for code, (count, at) in self._damage.items()
        )

    def _damaged(self, code: str, row: int) -> None:
        count, at = self._damage.get(code, (0, self.region.at(row)))
        self._damage[code] = (count + 1, at)

    def _closely(self, row: int, text: str) -> int:
        """Read a line that the plain expression does not take; return how many lines it used."""
        head = _HEAD.match(text)
        if head is None:
            return 1
        index, body = int(head["index"]), head["body"].replace("\t", " ")
        if special := _SPECIAL.match(body):
            self._add(index, SplitFrame(function=special["name"]), row, 1)
            return 1
        seconds = [m.start() for m in islice(_SECOND.finditer(body), _GLUED + 1)]
        if seconds:
            self._damaged("text-interleaved", row)
            self._alone(row, index, body[: seconds[0]])
            return self._glued(row, body, seconds)
        body, split, used = self._joined(row, body)
        if _is_frame(body, split):
            self._add(index, self._sure(row, used, split, body), row, used)
        return used

    def _glued(self, row: int, body: str, starts: list[int]) -> int:
        """Read the frames that stand behind another one on its line; the last may be wrapped."""
        for begin, end in zip(starts[:_GLUED], [*starts[1:], None], strict=False):
            if end is None:
                return self._closely(row, body[begin:])
            if head := _HEAD.match(body[begin:end]):
                self._alone(row, int(head["index"]), head["body"])
        return 1

    def _alone(self, row: int, index: int, body: str) -> None:
        body = body.rstrip().removesuffix("\\n")  # as a line end stands in a quoted text
        split = split_frame(body)
        if _is_frame(body, split):
            self._add(index, split, row, 1)

    def _add(self, index: int, split: SplitFrame, row: int, used: int) -> None:
        self.claimed.update(line.number for line in self.region.lines[row : row + used])
        self.stacks.add(to_frame(index, split, self.region.at(row)))

    def _joined(self, row: int, body: str) -> tuple[str, SplitFrame, int]:
        """Join a frame with the lines that it was wrapped over, if that makes it whole."""
        first = split = split_frame(body)
        whole, used, hard, mixed, gap = body, 1, False, False, False
        lines = self.region.lines
        for n in range(row + 1, min(row + 1 + _WRAP_LIMIT, len(lines))):
            text = lines[n].text
            if not text.strip():
                gap = True
                continue
            if _STOP.match(text) or not _continues(whole, split, text):
                break
            if gap and split.complete and not _SURE_PLACE.match(text):
                break
            if _OTHERS.match(text):
                mixed = True
                continue
            hard = hard or not text[0].isspace()
            whole = _glued(whole, text)
            if len(whole) > 2 * MAX_LINE:
                break
            split = split_frame(whole)
            if split.complete and (split.args is not None or first.args is not None):
                used = n - row + 1
                first, body = split, whole
        if used > 1 and hard:
            self._damaged("frame-wrapped", row)
        if used > 1 and mixed:
            self._damaged("text-interleaved", row)
        return body, first, used

    def _sure(self, row: int, used: int, split: SplitFrame, body: str) -> SplitFrame:
        """Return what is sure of a frame that may have been cut off."""
        cut = not split.complete
        last = self._is_last(row + used)
        bare = split.args is None and split.complete and not (split.file or split.module)
        if bare and last and split.function and self._has_arguments(body):
            split, cut = replace(split, function=None), True
        elif last and cut_in_place(split):
            split, cut = replace(split, file=None), True
        if cut:
            self._damaged("frame-truncated", row)
        return split

    def _has_arguments(self, body: str) -> bool:
        """Tell whether an argument list was to be expected: gdb prints one, unless it was removed.

        Other tools that print frames like gdb do not say `ADDRESS in NAME`.
        """
        others = self.stacks.current()
        if self.with_arguments or any(frame.args is not None for frame in others):
            return True
        return " in " in body[:24] and not others

    def _is_last(self, row: int) -> bool:
        lines = self.region.lines[row : row + 8]
        return len(lines) < 8 and not any(line.text.strip() for line in lines)


def _wrapped(texts: list[str], n: int) -> tuple[re.Match[str] | None, int]:
    """Return the match of a frame over the lines that gdb wrapped it over, and their count."""
    text, end = texts[n], n + 1
    while end < len(texts) and end <= n + _WRAP_LIMIT and _INDENTED.match(texts[end]):
        text = text.rstrip(" ")
        text += texts[end][4:] if text.endswith("(") else texts[end][3:]
        end += 1
    if end == n + 1:
        return None, 1
    whole = _PLAIN.match(text)
    return (whole, end - n) if whole and (whole["file"] or whole["module"]) else (None, 1)


def _goes_on(texts: list[str], n: int, match: re.Match[str]) -> bool:
    """Tell whether a frame without a place may have it on the next line, or is none of gdb's."""
    if n + 1 < len(texts) and _PLACE.match(texts[n + 1]):
        return True
    return not _is_gdb(match["address"], match["args"])


def _continues(body: str, split: SplitFrame, text: str) -> bool:
    """Tell whether a line may carry on a frame."""
    if not split.complete:
        return not (_LOCAL.match(text) and not body.rstrip().endswith((",", "{", "(")))
    if split.file:
        return split.line is None and bool(_PLACE_END.match(text))
    if split.module:
        return False
    if split.args is not None:
        return bool(_PLACE.match(text))
    if not text[0].isspace() and len(body) >= _NARROW and " (" in text:
        return True
    return text.lstrip().startswith("(") or body.endswith((" in", " at", " from"))


def _glued(body: str, text: str) -> str:
    """Join two lines; a terminal cuts words at its edge, everything else wraps between words."""
    words = body[-1:].isalnum() or body[-1:] in "_:/.-"
    cut = words and len(body) >= _TERMINAL and not text[0].isspace()
    if cut or body.endswith("("):
        return body + text.strip()
    return f"{body.rstrip()} {text.strip()}"


def _is_frame(body: str, split: SplitFrame) -> bool:
    """Tell whether gdb, or a tool that prints like it, may have printed this."""
    if split.file or split.module:
        return True
    if split.launch:
        return True
    if not _is_gdb(split.address, split.args):
        return False
    return not (split.complete and _FOREIGN.match(body))


def cut_in_place(split: SplitFrame) -> bool:
    """Tell whether a place may have lost its end: gdb gives a line, but for a library."""
    return bool(split.file) and split.line is None and not _LIBRARY.search(split.file or "")


def _is_gdb(address: str | None, args: str | None) -> bool:
    """Tell gdb's frame without a place from those of other languages, which have places there."""
    if args is None:
        return address is not None
    return not _NOT_ARGUMENTS.match(args)


def to_frame(index: int, split: SplitFrame, at: Position) -> Frame:
    """Return the frame of the model for what was printed."""
    special = bool(split.function and split.function.startswith("<") and split.args is None)
    handler = split.function == SIGNAL_HANDLER
    kind = FrameKind.SIGNAL_HANDLER if handler else FrameKind.HOST
    return Frame(
        index=index,
        function=split.function,
        args=split.args,
        file=split.file,
        line=split.line,
        column=split.column,
        module=split.module,
        address=split.address,
        launch=split.launch,
        kind=FrameKind.GPU if split.launch else kind,
        trust=Trust.TEXT if special else _trust(split.function is not None, split.file),
        at=at,
    )


def _trust(known: bool, file: str | None) -> Trust:
    if not known:
        return Trust.ADDRESS_ONLY
    return Trust.DEBUG_INFO if file else Trust.SYMBOL
