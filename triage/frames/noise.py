"""Marks the frames that are plumbing, by the noise lists that are passed in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from triage.frames.names import file_name, full_forms
from triage.frames.paths import tail
from triage.knowledge import NoiseList
from triage.model.stack import HISTORY, Thread
from triage.text.glob import glob_match

_KEY = 2  # how many characters globs are sorted by
_REMEMBERED = 50_000
_NOWHERE = 1_000_000


def mark_noise(thread: Thread, lists: Sequence[NoiseList]) -> Thread:
    """Return the thread with every plumbing frame named after the list that it is on.

    A thread whose frames are marked as they should be comes back as it is.
    """
    if not thread.frames:
        return thread
    noise = _matcher(tuple(lists))
    frames = list(thread.frames)
    changed = False
    for n, frame in enumerate(frames):
        if frame.noise == HISTORY:
            continue
        found = noise.list_of(frame.function, frame.module, frame.file)
        if found != frame.noise:
            frames[n] = replace(frame, noise=found)
            changed = True
    return replace(thread, frames=tuple(frames)) if changed else thread


@lru_cache(maxsize=8)
def _matcher(lists: tuple[NoiseList, ...]) -> _Matcher:
    return _Matcher(lists)


class _Matcher:
    """The globs of all lists, looked up together; a list that stands first wins."""

    def __init__(self, lists: tuple[NoiseList, ...]) -> None:
        self._names = [entry.name for entry in lists]
        self._functions = _Globs([entry.functions for entry in lists])
        self._modules = _Globs([entry.modules for entry in lists])
        self._files = _Globs([entry.files for entry in lists])
        self._known: dict[tuple[str | None, str | None, str | None], str | None] = {}

    def list_of(self, function: str | None, module: str | None, file: str | None) -> str | None:
        key = (function, module, file)
        try:
            return self._known[key]
        except KeyError:
            pass
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        found = self._known[key] = self._find(function, module, file)
        return found

    def _find(self, function: str | None, module: str | None, file: str | None) -> str | None:
        rank = _NOWHERE
        if function:
            # Not by the last part of the name: `llm::file::read` is no system call.
            for form in full_forms(function):
                rank = self._functions.rank(form, rank)
        if module:
            rank = min(rank, self._modules.path_rank(module))
        if file:
            rank = min(rank, self._files.path_rank(file))
        return self._names[rank] if rank < _NOWHERE else None


class _Globs:
    """Globs by the characters that they begin with: most texts are compared with a few of them."""

    def __init__(self, lists: Sequence[Sequence[str]]) -> None:
        self._whole: dict[str, int] = {}
        self._begins: dict[str, list[tuple[str, int]]] = {}
        self._heads: dict[str, tuple[str, ...]] = {}
        self._others: list[tuple[str, int]] = []
        self._ends: tuple[str, ...] = ()
        self._paths: dict[str, int] = {}
        self.empty = True
        self.folders = False
        for rank, globs in enumerate(lists):
            for glob in globs:
                self.empty = False
                self.folders = self.folders or "/" in glob
                self._add(glob.casefold(), rank)

    def _add(self, glob: str, rank: int) -> None:
        head, star, rest = glob.partition("*")
        if not star:
            self._whole.setdefault(glob, rank)
        elif len(head) >= _KEY:
            key = head[:_KEY]
            self._begins.setdefault(key, []).append((glob if rest else head, rank))
            self._heads[key] = (*self._heads.get(key, ()), head)
        else:
            self._others.append((glob, rank))
            self._ends = (*self._ends, glob.rpartition("*")[2])

    def rank(self, text: str, limit: int) -> int:
        """Return the place of the first list that a text is on, or `limit` if none is before it."""
        text = text.casefold()
        limit = min(limit, self._whole.get(text, limit))
        key = text[:_KEY]
        heads = self._heads.get(key)
        for glob, rank in self._begins[key] if heads and text.startswith(heads) else ():
            if rank < limit and (glob_match(glob, text) if "*" in glob else text.startswith(glob)):
                limit = rank
        for glob, rank in self._others if text.endswith(self._ends) else ():
            if rank < limit and glob_match(glob, text):
                limit = rank
        return limit

    def path_rank(self, path: str) -> int:
        """Return the place of the first list that a path is on, by its last part or its tail."""
        if self.empty:
            return _NOWHERE
        if path not in self._paths:
            if len(self._paths) >= _REMEMBERED:
                self._paths.clear()
            rank = self.rank(file_name(path), _NOWHERE)
            if self.folders:
                rank = self.rank(tail(path), self.rank(path, rank))
            self._paths[path] = rank
        return self._paths[path]
