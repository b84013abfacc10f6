"""The filter of system calls, run step by step as the kernel runs it."""

import struct

import pytest

from triage.debugger.seccomp import seccomp_program

ALLOWED, KILLED, DENIED, UNKNOWN = 0x7FFF0000, 0x80000000, 0x50001, 0x50026
AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
THREAD, VFORK = 0x3D0F00, 0x4111
# By name, the numbers for each machine of AUDIT.
CALLS = {
    "socket": (41, 198),
    "connect": (42, 203),
    "sendmmsg": (307, 269),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "keyctl": (250, 219),
    "mount": (165, 40),
    "open_tree": (428, 428),
    "unshare": (272, 97),
    "setns": (308, 268),
    "kexec_load": (246, 104),
    "open_by_handle_at": (304, 265),
    "mknodat": (259, 33),
    "memfd_create": (319, 279),
    "execveat": (322, 281),
    "pidfd_getfd": (438, 438),
}
HARMLESS = {"read": (0, 63), "openat": (257, 56), "mmap": (9, 222), "execve": (59, 221)}


def verdict(machine: str, call: int, argument: int = 0, audit: int | None = None) -> int:
    program = seccomp_program(machine)
    assert program is not None
    assert len(program) % 8 == 0
    steps = list(struct.iter_unpack("=HBBI", program))
    memory = {0: call, 4: AUDIT[machine] if audit is None else audit, 16: argument}
    loaded = at = 0
    while True:
        code, then, other, value = steps[at]
        at += 1
        if code == 0x20:
            loaded = memory[value]
        elif code == 0x06:
            return value
        else:
            holds = {0x15: loaded == value, 0x35: loaded >= value, 0x45: loaded & value}[code]
            at += then if holds else other


@pytest.mark.parametrize("machine", AUDIT)
class TestFilter:
    @pytest.mark.parametrize("name", CALLS)
    def test_denied(self, machine: str, name: str):
        assert verdict(machine, CALLS[name][list(AUDIT).index(machine)]) == DENIED

    @pytest.mark.parametrize("name", HARMLESS)
    def test_allowed(self, machine: str, name: str):
        assert verdict(machine, HARMLESS[name][list(AUDIT).index(machine)]) == ALLOWED

    def test_threads_but_no_processes(self, machine: str):
        clone = {"x86_64": 56, "aarch64": 220}[machine]
        assert verdict(machine, clone, THREAD) == ALLOWED
        assert verdict(machine, clone, VFORK) == ALLOWED
        assert verdict(machine, clone, 17) == DENIED
        assert verdict(machine, 435) == UNKNOWN

    def test_calls_of_another_architecture(self, machine: str):
        for audit in (0x40000003, 0x40000028, *(set(AUDIT.values()) - {AUDIT[machine]})):
            assert verdict(machine, 0, audit=audit) == KILLED


def test_the_second_table_of_calls_of_x86():
    assert verdict("x86_64", 0x40000000 + 41) == KILLED
    assert verdict("x86_64", 0x40000000) == KILLED


def test_a_machine_without_a_filter():
    assert seccomp_program("riscv64") is None
