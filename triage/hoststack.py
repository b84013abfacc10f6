"""What the host stacks of a crash are worth where a GPU reports its errors late.

A GPU's work runs after the call that launched it has returned. The error comes out of whatever call
waits next, and so does its stack.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from triage.knowledge import HostStack, known_error, synchronous_settings
from triage.model.crash import Environment, ErrorRecord, LogLine, ReportWarning, Role
from triage.model.stack import FrameKind, Thread, ThreadKind

CODE = "host-stack-late"

_SET = re.compile(
    r"(?:\([\w.-]{1,40}\) )?(?:[^\s=\"']{0,80}[$#>%+\]] {1,4})?"
    r"(?:(?:export|set|setx|env|sudo|time) ){0,3}"
    r"(?P<settings>(?:[A-Za-z_]\w{0,60}=[^\s]{0,200}(?:[ \t]{1,4}|$)){1,20})"
)
_WAIT = re.compile(
    r"(?:cuda|cu|hip)\w{0,60}Synchronize|(?:cuda|hip)MemcpyAsync|clFinish|clWaitForEvents"
)
_OPTION = re.compile(
    r"(?:^|\s)(?:-e|--env)[ =](?P<name>[A-Z_][A-Z0-9_]{2,60})=(?P<value>[\w.-]{1,60})"
)


def late_stack(
    errors: Sequence[ErrorRecord], threads: Sequence[Thread], late: ErrorRecord | None
) -> tuple[ReportWarning, ...]:
    """Return the warning that the host stacks show who noticed a failure, not who did it.

    `late` is what `late_error` returns. There is none where no host stack is there, and none where
    every launch waited for its end.
    """
    on_gpu = any(thread.kind is ThreadKind.GPU and thread.frames for thread in threads)
    if late is None and on_gpu:
        late = next((error for error in errors if error.api == "cuda-exception"), None)
    if late is None or not _host_stack(threads):
        return ()
    message = _message(late, synchronous_settings().get(late.api, ()), on_gpu=on_gpu)
    return (ReportWarning(code=CODE, message=message, at=late.at),)


def late_error(
    errors: Iterable[ErrorRecord], environment: Environment, lines: Iterable[LogLine]
) -> ErrorRecord | None:
    """Return the first error that is reported late; None where every launch waited for its end."""
    late = next((error for error in errors if _is_late(error)), None)
    if late is None:
        return None
    settings = synchronous_settings().get(late.api, ())
    return None if settings and _holds(settings, environment.variables, lines) else late


def waits_for_gpu(thread: Thread, frame: int) -> bool:
    """Tell whether a frame of a thread had called what waits for a GPU, and had not come back."""
    return any(
        f.function and f.kind is FrameKind.HOST and _WAIT.match(f.function)
        for f in thread.frames[:frame]
    )


def _is_late(error: ErrorRecord) -> bool:
    if error.role is Role.CONSEQUENCE:
        return False
    known = known_error(error.api, error.name, error.code)
    return known is not None and known.stack is HostStack.LATE


def _host_stack(threads: Iterable[Thread]) -> bool:
    return any(thread.kind is not ThreadKind.GPU and thread.frames for thread in threads)


def _holds(
    settings: Iterable[tuple[str, str]],
    variables: Mapping[str, str | None],
    lines: Iterable[LogLine],
) -> bool:
    """Tell whether one of the settings was made, by what readers found or by a command."""
    wanted = set(settings)
    if any(variables.get(name) == value for name, value in wanted):
        return True
    names = tuple(f"{name}=" for name, _ in wanted)
    return any(
        wanted & commanded(line.text) for line in lines if any(name in line.text for name in names)
    )


def commanded(text: str) -> frozenset[tuple[str, str]]:
    """Return the variables that a line sets as a shell command; prose that names one sets none."""
    found = {(match["name"], match["value"]) for match in _OPTION.finditer(text)}
    match = _SET.match(text.strip())
    if match:
        for setting in match["settings"].replace(";", " ").split():
            name, equals, value = setting.partition("=")
            if equals:
                found.add((name, value.strip("\"'")))
    return frozenset(found)


def _message(error: ErrorRecord, settings: Sequence[tuple[str, str]], *, on_gpu: bool) -> str:
    name = error.name or f"{error.api} error {error.code}"
    how = "was raised on the GPU" if error.api == "cuda-exception" else "is reported late"
    text = f"{name} {how}: the host stack shows where it was noticed, not what failed"
    if on_gpu:
        return f"{text}; the GPU's stack is the one to read"
    if settings:
        return f"{text}; run once with {'='.join(settings[0])}, or read a GPU core dump"
    return text
