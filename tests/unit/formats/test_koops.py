"""Stack traces of the Linux kernel, as it prints them on several machines."""

from __future__ import annotations

from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.model.crash import Crash
from triage.model.stack import FrameKind, Thread, Trust
from triage.read import ReadOptions, read_text


def crash_of(text: str) -> Crash:
    return read_text(dedent(text), ReadOptions()).crash


def failed(crash: Crash) -> Thread:
    assert crash.crashed_thread is not None
    return crash.threads[crash.crashed_thread]


def names(thread: Thread) -> list[str | None]:
    return [frame.function for frame in thread.frames]


X86 = """\
[  901.227187] Oops: general protection fault, maybe for address 0xbfff: 0000 [#1] SMP
[  901.227202] CPU: 5 UID: 0 PID: 612 Comm: evictor Tainted: P    W  OE   6.12.9 #7
[  901.227223] RIP: 0010:list_check+0x43/0x80
[  901.227233] Code: 0f 1f 44 00 00
[  901.227240] RSP: 0018:ffffc90000123d30 EFLAGS: 00010246
[  901.227300] Call Trace:
[  901.227301]  <TASK>
[  901.227302]  ? __die_body.cold+0x19/0x27
[  901.227304]  sublist_remove+0x1e/0x40 [zfs 0123456789abcdef0123456789abcdef01234567]
[  901.227305]  kthread+0xcf/0x100
[  901.227307]  </TASK>
[  901.227308] Modules linked in: zfs(PO) spl(O)
[  901.227309] ---[ end trace 0000000000000000 ]---
[  901.227310] RIP: 0010:list_check+0x43/0x80
[  901.227311] Kernel panic - not syncing: Fatal exception
[  901.227312] ---[ end Kernel panic - not syncing: Fatal exception ]---
"""


