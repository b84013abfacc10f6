"""What docker and the NVIDIA container toolkit say when a container gets no GPU."""

from __future__ import annotations

import re

from triage.formats._base import Format, Region, reading
from triage.model.crash import Environment, ErrorRecord, Fragment


def _read(region: Region) -> Fragment:
    errors: list[ErrorRecord] = []
    container: str | None = None
    source = reading(region, "container")
    for item in source.items():
        kind, at, fields = item.kind, item.at, item.fields
        if kind == "device_node":
            message, name = item.text.strip(), fields["node"]
        else:
            message, name = fields.get("select") or fields["nvml"], None
        if kind == "select_driver" or "nvidia-container-cli" in message:
            container = "docker"
        api = "docker" if kind == "select_driver" or container else "nvml"
        errors.append(ErrorRecord(api="device" if name else api, name=name, message=message, at=at))
    return Fragment(
        dialect="container",
        errors=tuple(errors),
        environment=Environment(container=container),
        claimed=frozenset(source.claimed),
    )


FORMAT = Format(
    name="container",
    title="docker and NVIDIA container toolkit errors",
    anchors=(
        "could not select device driver",
        "initialize NVML",
        "nvidia-container-cli",
        "/dev/nvidia",
    ),
    opens=re.compile(
        r"[^\n]{0,400}?(?:could not select device driver|initialize NVML|nvidia-container-cli: "
        r"|/dev/nvidia\w{0,20}[^\n]{0,20}?(?:could not|not found|cannot|: No such))"
    ),
    read=_read,
)
