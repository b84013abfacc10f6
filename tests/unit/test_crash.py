"""Fragments joined into one crash: which thread failed, which frame is to blame, what is known."""

from __future__ import annotations

import timeit
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.crash import MAX_THREADS, blame, blamed_frame, crashed_thread, frames_from, join
from triage.frames.noise import mark_noise
from triage.knowledge import NoiseList, noise_lists
from triage.model.crash import (
    Crash,
    Engine,
    Environment,
    ErrorRecord,
    Fragment,
    ModelFile,
    Signal,
    Timing,
)
from triage.model.position import Position
from triage.model.stack import Frame, FrameKind, Thread, ThreadKind, Trust
from triage.read import ReadOptions, read_text
from triage.text.glob import glob_match

GPU = Path(__file__).resolve().parents[2] / "fixtures" / "recordings" / "gpu"
LIBC = "/lib/x86_64-linux-gnu/libc.so.6"
CUDA = "/usr/lib/libcuda.so.1"


def frame(function: str | None, index: int = 0, **fields: object) -> Frame:
    trust = Trust.SYMBOL if function else Trust.ADDRESS_ONLY
    return Frame(**{"index": index, "function": function, "trust": trust, **fields})


def thread(*functions: str | Frame | None, crashed: bool = False, **fields: object) -> Thread:
    frames = tuple(f if isinstance(f, Frame) else frame(f, n) for n, f in enumerate(functions))
    return mark_noise(Thread(frames=frames, crashed=crashed, **fields), noise_lists())


def noise_of(frame: Frame, lists: Sequence[NoiseList]) -> str | None:
    return mark_noise(Thread(frames=(frame,)), lists).frames[0].noise


def crash(*fragments: Fragment) -> Crash:
    return join(fragments, (), noise_lists())


