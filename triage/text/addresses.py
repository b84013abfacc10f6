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
_VERSION_BEFORE = re.compile(
    r"(?i)(?:version|\bver|driver|release|toolkit|runtime|build|cuda|cudnn|cublas|nccl|rocm|vulkan"
    r"|opencl|gcc|clang|firmware|kernel|nvidia)\W{0,4}\Z|[<>=]=\s?\Z"
)
_NETWORK_BEFORE = re.compile(
    r"(?i)(?://|@|\[|\b(?:host|from|to|peer|client|server|addr|address|ip|connect|connecting|remote"
    r"|listen|listening|on|at|endpoint)\W{1,4})\Z"
)
_PORT_AFTER = re.compile(r":\d{2,5}(?!\d)")
_LOOK_BACK = 32
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
    if _VERSION_BEFORE.search(before):
        return False
    # Versions start small: 8.9.7.29 is a library unless something says that it is a machine.
    small = first < 20
    after = _PORT_AFTER.match(match.string, match.end())
    return not small or bool(after) or bool(_NETWORK_BEFORE.search(before))


def _is_private(first: int, second: int) -> bool:
    return (
        first in (0, 10, 127)
        or first >= 224
        or (first == 100 and 64 <= second < 128)
        or (first == 169 and second == 254)
        or (first == 172 and 16 <= second < 32)
        or (first == 192 and second == 168)
    )
