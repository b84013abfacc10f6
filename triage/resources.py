"""Where the grammars and signature packs that ship with clawtriage lie."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Literal

from triage.errors import PackError

Kind = Literal["grammars", "signatures"]


def data_dir(kind: Kind) -> Path:
    """Return the folder of the shipped files of one kind.

    A wheel carries them in `triage/_data`; a checkout and an editable install have them beside the
    package. Raises PackError, naming both places, where neither exists.
    """
    packaged = Path(str(files("triage"))) / "_data" / kind
    beside = Path(__file__).resolve().parent.parent / kind
    # The checkout comes first where it is one: an editable install can leave a stale copy behind.
    for folder in (beside, packaged):
        if folder.is_dir() and (folder is packaged or (folder.parent / "pyproject.toml").is_file()):
            return folder
    raise PackError(
        [f"the {kind} that ship with clawtriage are in neither {beside} nor {packaged}"],
        hint="install clawtriage again: pip install --force-reinstall clawtriage",
    )
