"""The share of the card that vLLM should be given, by its own numbers."""

from __future__ import annotations

import math

from triage.calculators._sheet import Calculator, Figure, Sheet, mib

_DEFAULT = 0.9
_MOST = 0.97
_MARGIN = 0.02
_TOTAL = ("fact.gpu-total-mib", "fact.oom-total-mib", "gpu.memory_total")


def _work(sheet: Sheet) -> Figure:
    now = sheet.number("fact.gpu-memory-utilization", "option.gpu-memory-utilization")
    if now is None or now > 1:
        now = _DEFAULT
        sheet.assume("share now", f"{_DEFAULT:g}", "it is the default")
    total = sheet.need(*_TOTAL)
    if sheet.lacks:
        return sheet.unknown()
    free = sheet.number("fact.startup-free-mib")
    if free:
        return _of_what_is_free(sheet, free, total)
    needed = sheet.number("fact.cache-needed-mib")
    if needed:
        return _for_the_cache(sheet, needed, total, now)
    requested = sheet.number("fact.oom-requested-mib")
    if requested:
        return _beside_the_cache(sheet, requested, total, now)
    sheet.lack("fact.cache-needed-mib")
    return sheet.unknown()


def _of_what_is_free(sheet: Sheet, free: float, total: float) -> Figure:
    share = min(_down(free / total - _MARGIN), _MOST)
    if share <= 0:
        return sheet.done(f"{mib(free)} of {mib(total)} are free: end what holds the card first")
    return sheet.done(f"{share:.2f}: {mib(free)} of {mib(total)} are free", f"{share:.2f}")


def _for_the_cache(sheet: Sheet, needed: float, total: float, now: float) -> Figure:
    there = sheet.number("fact.cache-mib") or 0.0
    if needed <= there:
        return sheet.done(f"{now:g} is enough: the cache fits in {mib(there)}")
    share = math.ceil((now + (needed - there) / total) * 100) / 100
    if share > _MOST:
        return sheet.done(
            f"no share is enough: {mib(needed - there)} more are {share - now:.2f} of the card"
        )
    return sheet.done(f"{share:.2f}: {mib(needed - there)} more for the cache", f"{share:.2f}")


def _beside_the_cache(sheet: Sheet, requested: float, total: float, now: float) -> Figure:
    short = requested - (sheet.number("fact.oom-free-mib") or 0.0)
    share = _down(now - max(short, 0.0) / total - _MARGIN)
    if share <= 0:
        return sheet.done(f"no share is enough: {mib(short)} are missing of {mib(total)}")
    return sheet.done(f"{share:.2f}: {mib(short)} more beside the cache", f"{share:.2f}")


def _down(share: float) -> float:
    return math.floor(share * 100 + 1e-6) / 100


CALCULATOR = Calculator(
    name="gpu-memory-utilization",
    formula="share now + what the cache lacks / card; or - what PyTorch lacks / card - margin; or "
    "free / card - margin",
    doc="the --gpu-memory-utilization with which the cache, or what stands beside it, fits",
    work=_work,
)
