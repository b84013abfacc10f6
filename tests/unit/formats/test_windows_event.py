"""Records of crashes in several languages and forms."""

from __future__ import annotations

import textwrap

import pytest

from triage.formats.windows_event import FORMAT
from triage.model.crash import Crash
from triage.read import ReadOptions, read_text

TEXTS = {
    "English": """
        Faulting application name: engine.exe, version: 1.2.3.4, time stamp: 0x6841977c
        Faulting module name: engine-cuda.dll, version: 0.0.0.0, time stamp: 0x68baa4b4
        Exception code: 0xc0000005
        Fault offset: 0x00000000000015d3
        Faulting process id: 0x1908
        """,
    "Chinese": """
        错误应用程序名称: engine.exe\uff0c版本: 1.2.3.4\uff0c时间戳: 0x6841977c
        错误模块名称: engine-cuda.dll\uff0c版本: 10.0.22621.1\uff0c时间戳: 0x68baa4b4
        异常代码: 0xc0000005
        错误偏移量: 0x00000000000015d3
        错误进程 ID: 0x1908
        """,
    "French": """
        Nom de l\u2019application défaillante engine.exe, version : 1.2.3.4, horodatage : 0x6841977c
        Nom du module défaillant : engine-cuda.dll, version : 10.0.1.2, horodatage : 0x68baa4b4
        Code d\u2019exception : 0xc0000005
        Décalage d\u2019erreur : 0x00000000000015d3
        """,
    "German, in one line": (
        "Name der fehlerhaften Anwendung: engine.exe, Version: 1.2.3.4, Zeitstempel: 0x6841977c "
        "Name des fehlerhaften Moduls: engine-cuda.dll, Version: 0.0.0.0, Zeitstempel: 0x68baa4b4 "
        "Ausnahmecode: 0xc0000005 Fehleroffset: 0x00000000000015d3 ID: 0x1908"
    ),
    "Japanese": """
        アプリケーション名: engine.exe\u3001バージョン: 1.2.3.4\u3001タイム スタンプ: 0x6841977c
        モジュール名: engine-cuda.dll\u3001バージョン: 1.2.3.4\u3001タイム スタンプ: 0x6841977c
        例外コード: 0xc0000005
        障害オフセット: 0x00000000000015d3
        """,
    "error reporting": """
        Problem signature:
          Problem Event Name:\tAPPCRASH
          Application Name:\tengine.exe
          Fault Module Name:\tengine-cuda.dll
          Exception Code:\tc0000005
          Exception Offset:\t00000000000015d3
        """,
    "numbered": """
        Event Name: APPCRASH
        P1: engine.exe
        P2: 0.0.0.0
        P3: 66a1e8c2
        P4: engine-cuda.dll
        P5: 1.0
        P6: 10c46e71
        P7: c0000005
        P8: 00000000000015d3
        """,
    "XML": """
        <EventData>
          <Data Name="AppName">engine.exe</Data>
          <Data Name="ModuleName">engine-cuda.dll</Data>
          <Data Name="ExceptionCode">c0000005</Data>
          <Data Name="FaultingOffset">00000000000015d3</Data>
        """,
    "XML without names": (
        "<Data>engine.exe</Data><Data>1.0</Data><Data>6841977c</Data><Data>engine-cuda.dll</Data>"
        "<Data>1.0</Data><Data>68baa4b4</Data><Data>c0000005</Data><Data>00000000000015d3</Data>"
    ),
    "in somebody's list": """
        - **Exception code**: `0xc0000005` (Access Violation)
        - **Faulting module**: engine-cuda.dll v32.0.1
        - **Faulting offset**: 00000000000015d3
        """,
}


def crash_of(text: str) -> Crash:
    return read_text(textwrap.dedent(text).strip("\n"), ReadOptions()).crash


@pytest.mark.parametrize("language", TEXTS)
def test_says_the_same_in_every_form(language: str):
    crash = crash_of(TEXTS[language])
    assert [(e.api, e.code, e.name) for e in crash.errors] == [
        ("ntstatus", 0xC0000005, "STATUS_ACCESS_VIOLATION")
    ]
    assert "engine-cuda.dll" in crash.errors[0].message
    assert crash.signal.name == "SIGSEGV"
    (thread,) = crash.threads
    (frame,) = thread.frames
    assert (frame.module, int(frame.offset, 16), frame.function) == (
        "engine-cuda.dll", 0x15D3, None,
    )  # fmt: skip


def test_every_text_opens():
    for text in TEXTS.values():
        assert any(FORMAT.opens.match(line.strip()) for line in text.splitlines())


@pytest.mark.parametrize(("data", "signal"), [("0000000000000007", "SIGABRT"), ("2", None)])
def test_fail_fast(data: str, signal: str | None):
    crash = crash_of(
        f"""
        Event Name: BEX64
        P1: engine.exe
        P4: ucrtbase.dll
        P7: 000000000007f6fe
        P8: c0000409
        P9: {data}
        """
    )
    assert (crash.signal and crash.signal.name) == signal
    assert [e.name for e in crash.errors] == ["STATUS_STACK_BUFFER_OVERRUN"]


@pytest.mark.parametrize(
    "text",
    [
        "loaded: a.exe, version: 1.0.0, time stamp: 0x6841977c",
        "buffer: 0xc0000005\noffset: 0x00000000000015d3",
        "<Data>report.exe</Data>",
        "Event Name: APPCRASH",
    ],
)
def test_parts_alone_are_no_crash(text: str):
    crash = crash_of(text)
    assert (crash.signal, crash.errors, crash.threads) == (None, (), ())
