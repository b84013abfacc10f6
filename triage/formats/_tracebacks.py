"""Collects the stacks of Python's exceptions, whoever prints them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from triage.elf.signals import BY_WORDS
from triage.formats._base import named_signal
from triage.model.crash import ErrorRecord, Fragment, Role, Signal
from triage.model.position import Position
from triage.model.stack import Frame, FrameKind, Thread, ThreadKind, Trust, with_crashed
from triage.text.late import late

MAX_FRAMES = 5_000
"""Frames of one stack that are kept; a recursion's repetitions are not worth more."""

MAX_MESSAGE_LINES = 40
"""Lines of one exception's text that are kept."""

SYNTAX_ERRORS = ("SyntaxError", "IndentationError", "TabError")

_CHILD_SIGNAL = late(
    r"died with <Signals\.(SIG[A-Z]{2,8}): |terminated with signal (SIG[A-Z]{2,8})\b"
    r"|killed by signal: (Segmentation fault|Aborted|Killed|Bus error|Illegal instruction"
    r"|Floating point exception|Terminated)\b"
)
_CONTINUES = late(
    r"\s|CUDA kernel errors might|HIP kernel errors might|For debugging consider passing"
    r"|Compile with `TORCH_USE|Device-side assert|Search for `|Last error:"
    r"|nccl[A-Z]\w{3,60}: |Please |If reserved |See (?:also|documentation) |Of the allocated memory"
)
_OTHER_OUTPUT = late(
    r"(?:frame #|Exception raised from |C\+\+ CapturedTraceback|\[rank\d|terminate called|Aborted"
    r"|Segmentation fault|Killed|Process |Exception ignored |\*\*\* |[IWEF]\d{4} |In \[\d"
    r"|(?:\[[^\]\n]{0,60}\] ?)?\[?(?:INFO|DEBUG|WARNING|WARN|ERROR|CRITICAL|FATAL)\b"
    r"|\[?\d{4}[-/]\d\d[-/]\d\d|\[?\d\d[:/]\d\d|\S{1,60}[#$%>] "
    r"|\S{1,200}:\d{1,9}: \w{1,40}Warning: |!{5}|[=_+-]{5}| {0,80}\+-{5}|[╭╰│┌└┃]|```|\"\"\""
    r"|(?:\S{1,80} )?(?:\[\d{1,3}\] )?(?:\S{1,80} )?NCCL (?:WARN|INFO|ERROR)\b)"
)


