"""How secrets and personal data look in what a crash left behind.

Every pattern is anchored at a literal, takes what it takes for good (`*+`) and repeats nothing that
repeats: its time grows with the text and no faster. What a pattern finds is checked once more by
plain code, for crashes are full of tokens, keys and four-part numbers that are nobody's secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from triage.text.addresses import is_email, is_home, is_public_ip


class Context(Enum):
    """Whose words a string is: a crash's, a version that it states, or our own signatures'."""

    CRASH = "crash"
    VERSION = "version"
    OURS = "ours"


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of secret.

    A string without any of `needles` (lower case) is not searched. The group `secret` of `pattern`
    is replaced where `real` agrees. What a `named` rule finds is looked for elsewhere, too.
    """

    kind: str
    needles: tuple[str, ...]
    pattern: re.Pattern[str]
    real: Callable[[re.Match[str]], bool]
    named: bool = False
    contexts: frozenset[Context] = frozenset(Context)


# Atomic groups, not possessive ones: Python 3.11.2 lets `(?:…)*+` take too much.
_QUOTED = r"\"(?>(?:[^\"\\]|\\.)*)\"?|'(?>(?:[^'\\]|\\.)*)'?"
_NAME = (
    r"(?:token|secret|password|passwd|passphrase|credentials?"
    r"|(?:api|access|private|secret)[_-]?key)(?:_id|_value|_base)?"
)
_CRASH_ONLY = frozenset((Context.CRASH,))
_NOT_VERSION = frozenset((Context.CRASH, Context.OURS))
_NO_SECRET = frozenset(
    ("true", "false", "none", "null", "unset", "yes", "no", "required", "missing", "invalid", "not")
)
_DIGIT = re.compile(r"\d")
_NUMBER = re.compile(r"[-+]?[\d.]+|@?0x[0-9a-fA-F]+")
_SECRET_NAME = re.compile(
    r"(?i)(?:^|[_-])(?:token|secret|password|passwd|pass|passphrase|credentials?|apikey|key|auth)"
    r"(?:$|[_-])"
)


def is_secret_name(name: str) -> bool:
    """Tell whether a variable or an option of this name holds a secret."""
    return bool(_SECRET_NAME.search(name))


def is_secret(value: str, *, password: bool) -> bool:
    """Tell whether the value of something called a secret can be one: no number, path or word."""
    bare = unquote(value)
    if not bare or bare[0] in "<$*" or bare.lower() in _NO_SECRET:
        return False
    if password:
        return True
    is_path = bare[0] in "/~." and "/" in bare[1:]
    return len(bare) >= 6 and not is_path and not _NUMBER.fullmatch(bare)


def unquote(value: str) -> str:
    """Return a value without the quotes around it."""
    if value[:1] not in ("'", '"'):
        return value
    return value[1:-1] if len(value) > 1 and value[-1] == value[0] else value[1:]


def worth_finding(kind: str, value: str) -> bool:
    """Tell whether a value is so peculiar that it can be looked for in every text."""
    if kind == "prompt":
        return 12 <= len(value) <= 4096 and " " in value
    return 8 <= len(value) <= 4096 and (len(value) >= 16 or bool(_DIGIT.search(value)))


def _always(_match: re.Match[str]) -> bool:
    return True


def _has_digit(match: re.Match[str]) -> bool:
    return bool(_DIGIT.search(match["secret"]))


def _is_named_secret(match: re.Match[str]) -> bool:
    name, value = match["name"].lower(), match["secret"]
    if not is_secret(value, password=name.startswith("pass")):
        return False
    # A language model's own tokens are everywhere: one that is secret is long and has a digit.
    return name != "token" or (len(unquote(value)) >= 8 and _has_digit(match))


def _is_prompt(match: re.Match[str]) -> bool:
    return not unquote(match["secret"]).startswith("<prompt:")


def _token(kind: str, needles: tuple[str, ...], pattern: str) -> Rule:
    bounded = re.compile(rf"(?<![A-Za-z0-9_-])(?P<secret>{pattern})")
    return Rule(kind, needles, bounded, _has_digit)


def _prompt(needle: str, pattern: str) -> Rule:
    return Rule("prompt", (needle,), re.compile(pattern), _is_prompt, True, _CRASH_ONLY)


