"""What changes a crash's fingerprint, and what must not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.crash import join
from triage.fingerprint import ALGORITHM, fingerprint
from triage.knowledge import noise_lists
from triage.model.crash import Crash, ErrorRecord, Fragment, Signal
from triage.model.stack import Frame, Thread, ThreadKind, Trust
from triage.read import ReadOptions, read_text

RECORDINGS = Path(__file__).resolve().parents[2] / "fixtures" / "recordings"
NOISE = ("abort", "raise", "__GI_raise", "std::terminate()", "cudaStreamSynchronize", "clone3")
SEGV = Signal(name="SIGSEGV", number=11)


def crash(
    *functions: str | None,
    errors: tuple[ErrorRecord, ...] = (),
    signal: Signal | None = SEGV,
    kind: ThreadKind = ThreadKind.HOST,
) -> Crash:
    frames = tuple(
        Frame(index=n, function=f, trust=Trust.SYMBOL if f else Trust.ADDRESS_ONLY)
        for n, f in enumerate(functions)
    )
    thread = Thread(frames=frames, crashed=True, kind=kind)
    return again(Fragment(dialect="x", threads=(thread,), errors=errors, signal=signal))


def again(fragment: Fragment) -> Crash:
    return join((fragment,), (), noise_lists())


def changed(one: Crash, frames: tuple[Frame, ...]) -> Crash:
    thread = replace(one.threads[0], frames=frames)
    return again(Fragment(dialect="x", threads=(thread,), errors=one.errors, signal=one.signal))


def value(one: Crash) -> str:
    found = fingerprint(one)
    assert found is not None
    return found.value


_NAMES = st.sampled_from(["f", "g", "ns::h", "ns::T::operator()", "main", "run", *NOISE])
_STACKS = st.lists(_NAMES, min_size=1, max_size=6)


class TestStays:
    @given(_STACKS, st.integers(0, 2**64 - 1), st.integers(0, 10**6), st.text(max_size=5))
    def test_with_other_addresses_lines_and_arguments(self, names, address, line, text):
        one = crash(*names)
        frames = tuple(
            replace(
                f, address=hex(address), line=line, args=text, offset=hex(line), file=f"/{text}/a.c"
            )
            for f in one.threads[0].frames
        )
        assert value(changed(one, frames)) == value(one)

    @given(_STACKS, st.lists(st.tuples(st.integers(0, 6), st.sampled_from(NOISE)), max_size=4))
    def test_with_more_plumbing(self, names, more):
        longer = list(names)
        for place, name in more:
            longer.insert(place, name)
        assert value(crash(*longer)) == value(crash(*names))

    @given(
        st.lists(st.sampled_from(["f", "ns::g", "ns::T::h"]), min_size=1, max_size=4),
        st.sampled_from(["", "<int>", "<std::pair<int, char> >"]),
        st.sampled_from(["", "(int)", "(char*) const", "() [clone .cold]", ".isra.0"]),
    )
    def test_with_other_decoration_of_the_names(self, names, template, tail):
        assert value(crash(*(n + template + tail for n in names))) == value(crash(*names))

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("_ZN2ns1A1fEiPKc", "ns::A::f(int, char const*)"),
            (
                "ns::f()::{lambda(int)#2}::operator()(int) const",
                "ns::f()::<lambda(int)>::operator()(int) const",
            ),
            (
                "ns::f()::'lambda0'(int)::operator()(int) const",
                "ns::f()::$_3::operator()(int) const",
            ),
            ("(anonymous namespace)::f()", "`anonymous namespace'::f"),
            ("_RNvNtCs1_1a1b1f", "a::b::f::h0123456789abcdef"),
        ],
    )
    def test_in_another_printers_words(self, one, other):
        assert value(crash(one, "main")) == value(crash(other, "main"))

    def test_with_a_script_in_another_place(self):
        def script(file: str) -> str:
            one = crash("<module>")
            return value(changed(one, (replace(one.threads[0].frames[0], file=file),)))

        assert script("/usr/lib/python3/dist-packages/a/b.py") == script("/x/site-packages/a/b.py")
        assert script("/x/site-packages/a/b.py") != script("/x/site-packages/a/c.py")

    def test_with_other_frames_further_out(self):
        assert value(crash("f", "g", "h", "main")) == value(crash("f", "g", "h", "start", "serve"))

    def test_with_frames_that_have_no_name(self):
        assert value(crash("f", None, "g")) == value(crash("f", "g"))

    def test_with_other_numbers_and_paths_in_a_message(self):
        def said(text: str) -> str:
            return value(crash(errors=(ErrorRecord(api="engine", message=text),)))

        assert said("/a/b.gguf: 12 of 0x1f") == said("/home/x/c.gguf: 3456 of 0xffff")
        assert said("out of memory") != said("out of time")

    def test_with_a_wait_for_the_device(self):
        """An asynchronous error is reported by whoever waits next: that is nobody's fault."""
        lost = (ErrorRecord(api="cuda", code=700),)
        assert value(crash("f", errors=lost)) == value(crash("g", "main", errors=lost))
        none = (ErrorRecord(api="cuda", code=2),)
        assert value(crash("f", errors=none)) != value(crash("g", "main", errors=none))


