"""The conversation with gdb, held with programs that misbehave in its place."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from triage.debugger.frames import FrameReader, read_arguments
from triage.debugger.inlining import find_runs, group_size, inlined_levels, to_measure
from triage.debugger.launch import GdbOptions, GdbProcess, expected_settings
from triage.debugger.libraries import Libraries, Library
from triage.debugger.limits import GdbLimits, Outcome
from triage.debugger.linkernames import SourceNames
from triage.debugger.mi import MiSession
from triage.debugger.options import parse_options
from triage.debugger.records import parse_record
from triage.elf.facts import CoreFacts, FileMapping
from triage.errors import DebuggerError
from triage.model.crash import Symbols
from triage.model.stack import Trust

# Answers every question about a setting truthfully, and then does what the test says.
_FAKE = """#!{python}
import os, signal, sys, time
settings = {settings!r}
out = sys.stdout.buffer
for line in sys.stdin:
    token, dash, command = line.strip().partition("-")
    name = command.partition("gdb-show ")[2]
    if name in settings:
        out.write(f'{{token}}^done,value="{{settings[name]}}"\\n(gdb) \\n'.encode())
    else:
{body}
    out.flush()
"""

Open = Callable[..., MiSession]


@pytest.fixture
def open_session(tmp_path: Path) -> Iterator[Open]:
    sessions: list[MiSession] = []

    def start(*body: str, limits: GdbLimits | None = None) -> MiSession:
        gdb = tmp_path / "gdb"
        gdb.write_text(
            _FAKE.format(
                python=sys.executable,
                settings=dict(expected_settings(GdbOptions())),
                body="\n".join(f"        {line}" for line in body),
            )
        )
        gdb.chmod(0o755)
        process = GdbProcess(str(gdb), GdbOptions())
        sessions.append(MiSession(process, limits or GdbLimits(wall=10)))
        return sessions[-1]

    yield start
    for session in sessions:
        session.close()


def ends(pid: int, seconds: float = 5.0) -> bool:
    """Tell whether a killed process dies soon; an orphan that nobody waits for is a zombie."""
    state = Path(f"/proc/{pid}/stat")
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if state.read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.01)
    return False


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


class TestSession:
    def test_replies_come_in_the_order_of_the_commands(self, open_session: Open):
        session = open_session("out.write(f'{token}^done,name=\"{command}\"\\n'.encode())")
        replies = session.send_all(["-a", "-b", "-c"])
        assert [r.payload["name"] for r in replies] == ["a", "b", "c"]
        assert {r.outcome for r in replies} == {Outcome.OK}

    def test_more_commands_than_a_pipe_holds(self, open_session: Open):
        session = open_session("out.write(f'{token}^done,n=\"{command}\"\\n'.encode())")
        commands = [f"-{n}-{'x' * 200}" for n in range(3000)]
        replies = session.send_all(commands)
        assert [f"-{r.payload['n']}" for r in replies] == commands

    def test_error_reply(self, open_session: Open):
        session = open_session('out.write(f\'{token}^error,msg="No \\\\"x\\\\"."\\n\'.encode())')
        reply = session.send("-a")
        assert (reply.message, reply.error) == ("error", 'No "x".')
        assert reply.outcome is Outcome.OK

    def test_console_text_belongs_to_its_command(self, open_session: Open):
        session = open_session(
            "out.write(b'~\"text of ' + command.encode() + b'\\\\n\"\\n')",
            "out.write(f'{token}^done\\n'.encode())",
        )
        first, second = session.send_all(["-a", "-b"])
        assert (first.console, second.console) == (("text of a",), ("text of b",))

    def test_silence_ends_at_the_wall_limit(self, open_session: Open):
        session = open_session("time.sleep(100)", limits=GdbLimits(wall=0.6))
        start = time.monotonic()
        reply = session.send("-a")
        assert 0.1 < time.monotonic() - start < 2
        assert (reply.outcome, reply.message) == (Outcome.WALL_LIMIT, None)
        assert not alive(session.pid)

    def test_one_that_ignores_sigterm_and_its_child_are_killed(
        self, open_session: Open, tmp_path: Path
    ):
        note = tmp_path / "child"
        session = open_session(
            "signal.signal(signal.SIGTERM, signal.SIG_IGN)",
            "child = os.fork()",
            f"open({str(note)!r}, 'a').write(f'{{child}} ' if child else '')",
            "time.sleep(100)",
            limits=GdbLimits(wall=0.8),
        )
        assert session.send("-a").outcome is Outcome.WALL_LIMIT
        assert not alive(session.pid)
        assert ends(int(note.read_text().split()[0]))

    def test_flood_without_line_ends_stops_at_the_output_limit(self, open_session: Open):
        session = open_session(
            "while True: out.write(b'x' * 65536)", limits=GdbLimits(wall=10, output=1 << 20)
        )
        start = time.monotonic()
        assert session.send("-a").outcome is Outcome.OUTPUT_LIMIT
        assert time.monotonic() - start < 3
        assert not alive(session.pid)

    def test_flood_of_errors_does_not_block(self, open_session: Open):
        session = open_session(
            "sys.stderr.write('e' * 1000000 + 'the end'); sys.stderr.flush()",
            "out.write(f'{token}^done\\n'.encode())",
        )
        assert session.send("-a").message == "done"
        assert session.stderr.endswith("the end")
        assert len(session.stderr) < 10_000

    def test_death_keeps_the_replies_that_came(self, open_session: Open):
        session = open_session(
            "out.write(f'{token}^done,n=\"1\"\\n'.encode()); out.flush()",
            "if command == 'b': os.kill(os.getpid(), signal.SIGSEGV)",
        )
        replies = session.send_all(["-a", "-b", "-c"])
        assert [r.message for r in replies] == ["done", "done", None]
        assert replies[2].outcome is Outcome.DIED
        assert session.send("-d").outcome is Outcome.DIED

    def test_unreadable_reply_is_kept_and_the_next_one_read(self, open_session: Open):
        session = open_session(
            "out.write(f'{token}^done,a=[{{\\n'.encode() if command == 'a' else "
            "f'{token}^done,a=\"1\"\\n'.encode())"
        )
        bad, good = session.send_all(["-a", "-b"])
        assert bad.message is None
        assert good.payload == {"a": "1"}
        assert len(session.unparsed) == 1

    def test_replies_to_nobody_and_bytes_that_are_no_text(self, open_session: Open):
        session = open_session(
            "out.write(b'999999^done\\n\\xff\\xfe\\0\\n=x,y\\n*stopped\\n')",
            "out.write(f'{token}^done,a=\"1\"\\n'.encode())",
        )
        assert session.send("-a").payload == {"a": "1"}

    def test_wrong_setting_is_an_error_and_ends_the_process(self, tmp_path: Path):
        gdb = tmp_path / "gdb"
        settings = dict(expected_settings(GdbOptions())) | {"may-call-functions": "on"}
        gdb.write_text(
            _FAKE.format(python=sys.executable, settings=settings, body=" " * 8 + "pass")
        )
        gdb.chmod(0o755)
        process = GdbProcess(str(gdb), GdbOptions())
        with pytest.raises(DebuggerError, match="may-call-functions off"):
            MiSession(process, GdbLimits(wall=10))
        assert not alive(process.popen.pid)

    def test_environment_is_not_passed_on(self, open_session: Open, monkeypatch):
        monkeypatch.setenv("HF_TOKEN", "secret")
        monkeypatch.setenv("PYTHONPATH", "x")
        session = open_session(
            "names = ' '.join(sorted(os.environ))",
            'out.write(f\'{token}^done,names="{names}",cwd="{os.listdir()}"\\n\'.encode())',
        )
        reply = session.send("-a")
        assert set(reply.payload["names"].split()) <= {
            "DEBUGINFOD_URLS", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "PATH", "TERM",
        }  # fmt: skip
        assert reply.payload["cwd"] == "[]"


class TestRecord:
    @pytest.mark.parametrize(
        "line",
        [
            "1^done,a=[",
            '1^done,a={b="x"',
            '1^done,a="x',
            '1^done,a="\\',
            "1^done,a=",
            "1^done,a=b",
            "1^done,a=[}",
            "1^done,a={=}",
            '1^done,a="\\q"',
            "1^done," + "a={" * 5000 + "}" * 5000,
        ],
    )
    def test_broken_line_is_nothing(self, line: str):
        start = time.monotonic()
        assert parse_record(line) is None
        assert time.monotonic() - start < 1

    def test_brackets_and_quotes_in_strings(self):
        record = parse_record(r'7^done,f="operator[]<a{\"}\\",n=[x={v="}"}]')
        assert record is not None
        assert record["payload"] == {"f": 'operator[]<a{"}\\', "n": [{"v": "}"}]}


def frames(*pairs: tuple[str, str]) -> list[dict[str, str]]:
    return [{"level": str(n), "addr": a, "func": f} for n, (a, f) in enumerate(pairs)]


class TestInlining:
    def test_distinct_functions_at_one_address(self):
        runs = find_runs(1, frames(("1", "a"), ("1", "b"), ("1", "c"), ("2", "d")))
        assert to_measure(runs) == []
        assert inlined_levels(runs, {}) == {0, 1}

    def test_recursion_is_measured(self):
        runs = find_runs(1, frames(("1", "top"), *[("2", "f")] * 4, ("3", "main")))
        (run,) = to_measure(runs)
        assert run.measured == (1, 2, 3, 4)
        assert inlined_levels(runs, {"2": group_size(["s1", "s2", "s3", "s4"])}) == set()

    def test_recursion_through_inlined_frames(self):
        runs = find_runs(1, frames(*[("2", "g"), ("2", "f")] * 3))
        groups = {"2": group_size(["s1", "s1", "s2", "s2", "s3", "s3"])}
        assert inlined_levels(runs, groups) == {0, 2, 4}

    def test_one_address_is_measured_once(self):
        runs = [r for t in range(50) for r in find_runs(t, frames(*[("2", "f")] * 3))]
        assert len(to_measure(runs)) == 1

    def test_frames_that_were_left_out_part_a_run(self):
        raw = frames(("2", "f"), ("2", "f"))
        raw[1]["level"] = "7"
        assert find_runs(1, raw) == []

    def test_no_stack_pointers_means_no_inlining(self):
        runs = find_runs(1, frames(("2", "f"), ("2", "f")))
        assert inlined_levels(runs, {"2": group_size([None, None])}) == set()
        assert group_size([]) == 1


class TestReliable:
    """How far a stack is believed where gdb lacks the files that it would need."""

    FACTS = CoreFacts(
        arch="x86_64",
        bits=64,
        byte_order="little",
        size=0,
        supported=True,
        executable="/opt/claw",
        mappings=(
            FileMapping(start=0x10000, end=0x20000, offset=0, path="/opt/claw"),
            FileMapping(start=0x30000, end=0x40000, offset=0, path="/lib/a.so"),
            FileMapping(start=0x50000, end=0x60000, offset=0, path="/lib/other.so"),
        ),
    )
    LIBRARIES = (
        Library(path="/lib/a.so", symbols=Symbols.FULL, start=0x30000, end=0x40000),
        Library(
            path="/lib/other.so", symbols=Symbols.FULL, start=0x50000, end=0x60000, matches=False
        ),
    )

    @pytest.mark.parametrize(
        ("program_known", "addresses", "count"),
        [
            (True, [0x30010, 0x10010, 0x10020], 3),
            (False, [0x30010, 0x10010, 0x10020], 2),
            (False, [0x10010, 0x10020], 1),
            (True, [0x30010, 0x50010, 0x10010], 2),
            # A call to a wrong address: gdb finds the caller on the stack.
            (True, [0x0, 0x10010, 0x10020], 3),
            (False, [0x0, 0x30010, 0x30020], 3),
            (True, [0x90000, 0x10010, 0x10020], 3),
            # Further out a frame that is nowhere means that unwinding went astray.
            (True, [0x10010, 0x90000, 0x10020], 2),
            (True, [0x10010, 0x5, 0x10020], 1),
        ],
    )
    def test_count(self, program_known: bool, addresses: list[int], count: int):
        reader = FrameReader(
            self.FACTS,
            Libraries(self.LIBRARIES),
            SourceNames(),
            program_known=program_known,
            input_id=0,
        )
        raw = [{"level": str(n), "addr": hex(a), "func": "??"} for n, a in enumerate(addresses)]
        frames = [reader.read(r, args=None, inlined=False) for r in raw]
        assert reader.reliable(frames) == count

    def test_a_name_from_a_wrong_library_is_not_used(self):
        reader = FrameReader(
            self.FACTS, Libraries(self.LIBRARIES), SourceNames(), program_known=True, input_id=0
        )
        raw = {"level": "0", "addr": "0x50010", "func": "guess", "file": "guess.c", "line": "3"}
        frame = reader.read(raw, args="n=1", inlined=False)
        assert (frame.function, frame.file, frame.line, frame.args) == (None, None, None, None)
        assert (frame.trust, frame.module) == (Trust.ADDRESS_ONLY, "other.so")


class TestArguments:
    @pytest.mark.parametrize(
        ("args", "text"),
        [
            ([], None),
            ([("n", "1"), ("p", "0x0")], "n=1, p=0x0"),
            ([("s", "{...}"), ("r", "@0x7ff: {...}")], "s=..., r=@0x7ff"),
            ([("x", None)], "x=..."),
            ([("n", "<optimized out>"), ("n@entry", "4")], "n=4"),
            ([("n", "5"), ("n@entry", "4")], "n=5"),
            ([("n@entry", "4")], "n=4"),
            ([("n", "1"), ("n@entry", "<error reading variable: x>")], "n=1"),
        ],
    )
    def test_text(self, args: list[tuple[str, str | None]], text: str | None):
        raw = {"args": [{"name": n, **({"value": v} if v else {})} for n, v in args]}
        assert read_arguments(raw, 200) == text

    def test_long_text_is_cut(self):
        text = read_arguments({"args": [{"name": "s", "value": "x" * 500}]}, 50)
        assert text is not None
        assert (len(text), text[-1]) == (50, "…")


class TestOptions:
    @pytest.mark.parametrize(
        ("words", "options"),
        [
            ([], {}),
            (["--a", "1", "--b=2", "-c", "3"], {"a": "1", "b": "2", "-c": "3"}),
            (["--flag", "--other", "x", "--last"], {"flag": "true", "other": "x", "last": "true"}),
            (["--temp", "-0.5", "serve", "--", "--not"], {"temp": "-0.5"}),
            (["--a=", "-", "--"], {"a": ""}),
            (["--a", "1", "--a", "2"], {"a": "2"}),
        ],
    )
    def test_parse(self, words: list[str], options: dict[str, str]):
        assert parse_options(("engine", *words)) == options
        assert parse_options(()) == {}
