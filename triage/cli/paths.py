"""Paths on the command line."""

from __future__ import annotations

from typing import Any

import click


class NamedPath(click.Path):
    """A path that is not empty: as a path an empty name would be the current folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path; an empty name is wrong usage."""
        if value == "":
            self.fail("the name is empty (is a variable of the shell not set?)", param, ctx)
        return super().convert(value, param, ctx)
