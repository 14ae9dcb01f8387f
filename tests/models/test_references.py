"""The models against dense NumPy written from their papers."""

from __future__ import annotations

from datetime import UTC

import numpy as np
import polars as pl
import pytest

from reclens import models
from reclens.data.dataset import Dataset


def random_data(seed: int, *, n_users: int = 25, n_items: int = 18) -> tuple[Dataset, np.ndarray]:
    """A data set with integer ids, and its ratings as a dense matrix; 0 is no interaction."""
    rng = np.random.default_rng(seed)
    ratings = np.where(rng.random((n_users, n_items)) < 0.35, rng.integers(1, 6, (n_users, n_items)), 0).astype(float)
    ratings[np.arange(n_users), np.arange(n_users) % n_items] = 4
    users, items = np.nonzero(ratings)
    table = pl.DataFrame({"user_id": users, "item_id": items, "rating": ratings[users, items]})
    return Dataset(table.sample(fraction=1, shuffle=True, seed=seed)), ratings


def weighted(ones: np.ndarray, weighting: str) -> np.ndarray:
    """Rows are documents, columns are terms; log natural, as in the library implicit."""
    if weighting == "none":
        return ones
    inverse = np.log(len(ones)) - np.log1p(ones.sum(axis=0))
    if weighting == "tf_idf":
        return ones * inverse
    norm = 0.2 + 0.8 * ones.sum(axis=1) / ones.sum(axis=1).mean()
    return ones * (101 / (100 * norm + 1))[:, None] * inverse


def similarities(ratings: np.ndarray, similarity: str, weighting: str, shrinkage: float) -> np.ndarray:
    """Between the rows of a documents × terms matrix."""
    ones = (ratings != 0).astype(float)
    if similarity == "jaccard":
        common = ones @ ones.T
        sizes = ones.sum(axis=1)
        found = common / (sizes[:, None] + sizes - common + shrinkage)
    else:
        values = ratings if similarity == "adjusted_cosine" else weighted(ones, weighting)
        found = values @ values.T
        if similarity != "dot":
            norms = np.linalg.norm(values, axis=1)
            found = np.divide(found, np.outer(norms, norms) + shrinkage, out=np.zeros_like(found), where=found != 0)
    np.fill_diagonal(found, 0)
    return np.maximum(found, 0)


def keep_best(table: np.ndarray, k: int) -> np.ndarray:
    """The k largest of each row, smaller columns first among equals."""
    kept = np.zeros_like(table)
    for row, values in enumerate(table):
        best = np.lexsort((np.arange(len(values)), -values.astype(np.float32)))[:k]
        kept[row, best] = values[best]
    return kept


def as_table(model: models.Recommender, shape: tuple[int, int]) -> np.ndarray:
    scores = np.zeros(shape)
    for user, item, _, score in model.recommend(k=shape[1], exclude_seen=False).table.rows():
        scores[user, item] = score
    return scores


def centred(ratings: np.ndarray) -> np.ndarray:
    means = ratings.sum(axis=1) / (ratings != 0).sum(axis=1)
    return np.where(ratings != 0, ratings - means[:, None], 0)


KINDS = [
    ("cosine", "none", 0.0),
    ("cosine", "none", 3.0),
    ("cosine", "tf_idf", 0.0),
    ("cosine", "bm25", 0.5),
    ("adjusted_cosine", "none", 0.0),
    ("adjusted_cosine", "none", 2.0),
    ("jaccard", "none", 0.0),
    ("jaccard", "none", 1.5),
    ("dot", "bm25", 0.0),
    ("dot", "none", 0.0),
]


