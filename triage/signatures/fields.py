"""Everything that a condition can ask about, and what it can ask: the one table of fields."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

CALCULATORS = ("layers-that-fit", "kv-cache-size", "model-in-q4-k-m")
"""The calculators that a remedy can name."""


class FieldType(StrEnum):
    """What a field's value is, which decides how it is compared."""

    NAME = "name"
    TEXT = "text"
    PATH = "path"
    NUMBER = "number"
    VERSION = "version"
    HEX = "hex"
    VALUE = "value"
    SEQUENCE = "sequence"


class Op(StrEnum):
    """What a test asks of a field."""

    FITS = "fits"
    NOT = "not"
    COMPARE = "compare"
    VERSION = "version"
    ABOVE = "above"
    BELOW = "below"
    SET = "set"
    REGEX = "regex"
    SEQUENCE = "sequence"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of one thing; `thing.*` stands for any name."""

    thing: str
    name: str
    type: FieldType
    doc: str

    @property
    def full_name(self) -> str:
        """Return the name that a signature uses."""
        return f"{self.thing}.{self.name}"


_F = FieldType
FIELDS = (
    Field("frame", "function", _F.NAME, "its function, without arguments and templates or with"),
    Field("frame", "file", _F.PATH, "its source file"),
    Field("frame", "line", _F.NUMBER, "its line in the source file"),
    Field("frame", "module", _F.PATH, "the program or library that it is in"),
    Field("frame", "index", _F.NUMBER, "its place in the stack, 0 is the innermost"),
    Field("frame", "kind", _F.TEXT, "host, gpu, python, kernel or signal-handler"),
    Field("frame", "address", _F.HEX, "its address"),
    Field("frame", "launch", _F.TEXT, "of a kernel on the GPU: its grid and blocks, as printed"),
    Field("frame", "sequence", _F.SEQUENCE, "functions that follow it, itself first"),
    Field("error", "api", _F.TEXT, "the layer that reported it: cuda, hip, engine, libc …"),
    Field("error", "code", _F.NUMBER, "its number"),
    Field("error", "name", _F.TEXT, "its symbolic name, such as cudaErrorIllegalAddress"),
    Field("error", "message", _F.TEXT, "what was printed about it"),
    Field("error", "file", _F.PATH, "the source file that the message names"),
    Field("error", "line", _F.NUMBER, "the line that the message names"),
    Field("error", "role", _F.TEXT, "cause, consequence or unclear"),
    Field("error", "class", _F.TEXT, "of an Xid: application, driver, hardware, link …"),
    Field("signal", "name", _F.TEXT, "SIGSEGV, SIGABRT …"),
    Field("signal", "code", _F.TEXT, "SEGV_MAPERR …"),
    Field("signal", "fault_address", _F.HEX, "the address that could not be used"),
    Field("thread", "name", _F.TEXT, "its name"),
    Field("module", "name", _F.PATH, "the file of a program or library in the process"),
    Field("module", "version", _F.VERSION, "its version"),
    Field("engine", "name", _F.TEXT, "openclaw, llama.cpp …"),
    Field("engine", "version", _F.VERSION, "its version"),
    Field("environment", "os", _F.TEXT, "linux …"),
    Field("environment", "arch", _F.TEXT, "x86_64, aarch64 …"),
    Field("environment", "driver", _F.VERSION, "the GPU driver's version"),
    Field("environment", "driver_cuda", _F.VERSION, "the newest CUDA that the driver serves"),
    Field("environment", "cuda_runtime", _F.VERSION, "the CUDA runtime that was loaded"),
    Field("environment", "cuda_toolkit", _F.VERSION, "the CUDA that the engine was built with"),
    Field("environment", "container", _F.TEXT, "docker, podman or kubernetes"),
    Field("gpu", "name", _F.TEXT, "the card"),
    Field("gpu", "memory_total", _F.NUMBER, "its memory in MiB"),
    Field("gpu", "memory_free", _F.NUMBER, "what was free of it, in MiB"),
    Field("gpu", "compute_capability", _F.VERSION, "8.9 …"),
    Field("model", "path", _F.PATH, "the model's file"),
    Field("model", "architecture", _F.TEXT, "llama, qwen2 …"),
    Field("model", "quantization", _F.TEXT, "Q4_K_M …"),
    Field("model", "file_size", _F.NUMBER, "in bytes"),
    Field("model", "tensor_count", _F.NUMBER, "how many tensors it has"),
    Field("model", "layer_count", _F.NUMBER, "how many layers it has"),
    Field("model", "context_length", _F.NUMBER, "the context that it was trained for"),
    Field("variable", "*", _F.VALUE, "an environment variable"),
    Field("option", "*", _F.VALUE, "an engine option, without its dashes"),
    Field("log", "line", _F.TEXT, "the text of one line"),
)

_TEXTUAL = frozenset({Op.FITS, Op.NOT, Op.SET, Op.REGEX})
_NUMERIC = frozenset({Op.COMPARE, Op.ABOVE, Op.BELOW})
OPERATORS: dict[FieldType, frozenset[Op]] = {
    _F.NAME: _TEXTUAL,
    _F.TEXT: _TEXTUAL,
    _F.PATH: _TEXTUAL,
    _F.NUMBER: frozenset({Op.FITS, Op.NOT, Op.SET}) | _NUMERIC,
    _F.VERSION: frozenset({Op.FITS, Op.NOT, Op.SET, Op.VERSION, Op.ABOVE, Op.BELOW}),
    _F.HEX: frozenset({Op.FITS, Op.NOT, Op.SET, Op.COMPARE}),
    _F.VALUE: _TEXTUAL | _NUMERIC | {Op.VERSION},
    _F.SEQUENCE: frozenset({Op.SEQUENCE}),
}
"""Which operators make sense for which type."""

_BY_NAME = {field.full_name: field for field in FIELDS}
THINGS = tuple(dict.fromkeys(field.thing for field in FIELDS))


def find_field(name: str) -> Field | None:
    """Return the field of a full name such as `error.code` or `variable.CLAW_VRAM_LIMIT`."""
    found = _BY_NAME.get(name)
    if found is not None:
        return None if found.name == "*" else found
    thing, _, rest = name.partition(".")
    return _BY_NAME.get(f"{thing}.*") if rest else None


def fields_of(thing: str) -> tuple[Field, ...]:
    """Return the fields of one thing, none where there is no such thing."""
    return tuple(field for field in FIELDS if field.thing == thing)
