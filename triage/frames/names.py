"""Function names in the forms that people write rules about.

Debuggers, sanitizers, demanglers and kernels print one function in many ways; its plain name is the
same for all of them. Every form is made in time linear in the length of the text.
"""

from __future__ import annotations

import re
from functools import lru_cache

from triage.frames.demangle import demangle
from triage.text.late import late

_BARE = late(r"(?!_{1,4}[ZR]|__device|__wrapper|__nv_)[A-Za-z_]\w*")
_QUALIFIED = late(r"[A-Za-z_]\w*(?:::~?[A-Za-z_]\w*)+")
_UNUSUAL = late(r"(?<!\w)(?:_GLOBAL__N|_INTERNAL_|__(?:\d|ndk1|Cr)::|h[0-9a-f]{16}$)|__devi")
# Words that mean nothing to C++: MSVC's mangling, Swift's, Objective-C's methods.
_WHOLE = late(r"\?\??[\w$]|_?\$[sS]\d|(?:_{1,4}\d{1,4})?[-+]\[")

# What stands before a name: a module, a linkage table's entry, an entry point's dot.
_BEFORE = late(
    r"[\w.+-]{1,80}!(?!operator)(?=[\w~?`<])|[\w.+-]{1,80}`(?=[\w~])(?!.*')"
    r"|[0-9a-f]{8}\.plt_call\.|\.(?=[A-Za-z_])(?!omp)"
)
# What linkers, printers and compilers set behind it.
_BEHIND = late(
    r"(?:@@?[A-Z][\w.]{1,40}|@(?:got\.?)?plt|::h[0-9a-f]{16}|-fm"
    r"|\+(?:0x[0-9a-f]{1,16}|\d{1,9})(?:/0x[0-9a-f]{1,16})?)$"
)
_TAIL = 64
_STDCALL = late(r"[_@]?(\w{1,500})@{1,2}\d{1,4}")
_CLONE = late(
    r" {0,4}\[clone [^\]]{1,200}\]|\[abi:\w{1,40}\]|(?<=\w)\[[0-9a-f]{8,16}\](?=::)"
    r"|(?:\.(?:cold|part|constprop|isra|lto_priv|llvm|__uniq|localalias|cfi|cfi_jt|resume|destroy"
    r"|cleanup|actor|warm|_?omp_fn|omp_outlined)(?:\.?\d{1,40})?){1,8}(?=[(\s@\[+]|$)"
)
# What nvcc makes of a name: a function inside a kernel, a kernel's host side, a renamed static.
_INSIDE = late(r"\$[\w$.]{1,1000}\$(?=[A-Za-z_])")
_STUB = late(r"(?:__wrapper)?__device_stub_(?:_(?!Z))?|__nv_static_\d{1,4}__\w{0,300}?(?=_Z)")
_MANGLED = late(r"(?:_{1,4}Z|_{1,2}R)[\w$.]+")

# Parts that have no name, in every printer's words.
_WORDS = late(
    r"(?P<anonymous>\(anonymous (?:namespace|class|struct|union)\)|`anonymous[- ]namespace'"
    r"|(?<!\w)<unnamed(?:-\w{1,8}-\w{0,80}| \w{1,20})?>|(?<!\w)_GLOBAL__N_\w*)"
    r"|\{(?P<unnamed>unnamed) type(?=#)|\{(?P<default>default) arg(?=#)"
    r"|'(?P<llvm>lambda|unnamed)(?P<place>\d{0,9})'"
    r"|(?:(?<=\.)|^)<(?P<word>module|lambda|listcomp|dictcomp|setcomp|genexpr|locals|init|clinit)>"
    r"(?=[.(]|$)"
    r"|(?<![\w>])<(?P<lambda>lambda)(?=[(_>])"
    r"|(?:(?<=::)|^)(?P<clang>\$_\d+)"
    r"|(?<!\w)(?P<internal>_INTERNAL_\w{1,300}::)"
    r"|(?<=std::)(?P<inline>__(?:\d|ndk1|Cr)::)"
    r"|(?<=\w)\.\((?P<go>\*?[\w.]{1,200})(?:\[[^\]\s]{0,200}\])?\)(?=\.)"
    r"|(?P<quoted>`[^`']{1,200}')"
)
_MARKS = ("(anon", "`", "<unn", "_GLOBAL", "{unn", "{def", "'", "<la", "$_", "_INTERN", "::__", ".")
_TOKEN = late(
    r"[<>(){}\[\]]|->|::<"
    r"|(?<!\w)operator(?!\w)\s*(?:\(\)|\[\]|<=>|->\*?|<<=?|>>=?|&&|\|\||\+\+|--|[-+*/%^&|!=<>]="
    r"|[-+*/%^&|~!=<>,?]|\"\"\s*\w+|new|delete|\w+)"
)
_INNERMOST = late(r"<[^<>()]*>|\((?:[^<>()*&][^<>()]*)?\)")
_ROUNDS = 12
_BRACKET = late(r"[<>()\[\]]")
_CLOSES = {">": "<", ")": "(", "]": "["}
_SPACE_BEFORE_SIGN = late(r" +(?=\W)")
_OF_TRAIT = late(r"<([^<>]{1,500}?) as ([^<>]{1,500})>(::.*)")
_QUALIFIED_SCOPE = late(r"(?: (?:const|volatile|&&?)){1,4}(?=::)")
_QUALIFIERS = (" const", " volatile", " noexcept", " &", " &&")

