"""What llama.cpp's log states of the engine, its devices and its model."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any

from triage.formats._base import Item, number
from triage.model.crash import Engine, Environment, Gpu, ModelFile
from triage.model.evidence import Evidence
from triage.model.position import Position
from triage.text.late import late

_TYPE = late(
    r"(?:mostly |all )?(?P<type>\w{2,12})(?: - (?P<size>Extra [Ss]mall|Small|Medium|Large))?"
)
_SIZES = {"Extra small": "_XS", "Extra Small": "_XS", "Small": "_S", "Medium": "_M", "Large": "_L"}
_BYTES = late(r"(?P<count>\d{1,9}(?:\.\d{1,6})?) (?P<unit>KiB|MiB|GiB|TiB|MB|GB)")
_UNITS = {"KiB": 10, "MiB": 20, "MB": 20, "GiB": 30, "GB": 30, "TiB": 40}
_MAX_GPUS = 64
_SETTINGS = {
    "n_ctx": "ctx-size",
    "n_batch": "batch-size",
    "n_ubatch": "ubatch-size",
    "flash_attn": "flash-attn",
    "n_seq_max": "parallel",
}
_GENERATE = {"gen_ctx": "ctx-size", "gen_batch": "batch-size", "gen_predict": "n-predict"}
_FORM = {
    "embedding_length": "embedding-length",
    "attention.head_count": "heads",
    "attention.head_count_kv": "kv-heads",
    "attention.key_length": "head-size",
}
_WIDTHS = {"n_embd_k_gqa": "kv-width-k", "n_embd_v_gqa": "kv-width-v"}
_HOST = late(r"CPU|Host")
_ASKED = late(r"allocating (\d{1,9}\.\d{1,4}) MiB on device")
_RESERVED = late(r"failed to allocate (\w{1,40}) buffer of size (\d{1,15})")
_MIB = 1 << 20


@dataclass(slots=True)
class Facts:
    """The facts of one region; `where` keeps the line of each."""

    engine: Engine | None = None
    gpus: list[Gpu] = field(default_factory=list)
    model: dict[str, Any] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)
    where: dict[str, Position] = field(default_factory=dict)

    def environment(self) -> Environment:
        """Return the circumstances that were stated."""
        return Environment(
            gpus=tuple(self.gpus),
            options=self.options,
            model=ModelFile(**self.model) if self.model else None,
            facts=self.facts,
            where=self.where,
        )

    def read(self, item: Item) -> None:
        """Take in what one line states."""
        reader = _READERS.get(item.kind)
        if reader:
            reader(self, item)

    def note_gpu(self, at: Position, gpu: Gpu) -> None:
        """Record a device, or more about one that was named before."""
        for n, known in enumerate(self.gpus):
            if known.name == gpu.name and known.memory_free is None and gpu.memory_free:
                self.gpus[n] = replace(known, memory_free=gpu.memory_free)
                self.where.setdefault("gpu.memory_free", at)
                return
        if len(self.gpus) >= _MAX_GPUS:
            return
        self.gpus.append(gpu)
        for name in ("name", "compute_capability", "memory_total", "memory_free"):
            if getattr(gpu, name) is not None:
                self.where.setdefault(f"gpu.{name}", at)

    def note(
        self, at: Position, name: str, value: str | float | None, *, add: bool = False
    ) -> None:
        """Record a figure; what was stated first stays, or is added to."""
        if value is None or (name in self.facts and not add):
            return
        if isinstance(value, float):
            value = f"{round(value + float(self.facts.get(name, 0) if add else 0), 2):.15g}"
        self.facts[name] = value
        self.where.setdefault(f"fact.{name}", at)

    def note_model(self, at: Position, **facts: Any) -> None:
        """Record facts of the model; what was stated first stays."""
        for name, value in facts.items():
            if value is not None and name not in self.model:
                self.model[name] = value
                self.where[f"model.{name}"] = at


def _engine(name: str, version: str | None, item: Item) -> Engine:
    evidence = Evidence(field="log.line", text=item.text.strip(), weight=0.9, at=item.at)
    return Engine(name=name, version=version, evidence=(evidence,))


def _build(facts: Facts, item: Item) -> None:
    build = item.fields.get("build") or item.fields["info_build"]
    facts.engine = facts.engine or _engine("llama.cpp", f"b{build}", item)


def _kobold(facts: Facts, item: Item) -> None:
    facts.engine = _engine("koboldcpp", item.fields["kobold"], item)


def _device(facts: Facts, item: Item) -> None:
    fields = item.fields
    gpu = Gpu(
        name=fields["gpu"].strip(),
        compute_capability=fields.get("capability") or fields.get("gfx"),
        memory_total=number(fields.get("vram")),
    )
    facts.note_gpu(item.at, gpu)


def _using(facts: Facts, item: Item) -> None:
    gpu = Gpu(name=item.fields["using_gpu"], memory_free=number(item.fields["using_free"]))
    facts.note_gpu(item.at, gpu)


def _vulkan_device(facts: Facts, item: Item) -> None:
    name = re.sub(r" \([^()]{1,60}\)$", "", item.fields["vulkan_gpu"].strip())
    facts.note_gpu(item.at, Gpu(name=name))


def _named_device(facts: Facts, item: Item) -> None:
    facts.note_gpu(item.at, Gpu(name=item.fields["named_gpu"].strip()))


def _loader(facts: Facts, item: Item) -> None:
    fields = item.fields
    facts.note_model(item.at, path=fields["path"], tensor_count=number(fields["tensors"]))


def _kv(facts: Facts, item: Item) -> None:
    key, value = item.fields["key"], item.fields["kv"].strip()
    if key == "general.architecture":
        facts.note_model(item.at, architecture=value)
    elif key.endswith(".context_length"):
        facts.note_model(item.at, context_length=number(value))
    elif key.endswith(".block_count"):
        facts.note_model(item.at, layer_count=number(value))
    else:
        _form(facts, item, key.partition(".")[2], value)


def _form(facts: Facts, item: Item, key: str, value: str) -> None:
    if key in _FORM and value.isdecimal():
        facts.note(item.at, _FORM[key], value)


def _meta(facts: Facts, item: Item) -> None:
    meta, value = item.fields["meta"], item.fields["value"].strip()
    if meta == "arch":
        facts.note_model(item.at, architecture=value)
    elif meta == "n_ctx_train":
        facts.note_model(item.at, context_length=number(value))
    elif meta == "n_layer":
        facts.note_model(item.at, layer_count=number(value))
    elif meta in _WIDTHS:
        facts.note(item.at, _WIDTHS[meta], value if value.isdecimal() else None)
    elif meta in ("file type", "model ftype"):
        facts.note_model(item.at, quantization=quantization(value))
    else:
        facts.note_model(item.at, file_size=bytes_of(value))


def quantization(text: str) -> str | None:
    """Return the short name of a file type that is spelled out, as `Q4_K - Medium`."""
    match = _TYPE.match(text)
    if match is None or not match["type"][-1].isalnum():
        return None
    return match["type"].upper() + _SIZES.get(match["size"] or "", "")


def bytes_of(text: str) -> int | None:
    """Return a size that is printed with a unit, in bytes."""
    match = _BYTES.match(text)
    return round(float(match["count"]) * (1 << _UNITS[match["unit"]])) if match else None


def _context(facts: Facts, item: Item) -> None:
    name = _SETTINGS[item.fields["setting"]]
    facts.options[name] = item.fields["setting_value"]
    facts.where[f"option.{name}"] = item.at


def _sampling(facts: Facts, item: Item) -> None:
    facts.options["repeat-last-n"] = item.fields["last_n"]
    facts.where["option.repeat-last-n"] = item.at


def _buffer(facts: Facts, item: Item) -> None:
    fields = item.fields
    if _HOST.search(fields["buffer_device"]):
        return
    name = "gpu-weights-mib" if fields["buffer"] == "model" else "compute-buffer-mib"
    facts.note(item.at, name, float(fields["buffer_mib"]), add=True)


def _cache(facts: Facts, item: Item) -> None:
    fields = item.fields
    facts.note(item.at, "kv-cache-mib", float(fields["cache_mib"]))
    for group, option in (("cache_k", "cache-type-k"), ("cache_v", "cache-type-v")):
        if fields.get(group) and option not in facts.options:
            facts.options[option] = fields[group]
            facts.where[f"option.{option}"] = item.at


def _offloaded(facts: Facts, item: Item) -> None:
    facts.note(item.at, "offloaded-layers", item.fields["offloaded"])
    facts.note(item.at, "offloadable-layers", item.fields["offloadable"])


def _requested(facts: Facts, item: Item) -> None:
    """Read the size of the allocation that failed; the last one is what the failure is about."""
    if asked := _ASKED.search(item.text):
        facts.facts["requested-mib"] = f"{float(asked[1]):.15g}"
        facts.where["fact.requested-mib"] = item.at


def _load(facts: Facts, item: Item) -> None:
    """Read what a failed allocation was for."""
    text = item.fields["load"]
    requested = facts.facts.get("requested-mib")
    if "kv cache" in text and requested:
        facts.note(facts.where["fact.requested-mib"], "kv-cache-mib", requested)
    elif (reserved := _RESERVED.search(text)) and not _HOST.search(reserved[1]):
        facts.note(item.at, "compute-buffer-mib", int(reserved[2]) / _MIB)


def _generate(facts: Facts, item: Item) -> None:
    for field_name, option in _GENERATE.items():
        facts.options.setdefault(option, item.fields[field_name])
        facts.where.setdefault(f"option.{option}", item.at)


_READERS = {
    "build": _build,
    "build_info": _build,
    "kobold": _kobold,
    "device": _device,
    "using": _using,
    "vulkan_device": _vulkan_device,
    "named_device": _named_device,
    "loader": _loader,
    "kv": _kv,
    "meta": _meta,
    "context": _context,
    "generate": _generate,
    "sampling": _sampling,
    "buffer": _buffer,
    "cache": _cache,
    "offloaded": _offloaded,
    "alloc": _requested,
    "load": _load,
}
