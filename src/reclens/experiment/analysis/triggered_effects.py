"""Triggered analysis: the effect on the units whose experience could differ, and what it comes to over all units.

Units that an arm could not have treated differently add noise and no effect. Whether a unit is triggered must not
depend on its arm: control logs when the treatment *would have* shown something else. The sample ratio of triggered
units is checked for that, and the units that were not triggered must not differ.

References: Deng and Hu (2015), Diluted treatment effect estimation for trigger analysis in online controlled
experiments; Kohavi, Tang and Xu (2020), chapter 20.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from reclens.experiment.aggregate.aggregates import Aggregates
from reclens.experiment.aggregate.metric_columns import metric_columns_of
from reclens.experiment.analysis.effects import Effect
from reclens.experiment.analysis.interim import InterimAnalysis
from reclens.experiment.planning.plan import Plan
from reclens.stats.estimate import Estimate
from reclens.stats.moments import Moments
from reclens.tabular import Tabular

__all__ = ["Diluted", "dilute", "diluted_mean", "diluted_ratio"]

_NOTHING: Final = "control_is_zero"
_ALONE: Final = "one_untriggered_unit"


@dataclass(frozen=True, kw_only=True)
class Diluted(Tabular):
    """An effect on triggered units, over all units.

    Attributes:
        metric: The metric.
        arm: The treated arm.
        share: Share of the units of both arms that were triggered.
        control: Value of control over all its units.
        absolute: The difference over all units.
        relative: The lift over all units.
    """

    metric: str
    arm: str
    share: float
    control: float
    absolute: Estimate
    relative: Estimate

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row, for tables."""
        return [
            {
                "metric": self.metric,
                "arm": self.arm,
                "triggered": self.share,
                "control": self.control,
                "difference": self.absolute.value,
                "difference_low": self.absolute.low,
                "difference_high": self.absolute.high,
                "lift": self.relative.value,
                "lift_low": self.relative.low,
                "lift_high": self.relative.high,
            }
        ]


def dilute(plan: Plan, sums: Aggregates, interim: InterimAnalysis, effects: tuple[Effect, ...]) -> tuple[Diluted, ...]:
    """The effects over all units, of metrics that sums tell; empty where nothing was triggered or all were.

    Args:
        plan: The plan.
        sums: Sums of the triggered units, with those of the others.
        interim: The interim analysis; intervals reach as far as it says.
        effects: The effects among triggered units, with their adjustment by covariates.
    """
    rest = sums.untriggered
    if rest is None:
        return ()
    metric_columns = metric_columns_of(plan.metrics, rows=sums.rows, indicators=sums.indicators)
    others = metric_columns_of(plan.metrics, rows=rest.rows, indicators=rest.indicators)
    found: list[Diluted] = []
    for effect in effects:
        name = effect.metric.name
        if name not in metric_columns or not effect.found.testable:
            continue
        arms = (plan.control, effect.arm)
        inside = [sums.arm(arm) for arm in arms]
        outside = rest.arm(arms[0]) + rest.arm(arms[1])
        n = sum(each.n for each in inside)
        share, units = n / (n + outside.n), n + outside.n
        critical_value = interim.critical_value(effect.found)
        of, of_rest = metric_columns[name].of, others[name].of
        if isinstance(of, str) and isinstance(of_rest, str):
            ends = (effect.absolute, effect.relative)
            made = diluted_mean(
                ends, inside[0], outside, (of, of_rest), share=share, critical_value=critical_value, units=units
            )
        else:
            pairs = [(each, "") if isinstance(each, str) else each for each in (of, of_rest)]
            made = diluted_ratio(inside, outside, pairs[0], pairs[1], share=share, critical_value=critical_value)
        control, gap, lift = made
        gap, lift = (replace(each, n=units, level=plan.level) for each in (gap, lift))
        found.append(Diluted(metric=name, arm=effect.arm, share=share, control=control, absolute=gap, relative=lift))
    return tuple(found)


