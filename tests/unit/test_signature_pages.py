"""The pages on the signatures that ship are what the packs say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from triage.signatures.pages import pack_names, page
from triage.signatures.rule import Pack
from triage.store.packs import load_packs

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "docs/reference/signatures"
INDEX = ROOT / "docs/README.md"
MARK = "- Signatures that ship: "


@pytest.fixture(scope="module")
def pack() -> Pack:
    return load_packs(())


def test_the_pages_are_current(pack: Pack, request: pytest.FixtureRequest) -> None:
    pages = {f"{name}.md": page(pack, name) for name in pack_names(pack)}
    if request.config.getoption("--update-golden"):
        PAGES.mkdir(exist_ok=True)
        for old in PAGES.glob("*.md"):
            old.unlink()
        for name, text in pages.items():
            (PAGES / name).write_text(text)
    found = {path.name: path.read_text() for path in PAGES.glob("*.md")}
    assert found == pages, "to write them anew: just golden"


def test_the_index_has_them_all(pack: Pack, request: pytest.FixtureRequest) -> None:
    links = (f"[{name}](reference/signatures/{name}.md)" for name in pack_names(pack))
    line = f"{MARK}{' · '.join(links)}"
    fresh = re.sub(rf"^{re.escape(MARK)}.*$", line, INDEX.read_text(), flags=re.MULTILINE)
    if request.config.getoption("--update-golden"):
        INDEX.write_text(fresh)
    assert INDEX.read_text() == fresh, "to write the line anew: just golden"


def test_every_signature_has_cause_fix_and_sources(pack: Pack) -> None:
    text = {name: (PAGES / f"{name}.md").read_text() for name in pack_names(pack)}
    for signature in pack.signatures:
        name, _, stem = signature.id.partition("/")
        section = text[name].partition(f"\n## {stem}\n")[2].partition("\n## ")[0]
        assert "**Cause.**" in section, signature.id
        assert "**Fix.**" in section, signature.id
        assert "**Sources.**" in section, signature.id
