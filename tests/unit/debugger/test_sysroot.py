"""Which paths inside the sandbox the names from a core dump can lead to."""

from pathlib import Path

import pytest

from triage.debugger.sysroot import Places, verify
from triage.elf.facts import CoreFacts, CoreModule, FileMapping, LinkedLibrary

CORE = Path("/uploads/core")


def facts(*names: str, build_id: str | None = "aa", path: str = "/lib/a.so") -> CoreFacts:
    places = range(0x1000, 0x1000 * (len(names) + 1), 0x1000)
    paths = [f"{path}{n}" if n else path for n in range(len(names))]
    return CoreFacts(
        arch="x86_64",
        bits=64,
        byte_order="little",
        size=0,
        supported=True,
        mappings=tuple(
            FileMapping(start=at, end=at + 0x1000, offset=0, path=p)
            for at, p in zip(places, paths, strict=True)
        ),
        modules=tuple(
            CoreModule(path=p, base=at, build_id=build_id)
            for at, p in zip(places, paths, strict=True)
        ),
        libraries=tuple(
            LinkedLibrary(name=name, base=at, dynamic=at)
            for at, name in zip(places, names, strict=True)
        ),
    )


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Make every path lead to the right library, and keep those that are looked at."""
    looked: list[str] = []

    def build_id(path: str) -> str:
        looked.append(path)
        return "aa"

    monkeypatch.setattr("triage.debugger.sysroot._build_id", build_id)
    return looked


def shown(known: CoreFacts, places: Places | None = None) -> dict[str, str]:
    verified = verify(CORE, None, None, known, places or Places())
    return {inside: source for source, inside in verified.mounts.files if inside != "/in/core"}


class TestInside:
    def test_under_the_name_that_the_linker_knows(self, found):
        assert shown(facts("/lib64/a.so.1")) == {"/sysroot/lib64/a.so.1": "/lib/a.so"}
        assert shown(facts("./a.so")) == {"/empty/a.so": "/lib/a.so"}
        assert shown(facts("//lib/./a.so")) == {"/sysroot/lib/a.so": "/lib/a.so"}

    def test_the_path_of_the_mapping_is_a_link_to_it(self, found):
        verified = verify(CORE, None, None, facts("/lib64/a.so.1"), Places())
        assert verified.mounts.links == (("/sysroot/lib64/a.so.1", "/sysroot/lib/a.so"),)

    @pytest.mark.parametrize(
        "name", ["/../in/exe", "a/../../b", "/", ".", "/lib/" + "x" * 256, "/x" * 4000]
    )
    def test_names_that_lead_elsewhere(self, found, name: str):
        assert shown(facts(name)) == {}

    def test_a_file_cannot_be_a_folder(self, found):
        assert set(shown(facts("/lib/a", "/lib/a/b", "/lib"))) == {"/sysroot/lib/a"}

    def test_one_path_is_taken_once(self, found):
        assert shown(facts("/x.so", "/x.so")) == {"/sysroot/x.so": "/lib/a.so"}


class TestLooking:
    @pytest.mark.parametrize("path", ["/proc/1/root/a", "/dev/sda", "/net/host/a", "/sys/a"])
    def test_not_everywhere(self, found, path: str):
        assert shown(facts(path, path=path)) == {}
        assert found == []

    def test_not_above_the_folder_that_was_named(self, found, tmp_path: Path):
        known = facts("/../../etc/a", path="/../../etc/a")
        assert shown(known, Places(sysroot=tmp_path)) == {}
        assert found == []

    def test_in_the_folder_that_was_named_alone(self, found, tmp_path: Path):
        known = facts("/lib/a.so")
        assert shown(known, Places(sysroot=tmp_path)) == {
            "/sysroot/lib/a.so": f"{tmp_path}/lib/a.so"
        }
        assert all(path.startswith(str(tmp_path)) for path in found[:1])

    def test_without_a_build_id_only_what_the_user_vouches_for(self, found, tmp_path: Path):
        known = facts("/lib/a.so", build_id=None)
        verified = verify(CORE, None, None, known, Places())
        assert (verified.libraries, verified.unverified) == ({}, ("a.so",))
        verified = verify(CORE, None, None, known, Places(sysroot=tmp_path))
        assert verified.unverified == ()
        assert verified.libraries == {"/sysroot/lib/a.so": f"{tmp_path}/lib/a.so"}

    def test_another_build(self, found):
        verified = verify(CORE, None, None, facts("/lib/a.so", build_id="bb"), Places())
        assert (verified.libraries, verified.different) == ({}, ("a.so",))