@pytest.mark.parametrize("neighbors_of", ["candidate", "history"])
@pytest.mark.parametrize("neighbors", [4, 100])
@pytest.mark.parametrize(("similarity", "weighting", "shrinkage"), KINDS)
def test_item_knn(similarity: str, weighting: str, shrinkage: float, neighbors: int, neighbors_of: str) -> None:
    data, ratings = random_data(1)
    values = centred(ratings) if similarity == "adjusted_cosine" else (ratings != 0).astype(float)
    near = keep_best(
        similarities((values if similarity == "adjusted_cosine" else ratings).T, similarity, weighting, shrinkage),
        neighbors,
    )
    model = models.ItemKNN(
        neighbors=neighbors, similarity=similarity, weighting=weighting, shrinkage=shrinkage, neighbors_of=neighbors_of
    )
    expected = np.maximum(values @ (near.T if neighbors_of == "candidate" else near), 0)
    got = as_table(model.fit(data), ratings.shape)
    # A float32 sum of cancelling parts may come out as a tiny positive number, and is then listed last.
    np.testing.assert_allclose(got, expected, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("neighbors", [4, 100])
@pytest.mark.parametrize(("similarity", "weighting", "shrinkage"), KINDS)
def test_user_knn(similarity: str, weighting: str, shrinkage: float, neighbors: int) -> None:
    data, ratings = random_data(2)
    values = centred(ratings) if similarity == "adjusted_cosine" else (ratings != 0).astype(float)
    near = keep_best(
        similarities(values if similarity == "adjusted_cosine" else ratings, similarity, weighting, shrinkage),
        neighbors,
    )
    model = models.UserKNN(neighbors=neighbors, similarity=similarity, weighting=weighting, shrinkage=shrinkage)
    expected = np.maximum(near @ values, 0)
    np.testing.assert_allclose(as_table(model.fit(data), ratings.shape), expected, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("rows", [1024, 7, 1])
def test_ease_is_the_closed_form(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reclens.models.ease._ROWS", rows)  # the blocks that large matrices are copied in
    data, ratings = random_data(3)
    ones = (ratings != 0).astype(float)
    inverse = np.linalg.inv(ones.T @ ones + 10 * np.eye(ones.shape[1]))
    weights = np.eye(len(inverse)) - inverse / np.diag(inverse)
    model = models.EASE(l2=10).fit(data)
    np.testing.assert_allclose(as_table(model, ratings.shape), ones @ weights, rtol=1e-4, atol=1e-5)
    assert model.precision_ == "float32" and model.residual_ < 1e-5


def test_ease_falls_back_to_float64_where_float32_is_not_enough() -> None:
    # 200 users who all have the same 30 items: the smallest eigenvalue is λ, the largest 6,000.
    rows = [(user, item) for user in range(200) for item in range(30)]
    model = models.EASE(l2=1e-4).fit(Dataset(pl.DataFrame(rows, ["user_id", "item_id"], orient="row")))
    assert model.precision_ == "float64" and model.residual_ < 1e-3
    # By symmetry each item has the same weight w for the others: 200 (1 - 29 w) = λ w.
    off_diagonal = model.weights_[~np.eye(30, dtype=bool)]
    np.testing.assert_allclose(off_diagonal, 200 / (200 * 29 + 1e-4), rtol=1e-3)


def test_popular_counts_users_and_recent_popular_those_of_the_window() -> None:
    from datetime import datetime, timedelta

    start = datetime(2024, 1, 1, tzinfo=UTC)
    rows = [(1, 10, 0), (2, 10, 1), (3, 10, 2), (1, 11, 30), (2, 11, 31), (3, 12, 31)]
    table = pl.DataFrame(
        [(u, i, start + timedelta(days=d)) for u, i, d in rows], ["user_id", "item_id", "timestamp"], orient="row"
    )
    popular = models.Popular().fit(Dataset(table)).recommend([99], k=3).table
    assert popular["item_id"].to_list() == [10, 11, 12] and popular["score"].to_list() == [3, 2, 1]
    recent = models.RecentPopular(days=7).fit(Dataset(table)).recommend([99], k=3).table
    assert recent["item_id"].to_list() == [11, 12] and recent["score"].to_list() == [2, 1]


def test_random_draws_a_stream_for_each_user() -> None:
    data, _ = random_data(4, n_users=400, n_items=20)
    model = models.Random(seed=1).fit(data)
    first = model.recommend(k=1, exclude_seen=False).table["item_id"].value_counts()["count"]
    assert len(first) == 20 and first.min() >= 5  # 20 expected of each
    assert not model.recommend(k=5).table.equals(models.Random(seed=2).fit(data).recommend(k=5).table)
