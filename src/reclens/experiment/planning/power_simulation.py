"""Power by simulation, for what has no formula: resample the units of the past, plant an effect, count what is found.

An arm of n units is drawn from the history with replacement, as weights; a *statistic* turns weights into numbers. The
difference of two arms is held against its standard error, which the simulation knows: the power of a test that knows
its standard error.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl

from reclens.errors import ArgumentValueError, DataError, UnknownNameError, UsageError
from reclens.experiment.aggregate.arm_level import ARM_STATISTICS, ArmCounts, arm_statistic
from reclens.experiment.planning.metric import OF_ARM, Metric
from reclens.experiment.planning.plan import Plan
from reclens.schema import stable_hash
from reclens.stats.estimate import Estimate
from reclens.stats.proportions import proportion

__all__ = ["Statistic", "simulate_power", "spread_of_arm", "statistic_of"]

Statistic = Callable[[np.ndarray], np.ndarray]
"""Weights of the units, shape (runs, units) -> a number a run, shape (runs,)."""

_MOST: Final = 4_000_000
"""Weights at a time: memory grows with runs × units."""


@dataclass(frozen=True, eq=False)
class _Resampled:
    """Statistics of the two arms in every run.

    Attributes:
        control: Shape (runs,).
        treated: Shape (runs,); before an effect is planted.
        value: The statistic of the whole history.
    """

    control: np.ndarray
    treated: np.ndarray
    value: float


def simulate_power(
    statistic: Statistic,
    *,
    units: int,
    n: float,
    effect: float = 0.0,
    shares: tuple[float, float] = (0.5, 0.5),
    level: float = 0.95,
    margin: float | None = None,
    equivalence: bool = False,
    better: int = 1,
    runs: int = 400,
    rng: int | np.random.Generator = 0,
) -> Estimate:
    """Share of simulated experiments that find a planted effect, or exclude the margin.

    Args:
        statistic: What is compared.
        units: Units of the history.
        n: Units of the experiment, over all arms.
        effect: Relative effect that is planted: the treated statistic is multiplied with 1 + effect.
        shares: Shares of control and treatment.
        level: Confidence level of the interval.
        margin: Relative margin of a non-inferiority test.
        equivalence: Whether the interval has to lie within the margin on both sides.
        better: +1 where higher is better, −1 where lower is.
        runs: Experiments.
        rng: Seed or generator.

    Returns:
        The power, with Wilson's interval for the error of the simulation.

    Raises:
        UsageError: If there are fewer than 50 runs, or an arm would have fewer than two units.

    Example:
        >>> values = np.random.default_rng(0).normal(10, 4, size=2000)
        >>> found = simulate_power(lambda w: w @ values / w.sum(axis=1), units=2000, n=2500, effect=0.05, runs=200)
        >>> 0.8 < found.value < 0.95  # the formula says 0.88
        True
    """
    from scipy.special import ndtri

    drawn = _resample(statistic, units=units, n=n, shares=shares, runs=runs, rng=rng)
    z = float(ndtri(0.5 + level / 2))
    treated = drawn.treated * (1 + effect)
    difference = treated - drawn.control
    error = float(difference.std(ddof=1))
    if margin is None:
        found = np.abs(difference) > z * error
    else:
        worst = -margin * np.abs(drawn.control)
        found = better * difference - z * error > worst
        if equivalence:
            found &= better * difference + z * error < -worst
    share = proportion(int(found.sum()), len(found))
    return Estimate(
        share.value,
        low=share.low,
        high=share.high,
        n=len(found),
        level=share.level,
    )


def spread_of_arm(
    metric: Metric, plan: Plan, exposures: pl.DataFrame, *, users: float | None = None
) -> tuple[float, float]:
    """A statistic of an arm, and the standard deviation of a unit for it.

    It is the standard error that the readout tests so many units with, times √units.

    Args:
        metric: Of coverage, Gini or effective items.
        plan: Its plan.
        exposures: As in :func:`statistic_of`.
        users: Of the arm, where it has fewer than the history: what few users see is spread otherwise.
    """
    who, what = (exposures[name].rank("dense").to_numpy().astype(np.int64) - 1 for name in (plan.unit, "item_id"))
    keys = stable_hash(exposures[plan.unit].unique().sort())
    share = min(max(users or math.inf, 30.0) / len(keys), 1.0)
    found, se = arm_statistic(ArmCounts.of(who, what, keys, n_items=int(what.max()) + 1, share=share), metric.kind)
    return found, se * math.sqrt(len(keys))  # a share's variance is that of a draw, times the share


def statistic_of(
    metric: Metric, plan: Plan, history: pl.DataFrame | None, *, exposures: pl.DataFrame | None = None
) -> tuple[Statistic, int]:
    """The statistic of a metric, and the number of units of its history.

    Args:
        metric: The metric.
        plan: Its plan.
        history: A row a unit, or several for a quantile of rows.
        exposures: For coverage, Gini and effective items: a row an item that was shown, with the unit's column and
            ``item_id``.

    Raises:
        UsageError: If what it needs was not given.
        UnknownNameError: If a column is missing.
    """
    if metric.kind in OF_ARM:
        if exposures is None:
            raise UsageError(
                f"'{metric.name}' needs exposures: a row for each item shown, with {plan.unit} and item_id."
            )
        for name in (plan.unit, "item_id"):
            if name not in exposures.columns:
                raise UnknownNameError(f"column of the exposures for '{metric.name}'", name, exposures.columns)
        return _of_items(metric.kind, exposures[plan.unit], exposures["item_id"])
    if history is None:
        raise UsageError(f"'{metric.name}' needs a history to be resampled.")
    missing = [name for name in metric.columns if name not in history.columns]
    if missing:
        raise UnknownNameError(f"column for '{metric.name}'", missing[0], history.columns)
    value = history[metric.value or ""].cast(pl.Float64).to_numpy()
    if metric.kind == "quantile":
        named = plan.unit in history.columns
        codes = np.unique(history[plan.unit].to_numpy(), return_inverse=True)[1] if named else np.arange(len(value))
        return _of_quantile(value, codes, metric.q or 0.5), int(codes.max()) + 1
    per = history[metric.per].cast(pl.Float64).to_numpy() if metric.per is not None else np.ones(len(value))
    return lambda weights: (weights @ value) / (weights @ per), len(value)


def _of_items(kind: str, units: pl.Series, items: pl.Series) -> tuple[Statistic, int]:
    from scipy.sparse import csr_array

    who = units.rank("dense").to_numpy().astype(np.int64) - 1
    what = items.rank("dense").to_numpy().astype(np.int64) - 1
    shape = int(who.max()) + 1, int(what.max()) + 1
    shown: Any = csr_array((np.ones(len(who)), (who, what)), shape=shape).T.tocsr()

    statistic = ARM_STATISTICS[kind]
    return lambda weights: statistic(shown @ weights.T), shape[0]


def _of_quantile(values: np.ndarray, codes: np.ndarray, q: float) -> Statistic:
    """The mid-quantile that the readout tests, of weighted rows."""
    order = np.argsort(values, kind="stable")
    owners = codes[order]
    support, ends = np.unique(values[order], return_index=True)
    ends = np.append(ends[1:], len(values)) - 1

    def quantile(weights: np.ndarray) -> np.ndarray:
        passed = weights[:, owners].cumsum(axis=1)[:, ends]
        below = (passed + np.pad(passed, ((0, 0), (1, 0)))[:, :-1]) / (2 * passed[:, -1:])
        return np.array([np.interp(q, row, support) for row in below])

    return quantile


def _resample(
    statistic: Statistic,
    *,
    units: int,
    n: float,
    shares: tuple[float, float],
    runs: int,
    rng: int | np.random.Generator,
) -> _Resampled:
    if runs < 50:
        raise ArgumentValueError("runs", f"is {runs}, expected 50 or more experiments")
    sizes = [round(n * share) for share in shares]
    if min(sizes) < 2:
        raise ArgumentValueError("n", f"is {n:g}, which leaves an arm of {min(sizes)} units, expected two at least")
    if units < 2:
        raise DataError(f"the history has {units} units", fix="Give ten units at least.")
    stream = np.random.default_rng(rng)
    found: list[list[np.ndarray]] = [[], []]
    batch = max(1, min(64, _MOST // units))
    for start in range(0, runs, batch):
        count = min(batch, runs - start)
        for arm, size in enumerate(sizes):
            # Poisson weights are the multinomial ones to within 1 / √n, at a tenth of the time.
            found[arm].append(statistic(stream.poisson(size / units, (count, units)).astype(np.float64)))
    control, treated = (np.concatenate(each) for each in found)
    return _Resampled(control, treated, float(statistic(np.ones((1, units)))[0]))
