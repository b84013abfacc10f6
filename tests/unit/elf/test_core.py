"""Core dumps built byte by byte: what is read of them, and what is said of broken ones."""

import io
import struct
import time
from dataclasses import replace

import pytest

from triage.elf import corefile as core_module
from triage.elf.corefile import read_core
from triage.elf.facts import CoreFacts
from triage.errors import InputError
from triage.model.crash import Signal

AUXV = 6
STACK = 0x7FFD_0000_0000
AT_PHDR, AT_ENTRY, AT_RANDOM, AT_EXECFN = 3, 9, 25, 31


def read(data: bytes) -> CoreFacts:
    return read_core(io.BytesIO(data), len(data))


def codes(facts: CoreFacts) -> list[str]:
    return [w.code for w in facts.warnings]


def fault(name: str, number: int, code: str, address: str) -> Signal:
    return Signal(name=name, number=number, code=code, fault_address=address)


class TestSignal:
    @pytest.mark.parametrize(
        ("info", "expected"),
        [
            ((11, 1, 0x10), fault("SIGSEGV", 11, "SEGV_MAPERR", "0x10")),
            ((11, 2, 0x20), fault("SIGSEGV", 11, "SEGV_ACCERR", "0x20")),
            ((7, 2, 0x30), fault("SIGBUS", 7, "BUS_ADRERR", "0x30")),
            ((8, 1, 0x40), fault("SIGFPE", 8, "FPE_INTDIV", "0x40")),
            ((4, 2, 0x50), fault("SIGILL", 4, "ILL_ILLOPN", "0x50")),
            # A sender's process id lies where the address would be.
            ((6, -6, 0x1234), Signal(name="SIGABRT", number=6, code="SI_TKILL")),
            ((11, 0, 0x1234), Signal(name="SIGSEGV", number=11, code="SI_USER")),
            # The kernel gives no address for one that is not canonical.
            ((11, 0x80, 0), Signal(name="SIGSEGV", number=11, code="SI_KERNEL")),
            ((5, 1, 0x60), Signal(name="SIGTRAP", number=5, code="TRAP_BRKPT")),
            ((11, 77, 0x70), Signal(name="SIGSEGV", number=11, fault_address="0x70")),
            ((40, 1, 0), Signal(name="SIG40", number=40)),
        ],
    )
    def test_information_note(self, elf, info: tuple[int, int, int], expected: Signal):
        data = elf.builder().notes(elf.status(1), elf.siginfo(*info)).build()
        assert read(data).signal == expected

    def test_number_alone_from_the_first_thread(self, elf):
        data = elf.builder().notes(elf.status(1, signal=6), elf.status(2, signal=11)).build()
        assert read(data).signal == Signal(name="SIGABRT", number=6)

    def test_none(self, elf):
        assert read(elf.builder().notes(elf.status(1)).build()).signal is None


class TestThreads:
    @pytest.mark.parametrize(("machine", "arch"), [(62, "x86_64"), (183, "aarch64")])
    def test_registers(self, elf, machine: int, arch: str):
        notes = [
            elf.status(7, pc=0x1000, sp=0x2000, machine=machine),
            elf.status(8, pc=0x3000, sp=0x4000, machine=machine),
        ]
        facts = read(elf.builder(machine=machine).notes(*notes).build())
        assert facts.arch == arch
        assert [(t.tid, t.pc, t.sp) for t in facts.threads] == [
            (7, 0x1000, 0x2000),
            (8, 0x3000, 0x4000),
        ]
        assert codes(facts) == []

    def test_short_status_note_has_no_registers(self, elf):
        data = elf.builder().notes(elf.note(1, elf.status(7)[20:100])).build()
        (thread,) = read(data).threads
        assert (thread.pc, thread.sp) == (None, None)

    def test_notes_of_other_owners_are_not_threads(self, elf):
        note = elf.note(1, bytes(336), owner=b"SPAM")
        facts = read(elf.builder().notes(note).build())
        assert facts.threads == ()
        assert codes(facts) == ["core-without-threads"]

    def test_names(self, elf):
        notes = (elf.status(5), elf.process(5, "claw-server", "claw-server --model m.gguf "))
        facts = read(elf.builder().notes(*notes).build())
        assert (facts.pid, facts.process_name) == (5, "claw-server")
        assert facts.process_arguments == "claw-server --model m.gguf"
        assert facts.executable == "claw-server"


