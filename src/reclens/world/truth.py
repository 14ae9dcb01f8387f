"""The truth about a change: everybody gets it against nobody gets it, with the same luck in both worlds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from reclens.engine import Progress, quiet
from reclens.errors import UsageError
from reclens.stats.estimate import Estimate, mean_estimate
from reclens.world.population import World
from reclens.world.simulate import Arm, Run, simulate

__all__ = ["METRICS", "REPLICATES", "Effect", "Truth", "lift_over_pairs", "true_effect"]

REPLICATES: Final = 8
"""Pairs of lives where nothing else is said."""

METRICS: Final = ("clicks", "expected_clicks", "visits", "lists", "clicks_per_list")
"""What is compared: totals a user, and clicks over lists."""


@dataclass(frozen=True)
class Effect:
    """The effect on one metric.

    Attributes:
        metric: One of ``METRICS``.
        control: Its value when nobody is treated.
        treatment: Its value when everybody is.
        difference: Treatment minus control, with its Monte-Carlo interval over replicates; none of a single one.
        lift: The same as a share of control.
    """

    metric: str
    control: float
    treatment: float
    difference: Estimate
    lift: Estimate


@dataclass(frozen=True)
class Truth:
    """What a change does when everybody gets it.

    Attributes:
        effects: By metric.
        replicates: How many times both worlds were lived.
        days: For how long.
    """

    effects: tuple[Effect, ...]
    replicates: int
    days: int

    def __getitem__(self, metric: str) -> Effect:
        return next(effect for effect in self.effects if effect.metric == metric)

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row a metric."""
        return [
            {"metric": e.metric, "control": e.control, "treatment": e.treatment, "difference": e.difference.value,
             "low": e.difference.low, "high": e.difference.high, "lift": e.lift.value, "lift_low": e.lift.low,
             "lift_high": e.lift.high}
            for e in self.effects
        ]  # fmt: skip


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
    """Live the world twice, all users in one arm each time, and compare user by user.

    The effect is that on the users of this world, on average over the luck of their lives. Both lives of a pair share
    their random numbers, so that a strategy against itself has an effect of exactly nothing and the difference of two
    has a small error. Where strategies learn from what is clicked, an early click sends the whole world another way:
    luck is common to all users, and only further pairs of lives, each with other luck, show how much it moves the
    effect. The interval is Student's over the pairs; a lift is linearised (delta method: Deng et al. 2018). A single
    pair is one draw, and has no interval.

    Args:
        world: Where.
        treatment: The change.
        control: What it is held against.
        days: For how long.
        retrain: Days from one training to the next.
        replicates: How many pairs of lives, each with luck of its own.
        level: Of the intervals.
        seed: Of the first pair; the others count on from it.
        threads: Threads to use; the result does not depend on it.
        progress: Called day by day.

    Raises:
        UsageError: If replicates is below 1.
    """
    if replicates < 1:
        raise UsageError(f"replicates is {replicates}, expected 1 or more.")
    found: list[tuple[Run, Run]] = []
    for at in range(replicates):
        lives = [
            simulate(world, [replace(arm, share=1.0)], days=days, retrain=retrain, seed=seed + at, threads=threads,
                     progress=_named(progress, f"world {2 * at + side + 1} of {2 * replicates}"))
            for side, arm in enumerate((control, treatment))
        ]  # fmt: skip
        found.append((lives[0], lives[1]))
    return Truth(tuple(_effect(metric, found, level) for metric in METRICS), replicates, days)


def _named(progress: Progress, world: str) -> Progress:
    def show(what: str, done: int, total: int, /) -> None:
        progress(f"{what} · {world}", done, total)

    return show


def _effect(metric: str, lives: Sequence[tuple[Run, Run]], level: float) -> Effect:
    """One metric over all pairs of lives."""
    means = np.array([[_mean(run, metric) for run in pair] for pair in lives])
    control, treatment = (float(side) for side in means.mean(axis=0))
    difference = _over_pairs(treatment - control, means[:, 1] - means[:, 0], level)
    if not control > 0:
        none = Estimate(float("nan"), None, None, len(means), level, "control is 0")
        return Effect(metric, control, treatment, difference, none)
    return Effect(metric, control, treatment, difference, lift_over_pairs(means[:, 0], means[:, 1], level))


def lift_over_pairs(control: np.ndarray, treatment: np.ndarray, level: float = 0.95) -> Estimate:
    """Ratio of the means of pairs of lives, less 1; Student's interval of its linearisation.

    Example:
        >>> print(lift_over_pairs(np.array([1.0, 1.1, 0.9]), np.array([1.1, 1.2, 1.0])))
        0.1 [0.07516, 0.1248]
    """
    ratio = float(treatment.mean() / control.mean())
    return _over_pairs(ratio - 1, ratio - 1 + (treatment - ratio * control) / float(control.mean()), level)


def _mean(run: Run, metric: str) -> float:
    """A total a user, or clicks over lists."""
    if metric == "clicks_per_list":
        return float(run.users["clicks"].sum()) / max(float(run.users["lists"].sum()), 1.0)
    return float(run.users[metric].to_numpy().mean())


def _over_pairs(value: float, found: np.ndarray, level: float) -> Estimate:
    """The mean over pairs of lives, with Student's interval; of one pair without."""
    if len(found) < 2:
        return Estimate(value, None, None, 1, level, "one draw of luck; two replicates or more have an interval")
    return replace(mean_estimate(found, level=level, note=f"over {len(found)} replicates"), value=value)
