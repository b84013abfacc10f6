"""The kernel's lines on processes that died, on memory that ran out, and on GPUs that failed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.model.crash import Crash, Role
from triage.read import ReadOptions, read_text

RECORDED = Path(__file__).resolve().parents[3] / "fixtures" / "recordings" / "kernel" / "deaths.txt"


def crash_of(text: str) -> Crash:
    return read_text(text, ReadOptions()).crash


def errors_of(text: str) -> list[tuple[object, ...]]:
    return [(e.api, e.code, e.name, e.message, e.count) for e in crash_of(text).errors]


class TestRecorded:
    def test_places(self):
        threads = crash_of(RECORDED.read_text()).threads
        assert [(t.name, t.tid, t.frames[0].module, t.frames[0].offset) for t in threads] == [
            ("clawdeaths", 11717, "clawdeaths", "0x1190"),
            ("clawdeaths", 11731, "clawdeaths", "0x11b5"),
            ("clawdeaths", 11746, "clawdeaths", "0x120c"),
            ("clawdeaths", 11748, "clawdeaths", "0x1229"),
            ("clawdeaths", 11767, "clawdeaths", "0x124d"),
        ]
        assert threads[0].frames[0].address == "0x000056410deba190"
        assert [t.at.line for t in threads if t.at] == [1, 3, 5, 6, 7]

    @pytest.mark.parametrize(
        ("line", "signal", "address"),
        [
            (1, "SIGSEGV", "0x0"), (3, "SIGSEGV", "0x0"), (5, "SIGILL", None),
            (6, "SIGTRAP", None), (7, "SIGSEGV", None), (8, "SIGSEGV", "0x8"),
        ],
    )  # fmt: skip
    def test_signal(self, line: int, signal: str, address: str | None):
        found = crash_of(RECORDED.read_text().splitlines()[line - 1]).signal
        assert found
        assert (found.name, found.fault_address) == (signal, address)


class TestDeaths:
    @pytest.mark.parametrize(
        ("line", "signal", "address", "process"),
        [
            (
                ("[Tue Jul 23 13:49:25 2024] Web Content[22]: segfault at 7f10 ip 7f00aa001234 "
                 "sp 7ffd error 4 in libxul.so[7f00aa000000+5000] likely on CPU 3"),
                "SIGSEGV", "0x7f10", "Web Content",
            ),
            (
                ("traps: VLLM::Worker[4242] general protection fault ip:7f00aa001234 sp:7ffd "
                 "error:0 in libcuda.so.1[7f00aa000000+5000]"),
                "SIGSEGV", None, "VLLM::Worker",
            ),
            (
                "a.out[55] general protection ip:400500 sp:7ffd error:0 in a.out[400000+1000]",
                "SIGSEGV", None, "a.out",
            ),
            (
                ("[1.6] e[6]: unhandled level 3 translation fault (11) at 0xffffbe460000, "
                 "esr 0x92000007, in e[400000+10000]"),
                "SIGSEGV", "0xffffbe460000", "e",
            ),
            (
                "[1.6] e[6]: unhandled level 3 translation fault (7) at 0x7f9fc2d4a4, esr 0x8",
                "SIGBUS", "0x7f9fc2d4a4", None,
            ),
            (
                "b[9]: unhandled signal 11 code 0x1 at 0x0000000000000000 in b[10000+1000]",
                "SIGSEGV", "0x0000000000000000", "b",
            ),
            (
                "foo[7]: segfault (11) at 0 nip 10000734 lr 10000720 code 1 in foo[10000000+1000]",
                "SIGSEGV", "0x0", "foo",
            ),
            (
                ("audit[1]: ANOM_ABEND auid=1 uid=0 gid=0 ses=1 subj=x pid=13 comm=\"claw\" "
                 "exe=\"/usr/bin/claw\" sig=7 res=1"),
                "SIGBUS", None, None,
            ),
            ("mce: Killing claw:1 due to hardware memory corruption fault", "SIGBUS", None, None),
        ],
    )  # fmt: skip
    def test_forms(self, line: str, signal: str, address: str | None, process: str | None):
        crash = crash_of(line)
        assert crash.signal
        assert (crash.signal.name, crash.signal.fault_address) == (signal, address)
        assert [t.name for t in crash.threads] == ([process] if process else [])

    def test_offset_of_an_older_kernel_is_that_in_the_mapping(self):
        (thread,) = crash_of(
            "claw[1]: segfault at 18 ip 00007f0000012340 sp 7ffe error 4 "
            "in libclaw.so[7f0000010000+9000]"
        ).threads
        assert (thread.frames[0].module, thread.frames[0].offset) == ("libclaw.so", "0x2340")

    @pytest.mark.parametrize(
        "line",
        [
            "a segfault at startup was fixed",
            "see NVRM Xid 79 in the manual",
            "Out of memory is what users call it",
            "amdgpu 0000:05:00.0: amdgpu: GPU reset(2) succeeded!",
            "nvidia 0000:01:00.0: PCIe Bus Error: severity=Corrected, type=Physical Layer",
            "EDAC MC0: 1 CE memory read error on DIMM_A1",
        ],
    )
    def test_nothing_failed(self, line: str):
        assert not crash_of(line).is_crash


class TestMemory:
    KILL = """\
