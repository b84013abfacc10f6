"""Makes stack traces of what the lanes were doing: one for all lanes that share it."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from triage.gpucore.state import LostException, Shared, State
from triage.gpucore.symbols import Code, Named, Symbols
from triage.gpucore.tables import Grid
from triage.model.position import Position
from triage.model.stack import Frame, FrameKind, Lanes, Thread, ThreadKind, trust_of

MAX_THREADS: Final = 256
"""Stacks of one core dump that are named."""


class StackMaker:
    """Names the stacks of one core dump."""

    def __init__(self, state: State, symbols: Symbols, at: Position) -> None:
        self._state, self._symbols, self._at = state, symbols, at

    def thread(self, shared: Shared) -> Thread:
        """Return the thread for lanes that share a stack."""
        where, first = shared.where, shared.first
        grid = self._state.grids.get((where.device, where.grid))
        codes = [self._code(pc, grid) for pc in _program_counters(where.error_pc, where.pc)]
        if len(codes) == 2 and codes[0][1].start == codes[1][1].start is not None:
            # The lane ran on in the function that raised the exception.
            del codes[1]
        # A return address may be the first of another line: the call stands before it.
        codes += [(pc, self._code(pc - 1, grid)[1]) for pc in where.returns if pc]
        return Thread(
            kind=ThreadKind.GPU,
            frames=self._frames(codes, grid),
            lanes=Lanes(
                count=shared.lanes,
                warps=shared.warps,
                blocks=len(shared.blocks),
                sms=len(shared.sms),
                device=first.device,
                sm=first.sm,
                warp=first.warp,
                lane=first.lane,
                grid=first.grid,
                block=_index(first.block),
                thread=_index(first.thread),
                launched_by=(grid.thread or None) if grid else None,
            ),
            at=self._at,
        )

    def lost(self, exception: LostException, count: int) -> Thread:
        """Return the thread for an exception whose warps are gone."""
        grid = self._grid_of(exception)
        codes = [self._code(exception.error_pc, grid)] if exception.error_pc else []
        return Thread(
            kind=ThreadKind.GPU,
            frames=self._frames(codes, grid),
            lanes=Lanes(sms=count, device=exception.device, sm=exception.sm),
            at=self._at,
        )

    def _grid_of(self, exception: LostException) -> Grid | None:
        """Return the grid that an exception must be of: the one with its code, or the only one."""
        grids = [g for (device, _), g in self._state.grids.items() if device == exception.device]
        same = [g for g in grids if self._symbols.same_code(g.entry, exception.error_pc)]
        found = same or grids
        return found[0] if len(found) == 1 else None

    def _code(self, pc: int, grid: Grid | None) -> tuple[int, Code]:
        hint = self._state.modules.get(grid.module) if grid else None
        return pc, self._symbols.code(pc, hint)

    def _frames(self, codes: list[tuple[int, Code]], grid: Grid | None) -> tuple[Frame, ...]:
        """Return the frames of some addresses; the outermost is the kernel with its launch."""
        frames = [
            self._frame(named, pc, None if named.inlined else code.start)
            for pc, code in codes
            for named in code.calls
        ]
        if grid is not None:
            self._add_kernel(frames, grid, codes[-1][1].kernel if codes else None)
        return tuple(replace(frame, index=n) for n, frame in enumerate(frames))

    def _add_kernel(self, frames: list[Frame], grid: Grid, inside: str | None) -> None:
        """Mark the kernel's frame, or add one where the stack does not reach it."""
        entry = self._code(grid.entry, grid)[1].calls[-1].function
        kernel = inside or entry
        last = frames[-1] if frames else None
        if kernel is None or (last is not None and last.function == kernel):
            if last is not None:
                frames[-1] = replace(last, launch=grid.launch)
            return
        frames.append(
            Frame(
                index=0,
                function=kernel,
                kind=FrameKind.GPU,
                trust=trust_of(kernel),
                launch=grid.launch,
                at=self._at,
            )
        )

    def _frame(self, named: Named, pc: int, start: int | None) -> Frame:
        return Frame(
            index=0,
            function=named.function,
            file=named.file,
            line=named.line,
            offset=None if start is None else hex(pc - start),
            address=hex(pc),
            inlined=named.inlined,
            kind=FrameKind.GPU,
            trust=trust_of(named.function, named.line),
            at=self._at,
        )


def _program_counters(error_pc: int, pc: int) -> list[int]:
    return list(dict.fromkeys(each for each in (error_pc, pc) if each))


def _index(numbers: tuple[int, int, int]) -> str:
    return f"({','.join(map(str, numbers))})"
