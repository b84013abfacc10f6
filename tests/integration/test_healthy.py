"""Words about crashes are no crash."""

from textwrap import dedent

import pytest

from triage.diagnose import diagnose
from triage.model.diagnosis import Verdict
from triage.pipeline import Analyzer, Options

LINES = [
    "Ask on Stack Overflow: https://stackoverflow.com/q/1",
    '"https://stackoverflow.com/q/1/stack-overflow-in-c" "Mozilla/5.0"',
    "* fixed: illegal instruction on old CPUs (#123)",
    "- Avoid NCCL timeout",
    "INFO: CUDA out of memory was avoided by swapping",
    "ld: warning: undefined symbol: foo (ignored)",
    "configure: Unknown options are fatal again.",
    "  * Fix unexpected end of file conditions",
    "| `stack-overflow` | The stack is full |",
    "srv send_error: the request exceeds the available context size",
]


@pytest.fixture(scope="module")
def analyzer() -> Analyzer:
    return Analyzer(Options())


@pytest.mark.parametrize("line", LINES)
def test_a_mention_is_no_crash(analyzer: Analyzer, line: str):
    crash = analyzer.read_text(f"INFO start\n{line}\nINFO done")
    assert diagnose(crash, analyzer.store).verdict is Verdict.NO_CRASH


@pytest.mark.parametrize(
    "line", ["Killed", "bash: line 1: 77 Killed   ./engine", "subprocess was sent SIGKILL"]
)
def test_a_kill_alone_has_no_cause(analyzer: Analyzer, line: str):
    crash = analyzer.read_text(f"loading the model\n{line}\n")
    diagnosis = diagnose(crash, analyzer.store)
    assert (diagnosis.verdict, diagnosis.family) == (Verdict.UNKNOWN, None)
    assert any("who killed the process" in advice for advice in diagnosis.next_evidence)


@pytest.mark.parametrize(
    "more",
    [
        "[ 12.3] Out of memory: Killed process 77 (engine) total-vm:1kB, anon-rss:1kB",
        "the cgroup has reached its memory limit",
    ],
)
def test_a_kill_with_facts_about_memory_has_one(analyzer: Analyzer, more: str):
    crash = analyzer.read_text(f"loading the model\nKilled\n{more}\n")
    assert diagnose(crash, analyzer.store).family == "host-out-of-memory"


HEALTHY = {
    "vllm": """\
        INFO 01-02 03:04:05 [api_server.py:1882] vLLM API server version 0.10.2
        (VllmWorkerProcess pid=77) INFO 01-02 03:04:06 model_runner.py:1011] If you are running out of memory, lower it.
        Capturing CUDA graphs (decode, FULL): 100%|####| 35/35 [00:01<00:00, 33.86it/s]
        INFO:     Application startup complete.
        INFO:     127.0.0.1:50101 - "POST /v1/chat/completions HTTP/1.1" 500 Internal Server Error
        """,  # noqa: E501
    "ollama": """\
        time=2026-01-02T03:04:05.116Z level=INFO source=server.go:591 msg="waiting for server to become available" status="llm server error"
        time=2026-01-02T03:04:06.117Z level=INFO source=server.go:596 msg="llama runner started in 5.00 seconds"
        [GIN] 2026/01/02 - 03:04:09 | 200 |  3.2s |  127.0.0.1 | POST     "/api/generate"
        time=2026-01-02T03:09:05.117Z level=DEBUG source=server.go:1006 msg="llama server stopped"
        """,  # noqa: E501
    "llama-server": """\
        main: HTTP server is listening, hostname: 127.0.0.1, port: 8080, http threads: 11
        load_tensors: loading model tensors, this can take a while... (mmap = true)
        srv  log_server_r: request: GET /health 127.0.0.1 200
        slot      release: id  0 | task 0 | stop processing: n_past = 40, truncated = 0
        """,
    "sglang": """\
        [2026-01-02 03:04:06 TP0] Load weight begin. avail mem=78.57 GB
        [2026-01-02 03:04:17] The server is fired up and ready to roll!
        """,
    "nccl": """\
        box:77:77 [0] NCCL INFO NET/Plugin: Could not find: libnccl-net.so. Using internal network plugin.
        box:77:90 [0] NCCL INFO comm 0x55c0ffee rank 0 nranks 2 cudaDev 0 nvmlDev 0 - Init COMPLETE
        """,  # noqa: E501
    "kernel": """\
        [    0.000000] Command line: BOOT_IMAGE=/vmlinuz root=/dev/sda1 ro crashkernel=512M
        [    0.010000] ACPI BIOS Error (bug): Could not resolve symbol [_SB.PCI0], AE_NOT_FOUND
        [    0.300001] NMI watchdog: Enabled. Permanently consumes one hw-PMU counter.
        [    3.000000] nvidia: loading out-of-tree module taints kernel.
        [    4.100000] systemd[1]: Listening on Userspace Out-Of-Memory (OOM) Killer Socket.
        [    7.000000] watchdog: hard LOCKUP detector initialized
        """,
    "googletest": """\
        [ RUN      ] Engine.SegmentationFaultIsHandled
        [       OK ] Engine.SegmentationFaultIsHandled (1 ms)
        [  PASSED  ] 3 tests.
        """,
    "pytest": """\
        tests/test_end.py::test_line[Segmentation fault (core dumped)] PASSED        [ 50%]
        tests/test_end.py::test_line[worker 1: Killed] PASSED                        [100%]
        """,
    "compiler": """\
        /src/kv.cpp:77:12: warning: 'x' may be used uninitialized [-Wmaybe-uninitialized]
           77 |   return x; // CUDA error: out of memory is thrown here
        /src/kv.cpp:80:3: note: in expansion of macro 'GGML_ASSERT'
           80 |   GGML_ASSERT(n > 0);
        """,
    "kubernetes": """\
        engine-0        1/1     Running   3 (2d ago)    9d
              Reason:       Completed
              Exit Code:    0
        E0102 03:04:05.678901       1 reflector.go:147] failed to list *v1.Pod: connection refused
        """,
    "compose": """\
        engine-1  | INFO signal handler for SIGSEGV, SIGABRT installed
        engine-1  | INFO received SIGTERM, shutting down
        engine-1 exited with code 0
        """,
    "systemd": """\
        Jan 02 03:04:05 box systemd[1]: engine.service: Main process exited, code=exited, status=0/SUCCESS
        Jan 02 03:04:08 box sshd[77]: Received signal 15; terminating.
        """,  # noqa: E501
    "debugger": """\
        Signal        Stop\tPrint\tPass to program\tDescription
        SIGSEGV       Yes\tYes\tYes\t\tSegmentation fault
        SIGKILL       Yes\tYes\tYes\t\tKilled
        """,
    "access log": """\
        10.0.0.1 - - [02/Jan/2026:03:04:05 +0000] "GET /search?q=CUDA error: out of memory HTTP/1.1" 200 12
        10.0.0.1 - - [02/Jan/2026:03:04:06 +0000] "GET /q?x=Segmentation fault (core dumped) HTTP/2.0" 404 9
        """,  # noqa: E501
}


@pytest.mark.parametrize("text", HEALTHY.values(), ids=HEALTHY)
def test_a_healthy_log_is_no_crash(analyzer: Analyzer, text: str):
    crash = analyzer.read_text(dedent(text))
    assert diagnose(crash, analyzer.store).verdict is Verdict.NO_CRASH
