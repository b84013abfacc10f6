"""What the letters of the Itanium C++ ABI stand for."""

BUILTIN = {
    "v": "void",
    "w": "wchar_t",
    "b": "bool",
    "c": "char",
    "a": "signed char",
    "h": "unsigned char",
    "s": "short",
    "t": "unsigned short",
    "i": "int",
    "j": "unsigned int",
    "l": "long",
    "m": "unsigned long",
    "x": "long long",
    "y": "unsigned long long",
    "n": "__int128",
    "o": "unsigned __int128",
    "f": "float",
    "d": "double",
    "e": "long double",
    "g": "__float128",
    "z": "...",
}
_UNARY = {"ps": "+", "ng": "-", "ad": "&", "de": "*", "co": "~", "nt": "!", "pp": "++", "mm": "--"}
# fmt: off
_BINARY = {
    "pl": "+", "mi": "-", "ml": "*", "dv": "/", "rm": "%", "an": "&", "or": "|",
    "eo": "^", "aS": "=", "pL": "+=", "mI": "-=", "mL": "*=", "dV": "/=", "rM": "%=",
    "aN": "&=", "oR": "|=", "eO": "^=", "ls": "<<", "rs": ">>", "lS": "<<=", "rS": ">>=",
    "eq": "==", "ne": "!=", "lt": "<", "gt": ">", "le": "<=", "ge": ">=", "ss": "<=>",
    "aa": "&&", "oo": "||", "cm": ",", "pm": "->*", "pt": "->", "cl": "()", "ix": "[]",
}
# fmt: on
_WORDS = {
    "nw": " new",
    "na": " new",
    "dl": " delete",
    "da": " delete",
    "aw": " co_await",
    "qu": "?",
}
OPERATORS = _UNARY | _BINARY | _WORDS
OF_TYPE = frozenset(("ti", "st", "at"))
OF_ONE = frozenset((*_UNARY, "te", "sz", "sZ", "az", "nx", "sp", "tw", "dl", "da"))
OF_TWO = frozenset(_BINARY) - {"cl", "pt"} | {"ds", "di"}
CASTS = frozenset(("dc", "sc", "cc", "rc"))
STD = {
    "a": "allocator",
    "b": "basic_string",
    "s": "basic_string",
    "i": "basic_istream",
    "o": "basic_ostream",
    "d": "basic_iostream",
}