class TestNoise:
    @pytest.mark.parametrize(
        ("function", "name"),
        [
            ("raise", "libc"),
            ("__GI_abort", "libc"),
            ("__pthread_kill_implementation", "libc"),
            ("std::terminate()", "cxx"),
            ("__cxa_throw", "cxx"),
            ("std::function<void ()>::operator()() const", "cxx"),
            ("std::thread::_Invoker<std::tuple<int> >::operator()()", "cxx"),
            ("cudaStreamSynchronize", "cuda"),
            ("hipStreamSynchronize", "hip"),
            ("llm::fail", "openclaw"),
            ("pthread_cond_wait@@GLIBC_2.3.2", "libc"),
            ("abort [clone .cold]", "libc"),
            ("llm::engine::load_model", None),
            ("cudaMallocAsync", None),
            ("remap_kernel", None),
            ("my_abort", None),
            ("raise_the_roof", None),
            ("_ZNSt6thread4joinEv", "cxx"),
            ("std::__1::condition_variable::wait(std::__1::unique_lock&)", "cxx"),
            ("<alloc::boxed::Box<F> as core::ops::function::FnOnce<()>>::call_once", "rust"),
            (
                "<std::sys::backtrace::Display as core::fmt::Display>::fmt::h0123456789abcdef",
                "rust",
            ),
            # a method that is called as a system call is
            ("llm::model_file::read(char*, unsigned long)", None),
            ("clang::Attr::clone", None),
        ],
    )
    def test_by_function(self, function: str, name: str | None):
        assert noise_of(frame(function), noise_lists()) == name

    @pytest.mark.parametrize(
        ("name", "functions"),
        [
            ("libc", "__GI_raise abort __assert_fail __libc_message _int_malloc malloc_printerr"),
            (
                "libc",
                "__strlen_avx2 strcmp __vfprintf_internal qsort_r sem_wait __nptl_death_event",
            ),
            ("libc", "pthread_rwlock_wrlock __restore_rt recvmsg siglongjmp madvise"),
            ("allocators", "tc_malloc je_arena_dalloc mi_free _mi_page_malloc tcmalloc::Span::new"),
            ("cxx", "std::terminate __cxa_throw __clang_call_terminate std::visit<int>"),
            ("cuda", "cuStreamSynchronize cudaMemcpyAsync cudaGraphLaunch_v10000 cublasLtMatmul"),
            ("hip", "hipStreamSynchronize hsa_signal_wait_scacquire hsaKmtWaitOnEvent"),
            ("nccl", "c10d::ProcessGroupNCCL::Watchdog::run ncclProxyProgress"),
            ("openmp", "gomp_team_barrier_wait GOMP_parallel __kmp_fork_call blas_thread_server"),
            ("python", "_PyEval_EvalFrameDefault PyObject_Call take_gil faulthandler_fatal_error"),
            ("python", "pybind11::cpp_function::dispatcher(_object*) ffi_call_unix64"),
            ("rust", "core::panicking::panic_fmt core::result::Result<T,E>::unwrap rust_panic"),
            ("rust", "tokio::runtime::task::harness::poll rayon_core::registry::in_worker"),
            ("go", "runtime.sigtrampgo runtime.cgocall crosscall2 _cgo_1f3a_Cfunc_llama_decode"),
            ("reporting", "ggml_abort ggml_print_backtrace __asan_report_load4 c10::Error::Error"),
        ],
    )
    def test_every_kind_of_plumbing_has_a_list(self, name: str, functions: str):
        for function in functions.split():
            assert noise_of(frame(function), noise_lists()) == name, function
        stack = thread(*functions.split(), crashed=True)
        assert blame(stack) is None
        assert blamed_frame([stack], crashed_thread([stack])) is None

    @pytest.mark.parametrize(
        "function",
        [
            "ggml_compute_forward_mul_mat", "llama_decode", "main.run", "github.com/x/y.Decode",
            "mistralrs_core::engine::run", "core::ptr::drop_in_place<x::CudaSlice<u8>>",
            "server_context::update_slots", "model.allocate", "my_strlen", "sendRequest", "jemain",
        ],
    )  # fmt: skip
    def test_what_does_the_work_is_on_no_list(self, function: str):
        assert noise_of(frame(function), noise_lists()) is None

    @pytest.mark.parametrize(
        ("module", "name"),
        [
            ("/usr/lib/x86_64-linux-gnu/libcuda.so.1", "cuda"),
            ("libcuda.so.535.129.03", "cuda"),
            ("/opt/rocm/lib/libamdhip64.so.6", "hip"),
            ("/lib64/ld-linux-x86-64.so.2", "libc"),
            ("/opt/claw/libclaw.so", None),
            ("/opt/libcuda.so.1/bin/claw", None),
        ],
    )
    def test_by_module(self, module: str, name: str | None):
        assert noise_of(frame("f", module=module), noise_lists()) == name

    def test_by_file(self):
        lists = (NoiseList("mine", (), (), ("*/bits/invoke.h", "condition.h")),)
        assert noise_of(frame("f", file="/usr/include/c++/12/bits/invoke.h"), lists) == "mine"
        assert noise_of(frame("f", file="/a/condition.h"), lists) == "mine"
        assert noise_of(frame("f", file="/src/invoke.h"), lists) is None
        lists = (NoiseList("mine", (), (), ("src/core/*",)),)
        for path in ("/home/runner/work/x/x/src/core/a.c", "src/core/a.c", "../src/core/a.c"):
            assert noise_of(frame("f", file=path), lists) == "mine"
        assert noise_of(frame("f", file="/opt/src/core/a.c"), lists) is None

    def test_first_list_counts(self):
        lists = (NoiseList("one", ("f",), (), ()), NoiseList("two", ("f",), (), ()))
        assert noise_of(frame("f"), lists) == "one"

    def test_globs_of_every_shape(self):
        globs = ("whole", "head*", "*tail", "a*b*c", "x*", "*mid*")
        lists = tuple(NoiseList(glob, (glob,), (), ()) for glob in globs)
        for function in ("whole", "HEAD", "headway", "tail", "my_tail", "abc", "a1b2c", "x", "xy"):
            expected = next((g for g in globs if glob_match(g, function)), None)
            assert noise_of(frame(function), lists) == expected
        assert noise_of(frame("amidst"), lists) == "*mid*"
        assert noise_of(frame("wholesome"), lists) is None
        assert noise_of(frame("ab"), lists) is None

    def test_a_thread_without_changes_stays_the_same(self):
        marked = mark_noise(Thread(frames=(frame("abort"), frame("f"))), noise_lists())
        assert [f.noise for f in marked.frames] == ["libc", None]
        assert mark_noise(marked, noise_lists()) is marked

    def test_a_big_backtrace_is_marked_fast(self):
        names = [f"ns::class_{n}<int>::method_{n}(std::vector<int>&)" for n in range(1500)]
        frames = tuple(frame(names[n % 1500], file=f"/src/{n % 200}.c") for n in range(40_000))
        threads = [Thread(frames=frames[n : n + 50]) for n in range(0, 40_000, 50)]
        lists = noise_lists()
        assert min(timeit.repeat(lambda: [mark_noise(t, lists) for t in threads], number=1)) < 0.3

    def test_an_old_mark_does_not_stay(self):
        (marked,) = mark_noise(Thread(frames=(frame("f", noise="old"),)), ()).frames
        assert marked.noise is None