class TestMappings:
    FILES = (
        (0x5000_0000, 0x5000_2000, 0x1000, "/opt/claw"),
        (0x4000_0000, 0x4000_1000, 0, "/opt/claw"),
        (0x7000_0000, 0x7000_1000, 0, "/models/m.gguf"),
    )

    def test_are_sorted_and_found_by_address(self, elf):
        facts = read(elf.builder().notes(elf.status(1), elf.files(*self.FILES)).build())
        assert [m.start for m in facts.mappings] == [0x4000_0000, 0x5000_0000, 0x7000_0000]
        found = facts.mapping_at(0x5000_1FFF)
        assert found is not None
        assert (found.name, found.offset) == ("claw", 0x1000)
        assert facts.mapping_at(0x5000_2000) is None
        assert facts.mapping_at(0x3FFF_FFFF) is None

    def test_only_elf_files_are_modules(self, elf):
        image = elf.builder(file_type=3).notes(elf.note(3, b"\xab" * 20, owner=b"GNU")).build()
        data = (
            elf.builder()
            .notes(elf.status(1, pc=0x4000_0010), elf.files(*self.FILES))
            .load(0x4000_0000, image.ljust(4096, b"\0"))
            .load(0x7000_0000, b"GGUF".ljust(4096, b"\0"))
            .build()
        )
        (module,) = read(data).modules
        assert (module.path, module.base, module.build_id) == ("/opt/claw", 0x4000_0000, "ab" * 20)
        found = read(data).module_at(0x4000_0010)
        assert found == module

    def test_code_without_a_first_page_is_a_module_without_build_id(self, elf):
        data = (
            elf.builder()
            .notes(elf.status(1), elf.files((0x4000_1000, 0x4000_2000, 0x1000, "/lib/a.so")))
            .load(0x4000_1000, b"\x90" * 4096, flags=5)
            .build()
        )
        (module,) = read(data).modules
        assert (module.name, module.base, module.build_id) == ("a.so", 0x4000_0000, None)

    def test_executable_is_the_file_that_holds_its_headers(self, elf):
        auxiliary = elf.auxiliary({AT_PHDR: 0x4000_0040})
        data = (
            elf.builder()
            .notes(elf.status(1), elf.files(*self.FILES), elf.note(AUXV, auxiliary))
            .build()
        )
        assert read(data).executable == "/opt/claw"

    def test_hostile_count_gives_what_is_there(self, elf):
        good = elf.files(*self.FILES)
        bad = good.replace(struct.pack("<QQ", 3, 4096), struct.pack("<QQ", 2**62, 4096))
        start = time.perf_counter()
        read(elf.builder().notes(elf.status(1), bad).build())
        assert time.perf_counter() - start < 0.5

    def test_names_that_are_cut_off(self, elf):
        note = elf.note(0x46494C45, elf.files(*self.FILES)[20:-20])
        facts = read(elf.builder().notes(elf.status(1), note).build())
        assert len(facts.mappings) < 3


def started(elf, arguments, variables, *, key: int = AT_EXECFN, gap: int = 0) -> CoreFacts:
    """Read a core dump of a process with this command line and environment."""
    base = STACK + 64
    auxiliary = elf.auxiliary({AT_ENTRY: 1, key: base + 8})
    stack = bytes(64) + elf.stack(base, arguments, variables, auxiliary)
    padded = elf.note(AUXV, auxiliary + bytes(64))
    data = elf.builder().notes(elf.status(1), padded).load(STACK - gap, bytes(gap) + stack).build()
    return read(data)


