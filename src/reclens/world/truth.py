"""The true effect of a change: all users treated against no user treated, on the same random numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

import numpy as np

from reclens.engine import Progress, quiet
from reclens.errors import ArgumentValueError
from reclens.stats.estimate import Estimate, mean_estimate
from reclens.tabular import Tabular
from reclens.world.arm import Arm
from reclens.world.population import World
from reclens.world.simulation import Run, simulate

__all__ = ["METRICS", "REPLICATES", "TrueEffect", "Truth", "learning", "lift_over_pairs", "true_effect"]

REPLICATES: Final = 8
"""Pairs of lives where nothing else is said."""

_SHORT: Final = ((4, 0.1), (5, 0.07), (7, 0.05), (11, 0.03), (15, 0.015))
"""Replicates up to which intervals held the truth by so much less than their level where lives were most skewed
(``benchmarks/rates_truth.py``)."""

METRICS: Final = ("clicks", "expected_clicks", "visits", "lists", "clicks_per_list")
"""What is compared: totals a user, and clicks over lists."""


@dataclass(frozen=True, kw_only=True)
class TrueEffect:
    """The effect on one metric.

    Attributes:
        metric: One of ``METRICS``.
        control: Value if no user is treated.
        treatment: Value if all users are treated.
        difference: Treatment minus control, with its Monte-Carlo interval over replicates; no interval for a single
            one.
        lift: The same as a share of control.
    """

    metric: str
    control: float
    treatment: float
    difference: Estimate
    lift: Estimate


@dataclass(frozen=True)
class Truth(Tabular):
    """The true effects of a change for all users.

    Attributes:
        effects: By metric.
        replicates: Number of replicates.
        days: Number of days.
    """

    effects: tuple[TrueEffect, ...]
    replicates: int
    days: int

    def __getitem__(self, metric: str) -> TrueEffect:
        return next(effect for effect in self.effects if effect.metric == metric)

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row per metric; coverage is that of both intervals, if it is below their level."""
        return [
            {
                "metric": e.metric,
                "control": e.control,
                "treatment": e.treatment,
                "difference": e.difference.value,
                "low": e.difference.low,
                "high": e.difference.high,
                "lift": e.lift.value,
                "lift_low": e.lift.low,
                "lift_high": e.lift.high,
                "coverage": e.difference.coverage,
            }
            for e in self.effects
        ]


def true_effect(
    world: World,
    treatment: Arm,
    control: Arm,
    *,
    days: int = 28,
    retrain: int = 7,
    replicates: int = REPLICATES,
    level: float = 0.95,
    seed: int = 0,
    threads: int | None = None,
    progress: Progress = quiet,
) -> Truth:
    """Simulate the world twice, with all users in one arm each time, and compare the two, paired by user.

    The effect is the mean over random numbers for the users of this world. Both simulations of a pair share their
    random numbers, so that a strategy against itself has an effect of exactly 0 and a difference has a small error. If
    strategies learn from clicks, an early click changes what all users see later: the users of one pair are dependent,
    and only further pairs with other random numbers show the variance of the effect. The interval is Student's over the
    pairs; a lift is linearised (delta method: Deng et al. 2018). If arms learn (:func:`learning`), the effect is small
    in most pairs and large in some: over few pairs Student's interval is too short, and its quantile is replaced by
    that of exponential values. Below 16 replicates, ``coverage`` is the lowest coverage of such intervals in simulated
    worlds. A single pair has no interval.

    Args:
        world: Where.
        treatment: The change.
        control: The arm that it is compared with.
        days: Number of days.
        retrain: Days from one training to the next.
        replicates: Number of pairs, each with its own random numbers.
        level: Of the intervals.
        seed: Of the first pair; the others count on from it.
        threads: Threads to use; the result does not depend on it.
        progress: Callback for the progress, by day.

    Raises:
        UsageError: If replicates is below 1.
    """
    if replicates < 1:
        raise ArgumentValueError("replicates", f"is {replicates}, expected 1 or more")
    found: list[tuple[Run, Run]] = []
    for at in range(replicates):
        lives = [
            simulate(
                world,
                [replace(arm, share=1.0)],
                days=days,
                retrain=retrain,
                seed=seed + at,
                threads=threads,
                progress=_named(progress, f"world {2 * at + side + 1} of {2 * replicates}"),
            )
            for side, arm in enumerate((control, treatment))
        ]
        found.append((lives[0], lives[1]))
    learned = learning([control, treatment], days=days, retrain=retrain)
    return Truth(tuple(_effect(metric, found, level, learned) for metric in METRICS), replicates, days)