[  510.76] python3 invoked oom-killer: gfp_mask=0x100cca, order=0, oom_score_adj=0
[  510.91] oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),task_memcg=/a,task=claw,pid=23,uid=0
[  510.91] Memory cgroup out of memory: Killed process 23 (claw) total-vm:1kB, anon-rss:1kB, UID:0
"""

    def test_lines_of_one_kill_are_one_error(self):
        assert [e[2:] for e in errors_of(self.KILL)] == [
            ("oom-killer invoked", "oom-killer invoked: python3", 1),
            ("Memory cgroup out of memory", "Memory cgroup out of memory: claw", 1),
        ]

    @pytest.mark.parametrize(
        ("line", "message"),
        [
            ("Out of memory: Kill process 12 (chrome) score 8 or sacrifice child", "chrome"),
            ("earlyoom: sending SIGTERM to process 1 uid 1000 \"claw\": badness 900, x", "claw"),
            ("System OOM encountered, victim process: claw, pid: 12", "claw"),
            ("a.service: A process of this unit has been killed by the OOM killer.", "a.service"),
            ("a.service: systemd-oomd killed 3 process(es) in this unit.", "a.service"),
            ("systemd-oomd[3]: Killed /user.slice due to memory used (16) / total (17)", "/user"),
        ],
    )  # fmt: skip
    def test_forms(self, line: str, message: str):
        ((api, _, _, said, count),) = errors_of(line)
        assert (api, count) == ("oom-killer", 1)
        assert message in str(said)


class TestNvidia:
    def test_cause_that_only_its_consequence_names(self):
        crash = crash_of(
            "NVRM: Xid (PCI:0000:3b:00): 45, pid=1, name=p, Ch 00000007 caused by previous Xid 149"
        )
        assert [(e.code, e.role) for e in crash.errors] == [
            (45, Role.CONSEQUENCE), (149, Role.CAUSE),
        ]  # fmt: skip

    def test_cause_that_is_there_itself_is_said_once(self):
        crash = crash_of(
            "NVRM: Xid (PCI:0000:3b:00): 45, pid=1, Ch 00000007 caused by previous Xid 149\n"
            "NVRM: Xid (PCI:0000:3b:00): 149, NETIR Fatal XC1 i0 Link 05"
        )
        assert [(e.code, e.count, e.message and e.message[:5]) for e in crash.errors] == [
            (45, 1, "pid=1"), (149, 1, "NETIR"),
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("line", "code", "name"),
        [
            ("NVRM: Xid (0000:01:00): 31, Ch 00000010, intr 10000000", 31, "Xid 31"),
            ("NVRM: Xid (PCI:0000:89:00 GPU-I:05): 94, pid=7, Contained", 94, "Xid 94"),
            ("nvidia-nvswitch0: SXid (PCI:0000:00:00.0): 20034, Fatal, x", 20034, "SXid 20034"),
            ("vmiop_log: (0x0): XID 43 detected on physical_chid:0x25", 43, "Xid 43"),
        ],
    )
    def test_numbered(self, line: str, code: int, name: str):
        ((api, found, called, _, _),) = errors_of(line)
        assert (api, found, called) == ("xid", code, name)

    def test_api_mismatch_names_both_versions(self):
        text = (
            "NVRM: API mismatch: the client has the version 535.54.03, but\n"
            "NVRM: this kernel module has the version 535.86.05.  Please\n"
            "NVRM: make sure that this kernel module and all NVIDIA driver\n"
        )
        assert errors_of(text) == [
            (
                "kernel", None, "API mismatch",
                ("API mismatch: the client has the version 535.54.03, but "
                 "this kernel module has the version 535.86.05"), 1,
            ),
        ]  # fmt: skip

    @pytest.mark.parametrize(
        "line",
        [
            "NVRM: GPU at 0000:01:00.0 has fallen off the bus.",
            "               NVRM: fallen off the bus and is not responding to commands.",
            "kernel: NVRM: GPU 0000:3b:00.0: RmInitAdapter failed! (0x26:0x38:1123)",
            "NVRM: osInitNvMapping: *** Cannot attach gpu",
        ],
    )
    def test_words(self, line: str):
        ((api, _, name, message, _),) = errors_of(line)
        assert (api, name) == ("kernel", "NVRM")
        assert str(message) in line

    def test_driver(self):
        crash = crash_of(
            "NVRM: loading NVIDIA UNIX Open Kernel Module for x86_64  570.86.10  Release Build"
        )
        assert crash.environment.driver == "570.86.10"
        assert not crash.is_crash


class TestOtherGpus:
    def test_page_fault_with_its_address(self):
        text = (
            "amdgpu 0000:2b:00.0: amdgpu: [gfxhub] page fault (src_id:0 ring:24 vmid:7 pasid:3)\n"
            "amdgpu 0000:2b:00.0: amdgpu:  Process claw pid 5 thread claw pid 5\n"
            "amdgpu 0000:2b:00.0: amdgpu:   in page starting at address 0x0000800505606000 from\n"
            "amdgpu 0000:2b:00.0: amdgpu: GCVM_L2_PROTECTION_FAULT_STATUS:0x00701031\n"
        )
        assert [(e[2], e[3]) for e in errors_of(text)] == [
            (
                "page fault",
                (
                    "[gfxhub] page fault (src_id:0 ring:24 vmid:7 pasid:3) "
                    "at address 0x0000800505606000"
                ),
            ),
            ("page fault status", "GCVM_L2_PROTECTION_FAULT_STATUS:0x00701031"),
        ]

    @pytest.mark.parametrize(
        ("line", "api", "name"),
        [
            (
                "amdgpu 0000:3b:00.0: ring gfx_0.1.0 timeout, signaled seq=1",
                "kernel",
                "ring timeout",
            ),
            (
                "[drm:amdgpu_job_timedout [amdgpu]] *ERROR* ring gfx timeout",
                "kernel",
                "ring timeout",
            ),
            ("[drm:amdgpu_cs_ioctl [amdgpu]] *ERROR* Failed in x", "kernel", "amdgpu"),
            ("amdgpu 0000:05:00.0: amdgpu: GPU reset begin!", "kernel", "GPU reset"),
            ("amdgpu: MES failed to respond to msg=REMOVE_QUEUE", "kernel", "amdgpu"),
            ("[drm] GPU HANG: ecode 12:1:84dffffb, in claw [123]", "kernel", "GPU hang"),
            ("xe 0000:03:00.0: [drm] GT0: Timedout job: seqno=4 in claw [1]", "kernel", "GPU hang"),
            ("Memory access fault by GPU node-1 (Agent handle: 0x5) on address 0x7", "hsa", None),
            ("pcieport 0000:00:01.0: AER: Uncorrected (Fatal) error x", "kernel", "PCIe error"),
            ("EDAC MC0: 1 UE memory read error on CPU_SrcID#0", "kernel", "machine check"),
        ],
    )
    def test_forms(self, line: str, api: str, name: str | None):
        ((found, _, called, _, _),) = errors_of(line)
        assert (found, called) == (api, name)


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**48), st.integers(0, 2**20))
def test_property_a_segfault_is_read_back(address: int, base: int, offset: int):
    crash = crash_of(
        f"claw[4242]: segfault at {address:x} ip {base + offset:016x} sp 00007ffd error 6 "
        f"in libclaw.so[{base:x}+{offset + 1:x}]"
    )
    (thread,) = crash.threads
    assert crash.signal
    assert crash.signal.fault_address == hex(address)
    assert (thread.tid, thread.frames[0].offset) == (4242, hex(offset))


class TestContainers:
    @pytest.mark.parametrize(
        ("line", "api"),
        [
            ("docker: unknown or invalid runtime name: nvidia.", "docker"),
            ("failed to inject CDI devices: unresolvable CDI devices nvidia.com/gpu=all", "docker"),
            ("Failed to initialize NVML: Driver/library version mismatch", "nvml"),
            ("NVIDIA-SMI has failed because it couldn't communicate with the driver", "nvml"),
            ("Unable to determine the device handle for GPU0000:01:00.0: Unknown Error", "nvml"),
            ("could not load NVML library: libnvidia-ml.so.1: cannot open", "nvml"),
            ("0/3 nodes are available: 3 Insufficient nvidia.com/gpu. x", "kubernetes"),
            ("E0101 10:00:00.0 1 factory.go:112] Incompatible platform detected", "kubernetes"),
        ],
    )
    def test_no_gpu(self, line: str, api: str):
        ((found, _, _, message, _),) = errors_of(line)
        assert found == api
        assert str(message) in line

    def test_a_system_processor_whose_heart_stopped(self):
        line = "[ 31.4] NVRM: GPU6 _kgspIsHeartbeatTimedOut: Heartbeat timed out, diff 6 timeout 5"
        ((api, _, name, message, _),) = errors_of(line)
        assert (api, name) == ("kernel", "NVRM")
        assert "Heartbeat timed out" in str(message)
