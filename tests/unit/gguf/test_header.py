"""GGUF headers: what another writer wrote is read as it meant it, and damage is told."""

from __future__ import annotations

import io
import struct
import time
from pathlib import Path

import gguf
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from triage.gguf.cursor import MAX_HEADER
from triage.gguf.fragment import model_fragment
from triage.gguf.header import Header, read_header
from triage.gguf.types import FILE_TYPES, TENSOR_TYPES
from triage.model.position import Position
from triage.model.report import InputKind
from triage.pipeline import Analyzer, Options
from triage.read import ReadOptions, read

AT = Position(input=3)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return a small model that the format's own library wrote."""
    path = tmp_path_factory.mktemp("models") / "tiny.gguf"
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_name("tiny")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_block_count(4)
    writer.add_context_length(32768)
    writer.add_token_list([f"token {n}" for n in range(500)])
    writer.add_token_scores([0.5] * 500)
    writer.add_array("nested", [[1, 2], [3]])
    weights = np.ones((8, 64), dtype=np.float32)
    for n in range(4):
        packed = gguf.quantize(weights, gguf.GGMLQuantizationType.Q8_0)
        writer.add_tensor(f"blk.{n}.w", packed, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
        writer.add_tensor(f"blk.{n}.norm", np.ones(64, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path.read_bytes()


def header_of(data: bytes, size: int | None = None) -> Header:
    return read_header(io.BytesIO(data), len(data) if size is None else size)


def test_what_the_library_wrote(model: bytes) -> None:
    header = header_of(model)
    assert (header.version, header.tensor_count) == (3, 8)
    assert (header.architecture, header.quantization) == ("qwen2", "Q8_0")
    assert header.of_architecture("block_count") == 4
    assert header.of_architecture("context_length") == 32768
    assert header.problem is None
    assert header.tensors_end <= len(model) < header.tensors_end + 32, "padding may follow"


def test_types_are_those_of_the_library() -> None:
    for kind, (elements, size) in gguf.GGML_QUANT_SIZES.items():
        known = TENSOR_TYPES[kind.value]
        assert (known.name, known.elements, known.size) == (kind.name, elements, size)
    names = {
        f.value: f.name.removeprefix("MOSTLY_").removeprefix("ALL_") for f in gguf.LlamaFileType
    }
    assert {n: name for n, name in names.items() if name != "GUESSED"}.items() <= FILE_TYPES.items()


def test_a_file_of_another_byte_order() -> None:
    def text(value: bytes) -> bytes:
        return struct.pack(">Q", len(value)) + value

    data = b"GGUF" + struct.pack(">IQQ", 3, 0, 1) + text(b"general.architecture")
    data += struct.pack(">I", 8) + text(b"llama")
    assert header_of(data).architecture == "llama"


def test_without_a_file_type_most_weights_decide(model: bytes) -> None:
    assert b"general.file_type" in model
    header = header_of(model.replace(b"general.file_type", b"general.fill_type"))
    assert header.quantization == "Q8_0"


def test_a_file_that_is_cut_off_anywhere(model: bytes) -> None:
    end = header_of(model).tensors_end
    for size in (5, 24, 100, 2_000, end - 1):
        header = header_of(model[:size])
        assert header.cut_short, size
        assert header.problem
    assert header_of(model[:end]).problem is None


def test_the_words_for_a_file_that_is_too_short(model: bytes) -> None:
    end = header_of(model).tensors_end
    fragment = model_fragment(io.BytesIO(model[: end - 100]), end - 100, AT)
    (error,) = fragment.errors
    assert (error.api, error.name, error.at) == ("gguf", "cut short", AT)
    assert error.message.endswith("100 bytes are missing")
    assert fragment.truncated
    assert fragment.environment.model.tensor_count == 8


def test_without_a_size_nothing_is_missing(model: bytes) -> None:
    assert not model_fragment(io.BytesIO(model[:-200]), None, AT).errors


def with_counts(tensors: int, keys: int) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", 3, tensors, keys)


def key(kind: int, value: bytes) -> bytes:
    return struct.pack("<Q", 1) + b"k" + struct.pack("<I", kind) + value


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"GGUF" + struct.pack("<I", 77), "version 77"),
        (with_counts(1 << 60, 0), "announces"),
        (with_counts(0, 1 << 40), "announces"),
        (with_counts(0, 1) + key(99, b""), "type 99"),
        (with_counts(0, 1) + key(9, struct.pack("<IQ", 77, 1)), "type 77"),
        (
            with_counts(1, 0) + struct.pack("<Q", 1) + b"t" + struct.pack("<I", 1 << 31),
            "dimensions",
        ),
    ],
)
def test_what_cannot_be(data: bytes, word: str) -> None:
    header = header_of(data)
    assert word in header.problem
    assert not header.cut_short


