"""A split by user: strong generalisation to users without training data."""

from __future__ import annotations

import numpy as np
import polars as pl

from reclens.cards import SplitCard
from reclens.data.dataset import Dataset
from reclens.data.rules import note
from reclens.data.split.build import (
    check_shares,
    check_task,
    draw_units,
    make_split,
    part_of_events,
    part_size,
    random_order,
    seed_of,
)
from reclens.data.split.result import Split, Task
from reclens.errors import ArgumentValuesError, DataError, UsageError
from reclens.schema import USER

__all__ = ["by_user"]


def by_user(
    data: Dataset,
    *,
    n_test_users: int | None = None,
    test_share: float | None = None,
    fold_in_share: float = 0.8,
    task: Task = "new_items",
    rng: int | np.random.Generator | None = 0,
) -> Split:
    """Hold out users; the model receives a part of their interactions (the fold-in) and predicts the rest.

    This measures generalisation to users who arrive after the fit. Models without fold-in cannot be evaluated on it. To
    tune, split the training part again: ``by_user(split.train, …)``.

    Args:
        data: The data set.
        n_test_users: Number of users to hold out.
        test_share: Share of all users to hold out instead, in (0, 1); 0.2 if neither is given.
        fold_in_share: Share of each test user's rows that the model receives, in (0, 1). The number held out is rounded
            down, but at least one row is held out and at least one is folded in. Repeated pairs are handled as in
            :func:`reclens.split.random`.
        task: As for :func:`reclens.split.by_time`; the fold-in is the history of a test user.
        rng: Seed of the hashes of (seed, user) and (seed, user, item).

    Returns:
        The split: ``train`` without the test users, ``fold_in``, and ``test``. Only users with two rows or more are
        held out.

    Raises:
        UsageError: If both numbers are given, or one is out of range.
        DataError: If there are not enough users with two rows.

    Example:
        >>> from reclens.data.synthetic import synthetic_movielens
        >>> split = by_user(synthetic_movielens(n_users=50, n_items=40, n_ratings=900), n_test_users=10)
        >>> split
        Split('synthetic' by_user: train 737, fold-in 135, test 28)
        >>> len(split.test_users)
        10

    References:
        Marlin (2004), Collaborative filtering: a machine learning perspective; Liang, Krishnan, Hoffman, Jebara (2018),
        Variational autoencoders for collaborative filtering.
    """
    if n_test_users is not None and test_share is not None:
        raise ArgumentValuesError({"n_test_users": n_test_users, "test_share": test_share}, "one of them")
    check_shares(fold_in_share=fold_in_share)
    check_task(task)
    seed = seed_of(rng)
    units = draw_units(data, seed, task)
    counts = units.group_by(USER).len("count").sort(USER)
    if n_test_users is None:
        check_shares(test_share=0.2 if test_share is None else test_share)
        wanted = int(part_size(np.array([counts.height]), 0.2 if test_share is None else test_share)[0])
    else:
        wanted = n_test_users
    fit = counts.filter(pl.col("count") >= 2)
    if wanted < 1 or wanted >= counts.height or wanted > fit.height:
        raise (UsageError if wanted < 1 else DataError)(
            f"{wanted:,} test users are asked for; there are {counts.height:,} users, {fit.height:,} of them with the "
            "two rows that fold-in and test need, and one at least has to stay to learn from."
        )
    chosen = fit.with_columns(random_order(seed, fit[USER])).sort("lot", USER)[USER].head(wanted)
    rows = units.filter(pl.col(USER).is_in(chosen.implode())).sort(USER, "lot", "row")
    rows = rows.with_columns(place=pl.int_range(pl.len()).over(USER), count=pl.len().over(USER))
    count = rows["count"].to_numpy().astype(np.int64)
    held = np.clip(part_size(count, 1 - fold_in_share), 1, count - 1)
    rows = rows.with_columns(part=pl.Series(np.where(rows["place"].to_numpy() < held, 2, 1)))
    part = part_of_events(data, rows, task)
    parts = {"train": part == 0, "fold_in": part == 1, "test": part == 2}
    card: SplitCard = {
        "method": "by_user",
        "parameters": {"n_test_users": wanted, "fold_in_share": fold_in_share},
        "ties": {"rule": "none"},
        "seed": seed,
        "users_with_too_few_rows": counts.height - fit.height,
        "notes": [note("fold_in_not_fitted")],
    }
    return make_split(data, parts, task=task, cold_users="keep", card=card)
