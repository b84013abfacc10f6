from __future__ import annotations

import time
from dataclasses import replace

import pytest

from triage.model.crash import Engine, Environment, ErrorRecord, ModelFile, ReportWarning
from triage.model.diagnosis import Check, Diagnosis, Level, Remedy, Step, Verdict
from triage.model.evidence import Evidence
from triage.model.jsonform import to_json
from triage.model.position import Position
from triage.model.report import Input, InputKind, Report
from triage.model.stack import Frame, Thread
from triage.text.redact import redact_report

_HF = "hf_" + "aB3" * 11 + "x"
_GITHUB = "ghp_" + "aB3" * 12
_JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.SflKxwRJSMeKKF2QT4fwpMeJf36P"


def _report(**fields: object) -> Report:
    return replace(
        Report(
            verdict=Verdict.UNKNOWN,
            inputs=(Input(id=0, name="crash.log", kind=InputKind.TEXT),),
        ),
        **fields,
    )


def _text(text: str) -> str:
    report = redact_report(_report(errors=(ErrorRecord(api="engine", message=text),)))
    return report.errors[0].message or ""


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        (f"pulling with {_HF}", "pulling with <hf-token:1>"),
        ("key sk-proj-" + "a1B2" * 8, "key <openai-key:1>"),
        ("key sk-ant-api03-" + "a1B2" * 8, "key <anthropic-key:1>"),
        ("nvapi-" + "a1B2" * 16, "<nvidia-key:1>"),
        (f"clone with {_GITHUB}.", "clone with <github-token:1>."),
        ("github_pat_" + "a1" * 20, "<github-token:1>"),
        ("AKIAIOSFODNN7EXAMPLE", "<aws-key:1>"),
        ("Authorization: Bearer abc123def456", "Authorization: Bearer <bearer-token:1>"),
        (f"Authorization: Bearer {_JWT}", "Authorization: Bearer <jwt:1>"),
        ("Authorization: Basic dXNlcjpwYXNzd29yZA==", "Authorization: Basic <bearer-token:1>"),
        ("http://bob:hunter2@proxy:3128/", "http://<url-credentials:1>@proxy:3128/"),
        ("CLAW_API_KEY=abcdef set", "CLAW_API_KEY=<secret:1> set"),
        ('"db_password": "open sesame",', '"db_password": "<secret:1>",'),
        ("AWS_SECRET_ACCESS_KEY='wJalrXUtn/EMI'", "AWS_SECRET_ACCESS_KEY='<secret:1>'"),
        ("claw_server --api-key abc-def --port 80", "claw_server --api-key <secret:1> --port 80"),
        ("ask bob.smith+x@mail.example.com.", "ask <email:1>."),
        ("/home/alice/models/x.gguf: bad magic", "<home-path:1>/models/x.gguf: bad magic"),
        ("file:///home/alice/x.log", "file://<home-path:1>/x.log"),
        ("in /Users/bob/src/a.cpp:12", "in <home-path:1>/src/a.cpp:12"),
        ("C:\\Users\\John Doe\\x.gguf", "<home-path:1>\\x.gguf"),
        ("c:/users/bob/x.gguf", "<home-path:1>/x.gguf"),
        ("peer 93.184.216.34 left", "peer <ip-address:1> left"),
        ("http://8.8.8.8/ and host=1.1.1.1", "http://<ip-address:1>/ and host=<ip-address:2>"),
        ("connect to 8.8.8.8:443 failed", "connect to <ip-address:1>:443 failed"),
        ("claw --prompt 'Dear Bob' -n 5", "claw --prompt '<prompt:8 characters>' -n 5"),
        (
            "claw --prompt=Dear Bob --n-predict 5",
            "claw --prompt=<prompt:8 characters> --n-predict 5",
        ),
        (
            'generate (prompt="Dear \\"Bob\\"", n=5)',
            'generate (prompt="<prompt:12 characters>", n=5)',
        ),
        (
            '{"role": "user", "content": "Dear Bob"}',
            '{"role": "user", "content": "<prompt:8 characters>"}',
        ),
        ("prompt_token_ids: [1, 22, 333]", "prompt_token_ids: [<prompt:10 characters>]"),
    ],
)
def test_what_is_secret_is_replaced(text: str, redacted: str) -> None:
    assert _text(text) == redacted


