"""The effects of an experiment: every metric of every treated arm against control, and what may be said of each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np

from reclens.errors import UnknownNameError
from reclens.experiment.aggregate.aggregates import OVERALL, Aggregates
from reclens.experiment.aggregate.metric_columns import MetricColumns, metric_columns_of
from reclens.experiment.analysis.interim import Crossing, InterimAnalysis
from reclens.experiment.planning.looks import inflation_of
from reclens.experiment.planning.metric import Metric
from reclens.experiment.planning.plan import Plan
from reclens.stats.arms import compare_arms
from reclens.stats.difference import Difference
from reclens.stats.equivalence import equivalence_p
from reclens.stats.estimate import Estimate
from reclens.stats.multiplicity import adjust_families
from reclens.stats.paired import smallest_detectable
from reclens.stats.power.question import corrected_alpha
from reclens.stats.proportions import proportion_difference
from reclens.stats.sequential import Stopped
from reclens.stats.stratify import post_stratified
from reclens.tabular import Tabular

__all__ = ["INTERVALS", "Effect", "Intervals", "Others", "compare_metric", "effects_of"]

Others = Mapping[tuple[str, str], Difference]
"""Metric and arm -> difference, of metrics that need more than sums (quantiles, coverage, Gini, effective items)."""

Intervals = Literal["each", "simultaneous"]
INTERVALS: Final = ("each", "simultaneous")
"""Whether intervals hold for each metric by itself, or for all of a family together."""

Verdict = Literal[
    "better",
    "worse",
    "no_difference_shown",
    "no_material_difference",
    "holds",
    "broken",
    "not_shown_to_hold",
    "not_testable",
]


@dataclass(frozen=True, kw_only=True)
class Effect(Tabular):
    """One metric of one treated arm against control.

    Attributes:
        metric: The metric.
        arm: The treated arm.
        found: The difference and its plain test.
        absolute: The difference with the interval that holds at this look.
        relative: The lift with the interval that holds at this look.
        p_value: p-value that holds at this look.
        p_adjusted: The same, adjusted for the other questions of its role; of a guardrail the p-value of its margin.
        p_equivalence: p-value of "the difference is not within the margin"; NaN where that is not asked.
        verdict: What may be said: ``better``, ``worse`` or ``no_difference_shown``, or ``no_material_difference`` where
            the interval lies within the margin of a metric that is no guardrail, significant or not; of a guardrail
            ``holds``, ``broken`` or ``not_shown_to_hold``; ``not_testable`` where nothing varies.
        power: Chance that the planned effect is found at the planned sample, by the standard error that was seen, the
            correction and the looks; NaN without one.
        detectable: Smallest relative effect that is then found with the planned power; NaN where there is none.
        family: The questions whose p-values are adjusted together: those of a role. Guardrails are not adjusted.
        family_size: How many tests the family has.
        simultaneous: Whether the intervals hold for all of the family together.
        stopped: What may be said where this look is the first to cross its bound, and so stops the experiment.
        crossing: The bound of an earlier look that had been crossed, where nothing was stopped.
    """

    metric: Metric
    arm: str
    found: Difference
    absolute: Estimate
    relative: Estimate
    p_value: float
    p_adjusted: float
    p_equivalence: float
    verdict: Verdict
    power: float
    detectable: float
    family: Literal["primary", "secondary", "guardrail"] = "primary"
    family_size: int = 1
    simultaneous: bool = False
    stopped: Stopped | None = None
    crossing: Crossing | None = None

    @property
    def lift(self) -> Estimate:
        """The lift to go by: at a stop the median-unbiased one, with the interval that belongs to it; else the plain.

        The plain estimate is too large on average where a test stops because of it (Jennison and Turnbull 2000,
        chapter 8). Where an earlier bound was crossed and nobody stopped, no stop has selected the data.
        """
        if self.stopped is None:
            return self.relative
        return replace(
            self.relative,
            value=self.stopped.median_unbiased,
            low=self.stopped.low,
            high=self.stopped.high,
            note="median_unbiased",
        )

    def disagrees(self, alpha: float) -> bool:
        """Whether the metric is significant by itself, and not after the correction for its family."""
        return self.family != "guardrail" and not self.simultaneous and self.p_value <= alpha < self.p_adjusted

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row, for tables."""
        return [
            {
                "metric": self.metric.name,
                "kind": self.metric.kind,
                "role": self.metric.role,
                "arm": self.arm,
                "better": self.metric.better,
                "margin": self.metric.margin,
                **self.found.to_dicts()[0],
                "difference_low": self.absolute.low,
                "difference_high": self.absolute.high,
                "lift": self.lift.value,
                "lift_low": self.lift.low,
                "lift_high": self.lift.high,
                "lift_plain": self.relative.value,
                "lift_plain_low": self.relative.low,
                "lift_plain_high": self.relative.high,
                "lift_basis": "plain" if self.stopped is None else "median_unbiased",
                "p_value": self.p_value,
                "p_adjusted": self.p_adjusted,
                "family": self.family,
                "family_size": self.family_size,
                "p_equivalence": self.p_equivalence,
                "verdict": self.verdict,
                "power": self.power,
                "detectable": self.detectable,
                **dict(self.found.details),
            }
        ]


