"""Regular expressions that are compiled when they are first used.

A format has many, and most texts have lines of few formats: compiled at import, they would take
longer than reading a small log does.
"""

from __future__ import annotations

import re
from typing import Any, cast


class _Late:
    """Stands in for a compiled pattern, and becomes it at the first look at one of its methods."""

    def __init__(self, pattern: str, flags: int) -> None:
        self.pattern = pattern
        self.flags = flags

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        compiled = self.__dict__.get("compiled")
        if compiled is None:
            compiled = self.__dict__["compiled"] = re.compile(self.pattern, self.flags)
        found = self.__dict__[name] = getattr(compiled, name)
        return found


def late(pattern: str, flags: int = 0) -> re.Pattern[str]:
    """Return a pattern that is compiled at its first use; raises re.error then, not now."""
    return cast("re.Pattern[str]", _Late(pattern, flags))
