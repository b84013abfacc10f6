"""A broken pack says everything that is wrong with it, with a way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from triage.errors import ExitCode, PackError
from triage.model.diagnosis import StepStatus
from triage.signatures.fields import CALCULATORS, FIELDS, OPERATORS, FieldType, find_field
from triage.signatures.pack import Role, Source, build_pack, collect, read_tables
from triage.signatures.problems import Problems

BROKEN = Path(__file__).parent / "broken"
WHOLE = '''
schema = 1
id     = "acme/whole"
title  = "Everything that a signature can say"
family = "other"
level  = "certain"
action = "change-model"
base   = 0.7
engine = "openclaw"
cause  = "C"
sources = ["S"]
notes  = "N"
also   = ["acme/other"]

[[when]]
why = "shows it"
within = 6
thread = "any"
frame.function = ["a", "b*"]
frame.line = { ge = 1, lt = 9 }

[[supports]]
weight = 0.5
variable.CLAW_VRAM_LIMIT = { set = false }

[[against]]
weight = 0.25
engine.version = { version = ">=0.9,<1.0", not = "0.9.9" }

[[unless]]
environment.cuda_runtime = { above = "environment.driver_cuda" }

[remedy]
summary = "R"
calculate = ["layers-that-fit"]
references = ["https://example.org"]

[[remedy.step]]
title = "t"
why = "w"
commands = ["run ${model.path:-m.gguf} ${layers-that-fit:-28} ${option.ctx-size:-4096} ${HOME:-/}"]
before = "x"
after = "y"
status = "confirmed"
source = "llama.cpp#4680"

[[remedy.verify]]
title = "v"
command = "c"
expect = "e"

[[example]]
name = "one"
expect = "match"
log = """
#0 a ()
"""

[[example]]
name = "two"
expect = "no-match"
file = "examples/two.log"
'''


def _source(text: str, stem: str = "whole", role: Role = Role.SIGNATURE, pack="acme") -> Source:
    return Source(path=f"{pack}/{stem}.toml", role=role, stem=stem, text=text, pack=pack)


@pytest.mark.parametrize("path", sorted(BROKEN.glob("*.toml")), ids=lambda p: p.stem)
def test_broken_signature(path: Path, golden) -> None:
    _, found = collect([_source(path.read_text(), path.stem)])
    golden(f"{path.stem}.txt", "\n".join([*found, ""]))


def test_everything_that_a_signature_can_say_is_read() -> None:
    pack = build_pack(read_tables([_source(WHOLE)]))
    (s,) = pack.signatures
    assert (s.id, s.base, s.engines, s.also) == ("acme/whole", 0.7, ("openclaw",), ("acme/other",))
    assert s.when[0].within == 6
    assert s.when[0].any_thread
    assert s.when[0].why == "shows it"
    assert [t.field for t in s.when[0].tests] == ["frame.function", "frame.line"]
    assert s.when[0].tests[1].comparisons == (("lt", 9.0), ("ge", 1.0))
    assert [t.op for t in s.against[0].condition.tests] == ["version", "not"]
    assert s.supports[0].weight == 0.5
    assert not s.supports[0].condition.tests[0].wanted
    assert s.calculate == ("layers-that-fit",)
    assert s.remedy is not None
    assert s.remedy.steps[0].after == "y"
    assert s.remedy.steps[0].status is StepStatus.CONFIRMED
    assert s.remedy.steps[0].source == "llama.cpp#4680"
    assert s.remedy.verify[0].expect == "e"
    assert [(e.matches, e.file) for e in s.examples] == [(True, None), (False, "examples/two.log")]
    assert pack.where["signature acme/whole"] == "acme/whole.toml"


def test_families_and_engines() -> None:
    family = """
        id = "oom"
        title = "T"
        action = "fix-configuration"
        next_evidence = [{ text = "GPU memory", command = "nvidia-smi" }, { text = "which" }]
        [[rule]]
        weight = 0.8
        [[rule.when]]
        error.code = 2
        [[rule.when]]
        error.api = "cuda"
    """
    engine = """
        id = "openclaw"
        title = "OpenClaw"
        [[rule]]
        weight = 0.9
        [[rule.when]]
        module.name = "claw_inference"
    """
    sources = [
        _source(family, "oom", Role.FAMILY, ""),
        _source(engine, "openclaw", Role.ENGINE, ""),
        _source('name = "acme"', "pack", Role.PACK),
    ]
    pack = build_pack(read_tables(sources))
    assert pack.families[0].next_evidence[1].command is None
    assert len(pack.families[0].rules[0].when) == 2
    assert pack.engines[0].rules[0].weight == 0.9


def test_all_problems_of_all_files_at_once() -> None:
    sources = [
        _source("id = 1", "a"),
        _source(WHOLE),
        _source(WHOLE.replace("acme/whole", "acme/whole"), "whole"),
        _source('id = "x"', "b", Role.FAMILY, ""),
        _source('nam = "acme"', "pack", Role.PACK),
    ]
    with pytest.raises(PackError) as error:
        read_tables(sources)
    text = str(error.value)
    for part in (
        "acme/a.toml: id: a text that is not empty is wanted",
        "'acme/whole' is also in acme/whole.toml",
        "b.toml: id: 'x' does not fit the file; write 'b'",
        "b.toml: action: missing; add it",
        "pack.toml: nam: 'nam' is not a key of this table; did you mean 'name'?",
    ):
        assert part in text
    assert error.value.exit_code is ExitCode.PACK
    assert error.value.hint


def test_a_signature_outside_a_pack_has_any_id() -> None:
    tables, found = collect([_source(WHOLE, "draft", pack="")])
    assert (list(tables.signatures), found) == (["acme/whole"], [])
    _, found = collect([_source(WHOLE.replace('"acme/whole"', '"Whole"'), "draft", pack="")])
    assert "PACK/NAME" in found[0]


def test_fields_are_one_table() -> None:
    assert len({f.full_name for f in FIELDS}) == len(FIELDS)
    assert set(OPERATORS) == set(FieldType)
    assert find_field("variable.CLAW_VRAM_LIMIT") == find_field("variable.OTHER")
    assert find_field("variable.*") is None
    assert find_field("frame.functon") is None
    assert find_field("frame") is None
    assert CALCULATORS == ("layers-that-fit", "kv-cache-size", "model-in-q4-k-m")


def test_an_unknown_name_without_a_near_one_lists_what_is_known() -> None:
    problems = Problems("f")
    problems.unknown("k", "zzz", ("alpha", "beta"), "not known")
    assert problems.found == ["f: k: 'zzz' is not known; known are alpha, beta"]
