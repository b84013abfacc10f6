"""The filter of system calls that gdb runs under, as a classic BPF program for the kernel.

What is denied fails with "operation not permitted", except `clone3`, which is said not to exist:
the C library then starts its threads by `clone`, whose flags a filter can see. Threads can be
started, and processes in the way in which gdb looks for `iconv` when it starts: told that there is
none to be had, it tries again for 15 seconds. A call of another architecture, x32's among them,
ends the process.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER_AT, _ARCHITECTURE_AT, _FIRST_ARGUMENT_AT = 0, 4, 16
_ALLOW: Final = 0x7FFF0000
_KILL: Final = 0x80000000
_NOT_PERMITTED: Final = 0x00050000 | 1
_NO_SUCH_CALL: Final = 0x00050000 | 38
_CLONE_THREAD_OR_VFORK: Final = 0x10000 | 0x4000
_X32: Final = 0x40000000
_CLONE3: Final = 435


class _Architecture(NamedTuple):
    """`audit` is the kernel's number; `x32` says that it has a second table of calls."""

    audit: int
    clone: int
    denied: tuple[int, ...]
    x32: bool = False


# Calls whose numbers all architectures share.
_SHARED: Final = (
    424,  # pidfd_send_signal
    425, 426, 427,  # io_uring_setup, io_uring_enter, io_uring_register
    428, 429, 430, 431, 432, 433,  # open_tree, move_mount, fsopen, fsconfig, fsmount, fspick
    434, 438,  # pidfd_open, pidfd_getfd
    440,  # process_madvise
    442, 443,  # mount_setattr, quotactl_fd
    447,  # memfd_secret
)  # fmt: skip

_ARCHITECTURES: Final = {
    "x86_64": _Architecture(
        audit=0xC000003E,
        clone=56,
        x32=True,
        denied=(
            *range(41, 56),  # socket and every other call on one
            288, 299, 307,  # accept4, recvmmsg, sendmmsg
            57,  # fork
            101, 310, 311, 312,  # ptrace, process_vm_readv, process_vm_writev, kcmp
            298, 321, 323,  # perf_event_open, bpf, userfaultfd
            248, 249, 250,  # add_key, request_key, keyctl
            155, 161, 165, 166,  # pivot_root, chroot, mount, umount2
            272, 308,  # unshare, setns
            303, 304,  # name_to_handle_at, open_by_handle_at
            133, 259,  # mknod, mknodat
            246, 320,  # kexec_load, kexec_file_load
            174, 175, 176, 313,  # create_module, init_module, delete_module, finit_module
            163, 167, 168, 169,  # acct, swapon, swapoff, reboot
            159, 164, 227, 305,  # adjtimex, settimeofday, clock_settime, clock_adjtime
            170, 171,  # sethostname, setdomainname
            135, 154, 172, 173,  # personality, modify_ldt, iopl, ioperm
            103, 153, 179, 180,  # syslog, vhangup, quotactl, nfsservctl
            134, 136, 139, 212,  # uselib, ustat, sysfs, lookup_dcookie
            237, 238, 239, 256, 279,  # mbind and the others that move memory between nodes
            278, 300, 301,  # vmsplice, fanotify_init, fanotify_mark
            319, 322,  # memfd_create, execveat
        ),
    ),
    "aarch64": _Architecture(
        audit=0xC00000B7,
        clone=220,
        denied=(
            *range(198, 213),  # socket and every other call on one
            242, 243, 269,  # accept4, recvmmsg, sendmmsg
            117, 270, 271, 272,  # ptrace, process_vm_readv, process_vm_writev, kcmp
            241, 280, 282,  # perf_event_open, bpf, userfaultfd
            217, 218, 219,  # add_key, request_key, keyctl
            39, 40, 41, 51,  # umount2, mount, pivot_root, chroot
            97, 268,  # unshare, setns
            264, 265,  # name_to_handle_at, open_by_handle_at
            33,  # mknodat
            104, 294,  # kexec_load, kexec_file_load
            105, 106, 273,  # init_module, delete_module, finit_module
            89, 142, 224, 225,  # acct, reboot, swapon, swapoff
            112, 170, 171, 266,  # clock_settime, settimeofday, adjtimex, clock_adjtime
            161, 162,  # sethostname, setdomainname
            92, 116,  # personality, syslog
            18, 42, 58, 60,  # lookup_dcookie, nfsservctl, vhangup, quotactl
            235, 236, 237, 238, 239,  # mbind and the others that move memory between nodes
            75, 262, 263,  # vmsplice, fanotify_init, fanotify_mark
            279, 281,  # memfd_create, execveat
        ),
    ),
}  # fmt: skip


def seccomp_program(machine: str) -> bytes | None:
    """Return the filter for a machine as `uname -m` names it, None for one that has none."""
    architecture = _ARCHITECTURES.get(machine)
    if architecture is None:
        return None
    denied = (*architecture.denied, *_SHARED)
    return b"".join(_header(architecture) + _calls(architecture.clone, denied))


def _header(architecture: _Architecture) -> list[bytes]:
    """Refuse the calls of any other architecture, and leave the number of the call loaded."""
    program = [
        _step(_LOAD, _ARCHITECTURE_AT),
        _step(_EQUAL, architecture.audit, then=1),
        _step(_RETURN, _KILL),
        _step(_LOAD, _NUMBER_AT),
    ]
    if architecture.x32:
        program += [_step(_AT_LEAST, _X32, other=1), _step(_RETURN, _KILL)]
    return program


def _calls(clone: int, denied: tuple[int, ...]) -> list[bytes]:
    ends = [_step(_RETURN, value) for value in (_ALLOW, _NOT_PERMITTED, _NO_SUCH_CALL)]
    # A jump is relative to the step behind it; `clone` alone needs another value to be loaded.
    after = len(denied)
    tests = [
        _step(_EQUAL, _CLONE3, then=after + 5),
        _step(_EQUAL, clone, other=2),
        _step(_LOAD, _FIRST_ARGUMENT_AT),
        _step(_ANY_BIT, _CLONE_THREAD_OR_VFORK, then=after, other=after + 1),
    ]
    tests += [_step(_EQUAL, n, then=after - place) for place, n in enumerate(denied)]
    return tests + ends


def _step(code: int, value: int, then: int = 0, other: int = 0) -> bytes:
    return struct.pack("=HBBI", code, then, other, value)
