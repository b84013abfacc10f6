"""Reads the files of signature packs from disk.

A pack is a folder with a `pack.toml`; a folder of packs has them, `families` and `engines` in it.
A path may also be one signature's file.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from triage.errors import PackError
from triage.resources import data_dir
from triage.signatures.pack import Role, Source, Tables, build_pack, collect, read_tables
from triage.signatures.rule import Example, Pack

_FOLDERS = {"families": Role.FAMILY, "engines": Role.ENGINE}
MAX_EXAMPLE = 4 << 20


def read_sources(extra: Sequence[Path], *, shipped: bool = True) -> list[Source]:
    """Return every file of the shipped packs and of further ones, each file once.

    Raises PackError for a path that is no pack, and for a file that cannot be read.
    """
    ours = data_dir("signatures") if shipped else None
    roots = [ours, *extra] if ours else list(extra)
    found: dict[str, Source] = {}
    real: dict[str, str] = {}
    problems: list[str] = []
    for root in roots:
        try:
            for source in _sources_at(root):
                folder, _, name = source.path.rpartition("/")
                if folder not in real:
                    real[folder] = os.path.realpath(folder or ".")
                found.setdefault(
                    f"{real[folder]}/{name}",
                    source if root is ours else replace(source, own=True),
                )
        except (OSError, UnicodeDecodeError) as error:
            problems.append(f"{root}: {_why(error)}")
        except PackError as error:
            problems += error.problems
    if problems:
        raise PackError(problems, hint="a pack is a folder with a pack.toml and signatures in it")
    return list(found.values())


def load_packs(extra: Sequence[Path], *, shipped: bool = True) -> Pack:
    """Return the signatures of packs with their examples; raises PackError for all problems."""
    return build_pack(read_tables(read_sources(extra, shipped=shipped)))


def collect_packs(extra: Sequence[Path], *, shipped: bool = True) -> tuple[Tables, list[str]]:
    """Return what is right in packs, and every problem of what is not."""
    return collect(read_sources(extra, shipped=shipped))


def example_text(example: Example, signature_path: str) -> str:
    """Return the text of an example; raises PackError where its file cannot be read."""
    if example.log is not None:
        return example.log
    path = Path(signature_path).parent / str(example.file)
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_EXAMPLE)
    except OSError as error:
        problem = f"{signature_path}: example {example.name!r}: {path}: {_why(error)}"
        raise PackError([problem]) from error
    return data.decode("utf-8", "replace")


def _why(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "not UTF-8 text; save it as UTF-8"
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


def _sources_at(root: Path) -> Iterator[Source]:
    if root.is_file():
        yield from _one_file(root)
        return
    entries = {entry.name: entry for entry in os.scandir(root)}
    if "pack.toml" in entries:
        yield from _pack_folder(str(root), Path(root).resolve().name)
        return
    packs = 0
    for name in sorted(entries):
        if not entries[name].is_dir():
            continue
        if name in _FOLDERS:
            yield from _files(entries[name].path, _FOLDERS[name], "")
            packs += 1
        elif (Path(entries[name].path) / "pack.toml").is_file():
            yield from _pack_folder(entries[name].path, name)
            packs += 1
    if not packs:
        raise PackError([f"{root}: no pack.toml in it or in a folder in it; write one"])


def _pack_folder(folder: str, name: str) -> Iterator[Source]:
    yield _source(f"{folder}/pack.toml", Role.PACK, name)
    for source in _files(folder, Role.SIGNATURE, name):
        if source.stem != "pack":
            yield source


def _files(folder: str, role: Role, pack: str) -> Iterator[Source]:
    for name in sorted(_toml_names(folder)):
        yield _source(f"{folder}/{name}", role, pack)


def _toml_names(folder: str) -> Iterable[str]:
    with os.scandir(folder) as entries:
        return [e.name for e in entries if e.name.endswith(".toml") and not e.name.startswith(".")]


def _one_file(path: Path) -> Iterator[Source]:
    folder = path.resolve().parent
    role = _FOLDERS.get(folder.name, Role.SIGNATURE)
    pack = ""
    if role is Role.SIGNATURE and (folder / "pack.toml").is_file():
        pack = folder.name
        yield _source(f"{path.parent}/pack.toml", Role.PACK, pack)
    yield _source(f"{path.parent}/{path.name}", role, pack)


def _source(path: str, role: Role, pack: str) -> Source:
    with open(path, "rb") as stream:  # noqa: PTH123 - a hundred files are opened at every start
        data = stream.read()
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise PackError([f"{path}: {_why(error)}"]) from error
    stem = path.rpartition("/")[2].removesuffix(".toml")
    return Source(path=path, role=role, stem=stem, text=text, pack=pack)
