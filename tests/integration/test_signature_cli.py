"""`clawtriage signature` on packs in a temporary folder, through the real reading of logs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from triage.cli.app import run
from triage.parse.cache import cache_folder

LOG = """\
[INFO] OpenClaw claw_inference 0.9.2 (CUDA 11.8)
[ERROR] clw-llm-crash: LLM backend failed at tensor allocation (line 1423, llm_engine.cpp)
[FATAL] GPU context lost: CUDA error 700 (cudaErrorIllegalAddress)
Aborted (core dumped)
"""
OTHER = "CUDA error 2: out of memory\n"
SIGNATURE = f"""
schema = 1
id = "acme/lost"
title = "The context was lost"
family = "acme-family"
level = "likely"
base = 0.7
cause = "C"
sources = ["S"]

[[when]]
why = "the driver says so"
error.name = "cudaErrorIllegalAddress"

[[supports]]
weight = 0.5
error.file = "llm_engine.cpp"

[[supports]]
weight = 0.5
variable.CLAW_VRAM_LIMIT = {{ set = false }}

[remedy]
summary = "Mend it"

[[remedy.step]]
title = "Do"
commands = ["mend --it"]

[[example]]
name = "lost"
expect = "match"
log = '''
{LOG}'''

[[example]]
name = "out of memory"
expect = "no-match"
file = "examples/oom.log"
"""
FAMILY = 'id = "acme-family"\ntitle = "A"\naction = "change-model"\n'


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("CLAWTRIAGE_CACHE_DIR", str(tmp_path / "cache"))
    cache_folder.cache_clear()
    yield
    cache_folder.cache_clear()


@pytest.fixture(autouse=True)
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a folder with one family in the place of the shipped packs."""
    root = tmp_path / "shipped"
    (root / "families").mkdir(parents=True)
    (root / "families" / "acme-family.toml").write_text(FAMILY)
    monkeypatch.setattr("triage.store.packs.data_dir", lambda kind: root)
    return root


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    folder = tmp_path / "acme"
    (folder / "examples").mkdir(parents=True)
    (folder / "pack.toml").write_text('name = "acme"\n')
    (folder / "lost.toml").write_text(SIGNATURE)
    (folder / "examples" / "oom.log").write_text(OTHER)
    return folder


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def run_it(*arguments: object) -> tuple[int, str, str]:
        code = run(["signature", *map(str, arguments)])
        out, err = capfd.readouterr()
        return code, out, err

    return run_it


def _edit(pack: Path, old: str, new: str) -> None:
    path = pack / "lost.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_list(call, pack: Path) -> None:
    code, out, _ = call("list", "--pack", pack)
    assert (code, out) == (0, "acme/lost  likely   acme-family: The context was lost\n")
    _, out, _ = call("list", "--pack", pack, "--format", "json")
    assert json.loads(out) == [
        {
            "id": "acme/lost",
            "level": "likely",
            "family": "acme-family",
            "title": "The context was lost",
        }
    ]


def test_show(call, pack: Path) -> None:
    code, out, _ = call("show", "acme/lost", "--pack", pack)
    assert code == 0
    assert "error.name is cudaErrorIllegalAddress   # the driver says so" in out
    assert "mend --it" in out


def test_an_unknown_signature(call, pack: Path) -> None:
    code, _, err = call("show", "acme/lots", "--pack", pack)
    assert code == 2
    assert "there is no signature 'acme/lots'" in err
    assert "did you mean acme/lost?" in err


@pytest.mark.parametrize("what", ["", "lost.toml"])
def test_test_passes(what: str, call, pack: Path) -> None:
    code, out, _ = call("test", pack / what)
    assert (code, out) == (0, "2 examples of 1 signature, 0 failed\n")


def test_a_failed_example_shows_how_it_was_read(call, pack: Path) -> None:
    _edit(pack, "cudaErrorIllegalAddress", "cudaErrorIllegalInstruction")
    _edit(pack, "(cudaErrorIllegalInstruction)", "(cudaErrorIllegalAddress)")
    code, out, _ = call("test", pack)
    assert code == 4
    for part in (
        "FAILED acme/lost: 'lost' should match",
        "- when     error.name is cudaErrorIllegalInstruction",
        "nearest is cudaErrorIllegalAddress",
        "why: the driver says so",
        "how it was read:",
        "engine: openclaw 0.9.2",
        "error: cuda 700 cudaErrorIllegalAddress",
        "2 examples of 1 signature, 1 failed",
    ):
        assert part in out, out


def test_an_example_that_should_not_match(call, pack: Path) -> None:
    (pack / "examples" / "oom.log").write_text(LOG)
    code, out, _ = call("test", pack)
    assert code == 4
    assert "FAILED acme/lost: 'out of memory' should not match" in out
    assert "+ when     error.name is cudaErrorIllegalAddress" in out


def test_lines_that_signatures_ask_about_are_kept(call, pack: Path) -> None:
    _edit(pack, 'error.name = "cudaErrorIllegalAddress"', 'log.line = "*my own Words*"')
    _edit(pack, "Aborted (core dumped)", "these are my own words, yes\nAborted (core dumped)")
    assert call("test", pack)[0] == 0


