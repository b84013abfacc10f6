"""What changed between two versions of a pack, field by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Tables = Mapping[str, Mapping[str, Any]]
_LONGEST = 60
_MISSING = object()
_PROOFS = "example"


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """One signature that both versions have, with the fields that differ in words."""

    id: str
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What a newer version of a pack adds, removes and changes, each in order of id."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[Changed, ...] = ()


def compare(old: Tables, new: Tables) -> Difference:
    """Return what differs between the signatures of two packs, by id."""
    changed = (
        Changed(id=name, fields=tuple(_fields("", old[name], new[name])))
        for name in sorted(old.keys() & new.keys())
        if old[name] != new[name]
    )
    return Difference(
        added=tuple(sorted(new.keys() - old.keys())),
        removed=tuple(sorted(old.keys() - new.keys())),
        changed=tuple(changed),
    )


def _fields(key: str, old: Any, new: Any) -> Iterator[str]:
    """Yield each field that differs, as `base: 0.7 -> 0.8`."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in dict.fromkeys((*old, *new)):
            where = f"{key}.{name}" if key else name
            yield from _fields(where, old.get(name, _MISSING), new.get(name, _MISSING))
    elif _are_lists(old, new) and key.partition(".")[0] == _PROOFS:
        yield from _examples(old, new)
    elif _are_lists(old, new) and _of_tables(old) and _of_tables(new):
        for n in range(max(len(old), len(new))):
            pair = (items[n] if n < len(items) else _MISSING for items in (old, new))
            yield from _fields(f"{key}[{n + 1}]", *pair)
    elif old != new:
        yield f"{key}: {_short(old)} -> {_short(new)}"


def _examples(old: list[Any], new: list[Any]) -> Iterator[str]:
    """Yield which examples came and went, by name: their texts are long."""
    before, after = ({str(e.get("name")): e for e in items} for items in (old, new))
    for name in dict.fromkeys((*before, *after)):
        if name not in before:
            yield f"example {name!r}: added"
        elif name not in after:
            yield f"example {name!r}: removed"
        elif before[name] != after[name]:
            yield f"example {name!r}: changed"


def _are_lists(old: Any, new: Any) -> bool:
    return isinstance(old, list) and isinstance(new, list)


def _of_tables(items: list[Any]) -> bool:
    return all(isinstance(item, Mapping) for item in items)


def _short(value: Any) -> str:
    if value is _MISSING:
        return "none"
    text = " ".join(repr(value).split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
