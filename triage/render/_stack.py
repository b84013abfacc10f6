"""Chooses the stack, and the part of it, that a page shows."""

from __future__ import annotations

from triage.model.report import Report
from triage.model.stack import Frame
from triage.render._view import FrameView, StackView
from triage.render._words import frame_place, function_name, thread_title

_ABOVE = 2


def shown_stack(report: Report, room: int) -> StackView | None:
    """Return the part of the failed thread's stack around the blamed frame; None without one."""
    index = _thread(report)
    if index is None:
        return None
    thread = report.threads[index]
    pointer = report.blamed_frame
    blamed = pointer.frame if pointer and pointer.thread == index else None
    first = _first(len(thread.frames), blamed or 0, room)
    shown = thread.frames[first : first + room]
    return StackView(
        title=thread_title(thread),
        frames=tuple(_frame(f, blamed == n) for n, f in enumerate(shown, first)),
        before=first,
        after=len(thread.frames) - first - len(shown) + thread.frames_omitted,
    )


def _thread(report: Report) -> int | None:
    """Return the thread to show: the blamed frame's, the crashed one, the first with a stack."""
    blamed = report.blamed_frame.thread if report.blamed_frame else None
    with_frames = [n for n, thread in enumerate(report.threads) if thread.frames]
    for index in (blamed, report.crashed_thread):
        if index in with_frames:
            return index
    return next(iter(with_frames), None)


def _first(count: int, blamed: int, room: int) -> int:
    """Return where a window that holds the blamed frame starts, as close to the top as it can."""
    if count <= room or blamed < room:
        return 0
    return max(0, min(blamed - min(_ABOVE, room - 1), count - room))


def _frame(frame: Frame, blamed: bool) -> FrameView:
    return FrameView(
        number=frame.index,
        function=f"{function_name(frame)}{frame.launch or ''}",
        args=frame.args or "",
        short_place=frame_place(frame, short=True),
        place=frame_place(frame, short=False),
        blamed=blamed,
        noise=frame.noise is not None,
    )
