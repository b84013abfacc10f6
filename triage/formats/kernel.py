"""Linux kernel lines: segfaults, traps, the OOM killer, and what the GPU drivers report.

What is odd about it: they name a process that need not be the one that the other inputs are about,
one failing kernel prints an Xid line for every SM it ran on, and one death prints several lines.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from triage.elf.signals import SIGNALS
from triage.formats._base import Format, Item, Region, named_signal, number, reading
from triage.formats._kernel_origin import driver_origin
from triage.model.crash import Environment, ErrorRecord, Fragment, Role, Signal
from triage.model.position import Origin, Position
from triage.model.stack import Frame, Thread, Trust
from triage.text.late import late
from triage.text.line import Line

_TRAPS = {
    "invalid opcode": "SIGILL",
    "divide error": "SIGFPE",
    "simd exception": "SIGFPE",
    "simd_exception": "SIGFPE",
    "coprocessor error": "SIGFPE",
    "coprocessor fault": "SIGFPE",
    "coprocessor segment overrun": "SIGFPE",
    "int3": "SIGTRAP",
    "debug": "SIGTRAP",
    "stack segment": "SIGBUS",
    "segment not present": "SIGBUS",
    "alignment check": "SIGBUS",
}
_MAP = late(r"(?:(?P<offset>[0-9a-fA-F]{1,16}),)?(?P<base>[0-9a-fA-F]{1,16})\+[0-9a-fA-F]{1,16}")
_CAUSE = late(r"caused by previous Xid (\d{1,4})")
_MODULE_VERSION = late(r"NVRM: (this kernel module has the version \d{1,4}(?:\.\d{1,4}){1,3})")
_MAX_ERRORS = 2_000
"""Errors that are told apart by their process and their time."""

_SAME_EVENT = 60
"""Lines within which two OOM lines on one process are about one kill."""

_MAX_THREADS = 200
"""Crashed processes of which the place is kept."""


_OPENS = late(
    r"[^\n]{0,300}?(?:(?<!\w)(?:NVRM: (?:Xid|GPU[ \d]|RmInit|rm_init|osInit|No NVIDIA"
    r"|The NVIDIA|This PCI|API mismatch|this kernel module|loading NVIDIA|fallen off|request_irq"
    r"|knvlink|_kgsp|\w{1,60}: [^\n]{0,60}ncorrectable)|NVRM version: NVIDIA"
    r"|SXid \(|[Oo]ut of memory(?: \(oom_kill_alloc\w{1,20}\))?: Kill"
    r"|invoked oom-killer|oom-kill:constraint=|System OOM encountered|systemd-oomd killed \d"
    r"|been killed by the OOM killer|with result 'oom-kill'"
    r"|Killed /[^\n]{1,400} due to memory (?:used|pressure)"
    r"|sending SIG(?:TERM|KILL) to process \d{1,10} uid"
    r"|traps?: [^\n]{1,80} (?:trap |general protection |control protection )"
    r"|ANOM_ABEND|type=1701 |due to hardware memory corruption"
    r"|in page starting at address 0x"
    r"|(?:amdgpu|radeon|kfd|drmn?\d?)[^\n]{0,60}?(?:[Rr]ing |GPU |VRAM"
    r"|device lost|uncorrectable|qcm fence|The cp |HIQ |Illegal |MES |SMU |[Ff]ailed to"
    r"|hw_init|Fatal error)"
    r"|GPU HANG: ecode |(?:i915|xe|nouveau) [0-9a-f:.]{7,14}: "
    r"|Memory access fault by GPU node|inactivated due to async error"
    r"|PCIe Bus Error: severity=|AER: |DPC: |Machine Check Exception|EDAC \w{1,10}: \d"
    r"|vmiop_log: )"
    r"|\](?:: segfault (?:\(\d{1,2}\) )?at |:? trap [a-z]|:? general protection (?:fault )?r?ip:)"
    r"|: unhandled (?:level \d |page fault|signal \d|alignment |address size |permission |sync)"
    r"|hub\d{0,2}(?::\d{1,2})?\] (?:[\w-]{1,12} )?(?:VMC )?page fault \(src_id"
    r"|_L2_PROTECTION_FAULT_STATUS|:0:rocdevice\.cpp"
    r"|\[(?:drm[^\]\n]{0,150}\]{1,2} \*ERROR\* |Hardware Error\]: ))"
)


@dataclass(slots=True)
class _Lines:
    """What was read of one region so far."""

    errors: dict[tuple[object, ...], ErrorRecord] = field(default_factory=dict)
    signals: list[Signal] = field(default_factory=list)
    places: dict[tuple[object, ...], Thread] = field(default_factory=dict)
    driver: str | None = None
    driver_at: Position | None = None
    killed: dict[str, int] = field(default_factory=dict)
    causes: dict[str, tuple[Position, str]] = field(default_factory=dict)
    burst: int = 0
    stamp: float | None = None

    def add(self, error: ErrorRecord) -> None:
        """Add an error, or count it where the same one of the same process was seen."""
        what = (error.api, error.code) if error.code is not None else _shape(error)
        origin = error.origin
        whose = (origin.pid, origin.process, origin.device) if origin else ()
        apart = len(self.errors) < _MAX_ERRORS
        key = (*what, self.burst, *whose) if apart else what
        other = self.errors.get(key)
        self.errors[key] = error if other is None else replace(other, count=other.count + 1)

    def name_causes(self) -> None:
        """Add the errors that only the ones that they caused tell of."""
        stated = {error.code for error in self.errors.values() if error.api == "xid"}
        for code, (at, effect) in self.causes.items():
            if number(code) not in stated:
                self.add(
                    ErrorRecord(
                        api="xid",
                        code=number(code),
                        name=f"Xid {code}",
                        message=f"named by {effect} as its cause",
                        role=Role.CAUSE,
                        at=at,
                    )
                )

    def origin(self, line: str, text: str, device: str | None) -> Origin | None:
        """Return whose error a line is about; errors within a second of each other are a burst."""
        origin = driver_origin(line, text, device)
        if origin and origin.time:
            stamp = float(origin.time)
            if self.stamp is not None and not 0 <= stamp - self.stamp <= 1:
                self.burst += 1
            self.stamp = stamp
        return origin

    def died(self, item: Item, prefix: str, signal: Signal) -> None:
        """Record that a process got a signal, and where it was."""
        fields, at = item.fields, item.at
        origin = Origin(
            process=fields.get(f"{prefix}_process"), pid=number(fields.get(f"{prefix}_pid"))
        )
        if len(self.signals) < _MAX_THREADS:
            self.signals.append(replace(signal, origin=origin))
        module, address = fields.get(f"{prefix}_module"), fields.get(f"{prefix}_ip")
        if module is None or len(self.places) >= _MAX_THREADS:
            return
        frame = Frame(
            index=0,
            module=module,
            offset=_offset(fields.get(f"{prefix}_map", ""), address),
            address=f"0x{address}" if address else None,
            trust=Trust.ADDRESS_ONLY,
            at=at,
        )
        name, pid = origin.process, origin.pid
        thread = Thread(tid=pid, name=name, frames=(frame,), at=at, origin=origin)
        self.places.setdefault((name, module, frame.offset, frame.address), thread)

    def out_of_memory(self, where: str, process: str, pid: str | None, at: Position) -> None:
        """Record a kill; the lines that the kernel prints about one are one error."""
        line = at.line or 0
        if pid is not None:
            seen = self.killed.get(pid)
            self.killed[pid] = line
            if seen is not None and line - seen <= _SAME_EVENT:
                return
        origin = Origin(process=process, pid=number(pid)) if pid is not None else None
        self.add(
            ErrorRecord(
                api="oom-killer",
                name=where,
                message=f"{where}: {process}",
                at=at,
                origin=origin,
            )
        )


def _shape(error: ErrorRecord) -> tuple[object, ...]:
    return (error.api, error.name, error.message)


def _offset(mapping: str, address: str | None) -> str | None:
    """Return how far into a module an address is.

    Kernels since 6.4 print the offset in the file; of older ones it is the distance from the start
    of the mapping that is printed.
    """
    match = _MAP.match(mapping)
    if match is None:
        return None
    if match["offset"]:
        return f"0x{match['offset']}"
    distance = int(address, 16) - int(match["base"], 16) if address else -1
    return hex(distance) if distance >= 0 else None


def _read(region: Region) -> Fragment:
    lines = _Lines()
    source = reading(replace(region, lines=tuple(map(_of_interest, region.lines))), "kernel")
    for item in source.items():
        if item.kind in _DEATHS:
            _death(lines, item)
        elif item.kind.startswith("oom"):
            _oom(lines, item)
        elif item.kind == "nvrm_version":
            lines.driver, lines.driver_at = item.fields["nvrm_version"], item.at
        elif item.kind == "amd_page":
            _amd_page(lines, item)
        else:
            _driver(lines, item)
    lines.name_causes()
    where = {"driver": lines.driver_at} if lines.driver_at else {}
    return Fragment(
        dialect="kernel",
        threads=tuple(lines.places.values()),
        errors=tuple(lines.errors.values()),
        signal=lines.signals[0] if lines.signals else None,
        signal_rank=2,
        deaths=tuple(lines.signals[1:]),
        environment=Environment(driver=lines.driver, where=where),
        claimed=frozenset(source.claimed),
    )


def _of_interest(line: Line) -> Line:
    """Return the line, empty where the grammar would look at it in vain."""
    return line if _OPENS.match(line.text) else replace(line, text="")


_DEATHS = ("segfault", "trap", "fault", "abend", "poison")


def _death(lines: _Lines, item: Item) -> None:
    """Take a line that tells of a process that got a signal."""
    kind, fields, at = item.kind, item.fields, item.at
    if kind == "segfault":
        name = SIGNALS.get(number(fields.get("segv_number")) or 11, "SIGSEGV")
        address = f"0x{fields['segv_address']}"
        lines.died(item, "segv", named_signal(name, at, fault_address=address))
    elif kind == "trap":
        lines.died(item, "trap", named_signal(_TRAPS.get(fields["trap"], "SIGSEGV"), at))
    elif kind == "fault":
        value = number(fields.get("fault_number") or fields.get("fault_signal"))
        if value in SIGNALS:
            address = f"0x{fields['fault_address']}"
            lines.died(item, "fault", named_signal(SIGNALS[value], at, fault_address=address))
    elif kind == "abend":
        value = number(fields["abend_signal"])
        if value in SIGNALS:
            lines.died(item, "abend", named_signal(SIGNALS[value], at))
    else:
        lines.died(item, "poison", named_signal("SIGBUS", at))
        process = fields["poison_process"]
        message = f"hardware memory corruption: {process}"
        origin = Origin(process=process, pid=number(fields["poison_pid"]))
        error = ErrorRecord(api="kernel", name="memory failure", message=message, at=at)
        lines.add(replace(error, origin=origin))


def _oom(lines: _Lines, item: Item) -> None:
    """Take a line about memory that ran out."""
    kind, fields, at = item.kind, item.fields, item.at
    if kind == "oom_reaper":
        where = "oom-killer invoked"
        process = fields["oom_invoker"].rsplit("] ", 1)[-1].strip()
        lines.out_of_memory(where, process, None, at)
    elif kind == "oom_kill":
        where = fields["oom_where"].split(" (")[0]
        lines.out_of_memory(where, fields["oom_process"], fields["oom_pid"], at)
    elif kind == "oom_task":
        cgroup = fields.get("oom_constraint") == "CONSTRAINT_MEMCG"
        where = fields.get("oom_system") or (
            "Memory cgroup out of memory" if cgroup else "Out of memory"
        )
        process = fields.get("oom_task") or fields.get("oom_victim", "")
        pid = fields.get("oom_task_pid") or fields.get("oom_victim_pid")
        lines.out_of_memory(where, process, pid, at)
    elif "early_process" in fields:
        lines.out_of_memory("Out of memory", fields["early_process"], fields["early_pid"], at)
    else:
        message = fields["oomd"].strip()
        lines.add(ErrorRecord(api="oom-killer", name="Out of memory", message=message, at=at))


def _amd_page(lines: _Lines, item: Item) -> None:
    """Add the address to the page fault that the line before reported."""
    for key, error in reversed(lines.errors.items()):
        if error.name == "page fault" and error.message and " at address " not in error.message:
            message = f"{error.message} at address {item.fields['amd_address']}"
            lines.errors[key] = replace(error, message=message)
        return


def _driver(lines: _Lines, item: Item) -> None:
    """Take what a GPU's driver, or the bus that the GPU is on, reports."""
    kind, fields, at = item.kind, item.fields, item.at
    if kind in ("xid", "vgpu_xid", "sxid"):
        code, label = fields[kind], "SXid" if kind == "sxid" else "Xid"
        text = fields[{"xid": "xid_text", "sxid": "sxid_text"}.get(kind, "vgpu_text")].strip()
        error = ErrorRecord(
            api="xid",
            code=number(code),
            name=f"{label} {code}",
            message=text or None,
            at=at,
            origin=lines.origin(item.text, text, fields.get("xid_device")),
        )
        if cause := _CAUSE.search(text):
            error = replace(error, role=Role.CONSEQUENCE)
            lines.causes.setdefault(cause[1], (at, f"{label} {code}"))
        lines.add(error)
        return
    name, message = _named(item)
    api = "hsa" if kind == "hsa" else "kernel"
    origin = lines.origin(item.text, "", message if kind == "nvrm" else None)
    lines.add(ErrorRecord(api=api, name=name, message=message.strip(), at=at, origin=origin))


