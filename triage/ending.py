"""Removes what must not be left behind when a signal ends the program.

The signal's handler does it itself. An exception in place of that could come anywhere: in the
middle of an import it is lost, or leaves a lock behind that another thread waits for.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Final

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _State:
    """What is to be done at the end, and whether a signal waits for it."""

    def __init__(self) -> None:
        self.last_steps: list[Callable[[], None]] = []
        self.held = 0
        self.asked: int | None = None


_STATE: Final = _State()


def handle_signals() -> None:
    """Let signals end this program; one that is ignored, as with nohup, stays ignored."""
    for number in _SIGNALS:
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _end)


def at_end(step: Callable[[], None]) -> None:
    """Have something done before a signal ends the program.

    It is called between any two steps of the main thread, so it must not wait for a lock.
    """
    _STATE.last_steps.append(step)


def not_at_end(step: Callable[[], None]) -> None:
    """Take back what `at_end` was told."""
    _STATE.last_steps.remove(step)


@contextlib.contextmanager
def unbroken() -> Iterator[None]:
    """Let a signal that comes meanwhile end the program at the end of the context.

    For steps of the main thread that belong together, such as making a folder and telling `at_end`
    of it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _STATE.held += 1
    try:
        yield
    finally:
        _STATE.held -= 1
        if not _STATE.held and _STATE.asked is not None:
            _end(_STATE.asked, None)


def _end(number: int, _: object) -> None:
    """Do the last steps and die of the signal, so that a shell sees what ended the program."""
    if _STATE.held:
        _STATE.asked = number
        return
    for other in _SIGNALS:
        signal.signal(other, signal.SIG_IGN)
    for step in reversed(_STATE.last_steps):
        with contextlib.suppress(Exception):
            step()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