class TestBlame:
    def test_first_frame_that_is_no_plumbing(self):
        assert blame(thread("raise", "abort", "llm::fail", "llm::engine::load", "main")) == 3

    def test_nobody(self):
        assert blame(thread("raise", "abort", "start_thread", "clone3")) is None
        assert blame(thread(None, None)) is None
        assert blame(Thread()) is None

    def test_a_name_that_came_from_no_symbol_is_not_blamed(self):
        assert blame(thread(frame("guess", trust=Trust.ADDRESS_ONLY), "f")) == 1

    def test_frames_above_a_signal_handler_are_the_handler_s(self):
        handler = frame("<signal handler called>", 2, kind=FrameKind.SIGNAL_HANDLER)
        assert blame(thread("report", "on_signal", handler, "raise", "work")) == 4
        inner = frame("<signal handler called>", 4, kind=FrameKind.SIGNAL_HANDLER)
        assert blame(thread("report", handler, "work", "raise", inner, "deep")) == 5

    def test_reason(self):
        gpu = thread("kernel", kind=ThreadKind.GPU)
        reasons = [blamed_frame([t], 0).why for t in (gpu, thread("f"), thread("abort", "f"))]
        assert len(set(reasons)) == 3
        assert blamed_frame([thread("abort")], 0) is None
        assert blamed_frame([thread("f")], None) is None

    def test_frames_that_can_be_blamed(self):
        stack = thread("abort", "f", "std::terminate", None, "g")
        assert [f.function for f in frames_from(stack, 1)] == ["f", "g"]


