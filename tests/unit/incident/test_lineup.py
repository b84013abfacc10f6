"""Which lines of the kernel's log belong to a crash."""

from __future__ import annotations

import time

import pytest

from triage.crash import join
from triage.incident.lineup import LinedUp, line_up
from triage.knowledge import noise_lists
from triage.model.crash import (
    Crash,
    Engine,
    Environment,
    ErrorRecord,
    Fragment,
    Gpu,
    LogLine,
    Role,
    Signal,
)
from triage.model.position import Origin, Position
from triage.model.stack import Frame, FrameKind, Thread, ThreadKind
from triage.read import ReadOptions, read_text

FRAME = Frame(index=0, function="f")


def core(
    pid: int = 100, program: str = "/opt/claw_inference", host: str | None = None, **more: object
) -> Fragment:
    origin = Origin(host=host) if host else None
    return Fragment(
        dialect="gdb",
        threads=(Thread(tid=pid, crashed=True, frames=(FRAME,), origin=origin),),
        environment=Environment(command_line=(program,), **more),
    )


def xid(code: int, line: int = 1, **origin: object) -> ErrorRecord:
    where = Origin(**origin) if origin else None
    return ErrorRecord(
        api="xid", code=code, name=f"Xid {code}", at=Position(input=1, line=line), origin=where
    )


def kernel(*errors: ErrorRecord, **more: object) -> Fragment:
    return Fragment(dialect="kernel", errors=errors, **more)


def kept(found: LinedUp) -> list[int | None]:
    return [e.code for f in found.fragments if f.dialect == "kernel" for e in f.errors]


def reasons(found: LinedUp) -> list[str]:
    return [w.message for w in found.warnings if w.code == "kernel-lines-unrelated"]


def test_another_process_is_left_out_and_named() -> None:
    mine = xid(31, 1, pid=100, process="claw_inference")
    other = xid(31, 2, pid=200, process="python3")
    found = line_up([core(), kernel(mine, other)], [])
    assert kept(found) == [31]
    assert reasons(found) == [
        "1 kernel line is about another process (python3) and left out: Xid 31"
    ]


def test_another_run_of_the_same_program_is_left_out_where_this_one_is_there() -> None:
    mine = xid(31, 1, pid=100, process="claw_inference")
    other = xid(43, 2, pid=200, process="claw_inference")
    assert kept(line_up([core(), kernel(mine, other)], [])) == [31]


def test_pids_of_a_container_are_others_than_the_kernel_s() -> None:
    seen = xid(31, 1, pid=41234, process="claw_inference")
    found = line_up([core(pid=7), kernel(seen)], [])
    assert kept(found) == [31]
    assert [w.code for w in found.warnings] == ["kernel-pids-differ"]
    assert found.fragments[1].errors[0].role is Role.CONSEQUENCE


def test_the_kernel_shortens_names() -> None:
    long = core(program="/opt/claw_inference_cuda")
    seen = xid(31, 1, pid=200, process="claw_inference_")
    assert kept(line_up([long, kernel(seen)], [])) == [31]


@pytest.mark.parametrize("name", ["cuda-EvtHandlr", "NvDebugAgent", "pt_main_thread"])
def test_a_driver_s_thread_names_no_process(name: str) -> None:
    assert kept(line_up([core(), kernel(xid(31, 1, pid=200, process=name))], [])) == [31]


def test_a_program_of_python_s_has_any_name() -> None:
    seen = xid(31, 1, pid=200, process="VLLM::EngineCor")
    assert kept(line_up([core(program="/usr/bin/python3.11"), kernel(seen)], [])) == [31]


def test_without_a_pid_nothing_is_another_process() -> None:
    log = Fragment(dialect="vllm", errors=(ErrorRecord(api="cuda", code=700),))
    seen = kernel(xid(31, 1, pid=200, process="python3"))
    assert kept(line_up([log, seen], [])) == [31]
    assert line_up([log, seen], []).warnings == ()


def log(engine: str = "openclaw", **error: object) -> Fragment:
    """Return a log of an engine that states neither a pid nor a host."""
    found = (ErrorRecord(**error, at=Position(line=3)),) if error else ()
    return Fragment(dialect=engine, engine=Engine(name=engine), errors=found)


