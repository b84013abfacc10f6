"""A model file as a part of an incident."""

from __future__ import annotations

from typing import BinaryIO

from triage.gguf.header import Header, read_header
from triage.model.crash import Environment, ErrorRecord, Fragment, ModelFile, ReportWarning
from triage.model.position import Position

API = "gguf"


def model_fragment(stream: BinaryIO, size: int | None, at: Position) -> Fragment:
    """Return what a model file says of itself, and an error where it is damaged or cut short.

    `size` is the file's where it is known.
    """
    header = read_header(stream, size)
    model = ModelFile(
        architecture=header.architecture,
        quantization=header.quantization,
        file_size=size,
        tensor_count=header.tensor_count,
        layer_count=header.of_architecture("block_count"),
        context_length=header.of_architecture("context_length"),
    )
    return Fragment(
        dialect=API,
        environment=Environment(model=model, where={"model": at}),
        errors=_errors(header, at),
        warnings=_warnings(header, at),
        truncated=header.cut_short,
    )


def _errors(header: Header, at: Position) -> tuple[ErrorRecord, ...]:
    if header.problem is None:
        return ()
    name = "cut short" if header.cut_short else "damaged"
    return (ErrorRecord(api=API, name=name, message=header.problem, at=at),)


def _warnings(header: Header, at: Position) -> tuple[ReportWarning, ...]:
    found = []
    if header.unread:
        message = "the model's header is bigger than what is read of one; it was read in part"
        found.append(("model-header-cut", message))
    if header.big_endian:
        message = (
            "the model's header is big-endian: programs on x86 and Arm read no such file; fetch "
            "the little-endian one, or convert it (gguf-convert-endian FILE little)"
        )
        found.append(("model-big-endian", message))
    if header.problem is not None:
        message = f"the model file is damaged ({header.problem}): fetch it again"
        found.append(("model-damaged", message))
    return tuple(ReportWarning(code=code, message=message, at=at) for code, message in found)
