"""Tells the addresses of people and machines from what only looks like one."""

from __future__ import annotations

import re

_UNITS = ("service", "socket", "target", "timer", "slice", "scope", "mount", "device")
_FILES = (
    "c",
    "cc",
    "cpp",
    "cu",
    "cuh",
    "h",
    "hpp",
    "py",
    "so",
    "go",
    "rs",
    "js",
    "ts",
    "log",
    "gguf",
)
_TOP_LEVEL = re.compile(r"[A-Za-z]{2,24}")
_VERSION_WORDS = frozenset((
    "version", "ver", "v", "release", "driver", "toolkit", "runtime", "build", "cuda", "cudnn",
    "cublas", "nccl", "rocm", "vulkan", "opencl", "gcc", "clang", "firmware", "kernel", "nvidia",
))  # fmt: skip
_NETWORK_WORDS = frozenset((
    "host", "from", "to", "peer", "client", "server", "addr", "address", "ip", "connect", "remote",
    "connecting", "connected", "listen", "listening", "on", "at", "endpoint",
))  # fmt: skip
_NOT_LETTERS = re.compile(r"[^a-z]+")
_PORT_AFTER = re.compile(r":\d{2,5}(?!\d)")
_LOOK_BACK = 24
_SMALL = 20
_SHARED_HOMES = ("/users/shared", "users\\public", "users\\default", "users/public")


def is_email(match: re.Match[str]) -> bool:
    """Tell whether a match is a person's address: no unit, symbol version or clone URL."""
    user, _, domain = match["secret"].partition("@")
    last = domain.rpartition(".")[2]
    is_machine = last.lower() in _UNITS or last.lower() in _FILES
    return user != "git" and not is_machine and bool(_TOP_LEVEL.fullmatch(last))


def is_home(match: re.Match[str]) -> bool:
    """Tell whether a match is a home folder: not a shared one, not a part of a web address."""
    if match["secret"].lower().endswith(_SHARED_HOMES):
        return False
    before = match.string[max(0, match.start() - 256) : match.start()]
    word = before.rsplit(maxsplit=1)[-1] if before and not before[-1].isspace() else ""
    return "://" not in word or "file://" in word


def is_public_ip(match: re.Match[str]) -> bool:
    """Tell whether a match is a machine on the Internet and not a version of four parts."""
    parts = match["secret"].split(".")
    if any((len(p) > 1 and p[0] == "0") or int(p) > 255 for p in parts):
        return False
    first, second = int(parts[0]), int(parts[1])
    if _is_private(first, second):
        return False
    before = match.string[max(0, match.start() - _LOOK_BACK) : match.start()]
    word = next((w for w in reversed(_NOT_LETTERS.split(before.lower())) if w), "")
    if word in _VERSION_WORDS or before.endswith(("==", ">=", "<=")):
        return False
    # Versions start small: 8.9.7.29 is a library unless something says that it is a machine.
    after = _PORT_AFTER.match(match.string, match.end())
    is_machine = bool(after) or word in _NETWORK_WORDS or before.endswith(("//", "@", "["))
    return first >= _SMALL or is_machine


def _is_private(first: int, second: int) -> bool:
    return (
        first in (0, 10, 127)
        or first >= 224
        or (first == 100 and 64 <= second < 128)
        or (first == 169 and second == 254)
        or (first == 172 and 16 <= second < 32)
        or (first == 192 and second == 168)
    )