def _named(item: Item) -> tuple[str | None, str]:
    """Return what a line reports, in a word and in its own words."""
    kind, fields = item.kind, item.fields
    if kind == "nvrm_mismatch":
        more = _MODULE_VERSION.search("\n".join(item.rest[:3]))
        return "API mismatch", " ".join(
            [fields["mismatch"].strip(), *(more.groups() if more else ())]
        )
    if kind == "amd_fault":
        return "page fault", fields["amd_fault"]
    if kind == "amd":
        words = fields["amd"]
        name = "ring timeout" if words.endswith("timeout") else "GPU reset"
        return name if "ing " in words or "reset" in words else "amdgpu", (
            words + fields.get("amd_rest", "")
        )
    if kind == "drm_error":
        return fields.get("drm_module") or "drm", fields["drm_text"]
    if kind == "hsa":
        return None, fields.get("hsa_queue") or fields["hsa"]
    name = {
        "nvrm": "NVRM",
        "amd_status": "page fault status",
        "intel": "GPU hang",
        "pcie": "PCIe error",
        "machine_check": "machine check",
    }[kind]
    return name, fields[kind]


FORMAT = Format(
    name="kernel",
    title="Linux kernel messages",
    anchors=(
        "segfault at ",
        "segfault (",
        "NVRM: ",
        "SXid (",
        "ut of memory: Kill",
        "invoked oom-killer",
        "oom-kill:constraint",
        "System OOM encountered",
        "systemd-oomd killed",
        "been killed by the OOM killer",
        "result 'oom-kill'",
        "due to memory ",
        ": badness ",
        " trap ",
        " general protection ",
        ": unhandled ",
        "ANOM_ABEND",
        "type=1701",
        "hardware memory corruption",
        "page fault (src_id",
        "in page starting at address ",
        "_L2_PROTECTION_FAULT_STATUS",
        "amdgpu",
        "radeon ",
        "*ERROR*",
        "GPU HANG: ",
        "i915 ",
        "xe 0000:",
        "nouveau ",
        "Memory access fault by GPU",
        ":0:rocdevice.cpp",
        "inactivated due to async error",
        "PCIe Bus Error: ",
        "AER: ",
        "Machine Check Exception",
        "[Hardware Error]: ",
        "EDAC ",
        "vmiop_log: ",
    ),
    opens=_OPENS,
    read=_read,
    after=2,
    reach=50,
)
