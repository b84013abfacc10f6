# Short names for what is done often. No recipe is needed: each calls what can be typed as well.

set positional-arguments

bin := ".venv/bin"

# style, types and tests
default: lint types test

# .venv with the program, its tests' needs and what apt has to add
setup:
    scripts/setup dev

# style, and the direction of imports
lint:
    {{ bin }}/ruff check .
    {{ bin }}/ruff format --check .
    {{ bin }}/lint-imports

# types, strictly
types:
    {{ bin }}/mypy

# the tests, or some of them: just test tests/unit -k redact
test *args:
    {{ bin }}/python -m pytest -n auto "$@"

# everything that CI checks
check:
    scripts/check

# write golden files and the samples in the documentation anew; read the difference
golden:
    {{ bin }}/python -m pytest -n auto --update-golden
    git diff --stat -- tests docs README.md

# the shipped signatures: their examples, and their form
packs:
    {{ bin }}/clawtriage signature test
    {{ bin }}/clawtriage signature lint

# times, each beside a reference
bench:
    {{ bin }}/python benchmarks/bench.py

# core dumps, one by one and many of one program, each beside gdb
bench-cores *count:
    {{ bin }}/python benchmarks/cores.py
    {{ bin }}/python benchmarks/gpu_cores.py
    {{ bin }}/python benchmarks/bulk_cores.py "$@"

# what is built works where the repository is not
wheel:
    {{ bin }}/python -m build
    {{ bin }}/python -m pytest tests/system/test_packaging.py

# the documentation names everything, shows what is printed, and its links lead somewhere
docs-check:
    {{ bin }}/python -m pytest tests/unit/test_docs.py

# the property tests again and again, each round with other inputs
properties rounds="20":
    #!/usr/bin/env bash
    set -euo pipefail
    for ((n = 1; n <= $1; n++)); do
        {{ bin }}/python -m pytest -q -n auto -m hypothesis --hypothesis-seed "$RANDOM"
    done

# every format, or those named, under atheris: just fuzz 600 gdb python
fuzz seconds="600" *formats:
    #!/usr/bin/env bash
    set -euo pipefail
    {{ bin }}/python -m pip install --quiet --group fuzz
    seconds=$1; shift
    [ $# -gt 0 ] || set -- $({{ bin }}/python -c 'from triage.formats import formats; print(*(f.name for f in formats()))')
    for format; do
        {{ bin }}/python tests/fuzz/fuzz.py "$format" -max_total_time="$seconds" -print_final_stats=1
    done

# core dumps and programs, changed at random and read: just fuzz-cores --seed 7 --gdb 0.2
fuzz-cores *args:
    {{ bin }}/python tests/fuzz/fuzz_cores.py "$@"

# the crashes of the miniature engine, for real
crash-all:
    {{ bin }}/python fixtures/claw_inference/crash_all.py