class TestCrashedThread:
    def test_marked_one(self):
        threads = [thread("poll"), thread("f", crashed=True), thread("g")]
        assert crashed_thread(threads) == 1

    def test_nobody_is_marked(self):
        assert crashed_thread([thread("f"), thread("g")]) is None
        assert crashed_thread([]) is None

    def test_one_without_frames_does_not_count(self):
        assert crashed_thread([thread(crashed=True), thread("f", crashed=True)]) == 1

    def test_gpu_comes_first(self):
        threads = [thread("f", crashed=True), thread("k", crashed=True, kind=ThreadKind.GPU)]
        assert crashed_thread(threads) == 1

    def test_driver_helper_that_aborts_speaks_for_the_thread_that_waits(self):
        helper = thread("raise", "abort", frame(None, 2, module=CUDA), "start_thread", crashed=True)
        waits = thread(frame(None, 0, module=CUDA), "cuStreamSynchronize", "llm::load", "main")
        idle = thread("poll", frame(None, 1, module=CUDA))
        other = thread("poll", "serve", "main")
        assert crashed_thread([helper, idle, other, waits]) == 3
        assert crashed_thread([helper, idle, other]) == 0

    def test_own_thread_that_aborts_is_the_one(self):
        waits = thread("cudaStreamSynchronize", "llm::load", "main")
        assert crashed_thread([waits, thread("raise", "abort", "llm::check", crashed=True)]) == 1
        assert crashed_thread([waits, thread("raise", "abort", crashed=True)]) == 1

    def test_last_signal_of_a_runtime_that_ends_all_threads_is_not_the_failure(self):
        """Go passes the signal of a failed C assertion on, and the last thread writes the core."""
        handler = frame("<signal handler called>", 2, kind=FrameKind.SIGNAL_HANDLER)
        last = thread("runtime.raise", "runtime.crash", handler, "runtime.futex", crashed=True)
        failed = thread(
            "runtime.usleep", "runtime.sighandler", handler, "raise", "abort", "__assert_fail",
            "ggml_gallocr_reserve_n", "_cgo_1f3a_Cfunc_llama_decode", "runtime.asmcgocall",
        )  # fmt: skip
        works = thread("ggml_vec_dot", "start_thread")
        threads = [last, works, failed]
        assert crashed_thread(threads) == 2
        assert blamed_frame(threads, 2).frame == 6
        assert crashed_thread([last, works]) == 0
        assert blamed_frame([last, works], 0) is None

    def test_ggml_s_own_gdb_stops_it_in_wait4(self):
        text = """\
/src/ggml-backend.cpp:1234: GGML_ASSERT(n_inputs < 10) failed
[New LWP 1235]
0x00007f1c2d2ea42f in __GI___wait4 (pid=99, usage=0x0) at ../sysdeps/unix/wait4.c:30
#0  0x00007f1c2d2ea42f in __GI___wait4 (pid=99, usage=0x0) at ../sysdeps/unix/wait4.c:30
#1  0x00007f1c2d7e0b6b in ggml_print_backtrace () from /app/libggml-base.so
#2  0x00007f1c2d7e0d0e in ggml_abort () from /app/libggml-base.so
#3  0x00007f1c2d7f6e32 in ggml_backend_sched_split_graph () from /app/libggml-base.so
#4  0x0000562a8f1a2b3c in main ()
[Inferior 1 (process 98) detached]
"""
        found = read_text(text, ReadOptions()).crash
        assert found.crashed_thread is not None
        blamed = found.threads[found.crashed_thread].frames[found.blamed_frame.frame]
        assert blamed.function == "ggml_backend_sched_split_graph"

    @pytest.mark.parametrize("name", ["quant.rel", "quant.dbg", "quant-iq2.rel", "dtype.rel"])
    def test_on_a_gpu(self, name: str):
        """The core of a run with GPU core dumps, which a driver thread ends, and of one without."""
        for suffix in ("gpucoredump.cpucore.txt", "cpucore.txt"):
            found = read_text((GPU / f"{name}.{suffix}").read_text(), ReadOptions()).crash
            failed = found.threads[found.crashed_thread]
            names = [f.function for f in failed.frames]
            assert "llm::engine::gguf_tensor_remap" in names
            assert names[-1] == "main"
            blamed = failed.frames[found.blamed_frame.frame]
            assert blamed.function.startswith("llm::")
            assert [t.crashed for t in found.threads].count(True) == 1
        helper = found.threads[found.crashed_thread]
        assert (helper.id, helper.crashed) == ("1", True)

    def test_on_a_gpu_the_debugger_s_current_thread_is_the_helper(self):
        text = (GPU / "quant.rel.gpucoredump.cpucore.txt").read_text()
        found = read_text(text, ReadOptions()).crash
        assert "[Current thread is 1 (Thread 0x7f0a22afe000 (LWP 945))]" in text
        assert found.threads[found.crashed_thread].id == "2"
        blamed = found.threads[found.crashed_thread].frames[found.blamed_frame.frame]
        # The backend below it only does as it is told.
        assert blamed.function == "llm::engine::gguf_tensor_remap"


def error(api: str, code: int | None = None, line: int = 1, **fields: object) -> ErrorRecord:
    return ErrorRecord(api=api, code=code, at=Position(input=0, line=line), **fields)


