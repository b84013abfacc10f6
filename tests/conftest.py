"""What every test can use."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

# What somebody has configured, or said of reports, is no part of a test.
os.environ["CLAWTRIAGE_CONFIG"] = ""
os.environ["CLAWTRIAGE_DATA_DIR"] = os.devnull

_COMMAND = "python -m pytest --update-golden"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="rewrite the golden files that differ"
    )


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Return a check of a text against `golden/NAME` beside the test."""
    folder = Path(request.path).parent / "golden"
    update = request.config.getoption("--update-golden")

    def check(name: str, text: str) -> None:
        path = folder / name
        if update:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
            return
        where = request.path.relative_to(request.config.rootpath)
        assert path.is_file(), f"{path} is missing; to write it: {_COMMAND} {where}"
        wanted = path.read_bytes().decode()
        assert text == wanted, f"{path} differs; to accept the new text: {_COMMAND} {where}"

    return check
