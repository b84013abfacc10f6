"""How processes end, in the words of everything that starts them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from triage.formats import Region
from triage.formats.process_end import FORMAT
from triage.model.crash import Crash
from triage.read import ReadOptions, read_text
from triage.text.line import Line

ENDINGS = [
    ("zsh: segmentation fault  ./engine", "SIGSEGV"),
    ("zsh: segmentation fault (core dumped)  ./engine --a", "SIGSEGV"),
    ("zsh: abort      python foo.py", "SIGABRT"),
    ("   Main PID: 77 (code=dumped, signal=SEGV)", "SIGSEGV"),
    ("ERROR manager: Shard process was signaled to shutdown with signal 4 rank=0", "SIGILL"),
    ("zsh: illegal hardware instruction  python3", "SIGILL"),
    ("zsh: killed     ./main -m x", "SIGKILL"),
    ("zsh: bus error  ./engine", "SIGBUS"),
    ("zsh: trace trap  ./engine", "SIGTRAP"),
    ("[1]    12345 segmentation fault  ./engine", "SIGSEGV"),
    ("[1]  + 12345 abort (core dumped)  ./engine -m", "SIGABRT"),
    ("[1]+  Segmentation fault      (core dumped) ./engine", "SIGSEGV"),
    ("[1]-  Aborted                 (core dumped) ./engine", "SIGABRT"),
    ("./run.sh: line 3: 12345 Segmentation fault      (core dumped) ./engine", "SIGSEGV"),
    ("Segmentation fault: 11", "SIGSEGV"),
    ("Abort trap: 6", "SIGABRT"),
    ("Illegal instruction: 4", "SIGILL"),
    ("sh: line 1: 77 Abort trap: 6           ./engine", "SIGABRT"),
    ("make: *** [Makefile:3: run] Segmentation fault (core dumped)", "SIGSEGV"),
    ("make: *** [run] Error 139", "SIGSEGV"),
    ("make: *** [run] Error 1", None),
    ("fish: Job 1, './engine' terminated by signal SIGSEGV (Address boundary error)", "SIGSEGV"),
    ("Command terminated by signal 11", "SIGSEGV"),
    ("systemd[1]: x.service: Main process exited, code=dumped, status=6/ABRT", "SIGABRT"),
    ("x.service: Main process exited, code=killed, status=9/KILL", "SIGKILL"),
    ("x.service: Main process exited, code=killed, status=15/TERM", None),
    ("x.service: Main process exited, code=exited, status=139/n/a", None),
    ("llama runner process has terminated: signal: aborted (core dumped)", "SIGABRT"),
    ('error="signal: killed"', "SIGKILL"),
    (
        'error="the runner is gone: -1 signal: segmentation fault (core dumped)"',
        "SIGSEGV",
    ),
    ("(signal: 11, SIGSEGV: invalid memory reference)", "SIGSEGV"),
    (
        "  process didn't exit successfully: `target/x` (signal: 6, SIGABRT: process abort signal)",
        "SIGABRT",
    ),
    (
        "subprocess.CalledProcessError: Command '['./engine']' died with <Signals.SIGSEGV: 11>.",
        "SIGSEGV",
    ),
    (
        "subprocess.CalledProcessError: Command '['./engine']' returned non-zero exit status 134.",
        "SIGABRT",
    ),
    ("exitcode: -11", "SIGSEGV"),
    ("  exitcode  : -11 (pid: 1234)", "SIGSEGV"),
    ("  traceback : Signal 11 (SIGSEGV) received by PID 1234", "SIGSEGV"),
    (
        "ERROR:torch.distributed.elastic:failed (exitcode: -6) local_rank: 0 (pid: 12)",
        "SIGABRT",
    ),
    (
        "ProcessExitedException: process 0 terminated with signal SIGSEGV",
        "SIGSEGV",
    ),
    (
        "RuntimeError: DataLoader worker (pid 123) is killed by signal: Segmentation fault. ",
        "SIGSEGV",
    ),
    ("RuntimeError: DataLoader worker (pid(s) 1, 2) exited unexpectedly", None),
    (
        "DataLoader worker (pid 99) is killed by signal: Bus error. It is possible that",
        "SIGBUS",
    ),
    ("The exit codes of the workers are {SIGSEGV(-11)}", "SIGSEGV"),
    ("engine-1 exited with code 139 (restarting)", "SIGSEGV"),
    ('abc   image   "cmd"   2 hours ago   Exited (139) 3 minutes ago   x', "SIGSEGV"),
    ('            "ExitCode": 134,', "SIGABRT"),
    ('            "OOMKilled": true,', "SIGKILL"),
    ("      Reason:       OOMKilled", "SIGKILL"),
    ("pod/x   0/1     OOMKilled   3   5m", None),
    ("    exitCode: 137", "SIGKILL"),
    ("[ERROR] Worker (pid:123) was sent SIGKILL! Perhaps out of memory?", "SIGKILL"),
    (
        "process rank 0 with PID 0 on node x exited on signal 11 (Segmentation fault).",
        "SIGSEGV",
    ),
    ("=   EXIT CODE: 139", "SIGSEGV"),
    ("=   KILLED BY SIGNAL: 11 (Segmentation fault)", "SIGSEGV"),
    ("+++ killed by SIGSEGV (core dumped) +++", "SIGSEGV"),
    ("npm ERR! signal SIGABRT", "SIGABRT"),
    ("Process exited with signal SIGSEGV", "SIGSEGV"),
    ("exited with code null and signal SIGSEGV", "SIGSEGV"),
    ("worker process 123 exited on signal 11 (core dumped)", "SIGSEGV"),
    ("server process (PID 12) was terminated by signal 6: Aborted", "SIGABRT"),
    ("exited: engine (terminated by SIGSEGV (core dumped); not expected)", "SIGSEGV"),
    (
        "There are some potential root causes. (1) The process is killed by SIGKILL by",
        None,
    ),
    ("Speicherzugriffsfehler (Speicherabzug geschrieben)", "SIGSEGV"),
    ("段错误 (核心已转储)", "SIGSEGV"),
    ("已放弃 (核心已转储)", "SIGABRT"),
    ("Erreur de segmentation (core dumped)", "SIGSEGV"),
    ("Ошибка сегментирования (образ памяти сброшен на диск)", "SIGSEGV"),
    ("Abandon (core dumped)", "SIGABRT"),
    ("on a signal 3 bus we wait", None),
    ("Killed by user request", None),
    ("signal handler SIGSEGV installed", None),
    ("Received signal 15, shutting down", None),
    ("handler for signal SIGABRT", None),
    ("exit code 0", None),
    ("exit code: 1", None),
    ("exit code 137.5", None),
    ("exit status 139 seen", "SIGSEGV"),
    ("Process finished with exit code 139 (interrupted by signal 11: SIGSEGV)", "SIGSEGV"),
    ("Process finished with exit code 134 (interrupted by signal 6:SIGABRT)", "SIGABRT"),
    ("Process finished with exit code 132 (interrupted by signal 4: SIGILL)", "SIGILL"),
    ("Failed core proc(s): {'EngineCore_0': -9}", "SIGKILL"),
    ("The program exited with signal: SIGSEGV", "SIGSEGV"),
    ("Error: The operation was canceled. Process completed with exit code 134.", "SIGABRT"),
    ("##[error]Process completed with exit code 139.", "SIGSEGV"),
    ("/bin/sh: 1: ./engine: Segmentation fault", "SIGSEGV"),
    ("timeout: the monitored command dumped core", None),
    ("srun: error: n1: task 0: Segmentation fault (core dumped)", "SIGSEGV"),
    ("srun: error: n1: task 0: Exited with exit code 139", "SIGSEGV"),
    ("slurmstepd: error: Detected 1 oom-kill event(s) in StepId=1", "SIGKILL"),
    ("Program terminated with signal SIGSEGV, Segmentation fault.", "SIGSEGV"),
    ("The child process was terminated by signal 9", "SIGKILL"),
    ("Killed                  ./main -m x", "SIGKILL"),
    ("Killed: 9", "SIGKILL"),
    ("12345 Killed ./engine", None),
    (" 9/94 Test #9: x ................***Exception: SegFault  1.11 sec", "SIGSEGV"),
    (" 9/94 Test #9: x ......Subprocess aborted***Exception:   1.11 sec", "SIGABRT"),
]


@pytest.mark.parametrize(("line", "name"), ENDINGS)
def test_one_line(line: str, name: str | None):
    signal = read_text(line, ReadOptions()).crash.signal
    assert (signal and signal.name) == name


@pytest.mark.parametrize(
    ("recording", "name", "line"),
    [
        ("bash", "SIGSEGV", 1),
        ("dash", "SIGSEGV", 1),
        ("zsh", "SIGSEGV", 1),
        ("fish", "SIGSEGV", 1),
        ("make", "SIGABRT", 2),
        ("make-status", "SIGSEGV", 1),
        ("python", "SIGSEGV", 1),
        ("node", "SIGSEGV", 17),
        ("rust", "SIGSEGV", 1),
        ("strace", "SIGSEGV", 2),
    ],
)
def test_recording(recording: str, name: str, line: int, crash_of: Callable[[str], Crash]):
    signal = crash_of(f"process_end/{recording}.txt").signal
    assert (signal.name, signal.at.line) == (name, line)


@pytest.mark.parametrize("shell", ["bash", "dash", "zsh", "fish"])
def test_every_line_of_a_shell(shell: str, text_of: Callable[[str], str]):
    names = []
    for line in text_of(f"process_end/{shell}.txt").splitlines():
        signal = FORMAT.read(Region((Line(1, line),))).signal
        names += [signal.name] if signal and FORMAT.opens.match(line) else []
    asked = ["SIGSEGV", "SIGABRT", "SIGILL", "SIGFPE", "SIGBUS", "SIGKILL"]
    assert names[:6] == asked
    assert set(names[6:]) <= {"SIGSEGV"}  # the job in the background


def test_a_crash_counts_more_than_a_kill():
    text = "worker 1: Killed\nworker 2: Segmentation fault (core dumped)"
    signal = read_text(text, ReadOptions()).crash.signal
    assert (signal.name, signal.at.line) == ("SIGSEGV", 2)


def test_out_of_memory_is_an_error_as_well():
    crash = read_text("    Reason:       OOMKilled\n    Exit Code:    137", ReadOptions()).crash
    assert crash.signal.name == "SIGKILL"
    assert [(e.api, e.name) for e in crash.errors] == [("oom-killer", "OOMKilled")]


def test_assertion_as_bsd_prints_it():
    text = "Assertion failed: (n < max), function load, file engine.c, line 12."
    (error,) = read_text(text, ReadOptions()).crash.errors
    assert (error.api, error.name, error.file, error.line) == ("libc", "assert", "engine.c", 12)
    assert error.message == "Assertion `n < max' failed"


def test_a_check_of_the_c_library_for_cpp_names_no_program():
    text = (
        "/usr/include/c++/14/bits/stl_vector.h:1130: std::vector<int>::reference "
        "std::vector<int>::operator[](size_type): Assertion '__n < this->size()' failed."
    )
    (error,) = read_text(text, ReadOptions()).crash.errors
    assert (error.name, error.file, error.line) == (
        "assert", "/usr/include/c++/14/bits/stl_vector.h", 1130,
    )  # fmt: skip
