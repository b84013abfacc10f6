"""What is concluded from hand-made crashes with hand-made knowledge."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.diagnose import MAX_DIAGNOSES, detect_engine, diagnose
from triage.model.crash import (
    Crash,
    Engine,
    Environment,
    ErrorRecord,
    Gpu,
    LogLine,
    ModelFile,
    Module,
    ReportWarning,
    Signal,
    Timing,
)
from triage.model.diagnosis import Action, Feedback, Level, Verdict
from triage.model.position import Position
from triage.model.stack import Frame, Thread, ThreadKind, Trust
from triage.signatures.build import build_engine, build_family, build_signature
from triage.signatures.rule import EngineRule, Family, Signature


@dataclasses.dataclass
class Known:
    """Signatures, families and engines in memory."""

    rules: list[Signature]
    groups: list[Family] = dataclasses.field(default_factory=list)
    programs: tuple[EngineRule, ...] = ()
    words: frozenset[str] = frozenset()

    def candidates(self, words: frozenset[str]) -> list[Signature]:
        self.words = words
        return self.rules

    def families(self) -> Mapping[str, Family]:
        return {f.id: f for f in self.groups}

    def engines(self) -> tuple[EngineRule, ...]:
        return self.programs


CRASH = Crash(
    signal=Signal(name="SIGSEGV", number=11),
    errors=(ErrorRecord(api="cuda", code=700, at=Position(line=3)),),
)
SEGV = {"signal": {"name": "SIGSEGV"}}
BUS = {"signal": {"name": "SIGBUS"}}
CODE = {"error": {"code": 700}}


def _signature(name: str, *when: dict[str, Any], **more: Any) -> Signature:
    table = {"id": f"p/{name}", "title": name, "family": "gpu", "level": "certain", "base": 0.7}
    return build_signature({**table, "when": list(when) or [SEGV], **more})


def _family(name: str, *rules: tuple[float, list[dict[str, Any]]], **more: Any) -> Family:
    found = [{"weight": weight, "when": when} for weight, when in rules]
    return build_family({"id": name, "title": name, "rule": found, **more})


def test_a_known_crash() -> None:
    known = Known(
        [_signature("s"), _signature("other", BUS)],
        [_family("gpu", (0.9, [SEGV]), action="restart-process", next_evidence=[{"text": "x"}])],
    )
    result = diagnose(CRASH, known)
    assert result.verdict is Verdict.KNOWN
    assert [d.signature for d in result.diagnoses] == ["p/s"]
    assert result.diagnoses[0].confidence == 0.7
    assert result.diagnoses[0].level is Level.LIKELY
    assert result.family == "gpu"
    assert result.action is result.diagnoses[0].action is Action.RESTART_PROCESS
    assert result.next_evidence[0] == "x", "likely is not certain"
    assert {"700", "sigsegv", "cuda"} <= known.words


def test_the_signatures_own_action_comes_first() -> None:
    rule = _signature("s", action="change-model")
    result = diagnose(CRASH, Known([rule], [_family("gpu", action="reset-gpu")]))
    assert result.action is Action.CHANGE_MODEL
    assert diagnose(CRASH, Known([_signature("s")])).action is Action.COLLECT_MORE


def test_rank() -> None:
    rules = [
        _signature("hint", base=0.95, level="hint"),
        _signature("b", base=0.9),
        _signature("a", base=0.9),
        _signature("more", SEGV, CODE, base=0.9),
        _signature("certain", base=0.86),
        _signature("sure", base=0.99, level="likely"),
    ]
    result = diagnose(CRASH, Known(rules))
    assert [d.title for d in result.diagnoses] == ["more", "a", "b", "certain", "sure", "hint"]


def test_no_more_than_ten() -> None:
    rules = [_signature(f"s{n:02}", base=0.5 + n / 100) for n in range(30)]
    result = diagnose(CRASH, Known(rules))
    assert len(result.diagnoses) == MAX_DIAGNOSES == 10
    assert result.diagnoses[0].title == "s29"


def test_a_hint_alone_leaves_a_crash_unknown() -> None:
    rule = _signature("s", level="hint", action="change-model")
    families = [_family("gpu", action="reset-gpu", next_evidence=[{"text": "T", "command": "C"}])]
    result = diagnose(CRASH, Known([rule], families))
    assert result.verdict is Verdict.UNKNOWN
    assert [d.level for d in result.diagnoses] == [Level.HINT]
    assert (result.family, result.action) == ("gpu", Action.RESET_GPU)
    assert result.family_evidence == result.diagnoses[0].evidence
    assert result.next_evidence[0] == "T\nC"
    weak = diagnose(CRASH, Known([_signature("s", base=0.45)], families))
    assert (weak.family, weak.action) == (None, Action.COLLECT_MORE)


def test_the_family_by_its_rules() -> None:
    families = [
        _family("a", (0.6, [SEGV]), (0.99, [BUS]), (0.8, [SEGV, BUS])),
        _family("b", (0.7, [SEGV]), (0.7, [SEGV, CODE]), action="drain-and-replace"),
        _family("c", (0.7, [SEGV])),
        _family("d", (0.49, [])),
    ]
    result = diagnose(CRASH, Known([], families))
    assert result.verdict is Verdict.UNKNOWN
    assert (result.family, result.action) == ("b", Action.DRAIN_AND_REPLACE)
    assert [e.field for e in result.family_evidence] == ["signal.name", "error.code"]
    assert diagnose(CRASH, Known([], [_family("d", (0.49, [SEGV]))])).family is None


def test_no_crash() -> None:
    known = Known(
        [_signature("s", {"option": {"n-gpu-layers": 999}}, base=0.95)],
        [_family("gpu", (0.9, [{"option": {"n-gpu-layers": 999}}]))],
    )
    quiet = Crash(environment=Environment(options={"n-gpu-layers": "999"}))
    result = diagnose(quiet, known)
    assert result.verdict is Verdict.NO_CRASH
    assert (result.diagnoses, result.family, result.action, result.next_evidence) == (
        (), None, None, (),
    )  # fmt: skip


@pytest.mark.parametrize(("base", "verdict"), [(0.7, Verdict.KNOWN), (0.5, Verdict.NO_CRASH)])
def test_words_of_a_failure_that_no_format_knows(base, verdict) -> None:
    line = LogLine(text="GGML_ASSERT failed", at=Position(line=9))
    rule = _signature("s", {"log": {"line": "GGML_ASSERT*"}}, base=base)
    assert diagnose(Crash(lines=(line,)), Known([rule])).verdict is verdict


@pytest.mark.parametrize(
    ("path", "ctx", "command"),
    [
        ("/m/a-Q4_K_M.gguf", "2048", "run /m/a-Q4_K_M.gguf 6 2048 ${HOME:-/}"),
        ("/m/it's; rm -rf ~", "2048", "run m.gguf 6 2048 ${HOME:-/}"),
        ("--evil", "$(id)", "run m.gguf 6 4096 ${HOME:-/}"),
        (None, "4096\nid", "run m.gguf 6 4096 ${HOME:-/}"),
    ],
)
def test_values_in_a_remedy(path, ctx, command) -> None:
    text = "run ${model.path:-m.gguf} ${layers-that-fit:-28} ${option.ctx-size:-4096} ${HOME:-/}"
    remedy = {
        "summary": "S ${model.path:-x}",
        "calculate": ["layers-that-fit"],
        "step": [{"title": "t", "commands": [text], "before": text, "after": text}],
        "verify": [{"title": "v", "command": text}],
    }
    env = Environment(
        gpus=(Gpu(memory_total=10240),),
        model=ModelFile(path=path, file_size=16 << 30, layer_count=16),
        options={"ctx-size": ctx},
    )
    crash = dataclasses.replace(CRASH, environment=env)
    found = diagnose(crash, Known([_signature("s", remedy=remedy)])).diagnoses[0].remedy
    assert found is not None
    step = found.steps[0]
    assert {*step.commands, step.before, step.after, found.verify[0].command} == {command}
    assert found.summary == "S ${model.path:-x}"
    assert [c.result for c in found.calculations] == ["6 of 16 layers"]
    without = dataclasses.replace(crash, environment=Environment())
    remedy_without = diagnose(without, Known([_signature("s", remedy=remedy)])).diagnoses[0].remedy
    assert remedy_without is not None
    assert remedy_without.steps[0].commands == ("run m.gguf 28 4096 ${HOME:-/}",)


def test_the_engine_restricts_signatures() -> None:
    rules = [_signature("s", engine="openclaw")]
    vllm = dataclasses.replace(CRASH, engine=Engine(name="vllm"))
    assert diagnose(vllm, Known(rules)).verdict is Verdict.UNKNOWN
    assert diagnose(CRASH, Known(rules)).verdict is Verdict.KNOWN


def test_detect_engine() -> None:
    def rule(name: str, weight: float) -> EngineRule:
        when = [{"module": {"name": f"lib{name}*"}}]
        table = {"id": name, "title": name, "rule": [{"weight": weight, "when": when}]}
        return build_engine(table)

    known = Known([], programs=(rule("a", 0.6), rule("b", 0.9), rule("c", 0.4)))
    both = Crash(modules=(Module(name="liba.so"), Module(name="libb.so")))
    engine = detect_engine(both, known)
    assert engine is not None
    assert (engine.name, engine.evidence[0].text) == ("b", "libb.so")
    assert detect_engine(Crash(modules=(Module(name="libc.so"),)), known) is None
    assert detect_engine(Crash(), known) is None


def test_a_host_is_the_engine_and_not_what_is_inside_it() -> None:
    def rule(name: str, *embeds: str) -> EngineRule:
        when = [{"module": {"name": f"lib{name}*"}}]
        table = {"id": name, "title": name, "rule": [{"weight": 0.9, "when": when}]}
        return build_engine({**table, "embeds": list(embeds)})

    known = Known([], programs=(rule("host", "fork"), rule("fork", "inner"), rule("other")))

    def detected(module: str, named: str) -> tuple[str, str | None]:
        crash = Crash(modules=(Module(name=module),), engine=Engine(name=named, version="b7"))
        engine = detect_engine(crash, known)
        assert engine is not None
        return engine.name, engine.version

    assert detected("libhost.so", "inner") == ("host", None)
    assert detected("libother.so", "inner") == ("inner", "b7")
    assert detected("libhost.so", "host") == ("host", "b7")
    assert detected("libnothing.so", "inner") == ("inner", "b7")


@pytest.mark.parametrize(
    ("line", "weight", "family"),
    [
        ("ValueError: too many widgets", 0.7, "f"),
        ("ValueError: too many widgets", 0.6, None),
        ("INFO too many widgets were avoided", 0.9, None),
        ("- ValueError: too many widgets", 0.9, None),
    ],
)
def test_a_failure_that_is_stated_has_a_family(line, weight, family) -> None:
    known = Known([], [_family("f", (weight, [{"log": {"line": "*too many widgets*"}}]))])
    crash = Crash(lines=(LogLine(text=line, at=Position(line=9)),))
    result = diagnose(crash, known)
    assert result.family == family
    assert result.verdict is (Verdict.UNKNOWN if family else Verdict.NO_CRASH)
    assert diagnose(dataclasses.replace(crash, snapshot=True), known).family is None


def test_a_line_that_quotes_a_failure_is_none() -> None:
    rule = _signature("s", {"log": {"line": "*unknown widget*"}}, base=0.9)
    for text in (
        '    throw Error("unknown widget");',
        "- fixed: unknown widget",
        "| unknown widget |",
    ):
        line = LogLine(text=text, at=Position(line=9))
        assert diagnose(Crash(lines=(line,)), Known([rule])).verdict is Verdict.NO_CRASH


def _missing(crash: Crash) -> str:
    return "\n".join(diagnose(crash, Known([])).next_evidence)


def _thread(*frames: Frame, kind: ThreadKind = ThreadKind.HOST) -> Thread:
    return Thread(frames=frames, crashed=True, kind=kind)


ASYNC = ErrorRecord(api="cuda", code=700, timing=Timing.ASYNCHRONOUS)


def test_without_a_stack_a_stack_is_asked_for() -> None:
    env = Environment(command_line=("/opt/claw_inference", "--prompt", "secret"))
    text = _missing(dataclasses.replace(CRASH, environment=env))
    assert "gdb -batch -ex run" in text
    assert "--args /opt/claw_inference ARGUMENTS" in text
    assert "secret" not in text
    assert "--args PROGRAM ARGUMENTS" in _missing(CRASH)
    odd = dataclasses.replace(CRASH, environment=Environment(command_line=("a b; id",)))
    assert "--args PROGRAM ARGUMENTS" in _missing(odd)
    core = dataclasses.replace(CRASH, warnings=(ReportWarning(code="binary-missing", message="m"),))
    assert "clawtriage core CORE --binary PROGRAM" in _missing(core)
    assert "clawtriage core CORE --binary PROGRAM" in _missing(CRASH)
    assert "gdb -batch" not in _missing(core)


def test_without_symbols_a_build_with_symbols_is_asked_for() -> None:
    bare = _thread(Frame(index=0, address="0x1", trust=Trust.ADDRESS_ONLY))
    named = _thread(Frame(index=0, function="f"))
    text = _missing(Crash(threads=(bare,), crashed_thread=0))
    assert "build with -g" in text
    assert "gdb -batch" not in text
    assert _missing(Crash(threads=(named,), crashed_thread=0)) == ""
    assert _missing(Crash(threads=(named, bare), crashed_thread=0)) == ""


def test_an_asynchronous_error_wants_the_launch_that_failed() -> None:
    crash = Crash(errors=(ASYNC,), threads=(_thread(Frame(index=0, function="f")),))
    assert "CUDA_LAUNCH_BLOCKING=1 PROGRAM" in _missing(crash)
    assert "CUDA_ENABLE_COREDUMP_ON_EXCEPTION=1" in _missing(crash)
    blocking = Environment(variables={"CUDA_LAUNCH_BLOCKING": "1"})
    text = _missing(dataclasses.replace(crash, environment=blocking))
    assert "CUDA_LAUNCH_BLOCKING" not in text
    assert "CUDA_ENABLE_COREDUMP_ON_EXCEPTION=1" in text
    on_gpu = dataclasses.replace(
        crash, threads=(_thread(Frame(index=0, function="k"), kind=ThreadKind.GPU),)
    )
    assert _missing(on_gpu) == ""
    hip = dataclasses.replace(crash, errors=(dataclasses.replace(ASYNC, api="hip"),))
    assert "AMD_SERIALIZE_KERNEL=3" in _missing(hip)
    assert "CUDA" not in _missing(hip)


def test_a_killed_process_wants_the_kernels_log() -> None:
    killed = Crash(signal=Signal(name="SIGKILL"))
    assert "journalctl -k" in _missing(killed)
    told = dataclasses.replace(killed, errors=(ErrorRecord(api="oom-killer"),))
    assert "journalctl -k" not in _missing(told)


# ---- a team's own signatures, and what people said --------------------------------------------


def _own(signature: Signature) -> Signature:
    return dataclasses.replace(signature, own=True)


def _titles(rules: list[Signature], feedback: Mapping[str, Feedback] | None = None) -> list[str]:
    return [d.title for d in diagnose(CRASH, Known(rules), feedback or {}).diagnoses]


def test_a_teams_own_signature_outranks_ours_of_the_same_level() -> None:
    ours, team = _signature("ours", base=0.99), _own(_signature("team", base=0.86))
    assert _titles([ours, team]) == ["team", "ours"]
    assert diagnose(CRASH, Known([ours, team])).diagnoses[0].own


def test_a_teams_own_signature_of_a_lower_level_does_not() -> None:
    ours, team = _signature("ours", base=0.9), _own(_signature("team", base=0.84))
    assert _titles([ours, team]) == ["ours", "team"]


def test_what_people_said_moves_diagnoses_of_one_level() -> None:
    rules = [_signature("a", base=0.95), _signature("b", base=0.9)]
    assert _titles(rules) == ["a", "b"]
    assert _titles(rules, {"p/b": Feedback(right=12, wrong=2)}) == ["b", "a"]
    assert _titles(rules, {"p/a": Feedback(right=1, wrong=5)}) == ["b", "a"]
    assert _titles(rules, {"p/b": Feedback(right=2)}) == ["a", "b"], "two reports say little"
    assert _titles(rules, {"p/b": Feedback(right=3, wrong=3)}) == ["a", "b"]


@given(
    bases=st.lists(st.sampled_from((0.35, 0.5, 0.65, 0.7, 0.86, 0.95)), min_size=1, max_size=6),
    said=st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=6, max_size=6),
)
def test_what_people_said_neither_makes_nor_forbids_nor_lifts(bases, said) -> None:
    rules = [_signature(f"s{n}", base=base) for n, base in enumerate(bases)]
    feedback = {
        rule.id: Feedback(right=right, wrong=wrong)
        for rule, (right, wrong) in zip(rules, said, strict=False)
    }
    plain, told = diagnose(CRASH, Known(rules)), diagnose(CRASH, Known(rules), feedback)
    assert (plain.verdict, plain.family) == (told.verdict, told.family)
    assert [d.level for d in plain.diagnoses] == [d.level for d in told.diagnoses]
    same = [{(d.signature, d.confidence) for d in r.diagnoses} for r in (plain, told)]
    assert same[0] == same[1]
    assert all(d.feedback == feedback[d.signature] for d in told.diagnoses)
