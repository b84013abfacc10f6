"""Conditions and signatures on hand-made crashes."""

from __future__ import annotations

import pytest

from triage.model.crash import Crash, Engine, Environment
from triage.model.diagnosis import Level
from triage.model.position import Position
from triage.signatures.compare import fits
from triage.signatures.facts import Facts
from triage.signatures.fields import FieldType
from triage.signatures.match import match_condition, match_signature
from triage.signatures.rule import EngineRule

HOLDS = [
    ({"frame": {"function": "remap_kernel"}}, "frame.function", 11),
    ({"frame": {"function": "claw::remap_kernel"}}, "frame.function", 11),
    ({"frame": {"function": "void claw::remap_kernel<float>(int)"}}, "frame.function", 11),
    ({"frame": {"function": "*REMAP_kern*"}}, "frame.function", 11),
    ({"frame": {"function": "abort"}}, "frame.function", 10),
    ({"frame": {"file": "gguf_remap.cu"}}, "frame.file", 11),
    ({"frame": {"file": "/src/*.cu"}}, "frame.file", 11),
    ({"frame": {"line": 1423, "function": "load_model"}}, "frame.line", 12),
    ({"frame": {"module": "libc.so*"}}, "frame.module", 10),
    ({"frame": {"kind": "host", "function": "main"}}, "frame.function", 13),
    ({"frame": {"index": 2, "function": "load_model"}}, "frame.function", 12),
    ({"error": {"code": [2, 700]}}, "error.code", 6),
    ({"error": {"api": "cuda", "name": "cudaErrorIllegal*"}}, "error.name", 6),
    ({"error": {"name": {"regex": r"Illegal\w{1,20}$"}}}, "error.name", 6),
    ({"error": {"code": {"gt": 699, "le": 700}}}, "error.code", 6),
    ({"signal": {"fault_address": {"lt": 4096}}}, "signal.fault_address", 7),
    ({"signal": {"fault_address": "0x10"}}, "signal.fault_address", 7),
    ({"module": {"name": "libcudart*", "version": {"version": ">=11,<12"}}}, "module.name", None),
    ({"engine": {"version": {"version": "<1.0.0-rc1"}}}, "engine.version", None),
    ({"environment": {"driver": {"version": ">=535"}}}, "environment.driver", 1),
    ({"environment": {"cuda_runtime": {"above": "environment.driver_cuda"}}}, None, None),
    ({"gpu": {"memory_total": {"ge": 24000}}}, "gpu.memory_total", 2),
    ({"model": {"quantization": ["Q4*", "Q5_K*"]}}, "model.quantization", 3),
    ({"model": {"quantization": {"not": ["Q4_0", "Q8_0"]}}}, "model.quantization", 3),
    ({"variable": {"CLAW_VRAM_LIMIT": {"set": False}}}, "variable.CLAW_VRAM_LIMIT", 4),
    ({"variable": {"CLAW_CUDA_STREAMS": 2}}, "variable.CLAW_CUDA_STREAMS", None),
    ({"variable": {"CLAW_CUDA_STREAMS": {"set": True}}}, "variable.CLAW_CUDA_STREAMS", None),
    ({"option": {"n-gpu-layers": {"gt": 100}}}, "option.n-gpu-layers", 5),
    ({"option": {"ctx-size": {"below": "gpu.memory_total"}}}, "option.ctx-size", None),
    ({"log": {"line": "*device-side assert*"}}, "log.line", 2),
    (
        {"any": [{"error": {"code": 2}}, {"model": {"quantization": "Q5*"}}]},
        "model.quantization",
        3,
    ),
    ({"any": [{"error": {"code": 700}}, {"error": {"code": 2}}]}, "error.code", 6),
]

