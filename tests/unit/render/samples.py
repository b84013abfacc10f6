"""Three reports as an analysis would make them: known, unknown, no crash."""

from __future__ import annotations

from triage.model.crash import (
    BlamedFrame,
    Engine,
    Environment,
    ErrorRecord,
    Gpu,
    ModelFile,
    Module,
    ReportWarning,
    Role,
    Signal,
    Symbols,
    Timing,
)
from triage.model.diagnosis import (
    Action,
    Calculation,
    Check,
    Diagnosis,
    Fingerprint,
    Level,
    Remedy,
    Step,
    StepStatus,
    Term,
    Verdict,
)
from triage.model.evidence import Evidence
from triage.model.position import Position
from triage.model.report import Input, InputKind, Report
from triage.model.stack import Frame, FrameKind, Thread, ThreadKind, Trust

_LIB = "/opt/claw/lib/libclaw.so"
_SRC = "/opt/claw/src"


def _at(line: int, source: int = 0) -> Position:
    return Position(input=source, line=line)


def _frame(index: int, function: str, file: str, line: int, noise: str | None = None) -> Frame:
    return Frame(
        index=index,
        function=function,
        args="(this=0x7ffe99e54910)",
        file=file,
        line=line,
        module=None if noise else _LIB,
        trust=Trust.DEBUG_INFO,
        noise=noise,
        at=_at(24 + index, 1),
    )


_ABORT = (
    _frame(0, "__pthread_kill_implementation", "./nptl/pthread_kill.c", 44, "abort"),
    _frame(1, "__pthread_kill_internal", "./nptl/pthread_kill.c", 78, "abort"),
    _frame(2, "__GI_raise", "../sysdeps/posix/raise.c", 26, "abort"),
    _frame(3, "__GI_abort", "./stdlib/abort.c", 79, "abort"),
    _frame(4, "llm::fail", f"{_SRC}/failure.cpp", 24, "engine-failure"),
)

_LOAD = (
    _frame(5, "llm::engine::gguf_tensor_remap", f"{_SRC}/llm_engine.cpp", 1423),
    _frame(6, "llm::engine::load_tensor", f"{_SRC}/llm_engine.cpp", 196),
    _frame(7, "llm::engine::load_model", f"{_SRC}/llm_engine.cpp", 71),
    _frame(8, "main", f"{_SRC}/main.cpp", 25),
)

_ENVIRONMENT = Environment(
    os="Ubuntu 22.04",
    arch="x86_64",
    gpus=(
        Gpu(
            name="NVIDIA A10G",
            memory_total=23028,
            memory_free=21740,
            compute_capability="8.6",
        ),
    ),
    driver="535.129.03",
    driver_cuda="12.2",
    cuda_runtime="11.8",
    cuda_toolkit="11.8",
    command_line=(
        "claw_inference",
        "--model",
        "/models/Llama-3-8B-Q5_K_M.gguf",
        "--n-gpu-layers",
        "33",
    ),
    variables={"CLAW_VRAM_LIMIT": None, "CLAW_CUDA_STREAMS": "8"},
    options={"ctx-size": "4096", "n-gpu-layers": "33"},
    container="docker",
    model=ModelFile(
        path="/models/Llama-3-8B-Q5_K_M.gguf",
        architecture="llama",
        quantization="Q5_K_M",
        file_size=5732987648,
        tensor_count=291,
        layer_count=33,
        context_length=8192,
    ),
    where={
        "driver": _at(3),
        "gpus": _at(3),
        "cuda_runtime": _at(2),
        "cuda_toolkit": _at(1),
        "command_line": _at(12, 1),
        "model": _at(5),
        "options.ctx-size": _at(6),
        "options.n-gpu-layers": _at(6),
        "variables.CLAW_VRAM_LIMIT": _at(7),
        "variables.CLAW_CUDA_STREAMS": _at(7),
    },
)

