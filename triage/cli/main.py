"""The command `clawtriage`: one place where errors become exit codes.

Nothing but click is imported before a command runs, and click only when there is one to run.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys

from triage.ending import handle_signals


def main() -> None:
    """Run clawtriage and leave with its exit status."""
    handle_signals()
    _fill_closed()
    if sys.argv[1:] in (["--version"], ["-V"]):
        from triage import __version__

        with contextlib.suppress(OSError):  # it is said below what is wrong
            sys.stdout.write(f"clawtriage {__version__}\n")
            sys.stdout.flush()
            return
    # A run makes many objects and drops few: looking for cycles every 700 of them is lost time.
    gc.set_threshold(50_000, 20, 100)
    try:
        with _early_start(sys.argv[1:]):
            from triage.cli.app import run  # the fast path above needs none of it

            status = run(sys.argv[1:])
    finally:
        if "triage.debugger.launch" in sys.modules:
            sys.modules["triage.debugger.launch"].end_all()
    sys.exit(status)


def _fill_closed() -> None:
    """Open what was closed of the three standard streams, so that no other file takes its place.

    What is written to an output that was closed fails, as it would without this.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # The number that is taken is the lowest that is free: this one.
            os.open(os.devnull, os.O_RDONLY if number == 1 else os.O_RDWR)
            os.set_inheritable(number, True)
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - to the end
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - to the end


def _early_start(arguments: list[str]) -> contextlib.AbstractContextManager[None]:
    """Start gdb before anything else is imported where its files are plain to see."""
    if arguments[:1] != ["core"] or {"-h", "--help"} & set(arguments):
        return contextlib.nullcontext()
    from triage.debugger.early import anticipate

    return anticipate(arguments[1:])


if __name__ == "__main__":
    main()