HOLDS_NOT = [
    {"frame": {"function": "remap"}},
    {"frame": {"function": "load_model", "line": 88}},
    {"frame": {"file": "src/gguf_remap.cu"}},
    {"frame": {"index": {"ge": 4}}},
    {"error": {"api": "engine", "code": 700}},
    {"error": {"code": {"lt": 1424, "gt": 701}}},
    {"error": {"message": "*"}},
    {"error": {"message": {"not": "x"}}},
    {"engine": {"version": {"version": ">=1.0"}}},
    {"environment": {"cuda_runtime": {"below": "environment.driver_cuda"}}},
    {"environment": {"cuda_runtime": {"above": "environment.cuda_toolkit"}}},
    {"environment": {"cuda_toolkit": {"version": ">=0"}}},
    {"environment": {"container": {"not": "docker"}}},
    {"gpu": {"memory_free": {"lt": 1}}},
    {"model": {"architecture": {"set": True}}},
    {"model": {"quantization": {"not": ["Q5*"]}}},
    {"variable": {"CLAW_CUDA_STREAMS": {"set": False}}},
    {"variable": {"CLAW_KV_CACHE_DYNAMIC": {"set": False}}},
    {"variable": {"CLAW_VRAM_LIMIT": {"not": "1"}}},
    {"option": {"dtype": {"lt": 1}}},
    {"option": {"parallel": {"set": False}}},
    {"log": {"line": "device-side assert*"}},
    {"thread": {"name": "*"}},
    {"any": [{"error": {"code": 2}}, {"model": {"quantization": "Q4*"}}]},
]


@pytest.mark.parametrize(("table", "field", "line"), HOLDS, ids=str)
def test_condition_holds(table, field, line, condition, full_crash) -> None:
    evidence = match_condition(condition(table), Facts(full_crash), 0.4)
    assert evidence is not None
    assert evidence.weight == 0.4
    if field:
        assert evidence.field == field
        assert (evidence.at.line if evidence.at else None) == line


@pytest.mark.parametrize("table", HOLDS_NOT, ids=str)
def test_condition_does_not_hold(table, condition, full_crash) -> None:
    assert match_condition(condition(table), Facts(full_crash)) is None


@pytest.mark.parametrize("table", [t for t, _, _ in HOLDS], ids=str)
def test_nothing_holds_for_a_crash_that_states_nothing(table, condition) -> None:
    assert match_condition(condition(table), Facts(Crash())) is None


def test_evidence_texts(condition, full_crash) -> None:
    def text(table) -> str:
        evidence = match_condition(condition(table), Facts(full_crash))
        assert evidence is not None
        return evidence.text

    assert text({"variable": {"CLAW_VRAM_LIMIT": {"set": False}}}) == "CLAW_VRAM_LIMIT is not set"
    assert text({"option": {"n-gpu-layers": {"gt": 9}}}) == "999"
    assert text({"error": {"code": 700}}) == "700"
    assert text({"log": {"line": "*assert*"}}) == "ERROR: device-side assert triggered at row 7"
    above = {"environment": {"cuda_runtime": {"above": "environment.driver_cuda"}}}
    assert text(above) == "12.10 (above environment.driver_cuda 12.2)"
    sequence = {"frame": {"sequence": ["abort", "*", "main"]}}
    assert text(sequence) == ("void claw::remap_kernel<float>(int) | llm_engine::load_model | main")


def test_all_tests_hold_for_the_same_thing(condition, full_crash) -> None:
    facts = Facts(full_crash)
    assert (
        match_condition(condition({"error": {"code": 700, "file": "llm_engine.cpp"}}), facts)
        is None
    )


def test_within_counts_frames_that_are_not_noise(condition, crash) -> None:
    facts = Facts(crash("~abort", "~raise", "first", "second", "third"))
    for function, within, holds in (
        ("second", 2, True),
        ("third", 2, False),
        ("abort", 2, False),
        ("abort", None, True),
    ):
        table = {"frame": {"function": function}} | ({"within": within} if within else {})
        assert (match_condition(condition(table), facts) is not None) is holds, table


