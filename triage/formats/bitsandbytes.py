"""Errors of CUDA calls in the words of bitsandbytes."""

from __future__ import annotations

from dataclasses import replace

from triage.formats._base import Format, Region, described_error, number, reading
from triage.model.crash import Fragment
from triage.text.late import late


def _read(region: Region) -> Fragment:
    source = reading(region, "bitsandbytes")
    errors = tuple(
        replace(
            described_error("cuda", item.fields["text"], item.at),
            file=item.fields["file"],
            line=number(item.fields["line"]),
        )
        for item in source.items()
    )
    return Fragment(dialect="bitsandbytes", errors=errors, claimed=frozenset(source.claimed))


FORMAT = Format(
    name="bitsandbytes",
    title="bitsandbytes",
    anchors=(" in file ",),
    opens=late(
        r"Error (?:\d{1,5}: )?[a-z][a-z -]{3,120} at line \d{1,9} in file [^\s]{1,1000}"
        r"\.(?:cu|cuh|cpp|h|hip|cc)"
    ),
    read=_read,
)