def compare_metric(
    sums: Aggregates,
    columns: MetricColumns,
    control: str,
    arm: str,
    *,
    level: float,
    by: str = OVERALL[0],
    segment: str = OVERALL[1],
    days: Sequence[str] | None = None,
    stratify: str | None = None,
) -> Difference:
    """A metric of an arm against control, from the sums of a segment and of some days; post-stratified if asked.

    Shares of independent units are compared by their score test, everything else by Welch's t and, for lifts, Fieller's
    theorem: test and interval never say different things. Shares that are post-stratified, adjusted by covariates, or
    those of clusters, are means.
    """
    if stratify is not None:
        parts = [
            {part: sums.arm(name, by=stratify, segment=part, days=days) for part in sums.segments(stratify)}
            for name in (control, arm)
        ]
        return post_stratified(
            parts[0], parts[1], columns.of, covariates=columns.covariates, level=level, relative="fieller"
        )
    sides = [sums.arm(name, by=by, segment=segment, days=days) for name in (control, arm)]
    if columns.counted and isinstance(columns.of, str):
        hits = [(round(side.sum(columns.of)), side.n) for side in sides]
        if all(n for _, n in hits):
            return proportion_difference(hits[0], hits[1], relative="fieller", level=level)
    return compare_arms(sides[0], sides[1], columns.of, covariates=columns.covariates, level=level, relative="fieller")


def effects_of(
    plan: Plan,
    sums: Aggregates,
    interim: InterimAnalysis,
    *,
    others: Others | None = None,
    stratify: str | None = None,
    intervals: Intervals = "each",
    crossings: Sequence[Crossing] = (),
) -> tuple[Effect, ...]:
    """The effects, in the order of the plan: primary metrics corrected by the plan, secondary ones by BH.

    Guardrails are not corrected: a decision needs all of them to hold, so that several cannot make it easier.
    ``stratify`` names a segmentation that means are post-stratified by; ``intervals`` and ``crossings`` are those of
    :func:`~reclens.experiment.analysis.readout.read_sums`.

    Raises:
        UnknownNameError: If there are no such intervals.
    """
    if intervals not in INTERVALS:
        raise UnknownNameError("kind of intervals", intervals, INTERVALS)
    metric_columns = metric_columns_of(plan.metrics, rows=sums.rows, indicators=sums.indicators)
    found: list[tuple[Metric, str, Difference]] = []
    for metric in plan.metrics:
        for arm in plan.treatments:
            if metric.name in metric_columns:
                difference = compare_metric(
                    sums, metric_columns[metric.name], plan.control, arm, level=plan.level, stratify=stratify
                )
            elif (metric.name, arm) in (others or {}):
                difference = (others or {})[metric.name, arm]
            else:
                continue
            found.append((metric, arm, difference))
    p = np.array([interim.p_value(difference) for _, _, difference in found])
    families = [metric.role for metric, _, _ in found]
    adjusted = adjust_families(
        p, families, correction={"primary": plan.correction, "secondary": "bh", "guardrail": "none"}
    )
    inflation = inflation_of(plan)
    crossed = {(each.metric, each.arm): each for each in crossings}
    return tuple(
        _effect(
            plan,
            interim,
            metric,
            arm,
            difference,
            float(p[i]),
            float(adjusted[i]),
            inflation,
            families.count(metric.role),
            intervals,
            crossed.get((metric.name, arm)),
        )
        for i, (metric, arm, difference) in enumerate(found)
    )


