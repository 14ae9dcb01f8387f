"""Is a world like the data? Each measure with its value in both, a band that it should fall into, and whether it does.

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
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from reclens.data.dataset import Dataset, UserItemMatrix
from reclens.engine import Progress, quiet
from reclens.errors import DataError, UsageError
from reclens.schema import CLICKED, ITEM, POSITION, TIMESTAMP, TIMESTAMP_TYPE, USER
from reclens.stats.concentration import gini
from reclens.stats.estimate import Estimate
from reclens.world.arm import Arm
from reclens.world.effect_size import gap_distance, held_out_auc, past_test, told_apart
from reclens.world.population import World
from reclens.world.simulate import simulate
from reclens.world.strategies import Popular

__all__ = ["Check", "Realism", "history_of", "lists_of", "order_check", "past_test_check", "realism", "singular_values"]

_VALUES: Final = 10
"""Singular values that are compared."""


@dataclass(frozen=True)
class Check:
    """One measure.

    Attributes:
        measure: What is measured.
        simulated: Its value in the world.
        reference: Its value in the data; None for a distance between the two.
        low: Lower end of the band for ``simulated``.
        high: Upper end.
        passed: Whether it lies inside; None where there is nothing to compare with.
        note: What it means, or why it could not be measured.
    """

    measure: str
    simulated: float
    reference: float | None
    low: float | None
    high: float | None
    passed: bool | None
    note: str


@dataclass(frozen=True)
class Realism:
    """All measures of a world against its reference."""

    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether no measure lies outside its band."""
        return all(check.passed is not False for check in self.checks)

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row a measure."""
        return [asdict(check) for check in self.checks]


def history_of(world: World) -> Dataset:
    """What the users of a world consumed before the first day, as a data set like any other."""
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
    """Lists of what is popular, and what the users of a world click in them: impressions to hold against real ones.

    Args:
        world: Where.
        days: For how long.
        seed: Of the clicks.
        threads: Threads to use; the result does not depend on it.
        progress: Called day by day.
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
    """Hold a world against the data it should be like.

    Popularity: slope of log count over log rank (from rank 10 to the median item), Gini, share of the most popular
    1 %. Activity: Kolmogorov-Smirnov distance of the numbers of interactions a user. Repeats: share of interactions
    with something the user had before, and of clicks on something she clicked before. Taste: mean entropy, in bits, of
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
    checks = [*_popularity(ours, reference), *_activity(ours, reference), _repeats(ours, reference)]
    checks += [_entropy(world, ours, reference), _spectrum(ours, reference), *_effect_size(ours, reference)]
    if impressions is not None and TIMESTAMP in impressions.columns:
        checks.append(_visits(impressions, reference))
    if impressions is not None:
        checks += _places(impressions, reference_impressions)
        if reference_impressions is not None:
            checks.append(_click_repeats(impressions, reference_impressions))
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
        UsageError: If fewer than three algorithms stand on both sides.
    """
    from scipy.stats import kendalltau

    names = [name for name in simulated if name in reference]
    if len(names) < 3:
        raise UsageError(f"{len(names)} algorithms were measured on both sides, expected three or more.")
    found: Any = kendalltau([simulated[name] for name in names], [reference[name] for name in names])
    tau = float(found.statistic)
    best = max(names, key=lambda name: simulated[name])
    agreed = "the same" if best == max(names, key=lambda name: reference[name]) else "another one"
    return Check(
        f"order of algorithms by {metric}",
        tau,
        None,
        least,
        1.0,
        bool(tau >= least),
        f"Kendall's τ over {', '.join(names)}; the best is {agreed}",
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
        f"lift of a past test ({treatment.name} over {control.name})",
        truth.value,
        lift.value,
        lift.low,
        lift.high,
        passed,
        f"of {metric}; in the world {truth.low:+.3f} to {truth.high:+.3f}",
    )


