"""Stack traces of the Linux kernel: oopses, warnings, lock-ups, lockdep, KASAN and its relatives.

What is odd about it: the function that failed is named by a register (`RIP`, `PC is at`, `NIP`)
and not by the trace, which begins at its caller on some machines and repeats it on others; a line
that ends in `?` marks is a guess; one report holds stacks of other tasks, or of other times, that
explain the failure but did not fail; and mail programs have wrapped or cut many a report.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from triage.formats._base import Format, Item, Region, number, reading
from triage.formats._kernel_frames import counter_frame, frames_of
from triage.formats._kernel_report import TASK, Oops, headline_error
from triage.model.crash import Fragment
from triage.text.late import late
from triage.text.line import Line

_STAMP = (
    r"(?:[ \t]{1,40}(?=[\[<>]))?(?:> ?){0,2}(?:<\d{1,3}>)?(?:[^\n]{0,100}?\bkernel: ?)?"
    r"(?:<\d{1,3}>)?"
    r"(?:\[(?: {0,8}\+?\d{1,9}\.\d{1,9}(?:,\d{1,3})?"
    r"|[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4})\])?"
    r"(?:[ \t]{0,2}\[ {0,8}[TC]\d{1,8}\])?(?: c\d{1,3} {1,8}\d{1,8}(?= ))?"
    r"(?: ?-?\(\d{1,3}\)\[\d{1,8}:[^\]\n]{1,40}\])?[ \t]{0,60}"
)
"""What stands before a kernel's words: a level, the journal's columns where nobody took them off,
the clock, the caller, and a processor and a process as Android's kernels print them."""

_STAMPED = late(_STAMP)
_OPENS = late(
    _STAMP + r"(?:rcu: |watchdog: |NMI watchdog: |traps: |\[ )?(?:Call [Tt]race ?:"
    r"|BUG: (?:[Uu]nable to|[Kk]ernel [Nn]|soft lockup|spinlock|scheduling while"
    r"|sleeping function|Bad |K[A-Z]{2,6}AN: |KFENCE: |workqueue lockup|bad unlock|Invalid wait"
    r"|using (?:__this_cpu|smp_processor_id))"
    r"|BUG [\w:-]{1,60} \((?:Not t|T)ainted|kernel BUG at |[Kk]ernel panic - not syncing"
    r"|WARNING: (?:CPU: \d{1,5} PID: \d{1,10} at |at [^\s:]{1,300}:\d"
    r"|[^\s:]{1,300}:\d{1,7} at [\w.]{1,300}\+0x|possible [\w ]{1,30} detected"
    r"|inconsistent lock|suspicious RCU|bad unlock)"
    r"|INFO: (?:task [^\n]{1,100} blocked for|possible [\w ]{1,30} detected|inconsistent lock"
    r"|suspicious |rcu_\w{1,12} (?:self-)?detected)"
    r"|Oops: |Internal error: [^\n]{1,100}\[#\d|Unable to handle kernel "
    r"|[\w ,-]{4,80}: [0-9a-f]{4} \[#\d|UBSAN: |unreferenced object 0x"
    r"|[^\n]{0,60}page allocation failure|Watchdog detected hard LOCKUP"
    r"|\(?\[<(?:0x)?[0-9a-fA-F]{8,16}>\] {0,2}(?:\? )?\(?[\w.$]{1,300}[+)]"
    r"|PID: \d{1,10} {1,10}TASK: [0-9a-f]{8,16} "
    r"|(?:\? )?[A-Za-z_][\w.$]{0,300}\+0x[0-9a-f]{1,8}/0x[0-9a-f]{1,8}(?: \[[^\]\n]{1,120}\])?"
    r"[ \t]{0,20}$)"
)
_WRAPPED = late(
    r"(?:[^\n]{0,400}\) from |(?:<\w{1,8}> {1,8})?"
    r"|[A-Z]{2,4}:? {1,2}(?:[0-9a-f]{4}:)?(?:\[<[0-9a-f]{8,16}>\] {1,4})?)"
    r"\[<(?:0x)?[0-9a-fA-F]{8,16}>\][ \t]{0,4}$"
)
_NEXT = late(r"(?:\? )?\(?[\w.$]{1,300}\+0x[0-9a-fA-F]{1,16}/0x")


