"""`clawtriage signature`: what the authors of signatures need."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from triage.cli.config import pack_option
from triage.cli.signature_packs import diff_command, export_command, pages_command
from triage.errors import ExitCode
from triage.text.safe import safe_line, safe_text

if TYPE_CHECKING:
    from triage.model.crash import Crash
    from triage.model.evidence import Evidence
    from triage.pipeline import Analyzer
    from triage.signatures.explain import Outcome
    from triage.signatures.lint import ReadExample
    from triage.signatures.rule import Pack, Signature

_PATH = click.Path(path_type=Path)
_MAX_REPORT = 64 << 20

_EPILOG = """\b
Examples:
  clawtriage signature list
  clawtriage signature show openclaw/unsupported-quant
  clawtriage signature new --from crash.log acme/lost-context -o acme/lost-context.toml
  clawtriage signature explain acme/lost-context crash.log --pack acme/
  clawtriage signature test acme/          every example, as a crash would be read
  clawtriage signature lint acme/          what is doubtful, and what overlaps
  clawtriage signature export acme/        one file to hand on
  clawtriage signature diff acme-1.1.0.tar.gz acme/
"""


@click.group("signature", epilog=_EPILOG)
def command() -> None:
    """List, show, test, check, write, explain, export and compare signatures."""


command.add_command(diff_command)
command.add_command(export_command)
command.add_command(pages_command)


@command.command("list", epilog="\b\nExample:\n  clawtriage signature list --pack acme/")
@click.option(
    "-f", "--format", "form", type=click.Choice(("text", "json")), default="text",
    show_default=True, help="How to print the list.",
)  # fmt: skip
@pack_option
def list_command(form: str, packs: tuple[Path, ...]) -> None:
    """List the signatures with their level, family and title."""
    from triage.store.signatures import open_store  # not for --help

    signatures = open_store(packs).signatures()
    if form == "json":
        rows = [
            {"id": s.id, "level": s.level.value, "family": s.family, "title": s.title}
            for s in signatures
        ]
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    width = max((len(s.id) for s in signatures), default=0)
    for s in signatures:
        click.echo(safe_line(f"{s.id:{width}}  {s.level.value:7}  {s.family}: {s.title}"))


@command.command("show", epilog="\b\nExample:\n  clawtriage signature show openclaw/kv-race")
@click.argument("signature_id", metavar="ID")
@pack_option
def show_command(signature_id: str, packs: tuple[Path, ...]) -> None:
    """Show what the signature ID looks for and what it advises."""
    from triage.signatures.wording import show

    click.echo(safe_text(show(_find(_load(packs), signature_id))))


@command.command("test", epilog="\b\nExample:\n  clawtriage signature test acme/lost-context.toml")
@click.argument("paths", nargs=-1, type=_PATH, metavar="[PATH]...")
@pack_option
def test_command(paths: tuple[Path, ...], packs: tuple[Path, ...]) -> int:
    """Try every example of the signatures in PATHs (default: those that ship).

    Each example is read as any crash is. Exit status 4 if one does not come out as it should.
    """
    chosen = _load(packs) if not paths else _load(paths, shipped=False)
    failed = count = 0
    analyzer = _analyzer((*packs, *paths))
    for read in _read_examples(chosen, analyzer):
        count += 1
        lines = _failure(read, analyzer)
        failed += bool(lines)
        for line in lines:
            click.echo(safe_line(line))
    of = _count(len(chosen.signatures), "signature")
    click.echo(f"{_count(count, 'example')} of {of}, {failed} failed")
    return int(ExitCode.PACK) if failed else 0


@command.command("lint", epilog="\b\nExample:\n  clawtriage signature lint acme/")
@click.argument("paths", nargs=-1, type=_PATH, metavar="[PATH]...")
@pack_option
def lint_command(paths: tuple[Path, ...], packs: tuple[Path, ...]) -> int:
    """Check the signatures in PATHs (default: those that ship) for what is wrong or doubtful.

    Each is also tried on the examples of all others: what matches there has to be declared.
    Exit status 4 if anything is found.
    """
    from triage.signatures.lint import lint

    everything = _load((*packs, *paths))
    chosen = _load(paths, shipped=False) if paths else everything
    examples = list(_read_examples(everything, _analyzer((*packs, *paths))))
    problems = lint(everything, examples, [s.id for s in chosen.signatures])
    for problem in problems:
        click.echo(safe_line(problem))
    click.echo(f"{_count(len(chosen.signatures), 'signature')}, {_count(len(problems), 'problem')}")
    return int(ExitCode.PACK) if problems else 0


@command.command(
    "new", epilog="\b\nExample:\n  clawtriage signature new --from crash.log acme/lost-context"
)
@click.argument("signature_id", metavar="[ID]", default="my-pack/my-signature")
@click.option(
    "--from", "source", required=True, type=_PATH, metavar="FILE",
    help="A log of a crash that the signature shall match, or a report on it in JSON.",
)  # fmt: skip
@click.option("-o", "--output", type=_PATH, metavar="FILE", help="Write to a new file.")
@pack_option
def new_command(
    signature_id: str, source: Path, output: Path | None, packs: tuple[Path, ...]
) -> None:
    """Write a first draft of the signature ID from a crash that it shall match.

    The example is filled in and conditions are proposed; what is left to say is marked TODO.
    """
    from triage.signatures.propose import propose
    from triage.store.exported import write_new

    crash = _crash_of_report(source)
    log = "" if crash else _text_of(source)
    if crash is None:
        analyzer = _analyzer(packs)
        crash = analyzer.completed(analyzer.read([str(source)]).crash)
    text = propose(crash, signature_id, log, source.name)
    if output is None:
        click.echo(text, nl=False)
        return
    if _begin_pack(output.parent):
        click.echo(
            f"wrote {safe_line(str(output.parent / 'pack.toml'))}, which makes a pack", err=True
        )
    write_new(output, text.encode())
    click.echo(f"wrote {safe_line(str(output))}; fill in what is marked TODO, then:", err=True)
    click.echo(f"  clawtriage signature test {safe_line(str(output))}", err=True)


@command.command(
    "explain", epilog="\b\nExample:\n  clawtriage signature explain openclaw/kv-race crash.log"
)
@click.argument("signature_id", metavar="ID")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@pack_option
def explain_command(signature_id: str, inputs: tuple[str, ...], packs: tuple[Path, ...]) -> None:
    """Explain how each condition of the signature ID comes out on one crash."""
    from triage.signatures.explain import explain
    from triage.signatures.facts import Facts
    from triage.store.feedback import read_feedback

    signature = _find(_load(packs), signature_id)
    analyzer = _analyzer(packs)
    result = analyzer.read(inputs)
    names = [item.name for item in result.inputs]
    explanation = explain(
        signature, Facts(analyzer.completed(result.crash), analyzer.store.engines())
    )
    for outcome in explanation.outcomes:
        for line in _outcome_lines(outcome, names):
            click.echo(safe_line(line))
    if explanation.level:
        verdict = f"matches: {explanation.level.value}, confidence {explanation.confidence:.2f}"
    else:
        verdict = f"does not match: {explanation.reason}"
    click.echo(safe_line(f"= {explanation.arithmetic}"))
    click.echo(safe_line(f"{signature.id} {verdict}"))
    said = read_feedback(None).get(signature.id)
    if said:
        click.echo(safe_line(said.words))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def _analyzer(packs: Sequence[Path]) -> Analyzer:
    from triage.pipeline import Analyzer, Options

    return Analyzer(Options(packs=tuple(packs)))


def _load(packs: Sequence[Path], *, shipped: bool = True) -> Pack:
    from triage.store.packs import load_packs

    return load_packs(packs, shipped=shipped)


def _find(pack: Pack, signature_id: str) -> Signature:
    from triage.errors import UsageError
    from triage.signatures.problems import nearest

    known = {s.id: s for s in pack.signatures}
    if signature_id in known:
        return known[signature_id]
    near = nearest(signature_id, known)
    hint = f"did you mean {near}?" if near else "see them all: clawtriage signature list"
    raise UsageError(f"there is no signature {signature_id!r}", hint=hint)


def _read_examples(pack: Pack, analyzer: Analyzer) -> Iterator[ReadExample]:
    from triage.signatures.lint import ReadExample
    from triage.store.packs import example_text

    for signature in pack.signatures:
        for example in signature.examples:
            text = example_text(example, pack.where[f"signature {signature.id}"])
            crash = analyzer.read_text(text)
            yield ReadExample(signature=signature, example=example, crash=crash)


def _failure(read: ReadExample, analyzer: Analyzer) -> list[str]:
    """Return why an example does not come out as it should, nothing where it does."""
    from triage.signatures.explain import explain
    from triage.signatures.facts import Facts
    from triage.signatures.reading import reading

    explanation = explain(read.signature, Facts(read.crash, analyzer.store.engines()))
    if (explanation.level is not None) is read.example.matches:
        return []
    should = "should match" if read.example.matches else "should not match"
    lines = [f"FAILED {read.signature.id}: {read.example.name!r} {should}"]
    if explanation.reason:
        lines.append(f"  {explanation.reason}")
    for outcome in explanation.outcomes:
        lines += [f"  {line}" for line in _outcome_lines(outcome, ())]
    return [*lines, "  how it was read:", *(f"    {line}" for line in reading(read.crash))]


def _outcome_lines(outcome: Outcome, names: Sequence[str]) -> Iterator[str]:
    sign = "+" if outcome.evidence else "-"
    weight = f" ({outcome.weight:g})" if outcome.weight is not None else ""
    yield f"{sign} {outcome.part:8} {outcome.asks}{weight}"
    if outcome.evidence:
        yield f"             held on {outcome.evidence.text}{_place(outcome.evidence, names)}"
    else:
        yield f"             {outcome.miss}"
    if outcome.why:
        yield f"             why: {outcome.why}"


def _place(evidence: Evidence, names: Sequence[str]) -> str:
    at = evidence.at
    if at is None:
        return ""
    name = names[at.input] if at.input < len(names) else ""
    line = f"line {at.line}" if at.line is not None else ""
    return f"   [{' '.join(part for part in (name, line) if part)}]" if name or line else ""


def _crash_of_report(path: Path) -> Crash | None:
    """Return the crash that a report in JSON is on, None for anything else."""
    from triage.model.crash import Crash
    from triage.model.jsonform import from_json
    from triage.model.report import Report

    try:
        with path.open("rb") as stream:
            if stream.read(1) != b"{":
                return None
            data = json.loads(b"{" + stream.read(_MAX_REPORT))
        if not str(data.get("schema")).startswith("clawtriage/report/"):
            return None
        report: Report = from_json(Report, data)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return Crash(
        engine=report.engine,
        signal=report.signal,
        errors=report.errors,
        threads=report.threads,
        crashed_thread=report.crashed_thread,
        blamed_frame=report.blamed_frame,
        modules=report.modules,
        environment=report.environment,
    )


def _begin_pack(folder: Path) -> bool:
    """Make the folder of a new signature a pack where it is none yet."""
    if folder == Path() or (folder / "pack.toml").exists():
        return False
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pack.toml").write_text('schema = 1\nversion = "0.1.0"\n', encoding="utf-8")
    return True


def _text_of(path: Path) -> str:
    from triage.store.packs import MAX_EXAMPLE

    with path.open("rb") as stream:
        return stream.read(MAX_EXAMPLE).decode("utf-8", "replace").replace("\r\n", "\n")
