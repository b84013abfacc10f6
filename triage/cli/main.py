"""The command `clawtriage`: one place where errors become exit codes.

Nothing but click is imported before a command runs, and click only when there is one to run.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run clawtriage and leave with its exit status."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        from triage import __version__  # noqa: PLC0415

        sys.stdout.write(f"clawtriage {__version__}\n")
        return
    from triage.cli.app import run  # noqa: PLC0415 - the fast path above needs none of it

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
