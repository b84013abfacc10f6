"""What cuda-gdb says beside gdb's own words: exceptions, kernels, devices, GPU core dumps.

What is odd about it: the line about the exception names a device function that the stack trace
that follows does not; where it was inlined there, only by its symbol.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from triage.formats._base import number
from triage.formats._stacks import Stacks
from triage.gpucore.exceptions import NUMBERS
from triage.model.crash import ErrorRecord, Gpu, Role
from triage.model.position import Position
from triage.model.stack import Frame, FrameKind, Lanes, Thread, ThreadKind, Trust, trust_of
from triage.text.late import late

_EXCEPTION = late(r"CUDA_EXCEPTION_(\d{1,3})$")
_DEVICE_CLONE = late(r"\s{0,8}\[clone [^\n]{1,4000}\]$")
_FOCUS = late(
    r"grid (?P<grid>\d{1,12}),(?: cluster \([\d,]{1,40}\),| cluster dim \([\d,]{1,40}\),){0,2}"
    r" block (?P<block>\([\d,]{1,40}\)), thread (?P<thread>\([\d,]{1,40}\)),"
    r" device (?P<device>\d{1,4}), sm (?P<sm>\d{1,6}), warp (?P<warp>\d{1,6}),"
    r" lane (?P<lane>\d{1,4})"
)
_CALLED = late(r"(?P<function>[^\n(]{1,2000})")


@dataclass(slots=True)
class Device:
    """What is known of the GPU side of one region while it is being read.

    `stopped` is a device frame that was printed alone; it counts where no stack was printed.
    """

    stacks: Stacks
    errors: list[ErrorRecord] = field(default_factory=list)
    gpus: dict[str, tuple[Gpu, Position]] = field(default_factory=dict)
    stopped: Frame | None = None
    in_focus: bool = False
    focus: Lanes | None = None
    _exception: tuple[str, Position] | None = None
    _kernel: Frame | None = None
    _lane: tuple[str, Position] | None = None

    def focused(self, text: str) -> None:
        """Take the line that says which lane the debugger looks at; the first is the failed one."""
        self.in_focus = True
        match = _FOCUS.search(text)
        if match and self.focus is None:
            numbers = {key: int(match[key]) for key in ("device", "sm", "warp", "lane", "grid")}
            self.focus = Lanes(block=match["block"], thread=match["thread"], **numbers)

    def threads(self) -> tuple[Thread, ...]:
        """Return the threads, the failed one with its coordinates where it is of the GPU."""
        return tuple(
            replace(t, lanes=self.focus) if t.crashed and t.kind is ThreadKind.GPU else t
            for t in self.stacks.threads()
        )

    def signal(self, name: str, text: str, at: Position) -> bool:
        """Take the signal that stands for a device exception; tell whether it is one."""
        match = _EXCEPTION.match(name)
        if match is None:
            return False
        self._error(code=int(match[1]), message=text.split(",", 1)[-1].strip().rstrip("."), at=at)
        self._exception = None
        return True

    def exception(self, fields: Mapping[str, str], at: Position) -> None:
        """Take the words for an exception; the line about its place follows."""
        self._end_exception()
        self._exception = (fields["exception_text"].strip(), at)

    def triggered(self, fields: Mapping[str, str], at: Position) -> None:
        """Take where the device stopped; this line alone names a function that was inlined."""
        file, line = fields.get("pc_file"), number(fields.get("pc_line"))
        if self._exception:
            text, where = self._exception
            self._error(code=None, message=text, at=where, file=file, line=line)
            self._exception = None
        function = fields.get("pc_function")
        if function is None:
            return
        inlined = fields.get("pc_inlined")
        self.stacks.device_frame = Frame(
            index=0,
            function=inlined or _DEVICE_CLONE.sub("", function),
            file=file,
            line=line,
            address=fields["pc"],
            kind=FrameKind.GPU,
            trust=trust_of(function, line),
            inlined=inlined is not None,
            at=at,
        )

    def asserted(self, at: Position) -> None:
        """Take the words for a failed assertion, which has no line about an exception."""
        if self.in_focus:
            self._error(code=None, message="Warp Assert", at=at)

    def kernel(self, fields: Mapping[str, str], text: str, at: Position) -> None:
        """Take a line of `info cuda kernels`: the kernel in focus."""
        called = _CALLED.match(fields["kernel_call"])
        if self._kernel is None and text.startswith("*") and called:
            self._kernel = Frame(
                index=0,
                function=called["function"].strip(),
                launch=f"<<<{fields['kernel_griddim']},{fields['kernel_blockdim']}>>>",
                kind=FrameKind.GPU,
                trust=Trust.SYMBOL,
                at=at,
            )

    def gpu(self, fields: Mapping[str, str], at: Position) -> None:
        """Take a line of `info cuda devices`."""
        sm = fields["gpu_sm"]
        gpu = Gpu(
            name=fields["gpu_name"].strip(),
            compute_capability=f"{sm[:-1]}.{sm[-1]}",
            pci=fields["gpu_pci"],
        )
        self.gpus.setdefault(f"{at.line}", (gpu, at))

    def lane(self, fields: Mapping[str, str], at: Position) -> None:
        """Take the exception of the lane in focus, from `info cuda lanes`."""
        self._lane = self._lane or (fields["lane_exception"].strip(), at)

    def dumped(self, fields: Mapping[str, str], at: Position) -> None:
        """Take the exception for which the driver writes a GPU core dump."""
        self._error(code=number(fields["dump_code"]), message=fields["dump_name"], at=at)

    def dumped_frame(self, fields: Mapping[str, str], at: Position) -> None:
        """Take a frame that the driver prints while it writes a GPU core dump."""
        self.stacks.add(
            Frame(
                index=int(fields["dump_index"]),
                function=fields["dump_function"].strip(),
                address=fields["dump_pc"],
                kind=FrameKind.GPU,
                trust=Trust.SYMBOL,
                at=at,
            )
        )

    def finish(self) -> None:
        """Add what only counts where nothing better was printed."""
        self._end_exception()
        if not self.errors and self._lane:
            text, at = self._lane
            self._error(code=None, message=text, at=at)
        frame = self.stopped or (self._kernel if self.errors else None)
        if not self.stacks.has_gpu():
            self.stacks.finish()
            if frame is None and self.errors:
                # The debugger itself failed before it printed the stack.
                frame, self.stacks.device_frame = self.stacks.device_frame, None
            if frame is not None:
                self.stacks.add(frame)
            self.stacks.finish()

    def _end_exception(self) -> None:
        """Take an exception whose place was not printed."""
        if self._exception:
            text, at = self._exception
            self._error(code=None, message=text, at=at)
            self._exception = None

    def _error(
        self,
        *,
        code: int | None,
        message: str,
        at: Position,
        file: str | None = None,
        line: int | None = None,
    ) -> None:
        self.errors.append(
            ErrorRecord(
                api="cuda-exception",
                code=code,
                name=f"CUDA_EXCEPTION_{code}" if code is not None else None,
                message=message,
                role=Role.CAUSE,
                file=file,
                line=line,
                at=at,
            )
        )

    def merged(self) -> tuple[ErrorRecord, ...]:
        """Return the errors, the words of each joined with the signal that gives its number."""
        texts = [e for e in self.errors if e.code is None]
        joined = []
        for error in self.errors:
            if error.code is None:
                continue
            twin = next((t for t in texts if t.message == error.message), None)
            if twin is None:
                joined.append(error)
            else:
                texts.remove(twin)
                joined.append(replace(error, file=twin.file, line=twin.line))
        return (*joined, *map(_with_number, texts))


def _with_number(error: ErrorRecord) -> ErrorRecord:
    """Give an exception that is known by its words alone, as in a GPU core, its number."""
    code = NUMBERS.get(error.message or "")
    return replace(error, code=code, name=f"CUDA_EXCEPTION_{code}") if code else error
