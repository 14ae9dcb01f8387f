"""A small data set, its split and a fitted pipeline; and six users for counts by hand."""

from __future__ import annotations

import polars as pl
import pytest

from reclens.data import segments, split
from reclens.data.dataset import Dataset
from reclens.data.synthetic import synthetic_movielens
from reclens.pipeline import Pipeline


@pytest.fixture(scope="session")
def parts():
    return split.last_n(synthetic_movielens(n_users=150, n_items=120, n_ratings=5_000, rng=3), n=4)


@pytest.fixture(scope="session")
def pipeline(parts) -> Pipeline:
    return Pipeline(
        retrieve={"item_knn": {"k": 30}, "popular": {"k": 20}},
        rank={"model": "ease", "l2": 50.0, "keep": 25},
        rerank=[{"kind": "mmr", "weight": 0.4}, {"kind": "xquad", "weight": 0.3}],
        name="shop",
    ).fit(parts.train)


@pytest.fixture(scope="session")
def by_activity(parts):
    """Train with segments by activity, test and the users of the test."""
    train = parts.train.with_segments(activity=segments.quantiles("n_interactions", ["light", "heavy"]))
    return train, parts.test, parts.test_users


@pytest.fixture(scope="session")
def tiny() -> Dataset:
    """Popularity a 6, b 4, c 3, d 2, e 1: u has all of them, v a to d, w a to c, x a and b, y and z a alone."""
    pairs = [(user, item) for item, n in zip("abcde", (5, 4, 3, 2, 1), strict=True) for user in "uvwxy"[:n]]
    return Dataset(pl.DataFrame([*pairs, ("z", "a")], schema=["user_id", "item_id"], orient="row"))