class TestX86:
    def test_frames(self):
        thread = failed(crash_of(X86))
        assert (thread.tid, thread.name) == (612, "evictor")
        assert [(f.index, f.function, f.offset, f.module) for f in thread.frames] == [
            (0, "list_check", "0x43", None),
            (1, "__die_body.cold", "0x19", None),
            (2, "sublist_remove", "0x1e", "zfs"),
            (3, "kthread", "0xcf", None),
        ]
        assert {f.kind for f in thread.frames} == {FrameKind.KERNEL}
        assert [f.trust for f in thread.frames[:2]] == [Trust.SYMBOL, Trust.TEXT]
        assert [f.at.line for f in thread.frames if f.at] == [3, 8, 9, 10]

    def test_errors(self):
        crash = crash_of(X86)
        assert [(e.api, e.name, e.at and e.at.line) for e in crash.errors] == [
            ("kernel", "Oops", 1), ("kernel", "panic", 15),
        ]  # fmt: skip
        assert crash.errors[1].message == "Kernel panic - not syncing: Fatal exception"
        assert crash.signal is None
        assert len(crash.threads) == 1

    @pytest.mark.parametrize("end", range(1, len(X86.splitlines()) + 1))
    def test_cut_off_anywhere(self, end: int):
        crash = crash_of("\n".join(X86.splitlines()[:end]))
        assert crash.errors[0].name == "Oops"
        want = names(failed(crash_of(X86)))
        got = names(failed(crash)) if crash.threads else []
        assert got == want[: len(got)]
        assert len(got) == sum(line in (3, 8, 9, 10) for line in range(1, end + 1))

    def test_32_bit_with_addresses(self):
        thread = failed(
            crash_of("""\
            BUG: unable to handle kernel paging request at f8a2d000
            IP: [<c0407b3e>] copy_it+0x1e/0x40
            *pde = 00000000
            Oops: 0002 [#1] SMP
            Pid: 1234, comm: insmod Tainted: G           O 3.2.0-4-686-pae #1
            EIP: 0060:[<c0407b3e>] EFLAGS: 00010246 CPU: 0
            EIP is at copy_it+0x1e/0x40
            Process insmod (pid: 1234, ti=f5c00000 task=f6a3b2c0 task.ti=f5c00000)
            Stack:
             f5c01000 00000000 c0107ac4
            Call Trace:
             [<c0107ac4>] ? do_one+0x12/0x30
             [<f8a2b012>] foo_init+0x12/0x1000 [foo]
            Code: 57 56 53
            EIP: [<c0407b3e>] copy_it+0x1e/0x40 SS:ESP 0068:f5c01e98
            ---[ end trace 0123456789abcdef ]---
            """)
        )
        assert (thread.tid, thread.name) == (1234, "insmod")
        assert [(f.function, f.address, f.module) for f in thread.frames] == [
            ("copy_it", "0xc0407b3e", None),
            ("do_one", "0xc0107ac4", None),
            ("foo_init", "0xf8a2b012", "foo"),
        ]

    def test_call_of_a_null_pointer(self):
        frame, *_ = failed(
            crash_of("""\
            [  10.1] BUG: unable to handle kernel NULL pointer dereference at           (null)
            [  10.1] IP: [<          (null)>]           (null)
            [  10.1] Oops: 0010 [#1] SMP
            [  10.1] RIP: 0010:[<0000000000000000>]  [<          (null)>]           (null)
            [  10.1] Call Trace:
            [  10.1]  [<ffffffff81234567>] vfs_read+0x87/0x130
            """)
        ).frames
        assert (frame.function, frame.address) == (None, "0x0")

    def test_interrupted_function_in_the_middle(self):
        crash = crash_of("""\
            rcu: INFO: rcu_preempt self-detected stall on CPU
            NMI backtrace for cpu 2
            CPU: 2 PID: 100 Comm: loop Not tainted 5.10.0 #1
            Call Trace:
             <IRQ>
             dump_stack+0x6b/0x83
            RIP: 0010:delay_tsc+0x2c/0x50
            RSP: 0018:ffffb EFLAGS: 00000297
             </IRQ>
             my_loop+0x10/0x20 [mod]
            RIP: 0033:0x7f0012345678
            """)
        assert names(failed(crash)) == ["dump_stack", "delay_tsc", "my_loop"]
        assert [e.name for e in crash.errors] == ["RCU stall"]

    def test_before_2_6_18(self):
        thread = failed(
            crash_of("""\
            Unable to handle kernel NULL pointer dereference at 0000000000000038 RIP: 
            <ffffffff80133a7e>{wake_common+62}
            Oops: 0000 [1] SMP 
            Pid: 2345, comm: bash Not tainted 2.6.9-42.ELsmp
            RIP: 0010:[<ffffffff80133a7e>] <ffffffff80133a7e>{wake_common+62}
            Call Trace:<ffffffff80133b12>{wake+54} <ffffffffa00a1234>{:ext3:ext3_foo+101} 
                   <ffffffff8011026a>{system_call+126} 
            """)  # noqa: W291
        )
        assert [(f.function, f.offset, f.module) for f in thread.frames] == [
            ("wake_common", "0x3e", None), ("wake", "0x36", None),
            ("ext3_foo", "0x65", "ext3"), ("system_call", "0x7e", None),
        ]  # fmt: skip

    def test_source_places(self):
        thread = failed(
            crash_of("""\
            [  106.5] BUG: kernel NULL pointer dereference, address: 0000000000000010
            [  106.5] Oops: 0000 [#1] PREEMPT SMP PTI
            [  106.5] RIP: 0010:nft_gc (net/netfilter/set.c:123 (discriminator 2)) nf_tables
            [  106.5] Call Trace:
            [  106.5] ? __die (arch/x86/kernel/d.c:421 arch/x86/kernel/d.c:434)
            [  106.5] __inner lib/a.c:79 [inline]
            [  106.5] outer+0x141/0x1d7 lib/a.c:120
            """)
        )
        assert [(f.function, f.file, f.line, f.inlined) for f in thread.frames] == [
            ("nft_gc", "net/netfilter/set.c", 123, False),
            ("__die", "arch/x86/kernel/d.c", 434, False),
            ("__inner", "lib/a.c", 79, True),
            ("outer", "lib/a.c", 120, False),
        ]


