"""Checks of the rows of an experiment: what is missing, duplicated or extreme in one arm more than in another."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from reclens.errors import Advice, Setting
from reclens.experiment.aggregate.aggregates import Aggregates
from reclens.experiment.aggregate.tally import Coarser, Tally
from reclens.experiment.analysis.check_facts import FaultCode, RowFault, RowFaults, SharedIds
from reclens.experiment.check_result import BEYOND_CHANCE, TrustCheck, TrustCheckCode, TrustCheckStatus
from reclens.stats.multiplicity import adjust

__all__ = ["LOST_SHARE", "row_checks"]

LOST_SHARE = 0.01
"""Share of the units that may be left out without the plan's word for it."""

_ONCE = Advice("drop_duplicates", (Setting("duplicates", "drop"),))


def row_checks(sums: Aggregates) -> list[TrustCheck]:
    """The checks of rows that were looked at; of sums that another engine made nothing is known."""
    tallies = [*sums.tallies, *(sums.tails.extremes if sums.tails is not None else ())]

    def of(*codes: str) -> list[Tally]:
        return [each for each in tallies if each.code in codes]

    found = [
        _check("missing_values", of("missing_events", "missing_units"), _missing),
        _check("duplicates", of("duplicate_rows"), _duplicated),
        _check("extreme_units", of("extreme_units"), _extreme),
        _unit(sums.coarser),
    ]
    return [each for each in found if each is not None]


def _check(
    code: TrustCheckCode, tallies: Sequence[Tally], judged: Callable[[Tally, bool], tuple[FaultCode, TrustCheckStatus]]
) -> TrustCheck | None:
    """The worst of several tallies, with the p-values of all of them adjusted together (Holm)."""
    if not tallies:
        return None
    p = adjust(np.array([each.p_value for each in tallies]), correction="holm")
    faults: list[RowFault] = []
    for tally, value in zip(tallies, p, strict=True):
        uneven = bool(value < BEYOND_CHANCE)
        fault, status = judged(tally, uneven)
        faults.append(RowFault(code=fault, status=status, tally=tally, p_adjusted=float(value), uneven=uneven))
    facts, ranked = RowFaults(tuple(faults)), ("fail", "warn", "skipped", "pass")
    status = min(faults, key=lambda each: ranked.index(each.status)).status
    once = _ONCE if any(each.code == "repeated_unevenly" for each in faults) else None
    return TrustCheck(
        code=code, status=status, reason="clean" if status == "pass" else "faults", facts=facts, advice=once
    )


def _missing(tally: Tally, uneven: bool) -> tuple[FaultCode, TrustCheckStatus]:
    if not tally.found:
        return "none", "pass"
    if uneven and tally.handled != "zero":
        return "lost_unevenly", "fail"
    units = sum(each.units for each in tally.arms.values())
    if tally.code != "missing_events" and tally.handled == "unsaid" and tally.found > LOST_SHARE * units:
        return "meaning_unsaid", "fail"
    return ("counted_as_zero" if tally.handled == "zero" else "left_out"), "warn"


def _duplicated(tally: Tally, uneven: bool) -> tuple[FaultCode, TrustCheckStatus]:
    if tally.handled == "not_checked":
        return "not_checked", "skipped"
    if not tally.found:
        return "none", "pass"
    if tally.handled == "dropped":
        return "counted_once", "warn"
    return ("repeated_unevenly", "fail") if uneven else ("counted_every_time", "warn")


def _extreme(tally: Tally, uneven: bool) -> tuple[FaultCode, TrustCheckStatus]:
    if not tally.found:
        return "none", "pass"
    return ("extreme_unevenly", "fail") if uneven else ("extreme", "warn")


def _unit(found: Sequence[Coarser]) -> TrustCheck | None:
    if not found:
        return None
    wrong = tuple(each for each in found if each.p_value < BEYOND_CHANCE)
    if not wrong:
        return TrustCheck(code="unit", status="pass", reason="one_by_one", facts=SharedIds(tuple(found)))
    return TrustCheck(code="unit", status="fail", reason="together", facts=SharedIds(tuple(found), wrong))