def _effect_size(ours: Dataset, reference: Dataset) -> list[Check]:
    skills = [held_out_auc(each) for each in (ours, reference)]
    apart = told_apart(ours, reference)
    return [
        _band(
            "taste: held-out AUC",
            skills[0],
            skills[1],
            within=0.03,
            relative=False,
            note="item-kNN, held-out items against others as popular; binds the size of effects",
        ),
        Check(
            "classifier: AUC",
            apart,
            None,
            0.0,
            0.7,
            bool(apart <= 0.7),
            "users of the world against those of the data; 0.5: it cannot tell",
        ),
    ]


def _visits(impressions: pl.DataFrame, reference: Dataset) -> Check:
    name, found = "visits: KS distance of gaps", gap_distance(impressions, reference)
    if found is None:
        return Check(name, float("nan"), None, None, None, None, "there are no gaps, or no times, to compare")
    distance, ours, theirs = found
    return Check(
        name,
        distance,
        None,
        0.0,
        0.2,
        bool(distance <= 0.2),
        f"days from one visit to the next: {ours:.1f} on average in the world, {theirs:.1f} in the data, of "
        "those that fit into the days watched",
    )


def _band(measure: str, simulated: float, reference: float, *, within: float, relative: bool, note: str) -> Check:
    room = within * abs(reference) if relative else within
    low, high = reference - room, reference + room
    return Check(measure, simulated, reference, low, high, bool(low <= simulated <= high), note)


