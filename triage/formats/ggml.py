"""ggml's failed checks, aborts and CUDA error blocks, as llama.cpp and its relatives print them.

What is odd about it: a CUDA error is a block of three lines, and only the second says where; a
ROCm build may call it a CUDA error all the same.
"""

from __future__ import annotations

import re
from dataclasses import replace

from triage.formats._base import Format, Item, Region, described_error, number, reading
from triage.model.crash import ErrorRecord, Fragment


def _read(region: Region) -> Fragment:
    errors: list[ErrorRecord] = []
    source = reading(region, "ggml")
    for item in source.items():
        if item.kind == "place":
            if errors and errors[-1].file is None:
                errors[-1] = replace(
                    errors[-1],
                    file=item.fields["place_file"],
                    line=number(item.fields["place_line"]),
                )
            continue
        errors.append(_error(item))
    return Fragment(dialect="ggml", errors=tuple(errors), claimed=frozenset(source.claimed))


def _error(item: Item) -> ErrorRecord:
    fields = item.fields
    if item.kind == "device_error":
        api = "cuda" if fields["device_api"] == "CUDA" else "hip"
        return described_error(api, fields["device_text"].strip(), item.at)
    prefix = {"check": "check", "old_check": "old", "abort": "abort"}[item.kind]
    is_check = item.kind != "abort"
    text = fields["old_check" if item.kind == "old_check" else prefix]
    return ErrorRecord(
        api="engine",
        name="GGML_ASSERT" if is_check else "ggml_abort",
        message=f"GGML_ASSERT({text}) failed" if is_check else text.strip(),
        file=fields[f"{prefix}_file"],
        line=number(fields[f"{prefix}_line"]),
        at=item.at,
    )


FORMAT = Format(
    name="ggml",
    title="ggml: llama.cpp, whisper.cpp, ollama's runner and their relatives",
    anchors=("GGML_ASSERT", ": fatal error", "current device: ", "CUDA error: ", "ROCm error: "),
    opens=re.compile(
        r"[^\n]{0,200}?(?:GGML_ASSERT[(:]|current device: -?\d|(?:CUDA|ROCm|MUSA|SYCL) error: [a-z]"
        r"|\.(?:c|cc|cpp|cu|cuh|m|mm|h|hpp):\d{1,9}: (?:fatal error|[^\n]{0,60}error|[a-z]))"
    ),
    read=_read,
    after=3,
    reach=4,
    yields_to=("openclaw", "gdb", "sanitizer", "process_end"),
)