@pytest.mark.parametrize(
    "text",
    [
        "#5  0x000055beef20f755 in llm::engine::remap (this=0x7ffe99e54910) at a.cpp:1423",
        "token=13, n_tokens = 2048, next_token: 1, bos_token=<s>, eos token: '</s>'",
        "llama_decode (token=@0x7ffe99e54910, key=0x55, cache_key=7)",
        "tokens: 66, max_tokens=4096, token: hello, token_id = 128009",
        "secret::vault::open at secret.cpp:12",
        "hf_tensor_remap, sk-learn, gh_action, AKIA, eyJ",
        "memcpy@@GLIBC_2.14 pthread_kill@GLIBC_2.34 signo@entry=6 foo@plt",
        "claw@gpu0.service: Main process exited; git@github.com:openclaw/openclaw.git",
        "driver 535.129.03, cuDNN 8.9.7.29, NCCL version 2.18.5.1, libfoo.so.1.2.3.4, v1.2.3.4",
        "driver version 31.0.15.3623, Vulkan 1.3.277.0, python-3.11.2.1",
        "listening on 127.0.0.1:8080, 192.168.0.7, 10.0.0.1, 172.20.1.1, 0.0.0.0",
        "/opt/claw/src/failure.cpp:24, /usr/lib/libc.so.6, /Users/Shared/x, /home/, /home/*/x",
        "https://example.org/home/page",
        "[INFO] prompt: 2 tokens, generating 8 tokens",
        "PASSWORD=$SECRET, API_KEY=, TOKEN=true, api_key: none",
        "TOKENIZERS_PARALLELISM=false, CLAW_TOKEN_FILE=/run/secrets/claw",
        "compute capability 8.0, sha 5f0a7a00, bearer authentication",
    ],
)
def test_what_is_not_secret_stays(text: str) -> None:
    assert _text(text) == text


def test_the_same_value_has_the_same_number_everywhere() -> None:
    other = "hf_" + "zZ9" * 11
    report = redact_report(
        _report(
            errors=(ErrorRecord(api="engine", message=f"{_HF} {other}"),),
            warnings=(ReportWarning(code="x", message=f"again {other}, {_HF}, {_HF}"),),
        )
    )
    assert report.errors[0].message == "<hf-token:1> <hf-token:2>"
    assert report.warnings[0].message == "again <hf-token:2>, <hf-token:1>, <hf-token:1>"
    assert report.redactions == {"hf-token": 5}


def test_variables_and_options_are_redacted_by_name() -> None:
    environment = Environment(
        variables={
            "CLAW_PASSWORD": "x",
            "CLAW_AUTH": "abcdef",
            "HF_TOKEN": _HF,
            "KEY_FILE": "/a/b",
        },
        options={"api-key": "abc-def-g", "prompt": "Dear Bob", "n-predict": "50", "max-token": "9"},
    )
    report = redact_report(_report(environment=environment))
    assert report.environment.variables == {
        "CLAW_PASSWORD": "<secret:1>",
        "CLAW_AUTH": "<secret:2>",
        "HF_TOKEN": "<hf-token:1>",
        "KEY_FILE": "/a/b",
    }
    assert report.environment.options == {
        "api-key": "<secret:3>",
        "prompt": "<prompt:8 characters>",
        "n-predict": "50",
        "max-token": "9",
    }


def test_a_command_line_loses_prompts_and_secrets() -> None:
    line = (
        "/home/alice/claw",
        "--verbose",
        "--api-key=abcdefgh",
        "--prompt",
        "-x y",
        "-p",
        "Dear Bob",
        "--hf-token",
        "abcdefgh",
        "--flash-attn",
        "--prompt=Hi there",
        "--port",
        "8080",
        "-p",
        "80:80",
    )
    report = redact_report(_report(environment=Environment(command_line=line)))
    assert report.environment.command_line == (
        "<home-path:1>/claw",
        "--verbose",
        "--api-key=<secret:1>",
        "--prompt",
        "<prompt:4 characters>",
        "-p",
        "<prompt:8 characters>",
        "--hf-token",
        "<secret:1>",
        "--flash-attn",
        "--prompt=<prompt:8 characters>",
        "--port",
        "8080",
        "-p",
        "80:80",
    )


def test_what_only_its_name_gives_away_is_found_everywhere() -> None:
    report = redact_report(
        _report(
            environment=Environment(
                variables={"CLAW_PASSWORD": "correct-horse-9"},
                options={"prompt": "why does it crash"},
            ),
            errors=(
                ErrorRecord(api="engine", message="login correct-horse-9, after why does it crash"),
            ),
        )
    )
    assert report.errors[0].message == "login <secret:1>, after <prompt:17 characters>"


def test_our_own_commands_keep_their_prompts_and_can_still_be_pasted() -> None:
    remedy = Remedy(
        summary="Set --prompt shorter than the cache.",
        steps=(Step(title="Go", commands=("claw --model /home/alice/m.gguf --prompt Test",)),),
        verify=(Check(title="Log in", command='export HF_TOKEN="put-yours-here-1234"'),),
    )
    diagnosis = Diagnosis(
        signature="a/b",
        family="other",
        title="t",
        confidence=0.9,
        level=Level.CERTAIN,
        cause="The --prompt is longer than 2048 tokens.",
        remedy=remedy,
        evidence=(Evidence(field="log.line", text="--prompt Dear Bob", weight=0.5),),
    )
    (found,) = redact_report(_report(diagnoses=(diagnosis,))).diagnoses
    assert found.cause == diagnosis.cause
    assert found.evidence[0].text == "--prompt <prompt:8 characters>"
    assert found.remedy == replace(
        remedy, steps=(Step(title="Go", commands=("claw --model $HOME/m.gguf --prompt Test",)),)
    )


