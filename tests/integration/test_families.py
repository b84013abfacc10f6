"""The family of crashes that no signature is asked about: what programs print, and what it is."""

from __future__ import annotations

import pytest

from triage.diagnose import diagnose
from triage.pipeline import Analyzer, Options

CASES = {
    "gpu-illegal-access": [
        "CUDA error: an illegal memory access was encountered\n"
        "  current device: 1, in function ggml_backend_cuda_synchronize at ggml-cuda.cu:2446",
        "RuntimeError: CUDA error: misaligned address",
        "torch.AcceleratorError: CUDA error: an illegal memory access was encountered",
        "../aten/src/ATen/native/cuda/Indexing.cu:1290: indexSelectLargeIndex: block: [4,0,0], "
        "thread: [64,0,0] Assertion `srcIndex < srcSelectDimSize` failed.\n"
        "RuntimeError: CUDA error: device-side assert triggered",
        "Memory access fault by GPU node-1 (Agent handle: 0x55d0) on address 0x7f12000. "
        "Reason: Page not present or supervisor privilege.\nAborted (core dumped)",
        "========= Invalid __global__ read of size 4 bytes\n"
        "=========     at k_get_rows(float *)+0x210 in getrows.cu:40",
        "terminate called after throwing an instance of 'c10::Error'\n"
        "  what():  CUDA error: an illegal memory access was encountered",
        "Error: DriverError(CUDA_ERROR_ILLEGAL_ADDRESS, \"an illegal memory access was encountered\")",
        "[ 11.002311] NVRM: Xid (PCI:0000:01:00): 31, pid=4410, name=python3, Ch 00000008, intr "
        "00000000. MMU Fault: ENGINE GRAPHICS GPCCLIENT_T1_3 faulted @ 0x7f31_00a00000. "
        "Fault is of type FAULT_PDE ACCESS_TYPE_VIRT_READ",
        "Triton Error [CUDA]: an illegal memory access was encountered",
    ],
    "driver-or-hardware-fault": [
        "[ 11.002311] NVRM: Xid (PCI:0000:01:00): 31, pid=991, name=game, channel 0x0000000c, intr "
        "00000000. MMU Fault: ENGINE GRAPHICS GPC1 GPCCLIENT_PROP_1 faulted @ 0x0_00000000. "
        "Fault is of type FAULT_PDE ACCESS_TYPE_VIRT_READ",
        "[ 90.1] NVRM: Xid (PCI:0000:41:00): 79, pid=0, GPU has fallen off the bus.",
        "[ 90.1] NVRM: Xid (PCI:0000:41:00): 48, pid=77, DBE (double bit error) ECC Error",
        "amdgpu 0000:03:00.0: amdgpu: ring comp_1.1.0 timeout, signaled seq=120, emitted seq=122",
        "terminate called after throwing an instance of 'vk::DeviceLostError'\n"
        "  what():  vk::Queue::submit: ErrorDeviceLost",
        "HW Exception by GPU node-1 (Agent handle: 0x5d90) reason :GPU Hang\nAborted (core dumped)",
        "CUDA error: uncorrectable ECC error encountered",
    ],
    "gpu-out-of-memory": [
        "ggml_backend_cuda_buffer_type_alloc_buffer: allocating 9216.00 MiB on device 0: cudaMalloc "
        "failed: out of memory",
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total "
        "capacity of 23.64 GiB of which 1.10 GiB is free.",
        "torch.cuda.OutOfMemoryError: HIP out of memory. Tried to allocate 512.00 MiB.",
        "ggml_vulkan: Device memory allocation of size 2147483648 failed.\n"
        "ggml_vulkan: vk::Device::allocateMemory: ErrorOutOfDeviceMemory",
        "ggml_metal_graph_compute: command buffer 0 failed with status 5\n"
        "error: Insufficient Memory (00000008:kIOGPUCommandBufferCallbackErrorOutOfMemory)",
        "RuntimeError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "RuntimeError: MPS backend out of memory (MPS allocated: 17.5 GB, max allowed: 18.1 GB).",
        "llama_kv_cache_init: failed to allocate buffer for kv cache\n"
        "ggml_gallocr_reserve_n: failed to allocate CUDA0 buffer of size 8589934592",
    ],
    "host-out-of-memory": [
        "[77.1] Out of memory: Killed process 812 (llama-server) total-vm:81000000kB, "
        "anon-rss:62000000kB, file-rss:0kB, shmem-rss:0kB, UID:1000 pgtables:1kB oom_score_adj:0",
        "terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc",
        "MemoryError: Unable to allocate 12.0 GiB for an array with shape (1,)",
        "RuntimeError: [enforce fail at alloc_cpu.cpp:114] data. DefaultCPUAllocator: can't allocate "
        "memory: you tried to allocate 34359738368 bytes. Error code 12 (Cannot allocate memory)",
        "RuntimeError: DataLoader worker (pid 71) is killed by signal: Bus error. It is possible that "
        "dataloader's workers are out of shared memory. Please try to raise your shared memory limit.",
        "Error: model requires more system memory (41.2 GiB) than is available (23.0 GiB)",
    ],
    "arch-not-supported": [
        "CUDA error: no kernel image is available for execution on the device",
        "NVIDIA GeForce RTX 5090 with CUDA capability sm_120 is not compatible with the current "
        "PyTorch installation.",
        "ROCm error: invalid device function\n"
        "  current device: 0, in function ggml_cuda_mul_mat_vec_q at mmvq.cu:511",
        'rocBLAS error: Cannot read /opt/rocm/lib/rocblas/library/TensileLibrary.dat: No such file or '
        "directory for GPU arch : gfx1103\nAborted (core dumped)",
        "traps: llama-server[4411] trap invalid opcode ip:55d1 sp:7ffc error:0 in "
        "libggml-cpu.so[55d0+9000]",
        "Thread 1 \"main\" received signal SIGILL, Illegal instruction.\n"
        "#0  0x0000555555 in ggml_vec_dot_q4_0_q8_0 () from libggml-cpu.so\n"
        "#1  0x0000555556 in ggml_compute_forward_mul_mat () from libggml-cpu.so",
        "ValueError: Bfloat16 is only supported on GPUs with compute capability of at least 8.0. Your "
        "Tesla T4 GPU has compute capability 7.5.",
    ],
    "illegal-instruction": ["Illegal instruction (core dumped)"],
    "unsupported-quant-or-model": [
        "llama_model_load: error loading model: error loading model architecture: unknown model "
        "architecture: 'gemma9'",
        "llama_model_load: error loading model: missing tensor 'blk.0.attn_norm.weight'",
        "llama_model_load: error loading model: done_getting_tensors: wrong number of tensors; "
        "expected 292, got 291",
        "GGML_ASSERT: ggml.c:6192: ggml_nelements(a) == ne0*ne1*ne2",
        "ValueError: Model architectures ['FooForCausalLM'] are not supported for now.",
        "llama_model_load: error loading model: error loading model vocabulary: unknown pre-tokenizer "
        "type: 'foo'",
        "ValueError: The checkpoint you are trying to load has model type `qwen9` but Transformers "
        "does not recognize this architecture.",
    ],
    "corrupt-model-file": [
        "llama_model_load: error loading model: tensor 'blk.1.ffn_up.weight' data is not within the "
        "file bounds, model is corrupted or incomplete",
        "safetensors_rust.SafetensorError: Error while deserializing header: MetadataIncompleteBuffer",
        "RuntimeError: PytorchStreamReader failed reading zip archive: failed finding central directory",
        "gguf_init_from_file_impl: invalid magic characters: 'vers', expected 'GGUF'\n"
        "llama_model_load: error loading model: failed to load model",
    ],
    "kv-cache-or-context-overflow": [
        "llama.cpp:11942: The current context does not support K-shift\nAborted (core dumped)",
        "ValueError: No available memory for the cache blocks. Try increasing "
        "`gpu_memory_utilization` when initializing the engine.",
        "ValueError: The model's max seq len (32768) is larger than the maximum number of tokens that "
        "can be stored in KV cache (20480).",
        "generate: n_ctx = 512, n_batch = 8, n_predict = -1, n_keep = 0\n"
        "sampling: temp = 0.8, repeat_last_n = 4096, repeat_penalty = 1.1\n"
        "==77==ERROR: AddressSanitizer: heap-buffer-overflow on address 0x62500001 at pc 0x55 bp 0x7f "
        "sp 0x7f\nREAD of size 4 at 0x62500001 thread T0\n    #0 0x55 in main main.cpp:4",
    ],
    "toolkit-driver-skew": [
        "CUDA error: CUDA driver version is insufficient for CUDA runtime version",
        "Failed to initialize NVML: Driver/library version mismatch",
        "CUDA error: the provided PTX was compiled with an unsupported toolchain.",
        "nvidia-container-cli: requirement error: unsatisfied condition: cuda>=12.4, please update "
        "your driver to a newer version, or use an earlier cuda container: unknown.",
        "RuntimeError: The NVIDIA driver on your system is too old (found version 11040).",
    ],
    "container-without-gpu": [
        'docker: Error response from daemon: could not select device driver "" with capabilities: '
        "[[gpu]].",
        "Failed to initialize NVML: Unknown Error",
        "RuntimeError: Found no NVIDIA driver on your system. Please check that you have an NVIDIA GPU",
        "CUDA error: no CUDA-capable device is detected",
    ],
    "library-missing": [
        "./llama-cli: error while loading shared libraries: libcudart.so.12: cannot open shared object "
        "file: No such file or directory",
        "ImportError: /x/flash_attn_2_cuda.so: undefined symbol: _ZN3c105ErrorC2ENS_",
        "ModuleNotFoundError: No module named 'flash_attn'",
        "dyld[881]: Library not loaded: @rpath/libllama.dylib",
    ],
    "flash-attention-unsupported": [
        "RuntimeError: FlashAttention only supports Ampere GPUs or newer.",
        "llama_init_from_model: V cache quantization requires flash_attn\n"
        "llama_init_from_model: failed to initialize the context",
    ],
    "collective-timeout": [
        "[rank1]:[E511 10:00:00.1 ProcessGroupNCCL.cpp:632] [Rank 1] Watchdog caught collective "
        "operation timeout: WorkNCCL(SeqNum=12, OpType=ALLREDUCE) ran for 600010 milliseconds before "
        "timing out.",
        "TimeoutError: RPC call to execute_model timed out.",
    ],
    "configuration-error": [
        "ValueError: Total number of attention heads (14) must be divisible by tensor parallel size (4).",
        "RuntimeError: Cannot re-initialize CUDA in forked subprocess. To use CUDA with "
        "multiprocessing, you must use the 'spawn' start method",
        "OSError: [Errno 98] error while attempting to bind on address ('0.0.0.0', 8000): address "
        "already in use",
        "CUDA error: invalid device ordinal",
    ],
    "heap-corruption": [
        "double free or corruption (!prev)\nAborted (core dumped)",
        "malloc(): invalid size (unsorted)",
        "==7==ERROR: AddressSanitizer: heap-use-after-free on address 0x6020 at pc 0x55 bp 0x7f sp "
        "0x7f\nREAD of size 4 at 0x6020 thread T0\n    #0 0x55 in main main.cpp:4",
        "app(11,0x1f) malloc: *** error for object 0x7f8: pointer being freed was not allocated",
    ],
    "stack-overflow": [
        "thread 'main' has overflowed its stack\nfatal runtime error: stack overflow",
        "RecursionError: maximum recursion depth exceeded",
        "runtime: goroutine stack exceeds 1000000000-byte limit\nfatal error: stack overflow",
        "Thread 1 \"llama-server\" received signal SIGSEGV, Segmentation fault.\n"
        "#0  0x00005 in std::__detail::_Executor<char const*, true>::_M_dfs () from app\n"
        "#1  0x00005 in std::__detail::_Executor<char const*, true>::_M_dfs () from app",
    ],
    "null-dereference": [
        "panic: runtime error: invalid memory address or nil pointer dereference\n"
        "[signal SIGSEGV: segmentation violation code=0x1 addr=0x18 pc=0x4a1]",
        "OSError: exception: access violation reading 0x0000000000000010",
        "llama-cli[77]: segfault at 8 ip 00005 sp 00007 error 4 in libllama.so[5000+9000]",
    ],
    "threading-race": [
        "WARNING: ThreadSanitizer: data race (pid=71)\n  Write of size 8 at 0x7b by thread T1:\n"
        "    #0 step() a.cpp:4",
        "fatal error: concurrent map read and map write",
        "terminate called without an active exception\nAborted (core dumped)",
    ],
    "assertion-bug": [
        "ggml.c:100: GGML_ASSERT(i01 >= 0 && i01 < ne01) failed",
        "llama-server: sampling.cpp:41: void f(): Assertion `n > 0' failed.\nAborted (core dumped)",
        "RuntimeError: t.index() INTERNAL ASSERT FAILED at \"../c10/core/TensorImpl.h\":42, please "
        "report a bug to PyTorch.",
        "panic: runtime error: index out of range [3] with length 3",
        "Fatal error: Unexpectedly found nil while unwrapping an Optional value",
    ],
}  # fmt: skip
UNCLEAR = [
    "Segmentation fault (core dumped)",
    "llama-server exited with code 1",
    "Thread 1 \"app\" received signal SIGSEGV, Segmentation fault.\n#0  0x0000 in work () from app",
    "RuntimeError: something else happened",
]


@pytest.fixture(scope="module")
def analyzer() -> Analyzer:
    return Analyzer(Options())


@pytest.mark.parametrize(
    ("family", "text"), [(family, text) for family, texts in CASES.items() for text in texts]
)
def test_family(analyzer: Analyzer, family: str, text: str) -> None:
    judged = diagnose(analyzer.read_text(text), analyzer.store)
    assert judged.family == family
    assert judged.diagnoses or judged.family_evidence


@pytest.mark.parametrize("text", UNCLEAR)
def test_nothing_is_said_where_nothing_tells(analyzer: Analyzer, text: str) -> None:
    judged = diagnose(analyzer.read_text(text), analyzer.store)
    assert judged.family is None
