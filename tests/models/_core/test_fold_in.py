"""Users who came after the fit."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from reclens import models
from reclens.testing.models import model_data


def pairs(rows: list[tuple]) -> pl.DataFrame:
    return pl.DataFrame(rows, ["user_id", "item_id"], orient="row")


@pytest.mark.parametrize("similarity", ["cosine", "jaccard", "dot"])
@pytest.mark.parametrize("weighting", ["none", "tf_idf", "bm25"])
def test_user_knn_folds_in_what_it_would_have_learned(similarity: str, weighting: str) -> None:
    """A known user whose history is told again, in full, has the list of the fit: herself is no neighbour."""
    if similarity == "jaccard" and weighting != "none":
        return
    data = model_data()
    model = models.UserKNN(similarity=similarity, weighting=weighting, neighbors=7, shrinkage=2.0).fit(data)
    learned = model.recommend(k=6).table
    told = model.recommend(history=data.interactions.select("user_id", "item_id"), history_mode="replace", k=6).table
    assert told.select("user_id", "item_id").equals(learned.select("user_id", "item_id"))
    np.testing.assert_allclose(told["score"], learned["score"], rtol=1e-5)


def test_a_history_without_rows_is_that_of_nobody() -> None:
    """Replaced, it leaves a known user with nothing, as a stranger; added, it changes nothing."""
    model = models.ItemKNN().fit(model_data())
    empty, user = pairs([("x", "i1")]).clear(), [model.users_.ids[0]]
    assert model.recommend(user, history=empty, history_mode="replace", cold_users="none").table.height == 0
    added = model.recommend(user, history=empty).table
    assert added.height and added.equals(model.recommend(user).table)


def test_user_knn_finds_the_neighbours_of_a_newcomer(two_towns) -> None:
    """By hand: her cosine to user 1 is 2 ÷ √(2 · 3), to 2 and 5 it is 1 ÷ √(2 · 3) and 1 ÷ √(2 · 2)."""
    model = models.UserKNN(neighbors=2, shrinkage=0).fit(two_towns())
    found = model.recommend(history=pairs([("x", 10), ("x", 11)]), k=5).table
    near = {1: 2 / 6**0.5, 5: 1 / 4**0.5}
    assert dict(found.select("item_id", "score").iter_rows()) == pytest.approx({15: near[1], 14: near[5]})
    why = model.explain("x", 15, history=pairs([("x", 10), ("x", 11)]))
    assert why.kind == "user" and why.reasons == ((1, pytest.approx(near[1])),)


@pytest.mark.parametrize("negatives", ["uniform", "popular"])
def test_bpr_solves_for_the_vector_of_a_newcomer(negatives: str) -> None:
    """The criterion of one user, written down again and minimised by SciPy."""
    from scipy.optimize import minimize

    data = model_data()
    model = models.BPR(factors=5, epochs=10, l2=0.02, negatives=negatives).fit(data)
    history = data.interactions.filter(pl.col("user_id") == "u1").select(pl.lit("x").alias("user_id"), "item_id")
    own = model.items_.encode(history["item_id"])
    others = np.setdiff1d(np.arange(len(model.items_)), own)
    users = data.interactions.group_by("item_id").len()
    counts = np.zeros(len(model.items_))
    counts[model.items_.encode(users["item_id"])] = users["len"]
    shares = counts[others] if negatives == "popular" else np.ones(len(others))
    vectors, biases = model.item_factors_[:, :-1].astype(float), model.item_factors_[:, -1].astype(float)

    def criterion(x: np.ndarray) -> float:
        scores = vectors @ x + biases
        losses = np.logaddexp(0, scores[others][None] - scores[own][:, None])
        return float((losses @ (shares / shares.sum())).mean() + 0.01 * x @ x)

    best = minimize(criterion, np.zeros(5), method="BFGS", options={"gtol": 1e-9}).x
    got = model.recommend(history=history, k=60, exclude_seen=False).table
    expected = pl.DataFrame({"item_id": model.items_.ids, "expected": vectors @ best + biases})
    both = got.join(expected, on="item_id")
    assert both.height == 60
    np.testing.assert_allclose(both["score"], both["expected"], atol=1e-4)


def test_bpr_holds_a_newcomer_against_a_sample_of_a_large_catalogue() -> None:
    """With 1,000 of 3,000 items the vector is near the one that all of them give, whatever the seed."""
    from reclens.models._core.bpr_fold_in import Others, solve_user

    rng = np.random.default_rng(0)
    vectors = rng.normal(0, 0.5, (3000, 9)).astype(np.float32)
    counts, own = rng.integers(1, 50, 3000).astype(float), np.arange(0, 3000, 150)
    everything = Others(np.arange(3000), np.full(3000, 1 / 3000))
    exact = solve_user(own, everything, vectors, l2=0.05)[:-1]
    for popular in (False, True):
        sample = Others.of(counts, popular=popular, seed=1)
        assert len(sample.items) <= 1000 and sample.weights.sum() == pytest.approx(1)
    near = solve_user(own, Others.of(counts, popular=False, seed=1), vectors, l2=0.05)[:-1]
    assert near @ exact / (np.linalg.norm(near) * np.linalg.norm(exact)) > 0.98
    assert not solve_user(np.arange(3000), everything, vectors, l2=0.05)[:-1].any(), "she has everything"