RULES = (
    Rule(
        "url-credentials",
        ("://",),
        re.compile(r"://(?P<secret>[^\s/@:\"'<>]{0,128}+:[^\s/@\"'<>]{1,256}+)@"),
        _always,
    ),
    _token("hf-token", ("hf_", "api_org_"), r"(?:hf|api_org)_[A-Za-z0-9]{30,}+"),
    _token("anthropic-key", ("sk-ant-",), r"sk-ant-[A-Za-z0-9_-]{20,}+"),
    _token("openai-key", ("sk-",), r"sk-[A-Za-z0-9_-]{20,}+"),
    _token("nvidia-key", ("nvapi-",), r"nvapi-[A-Za-z0-9_-]{40,}+"),
    _token("github-token", ("gh",), r"gh[pousr]_[A-Za-z0-9]{36,}+"),
    _token("github-token", ("github_pat_",), r"github_pat_[A-Za-z0-9_]{22,}+"),
    _token("aws-key", ("akia", "asia"), r"(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])"),
    _token("jwt", ("eyj",), r"eyJ[A-Za-z0-9_-]{8,}+\.[A-Za-z0-9_-]{8,}+(?:\.[A-Za-z0-9_-]*+)?"),
    Rule(
        "bearer-token",
        ("bearer", "basic"),
        re.compile(r"(?i)\b(?:bearer|basic)\s{1,4}(?P<secret>[A-Za-z0-9._~+/=-]{8,}+)"),
        lambda m: _has_digit(m) or m["secret"].endswith("="),
    ),
    Rule(
        "secret",
        ("token", "secret", "passw", "passphrase", "credential", "key"),
        re.compile(
            rf"(?i)(?P<name>{_NAME})[\"']?\s{{0,2}}(?:=|:(?!:))\s{{0,2}}"
            rf"(?P<secret>{_QUOTED}|[^\s\"'`,;&|<>()]++)"
        ),
        _is_named_secret,
        named=True,
        contexts=_CRASH_ONLY,
    ),
    Rule(
        "secret",
        ("--",),
        re.compile(
            rf"(?i)(?<![\w-])--(?=[a-z])[a-z0-9-]{{0,40}}?(?P<name>{_NAME})\s{{1,4}}"
            rf"(?P<secret>{_QUOTED}|[^\s\"'`,;&|<>()-][^\s\"'`,;&|<>()]*+)"
        ),
        _is_named_secret,
        named=True,
        contexts=_CRASH_ONLY,
    ),
    _prompt(
        "prompt",
        r"(?<![\w-])--(?:system-|negative-)?prompt(?:=|\s{1,4})"
        rf"(?P<secret>{_QUOTED}|[^\s\"'-](?>(?:(?!\s-)[^\n])*))",
    ),
    _prompt("-p", rf"(?<![\w-])-p\s{{1,4}}(?P<secret>{_QUOTED})"),
    _prompt(
        "prompt",
        rf"(?<![\w-])[\"']?(?:\w{{1,16}}_)?prompt[\"']?\s{{0,3}}[:=]\s{{0,3}}(?P<secret>{_QUOTED})",
    ),
    _prompt(
        "content", rf"(?<![\w-])[\"']?content[\"']?\s{{0,3}}[:=]\s{{0,3}}(?P<secret>{_QUOTED})"
    ),
    _prompt("prompt_token_ids", r"prompt_token_ids\W{1,4}\[(?P<secret>\d[\d,\s]*+)"),
    Rule(
        "email",
        ("@",),
        re.compile(
            r"(?<![A-Za-z0-9._%+-])(?P<secret>[A-Za-z0-9._%+-]{1,64}+@"
            r"[A-Za-z0-9-]{1,63}+(?>(?:\.[A-Za-z0-9-]{1,63}+){1,8}))(?![A-Za-z0-9_@-])"
        ),
        is_email,
    ),
    Rule(
        "home-path",
        ("/home/", "/users/"),
        re.compile(r"(?P<secret>/(?:home|Users)/[^/\s:;,\"'`<>|()\[\]{}*?$\\]{1,64}+)"),
        is_home,
    ),
    Rule(
        "home-path",
        ("users",),
        re.compile(
            r"(?i)(?<![a-z])(?P<secret>[a-z]:[\\/]{1,2}users[\\/]{1,2}"
            r"(?:[^\\/:*?\"<>|\r\n]{1,64}+(?=[\\/])|[^\\/:*?\"<>|\s]{1,64}+))"
        ),
        is_home,
    ),
    Rule(
        "ip-address",
        (".",),
        re.compile(
            r"(?<![\w.+~^-])(?P<secret>\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3})(?![\w+~^-]|\.\d)"
        ),
        is_public_ip,
        contexts=_NOT_VERSION,
    ),
)