class TestOtherMachines:
    def test_arm_prints_each_frame_twice(self):
        thread = failed(
            crash_of("""\
            [    5.25] BUG: spinlock lockup on CPU#1, claw/41
            [    5.25] [<c0010000>] (unwind+0x0/0xf4) from [<c0020040>] (do_lock+0x40/0x144)
            [    5.25] [<c0020040>] (do_lock) from [<c0030080>] (dma_irq+0x80/0xe8 [dma])
            """)
        )
        assert [(f.function, f.offset, f.module, f.address) for f in thread.frames] == [
            ("unwind", "0x0", None, "0xc0010000"),
            ("do_lock", "0x40", None, "0xc0020040"),
            ("dma_irq", "0x80", "dma", "0xc0030080"),
        ]

    def test_arm_since_5_18(self):
        crash = crash_of("""\
            WARNING: CPU: 0 PID: 71 at drivers/usb/core/urb.c:504 submit+0x338/0x518
            CPU: 0 PID: 71 Comm: kworker/0:2 Tainted: G        W          6.1.0 #1
             unwind_backtrace from show_stack+0x10/0x14
             show_stack from submit+0x338/0x518
             submit from kthread+0xd8/0xf4
            Exception stack(0xf0a2dfb0 to 0xf0a2dff8)
            """)
        assert names(failed(crash)) == ["unwind_backtrace", "show_stack", "submit", "kthread"]
        assert [(e.name, e.file, e.line) for e in crash.errors] == [
            ("WARNING", "drivers/usb/core/urb.c", 504)
        ]

    def test_arm64_repeats_the_program_counter(self):
        thread = failed(
            crash_of("""\
            Apr 15 13:58:08 pi kernel: Internal error: Oops: 0000000096000005 [#2] PREEMPT SMP
            Apr 15 13:58:08 pi kernel: CPU: 3 PID: 2266 Comm: shim Tainted: G      D   6.12 #1
            Apr 15 13:58:08 pi kernel: pc : copy_to_user+0xd8/0x240
            Apr 15 13:58:08 pi kernel: lr : copy_to_iter+0xf4/0x6a8
            Apr 15 13:58:08 pi kernel: Call trace:
            Apr 15 13:58:08 pi kernel:  copy_to_user+0xd8/0x240 (P)
            Apr 15 13:58:08 pi kernel:  read_iter+0x5c/0x1f0 [ext4]
            """)
        )
        assert [(f.function, f.module) for f in thread.frames] == [
            ("copy_to_user", None), ("read_iter", "ext4"),
        ]  # fmt: skip

    def test_powerpc(self):
        thread = failed(
            crash_of("""\
            BUG: Unable to handle kernel data access at 0xc00a000000000000
            NIP [c0000000003d4e4c] populated+0x8c/0x120
            LR [c0000000003d4e00] elsewhere+0x40/0x120
            Call Trace:
            [c00000002c2b3960] [c0000000003d4e00] caller+0x40/0x120 (unreliable)
            [c00000002c2b39a0] [c00000000008d3a4] .vmemmap_free+0x214/0x2c0 [libnvdimm]
            --- interrupt: c00 at 0x7fff9c4a
            """)
        )
        assert [(f.function, f.address, f.module) for f in thread.frames] == [
            ("populated", "0xc0000000003d4e4c", None),
            ("caller", "0xc0000000003d4e00", None),
            (".vmemmap_free", "0xc00000000008d3a4", "libnvdimm"),
        ]

    def test_s390(self):
        thread = failed(
            crash_of("""\
            [   70.01] Krnl PSW : 0704c00180000000 000003ff8000103a (oops_init+0x3a/0x1000 [oops])
            [   70.02] Call Trace:
            [   70.02] ([<000003ff80001036>] oops_init+0x36/0x1000 [oops])
            [   70.02]  [<0000000000100120>] do_one_initcall+0x20/0x160
            [   70.03]  [<000003fffd000012>] 0x3fffd000012
            [   70.03] Last Breaking-Event-Address:
            [   70.03]  [<000003ff80001036>] oops_init+0x36/0x1000 [oops]
            """)
        )
        assert [(f.function, f.module) for f in thread.frames] == [
            ("oops_init", "oops"), ("do_one_initcall", None), (None, None),
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("counter", "frame"),
        [
            ("epc   : 80456b80 poll+0x24/0x40", "[<80456b80>] poll+0x24/0x40"),
            ("epc : poll+0x24/0x40", "[<ffffffff80005a3c>] poll+0x24/0x40"),
            ("TPC: <poll+0x24/0x40>", " [00000000004a2b3c] poll+0x24/0x40"),
        ],
    )
    def test_counter_that_the_trace_repeats(self, counter: str, frame: str):
        crash = crash_of(f"Oops[#1]: [#1]\n{counter}\nCall Trace:\n{frame}\n")
        assert names(failed(crash)) == ["poll"]

    def test_the_crash_tool(self):
        thread = failed(
            crash_of("""\
            PID: 27690  TASK: ffff880d4e1b2080  CPU: 3   COMMAND: "ksoftirqd/3"
             #0 [ffff880c3f8c3900] machine_kexec at ffffffff81051e9b
             #1 [ffff880c3f8c3a30] oops_end at ffffffff8163f3a8 [nvidia]
            """)
        )
        assert (thread.tid, thread.name) == (27690, "ksoftirqd/3")
        assert [(f.function, f.module) for f in thread.frames] == [
            ("machine_kexec", None), ("oops_end", "nvidia"),
        ]  # fmt: skip


