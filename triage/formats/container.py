"""What docker, the NVIDIA container toolkit and Kubernetes say when a container gets no GPU."""

from __future__ import annotations

from triage.formats._base import Format, Region, reading
from triage.model.crash import Environment, ErrorRecord, Fragment
from triage.text.late import late


def _read(region: Region) -> Fragment:
    errors: list[ErrorRecord] = []
    container: str | None = None
    source = reading(region, "container")
    for item in source.items():
        kind, at, fields = item.kind, item.at, item.fields
        if kind == "device_node":
            api, name, message = "device", fields["node"], item.text.strip()
        elif kind == "kubernetes":
            api, name, message = "kubernetes", None, fields["kubernetes"].strip()
            container = container or "kubernetes"
        else:
            name = None
            message = (fields.get("select") or fields.get("runtime") or fields["nvml"]).strip()
            if kind != "nvml" or "nvidia-container-cli" in message:
                container = container or "docker"
            api = "docker" if kind != "nvml" or container == "docker" else "nvml"
        errors.append(ErrorRecord(api=api, name=name, message=message, at=at))
    return Fragment(
        dialect="container",
        errors=tuple(errors),
        environment=Environment(container=container),
        claimed=frozenset(source.claimed),
    )


FORMAT = Format(
    name="container",
    title="docker, NVIDIA container toolkit and Kubernetes errors",
    anchors=(
        "could not select device driver",
        "NVML",
        "nvidia-container-",
        "/dev/nvidia",
        "NVIDIA-SMI has failed",
        "Unable to determine the device handle",
        "runtime name: nvidia",
        "runtime specified nvidia",
        "CDI devices ",
        "vendor from CDI",
        "nvidia.com/",
        "amd.com/",
        "Incompatible ",
    ),
    opens=late(
        r"[^\n]{0,400}?(?<!\w)(?:could not select device driver|nvidia-container-cli: "
        r"|initializ(?:e|ing) NVML|load(?:ing)? NVML(?: library)?: |NVIDIA-SMI has failed because "
        r"|Unable to determine the device handle for "
        r"|runtime (?:name: |specified )nvidia|unresolvable CDI devices "
        r"|discover GPU vendor from CDI"
        r"|nvidia-container-runtime[\w-]{0,20}\W{1,6}executable file not found"
        r"|Insufficient (?:nvidia|amd)\.com/|devices unavailable for (?:nvidia|amd)\.com/"
        r"|unhealthy devices (?:nvidia|amd)\.com/|Incompatible (?:platform|strategy) detected"
        r"|/dev/nvidia\w{0,20}[^\n]{0,20}?(?:could not|not found|cannot|: No such))"
    ),
    read=_read,
)
