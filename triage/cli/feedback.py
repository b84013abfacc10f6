"""`clawtriage feedback`."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from triage.cli.config import db_option, pack_option
from triage.errors import InputError, UsageError
from triage.text.safe import safe_line

if TYPE_CHECKING:
    from triage.store.feedback import Opinion

_EPILOG = """\b
Examples:
  clawtriage feedback report.json --right      made by analyze crash.log --format json
  clawtriage feedback report.json --wrong
  clawtriage feedback report.json --fixed-by ggml/cuda-oom
"""
_MAX_REPORT = 64 << 20


@click.command("feedback", epilog=_EPILOG)
@click.argument("report", type=click.Path(path_type=Path), metavar="REPORT")
@click.option("--right", "verdict", flag_value="right", help="The first diagnosis was right.")
@click.option("--wrong", "verdict", flag_value="wrong", help="The first diagnosis was wrong.")
@click.option(
    "--fixed-by", metavar="ID",
    help="The remedy of this signature fixed it, whichever diagnosis came first.",
)  # fmt: skip
@pack_option
@db_option("Keep it in this database (default: feedback.db in your data folder).")
def command(
    report: Path,
    verdict: str | None,
    fixed_by: str | None,
    packs: tuple[Path, ...],
    db: Path | None,
) -> None:
    """Say whether the diagnosis in REPORT, a report in JSON, was right.

    It is kept in a database and shown with later diagnoses of the same signature. It may change
    the order of two diagnoses of the same level; it never makes a diagnosis or takes one away.
    What is said of a report again takes the place of what was said before.
    """
    from triage.store.feedback import default_path, keep, read_feedback

    if (verdict is None) == (fixed_by is None):
        raise UsageError("say what was found out", hint="one of --right, --wrong, --fixed-by ID")
    opinions = _opinions(_read(report), verdict, fixed_by)
    if fixed_by is not None:
        _require_known(fixed_by, packs)
    path = db or default_path()
    keep(path, opinions)
    said = read_feedback(path)
    for opinion in opinions:
        click.echo(safe_line(f"{opinion.signature}: {said[opinion.signature].words}"))


def _opinions(report: dict[str, Any], verdict: str | None, fixed_by: str | None) -> list[Opinion]:
    from triage.store.feedback import Opinion

    first = _first_signature(report)
    name = _identity(report)
    if fixed_by is not None:
        opinions = [Opinion(report=name, signature=fixed_by, right=True)]
        if first is not None and first != fixed_by:
            opinions.append(Opinion(report=name, signature=first, right=False))
        return opinions
    if first is None:
        raise UsageError(
            "the report has no diagnosis that could be right or wrong",
            hint="name the signature whose remedy helped: --fixed-by ID",
        )
    return [Opinion(report=name, signature=first, right=verdict == "right")]


def _first_signature(report: dict[str, Any]) -> str | None:
    diagnoses = report.get("diagnoses")
    first = diagnoses[0] if isinstance(diagnoses, list) and diagnoses else None
    signature = first.get("signature") if isinstance(first, dict) else None
    return signature if isinstance(signature, str) else None


def _identity(report: dict[str, Any]) -> str:
    """Return what names the incident: what its inputs hold, or all that the report says."""
    inputs = report.get("inputs")
    hashes = sorted(
        str(item["sha256"])
        for item in (inputs if isinstance(inputs, list) else ())
        if isinstance(item, dict) and item.get("sha256")
    )
    text = " ".join(hashes) or json.dumps(report, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _read(path: Path) -> dict[str, Any]:
    try:
        if str(path) == "-":
            data = sys.stdin.buffer.read(_MAX_REPORT)
        else:
            with path.open("rb") as stream:
                data = stream.read(_MAX_REPORT)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}", hint="name a report in JSON") from error
    try:
        report = json.loads(data)
    except (ValueError, RecursionError):
        report = None
    if isinstance(report, dict) and isinstance(report.get("report"), dict):
        report = report["report"]  # a line of a batch
    if not isinstance(report, dict) or not str(report.get("schema")).startswith(
        "clawtriage/report/"
    ):
        raise InputError(
            f"{path} is no report in JSON",
            hint="make one: clawtriage analyze crash.log --format json > report.json",
        )
    return report


def _require_known(signature_id: str, packs: tuple[Path, ...]) -> None:
    from triage.signatures.problems import nearest
    from triage.store.signatures import open_store

    known = {s.id for s in open_store(packs).signatures()}
    if signature_id not in known:
        near = nearest(signature_id, known)
        hint = f"did you mean {near}?" if near else "see them all: clawtriage signature list"
        raise UsageError(f"there is no signature {signature_id!r}", hint=hint)
