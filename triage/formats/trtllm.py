"""TensorRT-LLM's exceptions with their stacks, and TensorRT's errors.

What is odd about it: the stack is part of the exception's text, so that it stands behind whatever
printed that; and frames are numbered from 1.
"""

from __future__ import annotations

from triage.formats._base import Format, Item, Region, number, reading
from triage.formats._stacks import Stacks
from triage.model.crash import Engine, ErrorRecord, Fragment
from triage.model.evidence import Evidence
from triage.model.stack import Frame, Trust, trust_of, with_crashed
from triage.text.late import late

_NESTED = late(r".{0,400}?\[TensorRT-LLM\]\[(?:ERROR|FATAL)\] ")


def _read(region: Region) -> Fragment:
    errors: list[ErrorRecord] = []
    engine: Engine | None = None
    stacks = Stacks()
    source = reading(region, "trtllm")
    for item in source.items():
        if item.kind in ("frame", "library_frame"):
            stacks.add(_frame(item))
            continue
        stacks.finish()
        if item.kind != "version":
            errors.append(_error(item))
        if engine is None or (engine.version is None and item.kind == "version"):
            engine = _engine(item)
    stacks.finish()
    threads = stacks.threads()
    return Fragment(
        dialect="trtllm",
        engine=engine,
        threads=with_crashed(threads, 0),
        errors=tuple(errors),
        claimed=frozenset(source.claimed),
    )


def _engine(item: Item) -> Engine | None:
    if item.kind == "trt_error":
        return None
    evidence = Evidence(field="log.line", text=item.text[:200], weight=0.95, at=item.at)
    return Engine(name="tensorrt-llm", version=item.fields.get("version"), evidence=(evidence,))


def _error(item: Item) -> ErrorRecord:
    if item.kind == "trt_error":
        return ErrorRecord(
            api="engine", name="TensorRT", message=item.fields["trt_text"].strip(), at=item.at
        )
    text = item.fields["text"]
    if nested := _NESTED.match(text):
        text = text[nested.end() :]
    return ErrorRecord(
        api="engine",
        name="TensorRT-LLM",
        message=text,
        file=item.fields.get("file"),
        line=number(item.fields.get("line")),
        at=item.at,
    )


def _frame(item: Item) -> Frame:
    fields = item.fields
    if item.kind == "library_frame":
        symbol = fields["symbol"] or None
        return Frame(
            index=int(fields["l_index"]),
            function=symbol,
            module=fields["library"],
            offset=fields["l_offset"],
            address=fields["l_address"],
            trust=trust_of(symbol),
            at=item.at,
        )
    offset = number(fields.get("offset"))
    return Frame(
        index=int(fields["index"]),
        function=fields["function"],
        offset=None if offset is None else hex(offset),
        address=fields["address"],
        trust=Trust.SYMBOL,
        at=item.at,
    )


FORMAT = Format(
    name="trtllm",
    title="TensorRT-LLM and TensorRT",
    anchors=(
        "[TensorRT-LLM][ERROR] ",
        "[TensorRT-LLM][FATAL] ",
        "TensorRT-LLM version: ",
        "[E] ",
        "tensorrt_llm::",
    ),
    opens=late(
        r"[^\n]{0,300}?(?:\[TensorRT-LLM\]\[(?:ERROR|FATAL)\] |TensorRT-LLM version: ?\d"
        r"|\[(?:TRT|TensorRT)\] ?\[E\] )"
        r"|\d{1,4} {4,9}0x[0-9a-fA-F]{6,16} (?:[^\n(]{0,200}tensorrt_llm::|/[^\s(]{1,1000}\()"
    ),
    read=_read,
    after=80,
    reach=100,
)
