"""Reads core dumps that the kernel wrote of programs that really crashed."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from triage.debugger import early, libraries, prepare, recursion, stacks
from triage.debugger.coredump import read_core_dump
from triage.debugger.early import EarlyRead, anticipate
from triage.debugger.limits import Arguments, GdbLimits
from triage.debugger.prepare import CoreRequest
from triage.elf.corefile import read_core
from triage.errors import InputError
from triage.model.crash import Fragment, Symbols
from triage.model.stack import Frame, FrameKind, Thread, Trust

ROOT = Path(__file__).resolve().parents[2]
Crash = Callable[..., Path]
KNOWN = frozenset({"CLAW_VRAM_LIMIT", "CUDA_VISIBLE_DEVICES"})


def read(core: Path, binary: Path | None, **more: object) -> Fragment:
    request = CoreRequest(binaries=(binary,) if binary else (), **more)
    return read_core_dump(core, request, input_id=3, known_variables=KNOWN)


def crashed(fragment: Fragment) -> Thread:
    (thread,) = [t for t in fragment.threads if t.crashed]
    return thread


def functions(thread: Thread) -> list[str | None]:
    return [f.function for f in thread.frames]


def frame(thread: Thread, function: str) -> Frame:
    return next(f for f in thread.frames if f.function == function)


def codes(fragment: Fragment) -> list[str]:
    return [w.code for w in fragment.warnings]


class TestCrash:
    def test_null_dereference_with_inlined_frames(self, core_programs, crash: Crash):
        fragment = read(crash(core_programs.plain), core_programs.plain)
        thread = crashed(fragment)
        assert functions(thread)[:4] == ["read_tensor", "scale_row", "load_model", "main"]
        assert [f.inlined for f in thread.frames[:4]] == [True, True, False, False]
        source = (Path(__file__).parent / "core_programs" / "crash.cpp").read_text().splitlines()
        top = thread.frames[0]
        assert top.line is not None
        assert "data[at];" in source[top.line - 1]
        assert top.file is not None
        assert top.file.endswith("crash.cpp")
        assert (top.trust, top.kind, top.module) == (Trust.DEBUG_INFO, FrameKind.HOST, "crash")
        assert codes(fragment) == []
        assert (fragment.dialect, fragment.signal_rank) == ("elf-core", 0)

    def test_arguments_are_names_and_simple_values(self, core_programs, crash: Crash):
        fragment = read(crash(core_programs.plain), core_programs.plain)
        assert crashed(fragment).frames[0].args == "at=2, data=0x0"
        text = frame(crashed(fragment), "load_model").args
        assert text is not None
        assert text.startswith("data=0x0, options=")
        assert "{" not in text

    def test_signal_with_code_and_address(self, core_programs, crash: Crash):
        signal = read(crash(core_programs.plain), None).signal
        assert signal is not None
        assert (signal.name, signal.number) == ("SIGSEGV", 11)
        assert (signal.code, signal.fault_address) == ("SEGV_MAPERR", "0x8")
        assert signal.at is not None
        assert signal.at.input == 3

    def test_division_by_zero_is_told_from_a_segfault(self, core_programs, crash: Crash):
        signal = read(crash(core_programs.plain, "divide"), None).signal
        assert signal is not None
        assert (signal.name, signal.code) == ("SIGFPE", "FPE_INTDIV")
        assert signal.fault_address is not None

    def test_five_threads_with_their_system_ids(self, core_programs, crash: Crash):
        core = crash(core_programs.plain, "threads")
        fragment = read(core, core_programs.plain)
        with core.open("rb") as stream:
            facts = read_core(stream, core.stat().st_size)
        assert len(fragment.threads) == 5
        assert {t.tid for t in fragment.threads} == {t.tid for t in facts.threads}
        assert crashed(fragment).tid == facts.threads[0].tid == facts.pid
        others = [t for t in fragment.threads if not t.crashed]
        assert all("wait_long" in functions(t) for t in others)

    def test_only_the_main_thread_has_a_name(self, core_programs, crash: Crash):
        fragment = read(crash(core_programs.plain, "abort-in-thread"), core_programs.plain)
        thread = crashed(fragment)
        assert "fail_in_thread" in functions(thread)
        assert fragment.signal is not None
        assert (fragment.signal.name, fragment.signal.code) == ("SIGABRT", "SI_TKILL")
        assert fragment.signal.fault_address is None
        # The kernel saves the name of the first thread alone.
        assert {t.name for t in fragment.threads if not t.crashed} == {"claw_main"}
        assert thread.name is None

    def test_frames_beyond_a_signal_handler(self, core_programs, crash: Crash):
        thread = crashed(read(crash(core_programs.plain, "handler"), core_programs.plain))
        kinds = [f.kind for f in thread.frames]
        place = kinds.index(FrameKind.SIGNAL_HANDLER)
        assert "on_signal" in functions(thread)[:place]
        assert functions(thread)[place] is None
        assert functions(thread)[place + 1] == "read_tensor"

    def test_stack_through_a_library_that_called_back(self, core_programs, crash: Crash):
        # The innermost frame is the program's: the library is found to be needed on the way.
        thread = crashed(read(crash(core_programs.plain, "callback"), core_programs.plain))
        modules = [f.module for f in thread.frames]
        assert functions(thread)[:2] == ["read_tensor", "compare_rows"]
        assert functions(thread)[-1] == "main"
        assert "libc.so.6" in modules
        assert modules[-1] == "crash"

    def test_all_libraries_are_read_where_one_by_one_takes_too_long(
        self, core_programs, crash: Crash, monkeypatch
    ):
        monkeypatch.setattr(stacks, "_ROUNDS", 2)
        monkeypatch.setattr(stacks.StackReader, "_load_commands", lambda *_: [])
        thread = crashed(read(crash(core_programs.plain, "callback"), core_programs.plain))
        assert functions(thread)[-1] == "main"

    def test_call_of_a_null_function(self, core_programs, crash: Crash):
        thread = crashed(read(crash(core_programs.plain, "jump"), core_programs.plain))
        assert thread.frames[0].trust is Trust.ADDRESS_ONLY
        assert thread.frames[0].module is None
        assert functions(thread)[1] == "main"

    def test_recursion_through_inlined_frames(self, core_programs, crash: Crash):
        thread = crashed(read(crash(core_programs.plain, "bounce"), core_programs.plain))
        told = [(f.function, f.inlined) for f in thread.frames]
        fold = [("read_tensor", True), *((f"Fold<{n}>::run", True) for n in range(3))]
        call = [("bounce", False), ("hop", True)]
        assert told == [*fold, *call, *call, *call, ("bounce", False), ("main", False)]


class TestEnvironment:
    def test_arguments_options_and_variables(self, core_programs, crash: Crash):
        core = crash(
            core_programs.plain,
            "null",
            "--model",
            "/models/a b.gguf",
            "--ctx-size=4096",
            "-ngl",
            "99",
            "--temp",
            "-1",
            "--mlock",
            CLAW_VRAM_LIMIT="8192",
            HF_TOKEN="hf_x",  # noqa: S106
        )
        environment = read(core, None).environment
        assert environment.command_line is not None
        assert environment.command_line[1:4] == ("null", "--model", "/models/a b.gguf")
        assert environment.options == {
            "model": "/models/a b.gguf",
            "ctx-size": "4096",
            "-ngl": "99",
            "temp": "-1",
            "mlock": "true",
        }
        assert environment.variables == {"CLAW_VRAM_LIMIT": "8192", "CUDA_VISIBLE_DEVICES": None}
        assert (environment.os, environment.arch) == ("linux", os.uname().machine)

    def test_unset_variable_is_known_to_be_unset(self, core_programs, crash: Crash):
        environment = read(crash(core_programs.plain), None).environment
        assert environment.variables == {"CLAW_VRAM_LIMIT": None, "CUDA_VISIBLE_DEVICES": None}

    def test_variables_are_not_known_where_the_stack_is_lost(
        self, core_programs, crash: Crash, tmp_path: Path
    ):
        part = cut(crash(core_programs.plain), tmp_path, 0.5)
        environment = read(part, None).environment
        assert environment.variables == {}
        assert environment.command_line is None

    def test_container_from_the_environment(self, core_programs, crash: Crash):
        core = crash(core_programs.plain, KUBERNETES_SERVICE_HOST="10.0.0.1")
        assert read(core, None).environment.container == "kubernetes"


class TestBinary:
    def test_without_a_binary_nothing_is_opened(self, core_programs, crash: Crash, monkeypatch):
        monkeypatch.setattr(prepare, "GdbProcess", forbidden)
        core = crash(core_programs.plain, "threads")
        fragment = read(core, None)
        assert [len(t.frames) for t in fragment.threads] == [1] * 5
        top = crashed(fragment).frames[0]
        assert (top.function, top.trust, top.module) == (None, Trust.ADDRESS_ONLY, "crash")
        assert "load_model" in named_by(core_programs.plain, top.offset)
        assert codes(fragment) == ["binary-missing"]
        command = f"clawtriage core {core} --binary {core_programs.plain}"
        assert command in fragment.warnings[0].message

    def test_names_of_another_build_are_not_used(self, core_programs, crash: Crash):
        fragment = read(crash(core_programs.plain), core_programs.other)
        assert "binary-mismatch" in codes(fragment)
        assert functions(crashed(fragment)) == [None]
        assert module(fragment, "crash").symbols is Symbols.MISSING

    def test_other_build_still_names_the_libraries(self, core_programs, crash: Crash):
        fragment = read(crash(core_programs.plain, "handler"), core_programs.other)
        thread = crashed(fragment)
        assert any("abort" in (f.function or "") for f in thread.frames)
        assert (thread.frames[-1].function, thread.frames[-1].module) == (None, "crash")

    def test_matching_binary_would_have_been_used(self, core_programs, crash: Crash):
        # Without the comparison of build ids the wrong names would come out.
        fragment = read(crash(core_programs.other), core_programs.other)
        assert functions(crashed(fragment))[0] == "read_vector"

    def test_stripped_binary_unwinds_without_names(self, core_programs, crash: Crash):
        fragment = read(crash(core_programs.plain), core_programs.stripped)
        assert codes(fragment) == ["binary-stripped"]
        thread = crashed(fragment)
        assert functions(thread)[0] is None
        assert "load_model" in named_by(core_programs.plain, thread.frames[0].offset)
        assert named_by(core_programs.plain, thread.frames[1].offset) == "main"

    def test_modules_with_build_ids_and_symbols(self, core_programs, crash: Crash):
        fragment = read(crash(core_programs.plain), core_programs.plain)
        notes = subprocess.check_output(["readelf", "-n", core_programs.plain], text=True)
        program = module(fragment, "crash")
        assert program.symbols is Symbols.FULL
        assert program.build_id is not None
        assert f"Build ID: {program.build_id}" in notes
        assert program.path == str(core_programs.plain)
        libc = module(fragment, "libc.so.6")
        assert libc.build_id is not None
        assert libc.symbols in (Symbols.FULL, Symbols.SYMBOLS_ONLY)

    def test_library_of_another_build_gives_no_names(
        self, core_programs, crash: Crash, tmp_path: Path
    ):
        core = crash(core_programs.plain, "handler")
        changed = tmp_path / "core"
        notes = subprocess.check_output(["readelf", "-n", libc_path(core)], text=True)
        build_id = bytes.fromhex(notes.partition("Build ID: ")[2].split()[0])
        data = core.read_bytes()
        assert data.count(build_id) == 1
        changed.write_bytes(data.replace(build_id, bytes(len(build_id))))
        fragment = read(changed, core_programs.plain)
        assert "library-mismatch" in codes(fragment)
        assert functions(crashed(fragment)) == [None]

    def test_core_dump_as_binary_is_refused(self, core_programs, crash: Crash):
        core = crash(core_programs.plain)
        with pytest.raises(InputError, match="a core dump"):
            read(core, core)


class TestLimits:
    def test_deep_recursion(self, core_programs, crash: Crash):
        # Deeper than gdb unwinds: the calls between the two ends are counted in the core itself.
        core = crash(core_programs.plain, "recursion", "100000")
        start = time.monotonic()
        fragment = read(core, core_programs.plain)
        thread = crashed(fragment)
        assert time.monotonic() - start < 15
        assert functions(thread) == ["descend"] * 249 + ["main"]
        assert not any(f.inlined for f in thread.frames)
        assert thread.frames_omitted == 100_002 - 250
        assert [f.index for f in thread.frames[199:201]] == [199, 99_952]
        assert codes(fragment) == []

    def test_deep_recursion_whose_end_is_not_found(self, core_programs, crash, monkeypatch):
        monkeypatch.setattr(recursion, "find_jump", lambda *_: None)
        fragment = read(crash(core_programs.plain, "recursion", "100000"), core_programs.plain)
        thread = crashed(fragment)
        assert functions(thread) == ["descend"] * 200
        assert thread.frames_omitted >= 19_000
        assert "stack-too-deep" in codes(fragment)

    def test_deep_recursion_through_inlined_frames(self, core_programs, crash: Crash):
        core = crash(core_programs.plain, "bounce", "30000")
        thread = crashed(read(core, core_programs.plain))
        told = [(f.function, f.inlined) for f in thread.frames]
        assert told[200:] == [("bounce", False), ("hop", True)] * 24 + [
            ("bounce", False), ("main", False),
        ]  # fmt: skip
        # Four of the leaf, then a call and its inlined frame 30,000 times, the first call, `main`.
        assert thread.frames[-1].index == 4 + 2 * 30_000 + 1

    def test_outer_frames_of_a_stack_whose_end_is_reached(self, core_programs, crash: Crash):
        core = crash(core_programs.plain, "recursion", "1000")
        fragment = read(core, core_programs.plain)
        thread = crashed(fragment)
        assert len(thread.frames) == 250
        assert thread.frames[-1].function == "main"
        # 1,001 times `descend`, then `main`.
        assert thread.frames_omitted == 1002 - 250
        assert thread.frames[200].index == thread.frames[199].index + 1 + thread.frames_omitted
        assert codes(fragment) == []

    def test_endless_unwinding_ends_at_the_wall_limit(self, core_programs, crash: Crash):
        core = crash(core_programs.endless_unwind)
        start = time.monotonic()
        fragment = read(core, core_programs.endless_unwind, limits=GdbLimits(wall=1.0))
        assert time.monotonic() - start < 4
        assert codes(fragment) == ["debugger-wall-limit"]
        assert crashed(fragment).frames[0].module == "endless"
        assert children() == []

    def test_endless_unwinding_ends_at_the_cpu_limit(self, core_programs, crash: Crash):
        core = crash(core_programs.endless_unwind)
        fragment = read(core, core_programs.endless_unwind, limits=GdbLimits(wall=15, cpu=1))
        assert codes(fragment) == ["debugger-cpu-limit"]
        assert children() == []

    def test_output_limit(self, core_programs, crash: Crash):
        core = crash(core_programs.plain, "recursion", "1000")
        fragment = read(core, core_programs.plain, limits=GdbLimits(output=20_000))
        assert codes(fragment) == ["debugger-output-limit"]
        assert crashed(fragment).frames[0].address is not None
        assert children() == []

    def test_second_attempt_gets_by_without_arguments(self, core_programs, crash: Crash):
        core = crash(core_programs.plain, "recursion", "1000")
        # Enough for the frames, not enough for their arguments as well.
        fragment = read(core, core_programs.plain, limits=GdbLimits(output=75_000))
        assert codes(fragment) == ["debugger-reduced"]
        thread = crashed(fragment)
        assert len(thread.frames) == 250
        assert all(f.args is None for f in thread.frames)

    def test_arguments_can_be_left_out(self, core_programs, crash: Crash):
        limits = GdbLimits(arguments=Arguments.NONE)
        fragment = read(crash(core_programs.plain), core_programs.plain, limits=limits)
        assert all(f.args is None for f in crashed(fragment).frames)

    def test_few_detailed_threads(self, core_programs, crash: Crash):
        core = crash(core_programs.plain, "threads")
        fragment = read(core, core_programs.plain, limits=GdbLimits(detailed_threads=1))
        assert len(fragment.threads) == 5
        assert len(crashed(fragment).frames) > 1
        assert [len(t.frames) for t in fragment.threads if not t.crashed] == [1] * 4

    def test_no_debugger_is_left_behind(self, core_programs, crash: Crash):
        read(crash(core_programs.plain), core_programs.plain)
        assert children() == []


class TestDebugger:
    def test_missing(self, core_programs, crash: Crash, monkeypatch, tmp_path: Path):
        monkeypatch.setenv("PATH", str(tmp_path))
        fragment = read(crash(core_programs.plain, "threads"), core_programs.plain)
        assert codes(fragment) == ["debugger-missing"]
        assert "apt-get install gdb" in fragment.warnings[0].message
        assert [len(t.frames) for t in fragment.threads] == [1] * 5

    def test_one_that_ignores_a_setting_gets_no_input(
        self, core_programs, crash: Crash, monkeypatch, tmp_path: Path
    ):
        real = shutil.which("gdb")
        seen = tmp_path / "seen"
        script = tmp_path / "gdb"
        script.write_text(
            "#!/bin/bash\nwords=()\n"
            'for w in "$@"; do [ "$w" = "set auto-load no" ] && w="set auto-load on"; '
            'words+=("$w"); done\n'
            f'tee -a {seen} | {real} "${{words[@]}}"\n'
        )
        script.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        fragment = read(crash(core_programs.plain), core_programs.plain, sandbox=False)
        assert codes(fragment) == ["sandbox-off", "debugger-failed"]
        assert "auto-load gdb-scripts off" in fragment.warnings[1].message
        assert "gdb-show" in seen.read_text()
        assert "target-select" not in seen.read_text()

    def test_one_that_dies_at_once(self, core_programs, crash: Crash, monkeypatch, tmp_path: Path):
        script = tmp_path / "gdb"
        script.write_text("#!/bin/sh\necho broken >&2\nexit 3\n")
        script.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        fragment = read(crash(core_programs.plain), core_programs.plain, sandbox=False)
        assert codes(fragment) == ["sandbox-off", "debugger-failed"]
        assert "broken" in fragment.warnings[1].message

    def test_scripts_beside_the_binary_do_not_run(self, core_programs, crash: Crash, tmp_path):
        binary = tmp_path / "crash"
        shutil.copy(core_programs.plain, binary)
        canary = tmp_path / "canary"
        (tmp_path / "crash-gdb.py").write_text(f"open({str(canary)!r}, 'w')\n")
        (tmp_path / "crash-gdb.gdb").write_text(f"shell touch {canary}\n")
        (tmp_path / ".gdbinit").write_text(f"shell touch {canary}\n")
        core = crash(binary)
        assert functions(crashed(read(core, binary)))[0] == "read_tensor"
        assert not canary.exists()
        # The same files do run where scripts are allowed, so the test can see them.
        allow = ["-iex", "set auto-load safe-path /"]
        subprocess.run(["gdb", "-batch", "-nx", *allow, binary], check=True, capture_output=True)
        assert canary.exists()

    def test_read_early(self, core_programs, crash: Crash):
        core = crash(core_programs.plain, HF_X="1")
        with EarlyRead(core, CoreRequest(binaries=(core_programs.plain,))) as reading:
            fragment = reading.result(KNOWN)
        assert functions(crashed(fragment))[0] == "read_tensor"
        assert fragment.environment.variables == dict.fromkeys(KNOWN)
        assert children() == []

    def test_started_before_the_command_line_was_read(self, core_programs, crash: Crash):
        core, binary = crash(core_programs.plain), core_programs.plain
        with anticipate([str(core), "--binary", str(binary), "-v"]):
            ((_, _, prepared),) = list(early._anticipated)
            assert prepared.started is not None
            with EarlyRead(core, CoreRequest(binaries=(binary,))) as reading:
                assert reading._prepared is prepared
                assert functions(crashed(reading.result(KNOWN)))[0] == "read_tensor"
        assert prepared.started.popen.returncode is not None

    @pytest.mark.parametrize("more", [["--sysroot", "/"], ["--unsafe-no-sandbox"]])
    def test_started_for_something_else(self, core_programs, crash: Crash, more: list[str]):
        core, binary = crash(core_programs.plain), core_programs.plain
        with anticipate([str(core), "-b", str(binary), *more]):
            ((_, _, prepared),) = list(early._anticipated)
            with EarlyRead(core, CoreRequest(binaries=(binary,), sandbox=False)) as reading:
                assert reading._prepared is not prepared
                assert prepared.started is not None
                assert prepared.started.popen.returncode is not None
        assert children() == []

    @pytest.mark.parametrize("words", [[], ["core"], ["-b", "x", "core"], ["missing", "-b", "x"]])
    def test_nothing_to_start(self, words: list[str]):
        with anticipate(words):
            assert early._anticipated == []

    def test_prepared_and_not_read(self, core_programs, crash: Crash):
        request = CoreRequest(binaries=(core_programs.plain,), sandbox=False)
        with prepare.prepare(crash(core_programs.plain), request) as prepared:
            assert prepared.started is not None
            folder = Path(f"/proc/{prepared.started.popen.pid}/cwd").readlink()
            assert folder.is_dir()
        assert not folder.exists()
        assert children() == []

    @pytest.mark.parametrize("sandbox", [True, False])
    def test_file_names_that_need_quoting(
        self, core_programs, crash: Crash, tmp_path: Path, sandbox: bool
    ):
        folder = tmp_path / "a \"b' c\\n $d"
        folder.mkdir()
        binary, core = folder / "my crash", folder / "the core"
        shutil.copy(core_programs.plain, binary)
        shutil.copy(crash(core_programs.plain), core)
        fragment = read(core, binary, sandbox=sandbox)
        assert functions(crashed(fragment))[0] == "read_tensor"

    def test_file_name_with_a_line_end_gives_no_command(self, core_programs, crash, tmp_path):
        core = tmp_path / "core\nshell touch canary"
        shutil.copy(crash(core_programs.plain), core)
        fragment = read(core, core_programs.plain, sandbox=False)
        assert codes(fragment) == ["sandbox-off", "debugger-failed"]
        assert "cannot be told the path" in fragment.warnings[1].message
        # In the sandbox every file has a name that we gave it.
        assert functions(crashed(read(core, core_programs.plain)))[0] == "read_tensor"

    def test_sysroot_without_the_libraries(
        self, core_programs, crash: Crash, tmp_path: Path, monkeypatch
    ):
        monkeypatch.setattr(libraries, "open_regular", forbidden)
        fragment = read(crash(core_programs.plain), core_programs.plain, sysroot=tmp_path)
        assert functions(crashed(fragment))[0] == "read_tensor"
        assert module(fragment, "libc.so.6").symbols is Symbols.MISSING


class TestUnsuitable:
    def test_half_a_core_dump(self, core_programs, crash: Crash, tmp_path: Path):
        core = crash(core_programs.plain)
        fragment = read(cut(core, tmp_path, 0.5), core_programs.plain)
        assert "core-truncated" in codes(fragment)
        missing = core.stat().st_size - int(core.stat().st_size * 0.5)
        assert str(missing) in fragment.warnings[0].message
        assert fragment.signal is not None
        assert crashed(fragment).frames[0].address is not None

    def test_whole_core_dump_is_not_called_truncated(self, core_programs, crash: Crash):
        assert "core-truncated" not in codes(read(crash(core_programs.plain), None))

    def test_header_alone(self, core_programs, crash: Crash, tmp_path: Path):
        part = tmp_path / "core"
        part.write_bytes(crash(core_programs.plain).read_bytes()[:64])
        fragment = read(part, core_programs.plain)
        assert "core-truncated" in codes(fragment)
        assert fragment.threads == ()

    def test_empty_file(self, tmp_path: Path):
        (tmp_path / "core").touch()
        with pytest.raises(InputError, match="an empty file") as caught:
            read(tmp_path / "core", None)
        assert "ulimit" in (caught.value.hint or "")

    def test_text(self, tmp_path: Path):
        (tmp_path / "core").write_text("Thread 1 (LWP 1):\n#0  main () at main.c:3\n")
        with pytest.raises(InputError, match="this is a text file") as caught:
            read(tmp_path / "core", None)
        assert caught.value.hint == "clawtriage analyze FILE"

    def test_executable(self, core_programs):
        with pytest.raises(InputError, match="executable") as caught:
            read(core_programs.plain, None)
        assert "--binary" in (caught.value.hint or "")

    def test_pipe_does_not_block(self, tmp_path: Path):
        os.mkfifo(tmp_path / "core")
        with pytest.raises(InputError, match="not a regular file"):
            read(tmp_path / "core", None)

    @pytest.mark.parametrize("name", [".", "missing"])
    def test_no_file(self, tmp_path: Path, name: str):
        with pytest.raises(InputError, match="cannot read the core dump"):
            read(tmp_path / name, None)

    def test_core_dump_of_another_architecture(self, core_programs, crash, tmp_path, monkeypatch):
        monkeypatch.setattr(prepare, "GdbProcess", forbidden)
        data = bytearray(crash(core_programs.plain).read_bytes())
        data[18:20] = (243).to_bytes(2, "little")
        (tmp_path / "core").write_bytes(data)
        fragment = read(tmp_path / "core", core_programs.plain)
        assert "unsupported-arch" in codes(fragment)
        assert fragment.threads == ()
        assert fragment.environment.arch == "riscv"


def module(fragment: Fragment, name: str):
    return next(m for m in fragment.modules if m.name == name)


def forbidden(*_: object) -> None:
    pytest.fail("something was started or opened that must not be")


def cut(core: Path, folder: Path, share: float) -> Path:
    part = folder / "half"
    data = core.read_bytes()
    part.write_bytes(data[: int(len(data) * share)])
    return part


def named_by(binary: Path, offset: str | None) -> str:
    assert offset is not None
    words = ["addr2line", "-f", "-e", str(binary), offset]
    return subprocess.check_output(words, text=True).splitlines()[0]


def libc_path(core: Path) -> str:
    with core.open("rb") as stream:
        facts = read_core(stream, core.stat().st_size)
    return next(m.path for m in facts.modules if m.name.startswith("libc"))


def children() -> list[int]:
    me = os.getpid()
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == me:
            found.append(int(entry.parent.name))
    return found


def test_memory_of_this_process_stays_small(core_programs, crash: Crash):
    core = crash(core_programs.plain, "recursion", "100000")
    # In a process of its own: the peak of this one is that of every test that ran in it before, and
    # what getrusage says of a child counts the parent that it was forked from.
    script = (
        "import re, sys; from pathlib import Path\n"
        "from triage.debugger.coredump import read_core_dump\n"
        "from triage.debugger.prepare import CoreRequest\n"
        "core, binary = map(Path, sys.argv[1:])\n"
        "found = read_core_dump(core, CoreRequest(binaries=(binary,)), input_id=0)\n"
        "status = Path('/proc/self/status').read_text()\n"
        "print(len(found.threads[0].frames), re.search(r'VmHWM:\\s+(\\d+)', status)[1])"
    )
    words = [sys.executable, "-c", script, core, core_programs.plain]
    frames, peak = subprocess.check_output(words, cwd=ROOT, text=True).split()
    assert int(frames) == 250
    assert int(peak) < 128 << 10
