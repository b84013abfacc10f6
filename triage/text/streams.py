"""Takes interleaved writers apart by what stands in front of their lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from triage.text.line import Line

Stream = tuple[str | int | None, ...]


def separate(lines: Sequence[Line]) -> Sequence[Line]:
    """Return the lines of each writer together, in the order in which the writers first spoke.

    Lines keep their numbers. A text of one writer, or of writers that do not interrupt each other,
    is returned as it is. A line without a prefix below one of a collector, which marks every line,
    is the rest of that line; below a program's own prefix it is another writer's.
    """
    keys = _writers(lines)
    if not _interleaved(keys):
        return lines
    streams: dict[Stream, list[Line]] = {}
    breaks: dict[Stream, int] = {}
    gaps = 0
    for line, key in zip(lines, keys, strict=True):
        gaps += line.cut_off
        mine = streams.setdefault(key, [])
        cut_off = not mine or breaks[key] != gaps
        mine.append(line if line.cut_off == cut_off else replace(line, cut_off=cut_off))
        breaks[key] = gaps
    return [line for stream in streams.values() for line in stream]


def _writers(lines: Iterable[Line]) -> list[Stream]:
    keys: list[Stream] = []
    collected: Stream | None = None
    for line in lines:
        prefix = line.prefix
        if any(part is not None for part in prefix.stream):
            key = prefix.stream
            collected = key if prefix.collected else None
        else:
            key = collected if collected is not None else prefix.stream
        keys.append(key)
    return keys


def _interleaved(keys: Sequence[Stream]) -> bool:
    """Tell whether any writer goes on after another one spoke."""
    done: set[Stream] = set()
    last: Stream | None = None
    for key in keys:
        if key == last:
            continue
        if key in done:
            return True
        done.add(key)
        last = key
    return False