def killed(name: str, line: int = 1) -> ErrorRecord:
    return ErrorRecord(
        api="oom-killer",
        name="Out of memory",
        at=Position(input=1, line=line),
        origin=Origin(pid=77, process=name),
    )


def test_an_engine_that_is_a_program_has_a_name() -> None:
    found = line_up([log(), kernel(killed("mysqld"), xid(31, 2, pid=7, process="claw_inf"))], [])
    assert kept(found) == [31]
    assert reasons(found) == [
        "1 kernel line is about another process (mysqld) and left out: Out of memory"
    ]


def test_an_engine_that_is_a_library_runs_as_anything() -> None:
    assert kept(line_up([log("vllm"), kernel(xid(31, pid=7, process="VLLM::EngineCor"))], [])) == [
        31
    ]
    assert kept(line_up([log("llama.cpp"), kernel(xid(31, pid=7, process="my_app"))], [])) == [31]


def test_a_command_without_a_pid_may_be_a_script() -> None:
    script = Fragment(dialect="log", environment=Environment(command_line=("vllm", "serve")))
    assert kept(line_up([script, kernel(xid(31, pid=7, process="python3"))], [])) == [31]


def test_a_debugger_names_the_main_thread() -> None:
    threads = (
        Thread(id="1", tid=10, name="claw_rel", frames=(FRAME,)),
        Thread(id="2", tid=11, name="pool", frames=(FRAME,)),
    )
    mine = Fragment(dialect="gdb", threads=threads)
    other = xid(31, 2, pid=7, process="mysqld")
    assert kept(line_up([mine, kernel(xid(13, 1, pid=8, process="pool"), other)], [])) == [13]


def test_a_card_of_another_machine() -> None:
    """The process that a line names need not suffer; one of nobody's host is of another card."""
    fallen = xid(79, pid=999, process="other_app", host="otherhost")
    found = line_up([log(), kernel(fallen)], [LogLine(text="Xid 79", at=fallen.at)])
    assert kept(found) == []
    assert found.lines == ()
    assert "on a host that nothing else names (otherhost)" in reasons(found)[0]
    gpu = log(api="cuda", code=999)
    assert kept(line_up([gpu, kernel(fallen)], [])) == [79], "a GPU failed here, too"
    without_host = xid(79, pid=999, process="other_app")
    assert kept(line_up([log(), kernel(without_host)], [])) == [79]
    own_host = core(host="otherhost")
    assert kept(line_up([own_host, kernel(fallen)], [])) == [79]
    assert kept(line_up([core(host="here"), kernel(fallen)], [])) == []


def test_lines_of_a_kill_or_a_segfault_go_with_it() -> None:
    texts = (
        "Out of memory: Killed process 77 (mysqld) total-vm:1kB",
        "node9 kernel: mysqld[77]: segfault at 0 ip 0 sp 0 error 4 in mysqld[400000+1000]",
        "Out of memory: Killed process 78 (claw_inference) total-vm:1kB",
    )
    lines = [LogLine(text=t, at=Position(input=1, line=n)) for n, t in enumerate(texts, 5)]
    found = line_up([log(), kernel(killed("mysqld"))], lines)
    assert [line.at.line for line in found.lines] == [7]


def test_what_befalls_the_card_befalls_all_who_use_it() -> None:
    for code in (48, 79, 94):
        seen = xid(code, 1, pid=200, process="python3")
        assert kept(line_up([core(), kernel(seen)], [])) == [code]


def test_a_burst_is_of_the_processes_that_it_names() -> None:
    burst = [
        xid(13, 1, time="10.1"),
        xid(13, 2, time="10.2"),
        xid(43, 3, time="10.5", pid=200, process="python3"),
    ]
    later = [xid(13, 4, time="99.0"), xid(43, 5, time="99.1", pid=100, process="claw_inference")]
    assert kept(line_up([core(), kernel(*burst, *later)], [])) == [13, 43]


def test_another_boot() -> None:
    before = [xid(13, 1, time="900.0"), xid(79, 2, time="901.0")]
    own = [xid(31, 3, time="5.0", pid=100, process="claw_inference")]
    found = line_up([core(), kernel(*before, *own)], [])
    assert kept(found) == [31]
    assert "another boot" in reasons(found)[0]


