"""The error tables and noise lists that ship, and files of both that are wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from triage.errors import PackError
from triage.knowledge import HostStack, error_by_text, known_error, known_errors, noise_lists
from triage.model.crash import Timing
from triage.resources import data_dir


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder in the place of the shipped signatures."""
    monkeypatch.setattr("triage.tables.data_dir", lambda kind: tmp_path)
    for name in ("errors", "noise"):
        (tmp_path / name).mkdir()
    known_errors.cache_clear()
    noise_lists.cache_clear()
    yield tmp_path
    known_errors.cache_clear()
    noise_lists.cache_clear()


class TestShippedErrors:
    @pytest.mark.parametrize(
        ("api", "code", "name", "timing", "sticky"),
        [
            ("cuda", 700, "cudaErrorIllegalAddress", Timing.ASYNCHRONOUS, True),
            ("cuda", 2, "cudaErrorMemoryAllocation", Timing.SYNCHRONOUS, False),
            ("cuda", 35, "cudaErrorInsufficientDriver", Timing.SYNCHRONOUS, False),
            ("cuda-driver", 700, "CUDA_ERROR_ILLEGAL_ADDRESS", Timing.ASYNCHRONOUS, True),
            ("hip", 209, "hipErrorNoBinaryForGpu", Timing.SYNCHRONOUS, False),
            ("opencl", -5, "CL_OUT_OF_RESOURCES", None, None),
        ],
    )
    def test_facts(
        self, api: str, code: int, name: str, timing: Timing | None, sticky: bool | None
    ):
        table = known_errors()
        known = table.by_code[api, code]
        assert (known.api, known.code, known.name) == (api, code, name)
        assert (known.timing, known.sticky) == (timing, sticky) or timing is None
        assert table.by_name[name] == known

    def test_names_are_of_one_api_alone(self):
        """A name leads to an error whatever the API that is said to have reported it."""
        found = {
            (line.split("\t")[1], path.stem)
            for path in (data_dir("signatures") / "errors").glob("*.tsv")
            for line in path.read_text().splitlines()
            if line and not line.startswith("#")
        }
        assert [name for name, n in Counter(name for name, _ in found).items() if n > 1] == []
        assert found == {(known.name, known.api) for known in known_errors().by_name.values()}

    @pytest.mark.parametrize(
        ("api", "code", "stack"),
        [
            ("cuda", 700, HostStack.LATE),
            ("cuda", 9, HostStack.CALLER),
            ("cuda", 35, HostStack.ELSEWHERE),
            ("cuda-driver", 220, HostStack.ELSEWHERE),
            ("hip", 719, HostStack.LATE),
            ("cublas", 13, HostStack.LATE),
            ("cublas", 1, None),
            ("cudnn", 8, HostStack.LATE),
            ("cudnn", 5000, HostStack.LATE),
            ("nccl", 6, HostStack.ELSEWHERE),
            ("metal", 3, HostStack.LATE),
            ("vulkan", -4, HostStack.LATE),
            ("nvml", 18, HostStack.ELSEWHERE),
        ],
    )
    def test_trust_in_the_host_stack(self, api: str, code: int, stack: HostStack | None):
        assert known_error(api, None, code).stack is stack

    def test_a_late_error_is_an_asynchronous_one(self):
        """And a call that reports its own failure is none."""
        for known in known_errors().by_code.values():
            if known.stack is HostStack.LATE:
                assert known.timing is Timing.ASYNCHRONOUS, known
            if known.timing is Timing.ASYNCHRONOUS:
                assert known.stack is not HostStack.CALLER, known

    def test_a_name_says_more_than_a_number(self):
        assert known_error("cuda", "CUDNN_STATUS_BAD_PARAM", 700).api == "cudnn"
        assert known_error("cuda", "cudaErrorOfTomorrow", 700).code == 700
        assert known_error("cuda", None, None) is None

    def test_texts_say_something(self):
        assert all(known.text.strip() == known.text for known in known_errors().by_name.values())


class TestErrorByText:
    def test_text_of_the_api(self):
        assert error_by_text("cuda", "an illegal memory access was encountered").code == 700
        assert error_by_text("cuda", "Out of memory. Tried to allocate 2 GiB").code == 2
        assert error_by_text("hip", "out of memory").name == "hipErrorOutOfMemory"

    def test_other_text(self):
        assert error_by_text("cuda", "something else") is None
        assert error_by_text("cuda", "") is None
        assert error_by_text("nothing", "out of memory") is None

    def test_every_text_leads_to_an_error_with_that_text(self):
        for known in known_errors().by_name.values():
            if len(known.text) > 8:
                found = error_by_text(known.api, known.text)
                assert found is not None
                assert known.text.casefold().startswith(found.text.casefold())


class TestTables:
    def test_line(self, folder: Path):
        (folder / "errors" / "acme.tsv").write_text(
            "# a comment\n\n-7\tACME_LOST\tasynchronous\tsticky\tlate\tlost it all\n"
            "8\tACME_ODD\t-\t-\t-\t\n"
        )
        lost, odd = known_errors().by_code["acme", -7], known_errors().by_name["ACME_ODD"]
        assert (lost.name, lost.timing, lost.sticky) == ("ACME_LOST", Timing.ASYNCHRONOUS, True)
        assert lost.stack is HostStack.LATE
        assert (odd.code, odd.timing, odd.sticky, odd.stack, odd.text) == (8, None, None, None, "")

    def test_first_name_of_a_code_counts(self, folder: Path):
        (folder / "errors" / "acme.tsv").write_text("1\tNEW\t-\t-\t-\tx\n1\tOLD\t-\t-\t-\tx\n")
        assert known_errors().by_code["acme", 1].name == "NEW"
        assert known_errors().by_name["OLD"].code == 1

    @pytest.mark.parametrize(
        "line",
        [
            "1\tA\t-\t-\tx",
            "1\tA\t-\t-\t-\tx\ty",
            "A\t1\t-\t-\t-\tx",
            "1 A - - - x",
            "1\tA\tlater\t-\t-\tx",
            "1\tA\t-\tglue\t-\tx",
            "1\tA\t-\t-\tnowhere\tx",
        ],
    )
    def test_wrong_line_is_named(self, folder: Path, line: str):
        (folder / "errors" / "acme.tsv").write_text(f"# head\n{line}\n")
        with pytest.raises(PackError, match=r"acme\.tsv:2: "):
            known_errors()

    def test_noise(self, folder: Path):
        (folder / "noise" / "b.txt").write_text(
            "# a comment\n\n  abort  # why\nmodule libx.so*\nfile */x.h\nmodule\noperator new*\n"
        )
        (folder / "noise" / "a.txt").write_text("f\n")
        first, second = noise_lists()
        assert (first.name, first.functions) == ("a", ("f",))
        assert second.name == "b"
        assert second.functions == ("abort", "module", "operator new*")
        assert (second.modules, second.files) == (("libx.so*",), ("*/x.h",))


def test_shipped_noise_has_no_line_twice_and_no_glob_for_everything():
    for entry in noise_lists():
        globs = [
            *entry.functions,
            *(f"m {m}" for m in entry.modules),
            *(f"f {f}" for f in entry.files),
        ]
        assert [glob for glob, n in Counter(globs).items() if n > 1] == []
        assert all(len(glob.strip("* ")) >= 3 for glob in globs)