# Signs that belong to a name, while brackets and spaces are taken out of the text.
_KEPT = str.maketrans(" <>()[]", "\0\1\2\3\4\5\6")
_AGAIN = str.maketrans("\0\1\2\3\4\5\6", " <>()[]")


@lru_cache(maxsize=8192)
def plain_name(function: str) -> str:
    """Return a function's qualified name without templates, arguments, clones or return type.

    `void llm::engine::remap<long>(int) [clone .cold]` becomes `llm::engine::remap`, and so does
    the symbol that it is mangled to.
    """
    if _BARE.fullmatch(function):
        return function
    if _QUALIFIED.fullmatch(function) and not _UNUSUAL.search(function):
        return function
    text = function.strip()
    if not text.isprintable():
        text = text.translate(_AGAIN)
    if _WHOLE.match(text):
        return text
    text = _demangled(text).partition(" [with ")[0]
    if any(mark in text for mark in _MARKS) or text.startswith("<"):
        text = _WORDS.sub(_named, text)
    text = _outline(text).strip()
    if " " in text:
        text = _QUALIFIED_SCOPE.sub("", text)
    while text.endswith(_QUALIFIERS):
        text = text.rpartition(" ")[0].rstrip()
    # A return type stands before the name, parted by a space that is outside all brackets.
    name = text.rsplit(" ", 1)[-1]
    if not name.isprintable():
        name = name.translate(_AGAIN)
    return name.removeprefix("*").removeprefix("&")


def base_name(function: str) -> str:
    """Return the last part of a function's qualified name."""
    return plain_name(function).rsplit("::", 1)[-1]


@lru_cache(maxsize=8192)
def name_forms(function: str) -> tuple[str, ...]:
    """Return the forms of a function's name that a pattern may be written for."""
    return tuple(dict.fromkeys((*full_forms(function), base_name(function))))


def full_forms(function: str) -> tuple[str, ...]:
    """Return a function's name as printed, plain, and as a method of each that it belongs to.

    Rust's `<A as B>::f` is a method of the type and of the trait.
    """
    plain = plain_name(function)
    match = _OF_TRAIT.match(plain)
    if match is None:
        return (function,) if plain == function else (function, plain)
    return function, plain, match[1] + match[3], match[2] + match[3]


def file_name(path: str) -> str:
    """Return the last part of a path with either kind of separator."""
    return path.rpartition("/")[2].rpartition("\\")[2]


def _demangled(text: str) -> str:
    """Return the name that a symbol stands for, without what was added; a name as it is."""
    for _ in range(3):  # a kernel's host side holds the symbol of the kernel
        bare = _undecorated(text)
        match = _MANGLED.match(bare)
        text = (match and demangle(match.group())) or bare
        if text == bare:
            break
    return text