_REMEDY = Remedy(
    summary="Run a model whose quantization 0.9.x supports, or update to 1.0.0-rc1 or later.",
    steps=(
        Step(
            title="Bring the service back now: use the same model as Q4_K_M",
            why="Q4_0 to Q8_0 and Q4_K_M are laid out correctly; Q5_K_M is not.",
            before="claw_inference --model /models/Llama-3-8B-Q5_K_M.gguf --n-gpu-layers 33",
            after="claw_inference --model /models/Llama-3-8B-Q4_K_M.gguf --n-gpu-layers 28",
        ),
        Step(
            title="Keep the fix: update OpenClaw, which checks the type before it remaps",
            commands=(
                "git -C openclaw fetch --tags && git -C openclaw checkout v1.0.0-rc1",
                "make -C openclaw CUDA=1 -j$(nproc) && sudo make -C openclaw install",
            ),
            status=StepStatus.CONFIRMED,
            source="openclaw#41",
        ),
        Step(
            title="Limit the memory that the engine takes",
            why="Unset, it takes all of the card and leaves nothing for the remap's scratch space.",
            commands=("export CLAW_VRAM_LIMIT=0.8",),
        ),
    ),
    verify=(
        Check(
            title="Smoke test",
            command=(
                "claw_inference --model /models/Llama-3-8B-Q4_K_M.gguf --prompt Test --n-predict 50"
            ),
            expect="tokens, no line with clw-llm-crash, exit status 0",
        ),
        Check(title="Version", command="claw_inference --version", expect="1.0.0-rc1 or later"),
    ),
    references=("https://github.com/openclaw/openclaw/issues/456",),
    calculations=(
        Calculation(
            name="layers-that-fit",
            formula="(VRAM total * share - reserve) / (model size / layers)",
            result="33 of 33 layers",
            terms=(
                Term(
                    name="memory total",
                    value="23028 MiB",
                    source="gpu.memory_total",
                    at=_at(3),
                ),
                Term(
                    name="file size",
                    value="5732987648 bytes",
                    source="model.file_size",
                    at=_at(5),
                ),
                Term(name="layer count", value="33", source="model.layer_count", at=_at(6)),
                Term(
                    name="share",
                    value="0.8",
                    source="assumed: CLAW_VRAM_LIMIT does not say otherwise",
                ),
            ),
        ),
    ),
)

KNOWN = Report(
    verdict=Verdict.KNOWN,
    inputs=(
        Input(
            id=0,
            name="logs/engine.log",
            kind=InputKind.TEXT,
            dialects=("openclaw", "gpu_api", "process_end"),
            size=1184,
            sha256="5f0a7a" + "0" * 58,
        ),
        Input(id=1, name="gdb-bt.txt", kind=InputKind.TEXT, dialects=("gdb",), size=2811),
    ),
    engine=Engine(
        name="openclaw",
        version="0.9.2",
        evidence=(
            Evidence(field="log.line", text="OpenClaw claw_inference 0.9.2", weight=0.9, at=_at(1)),
        ),
    ),
    signal=Signal(name="SIGABRT", number=6, at=_at(14, 1)),
    errors=(
        ErrorRecord(
            api="cuda",
            code=700,
            name="cudaErrorIllegalAddress",
            message="an illegal memory access was encountered",
            timing=Timing.ASYNCHRONOUS,
            sticky=True,
            role=Role.CAUSE,
            at=_at(9),
        ),
        ErrorRecord(
            api="engine",
            name="clw-llm-crash",
            message="LLM backend failed at tensor allocation (line 1423, llm_engine.cpp)",
            file="llm_engine.cpp",
            line=1423,
            role=Role.CONSEQUENCE,
            at=_at(8),
        ),
    ),
    threads=(
        Thread(
            id="1",
            tid=15499,
            name="claw_inference",
            crashed=True,
            frames=_ABORT + _LOAD,
            at=_at(23, 1),
        ),
    ),
    crashed_thread=0,
    blamed_frame=BlamedFrame(
        thread=0,
        frame=5,
        why="first frame that is not abort, allocator, driver or thread plumbing",
    ),
    modules=(Module(name="libclaw.so", path=_LIB, version="0.9.2", symbols=Symbols.FULL),),
    environment=_ENVIRONMENT,
    fingerprint=Fingerprint(
        value="9f2c41d07be35a18",
        title="gguf_tensor_remap | load_tensor | load_model",
        algorithm=1,
        inputs=("cuda:cudaErrorIllegalAddress", "gguf_tensor_remap", "load_tensor", "load_model"),
    ),
    diagnoses=(
        Diagnosis(
            signature="openclaw/unsupported-quant",
            family="unsupported-quant-or-model",
            title="The model's quantization is one that OpenClaw 0.9.x cannot lay out",
            confidence=0.97,
            level=Level.CERTAIN,
            action=Action.CHANGE_MODEL,
            cause=(
                "OpenClaw 0.9.x does not check the shapes of K-quants that it does not know before "
                "it remaps them, so the remap kernel writes past the tensor's memory on the GPU."
            ),
            evidence=(
                Evidence(field="model.quantization", text="Q5_K_M", weight=0.6, at=_at(5)),
                Evidence(
                    field="frame.function",
                    text="llm::engine::gguf_tensor_remap",
                    weight=0.5,
                    at=_at(29, 1),
                ),
                Evidence(
                    field="log.line",
                    text=(
                        "[ERROR] clw-llm-crash: LLM backend failed at tensor allocation "
                        "(line 1423, llm_engine.cpp)"
                    ),
                    weight=0.3,
                    at=_at(8),
                ),
                Evidence(field="engine.version", text="0.9.2", weight=0.2, at=_at(1)),
            ),
            against=(
                Evidence(field="environment.cuda_runtime", text="11.8", weight=0.05, at=_at(2)),
            ),
            remedy=_REMEDY,
        ),
        Diagnosis(
            signature="openclaw/vram-fragmentation",
            family="gpu-out-of-memory",
            title="Asynchronous streams fragment the GPU's memory",
            confidence=0.34,
            level=Level.HINT,
        ),
    ),
    family="unsupported-quant-or-model",
    action=Action.CHANGE_MODEL,
    redactions={"home-path": 2},
    warnings=(
        ReportWarning(
            code="gdb-no-source",
            message="gdb did not find the sources of libc; its frames have no arguments",
            at=_at(19, 1),
        ),
    ),
)


