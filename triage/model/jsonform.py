"""The model as JSON, and JSON Schema of the report, both from the types alone."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from enum import Enum
from typing import Any

from triage.model.report import SCHEMA, Report

_REQUIRED = ("schema", "verdict", "inputs")


def to_json(value: object) -> Any:
    """Return a value of the model as what `json.dumps` takes."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(k): to_json(v) for k, v in value.items()}
    if isinstance(value, tuple | list | frozenset):
        return [to_json(v) for v in value]
    return value


def from_json(kind: Any, data: Any) -> Any:
    """Build a value of a model type from its JSON form; fields it does not know are ignored.

    Raises KeyError, TypeError or ValueError where the data do not have the type's form.
    """
    origin = typing.get_origin(kind)
    if data is None:
        return None
    if origin in (types.UnionType, typing.Union):
        return from_json(next(a for a in typing.get_args(kind) if a is not type(None)), data)
    if origin is tuple:
        return tuple(from_json(typing.get_args(kind)[0], item) for item in data)
    if origin is not None and issubclass(origin, Mapping):
        return {k: from_json(typing.get_args(kind)[1], v) for k, v in data.items()}
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        hints = typing.get_type_hints(kind)
        known = _fields(kind)
        return kind(**{k: from_json(hints[k], v) for k, v in data.items() if k in known})
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(data)
    return data


def report_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a report."""
    defs: dict[str, Any] = {}
    _define(Report, defs)
    root = defs.pop("Report")
    root["properties"]["schema"] = {"const": SCHEMA}
    root["required"] = list(_REQUIRED)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA,
        "title": "clawtriage report",
        **root,
        "$defs": dict(sorted(defs.items())),
    }


def _define(kind: type, defs: dict[str, Any]) -> dict[str, Any]:
    name = kind.__name__
    if name not in defs:
        entry: dict[str, Any] = {"type": "object"}
        defs[name] = entry
        entry["description"] = (kind.__doc__ or "").split("\n", maxsplit=1)[0]
        if issubclass(kind, Enum):
            entry["type"] = "string"
            entry["enum"] = [member.value for member in kind]
        else:
            hints = typing.get_type_hints(kind)
            entry["properties"] = {name: _property(hints[name], defs) for name in _fields(kind)}
    return {"$ref": f"#/$defs/{name}"}


def _fields(kind: Any) -> tuple[str, ...]:
    return tuple(f.name for f in dataclasses.fields(kind))


_SCALARS: dict[Any, str] = {str: "string", int: "integer", float: "number", bool: "boolean"}


def _property(kind: Any, defs: dict[str, Any]) -> dict[str, Any]:
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        options = [_property(a, defs) for a in args if a is not type(None)]
        return {"anyOf": [*options, {"type": "null"}]}
    if origin is tuple:
        return {"type": "array", "items": _property(args[0], defs)}
    if origin is not None and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": _property(args[1], defs)}
    if kind in _SCALARS:
        return {"type": _SCALARS[kind]}
    return _define(kind, defs)