def _effect(
    plan: Plan,
    interim: InterimAnalysis,
    metric: Metric,
    arm: str,
    found: Difference,
    p: float,
    p_adjusted: float,
    inflation: float,
    asked: int,
    intervals: Intervals,
    crossing: Crossing | None,
) -> Effect:
    loss, relative = metric.loss
    p_equivalence = math.nan
    if loss and metric.aim != "non-inferiority" and found.testable:
        p_equivalence = equivalence_p(found, -loss, loss, relative=relative)
    if metric.role == "guardrail" and found.testable:
        worst = -metric.sign * loss
        p_adjusted = (
            p_equivalence
            if metric.equivalence
            else (found.p_above if metric.sign > 0 else found.p_below)(worst, relative=relative)
        )
    together = intervals == "simultaneous" and metric.role != "guardrail" and plan.correction != "none" and asked > 1
    level = 1 - plan.alpha / asked if together else None
    stops = metric.role == "primary" and crossing is None
    power, detectable = _power(plan, interim, metric, found, inflation)
    return Effect(
        metric=metric,
        arm=arm,
        found=found,
        absolute=interim.interval(found, level=level),
        relative=interim.interval(found, relative=True, level=level),
        p_value=p,
        p_adjusted=p_adjusted,
        p_equivalence=p_equivalence,
        verdict=_verdict(plan, interim, metric, found, p_adjusted),
        power=power,
        detectable=detectable,
        family=metric.role,
        family_size=asked,
        simultaneous=together,
        stopped=interim.stopped(found) if stops else None,
        crossing=crossing,
    )


def _verdict(plan: Plan, interim: InterimAnalysis, metric: Metric, found: Difference, p_adjusted: float) -> Verdict:
    """The verdict on an effect, by the critical value of this look; it agrees with the interval."""
    if not found.testable:
        return "not_testable"
    loss, relative = metric.loss
    critical_value = interim.critical_value(found)
    # How far the difference is shown to lie above the lower margin and below the upper one, in normal deviates.
    inside = [found.z_at(-loss, relative=relative), -found.z_at(loss, relative=relative)] if loss else []
    if metric.role != "guardrail":
        if inside and min(inside) >= critical_value:
            return "no_material_difference"
        if p_adjusted > plan.alpha:
            return "no_difference_shown"
        return "better" if found.absolute.value * metric.sign > 0 else "worse"
    if not metric.equivalence:
        inside = inside[:1] if metric.sign > 0 else inside[1:]
    return (
        "holds"
        if min(inside) >= critical_value
        else "broken"
        if min(inside) <= -critical_value
        else "not_shown_to_hold"
    )


def _power(
    plan: Plan, interim: InterimAnalysis, metric: Metric, found: Difference, inflation: float
) -> tuple[float, float]:
    """Power for the planned effect, and the smallest effect with the planned power, at the standard error observed.

    As the plan was sized: at the planned sample, where less is in so far; with the alpha that the correction leaves
    each primary metric; and with what the looks cost.
    """
    from scipy.special import ndtr, ndtri

    if not found.relative_se > 0 or not found.control:
        return float("nan"), float("nan")
    tests = len(plan.treatments) * len(plan.primary) if metric.role == "primary" else 1
    alpha = corrected_alpha(plan.alpha, comparisons=tests, correction=plan.correction)
    se = found.se / abs(found.control) * (inflation * (interim.information if interim.early else 1.0)) ** 0.5
    detectable = smallest_detectable(se, level=1 - alpha, power=plan.power)
    if metric.effect is None:
        return float("nan"), detectable
    shift, z = metric.effect / se, float(ndtri(1 - alpha / 2))
    return float(ndtr(shift - z) + ndtr(-shift - z)), detectable