@pytest.mark.parametrize("more", [1, 32, 5_000])
def test_a_table_that_announces_more_tensors_than_it_has(model: bytes, more: int) -> None:
    (count,) = struct.unpack_from("<Q", model, 8)
    damaged = model[:8] + struct.pack("<Q", count + more) + model[16:]
    fragment = model_fragment(io.BytesIO(damaged), len(damaged), AT)
    (error,) = fragment.errors
    assert error.name == "damaged"
    assert f"tensor {count + 1:,} of {count + more:,}" in error.message
    assert [w.code for w in fragment.warnings] == ["model-damaged"]


@pytest.mark.parametrize(
    ("name", "kind", "word"),
    [
        (b"", 0, "''"),
        (b"a\x01", 0, "'a\\x01'"),
        (b"\xff", 0, "which none has"),
        (b"t", 1 << 20, "type"),
    ],
)
def test_names_and_types_that_no_tensor_has(name: bytes, kind: int, word: str) -> None:
    table = struct.pack("<Q", len(name)) + name + struct.pack("<IQIQ", 1, 32, kind, 0)
    header = header_of(with_counts(1, 0) + table + bytes(512))
    assert word in header.problem
    assert not header.cut_short


def test_the_byte_order_is_said() -> None:
    """The numbers of one order and the lengths of the other: what a careless conversion leaves."""
    text = struct.pack("<Q", 20) + b"general.architecture"
    data = b"GGUF" + struct.pack(">IQQ", 3, 0, 1) + text + bytes(64)
    fragment = model_fragment(io.BytesIO(data), len(data), AT)
    assert fragment.errors[0].name == "damaged"
    assert "big-endian" in fragment.warnings[0].message


@pytest.mark.parametrize(
    "data",
    [
        with_counts(0, 1) + struct.pack("<Q", 1 << 62),
        with_counts(0, 1) + key(9, struct.pack("<IQ", 8, 1 << 62)) + bytes(MAX_HEADER),
        with_counts(0, 1) + key(9, struct.pack("<IQ", 0, 1 << 63)),
        with_counts(0, 1) + key(9, struct.pack("<IQ", 9, 1 << 50)) + bytes(4096),
        with_counts(0, 1) + key(9, struct.pack("<IQ", 9, 1) * 9),
    ],
    ids=["long key", "many strings", "long array", "many arrays", "deep arrays"],
)
def test_hostile_sizes_end_soon(data: bytes) -> None:
    before = time.process_time()
    header = header_of(data)
    assert header.problem or header.unread
    assert time.process_time() - before < 8


@given(data=st.data())
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_damage_is_never_an_exception(model: bytes, data: st.DataObject) -> None:
    damaged = bytearray(model[: data.draw(st.integers(0, len(model)))])
    for _ in range(data.draw(st.integers(0, 4))):
        if damaged:
            damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    fragment = model_fragment(io.BytesIO(bytes(damaged)), len(damaged), AT)
    assert len(fragment.errors) <= 1