def _popularity(ours: Dataset, reference: Dataset) -> list[Check]:
    found: list[tuple[float, float, float]] = []
    for data in (ours, reference):
        counts = np.sort(np.bincount(data.matrix().indices))[::-1].astype(np.float64)
        first, last = min(9, len(counts) // 4), max(len(counts) // 2, 2)
        ranks = np.arange(first + 1, last + 1)
        slope = float(np.polyfit(np.log(ranks), np.log(np.maximum(counts[first:last], 0.5)), 1)[0])
        top = float(counts[: max(1, round(len(counts) / 100))].sum() / counts.sum())
        found.append((slope, float(gini(counts)), top))
    (slope, spread, top), (slope0, spread0, top0) = found
    return [
        _band("popularity: slope", slope, slope0, within=0.25, relative=True, note="of log count over log rank"),
        _band("popularity: Gini", spread, spread0, within=0.07, relative=False, note="of interactions over items"),
        _band("popularity: top 1 % share", top, top0, within=0.04, relative=False, note="of all interactions"),
    ]


def _activity(ours: Dataset, reference: Dataset) -> list[Check]:
    counts = [np.sort(np.diff(data.matrix().indptr)) for data in (ours, reference)]
    steps = np.concatenate(counts)
    shares = [np.searchsorted(each, steps, side="right") / len(each) for each in counts]
    distance = float(np.abs(shares[0] - shares[1]).max())
    mean, mean0 = (float(each.mean()) for each in counts)
    return [
        Check("activity: KS distance", distance, None, 0.0, 0.1, bool(distance <= 0.1), "of interactions a user"),
        _band("activity: mean", mean, mean0, within=0.15, relative=True, note="interactions a user"),
    ]


def _repeats(ours: Dataset, reference: Dataset) -> Check:
    rates = [1 - len(data.matrix().indices) / data.interactions.height for data in (ours, reference)]
    return _band(
        "repeat rate",
        rates[0],
        rates[1],
        within=0.05,
        relative=False,
        note="share of interactions with something had before; 0 where a reader dropped repeats",
    )


def _entropy(world: World, ours: Dataset, reference: Dataset) -> Check:
    name = "entropy of tastes (bits)"
    known = world.items[ITEM].dtype == reference.interactions[ITEM].dtype
    topics = world.items.select(ITEM, "topic")
    values = [_bits(data, topics) if known else float("nan") for data in (ours, reference)]
    if np.isnan(values[1]):
        return Check(name, values[0], None, None, None, None, "the world does not know the items of the reference")
    return _band(name, values[0], values[1], within=0.15, relative=True, note="of the topics a user consumes, mean")


def _bits(data: Dataset, topics: pl.DataFrame) -> float:
    """Mean entropy over users, each with the correction for few draws of Miller 1955: + (topics seen - 1) / 2n nats."""
    rows = data.interactions.select(USER, ITEM).join(topics, on=ITEM).group_by(USER, "topic").len()
    share = pl.col("len") / pl.col("len").sum()
    users = rows.group_by(USER).agg(
        (-(share * share.log())).sum().alias("nats"), pl.len().alias("topics"), pl.col("len").sum().alias("n")
    )
    corrected = users.select((pl.col("nats") + (pl.col("topics") - 1) / (2 * pl.col("n"))) / np.log(2)).to_series()
    mean = corrected.mean()
    return float(mean) if isinstance(mean, float) else float("nan")


def _spectrum(ours: Dataset, reference: Dataset) -> Check:
    k = min(_VALUES, *(min(data.matrix().n_rows, data.matrix().n_columns) - 2 for data in (ours, reference)))
    values = [singular_values(data.matrix(), k) for data in (ours, reference)]
    distance = float(np.abs(np.log(values[0] / values[1])).mean())
    return Check(
        "co-occurrence: spectrum",
        distance,
        None,
        0.0,
        0.25,
        bool(distance <= 0.25),
        f"mean |log ratio| of singular values 2 … {k + 1}",
    )


def singular_values(matrix: UserItemMatrix, k: int) -> np.ndarray:
    """The leading singular values of D_u^-1/2 R D_i^-1/2 after the first, which is 1; descending."""
    from scipy.sparse import csr_matrix
    from scipy.sparse.linalg import svds

    rows = np.repeat(np.arange(matrix.n_rows), np.diff(matrix.indptr))
    by_user, by_item = np.diff(matrix.indptr), np.bincount(matrix.indices, minlength=matrix.n_columns)
    values = 1 / np.sqrt(by_user[rows].astype(np.float64) * by_item[matrix.indices])
    sparse = csr_matrix((values, (rows, matrix.indices)), shape=(matrix.n_rows, matrix.n_columns))
    found = svds(sparse, k=k + 1, v0=np.ones(min(matrix.n_rows, matrix.n_columns)), return_singular_vectors=False)
    return np.sort(np.asarray(found))[::-1][1:]


def _places(ours: pl.DataFrame, reference: pl.DataFrame | None) -> list[Check]:
    curve = _curve(ours, "the impressions of the world")
    theirs = _curve(reference, "the impressions of the reference") if reference is not None else {}
    checks: list[Check] = []
    for place in [place for place in (2, 3, 5, 10) if place in curve]:
        name, note = f"clicks at place {place}", "click rate over that of place 1"
        if place in theirs:
            checks.append(_band(name, curve[place], theirs[place], within=0.25, relative=True, note=note))
        else:
            checks.append(Check(name, curve[place], None, None, None, None, f"{note}; the reference has no lists"))
    return checks


def _curve(log: pl.DataFrame, source: str = "impressions") -> dict[int, float]:
    absent = [name for name in (USER, ITEM, POSITION, CLICKED) if name not in log.columns]
    if absent:
        raise DataError(
            f"there is no column {', '.join(absent)}; there are {', '.join(log.columns)}",
            source=source,
            fix="Rename the columns: user_id, item_id, position, clicked.",
        )
    kinds = {name: log.schema[name] for name in (POSITION, CLICKED)}
    if odd := [name for name, kind in kinds.items() if not (kind.is_numeric() or kind == pl.Boolean)]:
        raise DataError(
            f"{' and '.join(odd)} hold text",
            source=source,
            fix="Give positions as numbers from 1, and clicked as 0 or 1.",
        )
    rates = dict(log.group_by(POSITION).agg(pl.col(CLICKED).cast(pl.Float64).mean()).rows())
    if not rates.get(1):
        raise DataError(
            "nothing was clicked at position 1", source=source, fix="Positions count from 1; give a log with clicks."
        )
    return {int(place): rate / rates[1] for place, rate in rates.items()}


def _click_repeats(ours: pl.DataFrame, reference: pl.DataFrame) -> Check:
    rates: list[float] = []
    for log in (ours, reference):
        clicks = log.filter(pl.col(CLICKED).cast(pl.Float64) > 0)
        rates.append(1 - clicks.select(USER, ITEM).n_unique() / clicks.height)
    return _band(
        "clicks: repeat rate",
        rates[0],
        rates[1],
        within=0.05,
        relative=False,
        note="share of clicks on something clicked before",
    )
