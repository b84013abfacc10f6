"""The config files, and the options that they give a value to.

A file adds packs and names a database; what weakens a run, such as leaving the sandbox out, is
said on the command line alone. A project's file is data that came with the project: it is used
only where the user's own file trusts the folder.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import click

from triage.cli.paths import NamedPath
from triage.errors import UsageError
from triage.text.safe import safe_line

F = TypeVar("F", bound=Callable[..., Any])
VARIABLE = "CLAWTRIAGE_CONFIG"
PROJECT = "clawtriage.toml"
KEYS = ("packs", "db", "trust")
_PATH = NamedPath(path_type=Path)
_MAX_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What config files say: further packs, a database, folders whose own file is used."""

    packs: tuple[Path, ...] = ()
    db: Path | None = None
    trust: tuple[Path, ...] = ()


def pack_option(command: F) -> F:
    """Add `--pack`, whose folders stand beside those of the config files."""
    return click.option(
        "--pack", "packs", multiple=True, type=_PATH, metavar="DIR", callback=_all_packs,
        help="Use the signatures in this folder too (repeatable).",
    )(command)  # fmt: skip


def db_option(text: str) -> Callable[[F], F]:
    """Return what adds `--db`, which a config file can give a value to."""
    return click.option(
        "--db", type=_PATH, metavar="FILE", callback=_named_db, help=text,
    )  # fmt: skip


def _all_packs(_: click.Context, __: click.Parameter, value: tuple[Path, ...]) -> tuple[Path, ...]:
    return (*load_config().packs, *value)


def _named_db(_: click.Context, __: click.Parameter, value: Path | None) -> Path | None:
    return value or load_config().db


@cache
def load_config() -> Config:
    """Return what the config files say; the project's file comes before the user's.

    Raises UsageError for a file that is wrong, naming the file, the key and the way out.
    """
    named = os.environ.get(VARIABLE)
    if named is not None:
        return _read(Path(named)) if named else Config()
    path = user_path()
    user = _read(path) if path.is_file() else Config()
    project = _project(user, path)
    if project is None:
        return user
    return Config(packs=(*project.packs, *user.packs), db=project.db or user.db)


def user_path() -> Path:
    """Return where the user's config file is looked for."""
    from platformdirs import user_config_path  # only where nothing is set

    return Path(user_config_path("clawtriage")) / "config.toml"


def _project(user: Config, user_file: Path) -> Config | None:
    """Return what the nearest project's file says, where the user trusts its folder."""
    found = next((f for f in _upwards(Path.cwd()) if (f / PROJECT).is_file()), None)
    if found is None:
        return None
    if not any(found == folder or folder in found.parents for folder in user.trust):
        click.echo(
            safe_line(
                f"clawtriage: {found / PROJECT} is not used; to use it, write trust = "
                f'["{found}"] into {user_file}'
            ),
            err=True,
        )
        return None
    config = _read(found / PROJECT)
    if config.trust:
        raise UsageError(
            f"{found / PROJECT}: trust: a project cannot trust folders", hint="remove the key"
        )
    return config


def _upwards(folder: Path) -> Iterator[Path]:
    """Yield a folder and those above it, up to the root of its repository."""
    resolved = folder.resolve()
    for each in (resolved, *resolved.parents):
        yield each
        if (each / ".git").exists():
            return


def _read(path: Path) -> Config:
    import tomllib  # most runs have no config

    try:
        with path.open("rb") as stream:
            table = tomllib.loads(stream.read(_MAX_BYTES).decode("utf-8"))
    except OSError as error:
        raise UsageError(
            f"{path}: {error.strerror}", hint=f"write it, or unset {VARIABLE}"
        ) from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: not TOML: {error}", hint=_example()) from error
    for key in table:
        if key not in KEYS:
            raise UsageError(f"{path}: {key}: not a key of a config file", hint=_hint(key))
    base = path.resolve().parent
    packs = _folders(path, base, "packs", table)
    for folder in packs:
        if not folder.exists():
            raise UsageError(f"{path}: packs: {folder} does not exist", hint="correct the path")
    return Config(
        packs=packs, db=_file(path, base, table), trust=_folders(path, base, "trust", table)
    )


def _folders(path: Path, base: Path, key: str, table: dict[str, Any]) -> tuple[Path, ...]:
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise UsageError(f"{path}: {key}: a list of folders is wanted", hint=_example())
    return tuple(_place(base, item) for item in value)


def _file(path: Path, base: Path, table: dict[str, Any]) -> Path | None:
    value = table.get("db")
    if value is not None and (not isinstance(value, str) or not value):
        raise UsageError(f"{path}: db: the path of a file is wanted", hint='db = "clawtriage.db"')
    return _place(base, value) if value else None


def _place(base: Path, text: str) -> Path:
    """Return a path of a config file, which is relative to the folder that the file lies in."""
    return (base / Path(text).expanduser()).resolve()


def _hint(key: str) -> str:
    if "unsafe" in key or "redact" in key or "sandbox" in key:
        return "what makes a run less safe is said on the command line, each time"
    return f"the keys are {', '.join(KEYS)}"


def _example() -> str:
    return 'such as: packs = ["~/packs/acme"]'
