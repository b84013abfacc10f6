from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from triage.parse.cache import cache_folder

FAMILY = 'id = "other"\ntitle = "Other"\naction = "collect-more"\n'
ENGINE = """
id = "openclaw"
title = "OpenClaw"
[[rule]]
weight = 0.9
[[rule.when]]
module.name = "claw_inference"
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give each test a cache folder of its own."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("CLAWTRIAGE_CACHE_DIR", str(folder))
    cache_folder.cache_clear()
    yield folder
    cache_folder.cache_clear()


@pytest.fixture(autouse=True)
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a small folder of packs in the place of the shipped one."""
    root = tmp_path / "shipped"
    (root / "errors").mkdir(parents=True)
    (root / "errors" / "cuda.tsv").write_text("")
    (root / "families").mkdir()
    (root / "families" / "other.toml").write_text(FAMILY)
    (root / "engines").mkdir()
    (root / "engines" / "openclaw.toml").write_text(ENGINE)
    monkeypatch.setattr("triage.store.packs.data_dir", lambda kind: root)
    return root


@pytest.fixture
def write_signature() -> Callable[..., Path]:
    def write(
        pack: Path, name: str, when: str = 'error.name = "cudaErrorX"', more: str = ""
    ) -> Path:
        pack.mkdir(exist_ok=True, parents=True)
        (pack / "pack.toml").write_text(f'name = "{pack.name}"\n')
        path = pack / f"{name}.toml"
        path.write_text(
            f'schema = 1\nid = "{pack.name}/{name}"\ntitle = "T {name}"\nfamily = "other"\n'
            f'level = "likely"\nbase = 0.7\ncause = "C"\n[[when]]\n{when}\n{more}\n'
            '[remedy]\nsummary = "S"\n'
        )
        return path

    return write


@pytest.fixture
def acme(tmp_path: Path, write_signature: Callable[..., Path]) -> Path:
    """Return a pack with three signatures: by a word, by another, and by none."""
    pack = tmp_path / "acme"
    write_signature(pack, "word", 'frame.function = "remap_kernel"')
    write_signature(
        pack, "log", 'log.line = "*Device-side assert*"', "[[supports]]\nweight = 0.5\n"
        "variable.CLAW_VRAM_LIMIT = { set = false }",
    )  # fmt: skip
    write_signature(pack, "always", 'frame.function = "*map*"')
    return pack
