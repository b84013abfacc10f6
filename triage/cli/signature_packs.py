"""`clawtriage signature export`, `diff` and `pages`: what is done with whole packs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from triage.errors import PackError, UsageError
from triage.text.safe import safe_line

if TYPE_CHECKING:
    from triage.pipeline import Analyzer
    from triage.signatures.pack import Tables
    from triage.signatures.rule import Example, Pack, Signature

_PATH = click.Path(path_type=Path)
_PLAIN = ("README.md", "LICENSE", "LICENSE.md", "CHANGELOG.md")


@click.command(
    "export", epilog="\b\nExample:\n  clawtriage signature export acme/ -o acme-1.2.0.tar.gz"
)
@click.argument("pack", type=_PATH, metavar="PACK")
@click.option(
    "-o", "--output", type=_PATH, metavar="FILE",
    help="Write to this new file (default: NAME-VERSION.tar.gz).",
)  # fmt: skip
def export_command(pack: Path, output: Path | None) -> None:
    """Pack the folder PACK, which is checked first, into one file to hand on.

    The same pack gives the same file, byte for byte. Its pack.toml has to state a version.
    """
    from triage.store.exported import pack_up, write_new
    from triage.store.packs import load_packs

    if not (pack / "pack.toml").is_file():
        raise UsageError(f"{pack} has no pack.toml", hint="give the folder that has one")
    loaded = load_packs((pack,), shipped=False)
    ((name, about),) = loaded.packs.items()
    version = about.get("version")
    if not version:
        raise PackError([f'{pack}/pack.toml: version: missing; add it: version = "1.0.0"'])
    target = output or Path(f"{name}-{version}.tar.gz")
    write_new(target, pack_up(f"{name}-{version}", _files_of(pack, loaded)))
    count = len(loaded.signatures)
    click.echo(f"wrote {safe_line(str(target))}: {count} signature{'s' * (count != 1)}")


def _files_of(folder: Path, pack: Pack) -> dict[str, bytes]:
    """Return the files that belong to a pack: what is read of it, and what says whose it is."""
    names = {path.name for path in folder.glob("*.toml") if not path.name.startswith(".")}
    names |= {name for name in _PLAIN if (folder / name).is_file()}
    names |= {example.file for s in pack.signatures for example in s.examples if example.file}
    try:
        return {name: (folder / name).read_bytes() for name in names}
    except OSError as error:
        raise PackError([f"{error.filename}: {error.strerror}"]) from error


@click.command("diff", epilog="\b\nExample:\n  clawtriage signature diff acme-1.1.0.tar.gz acme/")
@click.argument("old", type=_PATH, metavar="OLD")
@click.argument("new", type=_PATH, metavar="NEW")
def diff_command(old: Path, new: Path) -> None:
    """Show what the pack NEW adds, removes and changes against OLD.

    Each is a folder or a file of `signature export`. The examples of both are tried with both, so
    that a change which another crash feels is seen too.
    """
    from triage.signatures.difference import compare
    from triage.store.exported import opened

    with opened(old) as before, opened(new) as after:
        sides = _Side(before), _Side(after)
        click.echo(safe_line(" -> ".join(side.title for side in sides)))
        difference = compare(*(side.tables.signatures for side in sides))
        for sign, names, side in (("-", difference.removed, 0), ("+", difference.added, 1)):
            for name in names:
                click.echo(safe_line(f"{sign} {name}: {sides[side].signatures[name].title}"))
        for changed in difference.changed:
            click.echo(safe_line(f"~ {changed.id}"))
            for field in changed.fields:
                click.echo(safe_line(f"    {field}"))
        verdicts = list(_verdicts(*sides))
        for line in verdicts:
            click.echo(safe_line(line))
        click.echo(
            f"{len(difference.added)} added, {len(difference.removed)} removed, "
            f"{len(difference.changed)} changed, {len(verdicts)} examples come out otherwise"
        )


class _Side:
    """One version of a pack, with what reads its examples."""

    def __init__(self, folder: Path) -> None:
        from triage.pipeline import Analyzer, Options
        from triage.signatures.pack import build_pack, read_tables
        from triage.store.packs import read_sources

        self.tables: Tables = read_tables(read_sources((folder,), shipped=False))
        self.pack: Pack = build_pack(self.tables)
        self.signatures: dict[str, Signature] = {s.id: s for s in self.pack.signatures}
        self.analyzer: Analyzer = Analyzer(Options(packs=(folder,)))
        names = [
            f"{name} {about.get('version') or '(no version)'}"
            for name, about in self.pack.packs.items()
        ]
        self.title = ", ".join(names) or folder.name

    def texts(self) -> Iterator[tuple[str, Example, str]]:
        """Yield each example with the id of its signature and its text."""
        from triage.store.packs import example_text

        for signature in self.pack.signatures:
            for example in signature.examples:
                where = self.pack.where[f"signature {signature.id}"]
                yield signature.id, example, example_text(example, where)

    def outcomes(self, text: str) -> dict[str, str]:
        """Return what each signature that matches a text says of it."""
        from triage.signatures.facts import Facts
        from triage.signatures.match import match_signature

        facts = Facts(self.analyzer.read_text(text), self.analyzer.store.engines())
        matches = (match_signature(s, facts) for s in self.pack.signatures)
        return {m.signature.id: f"{m.level.value} {m.confidence:.2f}" for m in matches if m}


def _verdicts(old: _Side, new: _Side) -> Iterator[str]:
    """Yield where an example of either side comes out otherwise with a signature of both."""
    seen: set[str] = set()
    both = old.signatures.keys() & new.signatures.keys()
    for side in (new, old):
        for owner, example, text in side.texts():
            if text in seen:
                continue
            seen.add(text)
            before, after = old.outcomes(text), new.outcomes(text)
            for name in sorted(both):
                was, now = before.get(name, "no match"), after.get(name, "no match")
                if was != now:
                    yield f"! {name} on example {example.name!r} of {owner}: {was} -> {now}"


@click.command(
    "pages", epilog="\b\nExample:\n  clawtriage signature pages acme/ -o docs/signatures"
)
@click.argument("paths", nargs=-1, type=_PATH, metavar="[PATH]...")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, file_okay=False), required=True,
    metavar="DIR", help="Write the pages into this folder.",
)  # fmt: skip
def pages_command(paths: tuple[Path, ...], output: Path) -> None:
    """Write a page of Markdown for each pack in PATHs (default: those that ship)."""
    from triage.signatures.pages import pack_names, page
    from triage.store.packs import load_packs

    pack = load_packs(paths, shipped=not paths)
    try:
        output.mkdir(parents=True, exist_ok=True)
        for name in pack_names(pack):
            (output / f"{name}.md").write_text(page(pack, name), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{error.filename}: {error.strerror}", hint="check the folder") from error
    click.echo(f"wrote {len(pack_names(pack))} pages into {safe_line(str(output))}")
