"""Measures of realism that constrain the size of effects in a world: strength of tastes, and gaps between visits.

Popularity, activity and co-occurrence can be those of the data while a personal recommender is worth half as much, or
twice. These measures cannot: how well a recommender tells held-out items from others as popular, whether a classifier
tells users of the world from those of the data, how long users stay away, and what a test of the past found.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import polars as pl

from reclens.data.dataset import Dataset, UserItemMatrix
from reclens.engine import Progress, quiet
from reclens.errors import ArgumentValueError, UsageError
from reclens.schema import ITEM, TIMESTAMP, USER
from reclens.stats.estimate import Estimate
from reclens.world.arm import Arm
from reclens.world.population import World
from reclens.world.truth import true_effect

__all__ = ["auc", "gap_distance", "held_out_auc", "past_test", "told_apart", "user_traits"]

_HELD_OUT: Final = 0.1
_NEGATIVES: Final = 20
_CHUNK: Final = 256


def auc(positive: np.ndarray, negative: np.ndarray) -> float:
    """Chance that a positive has the higher score, ties half (Mann and Whitney 1947).

    >>> auc(np.array([2.0, 3.0]), np.array([1.0, 3.0]))
    0.625
    """
    from scipy.stats import rankdata

    n, m = len(positive), len(negative)
    ranks = rankdata(np.concatenate([positive, negative]))
    return float((ranks[:n].sum() - n * (n + 1) / 2) / (n * m))


def held_out_auc(data: Dataset, *, cases: int = 4_000, seed: int = 0) -> float:
    """How well item-kNN separates held-out items of a user from equally popular other items.

    A tenth of the interactions is held out at random. Some of them are each compared with 20 items drawn in proportion
    to popularity, so that popularity alone scores about one half (a little more where users have had most of what is
    popular), and what is above comes from taste. The score of an item is the sum of its cosines with what is left of
    the user (Sarwar et al. 2001).

    Args:
        data: Interactions; pairs count once.
        cases: Maximum number of compared interactions.
        seed: Seed of the random numbers.

    Returns:
        Mean share of the drawn items that score lower, ties half.
    """
    matrix = data.matrix()
    rng = np.random.default_rng([seed, 13])
    rows = np.repeat(np.arange(matrix.n_rows), np.diff(matrix.indptr))
    held = rng.random(len(rows)) < _HELD_OUT
    left = _sparse(rows[~held], matrix.indices[~held], matrix)
    some = rng.permutation(np.flatnonzero(held))[:cases]
    users, items = rows[some], matrix.indices[some]
    others = rng.choice(matrix.indices, (len(some), _NEGATIVES))
    pairs = rows.astype(np.int64) * matrix.n_columns + matrix.indices
    had = np.isin(users.astype(np.int64)[:, None] * matrix.n_columns + others, pairs)
    unit = _unit(left).tocsc()
    shares = np.full(len(some), np.nan)
    for at, (user, item) in enumerate(zip(users.tolist(), items.tolist(), strict=True)):
        drawn = others[at, ~had[at]]
        if not len(drawn):
            continue
        mine = left.indices[left.indptr[user] : left.indptr[user + 1]]
        near = np.asarray(unit[:, mine].sum(axis=1)).ravel()  # of each user, to what is left of this one
        scores = near @ unit[:, np.append(drawn, item)]
        lower, same = scores[:-1] < scores[-1], scores[:-1] == scores[-1]
        shares[at] = (lower + 0.5 * same).mean()
    return float(np.nanmean(shares)) if np.isfinite(shares).any() else float("nan")


def told_apart(world: Dataset, data: Dataset) -> float:
    """AUC of a classifier that separates users of a world from users of the data.

    A logistic regression on :func:`user_traits` and their squares and products, fitted to one half of the users of both
    and asked about the other half, both ways (Lopez-Paz and Oquab 2017, classifier two-sample tests). 0.5: it cannot.

    Args:
        world: Histories of the world.
        data: The reference.

    Returns:
        AUC over users.
    """
    # One table of both: what is learned of items must not differ between the sides, or it would tell them apart.
    parts = [
        pl.DataFrame(
            {
                USER: 2 * each.user_vocabulary.encode(each.interactions[USER]).astype(np.int64) + side,
                ITEM: each.interactions[ITEM].cast(pl.String),
            }
        )
        for side, each in enumerate((data, world))
    ]
    both = Dataset(pl.concat(parts))
    numbers = both.user_vocabulary.ids.to_numpy()
    shown, traits = user_traits(both, teach=numbers // 2 % 2 == 0)
    labels, copies = (numbers[shown] % 2).astype(np.float64), numbers[shown] // 2
    spread = traits.std(axis=0)
    scaled = (traits - traits.mean(axis=0)) / np.where(spread > 0, spread, 1)
    i, j = np.triu_indices(scaled.shape[1])
    columns = np.column_stack([np.ones(len(scaled)), scaled, scaled[:, i] * scaled[:, j]])
    # A user of the data and their copy in the world stay on one side.
    fold = np.random.default_rng(17).integers(0, 2, int(copies.max()) + 1)[copies]
    found = np.empty(len(labels))
    for side in range(2):
        weights = _logistic(columns[fold != side], labels[fold != side])
        found[fold == side] = columns[fold == side] @ weights
    return auc(found[labels == 1], found[labels == 0])


def user_traits(data: Dataset, *, teach: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Traits of a user's interactions: number, popularity, spread of popularity, similarity.

    Columns: log number of items; mean and standard deviation of the log popularity of the items; log of the mean cosine
    of two of their items. Cosines are learned from some users, and the others are described, so that nobody's items are
    alike because they had them. Users with fewer than two items are left out.

    Args:
        data: Interactions; pairs count once.
        teach: Which users cosines are learned from, by code; bool, shape (users,).

    Returns:
        Codes of the users described, and their traits, shape (described, 4).
    """
    matrix = data.matrix()
    rows = np.repeat(np.arange(matrix.n_rows), np.diff(matrix.indptr))
    learned = teach[rows]
    unit = _unit(_sparse(rows[learned], matrix.indices[learned], matrix))
    whole = _sparse(rows, matrix.indices, matrix)
    counts = np.diff(matrix.indptr).astype(np.float64)
    popularity = np.log(np.bincount(matrix.indices, minlength=matrix.n_columns) / matrix.n_rows + 1e-6)
    shown = np.flatnonzero(~teach & (counts >= 2))
    n = counts[shown]
    mean = (whole[shown] @ popularity) / n
    deviation = np.sqrt(np.maximum((whole[shown] @ popularity**2) / n - mean**2, 0))
    alike = np.empty(len(shown))
    own = np.asarray(unit.multiply(unit).sum(axis=0)).ravel()  # 1, or 0 for an item that no teacher had
    for start in range(0, len(shown), _CHUNK):
        some = shown[start : start + _CHUNK]
        total = whole[some] @ unit.T
        squares = np.asarray(total.multiply(total).sum(axis=1)).ravel()
        alike[start : start + _CHUNK] = squares - whole[some] @ own
    traits = np.column_stack([np.log(n), mean, deviation, np.log(np.maximum(alike, 0) / (n * (n - 1)) + 1e-4)])
    return shown, traits


