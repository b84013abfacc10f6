"""`analyze --explain-parse`, as its user calls it."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOG = ROOT / "fixtures/recordings/gpu/quant.dbg.cudagdb.txt"


def run(*arguments: str, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    env = {**os.environ, "COLUMNS": "120"}
    command = [sys.executable, "-m", "triage.cli.main", "analyze", "--explain-parse", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, check=False, env=env)


def test_regions_and_lines_are_shown():
    done = run(str(LOG))
    assert (done.returncode, done.stderr) == (0, b"")
    assert "\ngdb, lines " in done.stdout.decode()
    assert "frame #1 remap_kernel  claw_cuda_backend." in done.stdout.decode()


def test_secrets_stay_out_of_it():
    text = b"[INFO] OpenClaw claw_inference 0.9.2\n[FATAL] hf_" + b"a1B2" * 9 + b" was refused\n"
    assert b"hf_a1B2" in run("--no-redact", "-", stdin=text).stdout
    assert b"hf_a1B2" not in run("-", stdin=text).stdout


def test_a_form_for_machines_is_refused():
    done = run("--format", "json", str(LOG))
    assert done.returncode == 2
    assert b"--explain-parse" in done.stderr


def test_a_file_can_take_the_page(tmp_path):
    done = run("-o", str(tmp_path / "page.txt"), str(LOG))
    assert (done.returncode, done.stdout) == (0, b"")
    assert "gdb, lines" in (tmp_path / "page.txt").read_text()