@dataclass(slots=True)
class Tracebacks:
    """The stacks and exceptions of one region while it is being read.

    The crash is the first stack that is not ignored: of chained exceptions the first is the cause.
    An exception that carries the one of another process or task hands that over to the next stack.
    """

    threads: list[Thread] = field(default_factory=list)
    errors: list[ErrorRecord] = field(default_factory=list)
    signal: Signal | None = None
    crashed: int | None = None
    frames: list[Frame] = field(default_factory=list)
    omitted: int = 0
    outermost_first: bool = True
    _head: Thread | None = None
    _blamable: bool = True
    _hands_over: bool = False
    _chained: bool = False
    _message_end: int | None = None
    _message_lines: int = 0

    def begin(
        self,
        at: Position | None,
        *,
        thread_id: str | None = None,
        tid: int | None = None,
        name: str | None = None,
        outermost_first: bool = True,
        blamable: bool = True,
    ) -> None:
        """Start a stack whose heading was printed; one that is not blamable is not the crash."""
        self.finish()
        self._message_end = None
        self._head = Thread(id=thread_id, tid=tid, name=name, at=at)
        self.outermost_first, self._blamable = outermost_first, blamable

    def add(
        self,
        function: str | None,
        file: str | None,
        line: int | None,
        at: Position,
        *,
        args: str | None = None,
    ) -> None:
        """Add a frame of Python code."""
        self.add_frame(
            Frame(
                index=len(self.frames),
                function=function or None,
                args=args,
                file=file,
                line=line,
                kind=FrameKind.PYTHON,
                trust=Trust.DEBUG_INFO,
                at=at,
            )
        )

    def add_frame(self, frame: Frame) -> None:
        """Add a frame of any kind."""
        self._message_end = None
        if self._head is None:
            self._head = Thread(at=frame.at)
            self.outermost_first, self._blamable = True, True
        if len(self.frames) < MAX_FRAMES:
            self.frames.append(frame)
        else:
            self.omitted += 1

    def repeat(self, times: int) -> None:
        """Add the last frame again, as often as a recursion's note says."""
        if self.frames:
            room = max(0, min(times, MAX_FRAMES - len(self.frames)))
            self.frames.extend([self.frames[-1]] * room)
            self.omitted += max(0, times - room)

    def chain(self) -> None:
        """Note that the next exception follows from the last one."""
        self.finish()
        self._message_end, self._chained = None, True

    def fail(
        self,
        name: str,
        message: str | None,
        at: Position,
        *,
        inner: bool = False,
        bare: bool = True,
    ) -> None:
        """End the open stack with its exception; an inner one's own stack comes next.

        Where no bare place can be a frame, the last one counts for a syntax error alone.
        """
        place = self.frames[-1] if self.frames and self.frames[-1].function is None else None
        syntax = place is not None and name.rpartition(".")[2] in SYNTAX_ERRORS
        consequence = self._chained or not self._blamable
        self.errors.append(
            ErrorRecord(
                api="python",
                name=name,
                message=message,
                file=place.file if place and syntax else None,
                line=place.line if place and syntax else None,
                role=Role.CONSEQUENCE if consequence else Role.UNCLEAR,
                at=at,
            )
        )
        if place and not syntax and not bare:
            self.frames.pop()
        self.finish()
        self._chained, self._hands_over = False, inner
        self._message_end, self._message_lines = at.line, 0
        self._note_signal(message or "", at)

    def continue_message(self, text: str, at: Position, *, prefixed: bool) -> bool:
        """Add a line to the last exception's text where it belongs there."""
        if self._message_end is None or at.line is None or at.line <= self._message_end:
            return False
        follows = at.line == self._message_end + 1 and self._message_lines < MAX_MESSAGE_LINES
        known = _CONTINUES.match(text)
        if not follows or (prefixed and not known) or _OTHER_OUTPUT.match(text):
            self._message_end = None
            return False
        last = self.errors[-1]
        joined = f"{last.message}\n{text.rstrip()}" if last.message else text.strip()
        self.errors[-1] = replace(last, message=joined)
        self._message_end, self._message_lines = at.line, self._message_lines + 1
        return True

    def finish(self) -> None:
        """Close the stack that is being read."""
        if self.frames:
            frames = self.frames[::-1] if self.outermost_first else self.frames
            head = self._head or Thread(at=self.frames[0].at)
            host = all(frame.kind is not FrameKind.PYTHON for frame in frames)
            self.threads.append(
                replace(
                    head,
                    kind=ThreadKind.HOST if host else ThreadKind.PYTHON,
                    frames=tuple(replace(frame, index=n) for n, frame in enumerate(frames)),
                    frames_omitted=self.omitted,
                )
            )
            here = len(self.threads) - 1
            if self._blamable and (
                self.crashed is None or (self._hands_over and self.crashed == here - 1)
            ):
                self.crashed = here
            self._hands_over = False
        self._head, self.frames, self.omitted = None, [], 0

    def marked(self) -> tuple[Thread, ...]:
        """Return all stacks, the crashed one marked."""
        self.finish()
        return with_crashed(self.threads, self.crashed)

    def fragment(self, dialect: str, claimed: Iterable[int]) -> Fragment:
        """Return what was read of a region in which there is nothing else."""
        return Fragment(
            dialect=dialect,
            threads=self.marked(),
            errors=tuple(self.errors),
            signal=self.signal,
            signal_rank=4,
            claimed=frozenset(claimed),
        )

    def _note_signal(self, message: str, at: Position) -> None:
        match = _CHILD_SIGNAL.search(message[:2000])
        if match and self.signal is None:
            name = match[1] or match[2] or BY_WORDS[match[3]]
            self.signal = named_signal(name, at)


def fatal_signal(words: str) -> str | None:
    """Return the signal of what faulthandler calls a fatal error, None for other ends."""
    return BY_WORDS.get(words)
