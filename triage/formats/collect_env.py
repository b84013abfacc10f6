"""The environment that PyTorch's `collect_env`, and vLLM's and SGLang's forms of it, write down."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from triage.formats._base import Format, Item, Region, reading
from triage.model.crash import Engine, Environment, Fragment, Gpu
from triage.model.evidence import Evidence
from triage.model.position import Position
from triage.text.late import late

_VERSION = late(r"v?(\d{1,4}(?:\.\d{1,6}){1,4})")
_RELEASE = late(r"v?(\d[\w.+-]{0,60})")
_FIELDS = {
    "OS": "os",
    "CUDA runtime version": "cuda_runtime",
    "CUDA used to build PyTorch": "cuda_toolkit",
    "Nvidia driver version": "driver",
    "CUDA Driver Version": "driver",
}
_ENGINES = {"vLLM Version": "vllm", "sglang": "sglang"}
_UNKNOWN = ("N/A", "Could not collect", "None")


@dataclass(slots=True)
class _State:
    facts: dict[str, Any] = field(default_factory=dict)
    variables: dict[str, str | None] = field(default_factory=dict)
    gpus: list[Gpu] = field(default_factory=list)
    engine: Engine | None = None
    where: dict[str, Position] = field(default_factory=dict)


def _read(region: Region) -> Fragment:
    state = _State()
    source = reading(region, "collect_env")
    for item in source.items():
        if item.kind == "gpu":
            count = item.fields["gpu"].count(",") + 1
            gpu = Gpu(
                name=item.fields["gpu_name"], compute_capability=item.fields.get("capability")
            )
            state.gpus.extend([gpu] * count)
            state.where.setdefault("gpu.name", item.at)
        else:
            _fact(state, item)
    return Fragment(
        dialect="collect_env",
        engine=state.engine,
        environment=Environment(
            **state.facts,
            gpus=tuple(state.gpus),
            variables=state.variables,
            where=state.where,
        ),
    )


def _fact(state: _State, item: Item) -> None:
    key, value = item.fields["key"], item.fields["value"].strip()
    if value in _UNKNOWN or value.startswith("Could not collect"):
        return
    version = _VERSION.match(value)
    release = _RELEASE.match(value)
    if key in _ENGINES and release and state.engine is None:
        evidence = Evidence(field="log.line", text=item.text[:200], weight=0.95, at=item.at)
        state.engine = Engine(name=_ENGINES[key], version=release[1], evidence=(evidence,))
    elif name := _FIELDS.get(key):
        if name != "os" and not version:
            return
        state.facts.setdefault(name, value if name == "os" or not version else version[1])
        state.where.setdefault(f"environment.{name}", item.at)
    elif key.isupper():
        state.variables.setdefault(key, value)
        state.where.setdefault(f"variable.{key}", item.at)


FORMAT = Format(
    name="collect_env",
    title="PyTorch's collect_env",
    anchors=(
        "PyTorch version: ",
        "CUDA runtime version: ",
        "vLLM Version: ",
        "Nvidia driver version",
    ),
    opens=late(
        r" {0,4}(?:PyTorch version: \d|CUDA runtime version: |Nvidia driver version: "
        r"|CUDA used to build PyTorch: |vLLM Version: )"
    ),
    read=_read,
    before=2,
    after=150,
    reach=200,
)