def learning(arms: Sequence[Arm], *, days: int, retrain: int) -> bool:
    """Whether an arm is retrained on its users' interactions, so that users are dependent.

    Args:
        arms: Of a simulation.
        days: Number of days.
        retrain: Days from one training to the next; 0 for a single one.
    """
    return 0 < retrain < days and any(getattr(arm.strategy, "learns", True) for arm in arms)


def _named(progress: Progress, world: str) -> Progress:
    def show(what: str, done: int, total: int, /) -> None:
        progress(f"{what} · {world}", done, total)

    return show


def _effect(metric: str, lives: Sequence[tuple[Run, Run]], level: float, learned: bool) -> TrueEffect:
    """One metric over all pairs of simulations."""
    means = np.array([[_mean(run, metric) for run in pair] for pair in lives])
    control, treatment = (float(side) for side in means.mean(axis=0))
    difference = _over_pairs(treatment - control, means[:, 1] - means[:, 0], level, learned)
    if not control > 0:
        none = Estimate(float("nan"), low=None, high=None, n=len(means), level=level, note="control_is_zero")
        return TrueEffect(metric=metric, control=control, treatment=treatment, difference=difference, lift=none)
    lift = lift_over_pairs(means[:, 0], means[:, 1], level, learned=learned)
    return TrueEffect(metric=metric, control=control, treatment=treatment, difference=difference, lift=lift)


def lift_over_pairs(
    control: np.ndarray, treatment: np.ndarray, level: float = 0.95, *, learned: bool = False
) -> Estimate:
    """Ratio of the means over pairs, less 1, with the interval of its linearisation as in :func:`true_effect`.

    Args:
        control: Means of control, shape (pairs,).
        treatment: Means of treatment, shape (pairs,).
        level: Confidence level.
        learned: Whether arms learned, so that pairs are skewed.

    Example:
        >>> print(lift_over_pairs(np.array([1.0, 1.1, 0.9]), np.array([1.1, 1.2, 1.0])))
        0.1 [0.07516, 0.1248]
    """
    ratio = float(treatment.mean() / control.mean())
    return _over_pairs(ratio - 1, ratio - 1 + (treatment - ratio * control) / float(control.mean()), level, learned)


def _mean(run: Run, metric: str) -> float:
    """A total per user, or clicks per list."""
    if metric == "clicks_per_list":
        return float(run.users["clicks"].sum()) / max(float(run.users["lists"].sum()), 1.0)
    return float(run.users[metric].to_numpy().mean())


def _over_pairs(value: float, found: np.ndarray, level: float, learned: bool) -> Estimate:
    """The mean over pairs of simulations, with the interval of true_effect; a single pair has none."""
    n = len(found)
    if n < 2:
        return Estimate(value, low=None, high=None, n=1, level=level, note="one_replicate")
    if not learned:
        return replace(mean_estimate(found, level=level, note="over_replicates"), value=value)
    half = _skewed_quantile(n, level) * float(found.std(ddof=1)) / math.sqrt(n)
    coverage = next((round(level - less, 4) for most, less in _SHORT if n <= most), None)
    return Estimate(
        value,
        low=value - half,
        high=value + half,
        n=n,
        level=level,
        note="over_learning_replicates",
        coverage=coverage if half > 0 else None,
    )


@lru_cache(maxsize=128)
def _skewed_quantile(n: int, level: float) -> float:
    """The quantile of |t| of the mean of n exponential values, where Student's is that of normal ones."""
    draws = max(1_600_000 // n, 20_000)
    values = np.random.default_rng([1908, n]).exponential(size=(draws, n))
    t = (values.mean(axis=1) - 1) / values.std(axis=1, ddof=1) * math.sqrt(n)
    return float(np.quantile(np.abs(t), level))
