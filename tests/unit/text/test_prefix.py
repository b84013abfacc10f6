"""Columns in front of a line, as log collectors write them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.text.line import NO_PREFIX, Line, Prefix
from triage.text.prefix import merged_writers, split_prefix, to_line

REST = "CUDA error 700: an illegal memory access was encountered"


@pytest.mark.parametrize(
    ("column", "prefix"),
    [
        (
            "Jan 02 03:04:05 gpu-7 claw_inference[4242]: ",
            Prefix(
                time="Jan 02 03:04:05",
                host="gpu-7",
                process="claw_inference",
                pid=4242,
                collected=True,
            ),
        ),
        (
            "20260102 03:04:05.123456 UTC 4242 ERROR ",
            Prefix(time="20260102 03:04:05.123456", pid=4242, collected=False),
        ),
        ("[1] stderr: ", Prefix(collected=False)),
        (
            "Jan  2 03:04:05.123456 gpu-7 kernel: ",
            Prefix(time="Jan  2 03:04:05.123456", host="gpu-7", process="kernel", collected=True),
        ),
        (
            "2026-01-02T03:04:05+0100 gpu-7 claw_inference[4242]: ",
            Prefix(
                time="2026-01-02T03:04:05+0100",
                host="gpu-7",
                process="claw_inference",
                pid=4242,
                collected=True,
            ),
        ),
        ("engine-1  | ", Prefix(service="engine-1", collected=True)),
        ("claw.worker_2 | ", Prefix(service="claw.worker_2", collected=True)),
        ("[pod/claw-0/engine] ", Prefix(service="claw-0/engine", collected=True)),
        (
            "<34>1 2026-01-02T03:04:05.003Z gpu-7 claw 4242 ID47 - ",
            Prefix(
                time="2026-01-02T03:04:05.003Z",
                host="gpu-7",
                process="claw",
                pid=4242,
                collected=True,
            ),
        ),
        (
            "jun 06 03:04:05 gpu-7 ollama[4242]: ",
            Prefix(
                time="jun 06 03:04:05", host="gpu-7", process="ollama", pid=4242, collected=True
            ),
        ),
        (
            "3:04AM DBG GRPC(model-127.0.0.1:40123): stderr ",
            Prefix(process="DBG GRPC(model-127.0.0.1:40123)", collected=True),
        ),
        ("[rank2]:", Prefix(rank=2)),
        ("[1,3]<stderr>:", Prefix(rank=3, collected=True)),
        ("[2026-01-02 03:04:05 DP0 TP1] ", Prefix(time="2026-01-02 03:04:05", process="DP0 TP1")),
        ("(RayWorkerWrapper pid=4242, ip=10.0.0.2) ", Prefix(process="RayWorkerWrapper", pid=4242)),
        ("(pid=4242) ", Prefix(pid=4242)),
        (
            "2026-01-02T03:04:05.123456789Z stderr F ",
            Prefix(time="2026-01-02T03:04:05.123456789Z", collected=True),
        ),
        ("2026-01-02 03:04:05,123 ", Prefix(time="2026-01-02 03:04:05,123")),
        ("[2026-01-02T03:04:05Z] ", Prefix(time="2026-01-02T03:04:05Z")),
        ("2026-01-02T03:04:05Z: ", Prefix(time="2026-01-02T03:04:05Z")),
        ("[4242] ", Prefix(pid=4242)),
        ("ERROR 01-02 03:04:05 [core.py:12] ", Prefix(time="01-02 03:04:05")),
        (
            "(EngineCore_0 pid=4242) ERROR 01-02 03:04:05 ",
            Prefix(time="01-02 03:04:05", process="EngineCore_0", pid=4242),
        ),
        ("(Worker rank=1 pid=4242) ", Prefix(process="Worker", pid=4242, rank=1)),
        (
            "01/02/2026 03:04:05\tclaw\t",
            Prefix(time="01/02/2026 03:04:05", process="claw", collected=True),
        ),
    ],
)
def test_column_is_taken_off(column: str, prefix: Prefix):
    assert split_prefix(column + REST) == (prefix, REST)


def test_columns_of_several_collectors():
    text = "engine-1  | 2026-01-02T03:04:05Z [4242] " + REST
    assert split_prefix(text) == (
        Prefix(time="2026-01-02T03:04:05Z", service="engine-1", pid=4242, collected=True),
        REST,
    )


def test_outer_column_counts_where_two_say_the_same():
    prefix, rest = split_prefix("2026-01-02T03:04:05Z stdout F 2026-01-02 01:00:00 " + REST)
    assert prefix.time == "2026-01-02T03:04:05Z"
    assert rest == REST


@pytest.mark.parametrize(
    "text",
    [
        "",
        "#0  0x00007ffff7a42e07 in raise () from /lib64/libc.so.6",
        "    #0 0x55 in main a.c:1",
        "\tat a.cpp:1",
        "Thread 1 (Thread 0x7ffff7d8a740 (LWP 4242)):",
        "[FATAL] GPU context lost: CUDA error 700",
        "[New LWP 4242]",
        "[Current thread is 1 (LWP 4242)]",
        "llm_engine.cpp:1423: GGML_ASSERT(n > 0) failed",
        "2026-01-02T03:04:05Z",
        "[7] too short for a process id",
        REST,
    ],
)
def test_what_is_no_column_stays(text: str):
    assert split_prefix(text) == (NO_PREFIX, text)


def test_a_name_and_a_bar_are_a_column_of_docker_compose():
    assert split_prefix("a | b") == (Prefix(service="a", collected=True), "b")


@pytest.mark.parametrize(
    "column", ["Jan 02 03:04:05 gpu-7 gdb[1]: ", "claw-1  | ", "2026-01-02T03:04:05Z "]
)
@pytest.mark.parametrize(
    "frame", ["#0  0x00007ffff7a42e07 in raise () from /lib64/libc.so.6", "#12 main () at a.c:1"]
)
def test_frame_behind_a_column_stays_whole(column: str, frame: str):
    assert split_prefix(column + frame)[1] == frame


def test_line_keeps_its_number():
    assert to_line(7, "engine-1 | text") == Line(
        7, "text", Prefix(service="engine-1", collected=True)
    )


@pytest.mark.parametrize("key", ["log", "MESSAGE", "msg", "message"])
def test_a_record_of_json_is_its_message(key: str):
    record = json.dumps({"stream": "stderr", key: f"\x1b[31m{REST}\n"})
    assert to_line(7, record) == Line(7, REST, Prefix(collected=True))


def test_a_record_of_the_journal_names_its_writer():
    record = {
        "__CURSOR": "s", "MESSAGE": f"[4242] {REST}", "_PID": "812", "_HOSTNAME": "gpu-7",
        "_COMM": "claw",
    }  # fmt: skip
    assert to_line(7, json.dumps(record)) == Line(
        7, REST, Prefix(host="gpu-7", process="claw", pid=812, collected=True)
    )


@pytest.mark.parametrize(
    "text",
    [
        '{"log": 7, "a": 1}', '{"log":"a\\nb", "a": 1}', '{"log":"a', '{"other":"a", "b": 1}',
        '{"log":"alone"}', '{"a": 1, "log":"' + "[" * 5000,
    ],
)  # fmt: skip
def test_what_is_no_record_stays(text: str):
    assert to_line(7, text).text == text


def test_a_line_of_two_writers_is_parted_at_the_second_ones_prefix():
    text = "(Worker pid=1) a frame(Worker_TP1 pid=2) another[rank3]: third"
    assert merged_writers(text) == [
        "(Worker pid=1) a frame",
        "(Worker_TP1 pid=2) another",
        "[rank3]: third",
    ]
    assert merged_writers(REST) == [REST]


@given(st.text(st.characters(blacklist_characters="\n"), max_size=120))
def test_rest_is_the_end_of_the_line(text: str):
    prefix, rest = split_prefix(text)
    assert text.endswith(rest)
    assert (prefix == NO_PREFIX) == (rest == text)
