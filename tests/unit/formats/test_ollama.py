"""Ollama's log of several versions."""

from __future__ import annotations

import pytest

from triage.model.crash import Crash, Role
from triage.read import ReadOptions, read_text


def read(text: str) -> Crash:
    return read_text(text, ReadOptions()).crash


def record(source: str, said: str, level: str = "INFO") -> str:
    return f"time=2025-01-28T17:08:57.364+08:00 level={level} source={source}:12 msg={said}"


CONFIG = (
    '"map[CUDA_VISIBLE_DEVICES:1 HSA_OVERRIDE_GFX_VERSION: OLLAMA_HOST:http://127.0.0.1:11434 '
    "OLLAMA_MODELS:C:\\\\Users\\\\me\\\\models OLLAMA_ORIGINS:[http://localhost https://x:*] "
    'ROCR_VISIBLE_DEVICES: http_proxy: no_proxy:]"'
)


class TestFacts:
    @pytest.mark.parametrize(
        "line",
        [
            record("routes.go", f'"server config" env={CONFIG}'),
            f"2025/01/28 17:08:57 routes.go:1187: INFO server config env={CONFIG}",
        ],
    )
    def test_variables(self, line: str):
        crash = read(line)
        assert crash.engine.name == "ollama"
        assert crash.environment.variables == {
            "CUDA_VISIBLE_DEVICES": "1",
            "HSA_OVERRIDE_GFX_VERSION": None,
            "OLLAMA_HOST": "http://127.0.0.1:11434",
            "OLLAMA_MODELS": "C:\\\\Users\\\\me\\\\models",
            "OLLAMA_ORIGINS": "[http://localhost https://x:*]",
            "ROCR_VISIBLE_DEVICES": None,
            "http_proxy": None,
            "no_proxy": None,
        }
        assert crash.environment.where["variable.OLLAMA_HOST"].line == 1

    @pytest.mark.parametrize(
        ("said", "gpu", "driver"),
        [
            (
                (
                    '"inference compute" id=GPU-1 library=cuda variant=v12 compute=8.6 driver=12.4 '
                    'name="NVIDIA GeForce RTX 3060" total="11.8 GiB" available="512.0 MiB"'
                ),
                ("NVIDIA GeForce RTX 3060", "8.6", 12083, 512), "12.4",
            ),
            (
                (
                    '"inference compute" id=0 filter_id="" library=CUDA compute=8.9 name=CUDA0 '
                    'description="NVIDIA GeForce RTX 4090" driver=12.8 total="24.0 GiB"'
                ),
                ("NVIDIA GeForce RTX 4090", "8.9", 24576, None), "12.8",
            ),
            (
                (
                    '"inference compute" id=0 library=rocm variant="" compute=gfx1150 driver=6.1 '
                    'name="AMD Radeon(TM) 890M" total="14.2 GiB" available="14.0 GiB"'
                ),
                ("AMD Radeon(TM) 890M", "gfx1150", 14541, 14336), None,
            ),
        ],
    )  # fmt: skip
    def test_gpu(self, said: str, gpu: tuple[object, ...], driver: str | None):
        environment = read(record("types.go", said)).environment
        (found,) = environment.gpus
        assert (
            found.name, found.compute_capability, found.memory_total, found.memory_free,
        ) == gpu  # fmt: skip
        assert environment.driver_cuda == driver

    def test_processor_is_no_gpu(self):
        said = '"inference compute" id=0 library=cpu variant="" total="31.1 GiB"'
        assert read(record("types.go", said)).environment.gpus == ()

    def test_version_command_and_model(self):
        crash = read(
            "\n".join(
                (
                    record("routes.go", '"Listening on 127.0.0.1:11434 (version 0.5.7)"'),
                    record(
                        "server.go",
                        '"starting llama server" cmd="/usr/bin/ollama runner --model '
                        '/m/sha256-aabb --ctx-size 8192 --flash-attn --parallel 4"',
                    ),
                    record(
                        "ggml.go", '"" architecture=gptoss file_type=Q4_K_M name="" num_tensors=459'
                    ),
                )
            )
        )
        environment = crash.environment
        assert (crash.engine.name, crash.engine.version) == ("ollama", "0.5.7")
        assert environment.command_line[:3] == ("/usr/bin/ollama", "runner", "--model")
        assert environment.options == {
            "model": "/m/sha256-aabb", "ctx-size": "8192", "flash-attn": "true", "parallel": "4",
        }  # fmt: skip
        model = environment.model
        assert (model.path, model.architecture, model.quantization, model.tensor_count) == (
            "/m/sha256-aabb", "gptoss", "Q4_K_M", 459,
        )  # fmt: skip
        assert not crash.is_crash


class TestRunnersEnd:
    @pytest.mark.parametrize(
        ("words", "signal"),
        [
            ("signal: aborted (core dumped)", "SIGABRT"),
            ("signal: segmentation fault", "SIGSEGV"),
            ("signal: killed", "SIGKILL"),
            ("signal: illegal instruction (core dumped)", "SIGILL"),
            ("exit status 2", None),
        ],
    )
    def test_signal(self, words: str, signal: str | None):
        for line in (
            record("server.go", f'"llama runner terminated" error="{words}"', "ERROR"),
            f"Error: llama runner process has terminated: {words}",
        ):
            crash = read(line)
            assert (crash.signal and crash.signal.name) == signal
            assert crash.engine.name == "ollama"
            assert [(e.name, e.role) for e in crash.errors if e.api == "engine"] == [
                ("ollama", Role.CONSEQUENCE)
            ]

    def test_check_that_the_server_repeats_is_one_error(self):
        crash = read(
            "ggml.c:1542: GGML_ASSERT(a < b) failed\n"
            + record("server.go", '"llama runner terminated" error="exit status 2"', "ERROR")
            + "\n"
            + record(
                "sched.go",
                '"error loading llama server" error="llama runner process has terminated: '
                'GGML_ASSERT(a < b) failed"',
                "ERROR",
            )
        )
        assert [(e.name, e.at.line, e.count) for e in crash.errors] == [
            ("GGML_ASSERT", 1, 1), ("ollama", 2, 1), ("ollama", 3, 1),
        ]  # fmt: skip

    def test_what_the_client_repeats_is_read_too(self):
        crash = read("Error: llama runner process has terminated: cudaMalloc failed: out of memory")
        assert [(e.api, e.code) for e in crash.errors] == [("engine", None), ("cuda", 2)]

    @pytest.mark.parametrize(
        "line",
        [
            'time=2025-01-28T17:08:57Z level=ERROR source=reconcile.go:12 msg="x failed"',
            "2025/01/28 17:08:57 main.go:12: ERROR x failed",
        ],
    )
    def test_other_programs_log(self, line: str):
        crash = read(line)
        assert (crash.engine, crash.errors) == (None, ())

    @pytest.mark.parametrize(
        ("code", "name"),
        [("3221225785", "STATUS_ENTRYPOINT_NOT_FOUND"), ("3221225781", "STATUS_DLL_NOT_FOUND")],
    )
    def test_a_status_of_windows_in_decimal(self, code: str, name: str):
        crash = read(f"Error: llama runner process no longer running: {code}")
        assert [e.name for e in crash.errors if e.api == "ntstatus"] == [name]
