"""SLIM against scikit-learn and the conditions of its optimum; RP3beta against the walk it stands for."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from reclens import models
from reclens.data.dataset import Dataset
from reclens.models import slim
from reclens.models._core import co_occurrence as _co_occurrence

PENALTIES = [(0.02, 0.5), (0.1, 0.05), (0.01, 1.0), (0.0005, 0.1)]
"""scikit-learn's alpha and l1_ratio."""


def taste_matrix() -> np.ndarray:
    """120 users × 24 items of zeros and ones: users of three tastes, items of uneven popularity."""
    rng = np.random.default_rng(7)
    tastes = rng.dirichlet([0.3] * 3, 120)
    items = rng.dirichlet([0.3] * 3, 24)
    chance = np.clip(tastes @ items.T * rng.uniform(0.2, 1.2, 24), 0, 0.9)
    ones = (rng.random(chance.shape) < chance).astype(float)
    ones[np.arange(120), np.arange(120) % 24] = 1
    return ones


def as_data(ones: np.ndarray) -> Dataset:
    users, items = np.nonzero(ones)
    return Dataset(pl.DataFrame({"user_id": users, "item_id": items}).sample(fraction=1, shuffle=True, seed=0))


def dense(model: models.SLIM | models.RP3beta) -> np.ndarray:
    weights = model.weights_
    found = np.zeros((weights.n_rows, weights.n_columns))
    found[np.repeat(np.arange(weights.n_rows), np.diff(weights.indptr)), weights.indices] = weights.values
    return found


