"""Splits per user: the last interactions of each user, or a random share."""

from __future__ import annotations

from typing import Literal

import numpy as np
import polars as pl

from reclens.cards import Note, SplitCard
from reclens.data.dataset import Dataset
from reclens.data.rules import note
from reclens.data.split.build import (
    check_shares,
    check_task,
    check_times,
    draw_units,
    make_split,
    part_of_events,
    part_size,
    random_order,
    seed_of,
)
from reclens.data.split.result import Split, Task
from reclens.errors import ArgumentValueError, ArgumentValuesError, DataError
from reclens.schema import ITEM, TIMESTAMP, USER

__all__ = ["last_n", "random"]


def last_n(
    data: Dataset,
    *,
    n: int = 1,
    validation_n: int = 0,
    ties: Literal["hash", "order"] = "hash",
    task: Task = "new_items",
    rng: int | np.random.Generator | None = 0,
) -> Split:
    """Hold out the last interactions of each user: leave-one-out for n = 1.

    Interactions are events: repeats of a pair all count, and are merged within each part after the cut. If only new
    items count, those of the last n that the user had before are dropped from the test part.

    If a user has several interactions with the same timestamp, their order is unknown, and the rule for ties affects
    the result: the last two events of 415 of the 943 users of MovieLens 100K have equal timestamps, and the NDCG@10 of
    one model varies from 0.041 to 0.098 with the rule. ``ties="hash"`` orders rows by (timestamp, seeded hash of user
    and item), so that neither ids nor popularity leak through the order of a file. Repeat with other seeds to see the
    effect of the rule. The card states the rule and the number of affected users.

    Args:
        data: The data set; it needs timestamps, unless ``ties="order"``, which then takes the order of the rows.
        n: Interactions to hold out of each user.
        validation_n: Interactions before those, held out for tuning.
        ties: ``"hash"``, or ``"order"`` for the order of the rows.
        task: As for :func:`reclens.split.by_time`.
        rng: Seed of the hash.

    Returns:
        The split. Users with at most ``n + validation_n`` interactions stay in the training part, and are counted.

    Raises:
        UsageError: If a number or the rule is out of range.
        DataError: If timestamps are missing, or no user has enough interactions.

    Example:
        >>> from reclens.data.synthetic import synthetic_movielens
        >>> split = last_n(synthetic_movielens(n_users=50, n_items=40, n_ratings=900))
        >>> split
        Split('synthetic' last_n: train 850, test 50)
        >>> split.card["ties"]["users_with_a_tie_at_their_cut"]
        21
    """
    if n < 1 or validation_n < 0:
        raise ArgumentValuesError({"n": n, "validation_n": validation_n}, "{n} of 1 or more and the other 0 or more")
    if ties not in ("hash", "order"):
        raise ArgumentValueError("ties", f"is {ties!r}, expected 'hash' or 'order'")
    if ties == "hash" or data.has_timestamps:
        check_times(data, "last_n")
    seed = seed_of(rng) if ties == "hash" else None
    rows, keys = data.events, [USER]
    if data.has_timestamps:
        keys.append(TIMESTAMP)
    if seed is not None:
        rows = rows.with_columns(random_order(seed, rows[USER], rows[ITEM]))
        keys.append("lot")
    order = rows.select(*keys).with_row_index("row").sort(keys, maintain_order=True)
    order = order.with_columns(left=pl.len().over(USER) - pl.int_range(pl.len()).over(USER), count=pl.len().over(USER))
    enough = pl.col("count") > n + validation_n
    order = order.with_columns(
        part=pl.when(~enough | (pl.col("left") > n + validation_n))
        .then(0)
        .when(pl.col("left") > n)
        .then(1)
        .otherwise(2)
    )
    tied = _users_tied_at_a_cut(order) if data.has_timestamps else None
    n_users = order[USER].n_unique()
    short = order.filter(~enough)[USER].n_unique()
    if short == n_users:
        raise DataError(
            f"no user has more than {n + validation_n} interactions", source=data.name, fix="Hold out fewer of each."
        )
    part = order.sort("row")["part"]
    card: SplitCard = {
        "method": "last_n",
        "parameters": {"n": n, "validation_n": validation_n, "ties": ties},
        "ties": {"rule": ties, "users_with_a_tie_at_their_cut": tied, "users": n_users},
        "seed": seed,
        "users_with_too_few_rows": short,
        "notes": [note("others_future_in_training"), *_tie_note(tied, n_users, ties)],
    }
    return make_split(data, _parts(part, validation_n > 0), task=task, cold_users="drop", card=card)


