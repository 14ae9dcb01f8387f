"""The truth about a change: everybody gets it against nobody gets it, with the same luck in both worlds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from reclens.engine import Progress, quiet
from reclens.errors import UsageError
from reclens.stats.estimate import Estimate, mean_estimate, normal_estimate
from reclens.world.population import World
from reclens.world.simulate import Arm, Run, simulate

__all__ = ["METRICS", "Effect", "Truth", "true_effect"]

METRICS: Final = ("clicks", "expected_clicks", "visits", "lists", "clicks_per_list")
"""What is compared: totals a user, and clicks over lists."""


@dataclass(frozen=True)
class Effect:
    """The effect on one metric.

    Attributes:
        metric: One of ``METRICS``.
        control: Its value when nobody is treated.
        treatment: Its value when everybody is.
        difference: Treatment minus control, with its Monte-Carlo interval.
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
    replicates: int = 1,
    level: float = 0.95,
    seed: int = 0,
    threads: int | None = None,
    progress: Progress = quiet,
) -> Truth:
    """Live the world twice, all users in one arm each time, and compare user by user.

    Both lives share their random numbers, so that a strategy against itself has an effect of exactly nothing and the
    difference of two has a small error. The interval is over what users might have done: from the differences of the
    users where the worlds were lived once (they are taken as independent, which shared training bends a little), and
    from the means of the replicates (Student's t) where there are more.

    Args:
        world: Where.
        treatment: The change.
        control: What it is held against.
        days: For how long.
        retrain: Days from one training to the next.
        replicates: How many pairs of lives.
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
    """One metric over all pairs; a ratio goes by its linearisation (delta method: Deng et al. 2018)."""
    ratio = metric == "clicks_per_list"
    values = [
        [run.users["clicks" if ratio else metric].to_numpy().astype(np.float64) for run in pair] for pair in lives
    ]
    sizes = [
        [run.users["lists"].to_numpy().astype(np.float64) if ratio else np.ones(1) for run in pair] for pair in lives
    ]
    means = np.array([
        [float(v.sum() / max(s.sum(), 1e-300)) if ratio else float(v.mean()) for v, s in zip(*sides, strict=True)]
        for sides in zip(values, sizes, strict=True)
    ])  # fmt: skip
    n = len(values[0][0])
    control, treatment = (float(side) for side in means.mean(axis=0))
    lifts = means[:, 1] / means[:, 0] - 1 if (means[:, 0] > 0).all() else np.full(len(means), np.nan)
    if len(lives) > 1:
        over = f"over {len(means)} replicates"
        gaps, lifted = (mean_estimate(each, level=level, note=over) for each in (means[:, 1] - means[:, 0], lifts))
        return Effect(metric, control, treatment, gaps, lifted)
    parts = [(v - mean * s) / s.mean() if ratio else v - mean
             for v, s, mean in zip(values[0], sizes[0], means[0], strict=True)]  # fmt: skip
    difference = _interval(treatment - control, parts[1] - parts[0], n, level)
    if not control > 0:
        return Effect(
            metric, control, treatment, difference, Estimate(float("nan"), None, None, n, level, "control is 0")
        )
    lift = _interval(treatment / control - 1, (parts[1] - treatment / control * parts[0]) / control, n, level)
    return Effect(metric, control, treatment, difference, lift)


def _interval(value: float, parts: np.ndarray, n: int, level: float) -> Estimate:
    if n < 2:
        return Estimate(value, None, None, n, level, "a single user has no interval")
    return normal_estimate(value, float(parts.std(ddof=1) / np.sqrt(n)), n=n, level=level)
