"""ggml's errors as its versions and backends print them, and the facts of llama.cpp's log."""

from __future__ import annotations

import pytest

from triage.formats._ggml_facts import bytes_of, quantization
from triage.model.crash import Crash, Role
from triage.read import ReadOptions, read_text


def read(text: str) -> Crash:
    return read_text(text, ReadOptions()).crash


class TestChecks:
    @pytest.mark.parametrize(
        ("line", "expected"),
        [
            ("/x/ggml.c:12: GGML_ASSERT(a > b(c)) failed", ("a > b(c)", "/x/ggml.c", 12)),
            ("GGML_ASSERT: C:\\x\\ggml.c:12: a != b", ("a != b", "C:\\x\\ggml.c", 12)),
            ("D:\\x\\ggml.c:12: GGML_ASSERT(a) failed", ("a", "D:\\x\\ggml.c", 12)),
            ("GGML_ASSERT(M % 4 == 0) failed", ("M % 4 == 0", None, None)),
            ("token,/x/ggml.c:12: GGML_ASSERT(a) failed", ("a", "token,/x/ggml.c", 12)),
        ],
    )
    def test_form(self, line: str, expected: tuple[str, str | None, int | None]):
        (error,) = read(line).errors
        assert (error.api, error.name) == ("engine", "GGML_ASSERT")
        text, *place = expected
        assert error.message == f"GGML_ASSERT({text}) failed"
        assert [error.file, error.line] == place

    def test_workers_that_fail_together_are_one_error(self):
        (error,) = read(
            "x.c:8: x.c:8: GGML_ASSERT(i > 0) failedGGML_ASSERT(i > 0) failed\n"
            "x.c:8: GGML_ASSERT(i > 0) failed\nGGML_ASSERT(i > 0) failed\n"
        ).errors
        assert (error.message, error.file, error.line, error.count) == (
            "GGML_ASSERT(i > 0) failed", "x.c", 8, 3,
        )  # fmt: skip

    def test_check_that_a_line_break_went_into(self):
        (error,) = read("a/x.h:7: GGML_ASSERT(S\n > 0) failed\n").errors
        assert (error.message, error.file, error.line) == ("GGML_ASSERT(S > 0) failed", "a/x.h", 7)
        assert read("a/x.h:7: GGML_ASSERT(S\nand then nothing\n").errors == ()

    @pytest.mark.parametrize(
        ("line", "message"),
        [
            ("ggml-cuda.cu:12: fatal error", "fatal error"),
            ("/x/y.cpp:12: this is not implemented", "this is not implemented"),
            ("llama.cpp:12: X2 does not support K-shift", "X2 does not support K-shift"),
            ("/w/whisper.cpp:12: Bad audio of this kind", "Bad audio of this kind"),
        ],
    )  # fmt: skip
    def test_abort(self, line: str, message: str):
        (error,) = read(line).errors
        assert (error.name, error.message, error.line) == ("ggml_abort", message, 12)

    @pytest.mark.parametrize(
        "line",
        [
            "llama.cpp:12: warning: unused variable",
            "x: llama.cpp:12: f: Assertion `a' failed.",
            "see llama.cpp:12 for more",
            "main.cpp:12: Starting the server",
        ],
    )
    def test_no_abort(self, line: str):
        assert [e for e in read(line).errors if e.api == "engine"] == []


