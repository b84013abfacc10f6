"""Talks to one gdb through its machine interface, under limits that always end it."""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import signal
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any, Final

from triage.closing import Closing
from triage.debugger.launch import GdbProcess, expected_settings
from triage.debugger.limits import GdbLimits, Outcome
from triage.debugger.records import as_mapping, as_text, parse_record
from triage.errors import DebuggerError, SandboxError

_RESULT: Final = re.compile(r"(\d{1,9})\^")
_MESSAGES: Final = ("~", "@", "&")
_CHUNK: Final = 1 << 16
_KEPT_ERRORS: Final = 4096
_KEPT_CONSOLE: Final = 1 << 20
_SANDBOX_SAYS: Final = ("bwrap: ", "prlimit: ")
_NO_MEMORY: Final = ("virtual memory exhausted", "bad_alloc", "failed to allocate")
_LOG: Final = "&"
_LAST_BREATH: Final = 1.0
_PAUSE: Final = 0.01
# bubblewrap reports a signal as a shell does.
_CPU_LIMIT: Final = (signal.SIGXCPU, 128 + signal.SIGXCPU)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The answer to one command.

    `message` is gdb's word for the result (done, connected, error) and None where no answer came;
    `console` is what it printed before; `error` what it says went wrong.
    """

    outcome: Outcome
    message: str | None = None
    payload: Mapping[str, Any] = field(default_factory=dict)
    console: tuple[str, ...] = ()

    @property
    def error(self) -> str | None:
        """What gdb says went wrong."""
        return as_text(self.payload.get("msg")) if self.message == "error" else None


class MiSession(Closing):
    """A conversation with a gdb that was started; a context manager that ends it.

    It leaves no process behind. The limits count from the start of the session. Once one is
    reached gdb is killed, `outcome` says why, and every further command gets a reply with that
    outcome.
    """

    def __init__(self, process: GdbProcess, limits: GdbLimits) -> None:
        self.outcome = Outcome.OK
        self.unparsed: list[str] = []
        self._limits = limits
        self._deadline = time.monotonic() + limits.wall
        self._token = 0
        self._read = 0
        self._messages = 0
        self._buffer = bytearray()
        self._lines: deque[str] = deque()
        self._errors = bytearray()
        self._outgoing = memoryview(b"")
        self._selector = selectors.DefaultSelector()
        self._owner = process
        self._process = process.popen
        try:
            self._register()
            self._verify(expected_settings(process.options))
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """The process id of gdb, which leads its own process group."""
        return self._process.pid

    @property
    def stderr(self) -> str:
        """The end of what gdb wrote to its error output."""
        return self._errors.decode("utf-8", "replace")

    def send(self, command: str) -> Reply:
        """Run one command and return its reply."""
        return self.send_all([command])[0]

    def send_all(self, commands: Sequence[str], within: float | None = None) -> list[Reply]:
        """Run commands, all sent at once, and return their replies in order.

        Where they have to end `within` some seconds, the session ends if they do not.
        """
        if within is not None:
            self._deadline = min(self._deadline, time.monotonic() + within)
        first = self._token + 1
        self._token += len(commands)
        text = "".join(f"{first + i}{command}\n" for i, command in enumerate(commands))
        self._outgoing = memoryview(text.encode())
        return [self._reply(first + i) for i in range(len(commands))]

    def renew(self, limits: GdbLimits) -> bool:
        """Let the limits count anew, for the next core dump, and look at the settings again.

        Returns false, with gdb ended, where it is dead or its settings are not what they have to
        be.
        """
        self._limits = limits
        self._deadline = time.monotonic() + limits.wall
        self._read = 0
        self.unparsed = []
        try:
            self._verify(expected_settings(self._owner.options))
        except DebuggerError:
            self.close()
            return False
        return True

    def close(self) -> None:
        """End gdb, whatever it is doing."""
        self._owner.close()
        self._selector.close()

    def _register(self) -> None:
        stdin, stdout, stderr = self._process.stdin, self._process.stdout, self._process.stderr
        for stream in (stdin, stdout, stderr):
            if stream is not None:
                os.set_blocking(stream.fileno(), False)
        for source in (stdout, stderr):
            if source is not None:
                self._selector.register(source, selectors.EVENT_READ)

    def _verify(self, expected: Mapping[str, str]) -> None:
        replies = self.send_all([f"-gdb-show {name}" for name in expected])
        for (name, value), reply in zip(expected.items(), replies, strict=True):
            found = reply.payload.get("value")
            if found != value:
                stderr, outcome = self.stderr.strip(), self.outcome
                if self._owner.sandboxed and stderr.startswith(_SANDBOX_SAYS):
                    raise SandboxError(stderr)
                if reply.message is None:
                    said = f": {stderr}" if stderr else ""
                    raise DebuggerError(
                        f"gdb did not answer before it was given anything ({outcome}){said}",
                        hint="see whether it starts here: gdb -nx -batch -ex 'show version'",
                    )
                raise DebuggerError(
                    f"gdb does not keep to `{name} {value}`: {reply.error or found!r}",
                    hint="gdb 12 or newer is needed: gdb --version",
                )

    def _reply(self, token: int) -> Reply:
        console: list[str] = []
        kept = 0
        while (line := self._next_line()) is not None:
            if line.startswith("~"):
                kept += len(line)
                if kept <= _KEPT_CONSOLE:
                    console.append(line)
                continue
            match = _RESULT.match(line)
            if match and int(match[1]) == token:
                return self._finish(line, console)
        return Reply(outcome=self.outcome, console=self._texts(console))

    def _finish(self, line: str, console: Iterable[str]) -> Reply:
        record = parse_record(line)
        if record is None:
            self.unparsed.append(ascii(line[:200]))
            return Reply(outcome=self.outcome, console=self._texts(console))
        return Reply(
            outcome=self.outcome,
            message=as_text(record.get("message")),
            payload=as_mapping(record.get("payload")),
            console=self._texts(console),
        )

    def _texts(self, lines: Iterable[str]) -> tuple[str, ...]:
        records = (parse_record(line) for line in lines)
        return tuple(str(r["payload"]).rstrip("\n") for r in records if r is not None)

    def _next_line(self) -> str | None:
        """Return the next line of output, None once a limit ended the session and all is read."""
        while not self._lines:
            if self.outcome is not Outcome.OK:
                return None
            self._exchange()
        return self._lines.popleft()

    def _exchange(self) -> None:
        """Wait until gdb reads or writes, and move what there is."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            self._end(Outcome.WALL_LIMIT)
            return
        self._want_writing()
        for key, events in self._selector.select(left):
            if self.outcome is not Outcome.OK:
                return
            if events & selectors.EVENT_WRITE:
                self._write()
            elif key.fileobj is self._process.stdout:
                self._take_output()
            else:
                self._take_errors(key.fd)

    def _want_writing(self) -> None:
        stdin = self._process.stdin
        registered = stdin in self._selector.get_map()
        if stdin is None or registered == bool(self._outgoing):
            return
        if registered:
            self._selector.unregister(stdin)
        else:
            self._selector.register(stdin, selectors.EVENT_WRITE)

    def _write(self) -> None:
        stdin = _stream(self._process.stdin)
        try:
            written = os.write(stdin.fileno(), self._outgoing[:_CHUNK])
        except BlockingIOError:
            return
        except OSError:
            self._end(Outcome.DIED)
            return
        self._outgoing = self._outgoing[written:]

    def _take_output(self) -> None:
        data = _read(_stream(self._process.stdout).fileno())
        if data is None:
            return
        self._read += len(data)
        if not data:
            self._end(Outcome.DIED)
        elif self._read > self._limits.output:
            self._end(Outcome.OUTPUT_LIMIT)
        else:
            *whole, rest = data.split(b"\n")
            if whole:
                whole[0] = bytes(self._buffer) + whole[0]
                self._buffer.clear()
            self._buffer += rest
            lines = [line.decode("utf-8", "surrogateescape") for line in whole]
            self._lines.extend(lines)
            self._messages += sum(len(line) for line in lines if line.startswith(_MESSAGES))
            if self._messages > self._limits.messages:
                self._end(Outcome.OUTPUT_LIMIT)

    def _take_errors(self, fd: int) -> None:
        data = _read(fd)
        self._keep_errors(data)
        if data == b"":
            self._selector.unregister(_stream(self._process.stderr))

    def _keep_errors(self, data: bytes | None) -> None:
        self._errors = (self._errors + (data or b""))[-_KEPT_ERRORS:]

    def _end(self, outcome: Outcome) -> None:
        # What gdb said last may still stand in the pipe.
        self._keep_errors(_read(_stream(self._process.stderr).fileno()))
        self.outcome = self._cause() if outcome is Outcome.DIED else outcome
        self.close()

    def _cause(self) -> Outcome:
        """Tell which limit gdb died of, if any."""
        if self._exit_status() in _CPU_LIMIT:
            return Outcome.CPU_LIMIT
        said = (self.stderr, *(line for line in self._lines if line.startswith(_LOG)))
        if any(words in text for text in said for words in _NO_MEMORY):
            return Outcome.MEMORY_LIMIT
        return Outcome.DIED

    def _exit_status(self) -> int | None:
        """Return the status or signal that gdb ended with, leaving it to be waited for."""
        deadline = time.monotonic() + _LAST_BREATH
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        with contextlib.suppress(ChildProcessError):
            while time.monotonic() < deadline:
                ended = os.waitid(os.P_PID, self._process.pid, options)
                if ended is not None:
                    return ended.si_status
                time.sleep(_PAUSE)
        return None


def _read(fd: int) -> bytes | None:
    try:
        return os.read(fd, _CHUNK)
    except BlockingIOError:
        return None


def _stream(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise DebuggerError("gdb has no such stream")
    return stream