def test_lint(call, pack: Path) -> None:
    code, out, _ = call("lint", pack)
    assert (code, out) == (0, "1 signature, 0 problems\n")
    _edit(pack, '"acme-family"', '"acme-famly"')
    code, out, _ = call("lint", pack)
    assert code == 4
    path = pack / "lost.toml"
    assert (
        out == f"{path}: family: there is no family 'acme-famly'; did you mean 'acme-family'?\n"
        "1 signature, 1 problem\n"
    )


def test_lint_finds_overlaps_with_what_ships(call, pack: Path, shipped: Path) -> None:
    (shipped / "theirs").mkdir()
    (shipped / "theirs" / "pack.toml").write_text('name = "theirs"\n')
    theirs = SIGNATURE.replace("acme/lost", "theirs/lost").replace("examples/oom.log", "oom.log")
    (shipped / "theirs" / "lost.toml").write_text(theirs)
    (shipped / "theirs" / "oom.log").write_text(OTHER)
    code, out, _ = call("lint", pack)
    assert code == 4
    assert "acme/lost.toml: also: matches the example 'lost' of theirs/lost too" in out
    assert "acme/lost.toml: also: theirs/lost matches the example 'lost' too" in out


@pytest.mark.parametrize("command", ["lint", "test", "list"])
def test_a_broken_pack_names_every_problem(command: str, call, pack: Path) -> None:
    _edit(pack, "error.name", "error.nam")
    _edit(pack, "base = 0.7", "base = 7")
    option = ["--pack"] if command == "list" else []
    code, _, err = call(command, *option, pack)
    assert code == 4
    assert "lost.toml: when[1].error.nam: 'error.nam' is not a field of an error" in err
    assert "did you mean 'error.name'?" in err
    assert "lost.toml: base: 7 is not a number above 0 and up to 1" in err


def test_explain(call, pack: Path, tmp_path: Path) -> None:
    log = tmp_path / "crash.log"
    log.write_text(LOG)
    code, out, _ = call("explain", "acme/lost", log, "--pack", pack)
    assert code == 0
    assert out.splitlines() == [
        "+ when     error.name is cudaErrorIllegalAddress",
        f"             held on cudaErrorIllegalAddress   [{log} line 3]",
        "             why: the driver says so",
        "+ supports error.file is llm_engine.cpp (0.5)",
        f"             held on llm_engine.cpp   [{log} line 2]",
        "- supports variable.CLAW_VRAM_LIMIT is not set (0.5)",
        "             the crash does not state variable.CLAW_VRAM_LIMIT",
        "= base 0.7; +0.5 of the doubt = 0.85; at most likely",
        "acme/lost matches: likely, confidence 0.85",
    ]
    log.write_text(OTHER)
    _, out, _ = call("explain", "acme/lost", log, "--pack", pack)
    assert out.splitlines()[-1] == (
        "acme/lost does not match: a condition that has to hold does not"
    )


def test_explain_of_a_missing_input(call, pack: Path) -> None:
    code, _, err = call("explain", "acme/lost", "/no/such/file", "--pack", pack)
    assert code == 3
    assert "/no/such/file" in err


def test_new_writes_a_signature_that_passes_its_test(call, pack: Path, tmp_path: Path) -> None:
    log = tmp_path / "crash.log"
    log.write_bytes(LOG.replace("\n", "\r\n").encode())
    code, out, _ = call("new", "--from", log, "acme/fresh")
    assert code == 0
    assert 'error.name = "cudaErrorIllegalAddress"' in out
    assert LOG in out
    target = pack / "fresh.toml"
    code, out, err = call("new", "--from", log, "acme/fresh", "--output", target)
    assert (code, out) == (0, "")
    assert f"clawtriage signature test {target}" in err
    code, out, _ = call("test", target)
    assert (code, out) == (0, "2 examples of 1 signature, 0 failed\n")
    before = target.read_text()
    code, _, err = call("new", "--from", log, "acme/fresh", "--output", target)
    assert (code, target.read_text()) == (2, before)
    assert "exists already" in err


def test_a_hostile_log_cannot_write_to_the_terminal(call, pack: Path, tmp_path: Path) -> None:
    log = tmp_path / "cra\x1bsh.log"
    log.write_text(LOG.replace("llm_engine.cpp", "llm_\x1b]0;x\x07engine.cpp"))
    for arguments in (("explain", "acme/lost", log), ("new", "--from", log)):
        _, out, _ = call(*arguments, "--pack", pack)
        assert "\x1b" not in out
        assert "\x07" not in out


@pytest.mark.parametrize("command", ["list", "show", "test", "lint", "new", "explain"])
def test_help_has_an_example_and_is_fast(command: str) -> None:
    code = (
        "import sys; from triage.cli.app import run; run(['signature', sys.argv[1], '--help']);"
        "print([m for m in ('triage.pipeline', 'sqlite3', 'lark', 'tomllib') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, command],
        capture_output=True, text=True, check=True, env={**os.environ},
    )  # fmt: skip
    assert f"  Example:\n    clawtriage signature {command}" in done.stdout
    assert done.stdout.endswith("[]\n")