class TestErrors:
    def test_known_code_is_completed(self):
        (found,) = crash(Fragment(dialect="x", errors=(error("cuda", 700),))).errors
        assert (found.name, found.timing, found.sticky) == (
            "cudaErrorIllegalAddress", Timing.ASYNCHRONOUS, True,
        )  # fmt: skip

    def test_known_name_is_completed(self):
        (found,) = crash(
            Fragment(dialect="x", errors=(error("cuda", name="cudaErrorMemoryAllocation"),))
        ).errors
        assert (found.code, found.timing) == (2, Timing.SYNCHRONOUS)

    def test_what_is_stated_stays(self):
        stated = error("cuda", 700, name="mine", timing=Timing.SYNCHRONOUS, sticky=False)
        (found,) = crash(Fragment(dialect="x", errors=(stated,))).errors
        assert (found.name, found.timing, found.sticky) == ("mine", Timing.SYNCHRONOUS, False)

    def test_unknown_stays_as_it_is(self):
        odd = (error("cuda", 31337), error("engine", message="x"))
        assert crash(Fragment(dialect="x", errors=odd)).errors == odd

    def test_same_code_twice_is_one_error(self):
        one = Fragment(dialect="a", errors=(error("cuda", 700, 9, message="first", count=2),))
        two = Fragment(dialect="b", errors=(error("cuda", line=3, name="cudaErrorIllegalAddress"),))
        (found,) = crash(one, two).errors
        assert (found.count, found.at.line) == (3, 3)

    def test_same_words_with_other_numbers_are_one_error(self):
        texts = ("out of 12 MiB", "out of 3456 MiB", "out of time")
        errors = tuple(error("engine", message=text, line=n) for n, text in enumerate(texts, 1))
        found = crash(Fragment(dialect="x", errors=errors)).errors
        assert [(e.message, e.count) for e in found] == [("out of 12 MiB", 2), ("out of time", 1)]

    def test_places_keep_errors_apart(self):
        errors = tuple(
            ErrorRecord(api="engine", name="GGML_ASSERT", message="x", file="a.c", line=n)
            for n in (1, 2)
        )
        assert len(crash(Fragment(dialect="x", errors=errors)).errors) == 2

    def test_order_is_that_of_the_texts_and_their_lines(self):
        places = [(1, 1), (0, 9), (0, 2), (1, None)]
        errors = tuple(
            ErrorRecord(api=f"a{n}", at=Position(input=i, line=line))
            for n, (i, line) in enumerate(places)
        )
        found = crash(*(Fragment(dialect="x", errors=(e,)) for e in errors)).errors
        assert [(e.at.input, e.at.line) for e in found] == [(1, None), (1, 1), (0, 2), (0, 9)]


class TestSignal:
    def test_most_direct_observation_counts(self):
        fragments = [
            Fragment(dialect="shell", signal=Signal(name="SIGABRT"), signal_rank=4),
            Fragment(dialect="gdb", signal=Signal(name="SIGSEGV"), signal_rank=1),
            Fragment(dialect="kernel", signal=Signal(name="SIGBUS"), signal_rank=2),
        ]
        assert crash(*fragments).signal.name == "SIGSEGV"
        assert crash().signal is None


class TestEnvironment:
    @pytest.mark.parametrize(
        ("path", "quantization"),
        [
            ("/m/llama-3-8b.Q4_K_M.gguf", "Q4_K_M"),
            ("/m/tiny-llama-IQ2_XXS.gguf", "IQ2_XXS"),
            ("/m/x-q5_k_s.gguf", "Q5_K_S"),
            ("/m/x.Q6_K.gguf", "Q6_K"),
            ("/m/x-Q3_K_XL-00001-of-00003.gguf", "Q3_K_XL"),
            ("/m/x-F16.gguf", "F16"),
            ("/m/x-bf16.gguf", "BF16"),
            ("/m/x-TQ1_0.gguf", "TQ1_0"),
            ("/m/gpt-oss-MXFP4.gguf", "MXFP4"),
            ("/m/x-iq4_nl.gguf", "IQ4_NL"),
            ("/m/Q8_0/x-Q4_0.gguf", "Q4_0"),
            ("C:\\m\\x-Q4_0.gguf", "Q4_0"),
            ("/m/Q8_0/x.gguf", None),
            ("/m/SEQ4_0x.gguf", None),
            ("/m/x", None),
        ],
    )
    def test_quantization_from_the_name_of_the_file(self, path: str, quantization: str | None):
        where = {"model.path": Position(line=3)}
        environment = Environment(model=ModelFile(path=path), where=where)
        found = crash(Fragment(dialect="x", environment=environment)).environment
        assert found.model.quantization == quantization
        assert found.where.get("model.quantization") == (Position(line=3) if quantization else None)

    def test_what_is_stated_counts_more(self):
        model = ModelFile(path="/m/x-Q4_0.gguf", quantization="Q5_K_M")
        found = crash(Fragment(dialect="x", environment=Environment(model=model)))
        assert found.environment.model.quantization == "Q5_K_M"

    @pytest.mark.parametrize("option", ["model", "-m"])
    def test_model_of_the_command_line(self, option: str):
        environment = Environment(
            options={option: "/m/x-Q4_0.gguf"}, where={"option.model": Position(input=2)}
        )
        found = crash(Fragment(dialect="x", environment=environment)).environment
        assert (found.model.path, found.model.quantization) == ("/m/x-Q4_0.gguf", "Q4_0")
        assert found.where["model.path"] == Position(input=2)

    def test_what_one_input_does_not_know_another_may(self):
        one = Environment(
            driver="1", options={"a": "1"}, variables={"V": None}, model=ModelFile(path="/m/x")
        )
        two = Environment(
            driver="2",
            cuda_toolkit="11.8",
            command_line=("claw",),
            options={"a": "2", "b": "3"},
            variables={"V": "set", "W": "1"},
            model=ModelFile(path="/m/y", quantization="Q4_0"),
        )
        fragments = (Fragment(dialect="x", environment=e) for e in (one, two))
        found = crash(*fragments).environment
        assert (found.driver, found.cuda_toolkit, found.command_line) == ("1", "11.8", ("claw",))
        assert found.options == {"a": "1", "b": "3"}
        assert found.variables == {"V": None, "W": "1"}
        assert found.model == ModelFile(path="/m/x", quantization="Q4_0")

    def test_engine_s_version_may_come_from_another_input(self):
        engines = [None, Engine(name="openclaw"), Engine(name="other", version="0.9.2")]
        found = crash(*(Fragment(dialect="x", engine=e) for e in engines))
        assert (found.engine.name, found.engine.version) == ("openclaw", "0.9.2")


