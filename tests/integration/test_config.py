"""Config files: what they add to a run, and what they may not say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from triage.cli.app import run
from triage.cli.config import load_config

LOG = """\
terminate called after throwing an instance of 'std::runtime_error'
  what():  acme is stale
"""
SIGNATURE = """
schema = 1
id = "acme/stale"
title = "Acme is stale"
family = "other"
level = "likely"
base = 0.7
cause = "C"
[[when]]
error.message = "*acme is stale*"
[remedy]
summary = "Mend it"
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a home of its own, with a project in it that is the working folder."""
    monkeypatch.delenv("CLAWTRIAGE_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path))
    pack = tmp_path / "acme"
    pack.mkdir()
    (pack / "pack.toml").write_text("schema = 1\n")
    (pack / "stale.toml").write_text(SIGNATURE)
    project = tmp_path / "project"
    (project / ".git").mkdir(parents=True)
    (project / "crash.log").write_text(LOG)
    monkeypatch.chdir(project)
    load_config.cache_clear()
    yield tmp_path
    load_config.cache_clear()


@pytest.fixture
def analyze(capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def call(*arguments: object) -> tuple[int, str, str]:
        load_config.cache_clear()
        code = run(["analyze", "crash.log", *map(str, arguments)])
        return code, *capfd.readouterr()

    return call


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_packs_of_the_users_file(home: Path, analyze) -> None:
    assert analyze()[0] == 10
    _write(home / "config/clawtriage/config.toml", 'packs = ["~/acme"]\n')
    code, out, _ = analyze()
    assert code == 0
    assert "acme/stale" in out


def test_a_path_is_relative_to_its_file(home: Path, analyze) -> None:
    _write(home / "config/clawtriage/config.toml", 'packs = ["../../acme"]\n')
    assert analyze()[0] == 0


def test_a_named_file_takes_the_place_of_the_others(home: Path, analyze, monkeypatch) -> None:
    _write(home / "config/clawtriage/config.toml", "nonsense")
    named = _write(home / "other.toml", 'packs = ["acme"]\n')
    monkeypatch.setenv("CLAWTRIAGE_CONFIG", str(named))
    assert analyze()[0] == 0
    monkeypatch.setenv("CLAWTRIAGE_CONFIG", "")
    assert analyze()[0] == 10


def test_a_projects_file_is_used_where_the_user_trusts_it(home: Path, analyze) -> None:
    _write(home / "project/clawtriage.toml", 'packs = ["../acme"]\n')
    code, _, err = analyze()
    assert code == 10
    assert f'write trust = ["{home / "project"}"] into' in err
    _write(home / "config/clawtriage/config.toml", 'trust = ["~/project"]\n')
    assert analyze()[0] == 0


def test_a_projects_file_above_the_repository_is_not_looked_for(home: Path, analyze) -> None:
    _write(home / "clawtriage.toml", "nonsense")
    code, _, err = analyze()
    assert (code, err) == (10, "")


def test_packs_of_the_command_line_stand_beside_those_of_the_file(home: Path, analyze) -> None:
    _write(home / "config/clawtriage/config.toml", 'packs = ["~/acme"]\n')
    assert analyze("--pack", home / "acme")[0] == 0, "a pack that is named twice counts once"


def test_the_database_of_the_file_and_of_the_command_line(home: Path, analyze) -> None:
    _write(home / "config/clawtriage/config.toml", 'db = "~/kept.db"\n')
    analyze()
    assert (home / "kept.db").is_file()
    analyze("--db", home / "named.db")
    assert (home / "named.db").is_file()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("packs = 7\n", "packs: a list of folders is wanted"),
        ('packs = ["missing"]\n', "missing does not exist"),
        ("packs = [\n", "not TOML"),
        ("db = 7\n", "db: the path of a file is wanted"),
        ("pakcs = []\n", "the keys are packs, db, trust"),
        ("unsafe_no_sandbox = true\n", "said on the command line, each time"),
        ("redact = false\n", "said on the command line, each time"),
        ("\0", "not TOML"),
    ],
)
def test_a_wrong_file_is_named_with_the_way_out(home: Path, analyze, text, said) -> None:
    path = _write(home / "config/clawtriage/config.toml", text)
    code, _, err = analyze()
    assert code == 2
    assert str(path) in err
    assert said in err


def test_a_project_cannot_trust(home: Path, analyze) -> None:
    _write(home / "config/clawtriage/config.toml", 'trust = ["~/project"]\n')
    _write(home / "project/clawtriage.toml", 'trust = ["/"]\n')
    code, _, err = analyze()
    assert code == 2
    assert "a project cannot trust folders" in err
