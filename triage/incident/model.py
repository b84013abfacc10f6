"""Whether a model file that was given is the one that was run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from triage.model.crash import Environment, Fragment, ModelFile, ReportWarning


def without_other_models(
    fragments: Sequence[Fragment],
) -> tuple[tuple[Fragment, ...], tuple[ReportWarning, ...]]:
    """Return the fragments without what model files say that are not the one of the log.

    A file is another one where a fact of it contradicts what the engine printed. Engines word
    quantizations and count layers in their own ways, so neither contradicts; and a file may be one
    of several that make a model, so fewer tensors do not.
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
        count, its_count = model.tensor_count, other.tensor_count
        if count is not None and its_count is not None and count > its_count:
            yield f"{count:,} tensors, not {its_count:,}"