def random_ones(seed: int, *, n_users: int = 60, n_items: int = 25, share: float = 0.3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    ones = rng.random((n_users, n_items)) < share * rng.uniform(0.3, 2, n_items)
    ones[np.arange(n_users), np.arange(n_users) % n_items] = True
    return ones.astype(float)


@pytest.fixture(params=["dense", "blocks", "lists", "as it comes"])
def solver(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each way in which SLIM holds the co-occurrence, whatever the data would choose."""
    if request.param != "as it comes":
        monkeypatch.setattr(_co_occurrence, "_DENSE", -1.0 if request.param == "dense" else 2.0)
        monkeypatch.setattr(slim, "_CROWDED", -1.0 if request.param == "blocks" else 2.0)
    return request.param


@pytest.mark.parametrize(
    "case", range(len(PENALTIES)), ids=lambda case: "alpha={},l1_ratio={}".format(*PENALTIES[case])
)
def test_slim_has_the_coefficients_of_scikit_learn(case: int, solver: str) -> None:
    # Stored, because scikit-learn is not among the test requirements: scripts/make_elastic_net_values.py made them.
    stored = json.loads((Path(__file__).parent / "stored" / "elastic_net.json").read_text())
    expected = np.array(stored["values"][case])
    ones, (alpha, ratio) = taste_matrix(), PENALTIES[case]
    n = len(ones)
    model = models.SLIM(l1=n * alpha * ratio, l2=n * alpha * (1 - ratio), tolerance=1e-7, sweeps=100_000)
    got = dense(model.fit(as_data(ones)))
    assert model.unsettled_ == 0
    assert 0.05 < (got > 0).mean() < 0.9
    np.testing.assert_allclose(got, expected, atol=2e-6)
    both = [objective(ones, weights, n * alpha * ratio, n * alpha * (1 - ratio)) for weights in (got, expected)]
    np.testing.assert_allclose(both[0], both[1], rtol=1e-6)


def objective(ones: np.ndarray, weights: np.ndarray, l1: float, l2: float) -> np.ndarray:
    """½ |x - Xw|² + ½ l2 |w|² + l1 Σw of each item, one at a time as it is written."""
    return 0.5 * ((ones - ones @ weights) ** 2).sum(axis=0) + 0.5 * l2 * (weights**2).sum(axis=0) + l1 * weights.sum(0)


def shop(seed: int) -> np.ndarray:
    """400 users of 2 to 20 of 300 items in 12 departments: most pairs of items have no common user."""
    rng = np.random.default_rng(seed)
    ones = np.zeros((400, 300))
    for user, size in enumerate(rng.geometric(1 / 5, 400) + 1):
        chance = np.where(np.arange(300) % 12 == rng.integers(12), 12.0, 1.0) / (np.arange(300) + 5)
        ones[user, rng.choice(300, min(int(size), 20), replace=False, p=chance / chance.sum())] = 1
    ones[np.arange(300), np.arange(300)] = 1
    return ones


def test_all_ways_of_holding_the_co_occurrence_give_one_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a shop, where the data itself would choose lists for some items and blocks for others."""
    ones = shop(1)
    data, expected = as_data(ones), None
    share = ((ones.T @ ones) > 0).mean()
    assert 0.05 < share < 0.25  # else nothing sparse would be tried
    for dense_from, crowded_from in ((-1.0, 0.0), (2.0, -1.0), (2.0, 2.0), (0.25, 0.15)):
        monkeypatch.setattr(_co_occurrence, "_DENSE", dense_from)
        monkeypatch.setattr(slim, "_CROWDED", crowded_from)
        model = models.SLIM(l1=0.5, l2=20, tolerance=1e-7, sweeps=100_000).fit(data)
        got = dense(model)
        expected = got if expected is None else expected
        assert model.unsettled_ == 0 and (got > 0).sum() > 3000
        np.testing.assert_allclose(got, expected, atol=1e-6)
        first, second = (objective(ones, weights, 0.5, 20) for weights in (got, expected))
        np.testing.assert_allclose(first, second, rtol=1e-6)


@pytest.mark.parametrize("l1", [0.5, 3.0])
def test_the_conditions_of_the_optimum_on_a_shop(l1: float, solver: str) -> None:
    ones = shop(2)
    weights = dense(models.SLIM(l1=l1, l2=20, tolerance=1e-6, sweeps=100_000).fit(as_data(ones)))
    slope = ones.T @ ones @ weights - ones.T @ ones + 20 * weights + l1
    np.fill_diagonal(slope, 0)
    assert (weights > 0).any() and np.abs(slope[weights > 0]).max() < 1e-3
    assert slope.min() > -1e-3


@pytest.mark.parametrize(("l1", "l2"), [(0.5, 0.0), (0.5, 20.0), (3.0, 5.0), (8.0, 100.0)])
@pytest.mark.parametrize("seed", [1, 2])
def test_slim_meets_the_conditions_of_the_optimum(seed: int, l1: float, l2: float, solver: str) -> None:
    ones = random_ones(seed)
    weights = dense(models.SLIM(l1=l1, l2=l2, tolerance=1e-7, sweeps=100_000).fit(as_data(ones)))
    assert (weights >= 0).all() and (np.diag(weights) == 0).all()
    # Derivative of the loss by each weight: 0 where the weight is positive, 0 or more elsewhere (Karush, Kuhn, Tucker).
    slope = ones.T @ ones @ weights - ones.T @ ones + l2 * weights + l1
    np.fill_diagonal(slope, 0)
    assert np.abs(slope[weights > 0]).max(initial=0) < 1e-3
    assert slope.min() > -1e-3


def test_a_loose_tolerance_stays_within_it(solver: str) -> None:
    ones = random_ones(3)
    weights = dense(models.SLIM(l1=1, l2=5, tolerance=1e-2).fit(as_data(ones)))
    slope = ones.T @ ones @ weights - ones.T @ ones + 5 * weights + 1
    np.fill_diagonal(slope, 0)
    missed = np.where(weights > 0, np.abs(slope), np.maximum(-slope, 0)) / ones.sum(axis=0)
    # A sweep that moves no coordinate by more than the tolerance may leave a few times as much behind.
    assert 1e-6 < missed.max() < 5e-2


def test_slim_counts_the_items_that_ran_out_of_sweeps(solver: str) -> None:
    data = as_data(random_ones(4))
    assert models.SLIM(l1=0.5, l2=0.1, tolerance=1e-6, sweeps=1).fit(data).unsettled_ > 10
    assert models.SLIM(l1=0.5, l2=0.1, tolerance=1e-6, sweeps=100_000).fit(data).unsettled_ == 0


def test_slim_never_recommends_items_with_no_more_users_than_l1() -> None:
    ones = random_ones(5)
    l1 = float(np.sort(ones.sum(axis=0))[8])
    model = models.SLIM(l1=l1, l2=1).fit(as_data(ones))
    listed = model.recommend(k=25, exclude_seen=False).table["item_id"].unique().to_list()
    assert listed and not set(listed) & set(np.flatnonzero(ones.sum(axis=0) <= l1).tolist())


def test_slim_does_not_depend_on_threads() -> None:
    data = as_data(random_ones(6, n_users=200, n_items=60))
    one, four = (dense(models.SLIM(l1=1, l2=10).fit(data, threads=threads)) for threads in (1, 4))
    np.testing.assert_array_equal(one, four)


def test_slim_scores_are_the_product_with_its_weights() -> None:
    ones = random_ones(7)
    model = models.SLIM(l1=1, l2=10).fit(as_data(ones))
    expected = ones @ dense(model)
    for user, item, _, score in model.recommend(k=5).table.rows():
        assert score == pytest.approx(expected[user, item], rel=1e-5)
        assert ones[user, item] == 0
        assert (expected[user][ones[user] == 0] > score + 1e-5).sum() < 5


def walk(ones: np.ndarray, alpha: float, beta: float, shrinkage: float) -> np.ndarray:
    """Weights of item j (row) for item i (column): steps item -> user -> item, the way back to j left out."""
    users = ones.sum(axis=0) + shrinkage
    to_users = (ones.T / users[:, None]) ** alpha
    to_items = (ones / ones.sum(axis=1)[:, None]) ** alpha
    found = to_users @ to_items / users**beta
    np.fill_diagonal(found, 0)
    return found


@pytest.mark.parametrize("neighbors_of", ["candidate", "history"])
@pytest.mark.parametrize("neighbors", [4, 100])
@pytest.mark.parametrize(
    ("alpha", "beta", "shrinkage"), [(1.0, 0.0, 0.0), (0.8, 0.5, 0.0), (0.37, 0.91, 7.5), (1.3, 0.2, 20.0)]
)
def test_rp3beta_is_the_walk(alpha: float, beta: float, shrinkage: float, neighbors: int, neighbors_of: str) -> None:
    ones = random_ones(8)
    expected = walk(ones, alpha, beta, shrinkage)
    # The k largest of each candidate (column) or history item (row); nearly equal ones may stand either way.
    by_row = expected.T if neighbors_of == "candidate" else expected
    cut = np.sort(by_row, axis=1)[:, ::-1][:, min(neighbors, by_row.shape[1]) - 1][:, None]
    made = models.RP3beta(alpha=alpha, beta=beta, shrinkage=shrinkage, neighbors=neighbors, neighbors_of=neighbors_of)
    model = made.fit(as_data(ones))
    got = dense(model).T if neighbors_of == "candidate" else dense(model)
    assert (got > 0).sum(axis=1).max() == min(neighbors, by_row.shape[1] - 1)
    kept = got > 0
    np.testing.assert_allclose(got[kept], by_row[kept], rtol=1e-5)
    assert kept[by_row > cut * (1 + 1e-5)].all() and not kept[by_row < cut * (1 - 1e-5)].any()


def test_p3_is_the_probability_to_arrive_after_three_steps() -> None:
    """alpha=1, beta=0 and all neighbours: the third power of the transition matrix of the graph of users and items."""
    ones = random_ones(9, n_users=20, n_items=12)
    n = len(ones)
    graph = np.block([[np.zeros((n, n)), ones], [ones.T, np.zeros((12, 12))]])
    steps = graph / graph.sum(axis=1, keepdims=True)
    expected = np.linalg.matrix_power(steps, 3)[:n, n:]
    model = models.RP3beta(alpha=1, beta=0, shrinkage=0, neighbors=12).fit(as_data(ones))
    sizes = ones.sum(axis=1)
    found = model.recommend(k=12).table.rows()
    assert len(found) == (1 - ones).sum()
    for user, item, _, score in found:
        # The first step is the same for all items of a user, and left out of the score.
        assert score / sizes[user] == pytest.approx(expected[user, item], rel=1e-5)


def test_a_larger_beta_brings_rarer_items_forward() -> None:
    data = as_data(random_ones(10, n_users=300, n_items=40))
    popularity = data.interactions["item_id"].value_counts().rename({"count": "users"})
    means = [
        models.RP3beta(alpha=1, beta=beta).fit(data).recommend(k=5).table.join(popularity, on="item_id")["users"].mean()
        for beta in (0.0, 0.5, 1.0)
    ]
    assert means[0] > means[1] > means[2]


@pytest.mark.parametrize("model", [models.SLIM(l1=1, l2=10), models.RP3beta()], ids=["slim", "rp3beta"])
def test_reasons_are_items_of_the_history(model: models.Recommender) -> None:
    ones = random_ones(11)
    model.fit(as_data(ones))
    weights = dense(model)
    user, item, _, score = model.recommend([3], k=1).table.row(0)
    found = model.explain(user, item, n=100)
    assert found.kind == "item" and found.score == pytest.approx(score, rel=1e-5)
    own = np.flatnonzero(ones[user])
    assert dict(found.reasons) == pytest.approx({int(j): weights[j, item] for j in own if weights[j, item] > 0})
