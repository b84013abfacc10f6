"""Python's own tracebacks and faulthandler's, as they arrive: whole, cut, boxed and mixed."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.model.crash import Crash, Role
from triage.model.stack import FrameKind, Thread, ThreadKind
from triage.read import ReadOptions, read_text

CrashOf = Callable[[str], Crash]
TextOf = Callable[[str], str]

INNER = ["inner 3", "<listcomp> 5", "outer 5"]


def read(text: str) -> Crash:
    return read_text(textwrap.dedent(text).strip("\n"), ReadOptions()).crash


def stack(thread: Thread) -> list[str]:
    return [f"{frame.function} {frame.line}" for frame in thread.frames]


def stacks(crash: Crash) -> list[list[str]]:
    return [stack(thread) for thread in crash.threads]


def python_errors(crash: Crash) -> list[tuple[str | None, str | None]]:
    return [(e.name, e.message) for e in crash.errors if e.api == "python"]


class TestRecordings:
    def test_chained(self, crash_of: CrashOf):
        crash = crash_of("python/chained.txt")
        assert stacks(crash) == [[*INNER, "chained 9"], ["chained 11", "<module> 82"]]
        assert crash.crashed_thread == 0
        assert [(e.name, e.message, e.role, e.at.line) for e in crash.errors] == [
            ("ZeroDivisionError", "division by zero", Role.UNCLEAR, 13),
            ("RuntimeError", "could not\ndo it", Role.CONSEQUENCE, 22),
        ]

    @pytest.mark.parametrize("version", ["3.8", "3.13"])
    def test_other_versions(self, version: str, crash_of: CrashOf):
        crash = crash_of(f"python/chained-{version}.txt")
        assert stack(crash.threads[0])[0] == "inner 3"
        assert stack(crash.threads[0])[-1] == "chained 9"
        assert python_errors(crash)[1] == ("RuntimeError", "could not\ndo it")

    def test_group(self, crash_of: CrashOf):
        crash = crash_of("python/group.txt")
        assert [s[0] for s in stacks(crash)] == [
            "group 26", "inner 3", "chained 11", "during 14", "inner 3",
        ]  # fmt: skip
        assert crash.crashed_thread == 1
        assert [e.name for e in crash.errors] == [
            "ExceptionGroup", "ZeroDivisionError", "RuntimeError", "KeyError", "ValueError",
        ]  # fmt: skip
        assert crash.errors[-1].message == "plain"

    def test_recursion_is_counted(self, crash_of: CrashOf):
        (thread,) = crash_of("python/recur.txt").threads
        assert thread.frames_omitted == 0
        assert len(thread.frames) == 1000
        assert {f.function for f in thread.frames} == {"recur", "<module>"}

    def test_syntax_error_has_a_place(self, crash_of: CrashOf):
        crash = crash_of("python/syn.out")
        assert stacks(crash) == [["None 1", "syn 28", "<module> 82"]]
        (error,) = crash.errors
        assert (error.name, error.file, error.line) == ("SyntaxError", "<string>", 1)

    def test_thread_has_its_name(self, crash_of: CrashOf):
        (thread,) = crash_of("python/thread.txt").threads
        assert thread.name == "worker-7"

    def test_other_process_is_the_cause(self, crash_of: CrashOf):
        crash = crash_of("python/pool.txt")
        assert [s[0] for s in stacks(crash)] == ["inner 3", "get 774"]
        assert crash.crashed_thread == 0
        assert python_errors(crash) == [("ZeroDivisionError", "division by zero")]

    def test_ignored_exception_is_no_crash(self, crash_of: CrashOf):
        crash = crash_of("python/ignored.txt")
        assert crash.crashed_thread is None
        assert crash.errors[0].role is Role.CONSEQUENCE

    def test_notes_belong_to_the_message(self, crash_of: CrashOf):
        (error,) = crash_of("python/notes.txt").errors
        assert error.message == "division by zero\na note\nof two lines"

    def test_stack_of_a_log_call_is_no_crash(self, crash_of: CrashOf):
        crash = crash_of("python/logging_.txt")
        assert [s[0] for s in stacks(crash)] == [
            "inner 3", "logging_ 64", "getMessage 377", "logging_ 66",
        ]  # fmt: skip
        assert crash.crashed_thread == 0
        assert [e.name for e in crash.errors] == ["ZeroDivisionError", "TypeError"]

    def test_exception_with_an_unusual_name(self, crash_of: CrashOf):
        assert python_errors(crash_of("python/custom.txt")) == [
            ("custom.<locals>.Weird", "odd name")
        ]

    def test_signal_of_a_child(self, crash_of: CrashOf):
        assert crash_of("python/childsig.txt").signal.name == "SIGSEGV"

    def test_faulthandler(self, crash_of: CrashOf):
        crash = crash_of("python/abrt.txt")
        assert (crash.signal.name, crash.signal.at.line) == ("SIGABRT", 1)
        assert [t.crashed for t in crash.threads] == [False, True]
        assert stack(crash.threads[1]) == ["abrt 72", "<module> 82"]
        assert crash_of("python/segv.txt").signal.name == "SIGSEGV"


def cuts(text: str) -> Iterator[str]:
    lines = text.split("\n")
    for n in range(len(lines)):
        yield "\n".join(lines[:n])
        yield "\n".join(lines[n:])


@pytest.mark.parametrize("name", ["chained", "group", "logging_", "abrt", "pool"])
def test_cut_at_any_line(name: str, text_of: TextOf, crash_of: CrashOf):
    def frames(crash: Crash) -> set[tuple[str | None, int | None]]:
        return {(f.function, f.line) for t in crash.threads for f in t.frames}

    whole = frames(crash_of(f"python/{name}.txt"))
    for part in cuts(text_of(f"python/{name}.txt")):
        assert frames(read(part)) <= whole


TRACEBACK = """
Traceback (most recent call last):
  File "/app/main.py", line 9, in <module>
    run()
  File "/app/engine.py", line 31, in run
    raise RuntimeError("CUDA error: out of memory")
           ^^^^^^^^^^^^