def test_the_value_of_a_setting_is_not_told_as_evidence() -> None:
    evidence = (
        Evidence(field="option.prompt", text="Dear Bob", weight=0.5),
        Evidence(field="variable.CLAW_AUTH", text="abcdef", weight=0.5),
        Evidence(field="variable.CLAW_AUTH", text="CLAW_AUTH is not set", weight=0.5),
        Evidence(field="option.n-predict", text="50", weight=0.5),
    )
    report = redact_report(_report(family_evidence=evidence))
    assert [e.text for e in report.family_evidence] == [
        "<prompt:8 characters>",
        "<secret:1>",
        "CLAW_AUTH is not set",
        "50",
    ]
    assert redact_report(report) == report


def test_versions_are_never_addresses() -> None:
    report = _report(
        engine=Engine(name="claw", version="93.184.216.34"),
        environment=Environment(driver="93.184.216.34"),
    )
    assert redact_report(report) is report


def test_redacting_twice_changes_nothing() -> None:
    once = redact_report(
        _report(
            environment=Environment(
                variables={"HF_TOKEN": _HF, "CLAW_PASSWORD": "correct-horse-9"},
                options={"prompt": "why does it crash"},
                command_line=("/home/alice/claw", "--prompt", "Dear Bob", "--api-key", "abc-def-g"),
                model=ModelFile(path="C:\\Users\\bob\\m.gguf"),
            ),
            errors=(
                ErrorRecord(api="engine", message="claw --prompt Dear Bob --api-key abc-def-g x"),
                ErrorRecord(api="engine", message="http://u:p@h/ bob@example.com 93.184.216.34"),
                ErrorRecord(api="engine", message=f'Bearer abc12345 prompt="Hi" TOKEN={_JWT}'),
            ),
        )
    )
    assert redact_report(once) == once
    assert set(once.redactions) == {
        "bearer-token",
        "email",
        "hf-token",
        "home-path",
        "ip-address",
        "jwt",
        "prompt",
        "secret",
        "url-credentials",
    }


def test_every_string_of_a_report_is_looked_at() -> None:
    frame = Frame(
        index=0,
        function=_HF,
        args=_HF,
        file=_HF,
        module=_HF,
        offset=_HF,
        address=_HF,
        noise=_HF,
        launch=_HF,
        at=Position(member=_HF),
    )
    report = _report(
        threads=(Thread(id=_HF, name=_HF, frames=(frame,)),),
        environment=Environment(os=_HF, driver=_HF, container=_HF, model=ModelFile(path=_HF)),
        next_evidence=(_HF,),
        family=_HF,
    )
    assert _HF not in str(to_json(redact_report(report)))


def test_a_report_without_secrets_is_the_same_object() -> None:
    report = _report(errors=(ErrorRecord(api="cuda", code=700),))
    assert redact_report(report) is report


@pytest.mark.parametrize(
    "unit",
    [
        "a",
        "a.",
        "a@",
        "@a.",
        ":",
        "://a:",
        "hf_",
        "sk-",
        "eyJ",
        "eyJaaaaaaaa.",
        "token=",
        'token="',
        "--prompt ",
        "--prompt",
        "prompt='",
        'content: "',
        "--a",
        "-",
        "- -",
        "/home/",
        "/home/a/",
        "c:\\users\\",
        "1.",
        "1.1.1.1.",
        "9.9.9.9 ",
        "bearer ",
        "AKIA",
        "gh",
        "key: ",
        "\\",
        "'",
        '"',
        "prompt_token_ids:[1,",
        "1,",
        " ",
        "password:",
        "secret_",
        "api_key",
    ],
)
def test_hostile_texts_take_linear_time(unit: str) -> None:
    text = (unit * (1 << 20))[: 1 << 20]
    start = time.process_time()
    _text(text)
    assert time.process_time() - start < 2


def test_ten_thousand_frames_are_fast() -> None:
    frames = tuple(
        Frame(
            index=n,
            function=f"llm::engine::step_{n}<float, {n}>",
            args=f"(this=0x7ffe{n:08x}, n_tokens={n}, path=...)",
            file=f"/opt/claw/src/part_{n % 50}.cpp",
            line=n,
            module="libclaw.so",
            address=f"0x{n:016x}",
            at=Position(input=0, line=n),
        )
        for n in range(10_000)
    )
    report = _report(threads=(Thread(frames=frames),))
    start = time.process_time()
    assert redact_report(report) is report
    assert time.process_time() - start < 1, "0.1 s on a quiet machine"