_FUNCTIONS = st.sampled_from(["abort", "raise", "f", "g", None, "cudaStreamSynchronize", "main"])
_THREADS = st.builds(
    lambda functions, crashed, kind: thread(*functions, crashed=crashed, kind=kind),
    st.lists(_FUNCTIONS, max_size=5),
    st.booleans(),
    st.sampled_from([ThreadKind.HOST, ThreadKind.HOST, ThreadKind.GPU]),
)


@given(st.lists(_THREADS, max_size=5))
def test_property_one_thread_at_most_is_crashed_and_its_blamed_frame_is_no_plumbing(threads):
    found = crash(Fragment(dialect="x", threads=tuple(threads)))
    assert [t.frames for t in found.threads] == [t.frames for t in threads]
    marked = [n for n, t in enumerate(found.threads) if t.crashed]
    assert marked == ([] if found.crashed_thread is None else [found.crashed_thread])
    assert bool(marked) is any(t.crashed and t.frames for t in threads)
    if found.blamed_frame:
        blamed = found.threads[found.blamed_frame.thread].frames[found.blamed_frame.frame]
        assert blamed.noise is None
        assert blamed.function


class TestManyThreads:
    COUNT = MAX_THREADS + 500

    def test_the_crashed_thread_stays_and_it_is_said(self):
        last = self.COUNT - 1
        threads = tuple(
            Thread(id=str(n), frames=(frame(f"f{n}"),), crashed=n == last)
            for n in range(self.COUNT)
        )
        found = crash(Fragment(dialect="x", threads=threads))
        assert len(found.threads) == MAX_THREADS
        assert found.threads[found.crashed_thread].id == str(last)
        assert [w.code for w in found.warnings] == ["threads-cut"]
        ids = [int(t.id) for t in found.threads]
        assert ids == sorted(ids)

    def test_no_word_where_all_are_there(self):
        threads = (Thread(frames=(frame("f"),)),) * MAX_THREADS
        assert crash(Fragment(dialect="x", threads=threads)).warnings == ()


class TestStanding:
    def test_a_process_comes_before_the_kernel_that_reports_its_end(self):
        kernel = thread(frame("do_exit", kind=FrameKind.KERNEL), crashed=True)
        host = thread("llm::remap", crashed=True)
        assert crashed_thread([kernel, host]) == 1
        assert crashed_thread([kernel]) == 0

    def test_names_come_before_addresses(self):
        bare, named = thread(None, None, crashed=True), thread("llm::remap", crashed=True)
        assert crashed_thread([bare, named]) == 1

    def test_a_guess_of_the_kernel_is_not_blamed(self):
        guess = frame("a_guess", 0, kind=FrameKind.KERNEL)
        guess = replace(guess, trust=Trust.TEXT)
        sure = frame("vfs_write", 1, kind=FrameKind.KERNEL)
        assert blame(thread(guess, sure)) == 1
        assert blame(thread(guess)) is None