class TestBackends:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            (
                "CUDA error: out of memory\n  current device: 0, in function f at /x/g.cu:12",
                ("cuda", 2, "cudaErrorMemoryAllocation", "/x/g.cu", 12),
            ),
            (
                (
                    "[462] 0.54 E CUDA error: an illegal memory access was encountered \n"
                    "[462] 0.54 E   current device: 0, in function f at C:\\x\\g.cu:12   "
                ),
                ("cuda", 700, "cudaErrorIllegalAddress", "C:\\x\\g.cu", 12),
            ),
            (
                "ROCm error: ggml-cuda.cu:6246: invalid device function",
                ("hip", 98, "hipErrorInvalidDeviceFunction", "ggml-cuda.cu", 6246),
            ),
            (
                "alloc_buffer: allocating 12.00 MiB on device 0: cudaMalloc failed: out of memory",
                ("cuda", 2, "cudaErrorMemoryAllocation", None, None),
            ),
            (
                "ggml_cuda_init: failed to initialize CUDA: no CUDA-capable device is detected",
                ("cuda", 100, "cudaErrorNoDevice", None, None),
            ),
            (
                "ggml_vulkan: vk::Device::allocateMemory: ErrorOutOfDeviceMemory",
                ("vulkan", -2, "VK_ERROR_OUT_OF_DEVICE_MEMORY", None, None),
            ),
            (
                "CLBlast: OpenCL error: clEnqueueNDRangeKernel: -54",
                ("opencl", -54, "CL_INVALID_WORK_GROUP_SIZE", None, None),
            ),
            (
                "ggml_opencl: clCreateBuffer(ctx, 1, n, 0, &e) error -61 at ggml-opencl.cpp:120",
                ("opencl", -61, "CL_INVALID_BUFFER_SIZE", "ggml-opencl.cpp", 120),
            ),
            (
                "ggml_metal_graph_compute: command buffer 1 failed with status 5",
                ("metal", 5, None, None, None),
            ),
            (
                "error: Insufficient Memory (00000008:kIOGPUCommandBufferCallbackErrorOutOfMemory)",
                ("metal", None, "kIOGPUCommandBufferCallbackErrorOutOfMemory", None, None),
            ),
            (
                "Native API failed. Native API returns: 39 (UR_RESULT_ERROR_OUT_OF_DEVICE_MEMORY)",
                ("sycl", 39, "UR_RESULT_ERROR_OUT_OF_DEVICE_MEMORY", None, None),
            ),
            (
                "llama_model_load: error loading model: unknown model architecture: 'x'",
                ("engine", None, "llama_model_load", None, None),
            ),
            (
                "ggml_gallocr_reserve_n: failed to allocate CUDA0 buffer of size 838447104",
                ("engine", None, "ggml_gallocr_reserve_n", None, None),
            ),
        ],
    )
    def test_error(self, text: str, expected: tuple[object, ...]):
        (error,) = read(text).errors
        assert (error.api, error.code, error.name, error.file, error.line) == expected

    def test_abort_below_a_device_error_is_its_consequence(self):
        crash = read(
            "CUDA error: out of memory\n  current device: 0, in function f at /x/g.cu:12\n"
            '  cudaX(a)\n/x/g.cu:70: CUDA error\nGGML_ASSERT: g.cu:7: !"CUDA error"\n'
        )
        assert [(e.api, e.role) for e in crash.errors] == [
            ("cuda", Role.UNCLEAR), ("engine", Role.CONSEQUENCE), ("engine", Role.CONSEQUENCE),
        ]  # fmt: skip

    @pytest.mark.parametrize(
        "line",
        [
            "RuntimeError: CUDA error: out of memory",
            "ggml_backend_load_best: failed to load /x/libggml-cpu-zen4.so",
            "ggml_vulkan: Found 1 Vulkan devices:",
            "llama_model_loader: - type  f32:   65 tensors",
        ],
    )
    def test_not_an_error_of_ggml(self, line: str):
        (*errors,) = [e for e in read(line).errors if e.api not in ("cuda", "python")]
        assert errors == []


LOG = """\
build: 4567 (a1b2c3d) with cc (Debian 12.2.0-14) 12.2.0 for x86_64-linux-gnu
ggml_cuda_init: found 2 CUDA devices:
  Device 0: NVIDIA GeForce RTX 3090, compute capability 8.6, VMM: yes
  Device 1: AMD Radeon RX 7900 XTX, gfx1100 (0x1100), VMM: no, Wave Size: 32
llama_model_load: using device CUDA0 (NVIDIA GeForce RTX 3090) - 23994 MiB free
llama_model_loader: loaded meta data with 9 key-value pairs and 29 tensors from /a b.gguf (version 3
llama_model_loader: - kv   0:                       general.architecture str              = llama
print_info: file type   = Q4_K - Medium
print_info: file size   = 3.80 GiB (4.84 BPW)
print_info: n_ctx_train      = 32768
print_info: n_layer          = 32
llama_context: n_ctx         = 4096
llama_context: flash_attn    = 0
"""


