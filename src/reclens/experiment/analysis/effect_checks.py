"""Checks of the effects: what the largest values hold, and how much power there was."""

from __future__ import annotations

import math
from collections.abc import Sequence

from reclens.experiment.aggregate.aggregates import Aggregates, OutlierSummary
from reclens.experiment.aggregate.metric_columns import effective, metric_columns_of
from reclens.experiment.analysis.effect_facts import (
    OutlierEffect,
    Outliers,
    Power,
    PowerOfEffect,
)
from reclens.experiment.analysis.effects import Effect, compare_metric
from reclens.experiment.analysis.interim import InterimAnalysis
from reclens.experiment.check_result import CheckReason, TrustCheck, TrustCheckStatus
from reclens.experiment.planning.decision_rule import LEAST_POWER
from reclens.experiment.planning.plan import Plan
from reclens.stats.arms import compare_arms

__all__ = ["check_outliers", "check_power"]

_TOP_SHARE = 0.01  # of a metric's sum in one unit's hands


def check_outliers(
    plan: Plan, sums: Aggregates, interim: InterimAnalysis, effects: Sequence[Effect], *, stratified: bool
) -> TrustCheck:
    """What the largest units hold, and what the effect is when values are cut off at the 99.9 % quantile.

    Like is held against like: both p-values are those of this look, and neither effect is post-stratified.
    """
    tails = sums.tails
    if tails is None:
        return TrustCheck(code="outliers", status="skipped", reason="not_gathered", facts=Outliers())
    found = [
        (effect, _cut(plan, sums, tails, interim, effect, stratified))
        for effect in effects
        if effect.metric.name in tails.metric_columns and effect.found.se > 0
    ]
    moved = [(effect, each) for effect, each in found if each.flips or abs(each.moved_se) > 1]
    notable = tuple(each for _, each in found if each.held_by_one > _TOP_SHARE or abs(each.moved_se) > 1 or each.flips)
    facts = Outliers(effects=tuple(each for _, each in found), notable=notable)
    if not notable:
        return TrustCheck(code="outliers", status="pass", reason="harmless", facts=facts)
    status: TrustCheckStatus = "fail" if any(effect.metric.role == "primary" for effect, _ in moved) else "warn"
    return TrustCheck(code="outliers", status=status, reason="few_hold_much", facts=facts)


def _cut(
    plan: Plan, sums: Aggregates, tails: OutlierSummary, interim: InterimAnalysis, effect: Effect, stratified: bool
) -> OutlierEffect:
    """An effect beside the same with values cut off."""
    name = effect.metric.name
    columns, found = tails.metric_columns[name], effect.found
    if stratified:
        own = metric_columns_of((effect.metric,), rows=sums.rows, indicators=sums.indicators)[name]
        found = compare_metric(sums, own, plan.control, effect.arm, level=plan.level)
    cut = compare_arms(
        tails.arms[plan.control], tails.arms[effect.arm], columns.of, covariates=columns.covariates, level=plan.level
    )
    p, p_cut = interim.p_value(found), interim.p_value(cut)
    column = effective(effect.metric, sums.indicators).value or ""
    held = {
        arm: tails.largest[name, arm] / total
        for arm in (plan.control, effect.arm)
        if (total := sums.arm(arm).sum(column)) > 0
    }
    at = max(held, key=lambda arm: held[arm], default=plan.control)
    return OutlierEffect(
        metric=name,
        arm=effect.arm,
        largest=tails.largest[name, at],
        held_by_one=max(held.values(), default=0.0),
        where=at,
        cap=tails.caps[name],
        per=effect.metric.per if name in tails.below else None,
        cap_per=tails.below.get(name),
        difference=found.absolute.value,
        difference_cut=cut.absolute.value,
        p_value=p,
        p_value_cut=p_cut,
        moved_se=(found.absolute.value - cut.absolute.value) / found.se,
        flips=(p <= plan.alpha) != (p_cut <= plan.alpha),
    )


def check_power(plan: Plan, interim: InterimAnalysis, effects: Sequence[Effect]) -> TrustCheck:
    """Whether the planned effect could have been seen; on the way, whether it can be at the end."""
    found = tuple(
        PowerOfEffect(
            metric=e.metric.name,
            arm=e.arm,
            planned_effect=e.metric.effect,
            power=e.power,
            detectable=e.detectable,
        )
        for e in effects
        if e.metric.role == "primary"
    )
    known = [each.power for each in found if not math.isnan(each.power)]
    low = min(known, default=math.nan)
    # A crossed bound is evidence at any look: less power than this is no reason to distrust it.
    later = low < LEAST_POWER and plan.sequential is not None and (interim.early or not interim.known)
    facts = Power(planned=plan.power, at_planned_sample=interim.early, effects=found, more_units=later)
    status: TrustCheckStatus = "skipped"
    reason: CheckReason = "no_effect_planned"
    if known:
        reason = "measured"
        status = "fail" if low < LEAST_POWER and not later else "warn" if later or low < plan.power - 0.05 else "pass"
    return TrustCheck(code="power", status=status, reason=reason, facts=facts)
