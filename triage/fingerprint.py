"""The computed identity of a crash.

Algorithm 1: the class of the failure and the first three frames that can be blamed, without
addresses, lines, arguments or templates; where no frame can be blamed, the shape of the message.
An asynchronous GPU error is told by itself and the GPU frames: host frames only show who waited.
"""

from __future__ import annotations

import hashlib
import re

from triage.crash import frames_from
from triage.frames.names import plain_name
from triage.frames.paths import tail
from triage.model.crash import Crash, ErrorRecord, Timing
from triage.model.diagnosis import Fingerprint
from triage.model.stack import Frame, ThreadKind

ALGORITHM = 1
_FRAMES = 3
_PLACE = re.compile(r"(?<=\{lambda)#\d+(?=\})")  # not every printer numbers lambdas
_IN_EVERY_FILE = ("<module>", "<lambda>", "<listcomp>", "<dictcomp>", "<setcomp>", "<genexpr>")
_VARIABLE = re.compile(r"0x[0-9a-fA-F]+|\d+|/\S+")


def fingerprint(crash: Crash) -> Fingerprint | None:
    """Return a crash's fingerprint; None where nothing identifies it."""
    error = min(crash.errors, key=lambda e: (e.api == "engine", e.code is None), default=None)
    names = _frame_names(crash, error)
    inputs = [_class_of(crash, error), *names]
    if not names and error and error.message:
        inputs.append(_VARIABLE.sub("#", error.message)[:120])
    kept = tuple(part for part in inputs if part)
    if not kept:
        return None
    digest = hashlib.sha256("\x1f".join((str(ALGORITHM), *kept)).encode("utf-8", "replace"))
    title = " | ".join(name.rsplit("::", 1)[-1] for name in names) or " | ".join(kept)
    return Fingerprint(
        value=digest.hexdigest()[:16], title=title[:255], algorithm=ALGORITHM, inputs=kept
    )


def _class_of(crash: Crash, error: ErrorRecord | None) -> str:
    if error and error.name:
        return f"{error.api}:{error.name}"
    if error and error.code is not None:
        return f"{error.api}:{error.code}"
    return crash.signal.name if crash.signal else ""


def _frame_names(crash: Crash, error: ErrorRecord | None) -> list[str]:
    if crash.blamed_frame is None:
        return []
    thread = crash.threads[crash.blamed_frame.thread]
    if error and error.timing is Timing.ASYNCHRONOUS and thread.kind is not ThreadKind.GPU:
        return []
    frames = frames_from(thread, crash.blamed_frame.frame)[:_FRAMES]
    return [_name(f) for f in frames if f.function]


def _name(frame: Frame) -> str:
    """Return a frame's plain name; one such as Python's `<module>` needs its file beside it."""
    name = _PLACE.sub("", plain_name(frame.function or ""))
    return f"{tail(frame.file)}:{name}" if name in _IN_EVERY_FILE and frame.file else name
