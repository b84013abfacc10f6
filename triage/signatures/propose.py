"""Writes a first draft of a signature from a crash that it shall match."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from triage.frames.names import plain_name
from triage.model.crash import Crash, ErrorRecord
from triage.model.stack import Frame

MAX_FRAMES = 3
MAX_EXAMPLE_LINES = 400
MAX_MESSAGE = 120


def propose(crash: Crash, signature_id: str, log: str, log_name: str) -> str:
    """Return the text of a signature's file, with what is left to say marked TODO.

    `log` is the text of the crash; it is empty where only a report on it is there.
    """
    return "\n".join([*_head(crash, signature_id), *_conditions(crash), *_tail(log, log_name), ""])


def can_stand_in_toml(text: str) -> bool:
    """Tell whether a text is short and plain enough to stand between `'''` as it is."""
    return (
        text.count("\n") <= MAX_EXAMPLE_LINES
        and "'''" not in text
        and not any((ord(c) < 32 and c not in "\n\t") or ord(c) == 127 for c in text)
    )


def _head(crash: Crash, signature_id: str) -> Iterator[str]:
    yield "schema = 1"
    yield f"id     = {_quoted(signature_id)}"
    yield 'title  = "TODO what goes wrong, in one line"'
    yield 'family = "other"    # TODO one of signatures/families'
    yield 'level  = "likely"   # certain | likely | hint'
    yield "base   = 0.7"
    if crash.engine:
        yield f"engine = {_quoted(crash.engine.name)}"
    yield 'cause  = "TODO what goes wrong and why, for a person at 3 a.m."'
    yield 'sources = ["TODO an issue, a page, a case"]'


def _conditions(crash: Crash) -> Iterator[str]:
    blamed = list(_blamed(crash))
    named = [e for e in crash.errors if e.name or e.code is not None]
    # An engine's own error often says no more than that it failed.
    error = min(named, key=lambda e: e.api == "engine", default=None)
    whens, supports = [], []
    if blamed:
        whens.append([f"frame.function = {_quoted(_name(blamed[0]))}"])
        supports += [[f"frame.function = {_quoted(_name(frame))}"] for frame in blamed[1:]]
    if error:
        (supports if blamed else whens).insert(0, _error(error))
    if not whens and crash.errors and crash.errors[0].message:
        whens.append([f"error.message = {_quoted(_pattern(crash.errors[0].message))}"])
    if crash.signal:
        (supports if whens else whens).append([f"signal.name = {_quoted(crash.signal.name)}"])
    if not whens:
        yield ""
        yield "# TODO nothing was read of this crash: ask for a line of its log"
        whens.append(['log.line = "*TODO*"'])
    for lines in whens:
        yield from ("", "[[when]]", *lines)
    for lines in supports:
        yield from ("", "[[supports]]", "weight = 0.3", *lines)


def _error(error: ErrorRecord) -> list[str]:
    lines = [f"error.api = {_quoted(error.api)}"]
    if error.name:
        lines.append(f"error.name = {_quoted(error.name)}")
    elif error.code is not None:
        lines.append(f"error.code = {error.code}")
    if error.code is None and error.message:
        # Many failures have the same kind of exception: what it says tells them apart.
        lines.append(f"error.message = {_quoted(_pattern(error.message))}")
    return lines


def _pattern(message: str) -> str:
    """Return a message as a pattern: its first line, any number in the place of a number."""
    first = message.strip().split("\n")[0].strip()[:MAX_MESSAGE]
    return re.sub(r"\*{2,}", "*", re.sub(r"(?:0x[0-9a-fA-F]+|\d+)", "*", f"*{first}*"))


def _blamed(crash: Crash) -> Iterator[Frame]:
    """Yield the blamed frame and those behind it that are not noise."""
    if crash.blamed_frame is None:
        return
    frames = crash.threads[crash.blamed_frame.thread].frames[crash.blamed_frame.frame :]
    named = [frame for frame in frames if frame.noise is None and frame.function]
    yield from named[:MAX_FRAMES]


def _name(frame: Frame) -> str:
    name = plain_name(frame.function or "")
    return name.replace("{anonymous}", "*") or (frame.function or "")


def _tail(log: str, log_name: str) -> Iterator[str]:
    yield ""
    yield "[remedy]"
    yield 'summary = "TODO what to do about it"'
    yield ""
    yield "[[remedy.step]]"
    yield 'title    = "TODO"'
    yield 'commands = ["TODO"]'
    yield ""
    yield "[[remedy.verify]]"
    yield 'title   = "TODO how to see that it worked"'
    yield 'command = "TODO"'
    yield ""
    yield "[[example]]"
    yield f"name   = {_quoted(log_name)}"
    yield 'expect = "match"'
    if not log:
        yield "log    = '''"
        yield "TODO the log of this crash"
        yield "'''"
    else:
        yield "# TODO look for secrets and names in it before you share it, and shorten it"
    if log and can_stand_in_toml(log):
        yield "log    = '''"
        yield f"{log.rstrip(chr(10))}\n'''"
    elif log:
        yield f"file   = {_quoted(f'examples/{log_name}')}   # TODO put the log there"
    yield ""
    yield "[[example]]"
    yield 'name   = "TODO a crash that looks alike and is another"'
    yield 'expect = "no-match"'
    yield "log    = '''"
    yield "TODO"
    yield "'''"


def _quoted(text: str) -> str:
    """Return a text as TOML writes it between double quotes."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