def _read(region: Region) -> Fragment:
    oops = Oops()
    source = reading(replace(region, lines=_unwrapped(map(_plain, region.lines))), "koops")
    for item in source.items():
        _take(oops, item)
        if item.rest and oops.open is not None and oops.open.lost:
            oops.finish()
    threads = oops.threads()
    if not threads and not oops.errors:
        return Fragment(dialect="koops")
    return Fragment(
        dialect="koops",
        threads=threads,
        errors=tuple(oops.errors),
        claimed=frozenset(source.claimed),
    )


def _plain(line: Line) -> Line:
    """Return a line without what stands before the kernel's words."""
    stamp = _STAMPED.match(line.text)
    return replace(line, text=line.text[stamp.end() :]) if stamp else line


def _unwrapped(lines: Iterable[Line]) -> tuple[Line, ...]:
    """Return the lines, an address at a line's end with the function that belongs to it."""
    found: list[Line] = []
    for line in lines:
        if found and _NEXT.match(line.text) and _WRAPPED.match(found[-1].text):
            found[-1] = replace(found[-1], text=f"{found[-1].text.rstrip()} {line.text}")
            found.append(replace(line, text=""))
        else:
            found.append(line)
    return tuple(found)


def _take(oops: Oops, item: Item) -> None:
    kind, fields, at = item.kind, item.fields, item.at
    if kind == "report":
        oops.report(fields["headline"], at)
    elif kind == "maybe":
        oops.doubtful = headline_error(fields["maybe"], at)[0]
    elif kind in ("trace", "aside", "discard"):
        _begin(oops, item)
    elif kind in ("cpu", "task", "crash_task"):
        _process(oops, item)
    elif kind == "end":
        oops.finish()
        if oops.stacks:
            oops.stacks[-1].ended = True
        oops.pc, oops.over, oops.fresh = None, True, False
    elif kind == "pc":
        frame = counter_frame(fields["pc_body"], at)
        if frame is not None:
            oops.counter(frame, fields["pc_word"])
    else:
        _frames(oops, item)


def _begin(oops: Oops, item: Item) -> None:
    """Start the stack that a line announces."""
    oops.begin(item.at, aside=item.kind == "aside", lost=item.kind == "discard")
    if item.kind == "trace":
        for frame in frames_of(item):
            oops.add(frame)
    elif (match := TASK.search(item.fields.get("aside", ""))) and oops.open:
        oops.open.pid = number(match["by"])


def _process(oops: Oops, item: Item) -> None:
    """Take the process that a stack belongs to."""
    fields = item.fields
    if item.kind == "crash_task":
        oops.begin(item.at)
    elif oops.open is not None and oops.open.frames:
        oops.finish()
    if item.kind == "cpu":
        oops.over = False
    pid = fields.get("pid") or fields.get("task_pid") or fields.get("process_pid")
    oops.pid = number(pid or fields.get("crash_pid"))
    oops.name = (
        fields.get("comm")
        or fields.get("task")
        or fields.get("process")
        or fields.get("crash_comm")
    )
    if oops.open is not None and not (oops.open.aside or oops.open.lost):
        oops.open.pid, oops.open.name = oops.pid, oops.name


_IN_A_STACK = ("ppc_interrupt", "old", "hex_only", "source")
"""Lines that are frames only where a stack was announced."""


def _frames(oops: Oops, item: Item) -> None:
    """Take the frames of a line."""
    if oops.open is None and item.kind in _IN_A_STACK:
        return
    if oops.open is None and item.kind == "bare":
        oops.begin(item.at, aside=True)  # a place that a report names above its stack
    if item.kind in ("arm", "arm_from"):
        callee, caller = frames_of(item)
        oops.add_caller(callee, caller)
        return
    for frame in frames_of(item):
        oops.add(frame)


FORMAT = Format(
    name="koops",
    title="Linux kernel stack traces",
    anchors=(
        "Call Trace",
        "Call trace",
        "BUG: ",
        "BUG kmalloc",
        "kernel BUG at",
        "ernel panic - not syncing",
        "WARNING: CPU",
        "WARNING: at ",
        ", CPU#",
        " locking dependency detected",
        " recursive locking detected",
        "inconsistent lock",
        "suspicious ",
        "unlock balance",
        "Unable to handle ",
        " blocked for more than ",
        "detected stall",
        "[#1]",
        "Oops: ",
        "Internal error: ",
        "UBSAN: ",
        "unreferenced object",
        "[<00",
        "[<80",
        "[<bf",
        "[<c0",
        "[<ff",
        " TASK: ",
        "hard LOCKUP",
        "page allocation failure",
        "/0x",
    ),
    opens=_OPENS,
    read=_read,
    before=60,
    after=250,
    reach=320,
)
