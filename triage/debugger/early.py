"""Reads a core dump in a thread of its own while the rest of the program is imported.

gdb takes longer than everything else, on another processor; it is started before anything that
only its answers are needed for is imported.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from triage.closing import Closing
from triage.debugger.prepare import CoreRequest, Prepared, prepare
from triage.errors import TriageError
from triage.model.crash import Fragment

_anticipated: list[tuple[Path, CoreRequest, Prepared]] = []


@contextlib.contextmanager
def anticipate(arguments: Sequence[str]) -> Iterator[None]:
    """Prepare what the arguments of `core` seem to ask for, and end it if nobody takes it.

    Only the usual order of words is understood, and a mistake costs time alone.
    """
    words = dict(pairwise(arguments))
    binary = words.get("--binary", words.get("-b"))
    if binary is not None and not arguments[0].startswith("-"):
        path, request = Path(arguments[0]), CoreRequest(binaries=(Path(binary),))
        with contextlib.suppress(TriageError):
            _anticipated.append((path, request, prepare(path, request)))
    try:
        yield
    finally:
        while _anticipated:
            _anticipated.pop()[2].close()


def _prepare(path: Path, request: CoreRequest, command: str | None) -> Prepared:
    while _anticipated:
        *asked, prepared = _anticipated.pop()
        if asked == [path, request]:
            return prepared
        prepared.close()
    return prepare(path, request, command=command)


class EarlyRead(Closing):
    """One core dump that is being read; a context manager.

    Which variables the signatures ask about is told last, by `result`.
    """

    def __init__(self, path: Path, request: CoreRequest, *, command: str | None = None) -> None:
        """Start gdb; raises InputError where the files are not what they should be."""
        self.path = path
        self._prepared = _prepare(path, request, command)
        self._variables: frozenset[str] = frozenset()
        self._told = threading.Event()
        self._fragment: Fragment | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the reading, whatever it is doing."""
        self._told.set()
        self._prepared.close()

    def _run(self) -> None:
        try:
            from triage.debugger.coredump import read_prepared

            self._fragment = read_prepared(
                self._prepared, input_id=0, known_variables=self._wait_for_variables
            )
        except BaseException as error:
            self._error = error

    def _wait_for_variables(self) -> frozenset[str]:
        self._told.wait()
        return self._variables

    def result(self, variables: frozenset[str]) -> Fragment:
        """Return what was read, as input 0; raises what the reading raised."""
        self._variables = variables
        self._told.set()
        self._thread.join()
        if self._error is not None:
            raise self._error
        if self._fragment is None:
            raise RuntimeError("the reading ended without a result")
        return self._fragment