RuntimeError: CUDA error: out of memory
CUDA kernel errors might be asynchronously reported at some other API call
Compile with `TORCH_USE_CUDA_DSA` to enable device-side assertions.
""".strip()
EXPECTED = ["run 31", "<module> 9"]


def boxed(text: str) -> str:
    return "\n".join(f"│ {line:<90}│" for line in text.split("\n"))


def wrapped(text: str, width: int) -> str:
    parts = [
        line[n : n + width] for line in text.split("\n") for n in range(0, len(line) or 1, width)
    ]
    return "\n".join(parts)


@pytest.mark.parametrize(
    "lead",
    [
        "[rank0]: ", "[1,0]<stderr>:", "node-7: ", "> ", "    ", "2026-01-02 03:04:05,678 ",
        "engine-1  | ", "ERROR 01-02 03:04:05 [core.py:7] ", "(Worker pid=12) ", "stderr: ",
        "E0102 03:04:05.678901 12 log.cc:4] ", "(Worker pid=12, ip=10.0.0.1) ", "\t",
    ],
)  # fmt: skip
def test_behind_any_lead(lead: str):
    crash = read_text(textwrap.indent(TRACEBACK, lead), ReadOptions()).crash
    assert stacks(crash) == [EXPECTED]
    ((name, message),) = python_errors(crash)
    assert name == "RuntimeError"
    assert message.startswith("CUDA error: out of memory\nCUDA kernel errors might")


def test_in_a_box():
    crash = read_text(boxed(TRACEBACK), ReadOptions()).crash
    assert stacks(crash) == [EXPECTED]
    assert python_errors(crash)[0][0] == "RuntimeError"


@pytest.mark.parametrize("width", range(29, 46))
def test_cut_by_a_terminal(width: int):
    crash = read_text(wrapped(TRACEBACK, width), ReadOptions()).crash
    # A name that is cut itself cannot be told from a whole one; all else is put together again.
    for got, want in zip(stack(crash.threads[0]), EXPECTED, strict=True):
        assert want.startswith(got.split()[0])
        assert got.split()[1] == want.split()[1]


def test_folded_into_one_line():
    folded = TRACEBACK.replace('"', '\\"').replace("\n", "\\n")
    crash = read_text(f'{{"level":"error","msg":"{folded}\\n"}}', ReadOptions()).crash
    assert stacks(crash) == [EXPECTED]
    assert python_errors(crash)[0][0] == "RuntimeError"


def test_two_processes_in_one_another():
    crash = read(
        """
        (APIServer pid=1) Traceback (most recent call last):
        (APIServer pid=1)   File "/a.py", line 1, in a
        (EngineCore_0 pid=2) Traceback (most recent call last):
        (APIServer pid=1)     b()
        (EngineCore_0 pid=2)   File "/c.py", line 3, in c
        (APIServer pid=1)   File "/b.py", line 2, in b
        (APIServer pid=1) ValueError: no
        (EngineCore_0 pid=2) KeyError: 'k'
        """
    )
    assert stacks(crash) == [["b 2", "a 1"], ["c 3"]]
    assert python_errors(crash) == [("ValueError", "no"), ("KeyError", "'k'")]


@pytest.mark.parametrize("lead", ["[rank{}]: ", "[1,{}]<stderr>:"])
def test_two_ranks_in_one_another(lead: str):
    lines = TRACEBACK.split("\n")[:7]
    mixed = "\n".join(lead.format(rank) + line for line in lines for rank in (0, 1))
    crash = read_text(mixed, ReadOptions()).crash
    assert stacks(crash) == [EXPECTED, EXPECTED]
    (error,) = [e for e in crash.errors if e.api == "python"]
    assert (error.message, error.count) == ("CUDA error: out of memory", 2)


def test_task_of_ray_is_the_cause():
    crash = read(
        """
        Traceback (most recent call last):
          File "/app/driver.py", line 4, in <module>
            ray.get(f.remote())
        ray.exceptions.RayTaskError(ValueError): ray::f() (pid=12, ip=10.0.0.1)
          File "/app/task.py", line 6, in f
            raise ValueError("x")
        ValueError: x
        """
    )
    assert stacks(crash) == [["<module> 4"], ["f 6"]]
    assert crash.crashed_thread == 1
    assert python_errors(crash) == [
        ("ray.exceptions.RayTaskError(ValueError)", "ray::f() (pid=12, ip=10.0.0.1)"),
        ("ValueError", "x"),
    ]


def test_exception_before_its_traceback():
    crash = read(
        """
        === Uncaught Python exception: ===
        KeyError: (1, 5)
        Traceback (most recent call last):
          File "fuzz.py", line 40, in TestOneInput
            parse(data)
        """
    )
    assert python_errors(crash) == [("KeyError", "(1, 5)")]
    assert stacks(crash) == [["TestOneInput 40"]]


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("torch.cuda.OutOfMemoryError: CUDA out of memory.", "torch.cuda.OutOfMemoryError"),
        ("torch.AcceleratorError: CUDA error: x", "torch.AcceleratorError"),
        (
            "triton.runtime.errors.OutOfResources: out of resource: shared memory",
            "triton.runtime.errors.OutOfResources",
        ),
        ("torch.distributed.DistBackendError: NCCL error", "torch.distributed.DistBackendError"),
        ("ValueError: nobody says where", None),
        ("I got a torch.cuda.OutOfMemoryError: what now?", None),
        ("torch.distributed.launch: started", None),
    ],
)
def test_last_line_alone(line: str, name: str | None):
    assert [e for e, _ in python_errors(read(line))] == ([name] if name else [])


@pytest.mark.parametrize(
    "last",
    [
        "zmq.error.Again: Resource temporarily unavailable",
        "queue.Empty",
        "Unsupported: call",
        "Err: ",
    ],
)
def test_any_name_ends_a_traceback(last: str):
    crash = read(
        f'Traceback (most recent call last):\n  File "a.py", line 1, in f\n    g()\n{last}'
    )
    assert [name for name, _ in python_errors(crash)] == [last.partition(":")[0]]


@pytest.mark.parametrize(
    "after",
    [
        "INFO: done",
        "ERROR 01-02 03:04:05 x",
        "frame #0: f",
        "",
        "Aborted (core dumped)",
    ],
)
def test_message_ends_before_other_output(after: str):
    crash = read(f"{TRACEBACK}\n{after}\nmore")
    ((_, message),) = python_errors(crash)
    assert message.endswith("to enable device-side assertions.")


def test_log_line_behind_a_cut_traceback_is_no_exception():
    crash = read(
        """
        Traceback (most recent call last):
          File "/a.py", line 1, in a
        server started
        Loading: 3 of 7
        """
    )
    assert python_errors(crash) == []


def test_c_stack_of_the_current_thread():
    crash = read(
        """
        Fatal Python error: Segmentation fault

        Current thread 0x00007f01 [python3] (most recent call first):
          File "/app/main.py", line 3 in f

        Current thread's C stack trace (most recent call first):
          Binary file "/lib/libx.so", at crash_here+0x12 [0x7f0012]
          Binary file "/lib/libx.so", at +0x99 [0x7f0099]
          <truncated rest of calls>

        Extension modules: numpy.linalg (total: 1)
        """
    )
    python, native = crash.threads
    assert (python.kind, python.name, python.crashed) == (ThreadKind.PYTHON, "python3", True)
    assert native.kind is ThreadKind.HOST
    assert [(f.function, f.module, f.offset, f.address) for f in native.frames] == [
        ("crash_here", "/lib/libx.so", "0x12", "0x7f0012"),
        (None, "/lib/libx.so", "0x99", "0x7f0099"),
    ]


def test_thread_without_a_heading_of_its_own():
    crash = read(
        """
        Fatal Python error: Aborted

        Stack (most recent call first):
          File "/a.py", line 257 in reduce
          File "/b.py", line 1 in <module>
        """
    )
    assert stacks(crash) == [["reduce 257", "<module> 1"]]
    assert crash.crashed_thread == 0


@pytest.mark.parametrize(
    ("words", "code", "name"),
    [
        ("access violation", 0xC0000005, "STATUS_ACCESS_VIOLATION"),
        ("code 0xc0000374", 0xC0000374, None),
    ],
)
def test_fatal_exception_of_windows(words: str, code: int, name: str | None):
    error = read(f"Windows fatal exception: {words}").errors[0]
    assert (error.api, error.code) == ("ntstatus", code)
    assert name is None or error.name == name


def test_woven_in_native_frames():
    crash = read(
        """
        Traceback (most recent call last):
          File "/app/a.py", line 3, in a
            b()
          File "/usr/src/torch/csrc/x.cpp", line 12, in torch::call(int)
          File "<unknown>", line 0, in std::function<void ()>::operator()() const
        RuntimeError: no
        """
    )
    (thread,) = crash.threads
    assert [(f.kind, f.function, f.file, f.line) for f in thread.frames] == [
        (FrameKind.HOST, "std::function<void ()>::operator()() const", None, None),
        (FrameKind.HOST, "torch::call(int)", "/usr/src/torch/csrc/x.cpp", 12),
        (FrameKind.PYTHON, "a", "/app/a.py", 3),
    ]


NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,12}", fullmatch=True)
FRAMES = st.lists(st.tuples(NAMES, st.integers(1, 10**6), st.booleans()), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(FRAMES, st.sampled_from(["", "[rank3]: ", "  ", "> "]))
def test_property_every_printed_frame_is_read(frames: list[tuple[str, int, bool]], lead: str):
    lines = ["Traceback (most recent call last):"]
    for name, line, source in frames:
        lines.append(f'  File "/srv/{name}.py", line {line}, in {name}')
        lines += [f"    {name}(x)", "    ~~~~~^^^"] if source else []
    lines.append("ValueError: no")
    crash = read_text("\n".join(lead + line for line in lines), ReadOptions()).crash
    assert stacks(crash) == [[f"{name} {line}" for name, line, _ in reversed(frames)]]
    assert python_errors(crash) == [("ValueError", "no")]
