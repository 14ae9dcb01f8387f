"""Whether a world resembles the data: each measure with its value in both, its band, and whether it passes.

What is compared is what was consumed before the first day, which the users of the world chose, with the reference; and,
where logs of lists are given, how clicks fall with the place. The bands are ours. Popularity, activity and
co-occurrence hardly bind what a recommender is worth: with tastes half as strong, or half as strong again, they stay
inside. Two measures do bind it: how well a recommender tells held-out items from others as popular, and whether a
classifier tells users of the world from those of the data. ``order_check`` tests whether recommenders rank alike, and
``past_test_check`` whether the world has the lift that a test of the past found.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from reclens.data.dataset import Dataset
from reclens.engine import Progress, quiet
from reclens.errors import UsageError
from reclens.schema import ITEM, TIMESTAMP, TIMESTAMP_TYPE, USER
from reclens.stats.estimate import Estimate
from reclens.tabular import Tabular
from reclens.world.arm import Arm
from reclens.world.effect_size import past_test
from reclens.world.population import World
from reclens.world.realism_checks import (
    Check,
    activity_checks,
    click_repeat_check,
    effect_size_checks,
    entropy_check,
    place_checks,
    popularity_checks,
    repeat_check,
    spectrum_check,
    visit_check,
)
from reclens.world.simulation import simulate
from reclens.world.strategies import Popular

__all__ = ["Realism", "history_of", "lists_of", "order_check", "past_test_check", "realism"]


@dataclass(frozen=True)
class Realism(Tabular):
    """All measures of a world against its reference."""

    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether no measure lies outside its band."""
        return all(check.passed is not False for check in self.checks)

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row per measure."""
        names = [each.name for each in fields(Check) if each.name != "facts"]
        return [{name: getattr(check, name) for name in names} for check in self.checks]


def history_of(world: World) -> Dataset:
    """The history of the users of a world before the first day, as a data set."""
    users, items, days = world.history
    start = world.settings.start
    zero = int(datetime(start.year, start.month, start.day, tzinfo=UTC).timestamp() * 1e6)
    times = pl.Series(zero + days.astype(np.int64) * 86_400_000_000).cast(TIMESTAMP_TYPE)
    interactions = pl.DataFrame(
        {USER: world.users[USER].gather(users), ITEM: world.items[ITEM].gather(items), TIMESTAMP: times}
    )
    items_table = world.items.with_columns(pl.concat_list(pl.format("topic {}", "topic")).alias("topic"))
    return Dataset(interactions, users=world.users, items=items_table, name="world", card={"synthetic": True})


def lists_of(
    world: World, *, days: int = 14, seed: int = 0, threads: int | None = None, progress: Progress = quiet
) -> pl.DataFrame:
    """Impressions of popular lists with the clicks of the users of a world, to compare with real ones.

    Args:
        world: The simulated world.
        days: Number of days.
        seed: Seed of the clicks.
        threads: Threads to use; the result does not depend on it.
        progress: Callback for the progress, by day.
    """
    with tempfile.TemporaryDirectory() as place:
        run = simulate(
            world,
            [Arm(name="popular", strategy=Popular())],
            days=days,
            seed=seed,
            folder=Path(place) / "log",
            threads=threads,
            progress=progress,
        )
        return pl.read_parquet(Path(str(run.folder)) / "impressions" / "*.parquet")


def realism(
    world: World,
    reference: Dataset,
    *,
    impressions: pl.DataFrame | None = None,
    reference_impressions: pl.DataFrame | None = None,
) -> Realism:
    """Compare a world with the data that it should resemble.

    Popularity: slope of log count over log rank (from rank 10 to the median item), Gini, share of the most popular
    1 %. Activity: Kolmogorov-Smirnov distance of the numbers of interactions a user. Repeats: share of interactions
    with something the user had before, and of clicks on something they clicked before. Taste: mean entropy, in bits, of
    the topics a user consumes, where the world knows the items of the reference. Effect size: how well item-kNN tells
    held-out items from others as popular (:func:`reclens.world.effect_size.held_out_auc`), and how well a classifier
    tells the users of both apart (:func:`reclens.world.effect_size.told_apart`). Co-occurrence: mean absolute log ratio
    of the leading singular values of D_u^-1/2 R D_i^-1/2 without the first, which is 1 in every data set. Clicks: rate
    by place over that of place 1. Visits: distance of the days that users stay away, in the lists of the world and in
    the interactions of the reference.

    Args:
        world: The world.
        reference: Data with ``user_id, item_id``.
        impressions: Logs of the world, for clicks by place.
        reference_impressions: Logs of the reference: ``user_id, item_id, position`` (from 1) and ``clicked``; without
            them clicks by place are only shown.

    Raises:
        UsageError: If the reference or the history of the world is empty.
        DataError: If logs lack a column, or no list of theirs was clicked at place 1.
    """
    ours = history_of(world)
    if not ours.interactions.height or not reference.interactions.height:
        raise UsageError("the world or the reference holds no interaction: there is nothing to compare.")
    checks = [*popularity_checks(ours, reference), *activity_checks(ours, reference), repeat_check(ours, reference)]
    checks += [
        entropy_check(world, ours, reference),
        spectrum_check(ours, reference),
        *effect_size_checks(ours, reference),
    ]
    if impressions is not None and TIMESTAMP in impressions.columns:
        checks.append(visit_check(impressions, reference))
    if impressions is not None:
        checks += place_checks(impressions, reference_impressions)
        if reference_impressions is not None:
            checks.append(click_repeat_check(impressions, reference_impressions))
    return Realism(tuple(checks))


def order_check(
    simulated: Mapping[str, float], reference: Mapping[str, float], *, metric: str = "ndcg@10", least: float = 0.6
) -> Check:
    """Whether algorithms rank alike in the world and on the data: Kendall's τ-b over their offline results.

    Args:
        simulated: Value of each algorithm when evaluated on the world's history.
        reference: … and on the reference data, by the same protocol.
        metric: Which metric it is.
        least: τ from which on the order counts as the same.

    Raises:
        UsageError: If fewer than three algorithms are on both sides.
    """
    from scipy.stats import kendalltau

    names = [name for name in simulated if name in reference]
    if len(names) < 3:
        raise UsageError(f"{len(names)} algorithms were measured on both sides, expected three or more.")
    found: Any = kendalltau([simulated[name] for name in names], [reference[name] for name in names])
    tau = float(found.statistic)
    best = max(names, key=lambda name: simulated[name])
    same = best == max(names, key=lambda name: reference[name])
    return Check(
        measure=f"order of algorithms by {metric}",
        simulated=tau,
        reference=None,
        low=least,
        high=1.0,
        passed=bool(tau >= least),
        note="rank_correlation",
        facts={"over": names, "same_best": same},
    )


def past_test_check(
    world: World,
    treatment: Arm,
    control: Arm,
    lift: Estimate,
    *,
    metric: str = "clicks",
    days: int = 14,
    replicates: int = 4,
    seed: int = 0,
    threads: int | None = None,
    progress: Progress = quiet,
) -> Check:
    """Whether a world has the lift that a real A/B test found; see :func:`reclens.world.effect_size.past_test`."""
    truth, passed = past_test(
        world,
        treatment,
        control,
        lift,
        metric=metric,
        days=days,
        replicates=replicates,
        seed=seed,
        threads=threads,
        progress=progress,
    )
    return Check(
        measure=f"lift of a past test ({treatment.name} over {control.name})",
        simulated=truth.value,
        reference=lift.value,
        low=lift.low,
        high=lift.high,
        passed=passed,
        note="past_test",
        facts={"metric": metric, "low": truth.low, "high": truth.high},
    )
