"""The last words of a process: those of shells, service managers, glibc, the C and C++ runtimes.

What is odd about it: an exit status above 128 is a signal only by the shell's convention, and
`Aborted` is what every failed check ends with, so that both say less than any other evidence; and
a process that is killed may be the one that was waiting for another's crash.
"""

from __future__ import annotations

import re
from dataclasses import replace

from triage.elf.signals import BY_WORDS, NUMBERS
from triage.formats._base import (
    Format,
    Item,
    Region,
    failed_assertion,
    named_signal,
    reading,
)
from triage.model.crash import ErrorRecord, Fragment, Signal
from triage.text.late import late

_WORDS = {words.lower(): name for words, name in BY_WORDS.items() if name != "SIGTERM"} | {
    "abort": "SIGABRT",
    "iot instruction": "SIGABRT",
    "illegal hardware instruction": "SIGILL",
    "trace trap": "SIGTRAP",
}
_LOCAL = {
    "SIGSEGV": (
        "Speicherzugriffsfehler",
        "Erreur de segmentation",
        "Violación de segmento",
        "Falha de segmentação",
        "Errore di segmentazione",
        "Ошибка сегментирования",
        "Naruszenie ochrony pamięci",
        "段错误",
        "段錯誤",
        "程序記憶體區段錯誤",
        "記憶體區段錯誤",
        "セグメンテーション違反",
        "세그멘테이션 오류",
        "세그먼테이션 오류",
    ),
    "SIGILL": (
        "Ungültiger Maschinenbefehl",
        "Instruction non permise",
        "Instrucción ilegal",
        "Instrução ilegal",
        "Istruzione non consentita",
        "Недопустимая инструкция",
        "非法指令",
        "不正な命令です",
    ),
    "SIGKILL": ("已杀死",),
    "SIGABRT": (
        "Abgebrochen",
        "Abandon",
        "Abortado",
        "Annullato",
        "Аварийный останов",
        "Przerwane",
        "已放弃",
        "已中止",
        "已终止",
        "中止",
        "중지됨",
    ),
}
_CTEST = {"SegFault": "SIGSEGV", "Illegal": "SIGILL", "Numerical": "SIGFPE", "Bus": "SIGBUS"}
_LOCAL_WORDS = {word: name for name, words in _LOCAL.items() for word in words}
_BY_NUMBER = {NUMBERS[name]: name for name in _WORDS.values()}
_SHELL, _LESS = 4, 5
"""Ranks of words, and of what says less: a status, and a kill, which comes from somewhere else."""

_WORD_FIELDS = ("words", "glued", "zsh_words", "sig_words")
# Some messages list what may have happened.
_GUESS = late(r"root cause|may be|might|possibl|for example|e\.g\.", re.IGNORECASE)


def _read(region: Region) -> Fragment:
    errors: list[ErrorRecord] = []
    signals: list[tuple[int, Signal]] = []
    source = reading(region, "process_end")
    for item in source.items():
        if ending := _ending(item):
            signals.append(ending)
        if item.kind == "what":
            if errors and errors[-1].api == "cxx" and errors[-1].message is None:
                errors[-1] = replace(errors[-1], message=item.fields["what"])
        elif error := _error(item):
            errors.append(error)
    rank, signal = min(signals, key=lambda found: found[0], default=(_SHELL, None))
    return Fragment(
        dialect="process_end",
        errors=tuple(errors),
        signal=signal,
        signal_rank=rank,
        claimed=frozenset(source.claimed),
    )


def _ending(item: Item) -> tuple[int, Signal] | None:
    """Return the signal that a line says ended a process, and how directly it says so."""
    name = _signal(item)
    if name is None:
        return None
    rank = _LESS if item.kind == "exit_status" or name == "SIGKILL" else _SHELL
    return rank, named_signal(name, item.at)


def _signal(item: Item) -> str | None:
    fields = item.fields
    if words := next((fields[key] for key in _WORD_FIELDS if key in fields), None):
        return _WORDS[words.lower()]
    name: str | None = None
    match item.kind:
        case "ctest":
            name = _CTEST.get(fields.get("ctest", ""), "SIGABRT")
        case "local_signal":
            name = _LOCAL_WORDS[fields["local_words"]]
        case "systemd":
            name = f"SIG{fields['systemd']}"
        case "oom_killed":
            name = "SIGKILL"
        case "signal_name" if not _GUESS.search(item.text):
            name = fields["sig_name"]
        case "signal_number":
            name = _BY_NUMBER.get(int(fields["sig_number"]))
        case "wait_status":
            name = _BY_NUMBER.get(int(fields["wait_status"]) & 0x7F)
        case "exit_status":
            status = int(fields["status"])
            name = _BY_NUMBER.get(-status if status < 0 else status - 128)
    return name


