# Every recipe also runs without `just`: see the scripts that they call.

default: lint types test

# what the program and its tests need
setup:
    scripts/setup dev

# style and the direction of imports
lint:
    .venv/bin/ruff check .
    .venv/bin/ruff format --check .
    .venv/bin/lint-imports

types:
    .venv/bin/mypy

test *args:
    .venv/bin/python -m pytest -n auto {{args}}

# everything that CI checks
check:
    scripts/check

# write the golden files anew; read the difference before you commit it
golden:
    .venv/bin/python -m pytest -n auto --update-golden
    git diff --stat tests

# the shipped signatures: their examples and their form
packs:
    .venv/bin/clawtriage signature test
    .venv/bin/clawtriage signature lint

# time and memory, each beside a reference
bench:
    .venv/bin/python benchmarks/bench.py

# properties with many more examples
fuzz:
    HYPOTHESIS_PROFILE=long .venv/bin/python -m pytest -n auto -k "property or fuzz or hypothesis or any_text or any_bytes" tests/unit

# the crashes of the miniature engine, for real
crash-all:
    .venv/bin/python fixtures/claw_inference/crash_all.py

wheel:
    .venv/bin/python -m build
