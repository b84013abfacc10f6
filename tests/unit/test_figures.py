# ruff: noqa: E501 - the lines of a log are as long as they are
"""What calculators make of real words: read by the formats, worked out, with their places."""

from __future__ import annotations

import dataclasses
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.calculators import Figure, calculate
from triage.calculators._archs import arch_name, runs
from triage.calculators._tables import table
from triage.model.crash import Crash, Environment, Gpu, ModelFile
from triage.read import ReadOptions, read_text
from triage.signatures.facts import Facts
from triage.text.version import Version

LLAMA = """\
build: 4567 (abcdef12) with cc for x86_64-linux-gnu
  Device 0: NVIDIA GeForce RTX 3060, compute capability 8.6, VMM: yes
llama_model_load_from_file_impl: using device CUDA0 (NVIDIA GeForce RTX 3060) - {free} MiB free
llama_model_loader: loaded meta data with 29 key-value pairs and 292 tensors from /m/m.gguf (version GGUF V3 (latest))
print_info: arch             = llama
print_info: n_layer          = 32
print_info: n_embd_k_gqa     = 1024
print_info: n_embd_v_gqa     = 1024
print_info: file size   = 4.58 GiB (4.89 BPW)
load_tensors: offloaded 33/33 layers to GPU
load_tensors:        CUDA0 model buffer size =  4403.50 MiB
load_tensors:   CPU_Mapped model buffer size =   281.81 MiB
llama_context: n_ctx         = 32768
llama_context: n_ubatch      = 512
"""
NO_CACHE = (
    LLAMA.format(free=7800)
    + """\
ggml_backend_cuda_buffer_type_alloc_buffer: allocating 4096.00 MiB on device 0: cudaMalloc failed: out of memory
llama_kv_cache_init: failed to allocate buffer for kv cache
"""
)
NO_BUFFER = (
    LLAMA.format(free=8950)
    + """\
llama_kv_cache_init:      CUDA0 KV buffer size =  4096.00 MiB
llama_context: KV self size  = 4096.00 MiB, K (f16): 2048.00 MiB, V (f16): 2048.00 MiB
ggml_backend_cuda_buffer_type_alloc_buffer: allocating 669.00 MiB on device 0: cudaMalloc failed: out of memory
ggml_gallocr_reserve_n: failed to allocate CUDA0 buffer of size 701497344
"""
)
OLLAMA = (
    "time=2025-03-15T10:00:00.000Z level=INFO source=server.go:105 msg=offload library=cuda "
    'layers.requested=-1 layers.model=33 layers.offload=33 layers.split="" '
    'memory.available="[5.0 GiB]" memory.gpu_overhead="0 B" memory.required.full="6.5 GiB" '
    'memory.required.kv="1.0 GiB" memory.weights.total="4.4 GiB" memory.graph.full="560.0 MiB"\n'
    'time=2025-03-15T10:00:00.000Z level=INFO source=types.go:130 msg="inference compute" '
    'library=cuda compute=8.6 driver=12.4 name="NVIDIA GeForce RTX 3060" total="6.0 GiB" '
    'available="5.0 GiB"\n'
)
TORCH = (
    "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate {asked}. GPU 0 has a total "
    "capacity of 23.64 GiB of which 611.00 MiB is free. Including non-PyTorch memory, this process "
    "has 22.98 GiB memory in use. Of the allocated memory 21.40 GiB is allocated by PyTorch, and "
    "1.11 GiB is reserved by PyTorch but unallocated.\n"
)
OLD_TORCH = (
    "RuntimeError: CUDA out of memory. Tried to allocate 256.00 MiB (GPU 0; 7.79 GiB total "
    "capacity; 6.61 GiB already allocated; 21.25 MiB free; 6.73 GiB reserved in total by PyTorch)\n"
)
V0 = (
    "ValueError: The model's max seq len (32768) is larger than the maximum number of tokens that "
    "can be stored in KV cache (7344). Try increasing `gpu_memory_utilization`.\n"
)
V1 = (
    "ValueError: To serve at least one request with the models's max seq len (131072), (16.00 GiB "
    "KV cache is needed, which is larger than the available KV cache memory (9.31 GiB). Based on "
    "the available memory, the estimated maximum model length is 76256.\n"
)
CARD = (
    "INFO worker.py:267] the current vLLM instance can use total_gpu_memory (23.65GiB) x "
    "gpu_memory_utilization (0.60) = 14.19GiB\n"
)
NOT_FREE = (
    "ValueError: Free memory on device (31.20/79.11 GiB) on startup is less than desired GPU "
    "memory utilization (0.9, 71.2 GiB).\n"
)
BLACKWELL = (
    "NVIDIA GeForce RTX 5090 with CUDA capability sm_120 is not compatible with the current PyTorch "
    "installation.\nThe current PyTorch install supports CUDA capabilities sm_50 sm_60 sm_70 sm_75 "
    "sm_80 sm_86 sm_90.\n"
)
PASCAL = (
    "ERROR: CUDA kernel mul_mat_q has no device code compatible with CUDA arch 610. ggml-cuda.cu "
    "was compiled for: 750,800\n"
)
ROCBLAS = (
    "rocBLAS error: Cannot read /opt/rocm/lib/rocblas/library/TensileLibrary.dat: No such file or "
    "directory for GPU arch : gfx1032\n"
)