class TestChanges:
    @given(_STACKS)
    def test_with_the_blamed_function(self, names):
        one = crash(*names)
        if one.blamed_frame is None:
            return
        frames = list(one.threads[0].frames)
        blamed = one.blamed_frame.frame
        frames[blamed] = replace(frames[blamed], function="another::function")
        assert value(changed(one, tuple(frames))) != value(one)

    def test_with_the_callers(self):
        assert value(crash("f", "g", "main")) != value(crash("f", "h", "main"))

    def test_with_the_signal_where_no_error_is_known(self):
        assert value(crash("f")) != value(crash("f", signal=Signal(name="SIGABRT")))

    def test_with_the_error(self):
        def with_code(code: int) -> str:
            return value(crash("f", errors=(ErrorRecord(api="cuda", code=code),)))

        assert with_code(2) != with_code(100)

    def test_with_the_device_function(self):
        lost = (ErrorRecord(api="cuda", code=700),)
        stacks = [crash(f, errors=lost, kind=ThreadKind.GPU) for f in ("k1", "k2")]
        assert value(stacks[0]) != value(stacks[1])


class TestForm:
    def test_inputs_are_what_it_was_made_from(self):
        found = fingerprint(
            crash("abort", "void ns::f<int>(int)", "std::terminate()", "ns::g", "a", "b")
        )
        assert found.inputs == ("SIGSEGV", "ns::f", "ns::g", "a")
        assert found.title == "f | g | a"
        assert found.algorithm == ALGORITHM
        assert len(found.value) == 16
        int(found.value, 16)

    def test_error_names_the_class(self):
        api = ErrorRecord(api="cuda", code=2, name="cudaErrorMemoryAllocation")
        engine = ErrorRecord(api="engine", name="clw-llm-crash", message="x")
        assert (
            fingerprint(crash("f", errors=(engine, api))).inputs[0]
            == "cuda:cudaErrorMemoryAllocation"
        )
        assert fingerprint(crash("f", errors=(engine,))).inputs[0] == "engine:clw-llm-crash"
        code = ErrorRecord(api="vulkan", code=-99)
        assert fingerprint(crash("f", errors=(code,))).inputs[0] == "vulkan:-99"

    def test_nothing_to_go_by(self):
        assert fingerprint(Crash()) is None
        assert fingerprint(crash(None, "abort", signal=None)) is None

    def test_signal_alone(self):
        assert fingerprint(crash()).inputs == ("SIGSEGV",)

    def test_title_of_endless_names_is_cut(self):
        assert len(fingerprint(crash("f" * 5000)).title) == 255

    @given(st.lists(st.one_of(st.none(), st.text(max_size=20)), max_size=4), st.text(max_size=20))
    def test_any_names_and_messages_have_one(self, names, message):
        fingerprint(crash(*names, errors=(ErrorRecord(api="x", message=message),)))

    def test_values_stay_from_version_to_version(self):
        """A stored fingerprint has to be found again: a new value is a new algorithm."""
        assert ALGORITHM == 1
        assert value(crash("abort", "ns::f", "main")) == "aa3eb970a074004d"


@pytest.mark.parametrize("folder", ["cpu/kv-overflow", "cpu/opencl-queue", "cpu/gguf-offset"])
def test_every_report_of_a_debugger_gives_the_same(folder: str):
    texts = [
        (RECORDINGS / folder / f"gdb-{name}.txt").read_text()
        for name in ("bt", "bt-full", "threads")
    ]
    assert len({value(read_text(text, ReadOptions()).crash) for text in texts}) == 1


def test_gpu_core_and_session_of_one_crash_give_the_same():
    names = ("quant.dbg.gpucore.txt", "quant.dbg.cudagdb.txt")
    crashes = [read_text((RECORDINGS / "gpu" / n).read_text(), ReadOptions()).crash for n in names]
    assert len({fingerprint(c).inputs for c in crashes}) == 1
