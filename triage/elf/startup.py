"""Arguments and environment of a process, from the top of its main stack.

At the start of a process the kernel lays out, upwards: the count of arguments, their addresses,
zero, the addresses of the environment's strings, zero, the auxiliary vector. A core dump repeats
that vector in a note, so its bytes are looked up in the stack and the rest is read backwards.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from triage.elf.facts import Startup
from triage.elf.memory import Memory

MAX_ARGUMENTS: Final = 4096
MAX_VARIABLES: Final = 512
MAX_VALUE: Final = 4096
_MAX_POINTERS: Final = 65_536
# The kernel allows a quarter of the stack limit, at most 6 MiB, for all the strings.
_WINDOWS: Final = (256 << 10, 8 << 20)

KEPT_PREFIXES: Final = (
    "CLAW_",
    "CUDA_",
    "GGML_",
    "HIP_",
    "HSA_",
    "LLAMA_",
    "NCCL_",
    "NVIDIA_",
    "OLLAMA_",
    "OMP_",
    "PYTORCH_",
    "ROCR_",
    "TORCH_",
    "VLLM_",
)
KEPT_NAMES: Final = frozenset({"LD_LIBRARY_PATH", "LD_PRELOAD"})


def read_startup(memory: Memory, auxiliary: bytes, stack_address: int) -> Startup:
    """Read arguments and environment; `stack_address` is any address near the stack's top."""
    pointers = _pointers(memory, auxiliary, stack_address)
    if pointers is None:
        return Startup()
    words = reversed(pointers)
    variables = _until_zero(words)
    arguments = _until_count(words)
    if variables is None or arguments is None:
        return Startup()
    variables.reverse()
    arguments.reverse()
    return _startup(memory, arguments, variables)


def is_kept(name: str) -> bool:
    """Tell whether a variable's value may be kept: the others could be secrets."""
    return name in KEPT_NAMES or name.startswith(KEPT_PREFIXES)


def _pointers(memory: Memory, auxiliary: bytes, stack_address: int) -> tuple[int, ...] | None:
    segment = memory.segment_at(stack_address)
    vector = _vector_bytes(auxiliary)
    if segment is None or not vector:
        return None
    for window in _WINDOWS:
        start = max(segment.address, segment.address + segment.file_size - window)
        data = memory.read(start, window)
        at = data.rfind(vector)
        if at >= 0:
            head = data[at % 8 : at][-8 * _MAX_POINTERS :]
            return struct.unpack(f"<{len(head) // 8}Q", head)
    return None


def _vector_bytes(auxiliary: bytes) -> bytes:
    """Return the vector up to and with its end mark; the note pads it with zeros."""
    for at in range(0, len(auxiliary) - 15, 16):
        if auxiliary[at : at + 8] == bytes(8):
            return auxiliary[: at + 16] if at else b""
    return b""


def _until_zero(words: Iterator[int]) -> list[int] | None:
    if next(words, None) != 0:
        return None
    found: list[int] = []
    for word in words:
        if word == 0:
            return found
        found.append(word)
    return None


def _until_count(words: Iterator[int]) -> list[int] | None:
    """Read the arguments' addresses back to the word that tells how many there are."""
    found: list[int] = []
    for word in words:
        if word == len(found):
            return found
        found.append(word)
    return None


def _startup(memory: Memory, arguments: list[int], variables: list[int]) -> Startup:
    texts = [memory.text(address, MAX_VALUE) for address in arguments[:MAX_ARGUMENTS]]
    known = [t for t in texts if t is not None]
    pairs, complete = _variables(memory, variables)
    return Startup(
        arguments=tuple(known) if len(known) == len(texts) else None,
        variables={name: value for name, value in pairs.items() if is_kept(name)},
        names=frozenset(pairs),
        environment_read=complete,
        container=_container(pairs),
    )


def _variables(memory: Memory, addresses: list[int]) -> tuple[dict[str, str], bool]:
    complete = len(addresses) <= MAX_VARIABLES
    pairs: dict[str, str] = {}
    for address in addresses[:MAX_VARIABLES]:
        text = memory.text(address, MAX_VALUE)
        if text is None:
            complete = False
            continue
        name, equals, value = text.partition("=")
        # A program that shows its state in the process list overwrites its own environment.
        if not equals or not name:
            complete = False
            continue
        pairs.setdefault(name, value)
    return pairs, complete


def _container(pairs: dict[str, str]) -> str | None:
    if "KUBERNETES_SERVICE_HOST" in pairs:
        return "kubernetes"
    return pairs.get("container") or None
