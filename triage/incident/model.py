"""Whether a model file that was given is the one that was run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from triage.frames.names import file_name
from triage.gguf.types import FILE_TYPES
from triage.model.crash import Environment, Fragment, ModelFile, ReportWarning

_QUANTIZATION = re.compile(
    r"(?:^|[-._])((?:I?Q\d(?:_\d|_K(?:_[SMLX]{1,2})?|_(?:XXS|XS|S|M|NL))?|TQ\d_\d|MXFP4|BF16|F16|F32))"
    r"(?=[-._]|$)",
    re.IGNORECASE,
)
_FILE_TYPES = frozenset(FILE_TYPES.values())
_ROUNDED = 1.05
"""How far an engine's words for a size may be from it."""


def quantization_in(path: str) -> str | None:
    """Return the quantization that a model file's name states."""
    found = _QUANTIZATION.findall(file_name(path).rsplit(".", 1)[0])
    return found[-1].upper() if found else None


def without_other_models(
    fragments: Sequence[Fragment],
) -> tuple[tuple[Fragment, ...], tuple[ReportWarning, ...]]:
    """Return the fragments without what model files say that are not the one of the log.

    A file is another one where a fact of it contradicts what the engine printed. Engines have words
    of their own for quantizations, so only the names of file types contradict each other; they
    count layers in their own ways, and a file may be one of several that make a model, so fewer
    tensors or bytes do not. A file may have been renamed, so its name alone says nothing.
    """
    stated = [f.environment.model for f in fragments if f.dialect != "gguf" and f.environment.model]
    kept: list[Fragment] = []
    warnings: list[ReportWarning] = []
    for fragment in fragments:
        model = fragment.environment.model if fragment.dialect == "gguf" else None
        found = next(_differences(model, stated), None) if model else None
        if found is None:
            kept.append(fragment)
            continue
        kept.append(replace(fragment, environment=Environment(), errors=()))
        warnings.append(
            ReportWarning(
                code="model-differs",
                message=f"the model file is another one than the log's ({found}) and was left out",
                at=fragment.environment.where.get("model"),
            )
        )
    return tuple(kept), tuple(warnings)


def _differences(model: ModelFile, stated: Iterable[ModelFile]) -> Iterator[str]:
    for other in stated:
        mine, its = model.architecture, other.architecture
        if mine and its and mine.casefold() != its.casefold():
            yield f"architecture {mine}, not {its}"
        mine, its = model.quantization, _stated_quantization(other)
        if mine and its and mine != its and {mine, its} <= _FILE_TYPES:
            yield f"quantization {mine}, not {its}"
        size, its_size = model.file_size, other.file_size
        if size is not None and its_size and size > its_size * _ROUNDED:
            yield f"{size:,} bytes, not {its_size:,}"
        count, its_count = model.tensor_count, other.tensor_count
        if count is not None and its_count is not None and count > its_count:
            yield f"{count:,} tensors, not {its_count:,}"


def _stated_quantization(model: ModelFile) -> str | None:
    """Return what the engine printed, else what the name of the file that it read says."""
    if model.quantization:
        return model.quantization.upper()
    return quantization_in(model.path) if model.path else None
