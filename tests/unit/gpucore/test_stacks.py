"""One thread for all lanes that share a stack, counted; the one that failed first."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.gpucore.synthetic import Block, Lane, Sm, Warp, build, full
from triage.frames.names import plain_name
from triage.gpucore.symbols import split_symbol

PCS = st.sampled_from([0x1010, 0x1020, 0x2000])
LANES = st.lists(
    st.builds(
        Lane,
        number=st.integers(0, 31),
        pc=PCS,
        exception=st.sampled_from([0, 0, 0, 14]),
        returns=st.sampled_from([(), (), (0x3000,), (0x3000, 0x4000)]),
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda lane: lane.number,
)
WARPS = st.lists(
    st.builds(Warp, number=st.integers(0, 63), lanes=LANES, broken=st.booleans()),
    min_size=1,
    max_size=3,
    unique_by=lambda warp: warp.number,
)
INDEX = st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3))
BLOCKS = st.lists(st.builds(Block, index=INDEX, warps=WARPS), max_size=3)
SMS = st.lists(
    st.builds(Sm, number=st.integers(0, 200), blocks=BLOCKS),
    max_size=4,
    unique_by=lambda sm: sm.number,
)


def walk(sms: list[Sm]):
    for sm in sms:
        for n, block in enumerate(sm.blocks):
            for warp in block.warps:
                for lane in warp.lanes:
                    yield sm, (sm.number, n), warp, lane


@settings(max_examples=60, deadline=None)
@given(sms=SMS)
def test_property_lanes_are_grouped_by_stack(sms: list[Sm], fragment_of):
    """Counted here one by one, there group by group: lanes, warps, blocks and multiprocessors."""
    found = fragment_of(build(sms))
    wanted: dict[tuple[object, ...], list[set[object]]] = {}
    for sm, block, warp, lane in walk(sms):
        key = (lane.exception, warp.broken, lane.pc, lane.returns)
        groups = wanted.setdefault(key, [set(), set(), set(), set()])
        place = (*block, warp.number)
        for group, thing in zip(
            groups, ((*place, lane.number), place, block, sm.number), strict=True
        ):
            group.add(thing)
    counted = [(t.lanes.count, t.lanes.warps, t.lanes.blocks, t.lanes.sms) for t in found.threads]
    assert sorted(counted) == sorted(tuple(map(len, groups)) for groups in wanted.values())
    failed = [w for w in walk(sms) if w[3].exception] or [w for w in walk(sms) if w[2].broken]
    assert [n for n, t in enumerate(found.threads) if t.crashed] == [0] * bool(failed)
    if failed:
        sm, _, warp, lane = min(failed, key=lambda w: (w[0].number, w[2].number, w[3].number))
        first = found.threads[0].lanes
        assert (first.sm, first.warp) == (sm.number, warp.number)
    codes = {lane.exception for *_, lane in walk(sms)} - {0}
    assert {e.code for e in found.errors} == codes
    assert found.snapshot == (bool(wanted) and not failed)
    assert (found.signal is not None) == bool(failed and not codes)


def test_a_full_device(fragment_of):
    found = fragment_of(full(132, 64))
    assert sum(t.lanes.count for t in found.threads) == 132 * 64 * 32
    assert [t.lanes.sms for t in found.threads] == [132] * 7
    assert not found.warnings


def test_lanes_that_diverged_did_not_raise_the_exception(fragment_of):
    """The driver writes a warp's exception to all of its lanes."""
    lanes = [Lane(n, 0x1010 if n < 2 else 0x1020, exception=14) for n in range(4)]
    warp = Warp(3, lanes, active=0b1100, error_pc=0x1018)
    found = fragment_of(build([Sm(7, [Block((1, 0, 0), [warp])])]))
    first, second = found.threads
    assert (first.lanes.lane, first.lanes.count, first.frames[0].address) == (2, 2, "0x1018")
    assert (second.lanes.lane, second.lanes.count, second.frames[0].address) == (0, 2, "0x1010")
    assert [e.code for e in found.errors] == [14]


def test_an_exception_whose_warps_are_gone(fragment_of):
    """cuda-gdb 13.0 ends itself on these."""
    lost = [Sm(n, exception=6, error_pc=0x1018) for n in (2, 4)]
    other = Sm(9, [Block((0, 0, 0), [Warp(0, [Lane(0, 0x1010)])])])
    found = fragment_of(build([*lost, other]))
    first = found.threads[0]
    assert first.crashed
    assert (first.lanes.sm, first.lanes.sms, first.lanes.count) == (2, 2, None)
    assert first.frames[0].address == "0x1018"
    assert [(e.code, e.message) for e in found.errors] == [(6, "Warp Misaligned Address")]


def test_an_exception_that_nobody_has_a_name_for(fragment_of):
    warp = Warp(0, [Lane(0, 0x1010, exception=77)])
    (error,) = fragment_of(build([Sm(0, [Block((0, 0, 0), [warp])])])).errors
    assert (error.code, error.name) == (77, "CUDA_EXCEPTION_77")


def test_several_exceptions(fragment_of):
    warps = [Warp(n, [Lane(0, 0x1010 + 16 * n, exception=code)]) for n, code in enumerate((14, 6))]
    found = fragment_of(build([Sm(0, [Block((0, 0, 0), warps)])]))
    assert [e.code for e in found.errors] == [14, 6]
    assert [t.crashed for t in found.threads] == [True, False]


def test_a_core_on_request_is_a_snapshot(fragment_of):
    """CUDA_ENABLE_USER_TRIGGERED_COREDUMP writes one of a process that lives on."""
    found = fragment_of(full(1, 1))
    assert found.snapshot
    assert not found.errors
    assert found.signal is None


def test_more_stacks_than_are_named(fragment_of):
    warps = [Warp(w, [Lane(n, 0x1000 + 512 * w + 16 * n) for n in range(32)]) for w in range(12)]
    found = fragment_of(build([Sm(0, [Block((0, 0, 0), warps)])]))
    assert len(found.threads) == 256
    assert "gpu-core-cut" in {w.code for w in found.warnings}


def test_launch_and_host_thread(fragment_of):
    data = build(
        [Sm(0, [Block((0, 0, 0), [Warp(0, [Lane(0, 0x1010)])])])], launch=(4, 2, 1, 64, 8, 1)
    )
    (thread,) = fragment_of(data).threads
    assert thread.lanes.launched_by == 4711


class TestSymbols:
    def test_function_inside_a_kernel(self):
        assert split_symbol("$_Z6kernelPf$_Z5storePf") == ("_Z6kernelPf", "_Z5storePf")

    def test_helper_of_the_compiler(self):
        symbol = "$_Z6kernelPf$__internal_0_$__cuda_sm3x_div_rn_noftz_f32_slowpath"
        assert split_symbol(symbol) == ("_Z6kernelPf", "__cuda_sm3x_div_rn_noftz_f32_slowpath")
        assert plain_name(symbol).startswith("__cuda_sm3x_div")

    def test_any_other(self):
        for symbol in ("_Z6kernelPf", "scatter_kernel", "$", "$$", "$a", "", "a$b"):
            assert split_symbol(symbol) == (None, symbol)
