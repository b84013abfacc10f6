"""Threads and modules from a core dump alone, for where the debugger has nothing to say."""

from __future__ import annotations

from triage.elf.facts import CoreFacts, CoreThread
from triage.model.crash import Module
from triage.model.position import Position
from triage.model.stack import Frame, Thread, Trust


def bare_threads(facts: CoreFacts, input_id: int) -> tuple[Thread, ...]:
    """Return every thread with the one frame that its saved program counter gives."""
    return tuple(
        Thread(
            id=str(number),
            tid=thread.tid,
            name=thread_name(facts, thread.tid),
            crashed=number == 1 and not facts.snapshot,
            frames=bare_frames(facts, thread, input_id),
            at=Position(input=input_id),
        )
        for number, thread in enumerate(facts.threads, start=1)
    )


def bare_frames(facts: CoreFacts, thread: CoreThread, input_id: int) -> tuple[Frame, ...]:
    """Return the innermost frame of a thread by address, none where no address is known."""
    if thread.pc is None:
        return ()
    mapping = facts.mapping_at(thread.pc)
    frame = Frame(
        index=0,
        module=mapping.name if mapping else None,
        offset=module_offset(facts, thread.pc),
        address=f"0x{thread.pc:016x}",
        trust=Trust.ADDRESS_ONLY,
        at=Position(input=input_id),
    )
    return (frame,)


def bare_modules(facts: CoreFacts) -> tuple[Module, ...]:
    """Return the mapped ELF files; whether they have symbols is not known."""
    return tuple(Module(name=m.name, path=m.path, build_id=m.build_id) for m in facts.modules)


def module_offset(facts: CoreFacts, address: int) -> str | None:
    """Return how far into its module an address lies."""
    module = facts.module_at(address)
    return None if module is None else f"0x{address - module.base:x}"


def thread_name(facts: CoreFacts, tid: int | None) -> str | None:
    """Return the name of the main thread: a Linux core dump holds no other's."""
    return facts.process_name if tid is not None and tid == facts.pid else None