def gap_distance(visits: pl.DataFrame, data: Dataset) -> tuple[float, float, float] | None:
    """Distance between the gaps between visits in a world and in the data.

    A gap is the number of days from one active day to the next. The world is observed for W days only, so that a gap of
    g is observed in proportion to W - g; gaps of the data are weighted in the same way.

    Args:
        visits: Rows of the world with ``user_id`` and ``timestamp``.
        data: The reference; without timestamps there is nothing to compare.

    Returns:
        Kolmogorov-Smirnov distance of the gaps, and the mean gap in the world and in the data; None without gaps.
    """
    if TIMESTAMP not in data.interactions.columns:
        return None
    watched = _days(visits)
    window = int(watched["day"].max() - watched["day"].min()) + 1  # type: ignore[operator]
    if window < 2:
        return None
    gaps = np.arange(1, window)
    shares: list[np.ndarray] = []
    for days, weight in ((watched, np.ones(window - 1)), (_days(data.interactions), (window - gaps).astype(float))):
        steps = days.select(pl.col("day").diff().over(USER))["day"].drop_nulls().to_numpy().astype(np.int64)
        counts = np.bincount(steps[steps < window], minlength=window)[1:] * weight
        if not counts.sum():
            return None
        shares.append(counts / counts.sum())
    distance = float(np.abs(np.cumsum(shares[0]) - np.cumsum(shares[1])).max())
    return distance, float(gaps @ shares[0]), float(gaps @ shares[1])


def past_test(
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
) -> tuple[Estimate, bool]:
    """Whether a world has the lift that a real A/B test found.

    Args:
        world: The world.
        treatment: The tested strategy.
        control: The arm that it was compared with.
        lift: Estimate of the test, with its interval.
        metric: One of ``reclens.world.truth.METRICS``.
        days: Days of the test.
        replicates: Replicates of the truth.
        seed: Seed of the random numbers.
        threads: Threads to use.
        progress: Callback for the progress, by day.

    Returns:
        The true lift in the world, and whether its interval overlaps that of the test.

    Raises:
        UsageError: If the lift has no interval, or replicates is below two.
    """
    if lift.low is None or lift.high is None or not lift.low <= lift.high:
        raise UsageError(f"the lift of the past test is {lift}: expected one with an interval, low before high.")
    if replicates < 2:
        raise ArgumentValueError(
            "replicates", f"is {replicates}, expected two or more: the interval of the truth is over them"
        )
    truth = true_effect(
        world, treatment, control, days=days, replicates=replicates, seed=seed, threads=threads, progress=progress
    )[metric].lift
    assert truth.low is not None and truth.high is not None
    return truth, bool(truth.low <= lift.high and truth.high >= lift.low)


def _days(rows: pl.DataFrame) -> pl.DataFrame:
    """The active days of each user, ascending."""
    day = pl.col(TIMESTAMP).dt.epoch("d").alias("day")
    return rows.select(USER, day).drop_nulls().unique().sort(USER, "day")


def _sparse(rows: np.ndarray, columns: np.ndarray, like: UserItemMatrix) -> Any:
    from scipy.sparse import csr_matrix

    return csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(like.n_rows, like.n_columns))


def _unit(matrix: Any) -> Any:
    """Columns scaled to length 1; empty columns are unchanged."""
    from scipy.sparse import diags

    lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=0)).ravel())
    return (matrix @ diags(1 / np.maximum(lengths, 1.0))).tocsr()


def _logistic(columns: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Weights of a logistic regression with a little ridge, by Newton's method."""
    weights = np.zeros(columns.shape[1])
    ridge = np.eye(columns.shape[1])
    for _ in range(25):
        chance = 1 / (1 + np.exp(-np.clip(columns @ weights, -30, 30)))
        slope = columns.T @ (labels - chance) - weights
        step = np.linalg.solve((columns * (chance * (1 - chance))[:, None]).T @ columns + ridge, slope)
        weights += step
        if np.abs(step).max() < 1e-8:
            break
    return weights
