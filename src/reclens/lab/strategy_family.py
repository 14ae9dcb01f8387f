"""A family of strategies, each lived by everybody: true lifts to hold offline metrics against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from reclens.engine import Progress, quiet
from reclens.errors import ArgumentValueError, UnknownNameError, UsageError
from reclens.stats.estimate import Estimate
from reclens.tabular import Tabular
from reclens.world.arm import Arm
from reclens.world.population import World
from reclens.world.simulation import simulate
from reclens.world.truth import METRICS, learning, lift_over_pairs

__all__ = ["FAMILY", "OVERALL", "StrategyEffects", "true_lifts"]

OVERALL: Final = ("all", "all")
"""The segment that is everybody."""

FAMILY: Final[dict[str, dict[str, Any]]] = {
    "random": {},
    "popular": {},
    "recent_popular": {},
    "user_knn_20": {"model": "user_knn", "neighbors": 20},
    "user_knn_100": {"model": "user_knn", "neighbors": 100},
    "item_knn_5": {"model": "item_knn", "neighbors": 5},
    "item_knn_20": {"model": "item_knn", "neighbors": 20},
    "item_knn_100": {"model": "item_knn", "neighbors": 100},
    "ease_10": {"model": "ease", "l2": 10.0},
    "ease_300": {"model": "ease", "l2": 300.0},
    "ease_10000": {"model": "ease", "l2": 10_000.0},
    "pure_svd_8": {"model": "pure_svd", "factors": 8},
    "pure_svd_64": {"model": "pure_svd", "factors": 64},
    "rp3beta": {},
}
"""Models of every kind and strength, by label: parameters as ``reclens.models.build`` takes them."""


@dataclass(frozen=True, eq=False)
class StrategyEffects(Tabular):
    """True lifts over one control, by strategy and segment.

    Attributes:
        control: The strategy that the others are compared with; its lift is 0.
        metric: What was measured, a user.
        values: Strategy -> segment -> lift with its Monte-Carlo interval.
    """

    control: str
    metric: str
    values: Mapping[str, Mapping[tuple[str, str], Estimate]]

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row per strategy and segment."""
        return [
            {
                "strategy": name,
                "by": by,
                "segment": segment,
                "lift": lift.value,
                "low": lift.low,
                "high": lift.high,
                "coverage": lift.coverage,
            }
            for name, cells in self.values.items()
            for (by, segment), lift in cells.items()
        ]


def true_lifts(
    world: World,
    arms: Mapping[str, Arm],
    *,
    control: str,
    metric: str = "expected_clicks",
    by: str | None = "cohort",
    days: int = 14,
    retrain: int = 7,
    replicates: int = 4,
    level: float = 0.95,
    seed: int = 0,
    threads: int | None = None,
    progress: Progress = quiet,
) -> StrategyEffects:
    """Simulate all users under each strategy, on the same random numbers, and compare with the control.

    Intervals are over the replicates, each with luck of its own: Student's, and wider where the strategy or the control
    learns (see :func:`reclens.world.truth.true_effect`); a single one has none.

    Args:
        world: Where.
        arms: Strategies by label.
        control: The label of one of them.
        metric: A total of ``reclens.world.truth.METRICS``.
        by: Attribute of the users to split by, or None; segments that have none of the metric in control are left out.
        days: Number of days.
        retrain: Days from one training to the next.
        replicates: Number of replicates of all strategies.
        level: Of the intervals.
        seed: Of the first replicate; the others count on from it.
        threads: Threads to use.
        progress: Called strategy by strategy.

    Raises:
        UnknownNameError: If the control, the metric or the attribute does not exist.
        UsageError: If the control has none of the metric, or replicates is below 1.
    """
    if control not in arms:
        raise UnknownNameError("strategy", control, arms)
    if metric not in METRICS[:-1]:
        raise UnknownNameError("total of the world", metric, METRICS[:-1])
    if by is not None and by not in world.users.columns:
        raise UnknownNameError("user attribute", by, world.users.columns)
    segments: dict[tuple[str, str], np.ndarray] = {OVERALL: np.ones(world.users.height, bool)}
    if by is not None:
        column = world.users[by].cast(str)
        segments |= {
            (by, name): (column == name).fill_null(value=False).to_numpy()
            for name in column.drop_nulls().unique().sort().to_list()
        }
    if replicates < 1:
        raise ArgumentValueError("replicates", f"is {replicates}, expected 1 or more")
    lived: dict[str, list[np.ndarray]] = {name: [] for name in arms}
    for at in range(replicates):
        for place, (name, arm) in enumerate(arms.items()):
            progress(f"true lifts · {name}", at * len(arms) + place, replicates * len(arms))
            run = simulate(world, [arm], days=days, retrain=retrain, seed=seed + at, threads=threads)
            lived[name].append(run.users[metric].to_numpy().astype(np.float64))
    progress("true lifts", replicates * len(arms), replicates * len(arms))
    totals = {name: np.stack(each) for name, each in lived.items()}
    # A few users who did nothing in control must not cost the lifts of all others.
    segments = {
        cell: rows
        for cell, rows in segments.items()
        if cell == OVERALL or (rows.any() and totals[control][:, rows].sum() > 0)
    }
    learned = {name: learning([arms[control], arm], days=days, retrain=retrain) for name, arm in arms.items()}
    values = {
        name: {
            cell: _lift(mine[:, rows], totals[control][:, rows], level, learned[name])
            for cell, rows in segments.items()
        }
        for name, mine in totals.items()
    }
    return StrategyEffects(control, metric, values)


def _lift(treated: np.ndarray, control: np.ndarray, level: float, learned: bool) -> Estimate:
    """Lift of totals, shape (replicates, users), over those of control."""
    base = float(control.mean()) if control.size else 0.0
    if base <= 0:
        raise UsageError(
            f"{control.shape[1]} users have {base:g} in control: no lift can be taken. Simulate more users or days."
        )
    return lift_over_pairs(control.mean(axis=1), treated.mean(axis=1), level, learned=learned)