def _error(item: Item) -> ErrorRecord | None:
    fields = item.fields
    if item.kind == "terminate":
        return ErrorRecord(
            api="cxx",
            name=fields.get("exception"),
            message=fields.get("terminate_kind"),
            at=item.at,
        )
    if item.kind == "glibc":
        return ErrorRecord(api="libc", message=fields["glibc"], at=item.at)
    if item.kind == "oom_killed":
        words = next(fields[k] for k in fields if k.startswith("oom_"))
        message = "OOMKilled" if words in ("true", "OOMKilled") else words
        return ErrorRecord(api="oom-killer", name="OOMKilled", message=message, at=item.at)
    if item.kind in ("c_assert", "bsd_assert"):
        prefix = "assert" if item.kind == "c_assert" else "bsd"
        text = fields["assertion"] if prefix == "assert" else _unwrapped(fields["bsd_assertion"])
        return failed_assertion(text, fields[f"{prefix}_file"], fields[f"{prefix}_line"], item.at)
    return None


def _unwrapped(text: str) -> str:
    return text[1:-1] if text.startswith("(") and text.endswith(")") else text


FORMAT = Format(
    name="process_end",
    title="last words of shells, service managers, glibc and the C++ runtime",
    anchors=(
        "core dumped",
        "Segmentation fault",
        "segmentation fault",
        "terminate called",
        "what():  ",
        "double free or",
        "free(): ",
        "malloc(): ",
        "realloc(): ",
        "malloc_consolidate()",
        "munmap_chunk(): ",
        "corrupted ",
        "smashing detected",
        "overflow detected",
        "Assertion `",
        "Assertion '",
        "Assertion failed: ",
        "Bus error",
        "Illegal instruction",
        "Floating point exception",
        "Aborted",
        "Abort trap: ",
        "Trace/",
        "Bad system call",
        "Killed",
        "zsh: ",
        "] abort",
        " abort ",
        " killed ",
        "illegal hardware",
        " bus error",
        " trace trap",
        "SIGSEGV",
        "SIGABRT",
        "SIGBUS",
        "SIGILL",
        "SIGFPE",
        "SIGKILL",
        "SIGTRAP",
        "SIGSYS",
        "ignal: ",
        " signal ",
        "IGNAL: ",
        "code=dumped",
        "code=killed",
        "OOMKilled",
        "oom-kill",
        "oom_kill event",
        "exit status ",
        "exited with ",
        "Exited (",
        "xit code",
        "xit_code",
        "xit Code",
        "xit status",
        "xit Status",
        "xitCode",
        "xitcode",
        "EXIT CODE",
        "EXIT_CODE",
        "eturncode",
        "eturn code",
        " Error 1",
        "core proc(s): {",
        "***Exception",
        "unix_wait_status(",
        "IOT instruction",
        *_LOCAL_WORDS,
    ),
    # Alternatives are tried where a word begins or ends, which is a fraction of all places.
    opens=late(
        r"\A(?:"
        r"[^\n]{0,600}?\b(?:Abort(?:ed| trap)|Segmentation fault|Bus error|Illegal instruction"
        r"|Killed|Floating point exception|Trace/(?:breakpoint|BPT) trap|Bad system call"
        r"|terminate called|double free or|corrupted |smashing detected|overflow detected"
        r"|free\(\): |(?:munmap_chunk|realloc|malloc(?:_consolidate)?)\(\): "
        r"|Assertion (?:[`']|failed: )|zsh: (?:segm|abort|IOT|bus|illegal|killed|trace|float|bad)"
        r"|(?:[Ss]ignal|SIGNAL|was sent|[Kk]illed by|[Tt]erminated by|workers are)[^\n]{0,20}?"
        r"(?:SIG[A-Z]|\d|(?i:abort|segmentation|bus error|illegal|floating|killed))"
        r"|died with <Signals|exitcode[=:] ?-SIG|unix_wait_status\(|core proc\(s\): \{"
        r"|code=(?:dumped|killed), (?:status|signal)=|OOMKilled|oom[-_]kill"
        r"|(?:[Ee]xit(?:ed|ing)?(?: with)?(?: an?)?[-_ ]?(?:[Cc]ode|[Ss]tatus|value)"
        r"|EXIT[_ ]?(?:CODE|STATUS)|[Rr]eturn ?code|Exited|Error)"
        r"['\"]?(?: of)?(?: is)?['\"]?[ =:(]{1,14}-?\d)"
        r"|[^\n]{0,40}?\[\d{1,4}\] {1,6}(?:[-+] {1,4})?(?:\d{1,10} {1,2})?"
        r"(?:segmentation|abort|IOT|bus|illegal|killed|trace|floating|bad system)"
        r"|  what\(\):  |[^\n]{0,300}?\*\*\*Exception"
        rf"|[^\n]{{0,200}}?(?=[{''.join(sorted({word[0] for word in _LOCAL_WORDS}))}])"
        rf"(?:{'|'.join(_LOCAL_WORDS)})"
        r")"
    ),
    read=_read,
    after=2,
    reach=4,
    yields_to=("gdb", "openclaw", "windows_runtime"),
)