def test_another_model_than_the_log_s_is_left_out(model: bytes, tmp_path: Path) -> None:
    path, log = tmp_path / "m", tmp_path / "log"
    path.write_bytes(model[:1000])
    log.write_text(
        "[INFO] OpenClaw claw_inference 0.9.2, toolkit 11.8, CUDA\n"
        "[INFO] model: GGUF v3, architecture llama, quantization Q5_K_M, 66 tensors\n"
    )
    crash = read([str(path), str(log)], ReadOptions()).crash
    assert crash.environment.model.layer_count is None
    assert not crash.errors
    (warning,) = [w for w in crash.warnings if w.code == "model-differs"]
    assert "architecture qwen2, not llama" in warning.message
    log.write_text(
        log.read_text().replace("llama", "qwen2").replace("66", "8").replace("Q5_K_M", "Q8_0")
    )
    same = read([str(path), str(log)], ReadOptions()).crash
    assert same.environment.model.layer_count == 4
    assert [e.api for e in same.errors] == ["gguf"]


@pytest.mark.parametrize(
    ("printed", "found"),
    [
        ("quantization Q5_K_M, 8 tensors", "quantization Q8_0, not Q5_K_M"),
        ("quantization Q8_0, 8 tensors, 900 bytes", "bytes, not 900"),
        ("quantization Q8_0, 8 tensors, 9000000 bytes", None),
        ("quantization q8_0, 8 tensors", None),
        ("quantization mostly-Q8, 8 tensors", None),
    ],
)
def test_facts_of_two_models_are_not_merged(
    model: bytes, tmp_path: Path, printed: str, found: str | None
) -> None:
    path, log = tmp_path / "m", tmp_path / "log"
    path.write_bytes(model)
    log.write_text(
        "[INFO] OpenClaw claw_inference 0.9.2, toolkit 11.8, CUDA\n"
        f"[INFO] model: GGUF v3, architecture qwen2, {printed}\n"
    )
    crash = read([str(path), str(log)], ReadOptions()).crash
    told = [w.message for w in crash.warnings if w.code == "model-differs"]
    assert (crash.environment.model.context_length == 32768) == (found is None)
    assert len(told) == (found is not None)
    assert all(found in message for message in told)


def test_the_name_of_the_file_that_was_run_counts(model: bytes, tmp_path: Path) -> None:
    path, log = tmp_path / "m", tmp_path / "log"
    path.write_bytes(model)
    log.write_text(
        "[INFO] OpenClaw claw_inference 0.9.2, toolkit 11.8, CUDA\n"
        "[INFO] loading model /models/tiny-Q4_0.gguf\n"
    )
    crash = read([str(path), str(log)], ReadOptions()).crash
    assert [w.code for w in crash.warnings] == ["model-differs"]
    assert crash.environment.model.layer_count is None


# ---- as an input --------------------------------------------------------------------------


def test_a_whole_model_is_no_crash(model: bytes, tmp_path: Path) -> None:
    path = tmp_path / "m"
    path.write_bytes(model)
    result = read([str(path)], ReadOptions())
    assert result.inputs[0].kind is InputKind.GGUF
    assert not result.crash.is_crash
    assert result.crash.environment.model.file_size == len(model)


def test_a_model_that_is_cut_short_is_the_diagnosis_where_nothing_else_is(
    model: bytes, tmp_path: Path
) -> None:
    path, log = tmp_path / "m", tmp_path / "log"
    path.write_bytes(model[:1000])
    log.write_text("CUDA error 700 (cudaErrorIllegalAddress): an illegal memory access\n")
    analyzer = Analyzer(Options())
    alone = analyzer.analyze([str(path)])
    assert (alone.family, alone.inputs[0].truncated) == ("corrupt-model-file", True)
    assert analyzer.analyze([str(path), str(log)]).family == "gpu-illegal-access"
