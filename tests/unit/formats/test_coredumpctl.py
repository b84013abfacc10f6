"""What coredumpctl prints, and what systemd-coredump leaves in the journal."""

from __future__ import annotations

import pytest

from triage.model.crash import Crash
from triage.model.stack import FrameKind, Trust
from triage.read import ReadOptions, read_text

INFO = """\
           PID: 8101 (claw_inference)
           UID: 1000 (ada)
           GID: 1000 (ada)
        Signal: 11 (SEGV)
     Timestamp: Sat 2026-02-17 21:53:16 CET (2min 21s ago)
  Command Line: claw_inference --model "/srv/my model.gguf"
    Executable: /usr/bin/claw_inference
 Control Group: /user.slice/user-1000.slice/session-2.scope
       Storage: /var/lib/systemd/coredump/core.claw.1000.zst (present)
       Message: Process 8101 (claw_inference) of user 1000 dumped core.
                
                Module libclaw.so from rpm claw-0.9.2-5.fc40.x86_64
                Found module linux-vdso.so.1 with build-id: 00112233445566778899aabbccddeeff00112233
                Stack trace of thread 8107:
                #0  0x00007f62aa0002dc _ZN4claw4loadEv (libclaw.so + 0x2dc)
                #1  0x00007f62aa003340 __restore_rt (libc.so.6 + 0x3340)
                #2  0x00007f62aa009340 n/a (/opt/claw/lib (old)/libx.so + 0x340)
                #3  0x0000556200000040 n/a (n/a + 0x0)
                
                Stack trace of thread 8101:
                #0  0x00007f62aa112233 poll@@GLIBC_2.2.5 (libc.so.6 + 0x112233)
                ELF object binary architecture: AMD x86-64
"""  # noqa: W293
JOURNAL = """\
Jan  2 03:04:05 host systemd[1]: Started Process Core Dump (PID 610/UID 0).
Jan  2 03:04:05 host systemd-coredump[611]: [🡕] Process 450 (claw) of user 1000 dumped core.

                        Stack trace of thread 454:
                        #0  0x00007f1000001bb0 pthread_kill@@GLIBC_2.34 (libc.so.6 + 0x1bb0)
                        #1  0x00007f1000002c80 raise (libc.so.6)
                        #2  0x00007f1000003790 abort (libc.so.6)
                        #3  0x0000556400004440 n/a (/usr/bin/claw)
Jan  2 03:04:05 host systemd[1]: claw.service: Deactivated successfully.
"""


def crash_of(text: str) -> Crash:
    return read_text(text, ReadOptions()).crash


class TestInfo:
    def test_threads(self):
        crash = crash_of(INFO)
        assert [(t.id, t.tid, t.crashed, len(t.frames)) for t in crash.threads] == [
            ("8107", 8107, True, 4), ("8101", 8101, False, 1),
        ]  # fmt: skip
        assert [(f.function, f.module, f.offset) for f in crash.threads[0].frames] == [
            ("_ZN4claw4loadEv", "libclaw.so", "0x2dc"),
            ("__restore_rt", "libc.so.6", "0x3340"),
            (None, "/opt/claw/lib (old)/libx.so", "0x340"),
            (None, None, "0x0"),
        ]
        first, handler, *_ = crash.threads[0].frames
        assert (first.address, first.trust) == ("0x00007f62aa0002dc", Trust.SYMBOL)
        assert first.at
        assert first.at.line == 15
        assert handler.kind is FrameKind.SIGNAL_HANDLER
        assert crash.threads[1].frames[0].function == "poll@@GLIBC_2.2.5"

    def test_circumstances(self):
        crash = crash_of(INFO)
        assert crash.signal
        assert (crash.signal.name, crash.signal.number) == ("SIGSEGV", 11)
        assert crash.environment.command_line == (
            "claw_inference", "--model", "/srv/my model.gguf",
        )  # fmt: skip
        assert [(m.name, m.version, m.build_id) for m in crash.modules] == [
            ("libclaw.so", "claw-0.9.2-5.fc40.x86_64", None),
            ("linux-vdso.so.1", None, "00112233445566778899aabbccddeeff00112233"),
        ]

    @pytest.mark.parametrize("end", range(4, len(INFO.splitlines()) + 1))
    def test_cut_off_anywhere(self, end: int):
        crash = crash_of("\n".join(INFO.splitlines()[:end]))
        assert crash.signal
        assert crash.signal.name == "SIGSEGV"
        whole = crash_of(INFO).threads
        for thread, full in zip(crash.threads, whole, strict=False):
            assert thread.frames == full.frames[: len(thread.frames)]

    def test_the_last_of_several_dumps(self):
        other = INFO.replace("8101", "99").replace("11 (SEGV)", "6 (ABRT)")
        crash = crash_of(INFO + "\n" + other.replace("claw4load", "claw4stop"))
        assert crash.signal
        assert crash.signal.name == "SIGABRT"
        assert crash.threads[0].frames[0].function == "_ZN4claw4stopEv"


class TestJournal:
    def test_frames(self):
        crash = crash_of(JOURNAL)
        (thread,) = crash.threads
        assert thread.crashed
        assert [(f.function, f.module) for f in thread.frames] == [
            ("pthread_kill@@GLIBC_2.34", "libc.so.6"), ("raise", "libc.so.6"),
            ("abort", "libc.so.6"), (None, "/usr/bin/claw"),
        ]  # fmt: skip

    def test_abort_is_sigabrt(self):
        crash = crash_of(JOURNAL)
        assert crash.signal
        assert crash.signal.name == "SIGABRT"

    def test_another_function_of_that_name_is_none(self):
        assert crash_of(JOURNAL.replace("raise ", "claw_abort_all ")).signal is None

    def test_signal_of_the_first_line(self):
        crash = crash_of(
            "h systemd-coredump[1]: Process 450 (claw) of user 0 terminated abnormally with "
            "signal 7/BUS, processing...\n" + JOURNAL
        )
        assert [t.tid for t in crash.threads] == [454]

    def test_signal_of_the_unit(self):
        crash = crash_of(
            "x systemd[1]: claw.service: Main process exited, code=dumped, status=11/SEGV"
        )
        assert crash.signal
        assert crash.signal.name == "SIGSEGV"

    def test_octal_line_ends_of_rsyslog(self):
        text = (
            "Jul 19 15:16:31 h systemd-coredump[1]: Process 9 (a) of user 1 dumped core.\n"
            "#012#012Stack trace of thread 9:\n"
            "#012#0  0x00007f14ecd92b23 __libc_free (libc.so.6)\n"
        )
        assert [f.function for f in crash_of(text).threads[0].frames] == ["__libc_free"]


def test_a_stack_without_its_heading_is_nobody_s():
    lines = INFO.splitlines()
    crash = crash_of("\n".join(lines[14:16] + lines[18:]))
    assert [t.crashed for t in crash.threads] == [False, False]
    assert crash.signal is None


@pytest.mark.parametrize(
    "text",
    [
        "#0  0x00007ffff7 in raise () from /lib/libc.so.6\n#1  0x00007ffff8 in main () at a.c:1\n",
        "Stack trace of thread main: [a, b]\n",
        "the process dumped core\nSignal: strong\n",
    ],
)
def test_other_texts(text: str):
    result = read_text(text, ReadOptions())
    assert "coredumpctl" not in result.inputs[0].dialects