def diluted_mean(
    found: tuple[Estimate, Estimate],
    control: Moments,
    rest: Moments,
    columns: tuple[str, str],
    *,
    share: float,
    critical_value: float,
    units: int,
) -> tuple[float, Estimate, Estimate]:
    """A difference of means over all units: r Δ, and its lift s Δ ÷ c, from those of the share r of triggered units.

    s = r c ÷ (r c + (1 - r) u) is the share of all of control's sum that its triggered units hold: the lift is not
    diluted by r unless they have the mean u of the others.

    Args:
        found: Difference and lift among triggered units, adjusted by covariates, with their intervals.
        control: Moments of the triggered units of control.
        rest: Moments of the units of both arms that were not triggered, who are the same in both.
        columns: Column of the mean in ``control`` and in ``rest``.
        share: Share of triggered units r of both arms.
        critical_value: Normal deviate of the ends of the intervals.
        units: All units of both arms, which r was counted over.

    Returns:
        Mean of control over all units, difference and lift. The errors of r and s widen the intervals by a little. The
        lift has no interval where triggered units of control have nothing (its value is then r Δ ÷ that mean), and no
        value where nobody has.
    """
    r, c, u = share, control.value(columns[0]), rest.value(columns[1])
    var_r = r * (1 - r) / units
    everyone, gap = r * c + (1 - r) * u, _times(found[0], r, critical_value * var_r**0.5)
    if not c or not everyone:
        lift = gap.value / abs(everyone) if everyone else math.nan
        return everyone, gap, replace(found[1], value=lift, low=None, high=None, note=_NOTHING)
    held = r * c / everyone
    errors = var_r / (r * (1 - r)) ** 2 + control.variance(columns[0]) / control.n / c**2
    errors += rest.variance(columns[1]) / rest.n / u**2 if u else 0.0
    return everyone, gap, _times(found[1], held, critical_value * abs(held * (1 - held)) * errors**0.5)


def _times(found: Estimate, factor: float, error: float) -> Estimate:
    """Multiply an estimate by an uncertain factor; the interval of the product is computed separately for each side."""
    value, more = factor * found.value, found.value * error
    if found.low is None or found.high is None:
        return replace(found, value=value)
    if math.isnan(more):
        return replace(found, value=value, low=None, high=None, note=_ALONE)
    return replace(
        found,
        value=value,
        low=value - float(np.hypot(factor * (found.value - found.low), more)),
        high=value + float(np.hypot(factor * (found.high - found.value), more)),
    )


def diluted_ratio(
    arms: Sequence[Moments],
    rest: Moments,
    of: tuple[str, str],
    of_rest: tuple[str, str],
    *,
    share: float,
    critical_value: float,
) -> tuple[float, Estimate, Estimate]:
    """A difference of ratios of sums over all units, without adjustment by covariates, by the delta method.

    A ratio of sums does not dilute by the share of triggered units: numerator and denominator do, each by itself. Both
    arms have the sums of the units that were not triggered in common: R = (r N + (1 - r) N_u) ÷ (r D + (1 - r) D_u).

    Args:
        arms: Moments of the triggered units of control and of treatment.
        rest: As in :func:`diluted_mean`, as are the others.
        of: Columns of numerator and denominator; an empty name of a denominator is 1 of each unit.
        of_rest: The same in ``rest``.
        share: Share of triggered units.
        critical_value: Normal deviate of the ends of the intervals.
    """
    r, units = share, sum(each.n for each in arms) + rest.n
    u, cov_u = _pair(rest, of_rest)
    sides = [_pair(each, of) for each in arms]
    values: list[float] = []
    own: list[np.ndarray] = []
    shared: list[np.ndarray] = []
    for mean, _ in sides:
        top, bottom = r * mean + (1 - r) * u
        slope = np.array([1.0, -top / bottom]) / bottom
        values.append(float(top / bottom))
        own.append(r * slope)
        shared.append(np.append((1 - r) * slope, slope @ (mean - u)))
    noise = np.zeros((3, 3))  # of what the arms share: the others' means, and the share of triggered units
    noise[:2, :2], noise[2, 2] = cov_u, r * (1 - r) / units

    def estimate(value: float, by_control: float, by_treated: float) -> Estimate:
        both = by_control * shared[0] + by_treated * shared[1]
        mine = [f**2 * g @ cov @ g for f, g, (_, cov) in zip((by_control, by_treated), own, sides, strict=True)]
        far = critical_value * float(sum(mine) + both @ noise @ both) ** 0.5
        return (
            Estimate(value, low=None, high=None, n=units, note=_ALONE)
            if math.isnan(far)
            else (Estimate(value, low=value - far, high=value + far, n=units))
        )

    low, high = values
    if not low:
        return low, estimate(high - low, -1, 1), Estimate(math.nan, low=None, high=None, n=units, note=_NOTHING)
    return (low, estimate(high - low, -1, 1), estimate((high - low) / abs(low), -high / low / abs(low), 1 / abs(low)))


def _pair(moments: Moments, of: tuple[str, str]) -> tuple[np.ndarray, np.ndarray]:
    """Means of numerator and denominator, and the covariance of those means."""
    if not of[1]:
        variance = moments.variance(of[0]) / moments.n
        return np.array([moments.value(of[0]), 1.0]), np.array([[variance, 0.0], [0.0, 0.0]])
    return np.array([moments.value(name) for name in of]), moments.covariances(of) / moments.n