class TestSeveralStacks:
    def test_kasan(self):
        crash = crash_of("""\
            BUG: KASAN: slab-use-after-free in submit+0x496/0x2fe0 fs/aio.c:1903
            Read of size 4 at addr ffff888037c41b40 by task exec/8431
            CPU: 0 PID: 8431 Comm: exec Not tainted 5.12.0 #0
            Call Trace:
             dump_stack+0x141/0x1d7
             submit+0x496/0x2fe0
            Allocated by task 8431:
             alloc+0x3ad/0x680
            Freed by task 23:
             release+0x8a/0x740
            """)
        assert [(t.tid, names(t), t.crashed) for t in crash.threads] == [
            (8431, ["dump_stack", "submit"], True),
            (8431, ["alloc"], False),
            (23, ["release"], False),
        ]
        assert [e.name for e in crash.errors] == ["KASAN"]

    def test_kasan_before_4_10(self):
        crash = crash_of("""\
            BUG: KASAN: use-after-free in submit+0x1e4/0x2a0 at addr ffff8800667b2c20
            Call Trace:
             [<     inline     >] __dump_stack lib/dump_stack.c:15
             [<ffffffff815a1a01>] submit+0x1e4/0x2a0 mm/x.c:12
            Freed:
            PID = 3234
             [<ffffffff8126d3c6>] release+0x26/0x50
            """)
        assert [(f.function, f.file, f.line, f.inlined) for f in failed(crash).frames] == [
            ("__dump_stack", "lib/dump_stack.c", 15, True),
            ("submit", "mm/x.c", 12, False),
        ]
        assert names(crash.threads[1]) == ["release"]

    def test_lockdep_fails_where_it_is_found_out(self):
        crash = crash_of("""\
            [ INFO: possible circular locking dependency detected ]
            claw/41 is trying to acquire lock:
             (&pool->guard){+.+.}, at: [<ffffffff81000110>] pool_get+0x10/0x90
            -> #1 (&queue->lock){+.+.}:
                   [<ffffffff81000120>] queue_push+0x20/0x40
            -> #0 (&pool->guard){+.+.}:
                   [<ffffffff81000140>] pool_get+0x40/0x90
            stack backtrace:
            Pid: 41, comm: claw Not tainted 3.9.1 #5
            Call Trace:
             [<ffffffff81000300>] print_circular_bug+0x100/0x209
             [<ffffffff81000160>] pool_walk+0x60/0xc2
            """)
        (thread,) = crash.threads
        assert (thread.crashed, thread.tid) == (True, 41)
        assert [(f.index, f.function, f.noise) for f in thread.frames] == [
            (0, "queue_push", "history"),
            (1, "pool_get", "history"),
            (2, "print_circular_bug", "kernel"),
            (3, "pool_walk", None),
        ]
        assert crash.blamed_frame
        assert crash.blamed_frame.frame == 3
        assert crash.errors[0].message == "INFO: possible circular locking dependency detected"

    def test_place_of_a_lock_is_no_frame(self):
        crash = crash_of("""\
            [ BUG: bad unlock balance detected! ]
            claw/41 is trying to release lock (&pool->guard) at:
            [<ffffffff81000110>] pool_get+0x10/0x90
            but there are no more locks to release!
            stack backtrace:
            Call Trace:
             [<ffffffff81000180>] lock_release+0x80/0x330
            """)
        assert [names(t) for t in crash.threads] == [["lock_release"]]

    def test_the_worst_report_failed(self):
        crash = crash_of("""\
            WARNING: CPU: 0 PID: 1 at a.c:1 first+0x1/0x2
            Call Trace:
             first+0x1/0x2
            ---[ end trace 0 ]---
            BUG: kernel NULL pointer dereference, address: 0000000000000010
            Oops: 0000 [#1] SMP
            Call Trace:
             second+0x1/0x2
            ---[ end trace 0 ]---
            """)
        assert [(names(t), t.crashed) for t in crash.threads] == [
            (["first"], False), (["second"], True),
        ]  # fmt: skip
        assert [e.name for e in crash.errors] == ["WARNING", "BUG"]

    def test_hung_tasks(self):
        crash = crash_of("""\
            [  483.1] INFO: task kworker/u16:3:1234 blocked for more than 120 seconds.
            [  483.1] task:kworker/u16:3   state:D stack:    0 pid: 1234 ppid:     2 flags:0x4000
            [  483.1] Call Trace:
            [  483.1]  os_acquire_mutex+0x47/0x60 [nvidia]
            [  483.1] INFO: task claw:777 blocked for more than 120 seconds.
            [  483.1] Call Trace:
            [  483.1]  rwsem_down+0x1/0x110
            """)
        assert [(t.tid, t.name, t.crashed) for t in crash.threads] == [
            (1234, "kworker/u16:3", True), (777, "claw", False),
        ]  # fmt: skip
        assert [e.name for e in crash.errors] == ["hung task", "hung task"]