def test_the_crashed_thread_alone_unless_any(condition, crash, thread) -> None:
    facts = Facts(crash("boom", threads=(thread("waits", name="worker"),)))
    other = {"frame": {"function": "waits"}}
    assert match_condition(condition(other), facts) is None
    assert match_condition(condition({**other, "thread": "any"}), facts) is not None
    named = {"thread": {"name": "worker"}}
    assert match_condition(condition(named), facts) is None


def test_a_single_thread_is_the_crashed_one(condition, thread) -> None:
    one = Crash(threads=(thread("boom"),))
    two = Crash(threads=(thread("boom"), thread("waits")))
    marked = Crash(threads=(thread("boom"), thread("waits", crashed=True)))
    wanted = condition({"frame": {"function": "boom"}})
    assert match_condition(wanted, Facts(one)) is not None
    assert match_condition(wanted, Facts(two)) is None
    assert match_condition(wanted, Facts(marked)) is None


@pytest.mark.parametrize(
    ("sequence", "holds"),
    [
        (["a", "b"], True),
        (["b", "d"], True),  # ~c between is noise
        (["c", "d"], True),  # noise can be named
        (["a", "d"], False),
        (["a", "*", "d"], True),
        (["a", "*", "c", "d"], True),
        (["d", "*", "a"], False),
        (["a", "*", "x"], False),
        (["a", "b", "*", "e"], True),
        (["b", "m*", "d"], False),
        (["d", "e", "f"], False),
        (["b*", "c", "*", "e"], True),
    ],
)
def test_sequence(sequence, holds, condition, crash) -> None:
    facts = Facts(crash("a", "b", "~c", "d", "e"))
    found = match_condition(condition({"frame": {"sequence": sequence}}), facts)
    assert (found is not None) is holds


def test_sequence_in_a_very_deep_stack_ends_soon(condition, crash) -> None:
    facts = Facts(crash(*["again"] * 20_000))
    table = {"frame": {"sequence": ["again", "*", "again", "*", "never"]}, "within": 8}
    assert match_condition(condition(table), facts) is None


def test_confidence_is_moved_by_supports_and_contradictions(signature, full_crash) -> None:
    rule = signature(
        {"frame": {"function": "remap_kernel"}},
        supports=[
            {"weight": 0.5, "model": {"quantization": "Q5*"}},
            {"weight": 0.9, "signal": {"name": "SIGBUS"}},
        ],
        against=[
            {"weight": 0.2, "variable": {"CLAW_VRAM_LIMIT": {"set": False}}},
            {"weight": 0.9, "signal": {"name": "SIGBUS"}},
        ],
    )
    match = match_signature(rule, Facts(full_crash))
    assert match is not None
    assert match.confidence == pytest.approx(0.85 * 0.8)
    assert match.level is Level.LIKELY
    assert [(e.field, e.weight) for e in match.evidence] == [
        ("frame.function", 0.7),
        ("model.quantization", 0.5),
    ]
    assert [(e.field, e.weight) for e in match.against] == [("variable.CLAW_VRAM_LIMIT", 0.2)]


@pytest.mark.parametrize(
    ("base", "highest", "level"),
    [
        (0.85, "certain", Level.CERTAIN),
        (0.84, "certain", Level.LIKELY),
        (0.99, "likely", Level.LIKELY),
        (0.99, "hint", Level.HINT),
        (0.6, "certain", Level.LIKELY),
        (0.59, "likely", Level.HINT),
        (0.3, "certain", Level.HINT),
        (0.29, "certain", None),
    ],
)
def test_levels(base, highest, level, signature, full_crash) -> None:
    rule = signature({"signal": {"name": "SIGSEGV"}}, base=base, level=highest)
    match = match_signature(rule, Facts(full_crash))
    assert (match.level if match else None) is level


def test_unless_rules_a_signature_out(signature, full_crash) -> None:
    when = {"signal": {"name": "SIGSEGV"}}
    newer = {"engine": {"version": {"version": ">=1.0.0-rc1"}}}
    older = {"engine": {"version": {"version": ">=0.9"}}}
    assert match_signature(signature(when, unless=[newer]), Facts(full_crash)) is not None
    assert match_signature(signature(when, unless=[newer, older]), Facts(full_crash)) is None