def figure(name: str, text: str, **more: object) -> Figure:
    """Return what a calculator makes of a text; further circumstances by name."""
    crash = read_text(text, ReadOptions()).crash
    if more:
        crash = dataclasses.replace(
            crash, environment=dataclasses.replace(crash.environment, **more)
        )
    return calculate(name, Facts(crash))


@pytest.mark.parametrize(
    ("name", "text", "value", "said"),
    [
        ("vram-fit", NO_CACHE, "27", "1,468 MiB too much; enough is a q8_0 cache"),
        ("context-that-fits", NO_CACHE, "20992", "20992 of 32768 tokens"),
        ("vram-fit", NO_BUFFER, "31", "enough is a physical batch of 128"),
        ("kv-cache-size", NO_CACHE, None, "32768 cells, 4,096 MiB"),
        ("vram-fit", OLLAMA, "25", "needs 6,346 MiB of 5,120 MiB"),
        ("torch-memory", TORCH.format(asked="1.25 GiB"), "expandable_segments:True", "in pieces"),
        ("torch-memory", TORCH.format(asked="4.00 GiB"), None, "3,485 MiB are missing"),
        ("torch-memory", OLD_TORCH, None, "others hold 1,064 MiB of the card"),
        ("max-model-len", V0, "7344", "7344 of 32768 tokens"),
        ("max-model-len", V1, "76256", "76256 of 131072 tokens"),
        ("gpu-memory-utilization", CARD + V1, "0.89", "6,851 MiB more for the cache"),
        ("gpu-memory-utilization", V1.replace("9.31", "1.31") + CARD, None, "no share is enough"),
        ("gpu-memory-utilization", NOT_FREE, "0.37", "31,949 MiB of 81,009 MiB are free"),
        ("gpu-memory-utilization", TORCH.format(asked="1.25 GiB"), "0.85", "beside the cache"),
        ("arch-built", BLACKWELL, "120", "no code for sm_120"),
        ("wheel-for-arch", BLACKWELL, "cu128", "Blackwell"),
        ("arch-built", PASCAL, "61", "only for sm_75 to sm_80; sm_61 (Pascal) needs CUDA 8.0"),
        ("wheel-for-arch", PASCAL, "cu126", "Pascal"),
        ("hsa-override", ROCBLAS, "10.3.0", "gfx1032 can run the code of gfx1030"),
        ("hsa-override", ROCBLAS.replace("1032", "1100"), None, "gfx1100 needs no override"),
        ("hsa-override", ROCBLAS.replace("gfx1032", "gfx803"), None, "the table has no gfx803"),
    ],
    ids=lambda v: v if isinstance(v, str) and len(v) < 30 else "",
)  # fmt: skip
def test_figures_of_real_words(name: str, text: str, value: str | None, said: str) -> None:
    found = figure(name, text)
    assert said in found.calculation.result
    assert found.value == value
    stated = [t for t in found.calculation.terms if "." in t.source and " " not in t.source]
    assert stated
    assert all(term.at is not None for term in stated), "every number has its line"


def test_the_context_that_fits_fits() -> None:
    context = figure("context-that-fits", NO_CACHE).value
    fitting = re.sub(r"32768", str(context), NO_CACHE).replace(
        "allocating 4096.00", f"allocating {4096 * int(context or 0) / 32768:.2f}"
    )
    assert "it fits" in figure("vram-fit", fitting).calculation.result


@pytest.mark.parametrize(
    ("environment", "said", "branch"),
    [
        ({"cuda_runtime": "12.8", "driver": "535.104.05"}, "is older: it runs what was", "570"),
        ({"cuda_runtime": "12.8", "driver": "470.82.01"}, "470.82.01 is too old", "570"),
        ({"cuda_runtime": "12.8", "driver": "570.124.06"}, "570.124.06 serves it", "570"),
        ({"cuda_runtime": "13.0", "driver_cuda": "12.4"}, "serves CUDA 12.4: it is too old", "580"),
        ({"cuda_toolkit": "12.9", "driver_cuda": "12.4"}, "and no PTX", "580"),
        ({"cuda_runtime": "11.8"}, "does not state environment.driver", "535"),
        ({"cuda_runtime": "99.1", "driver": "580.1"}, "the table has no CUDA 99.1", None),
    ],
)
def test_the_driver_that_a_release_needs(environment, said: str, branch: str | None) -> None:
    found = calculate("driver-needed", Facts(Crash(environment=Environment(**environment))))
    assert said in found.calculation.result
    assert found.value == branch