def test_another_host() -> None:
    found = line_up([core(host="gpu-a.example.org"), kernel(xid(79, 1, host="gpu-b"))], [])
    assert kept(found) == []
    assert "another host (gpu-b)" in reasons(found)[0]
    assert kept(
        line_up([core(host="gpu-a.example.org"), kernel(xid(79, 1, host="gpu-a"))], [])
    ) == [79]


def test_another_card() -> None:
    frame = Frame(index=0, function="remap", kind=FrameKind.GPU)
    dump = Fragment(
        dialect="gpu_core",
        threads=(Thread(kind=ThreadKind.GPU, crashed=True, frames=(frame,)),),
        environment=Environment(gpus=(Gpu(pci="82:00.0"),)),
    )
    found = line_up(
        [dump, kernel(xid(79, 1, device="0000:3b:00"), xid(31, 2, device="0000:82:00"))], []
    )
    assert kept(found) == [31]
    assert "another GPU (0000:3b:00)" in reasons(found)[0]


def test_another_day() -> None:
    log = core()
    log = Fragment(
        dialect="x",
        errors=(ErrorRecord(api="cuda", origin=Origin(time="2026-11-24T09:16:00Z")),),
        threads=log.threads,
    )
    old, same = xid(79, 1, time="2026-11-20T01:00:00+0000"), xid(48, 2, time="2026-11-24T10:00:00")
    assert kept(line_up([log, kernel(old, same)], [])) == [48]


def test_a_kernel_s_signal_of_another_process_is_not_this_one_s() -> None:
    def died(name: str, pid: int) -> Signal:
        return Signal(
            name=name, origin=Origin(process="x" if pid != 100 else "claw_inference", pid=pid)
        )

    log = kernel(signal=died("SIGILL", 200), deaths=(died("SIGSEGV", 100),), signal_rank=2)
    crash = join([core(), log], (), noise_lists())
    assert crash.signal.name == "SIGSEGV"
    only = kernel(signal=died("SIGILL", 200), signal_rank=2)
    assert join([core(), only], (), noise_lists()).signal is None


def test_lines_that_signatures_ask_about_are_sorted_too() -> None:
    text = "NVRM: Xid (PCI:0000:01:00): 31, pid={}, name={}, Ch 00000001"
    lines = [
        LogLine(text=text.format(200, "python3"), at=Position(line=1)),
        LogLine(text=text.format(100, "claw_inference"), at=Position(line=2)),
    ]
    seen = kernel(xid(31, 2, pid=100, process="claw_inference"))
    assert [line.at.line for line in line_up([core(), seen], lines).lines] == [2]


def test_a_recorded_log_tells_pids_devices_and_bursts() -> None:
    text = (
        "[  35.094] NVRM: Xid (PCI:0000:00:06): 31, pid=563, name=claw_dbg, channel 0x0000000a\n"
        "[  36.239] NVRM: Xid (PCI:0000:00:06): 13, Graphics SM Warp Exception on (GPC 1)\n"
        "[  36.958] NVRM: Xid (PCI:0000:00:06): 31, pid=631, name=claw_rel, channel 0x0000000a\n"
        "claw_rel[640]: segfault at 0 ip 00005566 sp 00007ffc error 4 in claw_rel[5566+1000]\n"
    )
    crash: Crash = read_text(text, ReadOptions()).crash
    first = next(e for e in crash.errors if e.code == 31)
    assert first.origin == Origin(time="35.094", pid=563, process="claw_dbg", device="0000:00:06")
    assert first.count == 2
    assert crash.signal.origin == Origin(process="claw_rel", pid=640)


def test_a_log_of_a_million_processes_is_bounded() -> None:
    text = "\n".join(
        f"[{n % 7}.5] NVRM: Xid (PCI:0000:00:06): 31, pid={n}, name=p{n}, channel 0x0000000a"
        for n in range(3_000)
    )
    before = time.process_time()
    crash = read_text(text, ReadOptions()).crash
    assert sum(e.count for e in crash.errors) == 3_000
    mine = Fragment(dialect="kernel", errors=crash.errors)
    line_up([core(), mine], [])
    assert time.process_time() - before < 8