@pytest.mark.parametrize(
    "text",
    [
        "INFO: task scheduler started\nINFO: all 3 tasks blocked on input\n",
        "WARNING: this version is deprecated\nBUG: see issue 12\n",
        "Backtrace:\n./a.out(main+0x1f)[0x4005]\n",
        "stack backtrace:\n   0: rust_begin_unwind\n   1: core::panicking::panic_fmt\n",
        "the Call Trace above shows a hang\n",
    ],
)
def test_prose_is_no_kernel(text: str):
    crash = crash_of(text)
    assert not any(e.api == "kernel" for e in crash.errors)
    assert not any(f.kind is FrameKind.KERNEL for t in crash.threads for f in t.frames)


_NAMES = st.from_regex(r"[a-z_][a-z0-9_.]{0,20}", fullmatch=True)
_STAMPS = st.sampled_from(
    ["", "[   12.345678] ", "<4>[   12.345678] ", "[   12.345678][  T123] ", "kernel: [    1.5] "]
)
_FORMS = st.sampled_from([" {0}+0x1f/0x2f", " [<ffffffff81057adf>] {0}+0x1f/0x2f"])


@given(st.lists(_NAMES, min_size=1, max_size=30), _STAMPS, _FORMS, st.booleans())
def test_property_a_trace_is_read_back(functions: list[str], stamp: str, form: str, module: bool):
    lines = ["Call Trace:", *(form.format(name) + " [mod]" * module for name in functions)]
    (thread,) = crash_of("\n".join(stamp + line for line in lines)).threads
    assert names(thread) == functions
    assert {f.module for f in thread.frames} == {"mod" if module else None}
    assert {f.offset for f in thread.frames} == {"0x1f"}