class TestStartup:
    @pytest.mark.parametrize("key", [AT_EXECFN, AT_RANDOM])
    def test_arguments_and_kept_variables(self, elf, key: int):
        variables = [
            "PATH=/bin",
            "CLAW_VRAM_LIMIT=8192",
            "CUDA_VISIBLE_DEVICES=",
            "LD_PRELOAD=/a=b.so",
            "HF_TOKEN=hf_secret",
            "MY_CUDA_X=1",
        ]
        startup = started(elf, ["claw", "--ctx", "4 096"], variables, key=key).startup
        assert startup.arguments == ("claw", "--ctx", "4 096")
        assert startup.variables == {
            "CLAW_VRAM_LIMIT": "8192",
            "CUDA_VISIBLE_DEVICES": "",
            "LD_PRELOAD": "/a=b.so",
        }
        assert startup.environment_read
        assert "HF_TOKEN" in startup.names
        assert "hf_secret" not in repr(startup)

    def test_no_arguments_and_no_variables(self, elf):
        startup = started(elf, [], []).startup
        assert (startup.arguments, startup.names) == ((), frozenset())
        assert startup.environment_read

    def test_a_deep_stack_below_is_not_searched(self, elf):
        startup = started(elf, ["claw"], ["OMP_NUM_THREADS=4"], gap=1 << 20).startup
        assert startup.variables == {"OMP_NUM_THREADS": "4"}

    def test_strings_beyond_the_first_window(self, elf):
        variables = [f"V{n}={'x' * 3000}" for n in range(400)] + ["GGML_X=1"]
        startup = started(elf, ["claw"], variables).startup
        assert startup.variables == {"GGML_X": "1"}
        assert startup.environment_read

    def test_too_many_variables_are_not_all_known(self, elf):
        startup = started(elf, ["claw"], [f"V{n}=" for n in range(600)]).startup
        assert not startup.environment_read
        assert len(startup.names) == 512

    def test_long_values_are_cut(self, elf):
        startup = started(elf, ["a" * 10_000], [f"CLAW_X={'b' * 10_000}"]).startup
        assert startup.arguments == ("a" * 4096,)
        assert len(startup.variables["CLAW_X"]) < 4096

    def test_overwritten_environment_is_not_known(self, elf):
        startup = started(elf, ["claw"], ["CLAW_A=1", "server: idle"]).startup
        assert startup.variables == {"CLAW_A": "1"}
        assert not startup.environment_read

    def test_first_of_a_repeated_variable_counts(self, elf):
        assert started(elf, ["c"], ["CLAW_A=1", "CLAW_A=2"]).startup.variables == {"CLAW_A": "1"}

    @pytest.mark.parametrize(
        ("variable", "container"),
        [
            ("KUBERNETES_SERVICE_HOST=10.0.0.1", "kubernetes"),
            ("container=podman", "podman"),
            ("container=", None),
            ("CONTAINER=x", None),
        ],
    )
    def test_container(self, elf, variable: str, container: str | None):
        assert started(elf, ["c"], [variable]).startup.container == container

    def test_stack_that_was_not_dumped(self, elf):
        auxiliary = elf.auxiliary({AT_EXECFN: STACK})
        facts = read(elf.builder().notes(elf.status(1), elf.note(AUXV, auxiliary)).build())
        assert facts.startup.arguments is None
        assert not facts.startup.environment_read

    @pytest.mark.parametrize("at", range(0, 56, 8))
    def test_damaged_pointers_never_give_a_wrong_reading(self, elf, at: int):
        arguments, variables = ["claw", "-x"], ["CLAW_A=1", "CLAW_B=2"]
        base = STACK
        auxiliary = elf.auxiliary({AT_EXECFN: base + 8})
        stack = bytearray(elf.stack(base, arguments, variables, auxiliary))
        stack[at : at + 8] = struct.pack("<Q", 0xDEAD_0000)
        note = elf.note(AUXV, auxiliary)
        data = elf.builder().notes(elf.status(1), note).load(base, bytes(stack)).build()
        startup = read(data).startup
        assert startup.arguments in (None, ("claw", "-x"))
        assert set(startup.variables.items()) <= {("CLAW_A", "1"), ("CLAW_B", "2")}
        if startup.environment_read:
            assert startup.names == {"CLAW_A", "CLAW_B"}


class TestTruncation:
    def test_missing_bytes(self, elf):
        data = elf.builder().notes(elf.status(1)).load(0x1000, bytes(5000)).build()
        facts = read(data[:-1200])
        assert facts.missing_bytes == 1200
        assert codes(facts) == ["core-truncated"]
        assert "1200 bytes are missing" in facts.warnings[0].message
        assert len(facts.threads) == 1

    def test_whole(self, elf):
        data = elf.builder().notes(elf.status(1)).load(0x1000, bytes(5000)).build()
        assert read(data).missing_bytes == 0

    def test_every_length_is_read_or_refused(self, elf):
        data = elf.builder().notes(elf.status(1), elf.siginfo(11, 1)).load(0x1000, b"x").build()
        for length in range(len(data)):
            try:
                facts = read(data[:length])
            except InputError:
                assert length < 64
            else:
                assert "core-truncated" in codes(facts)


