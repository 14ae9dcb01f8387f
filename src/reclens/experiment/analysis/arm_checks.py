"""Checks that the arms are alike but for the treatment: their sizes, the past, and units that were not triggered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from reclens.experiment.aggregate.aggregates import OVERALL, Aggregates
from reclens.experiment.aggregate.metric_columns import metric_columns_of
from reclens.experiment.analysis.check_facts import Compared, ComparedArm, RatioPart, SampleRatio
from reclens.experiment.analysis.effects import compare_metric
from reclens.experiment.check_result import (
    BEYOND_CHANCE,
    SUSPECT,
    CheckReason,
    TrustCheck,
    TrustCheckCode,
    TrustCheckStatus,
)
from reclens.experiment.planning.plan import Plan
from reclens.stats.arms import Quantity, compare_arms
from reclens.stats.counts import sample_ratio
from reclens.stats.difference import Difference
from reclens.stats.moments import Moments
from reclens.stats.multiplicity import adjust

__all__ = ["check_balance", "check_ratio", "check_triggered", "everyone"]


def check_triggered(plan: Plan, sums: Aggregates) -> list[TrustCheck]:
    """Of triggered units: their sample ratio, and that the others, whom nothing could have changed, are alike."""
    if plan.triggered is None:
        return []
    ratio, rest = check_ratio(plan, sums, "triggered_ratio"), sums.untriggered
    if rest is None:
        facts = Compared(of="metric")
        return [ratio, TrustCheck(code="untriggered", status="skipped", reason="no_others", facts=facts)]
    found = [
        (name, arm, compare_metric(rest, columns, plan.control, arm, level=plan.level))
        for name, columns in metric_columns_of(plan.metrics, rows=rest.rows, indicators=rest.indicators).items()
        for arm in plan.treatments
        if min(rest.arm(plan.control).n, rest.arm(arm).n) > 1
    ]
    return [ratio, _alike("untriggered", Compared(of="metric", arms=_adjusted(found)))]


def check_balance(plan: Plan, sums: Aggregates) -> TrustCheck:
    """A/A test on what was measured before: treatment cannot have changed it."""
    metric_columns = metric_columns_of(plan.metrics, rows=sums.rows, indicators=sums.indicators)
    before = dict.fromkeys(x for columns in metric_columns.values() for x in columns.covariates)
    if not before:
        return TrustCheck(code="balance", status="skipped", reason="no_covariates", facts=Compared(of="covariate"))
    found = [
        (_name(x), arm, compare_arms(sums.arm(plan.control), sums.arm(arm), x, level=plan.level))
        for x in before
        for arm in plan.treatments
    ]
    return _alike("balance", Compared(of="covariate", arms=_adjusted(found)))


def _adjusted(found: Sequence[tuple[str, str, Difference]]) -> tuple[ComparedArm, ...]:
    """What was compared, its p-values adjusted together."""
    adjusted = adjust(np.array([each.p_value for *_, each in found]), correction="holm")
    return tuple(
        ComparedArm(name=name, arm=arm, found=each, p_adjusted=float(p))
        for (name, arm, each), p in zip(found, adjusted, strict=True)
    )


def _alike(code: TrustCheckCode, facts: Compared) -> TrustCheck:
    worst = facts.worst
    if worst is None:
        return TrustCheck(code=code, status="skipped", reason="nothing_varies", facts=facts)
    if worst.p_adjusted < BEYOND_CHANCE:
        return TrustCheck(code=code, status="fail", reason="differ", facts=facts)
    status: TrustCheckStatus = "warn" if worst.p_adjusted < SUSPECT else "pass"
    return TrustCheck(code=code, status=status, reason="alike", facts=facts)


def everyone(sums: Aggregates) -> Aggregates:
    """Triggered units and the others together, as counts alone."""
    if sums.untriggered is None:
        return sums
    bare = {cell: replace(Moments.nothing(()), n=each.n) for cell, each in sums.cells.items() if cell[2:] == OVERALL}
    for cell, each in sums.untriggered.cells.items():
        more = replace(Moments.nothing(()), n=each.n)
        bare[cell] = bare[cell] + more if cell in bare else more
    return replace(sums, columns=(), cells=bare)


def check_ratio(plan: Plan, sums: Aggregates, code: TrustCheckCode = "sample_ratio") -> TrustCheck:
    """Units of each arm against the planned shares: overall, by day, by segment."""
    shares = {arm: plan.arms[arm] for arm in sums.arms}

    def tested(by: str, segment: str, days: Sequence[str] | None = None) -> RatioPart:
        counts = {arm: sums.arm(arm, by=by, segment=segment, days=days).n for arm in sums.arms}
        p = sample_ratio(list(counts.values()), list(shares.values())).p_value
        where = ("day", days[0]) if days else (by, segment)
        return RatioPart(by=where[0], segment=where[1], counts=counts, p_value=p, p_adjusted=p)

    whole = tested(*OVERALL)
    parts = [tested(*OVERALL, [day]) for day in sums.days]
    parts += [tested(by, segment) for by in sums.segmentations for segment in sums.segments(by)]
    adjusted = adjust(np.array([part.p_value for part in parts]), correction="holm") if parts else []
    parts = [replace(part, p_adjusted=float(p)) for part, p in zip(parts, adjusted, strict=True)]
    off = sorted((part for part in parts if part.p_adjusted < BEYOND_CHANCE), key=lambda part: part.p_adjusted)
    facts = SampleRatio(shares=shares, overall=whole, parts=tuple(parts), off=tuple(off))
    status: TrustCheckStatus = "fail" if whole.p_value < BEYOND_CHANCE or off else "pass"
    reason: CheckReason = "as_planned"
    if whole.p_value < BEYOND_CHANCE:
        reason = "mismatch"
    elif off:
        reason = "mismatch_in_parts"
    elif whole.p_value < SUSPECT:
        status, reason = "warn", "uneven"
    return TrustCheck(code=code, status=status, reason=reason, facts=facts)


def _name(x: Quantity) -> str:
    return x if isinstance(x, str) else f"{x[0]}/{x[1]}"