def _undecorated(text: str) -> str:
    """Return a name without what modules, linkers and compilers add to it."""
    for pattern in (_BEFORE, _INSIDE, _STUB):
        match = pattern.match(text)
        if match:
            text = text[match.end() :]
    if text[-1:].isalnum():
        text = text[:-_TAIL] + _BEHIND.sub("", text[-_TAIL:])
    if "." in text or "[" in text:
        text = _CLONE.sub("", text)
    match = _STDCALL.fullmatch(text)
    return match[1] if match else text


def _named(match: re.Match[str]) -> str:
    kind, text = match.lastgroup, match.group()
    if kind in ("internal", "inline"):
        return ""
    if kind == "place":
        number = int(match["place"]) + 2 if match["place"] else 1
        return f"{{{match['llvm']}#{number}}}"
    if kind == "go":
        return f".({match['go']})".translate(_KEPT)
    if kind in ("word", "quoted"):
        return text.translate(_KEPT)
    return _NAMED[kind or ""]


_NAMED = {
    "anonymous": "{anonymous}",
    "unnamed": "{unnamed",
    "default": "{default",
    "lambda": "{lambda}<",  # what follows is in brackets
    "clang": "{lambda}",
}


def _outline(text: str) -> str:
    """Return what stands outside all brackets; of what follows an operator, the names alone."""
    rust = text.startswith("<") and ">::" in text
    if not rust and "operator" not in text and "->" not in text and "::<" not in text:
        for _ in range(_ROUNDS):  # the quick way, for names that are balanced and not deep
            text, count = _INNERMOST.subn("", text)
            if not count:
                break
        if not _BRACKET.search(text):
            return text
    walk = _Outline(rust=rust)
    at = 0
    for token in _TOKEN.finditer(text):
        walk.piece(text[at : token.start()])
        at = token.end()
        walk.token(token.group(), text, token)
    walk.piece(text[at:])
    return "".join(walk.kept)


class _Outline:
    """One walk over a text, bracket by bracket.

    Rust's `<A as B>::f` and `<impl B for A>::f` are brackets that belong to the name.
    """

    def __init__(self, *, rust: bool) -> None:
        self.kept: list[str] = []
        self.rust = rust
        self._open: list[str] = []
        self._round = 0
        self._paths: list[int] = []  # where in `kept` the paths that are open begin
        self._plain_path: list[bool] = []
        self._behind_operator = False

    def piece(self, text: str) -> None:
        if self._open or not text:
            return
        if self._behind_operator:
            at = text.find("::")
            if at < 0:
                return
            self._behind_operator, text = False, text[at:]
        if self._paths:
            if " as " in text:
                self._plain_path[-1] = False
            text = text.translate(_KEPT)
        self.kept.append(text)

    def token(self, sign: str, text: str, match: re.Match[str]) -> None:
        if sign in ("{", "}", "->") or (self._paths and not self._open and sign in "()[]"):
            self.piece(sign)
        elif sign in ("<", "(", "[", "::<"):
            self._opened(sign, text, match)
        elif sign in _CLOSES:
            self._closed(sign)
        elif not self._open:
            self.kept.append(_SPACE_BEFORE_SIGN.sub("", sign).translate(_KEPT))
            self._behind_operator = True

    def _opened(self, sign: str, text: str, match: re.Match[str]) -> None:
        if not self._open:
            impl = sign == "::<" and text.startswith("impl ", match.end())
            before = text[match.start() - 1] if match.start() else "<"
            if impl or (sign == "<" and self.rust and before in "<&( "):
                self._paths.append(len(self.kept) + impl)
                self._plain_path.append(not impl)
                self.kept += ("::", "\1") if impl else ("\1",)
                return
            if sign == "(" and before == " " and text[match.end() : match.end() + 1] in ("*", "&"):
                return  # `void (*name(int))(char)`: a function that returns a pointer to one
        self._open.append(sign[-1])
        self._round += sign == "("

    def _closed(self, sign: str) -> None:
        opener = _CLOSES[sign]
        if not self._open:
            if sign == ">" and self._paths:
                at = self._paths.pop()
                if self._plain_path.pop():
                    self.kept[at] = ""
                else:
                    self.kept.append("\2")
        elif opener == self._open[-1]:
            self._open.pop()
            self._round -= opener == "("
        elif opener == "(" and self._round:
            while self._open.pop() != "(":
                pass
            self._round -= 1