def random(
    data: Dataset,
    *,
    test_share: float = 0.2,
    validation_share: float = 0.0,
    task: Task = "new_items",
    rng: int | np.random.Generator | None = 0,
) -> Split:
    """Hold out a share of each user's interactions at random.

    Rows are drawn by a hash of (seed, user, item), which does not depend on the order of the rows or on other rows.
    Numbers are rounded down, but to at least one, test before validation, as in RecBole; at least one row of each user
    stays in the training part. If only new items count, a repeated pair is one row, and all of its events go to one
    part; if repeats count, each of its events is a row of its own.

    Args:
        data: The data set.
        test_share: Share of each user's rows to hold out, in (0, 1).
        validation_share: Share of each user's rows to hold out for tuning; 0 for none.
        task: As for :func:`reclens.split.by_time`.
        rng: Seed of the hash.

    Returns:
        The split; users with too few rows to hold one out stay in the training part, and are counted.

    Raises:
        UsageError: If a share is not in (0, 1), or they leave nothing to learn from.
        DataError: If no user has enough rows to hold one out.

    Example:
        >>> from reclens.data.synthetic import synthetic_movielens
        >>> random(synthetic_movielens(n_users=50, n_items=40, n_ratings=900), test_share=0.1, validation_share=0.1)
        Split('synthetic' random: train 756, validation 72, test 72)
    """
    shares = {"test_share": test_share} | ({"validation_share": validation_share} if validation_share else {})
    check_shares(**shares)
    check_task(task)
    seed = seed_of(rng)
    order = draw_units(data, seed, task).sort(USER, "lot", "row")
    order = order.with_columns(place=pl.int_range(pl.len()).over(USER), count=pl.len().over(USER))
    count = order["count"].to_numpy().astype(np.int64)
    test = np.minimum(part_size(count, test_share), count - 1)
    validation = np.minimum(part_size(count, validation_share), count - 1 - test) if validation_share else 0 * test
    place = order["place"].to_numpy()
    order = order.with_columns(part=pl.Series(np.select([place < test, place < test + validation], [2, 1], 0)))
    if not test.any():
        raise DataError(
            f"no user has enough rows for a test share of {test_share:g}",
            source=data.name,
            fix="Hold out a larger share.",
        )
    card: SplitCard = {
        "method": "random",
        "parameters": {"test_share": test_share, "validation_share": validation_share},
        "ties": {"rule": "none"},
        "seed": seed,
        "users_with_too_few_rows": int(order.filter(pl.Series(test == 0))[USER].n_unique()),
        "notes": [note("others_future_in_training"), note("own_future_in_training")],
    }
    parts = _parts(part_of_events(data, order, task), bool(validation_share))
    return make_split(data, parts, task=task, cold_users="drop", card=card)


def _parts(part: pl.Series, with_validation: bool) -> dict[str, pl.Series]:
    parts = {"train": part == 0, "test": part == 2}
    return parts | ({"validation": part == 1} if with_validation else {})


def _users_tied_at_a_cut(order: pl.DataFrame) -> int:
    """Users with rows of equal timestamp in different parts, for whom the rule for ties mattered."""
    torn = order.select(
        USER,
        tied=(pl.col(TIMESTAMP) == pl.col(TIMESTAMP).shift(1).over(USER))
        & (pl.col("part") != pl.col("part").shift(1).over(USER)),
    )
    return torn.filter("tied")[USER].n_unique()


def _tie_note(tied: int | None, users: int, ties: str) -> list[Note]:
    if tied is None:
        return [note("no_timestamps")]
    return [note("ties_at_cuts", users=tied, of=users, rule=ties)] if tied else []