def _gpu_frame(index: int, function: str, noise: str | None = None) -> Frame:
    return Frame(
        index=index,
        function=function,
        module="claw_server",
        offset=f"0x{0x1A40 + index * 0x40:x}",
        address=f"0x00005555555{index:05x}",
        kind=FrameKind.HOST,
        trust=Trust.SYMBOL,
        noise=noise,
        at=_at(41 + index),
    )


_DEEP = (
    _gpu_frame(0, "__memmove_avx_unaligned_erms", "allocator"),
    *(_gpu_frame(n, f"sched::slot::advance_{n}") for n in range(1, 38)),
    _gpu_frame(38, "start_thread", "thread"),
    _gpu_frame(39, "clone3", "thread"),
)

UNKNOWN = Report(
    verdict=Verdict.UNKNOWN,
    inputs=(
        Input(id=0, name="core.4711.txt", kind=InputKind.TEXT, dialects=("gdb",), truncated=True),
    ),
    engine=Engine(name="openclaw"),
    signal=Signal(name="SIGSEGV", number=11, code="SEGV_MAPERR", fault_address="0x18", at=_at(9)),
    threads=(
        Thread(id="7", tid=4718, name="slot-worker", crashed=True, frames=_DEEP, at=_at(40)),
        Thread(id="2", name="cuda-EvtHandlr", kind=ThreadKind.HOST, frames=_DEEP[-2:]),
    ),
    crashed_thread=0,
    blamed_frame=BlamedFrame(
        thread=0,
        frame=1,
        why="first frame that is not abort, allocator, driver or thread plumbing",
    ),
    environment=Environment(driver="550.54.15", where={"driver": _at(3)}),
    fingerprint=Fingerprint(
        value="03b1f7c2a9d4e655",
        title="advance_1 | advance_2 | advance_3",
        algorithm=1,
        inputs=("SIGSEGV", "advance_1", "advance_2", "advance_3"),
    ),
    diagnoses=(
        Diagnosis(
            signature="openclaw/kv-race",
            family="threading-race",
            title="Batches without --parallel race for the KV cache",
            confidence=0.41,
            level=Level.HINT,
        ),
    ),
    family="null-dereference",
    family_evidence=(
        Evidence(field="signal.fault_address", text="0x18", weight=0.7, at=_at(9)),
        Evidence(
            field="frame.function", text="__memmove_avx_unaligned_erms", weight=0.2, at=_at(41)
        ),
    ),
    action=Action.COLLECT_MORE,
    next_evidence=(
        (
            "The engine's log of the last minutes before the crash\n"
            'journalctl -u claw --since "-10 min" > engine.log'
        ),
        (
            "Every thread with its variables, not only the one that crashed\n"
            "gdb -batch -ex 'thread apply all bt full' ./claw_server core.4711 > threads.txt"
        ),
        (
            "A run that finds races, where the crash can be repeated on the CPU\n"
            "valgrind --tool=helgrind ./claw_server --backend cpu --model small.gguf"
        ),
    ),
    warnings=(
        ReportWarning(
            code="core-truncated", message="the core dump ends early: memory is missing", at=_at(4)
        ),
        ReportWarning(
            code="no-debug-info",
            message="claw_server has no debug information: frames have no file and line",
        ),
    ),
)

NO_CRASH = Report(
    verdict=Verdict.NO_CRASH,
    inputs=(Input(id=0, name="standard input", kind=InputKind.TEXT, dialects=("openclaw",)),),
    engine=Engine(name="openclaw", version="0.9.2"),
    environment=Environment(options={"ctx-size": "4096"}, where={"options.ctx-size": _at(5)}),
    action=Action.COLLECT_MORE,
    next_evidence=(
        (
            "The log of the run that failed: this one ends with tokens and no error\n"
            "journalctl -u claw --since today | grep -n -i -e error -e fatal -e signal"
        ),
    ),
)

SAMPLES = {"known": KNOWN, "unknown": UNKNOWN, "no-crash": NO_CRASH}