class TestHostile:
    def test_large_sparse_dump_is_fast(self, elf, tmp_path):
        path = tmp_path / "core"
        data = elf.builder().notes(elf.status(1), elf.siginfo(11, 1)).build()
        header = bytearray(data)
        path.write_bytes(header)
        with path.open("r+b") as stream:
            stream.truncate(1 << 30)
        with path.open("rb") as stream:
            start = time.perf_counter()
            facts = read_core(stream, 1 << 30)
            assert time.perf_counter() - start < 0.05
        assert len(facts.threads) == 1

    def test_notes_of_eight_gibibytes_are_not_read(self, elf, tmp_path):
        path = tmp_path / "core"
        note = struct.pack("<IIQQQQQQ", 4, 0, 4096, 0, 0, 8 << 30, 0, 4)
        path.write_bytes(elf.builder().header(1) + note)
        with path.open("r+b") as stream:
            stream.truncate((8 << 30) + 4096)
        with path.open("rb") as stream:
            start = time.perf_counter()
            facts = read_core(stream, (8 << 30) + 4096)
            assert time.perf_counter() - start < 0.1
        assert "core-notes-too-large" in codes(facts)

    def test_many_note_segments_share_one_limit(self, elf, monkeypatch):
        monkeypatch.setattr(core_module, "MAX_NOTES", 1000)
        facts = read(
            elf.builder().notes(elf.status(1)).notes(elf.status(2)).notes(elf.status(3)).build()
        )
        assert [t.tid for t in facts.threads] == [1, 2]
        assert codes(facts) == ["core-notes-too-large"]

    def test_extended_count_of_segments(self, elf):
        plain = elf.builder().notes(elf.status(1)).build()
        data = bytearray(plain)
        data[56:58] = b"\xff\xff"
        struct.pack_into("<Q", data, 40, len(plain))
        data += struct.pack("<IIQQQQIIQQ", 0, 0, 0, 0, 0, 0, 0, 1, 0, 0)
        assert [t.tid for t in read(bytes(data)).threads] == [1]

    def test_more_segments_than_are_read(self, elf):
        data = bytearray(elf.builder().header(0xFFFF))
        struct.pack_into("<Q", data, 40, 64)
        data += struct.pack("<IIQQQQIIQQ", 0, 0, 0, 0, 0, 0, 0, 0xFFFF_FFFF, 0, 0)
        start = time.perf_counter()
        facts = read(bytes(data))
        assert time.perf_counter() - start < 0.5
        assert "core-segments-too-many" in codes(facts)

    def test_segments_that_wrap_around(self, elf):
        loads = [(2**64 - 4096, 2**63), (0, 2**64 - 1), (2**63, 2**63)]
        headers = [struct.pack("<IIQQQQQQ", 1, 5, 2**63, a, 0, s, s, 4) for a, s in loads]
        facts = read(elf.builder().header(3) + b"".join(headers))
        assert facts.missing_bytes > 2**63

    @pytest.mark.parametrize(
        ("machine", "arch"), [(3, "i386"), (243, "riscv"), (190, "cuda"), (9999, "machine-9999")]
    )
    def test_other_architecture(self, elf, machine: int, arch: str):
        facts = read(elf.builder(machine=machine).notes(elf.status(1)).build())
        assert (facts.arch, facts.supported, facts.threads) == (arch, False, ())
        assert codes(facts) == ["unsupported-arch"]

    def test_big_endian(self, elf):
        ident = b"\x7fELF\x02\x02\x01" + bytes(9)
        data = ident + struct.pack(">HHIQQQIHHHHHH", 4, 22, 1, 0, 64, 0, 0, 64, 56, 0, 0, 0, 0)
        facts = read(data)
        assert (facts.arch, facts.byte_order, facts.bits) == ("s390x", "big", 64)
        assert "unsupported-arch" in codes(facts)

    def test_32_bit(self):
        ident = b"\x7fELF\x01\x01\x01" + bytes(9)
        data = ident + struct.pack("<HHIIIIIHHHHHH", 4, 3, 1, 0, 52, 0, 0, 52, 32, 1, 0, 0, 0)
        data += struct.pack("<IIIIIIII", 1, 84, 0x1000, 0, 4, 4, 5, 4)
        facts = read(data.ljust(88, b"x"))
        assert (facts.arch, facts.bits, facts.missing_bytes) == ("i386", 32, 0)


class TestNoCore:
    @pytest.mark.parametrize(
        ("data", "what", "way_out"),
        [
            (b"", "an empty file", "ulimit -c unlimited"),
            (b"#0 main () at a.c:1\n", "a text file", "clawtriage analyze FILE"),
            ("ошибка\n".encode(), "a text file", "clawtriage analyze FILE"),
            (b"\x7fELF\x02\x01", "cut off", "ulimit -c unlimited"),
            (b"\x1f\x8b\x08\0", "a gzip file", "gunzip FILE"),
            (b"\x28\xb5\x2f\xfd\0", "a zstd file", "unzstd FILE"),
            (b"MDMP\0\0", "a minidump", "stackwalk"),
            (bytes(range(256)), "an unknown kind", "core dump"),
        ],
    )
    def test_refused_with_a_way_out(self, data: bytes, what: str, way_out: str):
        with pytest.raises(InputError, match=what) as caught:
            read(data)
        assert way_out in (caught.value.hint or "")

    @pytest.mark.parametrize("file_type", [2, 3])
    def test_executable(self, elf, file_type: int):
        with pytest.raises(InputError, match="an ELF executable or library") as caught:
            read(elf.builder(file_type=file_type).build())
        assert "--binary" in (caught.value.hint or "")


def test_facts_can_be_copied(elf):
    facts = read(elf.builder().notes(elf.status(1)).build())
    assert replace(facts, warnings=()) == facts