class TestDamage:
    """Reports as mails and commit messages have them."""

    def test_addresses_and_names_that_were_parted(self):
        crash = crash_of("""\
            BUG: unable to handle kernel NULL pointer dereference at 0000000000000008
            IP: [<ffffffffa0100a2b>]
             cache_release+0x2b/0x80 [cachefs]
            Oops: 0002 [#1] SMP
            Call Trace:
             [<ffffffff81100bc5>]
             ? __fput+0xf5/0x210
             [<ffffffff81100dce>]
             ____fput+0xe/0x10
            """)
        assert [(f.function, f.address, f.trust) for f in failed(crash).frames] == [
            ("cache_release", "0xffffffffa0100a2b", Trust.SYMBOL),
            ("__fput", "0xffffffff81100bc5", Trust.TEXT),
            ("____fput", "0xffffffff81100dce", Trust.SYMBOL),
        ]

    def test_a_caller_that_was_parted(self):
        crash = crash_of("""\
            [<c0101010>] (show_it+0x0/0xa0) from [<c0202020>]
            (lock_it+0x120/0x400)
            [<c0202020>] (lock_it+0x120/0x400) from [<c0303030>]
            (start_it+0x30/0x90)
            """)
        assert names(failed(crash)) == ["show_it", "lock_it", "start_it"]

    def test_first_characters_that_were_cut(self):
        crash = crash_of("""\
             BUG: bad unlock balance detected! ]
            .10.1 #9 Not tainted
             lock held by reader/77:
            #0:  (&q->lock){......}, at: [<ffffffff81000a10>]
            ake_lock+0x10/0x90
            id: 77, comm: reader Not tainted 3.10.1 #9
            all Trace:
            [<ffffffff81000b20>] ? submit+0x20/0x80
            [<ffffffff81000c30>] unlock_bug+0x30/0x70
            """)
        thread = failed(crash)
        assert (thread.tid, thread.name) == (77, "reader")
        assert [(f.function, f.noise) for f in thread.frames] == [
            ("ake_lock", "history"),
            ("submit", None),
            ("unlock_bug", None),
        ]

    def test_a_trace_without_its_heading(self):
        crash = crash_of("""\
            [   52.0]  dump_stack_lvl+0x5d/0x80
            [   52.0]  should_fail_ex+0x1a3/0x1f0
            [   52.0]  alloc_it+0x5f/0x300 [cachefs]
            """)
        assert names(failed(crash)) == ["dump_stack_lvl", "should_fail_ex", "alloc_it"]

    def test_an_indented_report(self):
        text = "\n".join(f"    {line}" for line in X86.splitlines())
        assert names(failed(crash_of(text))) == names(failed(crash_of(X86)))
        mixed = "commit 1\n\n" + text + "\n\n    Signed-off-by: A <a@example.org>\n"
        assert names(failed(crash_of(mixed))) == names(failed(crash_of(X86)))
