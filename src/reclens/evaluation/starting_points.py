"""Where to begin to look: users who are served worst or change the most, items shown most, and popular ones never."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from reclens.data.dataset import Dataset
from reclens.data.titles import title_column
from reclens.schema import ITEM, RANK, USER, Recommendations
from reclens.stats.estimate import Estimate
from reclens.stats.proportions import proportion

__all__ = [
    "hits_of_users",
    "items_by_exposure",
    "most_changed",
    "most_shown",
    "never_shown",
    "share_without_any",
    "worst_served",
]

_BEFORE, _AFTER, _HELD = "before", "after", "n_relevant"


def hits_of_users(runs: Mapping[str, Recommendations], held_out: pl.DataFrame, *, k: int = 10) -> pl.DataFrame:
    """How many of a user's held-out items each system lists in its first k places.

    Args:
        runs: System -> lists.
        held_out: ``user_id, item_id``.
        k: Places that count.

    Returns:
        ``user_id, n_relevant`` and a column of hits for each system; users without held-out items are absent.
    """
    truth = held_out.select(USER, ITEM).unique()
    table = truth.group_by(USER).agg(pl.len().alias(_HELD)).sort(USER)
    for system, run in runs.items():
        top = run.table.filter(pl.col(RANK) <= k).select(USER, ITEM)
        hits = truth.join(top, on=[USER, ITEM], how="semi").group_by(USER).agg(pl.len().alias(system))
        table = table.join(hits, on=USER, how="left", maintain_order="left")
    return table.with_columns(pl.col(system).fill_null(0) for system in runs)


def worst_served(hits: pl.DataFrame, system: str, *, n: int = 20) -> pl.DataFrame:
    """The users with the smallest share of hits, those with the most held-out items first among equals."""
    share = pl.col(system) / pl.col(_HELD)
    ordered = hits.with_columns(share.alias("_share")).sort(["_share", _HELD, USER], descending=[False, True, False])
    return ordered.drop("_share").head(n)


def most_changed(hits: pl.DataFrame, before: str, after: str, *, n: int = 20) -> pl.DataFrame:
    """The users whose hits differ the most between two systems, gains and losses together.

    Returns:
        ``user_id, n_relevant, before, after, change``; users without a difference are left out.
    """
    table = hits.select(
        USER, _HELD, pl.col(before).cast(pl.Int64).alias(_BEFORE), pl.col(after).cast(pl.Int64).alias(_AFTER)
    )
    table = table.with_columns((pl.col(_AFTER) - pl.col(_BEFORE)).alias("change")).filter(pl.col("change") != 0)
    order = [pl.col("change").abs(), pl.col(_HELD), pl.col(USER)]
    return table.sort(order, descending=[True, True, False]).head(n)


def items_by_exposure(runs: Mapping[str, Recommendations], train: Dataset, *, k: int = 10) -> pl.DataFrame:
    """How many users have each item, and how many lists of each system show it in the first k places.

    Returns:
        ``item_id, title, users`` and a column of lists for each system, over all items of the training data and lists.
    """
    table = train.interactions.group_by(ITEM).agg(pl.col(USER).n_unique().cast(pl.Int64).alias("users"))
    if train.items is not None:
        table = table.join(train.items.select(ITEM), on=ITEM, how="full", coalesce=True)
    for system, run in runs.items():
        shown = run.table.filter(pl.col(RANK) <= k).group_by(ITEM).agg(pl.len().cast(pl.Int64).alias(system))
        table = table.join(shown, on=ITEM, how="full", coalesce=True)
    table = table.with_columns(pl.col("users", *runs).fill_null(0))
    title = title_column(train.items)
    if train.items is None or title is None:
        return table.select(ITEM, pl.col(ITEM).cast(pl.String).alias("title"), "users", *runs)
    titles = train.items.select(ITEM, pl.col(title).cast(pl.String).alias("title"))
    table = table.join(titles, on=ITEM, how="left", maintain_order="left")
    named = pl.col("title").fill_null(pl.col(ITEM).cast(pl.String))
    return table.select(ITEM, named, "users", *runs)


def most_shown(table: pl.DataFrame, system: str, *, n: int = 20) -> pl.DataFrame:
    """The items that a system shows in the most lists: ``item_id, title, lists, users``."""
    shown = table.filter(pl.col(system) > 0).sort([system, "users", ITEM], descending=[True, True, False])
    return shown.select(ITEM, "title", pl.col(system).alias("lists"), "users").head(n)


def never_shown(table: pl.DataFrame, system: str, *, n: int = 20) -> pl.DataFrame:
    """The items that a system shows in no list, those that the most users have first: ``item_id, title, lists, users``.

    ``lists`` counts those of the other system that shows the item most.
    """
    others = [name for name in table.columns if name not in (ITEM, "title", "users", system)]
    most = pl.max_horizontal(others) if others else pl.lit(0)
    unseen = table.filter(pl.col(system) == 0).sort(["users", ITEM], descending=[True, False])
    return unseen.select(ITEM, "title", most.alias("lists"), "users").head(n)


def share_without_any(hits: pl.DataFrame, system: str) -> Estimate:
    """The share of the users without a hit of a system, with Wilson's interval, of :func:`hits_of_users`."""
    return proportion(int((hits[system] == 0).sum()), hits.height)
