"""Loads the templates that ship with clawtriage; text of a crash is never compiled."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from triage.parse.cache import cache_folder

if TYPE_CHECKING:
    from jinja2 import Environment, Template


class Markup(str):
    """Text that is already safe for the page it is made for."""

    __slots__ = ()


def load_template(name: str, finalize: Callable[[object], str]) -> Template:
    """Return a template in which every value passes through `finalize`."""
    return _environment(finalize).get_template(name)


@cache
def _environment(finalize: Callable[[object], str]) -> Environment:
    from jinja2 import (  # slow to load
        Environment,
        FileSystemBytecodeCache,
        PackageLoader,
        StrictUndefined,
    )

    folder = cache_folder()
    cache = FileSystemBytecodeCache(str(folder), "template-%s.cache") if folder else None
    return Environment(
        loader=PackageLoader("triage.render"),
        bytecode_cache=cache,
        autoescape=False,  # noqa: S701 - the pages are not HTML; finalize does what they need
        undefined=StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