def test_the_driver_that_pytorch_found() -> None:
    text = "RuntimeError: The NVIDIA driver on your system is too old (found version 11040).\n"
    assert read_text(text, ReadOptions()).crash.environment.driver_cuda == "11.4"


def test_the_image_that_asks_for_a_newer_driver() -> None:
    text = (
        "nvidia-container-cli: requirement error: unsatisfied condition: cuda>=12.8, please update "
        "your driver to a newer version, or use an earlier cuda container: unknown\n"
    )
    found = figure("driver-needed", text, driver="550.54.15")
    assert found.value == "570"
    assert "550.54.15 is older" in found.calculation.result


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("8.6", "sm_86"), ("12.0", "sm_120"), ("sm_90a", "sm_90"), ("compute_75", "sm_75"),
        ("860", "sm_86"), ("1200", "sm_120"), ("520", "sm_52"), ("sm_100", "sm_100"),
        ("gfx1030", None), ("", None), ("none", None),
    ],
)  # fmt: skip
def test_the_spellings_of_an_architecture(text: str, name: str | None) -> None:
    assert arch_name(text) == name


def test_code_runs_on_its_own_generation() -> None:
    assert runs("sm_89", "sm_80")
    assert runs("sm_86", "sm_86")
    assert not runs("sm_80", "sm_86")
    assert not runs("sm_120", "sm_90")
    assert not runs("sm_100", "sm_90")


# ---- tables -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "columns"),
    [("cuda-drivers", 4), ("cuda-archs", 5), ("hsa-overrides", 5), ("cache-types", 3)],
)
def test_a_table_names_its_source_and_each_key_once(name: str, columns: int) -> None:
    found = table(name, columns)
    assert found.source
    keys = [row[0] for row in found.rows]
    assert len(set(keys)) == len(keys) > 5


def test_newer_releases_need_newer_drivers() -> None:
    rows = table("cuda-drivers", 4).rows
    for column in (0, 1):
        versions = [Version(row[column]) for row in rows]
        assert versions == sorted(versions, reverse=True)


# ---- whatever a crash states ------------------------------------------------------------------

amounts = st.one_of(
    st.sampled_from(("0", "-1", "nan", "inf", "x", " ", "1e308", "99999999999999999999")),
    st.integers(1, 200_000).map(str),
)  # fmt: skip
FACTS = (
    "kv-cache-mib", "compute-buffer-mib", "gpu-weights-mib", "offloaded-layers", "kv-heads",
    "offloadable-layers", "kv-width-k", "kv-width-v", "oom-requested-mib", "oom-free-mib",
    "oom-unallocated-mib", "oom-total-mib", "asked-model-len", "estimated-model-len", "cache-tokens",
    "gpu-blocks", "cache-needed-mib", "cache-mib", "gpu-total-mib", "startup-free-mib",
    "gpu-memory-utilization", "gpu-arch", "built-archs", "cuda-needed",
)  # fmt: skip


@given(
    facts=st.dictionaries(st.sampled_from(FACTS), amounts),
    options=st.dictionaries(
        st.sampled_from(("ctx-size", "n-gpu-layers", "ubatch-size", "prompt-tokens", "parallel")),
        amounts,
    ),
    total=st.one_of(st.none(), st.integers(0, 1 << 40)),
    size=st.one_of(st.none(), st.integers(0, 1 << 45)),
    layers=st.one_of(st.none(), st.integers(0, 500)),
)
def test_any_figures_give_a_result_in_bounds(facts, options, total, size, layers) -> None:
    environment = Environment(
        gpus=(Gpu(memory_total=total),),
        model=ModelFile(file_size=size, layer_count=layers),
        facts=facts,
        options=options,
    )
    values = Facts(Crash(environment=environment))
    for name in ("vram-fit", "context-that-fits", "kv-cache-size", "max-model-len",
                 "gpu-memory-utilization", "torch-memory", "arch-built", "driver-needed"):  # fmt: skip
        found = calculate(name, values)
        assert found.calculation.result
        if name == "vram-fit" and found.value:
            assert int(found.value) >= 0
        if name == "gpu-memory-utilization" and found.value:
            assert 0 < float(found.value) <= 1
