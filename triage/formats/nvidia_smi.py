"""What `nvidia-smi` says of the GPUs and their driver, as its table and as the list of `-q`.

What is odd about it: it tells how the machine is when someone looks, which is after the crash. The
memory that is free by then is not what was free, and is not taken.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from triage.formats._base import Format, Item, Region, number, reading
from triage.model.crash import Environment, Fragment, Gpu
from triage.model.position import Position
from triage.text.late import late

_MAX_GPUS = 1_024
_OF_THE_CARD = "FB Memory Usage"


@dataclass(slots=True)
class _State:
    driver: str | None = None
    cuda: str | None = None
    gpus: list[Gpu] = field(default_factory=list)
    memory: str = ""
    where: dict[str, Position] = field(default_factory=dict)

    def add(self, gpu: Gpu, at: Position) -> None:
        """Begin a GPU."""
        if len(self.gpus) < _MAX_GPUS:
            self.gpus.append(gpu)
            self.where.setdefault("gpus", at)

    def complete(self, **facts: str | int | None) -> None:
        """Add to the GPU that was begun last what is not yet known of it."""
        if self.gpus:
            last = self.gpus[-1]
            new = {key: value for key, value in facts.items() if getattr(last, key) is None}
            self.gpus[-1] = replace(last, **new)  # type: ignore[arg-type]


def _read(region: Region) -> Fragment:
    state = _State()
    source = reading(region, "nvidia_smi")
    for item in source.items():
        _take(state, item)
    return Fragment(
        dialect="nvidia_smi",
        environment=Environment(
            gpus=tuple(state.gpus),
            driver=state.driver,
            driver_cuda=state.cuda,
            where=state.where,
        ),
        claimed=frozenset(source.claimed),
    )


def _take(state: _State, item: Item) -> None:
    fields, at = item.fields, item.at
    driver = fields.get("driver") or fields.get("log_driver")
    cuda = fields.get("cuda") or fields.get("log_cuda")
    if driver and state.driver is None:
        state.driver = driver
        state.where["driver"] = at
    if cuda and cuda != "N/A" and state.cuda is None:
        state.cuda = cuda
        state.where["driver_cuda"] = at
    if item.kind == "gpu":
        state.add(Gpu(name=fields["gpu_name"].strip(), pci=_short(fields["gpu_pci"])), at)
    elif item.kind == "memory":
        state.complete(memory_total=number(fields["total"]))
    elif item.kind == "log_gpu":
        state.add(Gpu(pci=_short(fields["log_pci"])), at)
    elif item.kind == "log_name":
        state.complete(name=fields["log_name"])
    elif item.kind == "log_memory":
        state.memory = fields["log_memory"]
    elif item.kind == "log_total" and state.memory == _OF_THE_CARD:
        state.complete(memory_total=number(fields["log_total"]))


def _short(pci: str) -> str:
    """Return the address as cuda-gdb prints it where its domain is 0."""
    domain, _, rest = pci.lower().partition(":")
    return rest if not int(domain, 16) else f"{domain}:{rest}"


FORMAT = Format(
    name="nvidia_smi",
    title="nvidia-smi",
    anchors=("NVIDIA-SMI ", "NVSMI LOG"),
    opens=late(r"[^\n]{0,20}?\| NVIDIA-SMI \d|={1,40}NVSMI LOG={1,40}"),
    read=_read,
    after=400,
    reach=400,
)
