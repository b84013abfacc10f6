"""The report as indented JSON."""

from __future__ import annotations

import json
import re

from triage.model.jsonform import to_json
from triage.model.report import Report
from triage.render._base import Renderer, RenderOptions

_TO_ESCAPE = re.compile(
    "[\x7f-\x9f\u061c\u200b-\u200f\u202a-\u202e\u2028\u2029\u2060-\u2069\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def dump(value: object, *, indent: int | None) -> str:
    """Return a value of the model as JSON that every strict reader and every terminal can take.

    A lone surrogate, which no encoding can hold, becomes the six characters of its escape. Raises
    ValueError for a number that JSON does not have.
    """
    text = json.dumps(to_json(value), allow_nan=False, ensure_ascii=False, indent=indent)
    text = _LONE_SURROGATE.sub(lambda m: f"\\\\u{ord(m[0]):04x}", text)
    return _TO_ESCAPE.sub(lambda m: json.dumps(m[0])[1:-1], text)


def _render(report: Report, _options: RenderOptions) -> str:
    return dump(report, indent=2) + "\n"


RENDERER = Renderer(
    name="json",
    title="JSON, indented",
    suffix=".json",
    media_type="application/json",
    render=_render,
)
