"""Marks the frames that are plumbing, by the noise lists that are passed in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from triage.frames.names import base_name, file_name, plain_name
from triage.knowledge import NoiseList
from triage.model.stack import Frame, Thread
from triage.text.glob import glob_match


def mark_noise(thread: Thread, lists: Sequence[NoiseList]) -> Thread:
    """Return the thread with every plumbing frame named after the list that it is on."""
    return replace(
        thread,
        frames=tuple(
            replace(frame, noise=noise) if noise != frame.noise else frame
            for frame in thread.frames
            for noise in (noise_of(frame, tuple(lists)),)
        ),
    )


def noise_of(frame: Frame, lists: tuple[NoiseList, ...]) -> str | None:
    """Return the first list that a frame is on, by function, module or file."""
    return _noise(frame.function, frame.module, frame.file, lists)


@lru_cache(maxsize=8192)
def _noise(
    function: str | None, module: str | None, file: str | None, lists: tuple[NoiseList, ...]
) -> str | None:
    names = {function, plain_name(function), base_name(function)} if function else set()
    for entry in lists:
        if (
            any(glob_match(glob, name) for glob in entry.functions for name in names)
            or (module and any(_path_match(glob, module) for glob in entry.modules))
            or (file and any(_path_match(glob, file) for glob in entry.files))
        ):
            return entry.name
    return None


def _path_match(glob: str, path: str) -> bool:
    return glob_match(glob, path if "/" in glob else file_name(path))
