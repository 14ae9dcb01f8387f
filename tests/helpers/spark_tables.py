"""Small tables of every kind that an evaluation takes, and what has to be equal on Spark and on one machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

import reclens as rl

__all__ = ["EVERY", "Made", "assert_equal", "make_tables", "to_spark"]

EVERY = [
    "ndcg@10",
    "mrr@5",
    "r_precision",
    "coverage@10",
    "gini@5",
    "novelty@10",
    "serendipity@10",
    "diversity@10",
    "miscalibration@10",
    "aplt@10",
    "user_coverage",
    "auc@12",
]
"""A metric of each kind: of users and the catalogue, with a cut-off and without, of histories, features, shares."""


@dataclass(frozen=True)
class Made:
    """Tables in memory."""

    lists: pl.DataFrame
    truth: pl.DataFrame
    train: pl.DataFrame
    users: pl.DataFrame
    items: pl.DataFrame

    @property
    def data(self) -> rl.Dataset:
        """The training data of one machine."""
        return rl.Dataset(self.train, users=self.users, items=self.items)


def make_tables(kind: str, *, n: int = 120) -> Made:
    """Lists that are short, empty and of strangers; graded truth with repeats; users without a segment.

    Args:
        kind: ``string``, ``int32`` or ``int64``: the type of the ids.
        n: Users with a list, nearly.
    """
    rng = np.random.default_rng(0)
    n_items = 60
    lists = pl.DataFrame(
        {
            "user_id": np.repeat(np.arange(n), 12),
            "item_id": np.concatenate([rng.permutation(n_items)[:12] for _ in range(n)]),
            "rank": np.tile(np.arange(1, 13), n),
        }
    ).filter(~((pl.col("user_id") % 17 == 0) | ((pl.col("user_id") % 5 == 0) & (pl.col("rank") > 7))))
    truth = pl.DataFrame(
        {
            "user_id": rng.integers(n // 6, n + 30, 6 * n),
            "item_id": rng.integers(0, n_items + 3, 6 * n),
            "grade": rng.integers(0, 4, 6 * n),
        }
    )
    train = pl.DataFrame(
        {
            "user_id": rng.integers(0, n + 10, 8 * n),
            "item_id": (rng.random(8 * n) ** 2 * n_items).astype(np.int64),
        }
    ).unique(maintain_order=True)
    everybody = np.arange(n + 30)
    users = pl.DataFrame(
        {
            "user_id": everybody,
            "age": [["18-24", "25-34", "35-49", None][v % 4] for v in everybody],
            "sex": [["f", "m"][v // 3 % 2] for v in everybody],
        }
    )
    genres = [[["a", "b", "c"][v % 3], ["x", "y"][v % 2]] for v in range(n_items)]
    items = pl.DataFrame({"item_id": np.arange(n_items), "genres": genres})
    return Made(*(_with_ids(table, kind) for table in (lists, truth, train, users, items)))


def _with_ids(table: pl.DataFrame, kind: str) -> pl.DataFrame:
    for column, prefix in (("user_id", "u"), ("item_id", "i")):
        if column in table.columns:
            ids = pl.format(prefix + "{}", pl.col(column)) if kind == "string" else pl.col(column)
            table = table.with_columns(ids.cast({"int32": pl.Int32, "int64": pl.Int64}.get(kind, pl.String)))
    return table


def to_spark(session: Any, table: pl.DataFrame) -> Any:
    """A frame of Spark with the rows of a table in memory."""
    return session.createDataFrame(table.to_arrow(compat_level=pl.CompatLevel.oldest()))


def assert_equal(one: rl.Evaluation, spark: rl.Evaluation) -> None:
    """Counts and weights are those of one machine exactly, sums to 1e-12, and the cards agree."""
    ours, theirs = one.summary, spark.summary
    assert ours.cells == theirs.cells and ours.columns == theirs.columns and ours.seed == theirs.seed
    for name in ("n", "units", "weights"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name), err_msg=name)
    for name in ("total", "squares", "cubes", "sums"):
        np.testing.assert_allclose(getattr(theirs, name), getattr(ours, name), rtol=1e-12, atol=1e-12, err_msg=name)
    assert one.catalogue == spark.catalogue
    assert one.exposure.equals(spark.exposure)
    known, found = ({**dict(each.card), "per_user": None} for each in (one, spark))
    differing = {name: (known.get(name), found.get(name)) for name in known | found}
    differing = {name: pair for name, pair in differing.items() if pair[0] != pair[1]}
    if differing:
        raise AssertionError(f"the cards differ: {differing}")