class TestFacts:
    def test_engine_devices_and_model(self):
        crash = read(LOG)
        environment = crash.environment
        assert (crash.engine.name, crash.engine.version) == ("llama.cpp", "b4567")
        assert [(g.name, g.compute_capability, g.memory_free) for g in environment.gpus] == [
            ("NVIDIA GeForce RTX 3090", "8.6", 23994), ("AMD Radeon RX 7900 XTX", "gfx1100", None),
        ]  # fmt: skip
        model = environment.model
        assert (model.path, model.architecture, model.quantization, model.tensor_count) == (
            "/a b.gguf", "llama", "Q4_K_M", 29,
        )  # fmt: skip
        assert (model.layer_count, model.context_length) == (32, 32768)
        assert model.file_size == round(3.8 * (1 << 30))
        assert environment.options == {"ctx-size": "4096", "flash-attn": "0"}
        assert environment.where["gpu.name"].line == 3
        assert environment.where["model.quantization"].line == 8
        assert not crash.is_crash

    @pytest.mark.parametrize(
        ("line", "engine"),
        [
            ("main: build = 1270 (c091cdf)", ("llama.cpp", "b1270")),
            (
                'INFO [main] build info | tid="1" timestamp=1 build=3772 commit="f6b2c1d"',
                ("llama.cpp", "b3772"),
            ),
            (
                '{"function":"main","msg":"build info","build":1663,"commit":"799fc22"}',
                ("llama.cpp", "b1663"),
            ),
            ("Welcome to KoboldCpp - Version 1.67", ("koboldcpp", "1.67")),
        ],
    )
    def test_engine(self, line: str, engine: tuple[str, str]):
        found = read(f"{line}\nGGML_ASSERT(a) failed").engine
        assert (found.name, found.version) == engine

    def test_settings_of_a_generation(self):
        environment = read(
            "sampler params:\n\trepeat_last_n = 16384, repeat_penalty = 1.100\n"
            "generate: n_ctx = 2048, n_batch = 8, n_predict = -1, n_keep = 0"
        ).environment
        assert environment.options == {
            "repeat-last-n": "16384", "ctx-size": "2048", "batch-size": "8", "n-predict": "-1",
        }  # fmt: skip
        assert environment.where["option.repeat-last-n"].line == 2
        assert environment.where["option.ctx-size"].line == 3

    @pytest.mark.parametrize(
        ("text", "name"),
        [
            ("Q4_K - Medium", "Q4_K_M"), ("mostly Q8_0", "Q8_0"), ("all F32", "F32"),
            ("IQ2_XXS - 2.0625 bpw", "IQ2_XXS"), ("Q3_K - Large", "Q3_K_L"), ("BF16", "BF16"),
        ],
    )  # fmt: skip
    def test_quantization(self, text: str, name: str):
        assert quantization(text) == name

    def test_size(self):
        assert bytes_of("1.50 KiB (2 BPW)") == 1536
        assert bytes_of("many") is None

    @pytest.mark.parametrize("lead", ["", "Error: ", "llama_model_load: "])
    def test_a_model_that_does_not_load(self, lead: str):
        (error,) = read(f"{lead}error loading model: tensor 'a.weight' not found").errors
        assert (error.api, error.message) == (
            "engine", "error loading model: tensor 'a.weight' not found",
        )  # fmt: skip


class TestSycl:
    def test_a_kernel_that_is_not_there(self):
        (error,) = read(
            "No kernel named _ZTS3add was foundException caught at file:/x/ggml-sycl.cpp, line:419"
        ).errors
        assert (error.api, error.message, error.file, error.line) == (
            "sycl", "No kernel named _ZTS3add was found", "/x/ggml-sycl.cpp", 419,
        )  # fmt: skip

    def test_the_place_of_an_error_that_was_told_is_no_second_one(self):
        crash = read(
            "Native API failed. Native API returns: -999 (Unknown PI error) -999\n"
            "Exception caught at file:/x/ggml-sycl.cpp, line:42, func:operator()"
        )
        assert [(e.api, e.code) for e in crash.errors] == [("sycl", -999)]