@pytest.mark.parametrize(("engine", "holds"), [("OpenClaw", True), ("vllm", False), (None, True)])
def test_engine_of_a_signature(engine, holds, signature, crash) -> None:
    named = Engine(name=engine) if engine else None
    rule = signature({"frame": {"function": "boom"}}, engine="openclaw")
    assert (match_signature(rule, Facts(crash("boom", engine=named))) is not None) is holds


@pytest.mark.parametrize(
    ("wanted", "engine", "holds"),
    [
        ("ggml", "ollama", True),
        ("ggml", "whisper.cpp", True),
        ("ggml", "vllm", False),
        ("llama.cpp", "Ollama", True),
        ("llama.cpp", "whisper.cpp", False),
        ("ollama", "llama.cpp", False),
        (["vllm", "llama.cpp"], "ollama", True),
        ("ggml", "circle", True),
        ("vllm", "never heard of", False),
    ],
)
def test_engine_inside_another(wanted, engine, holds, signature, crash) -> None:
    engines = (
        EngineRule(id="ollama", title="ollama", embeds=("llama.cpp",)),
        EngineRule(id="llama.cpp", title="llama.cpp", embeds=("ggml",)),
        EngineRule(id="whisper.cpp", title="whisper.cpp", embeds=("ggml",)),
        EngineRule(id="circle", title="round", embeds=("circle", "ggml")),
    )
    rule = signature({"frame": {"function": "boom"}}, engine=wanted)
    facts = Facts(crash("boom", engine=Engine(name=engine)), engines)
    assert (match_signature(rule, facts) is not None) is holds


def test_the_weight_of_several_conditions_is_that_of_the_base(signature, full_crash) -> None:
    rule = signature({"signal": {"name": "SIGSEGV"}}, {"error": {"code": 700}}, base=0.75)
    match = match_signature(rule, Facts(full_crash))
    assert match is not None
    assert [e.weight for e in match.evidence] == [0.5, 0.5]


def test_places_by_the_names_that_readers_use(condition) -> None:
    env = Environment(
        os="linux",
        variables={"A_B": "1"},
        options={"o": "2"},
        where={
            "os": Position(line=1),
            "variables.A_B": Position(line=2),
            "options.o": Position(line=3),
        },
    )
    facts = Facts(Crash(environment=env))
    tables = (
        {"environment": {"os": "linux"}},
        {"variable": {"A_B": "1"}},
        {"option": {"o": 2}},
    )
    found = [match_condition(condition(table), facts) for table in tables]
    assert [e.at.line for e in found if e and e.at] == [1, 2, 3]


@pytest.mark.parametrize(
    ("pattern", "value", "kind", "expected"),
    [
        ("src/*.cu", "/home/runner/work/x/x/src/a.cu", FieldType.PATH, True),
        ("src/a.cu", "D:\\a\\x\\x\\src\\a.cu", FieldType.PATH, True),
        ("/home/*/a.cu", "/home/runner/work/x/x/src/a.cu", FieldType.PATH, True),
        ("a.cu", "/home/runner/work/x/x/src/a.cu", FieldType.PATH, True),
        ("x/src/a.cu", "/home/runner/work/x/x/src/a.cu", FieldType.PATH, False),
        ("src/a.cu", "/opt/src/a.cu", FieldType.PATH, False),
        ("ns::f", "_ZN2ns1fEv", FieldType.NAME, True),
        ("f", "_ZN2ns1fEv", FieldType.NAME, True),
        ("_ZN2ns1f*", "_ZN2ns1fEv", FieldType.NAME, True),
        ("ns::g", "_ZN2ns1fEv", FieldType.NAME, False),
    ],
)
def test_names_and_paths_fit_in_every_form(pattern, value, kind, expected) -> None:
    assert fits(pattern, value, kind) is expected
