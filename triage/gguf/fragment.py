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
    if not header.unread:
        return ()
    message = "the model's header is bigger than what is read of one; it was read in part"
    return (ReportWarning(code="model-header-cut", message=message, at=at),)
